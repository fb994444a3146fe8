/** Maintenance by itself, after a command that may have made one due. Nothing that happens in it makes the command fail. */
import type { Context } from './context.ts';
import { isLaganError } from './errors.ts';
import { type OpenedRepository, rememberRoot } from './repository.ts';
import { formatCountOf, formatSize } from './sizes.ts';
import { formatTime, timeOfDate } from './times.ts';

/** Maintains the repository if that is due and the store lets it. What it did is told in words only: what `--json` prints has ended before. */
export async function maintainWhenDue(context: Context, { engine, repository }: OpenedRepository): Promise<void> {
  const { output, signal } = context;
  try {
    if (!(await engine.maintenanceIsDue(repository, { signal }))) return;
    const { outcome, freedPacks, freedBytes } = await engine.maintain(repository, { signal });
    await rememberRoot(context, engine, repository);
    if (outcome === 'collected')
      output.note(`maintained the repository: freed ${formatSize(freedBytes)} in ${formatCountOf(freedPacks, 'pack')}`);
  } catch (error) {
    if (!isLaganError(error)) throw error;
    const isForOthers = error.code === 'forbidden' || error.code === 'read-only';
    // Who may only add backups leaves that to who may delete.
    if (isForOthers) {
      output.detail(`a maintenance is due, but not for this machine: ${error.message}`);
      await warnOfLocks(context, { engine, repository });
    } else output.note(`a maintenance is due and did not end; the next one goes on from there: ${error.message}`);
  }
}

/** The collector extends the locks of what is stored; if it does not, every machine that backs up says so before they end. */
async function warnOfLocks({ output }: Context, { engine, repository }: Pick<OpenedRepository, 'engine' | 'repository'>): Promise<void> {
  const { locks } = repository.root;
  const untilMs = engine.locksHoldUntilMs(locks);
  if (locks === undefined || untilMs === null || Date.now() < (locks.begun * 1000 + untilMs) / 2) return;
  const time = formatTime(timeOfDate(new Date(untilMs)));
  await output.warning(`the locks of the stored objects end from ${time} on: lagan maintain extends them, where it may`, {
    code: 'forbidden',
  });
}
