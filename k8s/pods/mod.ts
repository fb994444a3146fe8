/** Volumes of pods: which are backed up, why the others are not, which they are, and where they are on their node. Knows the cluster's objects, and no client of its API. */
export {
  type ChooseOptions,
  type ChosenVolumes,
  chooseVolumes,
  type SkippedVolume,
  type SkipReason,
  type TakenVolume,
} from './choose.ts';
export { recordOfTaken } from './describe.ts';
export { kubeletPodFolders, type LocatedVolume, locateVolume, type NodeFolders } from './host-folder.ts';
export type { Claim, Container, ObjectMeta, PersistentVolume, Pod, PodVolume } from './objects.ts';
export { workloadOf } from './workload.ts';
