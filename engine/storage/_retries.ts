/** Trying again what failed by bad luck: with growing pauses, a part of them random, and a budget that keeps a store in trouble from being flooded. */
import { setTimeout } from 'node:timers/promises';
import { throwIfInterrupted } from './_names.ts';
import { storageLimits } from './limits.ts';

/** `never`: the same will happen again. `later`: after a pause. `slower`: the store asks for fewer requests. */
export type Verdict = 'never' | 'later' | 'slower';

export interface RetryOptions {
  /** How often a call is tried at most. */
  readonly attempts?: number | undefined;
  /** Pause before the second attempt; each further one is twice as long. */
  readonly firstPauseMs?: number | undefined;
  readonly longestPauseMs?: number | undefined;
  /** Attempts beyond the first that all calls of one storage may make together; each success gives one back. */
  readonly budget?: number | undefined;
}

export interface RetriedCall {
  /** What an error means for trying again. */
  readonly judge: (error: unknown, attempt: number) => Verdict;
  /** How long the store asked to wait, if it did. */
  readonly pauseAsked?: ((error: unknown) => number | undefined) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class Retries {
  readonly #options: Required<{ [Name in keyof RetryOptions]: number }>;
  #left: number;

  constructor({ attempts, firstPauseMs, longestPauseMs, budget }: RetryOptions = {}) {
    const { retries } = storageLimits;
    this.#options = {
      attempts: attempts ?? retries.attempts,
      firstPauseMs: firstPauseMs ?? retries.firstPauseMs,
      longestPauseMs: longestPauseMs ?? retries.longestPauseMs,
      budget: budget ?? retries.budget,
    };
    this.#left = this.#options.budget;
  }

  /** The result of the first attempt that succeeds, or the error of the last one. `attempt` is given its number, from 1. */
  async run<Result>(attempt: (number: number) => Promise<Result>, { judge, pauseAsked, signal }: RetriedCall): Promise<Result> {
    for (let number = 1; ; number++) {
      throwIfInterrupted(signal);
      try {
        const result = await attempt(number);
        this.#left = Math.min(this.#left + 1, this.#options.budget);
        return result;
      } catch (error) {
        throwIfInterrupted(signal);
        const verdict = judge(error, number);
        if (verdict === 'never' || number >= this.#options.attempts || this.#left < 1) throw error;
        this.#left--;
        await sleep(pauseAsked?.(error) ?? this.#pauseMs(number, verdict), signal);
      }
    }
  }

  /** Half of it is random, so that many clients do not come back at once. */
  #pauseMs(number: number, verdict: Verdict): number {
    const { firstPauseMs, longestPauseMs } = this.#options;
    const doublings = number - 1 + (verdict === 'slower' ? 2 : 0);
    return Math.min(longestPauseMs, firstPauseMs * 2 ** doublings) * (0.5 + Math.random() / 2);
  }
}

/** Waits. Code: interrupted, at once when `signal` is aborted. */
export async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(milliseconds, undefined, { signal });
  } catch (error) {
    throwIfInterrupted(signal);
    throw error;
  }
}

/** The result of a promise; `interrupted` at once when `signal` is aborted, whatever becomes of the promise then. */
export async function untilAborted<Result>(promise: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return promise;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    throwIfInterrupted(signal);
    return await Promise.race([promise, aborted]);
  } catch (error) {
    throwIfInterrupted(signal);
    throw error;
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
    promise.catch(() => undefined);
  }
}
