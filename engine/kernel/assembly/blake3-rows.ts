// Compression of BLAKE3 for a single stream: the four rows of the state are four vectors.
//
// Source: "BLAKE3: one function, fast everywhere" (2021), sections 2.2 and 5.3. Between the column and the diagonal half of a round the rows
// 0, 2 and 3 are turned rather than 1, 2 and 3, since row 1 is the one that is ready last. The message words of a round are made from those
// of the round before by the same shuffles, which V8 turns into one or two instructions each.

import { BLOCK_BYTES, CHUNK_END, CHUNK_START, INITIAL_0, INITIAL_1, INITIAL_2, INITIAL_3, KEYED_HASH } from "./blake3-constants";
import { copyPadded, copyValue } from "./copy";
import { ROWS } from "./memory-layout";

// Masks in memory: V8 would build a constant mask anew at each use.
const ROTATE_16 = memory.data<u8>([2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13], 16);
const ROTATE_8 = memory.data<u8>([1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12], 16);

const CHAINING: usize = ROWS;
const PADDED: usize = ROWS + 32;

// @ts-ignore: decorator
@inline
function rotate(x: v128, count: i32): v128 {
  return v128.or(i32x4.shl(x, 32 - count), i32x4.shr_u(x, count));
}

/** Compresses the 64 bytes at `block` into the chaining value (8 words) at `chaining`. */
export function compressRows(chaining: usize, block: usize, counter: u32, length: u32, flags: u32): void {
  const mask16 = v128.load(ROTATE_16), mask8 = v128.load(ROTATE_8);
  let row0 = v128.load(chaining), row1 = v128.load(chaining, 16);
  let row2 = i32x4(INITIAL_0, INITIAL_1, INITIAL_2, INITIAL_3);
  let row3 = i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(0), 0, counter), 2, length), 3, flags);
  const low = v128.load(block), lower = v128.load(block, 16), upper = v128.load(block, 32), high = v128.load(block, 48);
  // Words of even and odd place: for the columns, then for the diagonals, the latter turned like row 0.
  let m0 = v128.shuffle<u32>(low, lower, 0, 2, 4, 6);
  let m1 = v128.shuffle<u32>(low, lower, 1, 3, 5, 7);
  let m2 = v128.shuffle<u32>(upper, high, 0, 2, 4, 6);
  let m3 = v128.shuffle<u32>(upper, high, 1, 3, 5, 7);
  m2 = v128.shuffle<u32>(m2, m2, 3, 0, 1, 2);
  m3 = v128.shuffle<u32>(m3, m3, 3, 0, 1, 2);
  for (let round = 0; ; round++) {
    row0 = i32x4.add(i32x4.add(row0, m0), row1); row3 = i8x16.relaxed_swizzle(v128.xor(row3, row0), mask16);
    row2 = i32x4.add(row2, row3); row1 = rotate(v128.xor(row1, row2), 12);
    row0 = i32x4.add(i32x4.add(row0, m1), row1); row3 = i8x16.relaxed_swizzle(v128.xor(row3, row0), mask8);
    row2 = i32x4.add(row2, row3); row1 = rotate(v128.xor(row1, row2), 7);
    row0 = v128.shuffle<u32>(row0, row0, 3, 0, 1, 2);
    row3 = v128.shuffle<u32>(row3, row3, 2, 3, 0, 1);
    row2 = v128.shuffle<u32>(row2, row2, 1, 2, 3, 0);
    row0 = i32x4.add(i32x4.add(row0, m2), row1); row3 = i8x16.relaxed_swizzle(v128.xor(row3, row0), mask16);
    row2 = i32x4.add(row2, row3); row1 = rotate(v128.xor(row1, row2), 12);
    row0 = i32x4.add(i32x4.add(row0, m3), row1); row3 = i8x16.relaxed_swizzle(v128.xor(row3, row0), mask8);
    row2 = i32x4.add(row2, row3); row1 = rotate(v128.xor(row1, row2), 7);
    row0 = v128.shuffle<u32>(row0, row0, 1, 2, 3, 0);
    row3 = v128.shuffle<u32>(row3, row3, 2, 3, 0, 1);
    row2 = v128.shuffle<u32>(row2, row2, 3, 0, 1, 2);
    if (round == 6) break;
    const t0 = v128.shuffle<u32>(m0, m1, 2, 1, 5, 7);
    const t1 = v128.shuffle<u32>(v128.shuffle<u32>(m0, m0, 3, 3, 0, 0), v128.shuffle<u32>(m2, m3, 2, 2, 7, 7), 0, 5, 2, 7);
    const t2 = v128.shuffle<u32>(v128.shuffle<u32>(m3, m1, 0, 1, 4, 5), m2, 0, 1, 2, 7);
    const t3 = v128.shuffle<u32>(m2, v128.shuffle<u32>(m1, m3, 2, 6, 3, 7), 0, 4, 1, 5);
    m0 = v128.shuffle<u32>(t0, t0, 1, 2, 3, 0);
    m1 = t1;
    m2 = v128.shuffle<u32>(t2, t2, 0, 2, 3, 1);
    m3 = v128.shuffle<u32>(t3, t3, 2, 3, 1, 0);
  }
  v128.store(chaining, v128.xor(row0, row2));
  v128.store(chaining, v128.xor(row1, row3), 16);
}

/** One chunk of 0 to 1024 bytes: writes its chaining value to `target`. `flags` go with the last block. */
export function chunkByRows(key: usize, source: usize, length: u32, target: usize, counter: u32, flags: u32): void {
  copyValue(key, CHAINING);
  let start: u32 = KEYED_HASH | CHUNK_START;
  while (length > <u32>BLOCK_BYTES) {
    compressRows(CHAINING, source, counter, 64, start);
    start = KEYED_HASH;
    source += BLOCK_BYTES;
    length -= <u32>BLOCK_BYTES;
  }
  copyPadded(source, length, PADDED);
  compressRows(CHAINING, PADDED, counter, length, start | CHUNK_END | flags);
  copyValue(CHAINING, target);
}

/** One parent of the 64 bytes at `source`: writes its chaining value to `target`. */
export function parentByRows(key: usize, source: usize, target: usize, flags: u32): void {
  copyValue(key, CHAINING);
  compressRows(CHAINING, source, 0, 64, flags);
  copyValue(CHAINING, target);
}
