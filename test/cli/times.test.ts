import t from 'tap';
import {
  compareTimes,
  dateOfTime,
  formatClock,
  formatDuration,
  formatExactTime,
  formatTime,
  parseDuration,
  parseTime,
  timeOfDate,
} from '../../bin/shared/times.ts';

const now = { seconds: 1_800_000_000, nanoseconds: 5 };

t.test('parseTime understands dates with a zone, stamps, ages and now', async (t) => {
  const times: [string, number, number][] = [
    ['2026-11-21T07:30:00Z', 1_795_246_200, 0],
    ['2026-11-21T07:30Z', 1_795_246_200, 0],
    ['2026-11-21T07:30:00.5+01:00', 1_795_242_600, 500_000_000],
    ['2026-11-21T07:30:00-0130', 1_795_251_600, 0],
    ['1969-12-31T23:59:59.25Z', -1, 250_000_000],
    ['0001-01-01T00:00:00Z', -62_135_596_800, 0],
    ['2024-02-29T00:00:00Z', 1_709_164_800, 0],
    ['@1795246200.25', 1_795_246_200, 250_000_000],
    ['@-5', -5, 0],
    ['now', now.seconds, 5],
    ['7d', now.seconds - 7 * 86_400, 5],
    ['-36h', now.seconds - 36 * 3600, 5],
    ['1h30min ago', now.seconds - 5400, 5],
  ];
  for (const [text, seconds, nanoseconds] of times) t.same(parseTime(text, '--time', now), { seconds, nanoseconds }, text);
});

t.test('parseTime takes a date without a zone as local', async (t) => {
  const expected = new Date(2026, 10, 21, 7, 30).getTime() / 1000;
  t.same(parseTime('2026-11-21 07:30', '--time', now), { seconds: expected, nanoseconds: 0 });
  t.same(parseTime('2026-11-21', '--time', now), { seconds: new Date(2026, 10, 21).getTime() / 1000, nanoseconds: 0 });
});

t.test('parseTime refuses impossible dates with code usage', async (t) => {
  const texts = [
    '',
    'yesterday',
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-04-31',
    '2026-11-21 24:00',
    '2026-11-21 07:60',
    '2026-11-21T07:30:61Z',
  ];
  for (const text of [
    ...texts,
    '21.11.2026',
    '2026-1-1',
    '2026-11-21T07:30:00+25:00',
    '@',
    '@1e5',
    '@99999999999999',
    '5x',
    '1100-02-29',
  ]) {
    t.throws(() => parseTime(text, '--time', now), { code: 'usage' }, text);
  }
});

t.test('parseDuration', async (t) => {
  t.equal(parseDuration('90s', '--for'), 90);
  t.equal(parseDuration('1h30min', '--for'), 5400);
  t.equal(parseDuration('2w', '--for'), 1_209_600);
  for (const text of ['', '5', '-5s', '5 parsecs', 's']) t.throws(() => parseDuration(text, '--for'), { code: 'usage' }, text);
});

t.test('formatExactTime is exact for any 64-bit second that is safe', async (t) => {
  const times: [number, number, string][] = [
    [0, 0, '1970-01-01T00:00:00.000000000Z'],
    [-1, 999_999_999, '1969-12-31T23:59:59.999999999Z'],
    [1_795_246_200, 123_456_789, '2026-11-21T07:30:00.123456789Z'],
    [4_294_967_296, 1, '2106-02-07T06:28:16.000000001Z'],
    [253_402_300_799, 0, '9999-12-31T23:59:59.000000000Z'],
    [253_402_300_800, 0, '+010000-01-01T00:00:00.000000000Z'],
    [-62_167_219_201, 0, '-000001-12-31T23:59:59.000000000Z'],
  ];
  for (const [seconds, nanoseconds, text] of times) t.equal(formatExactTime({ seconds, nanoseconds }), text);
  t.match(formatExactTime({ seconds: Number.MAX_SAFE_INTEGER, nanoseconds: 0 }), /^\+\d{9,}-\d\d-\d\dT/);
});

t.test('formatExactTime agrees with Date', async (t) => {
  for (let seconds = -70_000_000_000; seconds < 400_000_000_000; seconds += 7_654_321_987) {
    t.equal(
      formatExactTime({ seconds, nanoseconds: 0 }).replace('.000000000Z', ''),
      new Date(seconds * 1000).toISOString().replace('.000Z', ''),
    );
  }
});

t.test('formatTime is local, and does not fail for times beyond Date', async (t) => {
  t.equal(formatTime({ seconds: new Date(2026, 10, 21, 7, 5, 9).getTime() / 1000, nanoseconds: 0 }), '2026-11-21 07:05:09');
  t.match(formatTime({ seconds: 1e13, nanoseconds: 0 }), /^\+\d+-\d\d-\d\d \d\d:\d\d:\d\d$/);
});

t.test('formatDuration and formatClock', async (t) => {
  const texts: [number, string, string][] = [
    [850, '850 ms', '0:01'],
    [12_340, '12.3 s', '0:12'],
    [59_999, '1 min 00 s', '1:00'],
    [312_000, '5 min 12 s', '5:12'],
    [7_500_000, '2 h 05 min', '2:05:00'],
    [273_600_000, '3 d 4 h', '76:00:00'],
  ];
  for (const [durationMs, text, clock] of texts) {
    t.equal(formatDuration(durationMs), text);
    t.equal(formatClock(durationMs), clock);
  }
});

t.test('timeOfDate, dateOfTime and compareTimes', async (t) => {
  t.same(timeOfDate(new Date(-1)), { seconds: -1, nanoseconds: 999_000_000 });
  t.equal(dateOfTime({ seconds: -1, nanoseconds: 999_000_000 }).getTime(), -1);
  t.ok(compareTimes({ seconds: 1, nanoseconds: 2 }, { seconds: 1, nanoseconds: 3 }) < 0);
  t.ok(compareTimes({ seconds: 2, nanoseconds: 0 }, { seconds: 1, nanoseconds: 3 }) > 0);
});
