import {
  droppable,
  listCheckpoints,
  listCommits,
  listHolds,
  listIndexTables,
  listMarks,
  lowestGeneration,
  type Repository,
  readRoot,
} from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';
import { locksAreDue } from './_retention-locks.ts';

/**
 * Whether a maintenance is worth its cost now: snapshots were forgotten a day ago or earlier (until then they are easily brought back), or so many index tables or snapshots have
 * gathered beside base index and catalogue that opening gets slow; or locks are to be extended. Takes a few listings, at once.
 *
 * A collection that somebody left unfinished is no reason: he may be at it. As long as a backup seems to run, which a collection would disturb, it can wait, but not for ever.
 * Clocks decide nothing here but when.
 *
 * Codes: those of the storage.
 */
export async function maintenanceIsDue(repository: Repository, { signal }: CallOptions = {}): Promise<boolean> {
  if (locksAreDue(repository.root.locks, Date.now())) return true;
  let holdsAreKnown = true;
  const [root, tables, commits, marks, holds] = await Promise.all([
    readRoot(repository, { signal }),
    listIndexTables(repository, repository.root, { signal }),
    listCommits(repository, repository.root, { signal }),
    listMarks(repository, { onDamage: () => undefined, signal }),
    listHolds(repository, { onDamage: () => (holdsAreKnown = false), signal }),
  ]);
  const { dueObjects, urgentObjects, dueMarkSeconds, runningSeconds } = maintainLimits;
  const now = Date.now() / 1000;
  const counts = ({ generation }: { generation: number }) => generation >= lowestGeneration(root);
  const gathered = Math.max(tables.filter(counts).length, commits.filter(counts).length);
  const at = { seconds: Math.floor(now), nanoseconds: 0 };
  // A damaged hold may hold anything.
  const dropped = holdsAreKnown ? droppable(marks, { holds, at }) : new Set();
  const isMarked = marks.some(({ value }) => now - value.time.seconds >= dueMarkSeconds && value.snapshots.some((id) => dropped.has(id)));
  if (gathered >= urgentObjects) return true;
  if (!isMarked && gathered < dueObjects) return false;
  const unfinished = await listCheckpoints(repository, { onDamage: () => undefined, signal });
  return !unfinished.some(({ snapshot }) => Math.abs(now - snapshot.ended.seconds) < runningSeconds);
}
