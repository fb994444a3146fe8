/** The clock. */
import type { Time } from '../../repo-format/mod.ts';

/** Now, to the millisecond. */
export function now(): Time {
  const milliseconds = Date.now();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: (milliseconds - seconds * 1000) * 1_000_000 };
}
