import { setImmediate } from 'node:timers/promises';
import { LaganError } from '../../repo-format/mod.ts';

/** Throws `interrupted` if the signal was aborted. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LaganError('interrupted', 'interrupted', { cause: signal.reason });
}

/** Longest time without a look at timers, signals and streams. */
const sliceMs = 50;

/**
 * On a local disk every read is answered at once, so that a long loop of them never lets the thread do anything else. Await
 * {@link breathe} in it: now and then it lets the others have their turn, and it throws `interrupted`.
 */
export class Breather {
  readonly #signal: AbortSignal | undefined;
  #last = performance.now();

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** A promise only when it is time. */
  breathe(): Promise<void> | undefined {
    throwIfInterrupted(this.#signal);
    if (performance.now() - this.#last < sliceMs) return undefined;
    return this.#pause();
  }

  async #pause(): Promise<void> {
    await setImmediate();
    this.#last = performance.now();
    throwIfInterrupted(this.#signal);
  }
}
