import { wordAt } from '../names/mod.ts';

/** Words (32 bit) of a row: the first 16 bytes of the name, then the state word. */
const wordsPerRow = 5;
const stateWord = 4;
const empty = 0;
const busy = -1;

/** What {@link ChunkTable.claim} answers when the chunk is new and now belongs to the caller. */
export const claimed = -1;
/** What {@link ChunkTable.claim} answers when the table has no room left: a checkpoint must empty it. */
export const tableFull = -2;
/** What {@link ChunkTable.find} answers when the chunk was not written by this session. */
export const notFound = -3;

/**
 * The chunks that the running backup has written since its last checkpoint, shared by all threads, so that no chunk is
 * stored twice while it is in flight. An open-addressing hash table in shared memory: 20 bytes a row; the first 16 bytes of
 * a chunk's name (a keyed hash: 2^64 chunks before two are expected to collide) and the ordinal of its pack.
 *
 * A row is taken by compare-and-swap of its state word (empty → busy), then written, then published (busy → ordinal + 1);
 * who meets a busy row waits for the few instructions that the other thread needs.
 */
export class ChunkTable {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #rowMask: number;
  readonly #maximumRows: number;

  /** `capacityRows` must be a power of two; three quarters of it can be used. */
  constructor(source: SharedArrayBuffer | { readonly capacityRows: number }) {
    this.buffer = source instanceof SharedArrayBuffer ? source : new SharedArrayBuffer(4 + source.capacityRows * wordsPerRow * 4);
    this.#words = new Int32Array(this.buffer);
    const capacityRows = (this.#words.length - 1) / wordsPerRow;
    if ((capacityRows & (capacityRows - 1)) !== 0) throw new RangeError(`capacityRows: ${capacityRows} is no power of two`);
    this.#rowMask = capacityRows - 1;
    this.#maximumRows = Math.floor(capacityRows * 0.75);
  }

  /** Rows in use, all threads together. */
  get rows(): number {
    return Atomics.load(this.#words, this.#words.length - 1);
  }

  /** The pack ordinal of the chunk named at `names[offset…]`, or {@link notFound}. */
  find(names: Uint8Array, offset: number): number {
    const first = wordAt(names, offset);
    for (let row = first & this.#rowMask; ; row = (row + 1) & this.#rowMask) {
      const state = this.#settledState(row);
      if (state === empty) return notFound;
      if (this.#matches(row, names, offset, first)) return state - 1;
    }
  }

  /**
   * Claims the chunk for the pack `ordinal`: {@link claimed} if it is new, the ordinal of the pack that already has it, or
   * {@link tableFull}.
   */
  claim(names: Uint8Array, offset: number, ordinal: number): number {
    const words = this.#words;
    const first = wordAt(names, offset);
    for (let row = first & this.#rowMask; ; row = (row + 1) & this.#rowMask) {
      let state = this.#settledState(row);
      if (state === empty) {
        if (this.rows >= this.#maximumRows) return tableFull;
        if (Atomics.compareExchange(words, row * wordsPerRow + stateWord, empty, busy) === empty) {
          this.#publish(row, { names, offset, ordinal });
          return claimed;
        }
        state = this.#settledState(row);
      }
      if (this.#matches(row, names, offset, first)) return state - 1;
    }
  }

  /** Forgets every row. Only while no other thread uses the table: between checkpoints. */
  clear(): void {
    this.#words.fill(0);
  }

  #publish(row: number, { names, offset, ordinal }: { names: Uint8Array; offset: number; ordinal: number }): void {
    const base = row * wordsPerRow;
    for (let word = 0; word < stateWord; word++) this.#words[base + word] = wordAt(names, offset + 4 * word);
    Atomics.store(this.#words, base + stateWord, ordinal + 1);
    Atomics.add(this.#words, this.#words.length - 1, 1);
  }

  #settledState(row: number): number {
    let state: number;
    do state = Atomics.load(this.#words, row * wordsPerRow + stateWord);
    while (state === busy);
    return state;
  }

  #matches(row: number, names: Uint8Array, offset: number, first: number): boolean {
    const words = this.#words;
    const base = row * wordsPerRow;
    return (
      words[base] === first &&
      words[base + 1] === wordAt(names, offset + 4) &&
      words[base + 2] === wordAt(names, offset + 8) &&
      words[base + 3] === wordAt(names, offset + 12)
    );
  }
}
