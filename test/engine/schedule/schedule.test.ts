import t from 'tap';
import { parseSchedule, repeat, type TaskClock, type TaskOutcome } from '../../../engine/schedule/mod.ts';

const minute = 60_000;
const hour = 60 * minute;

function timesOf(text: string, from: string, count: number, timeZone?: string): string[] {
  const schedule = parseSchedule(text, '--schedule', { timeZone });
  const times: number[] = [];
  for (let after = Date.parse(from); times.length < count; after = times.at(-1)!) times.push(schedule.nextMs(after));
  return times.map((time) => new Date(time).toISOString().slice(0, 16));
}

t.test('parseSchedule: five fields and names, in a time zone', async (t) => {
  t.same(timesOf('30 2 * * *', '2026-05-01T12:00Z', 2, 'Europe/Berlin'), ['2026-05-02T00:30', '2026-05-03T00:30']);
  t.same(timesOf('@hourly', '2026-05-01T12:10Z', 2, 'UTC'), ['2026-05-01T13:00', '2026-05-01T14:00']);
  t.same(timesOf('0 3 * * sun', '2026-05-01T00:00Z', 2, 'UTC'), ['2026-05-03T03:00', '2026-05-10T03:00']);
});

t.test('Schedule: an hour that is left out comes right after, one that comes twice counts once', async (t) => {
  const spring = timesOf('30 2 * * *', '2026-03-28T12:00Z', 2, 'Europe/Berlin');
  t.same(spring, ['2026-03-29T01:00', '2026-03-30T00:30']);
  const autumn = timesOf('30 2 * * *', '2026-10-24T12:00Z', 2, 'Europe/Berlin');
  t.same(autumn, ['2026-10-25T00:30', '2026-10-26T01:30']);
});

t.test('parseSchedule: what is none, or never comes, is refused by name', async (t) => {
  for (const text of ['', 'x', '0 2 * *', '61 * * * *', '0 0 2 * * *', '@reboot', '0 2 30 2 *'])
    t.throws(() => parseSchedule(text, '--schedule'), { code: 'usage', hint: /minute, hour, day/, message: /^--schedule: / }, text);
});

t.test('Schedule: a spread delays each by its own share, always the same, and less than all of it', async (t) => {
  const delays = Array.from({ length: 50 }, (_, key) => {
    const schedule = parseSchedule('@hourly', '--schedule', { timeZone: 'UTC', spread: { key: `${key}`, milliseconds: 10 * minute } });
    const [first, second] = [schedule.nextMs(5 * hour - 1), schedule.nextMs(5 * hour + 15 * minute)];
    t.equal(second - first, hour);
    return first - 5 * hour;
  });
  t.ok(delays.every((delay) => delay >= 0 && delay < 10 * minute));
  t.ok(new Set(delays).size > 40);
});

/** Time passes when somebody sleeps, and when the test says so. */
class FakeClock implements TaskClock {
  time = 5 * hour;
  readonly slept: number[] = [];

  now(): number {
    return this.time;
  }

  async sleep(milliseconds: number): Promise<void> {
    this.slept.push(milliseconds);
    this.time += milliseconds;
  }
}

/** What `@hourly` does until it was done `count` times: when it began each time, and until when it waited. Times in hours. */
async function run(clock: FakeClock, options: { lastMs: number | null; count: number; task?: (call: number) => TaskOutcome }) {
  const controller = new AbortController();
  const began: number[] = [];
  const waits: { until: number; failures: number }[] = [];
  const task = async () => {
    began.push(clock.time / hour);
    if (began.length === options.count) controller.abort();
    return options.task?.(began.length) ?? 'done';
  };
  const onWait = (until: number, failures: number) => waits.push({ until: until / hour, failures });
  const schedule = parseSchedule('@hourly', '--schedule', { timeZone: 'UTC' });
  await repeat(task, { schedule, lastMs: options.lastMs, signal: controller.signal, clock, onWait });
  return { began, waits };
}

t.test('repeat: waits until it is due, and again', async (t) => {
  const clock = new FakeClock();
  const { began, waits } = await run(clock, { lastMs: null, count: 2 });
  t.same(began, [6, 7]);
  t.same(waits, [
    { until: 6, failures: 0 },
    { until: 7, failures: 0 },
  ]);
  t.ok(
    clock.slept.every((milliseconds) => milliseconds <= 30_000),
    'the clock is looked at often',
  );
});

t.test('repeat: what came due while nobody was there is done once, at once', async (t) => {
  const clock = new FakeClock();
  clock.time = 5.5 * hour;
  t.same((await run(clock, { lastMs: 1.25 * hour, count: 2 })).began, [5.5, 6]);
});

t.test('repeat: what comes due while it is done is left out', async (t) => {
  const clock = new FakeClock();
  const task = (call: number) => {
    if (call === 1) clock.time += 2.5 * hour;
    return 'done' as const;
  };
  t.same((await run(clock, { lastMs: null, count: 2, task })).began, [6, 9]);
});

t.test('repeat: a machine that slept does it as soon as it wakes up, once', async (t) => {
  const clock = new FakeClock();
  const sleep = clock.sleep.bind(clock);
  clock.sleep = async (milliseconds) => {
    await sleep(milliseconds);
    if (clock.slept.length === 10) clock.time += 4.2 * hour;
  };
  const { began } = await run(clock, { lastMs: null, count: 2 });
  t.ok(began[0]! > 9 && began[0]! < 9.5);
  t.equal(began[1], 10);
});

t.test('repeat: what fails is tried again, after longer and longer pauses, and when it is due', async (t) => {
  const clock = new FakeClock();
  const { began, waits } = await run(clock, { lastMs: null, count: 9, task: (call) => (call < 8 ? 'failed' : 'done') });
  const minutes = began.map((time) => Math.round((time - 6) * 60));
  t.same(minutes, [0, 1, 3, 7, 15, 31, 60, 90, 120]);
  t.same(
    waits.map(({ failures }) => failures),
    [0, 1, 2, 3, 4, 5, 6, 7, 0],
  );
});

t.test('repeat: neither a last time in the future nor a clock that is set back keeps it from being done', async (t) => {
  const clock = new FakeClock();
  t.same((await run(clock, { lastMs: 5000 * hour, count: 2 })).began, [6, 7]);
  const sleep = clock.sleep.bind(clock);
  clock.sleep = async (milliseconds) => {
    await sleep(milliseconds);
    if (clock.slept.length === 300) clock.time -= 100 * hour;
  };
  const { began } = await run(clock, { lastMs: null, count: 2 });
  t.ok(began[0]! < 0 && began[1]! - began[0]! === 1, `${began}`);
});

t.test('repeat: ends when it is told to, also while it waits; a task that rejects ends it', async (t) => {
  const controller = new AbortController();
  const schedule = parseSchedule('@yearly', '--schedule');
  setTimeout(() => controller.abort(), 20);
  const notDue = async () => {
    t.fail('not due');
    return 'done' as const;
  };
  await repeat(notDue, { schedule, lastMs: null, signal: controller.signal });
  const rejecting = () => Promise.reject(new Error('no'));
  await t.rejects(repeat(rejecting, { schedule, lastMs: 0, signal: new AbortController().signal }), { message: 'no' });
});
