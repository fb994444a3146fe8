// The tree of BLAKE3 over chunks of 1 KiB: chaining values of chunks, then of parents, four at a time, without recursion.
//
// Source: "BLAKE3: one function, fast everywhere" (2021), section 2.1. The left subtree of a node is the largest whole power of two of chunks
// that leaves something on the right; pairing neighbours level by level, an odd one out rising as it is, builds just that tree.

import { BLOCK_BYTES, CHUNK_BYTES, CHUNK_END, CHUNK_START, KEYED_HASH, NAME_BYTES, PARENT, ROOT } from "./blake3-constants";
import { compressLanes, loadMessages, setLanes, storeLanes } from "./blake3-lanes";
import { compressRows } from "./blake3-rows";
import { BLOCK, ROOTS, SUBTREE } from "./memory-layout";

const SUBTREE_CHUNKS: usize = 1024;
const SUBTREE_BYTES: usize = SUBTREE_CHUNKS * CHUNK_BYTES;

/** Four whole chunks from `source` on: writes four chaining values to `target`. */
function fourChunks(key: usize, source: usize, target: usize, counter: i32): void {
  setLanes(key);
  const counters = i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3));
  const lengths = i32x4.splat(64);
  for (let offset: usize = 0; offset < CHUNK_BYTES; offset += BLOCK_BYTES) {
    const from = source + offset;
    loadMessages(from, from + CHUNK_BYTES, from + 2 * CHUNK_BYTES, from + 3 * CHUNK_BYTES);
    const flags = KEYED_HASH | (offset == 0 ? CHUNK_START : 0) | (offset == CHUNK_BYTES - BLOCK_BYTES ? CHUNK_END : 0);
    compressLanes(counters, lengths, i32x4.splat(flags));
  }
  storeLanes(target);
}

/** Four parents of the eight chaining values at `source`: writes four to `target`, which may be `source`. */
function fourParents(key: usize, source: usize, target: usize): void {
  setLanes(key);
  loadMessages(source, source + 64, source + 128, source + 192);
  compressLanes(i32x4.splat(0), i32x4.splat(64), i32x4.splat(KEYED_HASH | PARENT));
  storeLanes(target);
}

// @ts-ignore: decorator
@inline
function copyKey(key: usize, target: usize): void {
  v128.store(target, v128.load(key));
  v128.store(target, v128.load(key, 16), 16);
}

/** One chunk of 0 to 1024 bytes: writes its chaining value to `target`. `flags` may hold ROOT. */
export function oneChunk(key: usize, source: usize, length: usize, target: usize, counter: i32, flags: i32): void {
  copyKey(key, target);
  let start = KEYED_HASH | CHUNK_START;
  while (length > BLOCK_BYTES) {
    compressRows(target, source, counter, 64, start);
    start = KEYED_HASH;
    source += BLOCK_BYTES;
    length -= BLOCK_BYTES;
  }
  memory.fill(BLOCK, 0, BLOCK_BYTES);
  memory.copy(BLOCK, source, length);
  compressRows(target, BLOCK, counter, <i32>length, start | CHUNK_END | flags);
}

/** All chunks of an input of at most 1 MiB: writes their chaining values to `target`, gives their number. */
function chunkValues(key: usize, source: usize, length: usize, target: usize, counter: i32): usize {
  const end = source + length;
  let to = target;
  while (end - source >= 4 * CHUNK_BYTES) {
    fourChunks(key, source, to, counter);
    source += 4 * CHUNK_BYTES;
    to += 4 * NAME_BYTES;
    counter += 4;
  }
  while (source < end) {
    const size = min(CHUNK_BYTES, end - source);
    oneChunk(key, source, size, to, counter, 0);
    source += size;
    to += NAME_BYTES;
    counter++;
  }
  return (to - target) / NAME_BYTES;
}

/** Reduces `count` chaining values at `values` to one, in place. `flags` is added to the last parent; a single value stays as it is. */
function reduce(key: usize, values: usize, count: usize, flags: i32): void {
  while (count > 2) {
    const pairs = count >> 1;
    if (pairs == 1) oneParent(key, values, values, 0);
    else for (let pair: usize = 0; pair < pairs; pair += 4) fourParents(key, values + 64 * pair, values + NAME_BYTES * pair);
    if (count & 1) memory.copy(values + NAME_BYTES * pairs, values + 2 * NAME_BYTES * pairs, NAME_BYTES);
    count = pairs + (count & 1);
  }
  if (count == 2) oneParent(key, values, values, flags);
}

function oneParent(key: usize, source: usize, target: usize, flags: i32): void {
  memory.copy(BLOCK, source, BLOCK_BYTES);
  copyKey(key, target);
  compressRows(target, BLOCK, 0, 64, KEYED_HASH | PARENT | flags);
}

/** Keyed BLAKE3 with 256 bits of output of `length` bytes (at most 1 GiB). */
export function keyedName(key: usize, source: usize, length: usize, target: usize): void {
  if (length <= CHUNK_BYTES) {
    oneChunk(key, source, length, target, 0, ROOT);
    return;
  }
  const single = length <= SUBTREE_BYTES;
  let roots = ROOTS, counter = 0;
  while (length > 0) {
    const size = min(SUBTREE_BYTES, length);
    const count = chunkValues(key, source, size, SUBTREE, counter);
    reduce(key, SUBTREE, count, single ? ROOT : 0);
    copyKey(SUBTREE, roots);
    roots += NAME_BYTES;
    counter += <i32>count;
    source += size;
    length -= size;
  }
  if (!single) reduce(key, ROOTS, (roots - ROOTS) / NAME_BYTES, ROOT);
  copyKey(ROOTS, target);
}
