// Exports of the kernel. Addresses are absolute in linear memory; the loader adds DATA to the caller's offsets and checks the bounds.

import { VALUE_BYTES } from "./blake3-constants";
import { nameInputs } from "./blake3-tree";
import { CANDIDATES, CANDIDATE_VALUES, DATA, KEYS, RANGES } from "./memory-layout";

export { useLanes } from "./blake3-queue";
export { scanBegin, scanFeed } from "./cut-filter";
export { estimate } from "./probe";
export { allZero } from "./zero";

/** Where the caller's data begin. */
export function dataAddress(): usize {
  return DATA;
}

/** Where the three keys lie: names, names of metadata, cut values; 32 bytes each. */
export function keysAddress(): usize {
  return KEYS;
}

/** Where the loader puts the ranges of nameMany: address and length of each as two u32. */
export function rangesAddress(): usize {
  return RANGES;
}

/** Where scanFeed leaves the positions of the candidates, u32. */
export function candidatesAddress(): usize {
  return CANDIDATES;
}

/** Where scanFeed leaves the values of the candidates, the first 8 bytes of every 32. */
export function candidateValuesAddress(): usize {
  return CANDIDATE_VALUES;
}

/** Names one input of at most 1 GiB with key number `key` (0 or 1). */
export function name(key: usize, source: usize, length: usize, target: usize): void {
  store<u32>(RANGES, <u32>source);
  store<u32>(RANGES, <u32>length, 4);
  nameMany(key, 1, target);
}

/** Names the inputs whose `count` ranges the loader has put into place: name i goes to target + 32 * i. */
export function nameMany(key: usize, count: usize, target: usize): void {
  nameInputs(KEYS + VALUE_BYTES * key, RANGES, count, target);
}
