/** Who asks for jobs on volumes: each front turns what it is told into jobs, and tells what became of them. */
export {
  type MountedVolume,
  mountedVolume,
  newestSnapshotOf,
  type RestoredVolume,
  recordOfMounted,
  restoreIfEmpty,
  type SidecarPod,
} from './sidecar.ts';
