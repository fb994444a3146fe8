/** What is said of snapshots that were pinned or brought back while a collection may have been deciding about them. */
import type { Context } from './context.ts';
import type { Fate } from './engine.ts';
import { LaganError } from './errors.ts';
import { shortId } from './snapshots.ts';

/** Warns of those whose fate is open. Those that a collection has removed before are an error. */
export async function reportFates(context: Context, fates: ReadonlyMap<string, Fate>): Promise<void> {
  for (const [id, fate] of fates) {
    if (fate !== 'undecided') continue;
    const message = `a collection is deciding about snapshot ${shortId(id)} just now and may not have seen this: look with lagan snapshots when it has ended`;
    await context.output.warning(message, { code: 'undecided' });
  }
  const dropped = [...fates].filter(([, fate]) => fate === 'dropped').map(([id]) => id);
  if (dropped.length === 0) return;
  throw new LaganError('snapshot-not-found', `too late: a collection has removed ${dropped.map(shortId).join(', ')} already`, {
    found: dropped,
  });
}
