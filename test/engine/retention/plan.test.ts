import t from 'tap';
import { parseKeepCount, parseKeepDuration, periods, type RetentionPolicy } from '../../../engine/retention/mod.ts';
import { recordedChoices, recordedTimes } from './_recorded.ts';
import { idOf, keptOf, planOf, snapshotAt, time } from './_samples.ts';

const all = Number.POSITIVE_INFINITY;
const duration = (text: string) => parseKeepDuration(text, 'test');
const numbersOf = (kept: readonly string[]) => kept.map((line) => Number.parseInt(line, 10));

/** Restic's own example: a backup on each of twelve Sundays. */
const sundays = [
  '2019-09-01',
  '2019-09-08',
  '2019-09-15',
  '2019-09-22',
  '2019-09-29',
  '2019-10-06',
  '2019-10-13',
  '2019-10-20',
  '2019-10-27',
  '2019-11-03',
  '2019-11-10',
  '2019-11-17',
].map((day, index) => snapshotAt(index, `${day} 11:00`));

t.test('planRetention: what the documentation of restic says of its example', async (t) => {
  const cases: [RetentionPolicy, number[]][] = [
    [{ counts: { daily: 4 } }, [8, 9, 10, 11]],
    [{ last: 2 }, [10, 11]],
    [{ counts: { weekly: 3 } }, [9, 10, 11]],
    // The newest of each of the last two months that have any: 27 October and 17 November.
    [{ counts: { monthly: 2 } }, [8, 11]],
    // Three months are there and four allowed: the oldest stays, too.
    [{ counts: { monthly: 4 } }, [0, 4, 8, 11]],
    [{ counts: { yearly: 1 } }, [11]],
    [{ counts: { yearly: 5 } }, [0, 11]],
    [{ counts: { quarterly: 1 } }, [11]],
    [{ counts: { quarterly: 2 } }, [4, 11]],
    [{ counts: { hourly: all } }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
    [{ last: 1, counts: { monthly: 2 } }, [8, 11]],
    [{ within: duration('15d') }, [9, 10, 11]],
    [{ within: duration('1m') }, [7, 8, 9, 10, 11]],
    [{ withinCounts: { monthly: duration('2m') } }, [4, 8, 11]],
    [{ withinCounts: { weekly: duration('21d1h') } }, [8, 9, 10, 11]],
  ];
  for (const [policy, expected] of cases) t.same(numbersOf(keptOf(planOf(sundays, policy))), expected, JSON.stringify(policy));
});

/** Of `--keep-daily 7 --keep-within 1m`. */
function policyOf(text: string): RetentionPolicy {
  const options = new Map([...text.matchAll(/--keep-(\S+) (\S+)/g)].map(([, name, value]) => [name!, value!]));
  const take = <Value>(name: string, parse: (text: string, name: string) => Value) =>
    options.has(name) ? parse(options.get(name)!, name) : undefined;
  return {
    last: take('last', parseKeepCount),
    within: take('within', parseKeepDuration),
    counts: Object.fromEntries(periods.map((period) => [period, take(period, parseKeepCount)])),
    withinCounts: Object.fromEntries(periods.map((period) => [period, take(`within-${period}`, parseKeepDuration)])),
  };
}

t.test('planRetention: what restic itself keeps of snapshots at odd distances', async (t) => {
  const snapshots = recordedTimes.map((when, index) => snapshotAt(index, exactTime(when)));
  for (const [policy, expected] of recordedChoices) t.same(numbersOf(keptOf(planOf(snapshots, policyOf(policy)))), expected, policy);
});

/** With seconds. */
function exactTime(text: string): { seconds: number; nanoseconds: number } {
  return { seconds: Date.parse(`${text.replace(' ', 'T')}Z`) / 1000, nanoseconds: 0 };
}

t.test('planRetention: the reasons, snapshot by snapshot', async (t) => {
  const plan = planOf(sundays.slice(-3), { last: 1, counts: { daily: 2, monthly: 3 } });
  t.same(keptOf(plan), ['9: oldest monthly 2', '10: daily 2', '11: last 1, daily 1, monthly 1']);
});

t.test('planRetention: only the newest of a period, and periods without a snapshot do not count', async (t) => {
  const snapshots = [
    snapshotAt(1, '2026-01-01 10:00'),
    snapshotAt(2, '2026-01-01 23:59'),
    snapshotAt(3, '2026-02-10 00:00'),
    snapshotAt(4, '2026-02-10 00:59'),
    snapshotAt(5, '2026-02-10 01:00'),
  ];
  t.same(keptOf(planOf(snapshots, { counts: { daily: 2 } })), ['2: daily 2', '5: daily 1']);
  t.same(keptOf(planOf(snapshots, { counts: { daily: 3 } })), ['1: oldest daily 3', '2: daily 2', '5: daily 1']);
  t.same(keptOf(planOf(snapshots, { counts: { hourly: 2 } })), ['4: hourly 2', '5: hourly 1']);
});

t.test('planRetention: weeks begin on Monday, quarters in January, April, July, October', async (t) => {
  const days = ['2026-03-29', '2026-03-30', '2026-04-05', '2026-04-06'].map((day, index) => snapshotAt(index, day));
  t.same(numbersOf(keptOf(planOf(days, { counts: { weekly: 3 } }))), [0, 2, 3]);
  const ends = ['2025-12-31', '2026-01-01', '2026-03-31', '2026-04-01'].map((day, index) => snapshotAt(index, day));
  t.same(numbersOf(keptOf(planOf(ends, { counts: { quarterly: 3 } }))), [0, 2, 3]);
});

t.test('planRetention: days are those of the time zone; an hour that comes twice is two', async (t) => {
  const snapshots = [snapshotAt(1, '2026-01-01 22:30'), snapshotAt(2, '2026-01-01 23:30')];
  t.same(numbersOf(keptOf(planOf([...snapshots, snapshotAt(3, '2026-01-02 00:30')], { counts: { daily: 2 } }))), [2, 3]);
  const inBerlin = planOf([...snapshots, snapshotAt(3, '2026-01-02 00:30')], { counts: { daily: 2 } }, { timeZone: 'Europe/Berlin' });
  t.same(numbersOf(keptOf(inBerlin)), [1, 3]);
  // 02:30 in summer time and 02:30 in winter time.
  const night = [snapshotAt(0, '2025-10-25 23:30'), snapshotAt(1, '2025-10-26 00:30'), snapshotAt(2, '2025-10-26 01:30')];
  t.same(numbersOf(keptOf(planOf(night, { counts: { hourly: 2 } }, { timeZone: 'Europe/Berlin' }))), [1, 2]);
});

t.test('planRetention: tags: all of one list', async (t) => {
  const snapshots = [
    snapshotAt(1, '2026-01-01', { tags: ['a'] }),
    snapshotAt(2, '2026-01-02', { tags: ['b', 'a'] }),
    snapshotAt(3, '2026-01-03', { tags: ['c'] }),
    snapshotAt(4, '2026-01-04'),
  ];
  t.same(keptOf(planOf(snapshots, { tags: [['a', 'b'], ['c']] })), ['2: tag', '3: tag', '4: last-good']);
});

t.test('planRetention: held snapshots stay, and take their places as others do', async (t) => {
  const held = new Map([[idOf(0), null]]);
  t.same(keptOf(planOf(sundays, { last: 2 }, { held })), ['0: held', '10: last 2', '11: last 1']);
  t.match(planOf(sundays, { last: 2 }, { held: new Map([[idOf(0), time('2027-01-01')]]) }), [
    { snapshots: [{ reasons: [{ rule: 'held', until: time('2027-01-01') }] }] },
  ]);
});

t.test('planRetention: a date in the future is kept and counts for nothing', async (t) => {
  const future = snapshotAt(99, '2036-01-01');
  const now = time('2019-12-01');
  for (const policy of [{ last: 2 }, { counts: { daily: 2 } }, { within: duration('8d') }])
    t.same(numbersOf(keptOf(planOf([...sundays, future], policy, { now }))), [10, 11, 99], JSON.stringify(policy));
  // The clock of whoever forgets stands at 1970: nothing goes.
  t.equal(keptOf(planOf(sundays, { last: 1 }, { now: time('1970-01-01') })).length, 12);
});

t.test('planRetention: within counts from the newest snapshot, not from now', async (t) => {
  t.same(numbersOf(keptOf(planOf(sundays, { within: duration('8d') }, { now: time('2036-01-01') }))), [10, 11]);
});

t.test('planRetention: a backup made while the clock had jumped ahead does not make all others too old', async (t) => {
  const daily = Array.from({ length: 20 }, (_, index) => snapshotAt(index, `2026-01-${String(index + 1).padStart(2, '0')} 03:00`));
  const jumped = [snapshotAt(50, '2036-01-01'), snapshotAt(51, '2036-01-02')];
  // The jump counts as half of ten days, the day after it as one: four days of those before are left.
  const kept = planOf([...daily, ...jumped], { within: duration('10d') }, { now: time('2036-01-03') });
  t.same(numbersOf(keptOf(kept)), [16, 17, 18, 19, 50, 51]);
  t.same(keptOf(planOf([...daily, jumped[0]!], { withinCounts: { monthly: duration('10d') } })), [
    '19: within-monthly 2 paused',
    '50: within-monthly 1',
  ]);
  t.same(numbersOf(keptOf(planOf(daily, { within: duration('10d') }))), [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
});

t.test('planRetention: a snapshot dated before the one that it was compared with is kept and counts for nothing', async (t) => {
  const snapshots = [
    ...sundays,
    snapshotAt(20, '1970-01-02', { parent: idOf(11) }),
    // Dated after its parent, which is dated before its own.
    snapshotAt(21, '1970-01-03', { parent: idOf(20) }),
    snapshotAt(22, '1970-01-04', { parent: idOf(777) }),
  ];
  t.same(keptOf(planOf(snapshots, { last: 1 })), ['20: wrong-clock', '21: wrong-clock', '11: last 1']);
  // A parent that is dated in the future proves nothing.
  const future = snapshotAt(30, '2036-01-01');
  const after = snapshotAt(31, '2019-11-20', { parent: future.id });
  t.same(keptOf(planOf([...sundays, future, after], { last: 1 }, { now: time('2020-01-01') })), ['31: last 1', '30: future']);
});

t.test('planRetention: parents in a circle, as no honest writer makes them, end', async (t) => {
  const circle = [snapshotAt(1, '2026-01-02', { parent: idOf(2) }), snapshotAt(2, '2026-01-01', { parent: idOf(1) })];
  t.equal(planOf(circle, { last: 1 })[0]?.snapshots.length, 2);
});

t.test('planRetention: partial snapshots take no place from whole ones', async (t) => {
  const snapshots = [
    snapshotAt(1, '2026-01-01'),
    snapshotAt(2, '2026-01-02'),
    snapshotAt(3, '2026-01-03', { partial: true }),
    snapshotAt(4, '2026-01-04', { partial: true }),
  ];
  t.same(keptOf(planOf(snapshots, { last: 2 })), ['1: last 2', '2: last 1', '4: newest']);
  t.same(keptOf(planOf(snapshots, { within: duration('1d1h') })), ['2: last-good', '3: within', '4: within']);
  t.same(keptOf(planOf(snapshots, { within: duration('1h') })), ['2: last-good', '3: within paused', '4: within']);
});

t.test('planRetention: the last good snapshot of every source stays', async (t) => {
  const bad = { errors: 3 };
  const snapshots = [
    snapshotAt(1, '2026-01-01'),
    snapshotAt(2, '2026-01-02'),
    snapshotAt(3, '2026-01-03', bad),
    snapshotAt(4, '2026-01-04', bad),
    snapshotAt(5, '2020-01-01', { host: 'db1', source: 'db1:/srv' }),
    snapshotAt(6, '2020-01-02', { host: 'db1', source: 'db1:/srv', partial: true }),
    snapshotAt(7, '2019-01-02', { host: 'old', source: 'old:/srv', ...bad }),
    snapshotAt(8, '2019-01-01', { host: 'old', source: 'old:/srv', ...bad }),
  ];
  t.same(keptOf(planOf(snapshots, { last: 1 })), ['7: last-good', '5: last-good', '6: newest', '2: last-good', '4: last 1']);
});

t.test('planRetention: groups', async (t) => {
  const snapshots = [
    snapshotAt(1, '2026-01-01', { tags: ['b', 'a'] }),
    snapshotAt(2, '2026-01-02', { tags: ['a', 'b'] }),
    snapshotAt(3, '2026-01-03', { host: 'db1', source: 's3' }),
    snapshotAt(4, '2026-01-04', { paths: [Buffer.from('/b'), Buffer.from('/a')], source: 's4' }),
    snapshotAt(5, '2026-01-05', { paths: [Buffer.from('/a'), Buffer.from('/b')], source: 's4' }),
  ];
  const policy = { last: 1 };
  t.same(numbersOf(keptOf(planOf(snapshots, policy, { groupBy: undefined }))), [3, 5, 2]);
  t.match(planOf(snapshots, policy, { groupBy: ['tags'] }), [{ values: { tags: ['a', 'b'] } }, { values: { tags: [] } }]);
  t.match(planOf(snapshots, policy, { groupBy: ['host'] }), [{ values: { host: 'db1' } }, { values: { host: 'web1' } }]);
  t.same(planOf(snapshots, policy, { groupBy: ['paths'] })[0]?.values, { paths: [Buffer.from('/a'), Buffer.from('/b')] });
});

t.test('planRetention: without a rule nothing is decided', async (t) => {
  t.throws(() => planOf(sundays, {}), { code: 'usage' });
  t.throws(() => planOf(sundays, { counts: { daily: undefined }, tags: [] }), { code: 'usage' });
  t.same(planOf([], { last: 1 }), []);
});

t.test('planRetention: times that no calendar has, and durations longer than all time', async (t) => {
  const ancient = [-(2 ** 53 - 1), -8.7e12, 0].map((seconds, index) => snapshotAt(index, { seconds, nanoseconds: 999_999_999 }));
  t.same(numbersOf(keptOf(planOf(ancient, { counts: { yearly: all } }))), [0, 1, 2]);
  t.same(numbersOf(keptOf(planOf(ancient, { within: duration('9999999y') }))), [0, 1, 2]);
  t.same(numbersOf(keptOf(planOf(ancient, { within: duration('1h') }))), [1, 2]);
});
