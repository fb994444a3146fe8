/** Bytes and numbers that a seed determines: the same on every machine and in every run. */
import { createCipheriv, createHash } from 'node:crypto';

const blockBytes = 16;

/** The stream of AES-128 in counter mode under a key made from `seed`: as good as random, and as fast as the processor encrypts. */
export class Keystream {
  readonly #cipher;

  /** Starts at byte `offset`, a multiple of 16. */
  constructor(seed: string, offset = 0) {
    if (offset % blockBytes !== 0) throw new RangeError(`offset is ${offset}, not a multiple of ${blockBytes}`);
    const key = createHash('sha256').update(seed).digest().subarray(0, 16);
    this.#cipher = createCipheriv('aes-128-ctr', key, counter(BigInt(offset / blockBytes)));
  }

  next(sizeBytes: number): Buffer {
    return this.#cipher.update(Buffer.alloc(sizeBytes));
  }
}

/** Numbers from a {@link Keystream}. */
export class SeededNumbers {
  readonly #stream: Keystream;
  #words: Uint32Array = new Uint32Array(0);
  #position = 0;

  constructor(seed: string) {
    this.#stream = new Keystream(seed);
  }

  /** From 0 to `limit` − 1; the bias is below `limit` / 2³². */
  below(limit: number): number {
    if (this.#position === this.#words.length) this.#refill();
    return Math.floor((this.#words[this.#position++]! / 2 ** 32) * limit);
  }

  #refill(): void {
    const bytes = this.#stream.next(65_536);
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.#position = 0;
  }
}

/** `count` different numbers below `limit`, in ascending order. */
export function choose(count: number, limit: number, seed: string): number[] {
  if (count > limit) throw new RangeError(`cannot choose ${count} of ${limit}`);
  const numbers = new SeededNumbers(seed);
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(numbers.below(limit));
  return [...chosen].sort((a, b) => a - b);
}

function counter(block: bigint): Buffer {
  const bytes = Buffer.alloc(blockBytes);
  bytes.writeBigUInt64BE(block, 8);
  return bytes;
}
