import { wordAt } from './words.ts';

/**
 * A map from 32-byte names to small numbers for one thread: open addressing over copies of the first 16 bytes. Used for
 * the contents of packs and as the cache of recently met chunks, where a Map of hexadecimal strings would cost ten times as much.
 */
export class NameMap {
  #words: Int32Array;
  #values: Int32Array;
  #mask: number;
  #size = 0;

  constructor(expectedRows = 16) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, expectedRows * 1.5)));
    this.#words = new Int32Array(capacity * 4);
    this.#values = new Int32Array(capacity).fill(-1);
    this.#mask = capacity - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The number stored for the name at `names[offset…]`, or -1. */
  get(names: Uint8Array, offset: number): number {
    return this.#values[this.#slotOf(names, offset)]!;
  }

  /** Stores `value` (≥ 0); the first value of a name stays. */
  add(names: Uint8Array, offset: number, value: number): void {
    const slot = this.#slotOf(names, offset);
    if (this.#values[slot] !== -1) return;
    for (let word = 0; word < 4; word++) this.#words[slot * 4 + word] = wordAt(names, offset + 4 * word);
    this.#values[slot] = value;
    if (++this.#size > this.#values.length * 0.75) this.#grow();
  }

  #slotOf(names: Uint8Array, offset: number): number {
    const words = this.#words;
    const [a, b, c, d] = [wordAt(names, offset), wordAt(names, offset + 4), wordAt(names, offset + 8), wordAt(names, offset + 12)];
    let slot = a & this.#mask;
    while (this.#values[slot] !== -1) {
      const at = slot * 4;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return slot;
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }

  #grow(): void {
    const [words, values] = [this.#words, this.#values];
    const names = new Uint8Array(words.buffer);
    this.#words = new Int32Array(words.length * 2);
    this.#values = new Int32Array(values.length * 2).fill(-1);
    this.#mask = this.#values.length - 1;
    this.#size = 0;
    values.forEach((value, slot) => {
      if (value !== -1) this.add(names, slot * 16, value);
    });
  }
}
