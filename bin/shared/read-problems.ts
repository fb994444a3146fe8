/** What became of files that a backup could not read as they were. */
import { formatCountOf } from './sizes.ts';

/** Codes of files that somebody changed meanwhile: nothing is wrong with the disk or the permissions. */
const changes: ReadonlySet<string> = new Set(['grew', 'shorter', 'replaced', 'vanished']);

/** One phrase for those that changed, one for all others. Of many files only the first are listed, all are counted. */
export function readProblems(listed: readonly { readonly code: string }[], count: number): string[] {
  const changed = listed.filter(({ code }) => changes.has(code)).length;
  const unread = Math.max(count, listed.length) - changed;
  return [
    ...(changed > 0 ? [`${formatCountOf(changed, 'file')} changed while ${changed === 1 ? 'it was' : 'they were'} read`] : []),
    ...(unread > 0 ? [`${formatCountOf(unread, 'file')} could not be read completely`] : []),
  ];
}
