import { wordAt } from '../names/mod.ts';

const wordsPerRow = 2;
/** Odd, so that different packs give different words. */
const ordinalFactor = 0x9e3779b1;

/**
 * Which chunks are in which packs, as 64 bits for each: two of a name's words, mixed with the ordinal of the pack. Names are keyed hashes, so that a chunk which is
 * not in the set looks as if it were once in 2^64 divided by the rows.
 */
export class ChunkSet {
  readonly #words: Int32Array;
  readonly #mask: number;
  #size = 0;

  constructor(expectedRows: number) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, expectedRows / 0.75)));
    this.#words = new Int32Array(capacity * wordsPerRow);
    this.#mask = capacity - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds the chunk named at `names[offset…]` in the pack `ordinal`; false if it was there. No more rows may be added than were expected. */
  add(names: Uint8Array, offset: number, ordinal: number): boolean {
    const first = firstWord(names, offset);
    const second = secondWord(names, offset, ordinal);
    const row = this.#rowOf(wordAt(names, offset + 8), first, second);
    if (this.#words[row * wordsPerRow] !== 0) return false;
    this.#words[row * wordsPerRow] = first;
    this.#words[row * wordsPerRow + 1] = second;
    this.#size++;
    return true;
  }

  has(names: Uint8Array, offset: number, ordinal: number): boolean {
    const row = this.#rowOf(wordAt(names, offset + 8), firstWord(names, offset), secondWord(names, offset, ordinal));
    return this.#words[row * wordsPerRow] !== 0;
  }

  /** Where the row is, or the free row where it belongs. */
  #rowOf(hash: number, first: number, second: number): number {
    const words = this.#words;
    let row = hash & this.#mask;
    for (;;) {
      const found = words[row * wordsPerRow];
      if (found === 0 || (found === first && words[row * wordsPerRow + 1] === second)) return row;
      row = (row + 1) & this.#mask;
    }
  }
}

/** Never zero: that marks a free row. */
function firstWord(names: Uint8Array, offset: number): number {
  return wordAt(names, offset) || 1;
}

function secondWord(names: Uint8Array, offset: number, ordinal: number): number {
  return wordAt(names, offset + 4) ^ Math.imul(ordinal + 1, ordinalFactor);
}
