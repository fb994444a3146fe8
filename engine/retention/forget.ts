/** Forgets snapshots: marks them for the collector, except those that are held. */
import type { SnapshotId, Time } from '../../repo-format/mod.ts';
import { heldSnapshots, listHolds, markSnapshots, type Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';

export interface ForgetResult {
  readonly marked: readonly SnapshotId[];
  /** Left as they are, with the end of their hold; null: until that is removed. */
  readonly held: ReadonlyMap<SnapshotId, Time | null>;
}

/**
 * Marks snapshots for deletion. Holds are read just before; one that comes later wins all the same, as long as the collector has not acted. Two who forget at the same
 * time do no harm.
 *
 * `now` judges the ends of holds. Codes: those of the storage, and those of damage: with a damaged hold nobody knows what is held.
 */
export async function forgetSnapshots(
  repository: Repository,
  ids: readonly SnapshotId[],
  { now, reason, signal }: { now: Time; reason: string } & CallOptions,
): Promise<ForgetResult> {
  const allHeld = heldSnapshots(await listHolds(repository, { signal }), now);
  const marked = ids.filter((id) => !allHeld.has(id));
  await markSnapshots(repository, marked, { reason, signal });
  return { marked, held: new Map([...allHeld].filter(([id]) => ids.includes(id))) };
}
