// Keyed BLAKE3 with 256 bits of output, written after the paper to be read, not to be fast.
//
// Source: "BLAKE3: one function, fast everywhere" (2021), sections 2.1 to 2.5.

const CHUNK_SIZE_BYTES = 1024;
const BLOCK_SIZE_BYTES = 64;
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;
const KEYED_HASH = 16;

const INITIAL = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a];
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
/** Columns, then diagonals: the four state words of each mixing of a round. */
const MIXINGS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];

/** What the compression of one block depends on besides the chaining value. */
interface Block {
  readonly words: ArrayLike<number>;
  readonly counter: number;
  readonly length: number;
  readonly flags: number;
}

/** The keyed hash of `input` (32 bytes) with a key of 32 bytes. */
export function keyedBlake3(key: Uint8Array, input: Uint8Array): Uint8Array {
  const keyWords = toWords(key).slice(0, 8);
  const chunkCount = Math.max(1, Math.ceil(input.length / CHUNK_SIZE_BYTES));
  return fromWords(subtree({ keyWords, input, first: 0, count: chunkCount, root: ROOT }));
}

interface Subtree {
  readonly keyWords: Uint32Array;
  readonly input: Uint8Array;
  /** Index of the first chunk. */
  readonly first: number;
  /** Number of chunks. */
  readonly count: number;
  /** ROOT or 0. */
  readonly root: number;
}

/** Chaining value of a subtree: its left half is the largest power of two of chunks that leaves something on the right. */
function subtree(tree: Subtree): Uint32Array {
  const { keyWords, first, count, root } = tree;
  if (count === 1) return chunk(tree);
  let leftCount = 1;
  while (leftCount * 2 < count) leftCount *= 2;
  const left = subtree({ ...tree, count: leftCount, root: 0 });
  const right = subtree({ ...tree, first: first + leftCount, count: count - leftCount, root: 0 });
  return compress(keyWords, { words: [...left, ...right], counter: 0, length: BLOCK_SIZE_BYTES, flags: KEYED_HASH | PARENT | root });
}

/** Chaining value of one chunk. */
function chunk({ keyWords, input, first, root }: Subtree): Uint32Array {
  const bytes = input.subarray(first * CHUNK_SIZE_BYTES, (first + 1) * CHUNK_SIZE_BYTES);
  const blockCount = Math.max(1, Math.ceil(bytes.length / BLOCK_SIZE_BYTES));
  let chaining = keyWords;
  for (let index = 0; index < blockCount; index++) {
    const block = bytes.subarray(index * BLOCK_SIZE_BYTES, (index + 1) * BLOCK_SIZE_BYTES);
    const flags = KEYED_HASH | (index === 0 ? CHUNK_START : 0) | (index === blockCount - 1 ? CHUNK_END | root : 0);
    chaining = compress(chaining, { words: toWords(block), counter: first, length: block.length, flags });
  }
  return chaining;
}

/** The compression function, cut to the eight words of a chaining value. */
function compress(chaining: Uint32Array, { words, counter, length, flags }: Block): Uint32Array {
  const state = Uint32Array.of(...chaining, ...INITIAL, counter, 0, length, flags);
  let message = Array.from(words);
  for (let round = 0; round < 7; round++) {
    for (const [index, places] of MIXINGS.entries()) mix(state, places, message.slice(2 * index, 2 * index + 2));
    message = PERMUTATION.map((place) => message[place]!);
  }
  return state.slice(0, 8).map((word, index) => word ^ state[index + 8]!);
}

function mix(state: Uint32Array, places: readonly number[], message: readonly number[]): void {
  const [a, b, c, d] = places as [number, number, number, number];
  const rotations = [
    [16, 12],
    [8, 7],
  ] as const;
  rotations.forEach(([first, second], half) => {
    state[a] = state[a]! + state[b]! + message[half]!;
    state[d] = rotate(state[d]! ^ state[a]!, first);
    state[c] = state[c]! + state[d]!;
    state[b] = rotate(state[b]! ^ state[c]!, second);
  });
}

function rotate(word: number, count: number): number {
  return (word >>> count) | (word << (32 - count));
}

/** Words of up to 64 bytes, little endian, padded with zeros to 16. */
function toWords(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(16);
  bytes.forEach((byte, index) => {
    words[index >> 2]! |= byte << (8 * (index & 3));
  });
  return words;
}

function fromWords(words: Uint32Array): Uint8Array {
  return Uint8Array.from({ length: 4 * words.length }, (_, index) => words[index >> 2]! >>> (8 * (index & 3)));
}
