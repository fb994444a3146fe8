// The tree of BLAKE3 over chunks of 1 KiB, for many inputs at a time, without recursion: all chunks, then level by level all parents.
//
// Source: "BLAKE3: one function, fast everywhere" (2021), section 2.1. The left subtree of a node is the largest whole power of two of chunks
// that leaves something on the right; pairing neighbours level by level, an odd one out rising as it is, builds just that tree.
// Invariant: a group of inputs has at most 2048 chunks and 1024 trees.

import { CHUNK_BYTES, ROOT, VALUE_BYTES } from "./blake3-constants";
import { addParent, addShort, addWhole, runParents, runShort, runWhole } from "./blake3-queue";
import { copyValue } from "./copy";
import { NEXT_VALUES, SUBTREES, TREES, VALUES } from "./memory-layout";

const GROUP_CHUNKS: usize = 2048;
const SUBTREE_CHUNKS: usize = 1024;
const SUBTREE_BYTES: usize = SUBTREE_CHUNKS * CHUNK_BYTES;
const TREE_BYTES: usize = 16;

/** Chunks in the group, trees with more than one chunk, and how many chaining values are spoken for. */
let chunkCount: usize = 0;
let treeCount: usize = 0;

/** Names `count` inputs, whose addresses and lengths stand at `ranges` as pairs of u32: name i goes to target + 32 * i. */
export function nameInputs(key: usize, ranges: usize, count: usize, target: usize): void {
  for (let index: usize = 0; index < count; index++) {
    const source: usize = load<u32>(ranges + 8 * index), length: usize = load<u32>(ranges + 8 * index, 4);
    nameInput(key, source, length, target + VALUE_BYTES * index);
  }
  finishGroup(key);
}

/** Adds one input to the group; names the group, or the input, if there is no room for it. */
function nameInput(key: usize, source: usize, length: usize, target: usize): void {
  const chunks = (length + CHUNK_BYTES - 1) / CHUNK_BYTES;
  if (chunkCount + chunks >= GROUP_CHUNKS) finishGroup(key);
  if (chunks > SUBTREE_CHUNKS) {
    finishGroup(key);
    nameBigInput(key, source, length, target);
  } else addTree(source, length, 0, target, ROOT);
}

/** An input of more than one subtree, at most 1024. */
function nameBigInput(key: usize, source: usize, length: usize, target: usize): void {
  let count: usize = 0;
  for (let offset: usize = 0; offset < length; offset += SUBTREE_BYTES) {
    addTree(source + offset, min(SUBTREE_BYTES, length - offset), <u32>(offset / CHUNK_BYTES), SUBTREES + VALUE_BYTES * count, 0);
    finishGroup(key);
    count++;
  }
  memory.copy(VALUES, SUBTREES, VALUE_BYTES * count);
  setTree(0, 0, count, target, ROOT);
  treeCount = 1;
  joinLevels(key);
}

/** Adds the chunks from number `counter` on as a tree whose value goes to `target`; `flags` go with its topmost node. */
function addTree(source: usize, length: usize, counter: u32, target: usize, flags: u32): void {
  if (length <= CHUNK_BYTES) {
    addShort(source, <u32>length, counter, target, flags);
    chunkCount++;
    return;
  }
  const first = chunkCount, end = source + length;
  while (end - source >= CHUNK_BYTES) {
    addWhole(source, counter++, VALUES + VALUE_BYTES * chunkCount++);
    source += CHUNK_BYTES;
  }
  if (source < end) addShort(source, <u32>(end - source), counter, VALUES + VALUE_BYTES * chunkCount++, 0);
  setTree(treeCount++, VALUE_BYTES * first, chunkCount - first, target, flags);
}

function finishGroup(key: usize): void {
  runWhole(key);
  runShort(key);
  joinLevels(key);
  chunkCount = 0;
}

/** A tree under construction: offset of its values in the level, their number, target, flags; 4 bytes each. */
function setTree(index: usize, offset: usize, count: usize, target: usize, flags: u32): void {
  const tree = TREES + TREE_BYTES * index;
  store<u32>(tree, <u32>offset);
  store<u32>(tree, <u32>count, 4);
  store<u32>(tree, <u32>target, 8);
  store<u32>(tree, flags, 12);
}

/** Pairs the values of all trees, level by level, until each has gone to its target. */
function joinLevels(key: usize): void {
  let from = VALUES, to = NEXT_VALUES;
  while (treeCount > 0) {
    let left: usize = 0;
    for (let index: usize = 0; index < treeCount; index++) left += joinLevel(TREES + TREE_BYTES * index, left, from, to);
    runParents(key);
    treeCount = left;
    const swap = from;
    from = to;
    to = swap;
  }
}

/** Adds the parents of one level of one tree. Keeps it as number `left`, and gives 1, if it needs another level. */
function joinLevel(tree: usize, left: usize, from: usize, to: usize): usize {
  const offset: usize = load<u32>(tree), count: usize = load<u32>(tree, 4), target: usize = load<u32>(tree, 8);
  const flags = load<u32>(tree, 12);
  if (count == 2) {
    addParent(from + offset, target, flags);
    return 0;
  }
  const pairs = count >> 1;
  for (let pair: usize = 0; pair < pairs; pair++) addParent(from + offset + 64 * pair, to + offset + VALUE_BYTES * pair, 0);
  if (count & 1) copyValue(from + offset + 64 * pairs, to + offset + VALUE_BYTES * pairs);
  setTree(left, offset, pairs + (count & 1), target, flags);
  return 1;
}
