import t from 'tap';
import { Calendar, lengthBefore } from '../../../engine/retention/_calendar.ts';
import { parseKeepCount, parseKeepDuration, parseTimeZone } from '../../../engine/retention/mod.ts';
import { time } from './_samples.ts';

t.test('parseKeepCount: numbers from 1, and unlimited', async (t) => {
  t.equal(parseKeepCount('7', '--keep-last'), 7);
  t.equal(parseKeepCount('unlimited', '--keep-last'), Number.POSITIVE_INFINITY);
  for (const text of ['0', '-1', '1.5', '', 'all', '7d', '1000001', ' 7'])
    t.throws(() => parseKeepCount(text, '--keep-last'), { code: 'usage', found: text }, text);
});

t.test('parseKeepDuration: years, months, weeks, days, hours', async (t) => {
  const zero = { years: 0, months: 0, days: 0, hours: 0 };
  t.same(parseKeepDuration('2y5m7d3h', '-'), { years: 2, months: 5, days: 7, hours: 3 });
  t.same(parseKeepDuration('3h7d', '-'), { ...zero, days: 7, hours: 3 });
  t.same(parseKeepDuration('2w1d', '-'), { ...zero, days: 15 });
  for (const text of ['', '0d', '7', 'd', '7d7d', '1.5d', '7s', '7 d', '-7d', '7D', '12345678d'])
    t.throws(() => parseKeepDuration(text, '--keep-within'), { code: 'usage', found: text }, text);
});

t.test('parseTimeZone: those that the system knows', async (t) => {
  for (const zone of ['UTC', 'Europe/Berlin', '+05:30']) t.equal(parseTimeZone(zone, '--timezone'), zone);
  t.throws(() => parseTimeZone('Mars/Olympus', '--timezone'), { code: 'usage', found: 'Mars/Olympus' });
});

t.test('lengthBefore: months and years are as long as they are in the calendar', async (t) => {
  const days = (text: string, end: string) => Number(lengthBefore(time(end), parseKeepDuration(text, '-')) / 86_400_000_000_000n);
  t.equal(days('1m', '2026-03-15'), 28);
  t.equal(days('1m', '2026-03-31'), 31, 'to the last day of February');
  t.equal(days('1y', '2025-01-01'), 366);
  t.equal(days('1y1m1d', '2026-03-02'), 365 + 28 + 1);
  t.equal(lengthBefore(time('2026-01-01'), parseKeepDuration('5h', '-')), 5n * 3_600_000_000_000n);
  t.equal(lengthBefore({ seconds: -1, nanoseconds: 5 }, parseKeepDuration('1d', '-')), 86_400_000_000_000n);
});

t.test('Calendar: offsets with minutes and seconds, before and after 1970', async (t) => {
  const kathmandu = new Calendar('Asia/Kathmandu');
  t.not(kathmandu.periodOf(time('2026-01-01 00:14'), 'hourly'), kathmandu.periodOf(time('2026-01-01 00:15'), 'hourly'));
  t.equal(kathmandu.periodOf(time('2026-01-01 00:15'), 'hourly'), kathmandu.periodOf(time('2026-01-01 01:14'), 'hourly'));
  const utc = new Calendar('UTC');
  t.not(utc.periodOf(time('1969-12-31 23:59'), 'yearly'), utc.periodOf(time('1970-01-01'), 'yearly'));
  t.equal(utc.periodOf(time('1969-12-29'), 'weekly'), utc.periodOf(time('1970-01-04 23:59'), 'weekly'));
  t.not(utc.periodOf(time('1970-01-04'), 'weekly'), utc.periodOf(time('1970-01-05'), 'weekly'));
});
