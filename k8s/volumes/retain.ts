import {
  forgetSnapshots,
  heldSnapshots,
  type LaganError,
  listHolds,
  listSnapshots,
  planRetention,
  type Repository,
  type RetentionPolicy,
  retentionSnapshotOf,
  type SnapshotId,
  type Time,
} from '../../engine/mod.ts';
import { snapshotsOf } from './parent.ts';
import type { VolumeRecord } from './record.ts';

export interface RetainOptions {
  readonly policy: RetentionPolicy;
  readonly now: Time;
  /** Of days, weeks and so on; without it that of the system. */
  readonly timeZone?: string | undefined;
  /** Told of snapshots of which nothing can be read: they stay. */
  readonly onDamage: (error: LaganError) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Removes the snapshots of one volume that the policy does not keep; pinned ones and the last good one stay. Returns which it removed. Codes: those of `planRetention` and `forgetSnapshots`. */
export async function retainVolume(
  repository: Repository,
  { identity, manifest }: VolumeRecord,
  { policy, now, timeZone, onDamage, signal }: RetainOptions,
): Promise<readonly SnapshotId[]> {
  const [infos, holds] = await Promise.all([listSnapshots(repository, { onDamage, signal }), listHolds(repository, { signal })]);
  const own = snapshotsOf(identity, manifest, infos);
  const groups = planRetention(own.map(retentionSnapshotOf), { policy, groupBy: [], held: heldSnapshots(holds, now), now, timeZone });
  const superfluous = groups.flatMap(({ snapshots }) => snapshots).filter(({ action }) => action === 'remove');
  const ids = superfluous.map(({ snapshot }) => snapshot.id);
  if (ids.length === 0) return [];
  const { held } = await forgetSnapshots(repository, ids, { now, reason: 'forgotten', signal });
  return ids.filter((id) => !held.has(id));
}
