/** Hours, days, weeks and so on of a time zone. */
import type { Time } from '../../repo-format/mod.ts';
import type { KeepDuration, SnapshotPeriod } from './policy.ts';

const daySeconds = 86_400;
/** What Date and Intl can express; a time beyond is taken for the last one within. */
const greatestSeconds = 8.64e12 - 2 * daySeconds;
const nanosecondsPerSecond = 1_000_000_000n;

/** The calendar of one time zone. */
export class Calendar {
  readonly #format: Intl.DateTimeFormat;
  /** Every rule asks for the same times. */
  readonly #offsets = new Map<number, number>();

  /** Without a time zone: that of this process. */
  constructor(timeZone?: string) {
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset', year: 'numeric' });
  }

  /** Equal for two times if and only if they are in the same hour, day and so on. Weeks begin on Monday. */
  periodOf(time: Time, period: SnapshotPeriod): string {
    const seconds = withinDate(time.seconds);
    const offset = this.#offsetOf(seconds);
    const local = seconds + offset;
    const day = Math.floor(local / daySeconds);
    // An hour that comes twice, when clocks are set back, is two.
    if (period === 'hourly') return `${Math.floor(local / 3600)} ${offset}`;
    if (period === 'daily') return String(day);
    // Day 0 was a Thursday.
    if (period === 'weekly') return String(Math.floor((day + 3) / 7));
    const date = new Date(local * 1000);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    if (period === 'yearly') return String(year);
    return period === 'monthly' ? `${year} ${month}` : `${year} ${Math.floor(month / 3)}`;
  }

  /** Seconds that local time is ahead of UTC. */
  #offsetOf(seconds: number): number {
    const known = this.#offsets.get(seconds);
    if (known !== undefined) return known;
    const offset = this.#findOffset(seconds);
    this.#offsets.set(seconds, offset);
    return offset;
  }

  #findOffset(seconds: number): number {
    const parts = this.#format.formatToParts(seconds * 1000);
    const text = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const match = /([+\u2212-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(text);
    if (match === null) return 0; // GMT itself.
    const [, sign, hours, minutes, rest = '0'] = match;
    return (sign === '+' ? 1 : -1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(rest));
  }
}

/** How long a duration that ends at a time is, in nanoseconds. */
export function lengthBefore(end: Time, { years, months, days, hours }: KeepDuration): bigint {
  const seconds = withinDate(end.seconds);
  const date = new Date(seconds * 1000);
  const [year, month, dayOfMonth] = [date.getUTCFullYear() - years, date.getUTCMonth() - months, date.getUTCDate()];
  const first = new Date(0);
  first.setUTCFullYear(year, month, 1);
  const lastOfMonth = new Date(0);
  lastOfMonth.setUTCFullYear(year, month + 1, 0);
  const midnight = first.getTime() / 1000 + (Math.min(dayOfMonth, lastOfMonth.getUTCDate()) - 1) * daySeconds;
  // Before all time that can be expressed: longer than any difference of two times.
  if (Number.isNaN(midnight)) return BigInt(Number.MAX_SAFE_INTEGER) * 4n * nanosecondsPerSecond;
  const start = midnight + (((seconds % daySeconds) + daySeconds) % daySeconds) - days * daySeconds - hours * 3600;
  return BigInt(seconds - start) * nanosecondsPerSecond;
}

/** Nanoseconds since 1970. */
export function nanosecondsOf({ seconds, nanoseconds }: Time): bigint {
  return BigInt(seconds) * nanosecondsPerSecond + BigInt(nanoseconds);
}

function withinDate(seconds: number): number {
  return Math.max(-greatestSeconds, Math.min(greatestSeconds, seconds));
}
