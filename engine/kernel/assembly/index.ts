// Exports of the kernel. Addresses are absolute in linear memory; the loader adds DATA to the caller's offsets and checks the bounds.

import { NAME_BYTES } from "./blake3-constants";
import { keyedName } from "./blake3-tree";
import { CANDIDATES, DATA, KEYS, RANGES } from "./memory-layout";

export { allZero } from "./zero";
export { estimate } from "./probe";
export { scanBegin, scanFeed } from "./cut-filter";

/** Where the caller's data begin. */
export function dataAddress(): usize {
  return DATA;
}

/** Where the three keys lie: names, names of metadata, cut values; 32 bytes each. */
export function keysAddress(): usize {
  return KEYS;
}

/** Where scanFeed leaves candidates. */
export function candidatesAddress(): usize {
  return CANDIDATES;
}

/** Where the loader puts the ranges of nameMany. */
export function rangesAddress(): usize {
  return RANGES;
}

/** Names one input with key number `key` (0 or 1). */
export function name(key: usize, source: usize, length: usize, target: usize): void {
  keyedName(KEYS + NAME_BYTES * key, source, length, target);
}

/** Names `count` inputs; `ranges` holds address and length of each as two u32. */
export function nameMany(key: usize, ranges: usize, count: usize, target: usize): void {
  for (let i: usize = 0; i < count; i++) name(key, load<u32>(ranges + 8 * i), load<u32>(ranges + 8 * i, 4), target + NAME_BYTES * i);
}
