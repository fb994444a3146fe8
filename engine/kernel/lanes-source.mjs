// Writes the AssemblyScript of the BLAKE3 compression in 4 and in 8 lanes; build.mjs compiles it with assembly/.
//
// Lane i of every vector belongs to the i-th of several independent inputs. The rounds are written out, since no loop and no permuted
// message keeps the sixteen state words in registers. What was measured (Zen 3, Node 26), and why the text is as it is:
//  - Two mixings are interleaved, operation by operation: V8 keeps the order of the code, and one mixing alone is a chain of dependencies.
//    (Optimizers that move definitions to their use undo this; build.mjs leaves them out.)
//  - a + m + b is summed in that order, because b is the word that is ready last.
//  - 4 lanes: rotations by 16 and 8 are one byte shuffle with a mask from memory. A constant mask is built anew by V8 at each use.
//  - 8 lanes are pairs of vectors. With --experimental-wasm-revectorize V8 fuses each pair to one of 256 bits. For that both halves must be
//    the same operation, rotations must be shifts, addresses must not be constants, of two adjacent stores the upper must come first, and
//    there must be no loop around the code. Without the flag 8 lanes are slower than 4.
//
// Source of the algorithm: "BLAKE3: one function, fast everywhere" (2021), sections 2.2 and 5.3.

const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const COLUMNS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
];
const DIAGONALS = [
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];
const INITIAL = ['INITIAL_0', 'INITIAL_1', 'INITIAL_2', 'INITIAL_3'];

/** The source of `compressFour` or `compressEight`, which take the address of the state and one of a block of 64 bytes for each lane. */
export function lanesSource(laneCount) {
  const halves = laneCount === 8 ? ['a', 'b'] : ['a'];
  const sources = Array.from({ length: laneCount }, (_, lane) => `source${lane}`);
  return [
    'import { INITIAL_0, INITIAL_1, INITIAL_2, INITIAL_3 } from "./blake3-constants";',
    laneCount === 8 ? ROTATIONS_BY_SHIFT : ROTATIONS_BY_SHUFFLE,
    `export function compress${laneCount === 8 ? 'Eight' : 'Four'}(state: usize, ${sources.map((name) => `${name}: usize`).join(', ')}): void {`,
    ...loadMessages(sources, halves),
    ...(laneCount === 8 ? [] : ['const mask16 = v128.load(ROTATE_16), mask8 = v128.load(ROTATE_8);']),
    ...loadState(halves),
    ...rounds(halves),
    ...storeState(halves),
    '}',
  ].join('\n');
}

const ROTATIONS_BY_SHIFT = [16, 12, 8, 7]
  .map(
    (count) => `// @ts-ignore: decorator
@inline function rotate${count}(x: v128): v128 { return v128.or(i32x4.shl(x, ${32 - count}), i32x4.shr_u(x, ${count})); }`,
  )
  .join('\n');

const ROTATIONS_BY_SHUFFLE = `
const ROTATE_16 = memory.data<u8>([2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13], 16);
const ROTATE_8 = memory.data<u8>([1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12], 16);
// @ts-ignore: decorator
@inline function rotate12(x: v128): v128 { return v128.or(i32x4.shl(x, 20), i32x4.shr_u(x, 12)); }
// @ts-ignore: decorator
@inline function rotate7(x: v128): v128 { return v128.or(i32x4.shl(x, 25), i32x4.shr_u(x, 7)); }`;

