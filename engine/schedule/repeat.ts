import { setTimeout } from 'node:timers/promises';
import type { Schedule } from './schedule.ts';

/** The time, and waiting for it. */
export interface TaskClock {
  /** In ms since 1970. */
  now(): number;
  /** Resolves so much later, or when the signal is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: TaskClock = {
  now: () => Date.now(),
  sleep: async (milliseconds, signal) => {
    await setTimeout(milliseconds, undefined, { signal }).catch((error: Error) => {
      if (!signal.aborted) throw error;
    });
  },
};

/** What became of a task; what has failed is tried again before it is due again. */
export type TaskOutcome = 'done' | 'failed';

export interface RepeatOptions {
  readonly schedule: Schedule;
  /** When it was last begun, in ms since 1970, as far as anybody remembers: if it has come due since, it is done at once. Null: never, it waits until it is due. */
  readonly lastMs: number | null;
  readonly signal: AbortSignal;
  /** Told whenever it has to wait: until when, in ms since 1970, and after how many failures in a row. */
  readonly onWait?: (untilMs: number, failures: number) => void;
  readonly clock?: TaskClock;
}

/** Timers do not count while a machine sleeps, and clocks are set: the time is looked at so often. */
const longestSleepMs = 30_000;
const [firstRetryMs, longestRetryMs] = [60_000, 30 * 60_000];

/**
 * Does something whenever its schedule says so, until the signal is aborted. Never twice at the same time: what comes due while it is being done is left out. What came due
 * while nobody was there (the program did not run, the machine slept) is done once, at once. What has failed is tried again after a minute, two, four, up to half an hour.
 * Rejects if the task does.
 */
export async function repeat(task: () => Promise<TaskOutcome>, options: RepeatOptions): Promise<void> {
  const { schedule, signal, onWait, clock = systemClock } = options;
  let [failures, afterMs] = [0, options.lastMs ?? clock.now()];
  while (!signal.aborted) {
    // Clocks are set back, and what is dated in the future keeps nothing from being done.
    afterMs = Math.min(afterMs, clock.now());
    const dueMs = schedule.nextMs(afterMs);
    const untilMs = failures === 0 ? dueMs : Math.min(dueMs, afterMs + retryMs(failures));
    if (untilMs > clock.now()) onWait?.(untilMs, failures);
    if (!(await sleepUntil(untilMs, clock, signal))) continue;
    if (signal.aborted) return;
    failures = (await task()) === 'failed' ? failures + 1 : 0;
    afterMs = clock.now();
  }
}

function retryMs(failures: number): number {
  return Math.min(firstRetryMs * 2 ** (failures - 1), longestRetryMs);
}

/** False if the clock was set back meanwhile. */
async function sleepUntil(timeMs: number, clock: TaskClock, signal: AbortSignal): Promise<boolean> {
  for (let nowMs = clock.now(); !signal.aborted && nowMs < timeMs; ) {
    const beforeMs = nowMs;
    await clock.sleep(Math.min(timeMs - nowMs, longestSleepMs), signal);
    nowMs = clock.now();
    if (nowMs < beforeMs) return false;
  }
  return true;
}
