import { createHash } from 'node:crypto';
import { Cron } from 'croner';
import { LaganError } from '../../repo-format/mod.ts';

export interface ScheduleOptions {
  /** Of the schedule's hours and days, `Europe/Berlin`; without it that of the system. */
  readonly timeZone?: string | undefined;
  /** Many that share a schedule need not begin at once: each begins by up to this much later, always by the same for the same `key`. */
  readonly spread?: { readonly key: string; readonly milliseconds: number } | undefined;
}

const hint =
  'give minute, hour, day, month and weekday, such as "30 2 * * *" for half past two, or @hourly, @daily, @weekly, @monthly, @yearly';

/** Reads a schedule of five fields, or a name such as `@daily`. Codes: usage, also if it never comes (30 February). `name`: of the option, for the message. */
export function parseSchedule(text: string, name: string, options: ScheduleOptions = {}): Schedule {
  const cron = cronOf(text, name, options.timeZone);
  if (cron.nextRun() === null) throw new LaganError('usage', `${name}: '${text}' never comes`, { found: text, hint });
  return new Schedule(cron, options.spread);
}

function cronOf(text: string, name: string, timeZone: string | undefined): Cron {
  const wrong = (reason: string, cause?: unknown) =>
    new LaganError('usage', `${name}: '${text}' is no schedule: ${reason}`, { cause, found: text, hint });
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5 && !text.trim().startsWith('@')) throw wrong(`it has ${text.trim() === '' ? 0 : fields.length} fields, not five`);
  try {
    return new Cron(fields.join(' '), { mode: '5-part', paused: true, ...(timeZone !== undefined && { timezone: timeZone }) });
  } catch (cause) {
    throw wrong((cause as Error).message.replace(/^CronPattern: /, ''), cause);
  }
}

/** When something is due. Made by {@link parseSchedule}. */
export class Schedule {
  readonly #cron: Cron;
  readonly #delayMs: number;

  constructor(cron: Cron, spread: ScheduleOptions['spread']) {
    this.#cron = cron;
    this.#delayMs = spread === undefined ? 0 : Math.floor(shareOf(spread.key) * spread.milliseconds);
  }

  /**
   * The first time after `afterMs`, in ms since 1970. Where clocks are put forward, what falls into the hour that is left out comes right after it; where they
   * are put back, what names one hour comes once.
   */
  nextMs(afterMs: number): number {
    const next = this.#cron.nextRun(new Date(afterMs - this.#delayMs));
    return next === null ? Number.POSITIVE_INFINITY : next.getTime() + this.#delayMs;
  }
}

/** From 0 to 1, the same for the same key. */
function shareOf(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE() / 2 ** 32;
}
