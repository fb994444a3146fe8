/** Times and durations as people write and read them. Times are 64-bit seconds since 1970 and nanoseconds, without limits of Date. */
import { usageError } from './errors.ts';

export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

const unitSeconds: Record<string, number> = { s: 1, min: 60, m: 60, h: 3600, d: 86_400, w: 604_800, y: 31_557_600 };
const timeExamples =
  'valid are for example 2026-11-21, "2026-11-21 07:30", 2026-11-21T07:30:00Z, @1795246200, now, or an age such as 36h or 7d';
const durationExamples = 'valid are for example 90s, 30min, 36h, 7d, 2w or 1h30min';
const maximumSeconds = 8.64e12;

/** Seconds of `90s`, `1h30min`, `7d`, `2w`, `1y` (365.25 days). `m` is minutes. */
export function parseDuration(text: string, option: string): number {
  const seconds = durationSeconds(text);
  if (seconds === undefined) throw usageError(`${option}: '${text}' is not a duration`, durationExamples);
  return seconds;
}

/**
 * A point in time: a date (local midnight), a date and time (local unless it ends with `Z` or an offset), `@seconds` since 1970,
 * `now`, or a duration, which is that long before `now`. Days and hours that do not exist are refused.
 */
export function parseTime(text: string, option: string, now: Time = timeOfDate(new Date())): Time {
  const trimmed = text.trim();
  const time = parseKeyword(trimmed, now) ?? parseCalendar(trimmed);
  if (time === undefined) throw usageError(`${option}: '${text}' is not a time`, timeExamples);
  if (Math.abs(time.seconds) > maximumSeconds) throw usageError(`${option}: '${text}' is too far away`, timeExamples);
  return time;
}

export function timeOfDate(date: Date): Time {
  const milliseconds = date.getTime();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: (milliseconds - seconds * 1000) * 1_000_000 };
}

/** To the millisecond. */
export function dateOfTime({ seconds, nanoseconds }: Time): Date {
  return new Date(seconds * 1000 + Math.floor(nanoseconds / 1_000_000));
}

export function compareTimes(a: Time, b: Time): number {
  return a.seconds - b.seconds || a.nanoseconds - b.nanoseconds;
}

/** RFC 3339 in UTC with nine decimals; years outside 0…9999 have a sign and at least six digits, as in ECMAScript. */
export function formatExactTime({ seconds, nanoseconds }: Time): string {
  const day = Math.floor(seconds / 86_400);
  const rest = seconds - day * 86_400;
  const { year, month, dayOfMonth } = civilDate(day);
  const clock = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60].map(twoDigits).join(':');
  return `${formatYear(year)}-${twoDigits(month)}-${twoDigits(dayOfMonth)}T${clock}.${String(nanoseconds).padStart(9, '0')}Z`;
}

/** `2026-11-21 07:30:00` in local time, for people; times that Date cannot hold in UTC. */
export function formatTime(time: Time): string {
  if (Math.abs(time.seconds) > maximumSeconds - 86_400) return formatExactTime(time).slice(0, -11).replace('T', ' ');
  const date = new Date(time.seconds * 1000);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':');
  return `${formatYear(date.getFullYear())}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())} ${clock}`;
}

/** `850 ms`, `12.3 s`, `5 min 12 s`, `2 h 05 min`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${twoDigits(Math.floor(seconds / 60) % 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

/** `0:05`, `12:34`, `3:02:01`: for a progress line, whose width should not jump. */
export function formatClock(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  const hours = Math.floor(seconds / 3600);
  const tail = `${twoDigits(seconds % 60)}`;
  return hours > 0 ? `${hours}:${twoDigits(Math.floor(seconds / 60) % 60)}:${tail}` : `${Math.floor(seconds / 60)}:${tail}`;
}

function durationSeconds(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (!/^(\d+(\.\d+)?\s*(s|min|m|h|d|w|y)\s*)+$/.test(trimmed)) return undefined;
  let seconds = 0;
  for (const [, digits, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w|y)/g)) seconds += Number(digits) * unitSeconds[unit!]!;
  return Number.isFinite(seconds) ? seconds : undefined;
}

function parseKeyword(text: string, now: Time): Time | undefined {
  if (text === 'now') return now;
  const stamp = /^@(-?\d{1,16})(?:\.(\d{1,9}))?$/.exec(text);
  if (stamp) return { seconds: Number(stamp[1]), nanoseconds: Number((stamp[2] ?? '').padEnd(9, '0')) };
  const age = durationSeconds(text.replace(/^-/, '').replace(/\s+ago$/, ''));
  if (age === undefined) return undefined;
  const whole = Math.floor(age);
  return { seconds: now.seconds - whole, nanoseconds: now.nanoseconds };
}

function parseCalendar(text: string): Time | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?$/i.exec(text);
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map((digits) => Number(digits ?? 0));
  if (!isDay(year, month, day) || hour > 23 || minute > 59 || second > 59) return undefined;
  const nanoseconds = Number((match[7] ?? '').padEnd(9, '0'));
  const zone = match[8];
  if (zone === undefined) return { seconds: localSeconds(year, month, day, hour, minute, second), nanoseconds };
  const offset = zoneSeconds(zone);
  if (offset === undefined) return undefined;
  return { seconds: dayNumber(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset, nanoseconds };
}

function localSeconds(year: number, month: number, day: number, hour: number, minute: number, second: number): number {
  const date = new Date(2000, month - 1, day, hour, minute, second);
  date.setFullYear(year, month - 1, day);
  date.setHours(hour, minute, second, 0);
  return date.getTime() / 1000;
}

function zoneSeconds(zone: string): number | undefined {
  if (zone.toUpperCase() === 'Z') return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(-2))];
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60);
}

function isDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const back = civilDate(dayNumber(year, month, day));
  return back.month === month && back.dayOfMonth === day;
}

/** Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms"). */
function dayNumber(year: number, month: number, dayOfMonth: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + dayOfMonth - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

/** The inverse of {@link dayNumber}, for any year. */
function civilDate(day: number): { year: number; month: number; dayOfMonth: number } {
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthIndex = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9;
  const dayOfMonth = dayOfYear - Math.floor((153 * monthIndex + 2) / 5) + 1;
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfMonth };
}

function formatYear(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, '0');
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
