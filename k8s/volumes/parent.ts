/** Which snapshot is of the same volume: pods get new names, claims are made anew, clusters are lost. Only what is in the repository is asked. */
import type { ParentChoice, SnapshotInfo } from '../../engine/mod.ts';
import { recordOf } from './record.ts';
import type { VolumeIdentity, VolumeManifest } from './volume.ts';

/** What is equal for backups of the same volume, as far as its claim, or else its workload, lives. */
export function sourceOf({ cluster, namespace, claim, workload, volume }: VolumeIdentity): string {
  return JSON.stringify(['kubernetes', cluster, namespace, ...(claim === null ? [workload, volume] : [claim.uid])]);
}

/** The newest snapshot of the same claim; else of one of its name in its namespace; else of the same volume of the same workload. Never of another kind of volume. */
export function parentOf(identity: VolumeIdentity, { mode }: VolumeManifest): ParentChoice {
  return (snapshots) => {
    const known = snapshots.flatMap((info) => {
      const record = recordOf(info.snapshot);
      return record?.manifest.mode === mode && record.identity.namespace === identity.namespace
        ? [{ info, identity: record.identity }]
        : [];
    });
    return ways.map((isSame) => known.findLast((other) => isSame(identity, other.identity))?.info).find((info) => info !== undefined);
  };
}

type Sameness = (one: VolumeIdentity, other: VolumeIdentity) => boolean;

/** The surest first. */
const ways: readonly Sameness[] = [
  ({ claim }, other) => claim !== null && claim.uid === other.claim?.uid,
  ({ claim }, other) => claim !== null && claim.name === other.claim?.name,
  ({ workload, volume }, other) => workload !== null && volume !== null && workload === other.workload && volume === other.volume,
];

/** The snapshots of one volume, from old to new, whatever its claim was called. */
export function snapshotsOf(identity: VolumeIdentity, manifest: VolumeManifest, snapshots: readonly SnapshotInfo[]): SnapshotInfo[] {
  return snapshots.filter((info) => parentOf(identity, manifest)([info]) !== undefined);
}