/** Loads one block of each lane and transposes four words at a time: m0a holds word 0 of lanes 0 to 3, m0b that of lanes 4 to 7. */
function loadMessages(sources, halves) {
  const lines = [];
  for (let group = 0; group < 4; group++) {
    const each = (text) => {
      for (const [index, half] of halves.entries()) lines.push(text(`${group}${half}`, sources.slice(4 * index, 4 * index + 4), half));
    };
    each((id, from) => ['w', 'x', 'y', 'z'].map((name, lane) => `const ${name}${id} = v128.load(${from[lane]}, ${16 * group});`).join(' '));
    each((id) => `const wxLow${id} = v128.shuffle<u32>(w${id}, x${id}, 0, 4, 1, 5);`);
    each((id) => `const yzLow${id} = v128.shuffle<u32>(y${id}, z${id}, 0, 4, 1, 5);`);
    each((id) => `const wxHigh${id} = v128.shuffle<u32>(w${id}, x${id}, 2, 6, 3, 7);`);
    each((id) => `const yzHigh${id} = v128.shuffle<u32>(y${id}, z${id}, 2, 6, 3, 7);`);
    each((id, _, half) => `const m${4 * group}${half} = v128.shuffle<u64>(wxLow${id}, yzLow${id}, 0, 2);`);
    each((id, _, half) => `const m${4 * group + 1}${half} = v128.shuffle<u64>(wxLow${id}, yzLow${id}, 1, 3);`);
    each((id, _, half) => `const m${4 * group + 2}${half} = v128.shuffle<u64>(wxHigh${id}, yzHigh${id}, 0, 2);`);
    each((id, _, half) => `const m${4 * group + 3}${half} = v128.shuffle<u64>(wxHigh${id}, yzHigh${id}, 1, 3);`);
  }
  return lines;
}

/** Rows of the state in memory: 0 to 7 chaining value, 8 counters, 9 lengths, 10 flags; a row is one word of all lanes. */
function rowOffset(row, halves, half) {
  return 16 * (row * halves.length + halves.indexOf(half));
}

function loadState(halves) {
  const from = (row) => (half) => `v128.load(state, ${rowOffset(row, halves, half)})`;
  const rows = [0, 1, 2, 3, 4, 5, 6, 7].map(from);
  rows.push(...INITIAL.map((name) => () => `i32x4.splat(${name})`), from(8), () => 'i32x4.splat(0)', from(9), from(10));
  return rows.flatMap((value, word) => halves.map((half) => `let v${word}${half} = ${value(half)};`));
}

function rounds(halves) {
  const lines = [];
  let words = Array.from({ length: 16 }, (_, index) => index);
  for (let round = 0; round < 7; round++) {
    [COLUMNS, DIAGONALS].forEach((mixings, layer) => {
      for (const second of [0, 1]) {
        const places = mixings.map((_, index) => words[8 * layer + 2 * index + second]);
        lines.push(...interleave([0, 1], mixings, places, halves, second), ...interleave([2, 3], mixings, places, halves, second));
      }
    });
    words = PERMUTATION.map((place) => words[place]);
  }
  return lines;
}

/** Half a mixing of each of the columns or diagonals in `indexes`, operation by operation. */
function interleave(indexes, mixings, places, halves, second) {
  const sequences = indexes.flatMap((index) =>
    halves.map((half) => {
      const [a, b, c, d] = mixings[index].map((word) => `v${word}${half}`);
      const turned = halves.length === 2 ? `rotate${second ? 8 : 16}(${d})` : `i8x16.relaxed_swizzle(${d}, mask${second ? 8 : 16})`;
      return [
        `${a} = i32x4.add(i32x4.add(${a}, m${places[index]}${half}), ${b});`,
        `${d} = v128.xor(${d}, ${a});`,
        `${d} = ${turned};`,
        `${c} = i32x4.add(${c}, ${d});`,
        `${b} = v128.xor(${b}, ${c});`,
        `${b} = rotate${second ? 7 : 12}(${b});`,
      ];
    }),
  );
  return sequences[0].map((_, step) => sequences.map((sequence) => sequence[step]).join(' '));
}

function storeState(halves) {
  const upperFirst = [...halves].reverse();
  return [0, 1, 2, 3, 4, 5, 6, 7].flatMap((row) =>
    upperFirst.map((half) => `v128.store(state, v128.xor(v${row}${half}, v${row + 8}${half}), ${rowOffset(row, halves, half)});`),
  );
}
