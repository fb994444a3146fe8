import { listCheckpoints, listCommits, listDroppable, listIndexTables, listMarks, type Repository, readRoot } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';

/**
 * Whether a maintenance is worth its cost now: snapshots were forgotten a day ago or earlier (until then they are easily brought back), or so many index tables or snapshots have
 * gathered beside base index and catalogue that opening gets slow. Takes a few listings.
 *
 * A collection that somebody left unfinished is no reason: he may be at it. As long as a backup seems to run, which a collection would disturb, it can wait, but not for ever.
 * Clocks decide nothing here but when.
 *
 * Codes: those of the storage.
 */
export async function maintenanceIsDue(repository: Repository, { signal }: CallOptions = {}): Promise<boolean> {
  const root = await readRoot(repository, { signal });
  const onDamage = () => undefined;
  const [tables, commits, droppable, marks] = await Promise.all([
    listIndexTables(repository, root, { signal }),
    listCommits(repository, root, { signal }),
    listDroppable(repository, { onDamage, signal }),
    listMarks(repository, { onDamage, signal }),
  ]);
  const { dueObjects, urgentObjects, dueMarkSeconds, runningSeconds } = maintainLimits;
  const now = Date.now() / 1000;
  const gathered = Math.max(tables.length, commits.length);
  const isMarked = marks.some(({ value }) => now - value.time.seconds >= dueMarkSeconds && value.snapshots.some((id) => droppable.has(id)));
  if (gathered >= urgentObjects) return true;
  if (!isMarked && gathered < dueObjects) return false;
  const unfinished = await listCheckpoints(repository, { onDamage, signal });
  return !unfinished.some(({ snapshot }) => Math.abs(now - snapshot.ended.seconds) < runningSeconds);
}
