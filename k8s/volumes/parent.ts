/** Which snapshot is of the same volume: pods get new names, claims are made anew, clusters are lost. Only what is in the repository is asked. */
import type { ParentChoice, SnapshotInfo } from '../../engine/mod.ts';
import { recordOf } from './record.ts';
import type { VolumeIdentity, VolumeManifest } from './volume.ts';

/** What is equal for backups of the same volume, as far as its claim, or else its workload, lives. */
export function sourceOf({ cluster, namespace, claim, workload, volume }: VolumeIdentity): string {
  return JSON.stringify([
    'kubernetes',
    cluster,
    namespace,
    ...(claim === null ? [workload, volume] : [claim.uid ?? `claim ${claim.name}`]),
  ]);
}

/**
 * The newest snapshot of the same claim; else of one of its name in its namespace; else of the same volume of the same workload. Never of another kind of volume. It may be of
 * another replica or cluster: what is alike is not stored again, and what is not is read.
 */
export function parentOf(identity: VolumeIdentity, manifest: VolumeManifest): ParentChoice {
  return (snapshots) => {
    const known = comparable(identity, manifest, snapshots);
    return ways.map((isSame) => known.findLast((other) => isSame(identity, other.identity))?.info).find((info) => info !== undefined);
  };
}

type Sameness = (one: VolumeIdentity, other: VolumeIdentity) => boolean;

const hasSameUid: Sameness = ({ claim }, other) => claim !== null && claim.uid !== null && claim.uid === other.claim?.uid;
const hasSameClaim: Sameness = ({ claim }, other) => claim !== null && claim.name === other.claim?.name;
const hasSameWorkload: Sameness = ({ workload, volume }, other) =>
  workload !== null && volume !== null && workload === other.workload && volume === other.volume;

/** The surest first. */
const ways: readonly Sameness[] = [hasSameUid, hasSameClaim, hasSameWorkload];

/** The snapshots of one volume of one cluster, from old to new: of its claim, by UID or name; of a volume without a claim, those of its workload's volume without one. */
export function snapshotsOf(identity: VolumeIdentity, manifest: VolumeManifest, snapshots: readonly SnapshotInfo[]): SnapshotInfo[] {
  const isSame: Sameness = (one, other) =>
    one.claim === null ? other.claim === null && hasSameWorkload(one, other) : hasSameUid(one, other) || hasSameClaim(one, other);
  return comparable(identity, manifest, snapshots)
    .filter((other) => other.identity.cluster === identity.cluster && isSame(identity, other.identity))
    .map(({ info }) => info);
}

function comparable(
  { namespace }: VolumeIdentity,
  { mode }: VolumeManifest,
  snapshots: readonly SnapshotInfo[],
): { readonly info: SnapshotInfo; readonly identity: VolumeIdentity }[] {
  return snapshots.flatMap((info) => {
    const record = recordOf(info.snapshot);
    return record?.manifest.mode === mode && record.identity.namespace === namespace ? [{ info, identity: record.identity }] : [];
  });
}
