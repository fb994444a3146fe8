/** How snapshots are put together: `--group-by host,paths`. */
import { usageError } from './errors.ts';
import { nearest } from './nearest.ts';

export const groupKeys = ['host', 'paths', 'tags'] as const;
export type GroupKey = (typeof groupKeys)[number];

/** The keys of `host,paths`; a word without its last `s` will do. */
export function parseGroupKeys(text: string): GroupKey[] {
  return text.split(',').map((word) => {
    const key = groupKeys.find((name) => name === word || name === `${word}s`);
    if (key) return key;
    const near = nearest(word, groupKeys);
    throw usageError(`--group-by: '${word}' is nothing to group by`, near ? `did you mean ${near}?` : `valid are ${groupKeys.join(', ')}`);
  });
}
