/**
 * How fast this process may talk to a store. All threads of the process share the limits: each limit is one number in shared memory, the time until which
 * the line is taken by what was granted so far. Who wants to send puts its own time behind that by a compare-and-swap and waits until its turn.
 */
import { sleep } from './_retries.ts';
import type { TransferLimitsDescription, TransferRates } from './storage.ts';

const kinds = ['uploadBytesPerSecond', 'downloadBytesPerSecond', 'requestsPerSecond'] as const;
type Kind = (typeof kinds)[number];

const KiB = 1024;
/** What is sent between two looks at the limit. */
const largestPieceSizeBytes = 256 * KiB;
/** A piece takes no longer than this at the allowed rate, so that no connection seems dead. */
const pieceSeconds = 1 / 4;

export class TransferLimits {
  readonly #rates: TransferRates;
  /** Nanoseconds of the monotonic clock, in the order of {@link kinds}. */
  readonly #takenUntil: BigInt64Array<SharedArrayBuffer>;

  constructor(rates: TransferRates = {}, shared = new SharedArrayBuffer(kinds.length * BigInt64Array.BYTES_PER_ELEMENT)) {
    for (const kind of kinds) {
      const rate = rates[kind];
      if (rate !== undefined && !(rate > 0)) throw new RangeError(`${kind}: ${rate} is not a rate`);
    }
    this.#rates = rates;
    this.#takenUntil = new BigInt64Array(shared);
  }

  static fromDescription(description: TransferLimitsDescription): TransferLimits {
    return description === null ? new TransferLimits() : new TransferLimits(description.rates, description.shared);
  }

  describe(): TransferLimitsDescription {
    const isLimited = kinds.some((kind) => this.#rates[kind] !== undefined);
    return isLimited ? { rates: this.#rates, shared: this.#takenUntil.buffer } : null;
  }

  /** Bytes that should be sent at a time. */
  get uploadPieceSizeBytes(): number {
    const rate = this.#rates.uploadBytesPerSecond ?? Number.POSITIVE_INFINITY;
    return Math.ceil(Math.min(largestPieceSizeBytes, Math.max(rate * pieceSeconds, 1)));
  }

  /** Waits until `count` bytes may be sent. Code: interrupted. */
  upload(count: number, signal?: AbortSignal): Promise<void> {
    return this.#take('uploadBytesPerSecond', count, signal);
  }

  /** Waits after `count` bytes were received. Code: interrupted. */
  download(count: number, signal?: AbortSignal): Promise<void> {
    return this.#take('downloadBytesPerSecond', count, signal);
  }

  /** Waits until a request may be sent. Code: interrupted. */
  request(signal?: AbortSignal): Promise<void> {
    return this.#take('requestsPerSecond', 1, signal);
  }

  async #take(kind: Kind, count: number, signal: AbortSignal | undefined): Promise<void> {
    const rate = this.#rates[kind];
    if (rate === undefined || count === 0) return;
    const now = process.hrtime.bigint();
    const waitNs = this.#reserve(kinds.indexOf(kind), BigInt(Math.ceil((count / rate) * 1e9)), now);
    if (waitNs > 0n) await sleep(Number(waitNs) / 1e6, signal);
  }

  /** Takes the line for `durationNs`; returns how long it is until then. */
  #reserve(index: number, durationNs: bigint, now: bigint): bigint {
    for (;;) {
      const taken = Atomics.load(this.#takenUntil, index);
      const begin = taken > now ? taken : now;
      if (Atomics.compareExchange(this.#takenUntil, index, taken, begin + durationNs) === taken) return begin - now;
    }
  }
}
