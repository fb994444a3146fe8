/** What a person says of how many snapshots to keep, and how it is written. */
import { LaganError } from '../../repo-format/mod.ts';

/** Periods of which one snapshot each is kept, from short to long. */
export const periods = ['hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'yearly'] as const;
export type SnapshotPeriod = (typeof periods)[number];

/** How many; `Infinity`: all. */
export type KeepCount = number;

/** A stretch of the calendar: years and months are as long as they are there. */
export interface KeepDuration {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
}

/** A snapshot is kept if any of the rules keeps it. */
export interface RetentionPolicy {
  /** The newest ones. */
  readonly last?: KeepCount | undefined;
  /** The newest one of each of so many hours, days and so on that have snapshots. */
  readonly counts?: Partial<Readonly<Record<SnapshotPeriod, KeepCount | undefined>>> | undefined;
  /** All that were made so long before the newest one. */
  readonly within?: KeepDuration | undefined;
  /** The newest one of each hour, day and so on, of those that were made so long before the newest one. */
  readonly withinCounts?: Partial<Readonly<Record<SnapshotPeriod, KeepDuration | undefined>>> | undefined;
  /** Those that have all tags of one of the lists. */
  readonly tags?: readonly (readonly string[])[] | undefined;
}

/** A rule of the policy, as the command line calls it without `--keep-`. */
export type KeepRule = 'last' | SnapshotPeriod | 'within' | `within-${SnapshotPeriod}` | 'tag';

const greatestNumber = 1_000_000;
const durationUnits = { y: 'years', m: 'months', w: 'weeks', d: 'days', h: 'hours' } as const;

/** `7`, or `unlimited`. Code: usage. `name` is what the message calls it. */
export function parseKeepCount(text: string, name: string): KeepCount {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY;
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= greatestNumber) return count;
  throw wrong(`${name}: '${text}' is no number of snapshots`, { found: text, hint: `give a whole number from 1, or unlimited` });
}

/** `2y5m7d3h`: years, months (not minutes), weeks, days, hours; each at most once, in any order. Code: usage. */
export function parseKeepDuration(text: string, name: string): KeepDuration {
  const found = { years: 0, months: 0, weeks: 0, days: 0, hours: 0 };
  const seen = new Set<string>();
  for (const [, digits, unit] of text.matchAll(/(\d{1,7})([ymwdh])/g)) {
    found[durationUnits[unit as keyof typeof durationUnits]] = Number(digits);
    seen.add(unit!);
  }
  const parts = text.match(/\d+[a-z]/g) ?? [];
  const isWhole = /^(\d{1,7}[ymwdh])+$/.test(text) && seen.size === parts.length;
  const { years, months, weeks, days, hours } = found;
  if (isWhole && years + months + weeks + days + hours > 0) return { years, months, days: days + 7 * weeks, hours };
  throw wrong(`${name}: '${text}' is not a duration`, {
    found: text,
    hint: 'valid are for example 7d, 12h, 2w or 2y5m7d3h (y years, m months, w weeks, d days, h hours)',
  });
}

/** A time zone that this system knows, such as `Europe/Berlin`, `UTC` or `+01:00`. Code: usage. */
export function parseTimeZone(text: string, name: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return text;
  } catch (cause) {
    const hint = 'valid are for example Europe/Berlin, America/New_York, UTC or +01:00';
    throw new LaganError('usage', `${name}: '${text}' is no time zone of this system`, { cause, found: text, hint });
  }
}

/** True if there is no rule at all. */
export function isEmptyPolicy({ last, counts = {}, within, withinCounts = {}, tags = [] }: RetentionPolicy): boolean {
  const values = [last, within, ...Object.values(counts), ...Object.values(withinCounts)];
  return tags.length === 0 && values.every((value) => value === undefined);
}

function wrong(message: string, fields: { found: string; hint: string }): LaganError {
  return new LaganError('usage', message, fields);
}
