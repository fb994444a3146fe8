// Compression of BLAKE3 in four lanes: lane i of every vector belongs to the i-th of four independent inputs.
//
// Source: "BLAKE3: one function, fast everywhere" (2021), sections 2.2 and 5.3 (vectors across chunks).
// The rounds are written out (no loop, no permuted message) so that the sixteen state words stay in registers and every message word
// is one load from a constant address. Statements of the four mixings of a half round stand side by side: they do not depend on each other.
// a + m + b is summed in that order because b is the word that is ready last.

import { INITIAL_0, INITIAL_1, INITIAL_2, INITIAL_3 } from "./blake3-constants";
import { LANES, MESSAGES } from "./memory-layout";

// @ts-ignore: decorator
@inline
function sum(a: v128, b: v128, word: usize): v128 {
  return i32x4.add(i32x4.add(a, v128.load(MESSAGES + 16 * word)), b);
}

// @ts-ignore: decorator
@inline
function rotate16(x: v128): v128 {
  return v128.shuffle<u8>(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

// @ts-ignore: decorator
@inline
function rotate12(x: v128): v128 {
  return v128.or(i32x4.shl(x, 20), i32x4.shr_u(x, 12));
}

// Two shifts and an or: V8 builds the mask of a byte shuffle anew each time, which costs more.
// @ts-ignore: decorator
@inline
function rotate8(x: v128): v128 {
  return v128.or(i32x4.shl(x, 24), i32x4.shr_u(x, 8));
}

// @ts-ignore: decorator
@inline
function rotate7(x: v128): v128 {
  return v128.or(i32x4.shl(x, 25), i32x4.shr_u(x, 7));
}

/** Sets the chaining value of all lanes to the eight words at `key`. */
export function setLanes(key: usize): void {
  for (let i: usize = 0; i < 8; i++) v128.store(LANES + 16 * i, v128.load32_splat(key + 4 * i));
}

/** Writes the chaining value of lane i as 32 bytes at target + 32 * i, for all four lanes. */
export function storeLanes(target: usize): void {
  for (let half: usize = 0; half < 2; half++) {
    const from = LANES + 64 * half, to = target + 16 * half;
    const a = v128.load(from), b = v128.load(from, 16), c = v128.load(from, 32), d = v128.load(from, 48);
    const ab = v128.shuffle<u32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
    const ab2 = v128.shuffle<u32>(a, b, 2, 6, 3, 7), cd2 = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<u64>(ab, cd, 0, 2));
    v128.store(to, v128.shuffle<u64>(ab, cd, 1, 3), 32);
    v128.store(to, v128.shuffle<u64>(ab2, cd2, 0, 2), 64);
    v128.store(to, v128.shuffle<u64>(ab2, cd2, 1, 3), 96);
  }
}

/** Brings one block of 64 bytes of each lane to MESSAGES, transposed. */
// @ts-ignore: decorator
@inline
export function loadMessages(lane0: usize, lane1: usize, lane2: usize, lane3: usize): void {
  for (let group: usize = 0; group < 64; group += 16) {
    const a = v128.load(lane0 + group), b = v128.load(lane1 + group), c = v128.load(lane2 + group), d = v128.load(lane3 + group);
    const ab = v128.shuffle<u32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
    const ab2 = v128.shuffle<u32>(a, b, 2, 6, 3, 7), cd2 = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
    const to = MESSAGES + 4 * group;
    v128.store(to, v128.shuffle<u64>(ab, cd, 0, 2));
    v128.store(to, v128.shuffle<u64>(ab, cd, 1, 3), 16);
    v128.store(to, v128.shuffle<u64>(ab2, cd2, 0, 2), 32);
    v128.store(to, v128.shuffle<u64>(ab2, cd2, 1, 3), 48);
  }
}

/** Compresses the block in MESSAGES into LANES. `counters`, `lengths` and `flags` hold one value for each lane; counters are < 2^32. */
// @ts-ignore: decorator
@inline
export function compressLanes(counters: v128, lengths: v128, flags: v128): void {
  let v0 = v128.load(LANES), v1 = v128.load(LANES, 16), v2 = v128.load(LANES, 32), v3 = v128.load(LANES, 48);
  let v4 = v128.load(LANES, 64), v5 = v128.load(LANES, 80), v6 = v128.load(LANES, 96), v7 = v128.load(LANES, 112);
  let v8 = i32x4.splat(INITIAL_0), v9 = i32x4.splat(INITIAL_1), v10 = i32x4.splat(INITIAL_2), v11 = i32x4.splat(INITIAL_3);
  let v12 = counters, v13 = i32x4.splat(0), v14 = lengths, v15 = flags;
  // round 1
  v0 = sum(v0, v4, 0); v1 = sum(v1, v5, 2); v2 = sum(v2, v6, 4); v3 = sum(v3, v7, 6);
  v12 = rotate16(v128.xor(v12, v0)); v13 = rotate16(v128.xor(v13, v1)); v14 = rotate16(v128.xor(v14, v2)); v15 = rotate16(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate12(v128.xor(v4, v8)); v5 = rotate12(v128.xor(v5, v9)); v6 = rotate12(v128.xor(v6, v10)); v7 = rotate12(v128.xor(v7, v11));
  v0 = sum(v0, v4, 1); v1 = sum(v1, v5, 3); v2 = sum(v2, v6, 5); v3 = sum(v3, v7, 7);
  v12 = rotate8(v128.xor(v12, v0)); v13 = rotate8(v128.xor(v13, v1)); v14 = rotate8(v128.xor(v14, v2)); v15 = rotate8(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate7(v128.xor(v4, v8)); v5 = rotate7(v128.xor(v5, v9)); v6 = rotate7(v128.xor(v6, v10)); v7 = rotate7(v128.xor(v7, v11));
  v0 = sum(v0, v5, 8); v1 = sum(v1, v6, 10); v2 = sum(v2, v7, 12); v3 = sum(v3, v4, 14);
  v15 = rotate16(v128.xor(v15, v0)); v12 = rotate16(v128.xor(v12, v1)); v13 = rotate16(v128.xor(v13, v2)); v14 = rotate16(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate12(v128.xor(v5, v10)); v6 = rotate12(v128.xor(v6, v11)); v7 = rotate12(v128.xor(v7, v8)); v4 = rotate12(v128.xor(v4, v9));
  v0 = sum(v0, v5, 9); v1 = sum(v1, v6, 11); v2 = sum(v2, v7, 13); v3 = sum(v3, v4, 15);
  v15 = rotate8(v128.xor(v15, v0)); v12 = rotate8(v128.xor(v12, v1)); v13 = rotate8(v128.xor(v13, v2)); v14 = rotate8(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate7(v128.xor(v5, v10)); v6 = rotate7(v128.xor(v6, v11)); v7 = rotate7(v128.xor(v7, v8)); v4 = rotate7(v128.xor(v4, v9));
  // round 2
  v0 = sum(v0, v4, 2); v1 = sum(v1, v5, 3); v2 = sum(v2, v6, 7); v3 = sum(v3, v7, 4);
  v12 = rotate16(v128.xor(v12, v0)); v13 = rotate16(v128.xor(v13, v1)); v14 = rotate16(v128.xor(v14, v2)); v15 = rotate16(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate12(v128.xor(v4, v8)); v5 = rotate12(v128.xor(v5, v9)); v6 = rotate12(v128.xor(v6, v10)); v7 = rotate12(v128.xor(v7, v11));
  v0 = sum(v0, v4, 6); v1 = sum(v1, v5, 10); v2 = sum(v2, v6, 0); v3 = sum(v3, v7, 13);
  v12 = rotate8(v128.xor(v12, v0)); v13 = rotate8(v128.xor(v13, v1)); v14 = rotate8(v128.xor(v14, v2)); v15 = rotate8(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate7(v128.xor(v4, v8)); v5 = rotate7(v128.xor(v5, v9)); v6 = rotate7(v128.xor(v6, v10)); v7 = rotate7(v128.xor(v7, v11));
  v0 = sum(v0, v5, 1); v1 = sum(v1, v6, 12); v2 = sum(v2, v7, 9); v3 = sum(v3, v4, 15);
  v15 = rotate16(v128.xor(v15, v0)); v12 = rotate16(v128.xor(v12, v1)); v13 = rotate16(v128.xor(v13, v2)); v14 = rotate16(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate12(v128.xor(v5, v10)); v6 = rotate12(v128.xor(v6, v11)); v7 = rotate12(v128.xor(v7, v8)); v4 = rotate12(v128.xor(v4, v9));
  v0 = sum(v0, v5, 11); v1 = sum(v1, v6, 5); v2 = sum(v2, v7, 14); v3 = sum(v3, v4, 8);
  v15 = rotate8(v128.xor(v15, v0)); v12 = rotate8(v128.xor(v12, v1)); v13 = rotate8(v128.xor(v13, v2)); v14 = rotate8(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate7(v128.xor(v5, v10)); v6 = rotate7(v128.xor(v6, v11)); v7 = rotate7(v128.xor(v7, v8)); v4 = rotate7(v128.xor(v4, v9));
  // round 3
  v0 = sum(v0, v4, 3); v1 = sum(v1, v5, 10); v2 = sum(v2, v6, 13); v3 = sum(v3, v7, 7);
  v12 = rotate16(v128.xor(v12, v0)); v13 = rotate16(v128.xor(v13, v1)); v14 = rotate16(v128.xor(v14, v2)); v15 = rotate16(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate12(v128.xor(v4, v8)); v5 = rotate12(v128.xor(v5, v9)); v6 = rotate12(v128.xor(v6, v10)); v7 = rotate12(v128.xor(v7, v11));
  v0 = sum(v0, v4, 4); v1 = sum(v1, v5, 12); v2 = sum(v2, v6, 2); v3 = sum(v3, v7, 14);
  v12 = rotate8(v128.xor(v12, v0)); v13 = rotate8(v128.xor(v13, v1)); v14 = rotate8(v128.xor(v14, v2)); v15 = rotate8(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate7(v128.xor(v4, v8)); v5 = rotate7(v128.xor(v5, v9)); v6 = rotate7(v128.xor(v6, v10)); v7 = rotate7(v128.xor(v7, v11));
  v0 = sum(v0, v5, 6); v1 = sum(v1, v6, 9); v2 = sum(v2, v7, 11); v3 = sum(v3, v4, 8);
  v15 = rotate16(v128.xor(v15, v0)); v12 = rotate16(v128.xor(v12, v1)); v13 = rotate16(v128.xor(v13, v2)); v14 = rotate16(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate12(v128.xor(v5, v10)); v6 = rotate12(v128.xor(v6, v11)); v7 = rotate12(v128.xor(v7, v8)); v4 = rotate12(v128.xor(v4, v9));
  v0 = sum(v0, v5, 5); v1 = sum(v1, v6, 0); v2 = sum(v2, v7, 15); v3 = sum(v3, v4, 1);
  v15 = rotate8(v128.xor(v15, v0)); v12 = rotate8(v128.xor(v12, v1)); v13 = rotate8(v128.xor(v13, v2)); v14 = rotate8(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate7(v128.xor(v5, v10)); v6 = rotate7(v128.xor(v6, v11)); v7 = rotate7(v128.xor(v7, v8)); v4 = rotate7(v128.xor(v4, v9));
  // round 4
  v0 = sum(v0, v4, 10); v1 = sum(v1, v5, 12); v2 = sum(v2, v6, 14); v3 = sum(v3, v7, 13);
  v12 = rotate16(v128.xor(v12, v0)); v13 = rotate16(v128.xor(v13, v1)); v14 = rotate16(v128.xor(v14, v2)); v15 = rotate16(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate12(v128.xor(v4, v8)); v5 = rotate12(v128.xor(v5, v9)); v6 = rotate12(v128.xor(v6, v10)); v7 = rotate12(v128.xor(v7, v11));
  v0 = sum(v0, v4, 7); v1 = sum(v1, v5, 9); v2 = sum(v2, v6, 3); v3 = sum(v3, v7, 15);
  v12 = rotate8(v128.xor(v12, v0)); v13 = rotate8(v128.xor(v13, v1)); v14 = rotate8(v128.xor(v14, v2)); v15 = rotate8(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate7(v128.xor(v4, v8)); v5 = rotate7(v128.xor(v5, v9)); v6 = rotate7(v128.xor(v6, v10)); v7 = rotate7(v128.xor(v7, v11));
  v0 = sum(v0, v5, 4); v1 = sum(v1, v6, 11); v2 = sum(v2, v7, 5); v3 = sum(v3, v4, 1);
  v15 = rotate16(v128.xor(v15, v0)); v12 = rotate16(v128.xor(v12, v1)); v13 = rotate16(v128.xor(v13, v2)); v14 = rotate16(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate12(v128.xor(v5, v10)); v6 = rotate12(v128.xor(v6, v11)); v7 = rotate12(v128.xor(v7, v8)); v4 = rotate12(v128.xor(v4, v9));
  v0 = sum(v0, v5, 0); v1 = sum(v1, v6, 2); v2 = sum(v2, v7, 8); v3 = sum(v3, v4, 6);
  v15 = rotate8(v128.xor(v15, v0)); v12 = rotate8(v128.xor(v12, v1)); v13 = rotate8(v128.xor(v13, v2)); v14 = rotate8(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate7(v128.xor(v5, v10)); v6 = rotate7(v128.xor(v6, v11)); v7 = rotate7(v128.xor(v7, v8)); v4 = rotate7(v128.xor(v4, v9));
  // round 5
  v0 = sum(v0, v4, 12); v1 = sum(v1, v5, 9); v2 = sum(v2, v6, 15); v3 = sum(v3, v7, 14);
  v12 = rotate16(v128.xor(v12, v0)); v13 = rotate16(v128.xor(v13, v1)); v14 = rotate16(v128.xor(v14, v2)); v15 = rotate16(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate12(v128.xor(v4, v8)); v5 = rotate12(v128.xor(v5, v9)); v6 = rotate12(v128.xor(v6, v10)); v7 = rotate12(v128.xor(v7, v11));
  v0 = sum(v0, v4, 13); v1 = sum(v1, v5, 11); v2 = sum(v2, v6, 10); v3 = sum(v3, v7, 8);
  v12 = rotate8(v128.xor(v12, v0)); v13 = rotate8(v128.xor(v13, v1)); v14 = rotate8(v128.xor(v14, v2)); v15 = rotate8(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate7(v128.xor(v4, v8)); v5 = rotate7(v128.xor(v5, v9)); v6 = rotate7(v128.xor(v6, v10)); v7 = rotate7(v128.xor(v7, v11));
  v0 = sum(v0, v5, 7); v1 = sum(v1, v6, 5); v2 = sum(v2, v7, 0); v3 = sum(v3, v4, 6);
  v15 = rotate16(v128.xor(v15, v0)); v12 = rotate16(v128.xor(v12, v1)); v13 = rotate16(v128.xor(v13, v2)); v14 = rotate16(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate12(v128.xor(v5, v10)); v6 = rotate12(v128.xor(v6, v11)); v7 = rotate12(v128.xor(v7, v8)); v4 = rotate12(v128.xor(v4, v9));
  v0 = sum(v0, v5, 2); v1 = sum(v1, v6, 3); v2 = sum(v2, v7, 1); v3 = sum(v3, v4, 4);
  v15 = rotate8(v128.xor(v15, v0)); v12 = rotate8(v128.xor(v12, v1)); v13 = rotate8(v128.xor(v13, v2)); v14 = rotate8(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate7(v128.xor(v5, v10)); v6 = rotate7(v128.xor(v6, v11)); v7 = rotate7(v128.xor(v7, v8)); v4 = rotate7(v128.xor(v4, v9));
  // round 6
  v0 = sum(v0, v4, 9); v1 = sum(v1, v5, 11); v2 = sum(v2, v6, 8); v3 = sum(v3, v7, 15);
  v12 = rotate16(v128.xor(v12, v0)); v13 = rotate16(v128.xor(v13, v1)); v14 = rotate16(v128.xor(v14, v2)); v15 = rotate16(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate12(v128.xor(v4, v8)); v5 = rotate12(v128.xor(v5, v9)); v6 = rotate12(v128.xor(v6, v10)); v7 = rotate12(v128.xor(v7, v11));
  v0 = sum(v0, v4, 14); v1 = sum(v1, v5, 5); v2 = sum(v2, v6, 12); v3 = sum(v3, v7, 1);
  v12 = rotate8(v128.xor(v12, v0)); v13 = rotate8(v128.xor(v13, v1)); v14 = rotate8(v128.xor(v14, v2)); v15 = rotate8(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate7(v128.xor(v4, v8)); v5 = rotate7(v128.xor(v5, v9)); v6 = rotate7(v128.xor(v6, v10)); v7 = rotate7(v128.xor(v7, v11));
  v0 = sum(v0, v5, 13); v1 = sum(v1, v6, 0); v2 = sum(v2, v7, 2); v3 = sum(v3, v4, 4);
  v15 = rotate16(v128.xor(v15, v0)); v12 = rotate16(v128.xor(v12, v1)); v13 = rotate16(v128.xor(v13, v2)); v14 = rotate16(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate12(v128.xor(v5, v10)); v6 = rotate12(v128.xor(v6, v11)); v7 = rotate12(v128.xor(v7, v8)); v4 = rotate12(v128.xor(v4, v9));
  v0 = sum(v0, v5, 3); v1 = sum(v1, v6, 10); v2 = sum(v2, v7, 6); v3 = sum(v3, v4, 7);
  v15 = rotate8(v128.xor(v15, v0)); v12 = rotate8(v128.xor(v12, v1)); v13 = rotate8(v128.xor(v13, v2)); v14 = rotate8(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate7(v128.xor(v5, v10)); v6 = rotate7(v128.xor(v6, v11)); v7 = rotate7(v128.xor(v7, v8)); v4 = rotate7(v128.xor(v4, v9));
  // round 7
  v0 = sum(v0, v4, 11); v1 = sum(v1, v5, 5); v2 = sum(v2, v6, 1); v3 = sum(v3, v7, 8);
  v12 = rotate16(v128.xor(v12, v0)); v13 = rotate16(v128.xor(v13, v1)); v14 = rotate16(v128.xor(v14, v2)); v15 = rotate16(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate12(v128.xor(v4, v8)); v5 = rotate12(v128.xor(v5, v9)); v6 = rotate12(v128.xor(v6, v10)); v7 = rotate12(v128.xor(v7, v11));
  v0 = sum(v0, v4, 15); v1 = sum(v1, v5, 0); v2 = sum(v2, v6, 9); v3 = sum(v3, v7, 6);
  v12 = rotate8(v128.xor(v12, v0)); v13 = rotate8(v128.xor(v13, v1)); v14 = rotate8(v128.xor(v14, v2)); v15 = rotate8(v128.xor(v15, v3));
  v8 = i32x4.add(v8, v12); v9 = i32x4.add(v9, v13); v10 = i32x4.add(v10, v14); v11 = i32x4.add(v11, v15);
  v4 = rotate7(v128.xor(v4, v8)); v5 = rotate7(v128.xor(v5, v9)); v6 = rotate7(v128.xor(v6, v10)); v7 = rotate7(v128.xor(v7, v11));
  v0 = sum(v0, v5, 14); v1 = sum(v1, v6, 2); v2 = sum(v2, v7, 3); v3 = sum(v3, v4, 7);
  v15 = rotate16(v128.xor(v15, v0)); v12 = rotate16(v128.xor(v12, v1)); v13 = rotate16(v128.xor(v13, v2)); v14 = rotate16(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate12(v128.xor(v5, v10)); v6 = rotate12(v128.xor(v6, v11)); v7 = rotate12(v128.xor(v7, v8)); v4 = rotate12(v128.xor(v4, v9));
  v0 = sum(v0, v5, 10); v1 = sum(v1, v6, 12); v2 = sum(v2, v7, 4); v3 = sum(v3, v4, 13);
  v15 = rotate8(v128.xor(v15, v0)); v12 = rotate8(v128.xor(v12, v1)); v13 = rotate8(v128.xor(v13, v2)); v14 = rotate8(v128.xor(v14, v3));
  v10 = i32x4.add(v10, v15); v11 = i32x4.add(v11, v12); v8 = i32x4.add(v8, v13); v9 = i32x4.add(v9, v14);
  v5 = rotate7(v128.xor(v5, v10)); v6 = rotate7(v128.xor(v6, v11)); v7 = rotate7(v128.xor(v7, v8)); v4 = rotate7(v128.xor(v4, v9));
  v128.store(LANES, v128.xor(v0, v8));
  v128.store(LANES, v128.xor(v1, v9), 16);
  v128.store(LANES, v128.xor(v2, v10), 32);
  v128.store(LANES, v128.xor(v3, v11), 48);
  v128.store(LANES, v128.xor(v4, v12), 64);
  v128.store(LANES, v128.xor(v5, v13), 80);
  v128.store(LANES, v128.xor(v6, v14), 96);
  v128.store(LANES, v128.xor(v7, v15), 112);
}
