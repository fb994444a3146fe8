/** Numbers and bytes that a seed determines. */
import { randomBytesOf } from '../engine/random.ts';

export class Random {
  #state: number;
  readonly #label: string;
  #drawn = 0;

  constructor(seed: number, label = '') {
    this.#label = `${seed} ${label}`;
    this.#state = new DataView(randomBytesOf(this.#label, 4).buffer).getUint32(0);
  }

  /** From 0 to below 1. */
  next(): number {
    // Mulberry32: a counter that is well mixed.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from `lowest` to `highest`. */
  integer(lowest: number, highest: number): number {
    return lowest + Math.floor(this.next() * (highest - lowest + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.next() * items.length)]!;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return randomBytesOf(`${this.#label} ${this.#drawn++}`, length);
  }
}
