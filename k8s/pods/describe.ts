/** What the snapshot of a volume says of it: which volume it is, and what it takes to make its claim again. */
import type { VolumeRecord } from '../volumes/mod.ts';
import type { TakenVolume } from './choose.ts';
import type { Pod } from './objects.ts';
import { workloadOf } from './workload.ts';

/** `cluster`: the name that its administrator gave it, or the UID of `kube-system`. */
export function recordOfTaken(cluster: string, pod: Pod, { volume, claim }: TakenVolume): VolumeRecord {
  const { metadata, spec } = pod;
  const identity = {
    cluster,
    namespace: metadata.namespace ?? 'default',
    claim: claim === undefined ? null : { uid: claim.metadata.uid ?? null, name: claim.metadata.name },
    workload: workloadOf(pod),
    volume: volume.name,
  };
  const manifest = {
    mode: claim?.spec.volumeMode ?? 'Filesystem',
    size: claim?.spec.resources?.requests?.storage,
    storageClass: claim?.spec.storageClassName,
    accessModes: claim?.spec.accessModes,
    labels: claim?.metadata.labels,
    fsGroup: spec.securityContext?.fsGroup,
    mounts: mountsOf(pod, volume.name),
  };
  return { identity, manifest };
}

/** `container:/path` for each container that has it. */
function mountsOf({ spec }: Pod, name: string): string[] {
  return [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ name: container, volumeMounts = [], volumeDevices = [] }) => [
    ...volumeMounts.filter((mount) => mount.name === name).map(({ mountPath }) => `${container}:${mountPath}`),
    ...volumeDevices.filter((device) => device.name === name).map(({ devicePath }) => `${container}:${devicePath}`),
  ]);
}
