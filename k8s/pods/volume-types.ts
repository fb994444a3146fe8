/** What kinds of volumes there are in pods, and which of them hold nothing that belongs into a backup. */
import type { PersistentVolume, Pod, PodVolume } from './objects.ts';

/** What the cluster itself keeps and gives to pods again. */
const ofTheCluster = ['secret', 'configMap', 'projected', 'downwardAPI', 'image'] as const;

export type UntakenType = (typeof ofTheCluster)[number];

/** Of a volume that is never taken: of which type it is. */
export function untakenTypeOf(volume: PodVolume): UntakenType | undefined {
  return ofTheCluster.find((type) => volume[type] !== undefined);
}

/** The name of its claim; undefined if it has none. A claim that is made for a pod is called after both. */
export function claimNameOf(pod: Pod, volume: PodVolume): string | undefined {
  if (volume.ephemeral !== undefined) return `${pod.metadata.name}-${volume.name}`;
  return volume.persistentVolumeClaim?.claimName;
}

/** The path on the node that it stands for, as a volume of the pod or through a claim; undefined for any other. */
export function hostPathOf(volume: PodVolume, persistentVolume: PersistentVolume | undefined): string | undefined {
  return volume.hostPath?.path ?? persistentVolume?.spec.hostPath?.path;
}

/** Whether the kubelet puts its content into a folder `mount` of its own. */
export function isCsi(volume: PodVolume, persistentVolume: PersistentVolume | undefined): boolean {
  return volume.csi !== undefined || persistentVolume?.spec.csi !== undefined;
}
