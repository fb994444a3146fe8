// One batch of up to 4 or 8 independent compressions: brings the jobs into the lanes and the chaining values out of them.
// Lanes beyond the number of jobs do the work of the first job again; what they give is dropped.

import { BLOCK_BYTES, CHUNK_BYTES, CHUNK_END, CHUNK_START, KEYED_HASH } from "./blake3-constants";
import { compressEight } from "./blake3-eight-lanes";
import { compressFour } from "./blake3-four-lanes";
import { copyPadded } from "./copy";
import { jobCounter, jobFlags, jobLength, jobSource, jobTarget } from "./blake3-job";
import { PADDED, STATE } from "./memory-layout";

const COUNTERS: usize = 8;
const LENGTHS: usize = 9;
const FLAGS: usize = 10;

/** Address of the word of `lane` in `row` of the state of `lanes` lanes. */
// @ts-ignore: decorator
@inline
function place(row: usize, lane: usize, lanes: usize): usize {
  return STATE + 4 * (row * lanes + lane);
}

/** Sets a row to one value in all lanes. */
// @ts-ignore: decorator
@inline
function setRow(row: usize, value: u32, lanes: usize): void {
  const vector = i32x4.splat(value);
  v128.store(place(row, 0, lanes), vector);
  if (lanes == 8) v128.store(place(row, 4, lanes), vector);
}

function setKey(key: usize, lanes: usize): void {
  for (let word: usize = 0; word < 8; word++) setRow(word, load<u32>(key + 4 * word), lanes);
}

/** Address of the job of a lane, given the addresses of the jobs at `list`. */
// @ts-ignore: decorator
@inline
function laneJob(list: usize, lane: usize, count: usize): usize {
  return load<u32>(list + (lane < count ? 4 * lane : 0));
}

/** Writes the chaining value of each lane that has a job to its target. */
function storeValues(list: usize, count: usize, lanes: usize): void {
  for (let first: usize = 0; first < count; first += 4) {
    storeHalf(list + 4 * first, count - first, place(0, first, lanes), 4 * lanes, 0);
    storeHalf(list + 4 * first, count - first, place(4, first, lanes), 4 * lanes, 16);
  }
}

/** Four words of up to four lanes: transposes the rows at `from`, `stride` apart, and stores them `offset` bytes into the targets. */
function storeHalf(list: usize, count: usize, from: usize, stride: usize, offset: usize): void {
  const a = v128.load(from), b = v128.load(from + stride), c = v128.load(from + 2 * stride), d = v128.load(from + 3 * stride);
  const abLow = v128.shuffle<u32>(a, b, 0, 4, 1, 5), cdLow = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
  const abHigh = v128.shuffle<u32>(a, b, 2, 6, 3, 7), cdHigh = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
  v128.store(jobTarget(load<u32>(list)) + offset, v128.shuffle<u64>(abLow, cdLow, 0, 2));
  if (count > 1) v128.store(jobTarget(load<u32>(list, 4)) + offset, v128.shuffle<u64>(abLow, cdLow, 1, 3));
  if (count > 2) v128.store(jobTarget(load<u32>(list, 8)) + offset, v128.shuffle<u64>(abHigh, cdHigh, 0, 2));
  if (count > 3) v128.store(jobTarget(load<u32>(list, 12)) + offset, v128.shuffle<u64>(abHigh, cdHigh, 1, 3));
}

/** Whole chunks: the jobs whose addresses stand at `list`, one for each lane. */
export function wholeBatch(key: usize, list: usize, lanes: usize): void {
  setKey(key, lanes);
  for (let lane: usize = 0; lane < lanes; lane++) store<u32>(place(COUNTERS, lane, lanes), jobCounter(load<u32>(list + 4 * lane)));
  compressFullBlocks(list, lanes, CHUNK_BYTES / BLOCK_BYTES, lanes);
  storeValues(list, lanes, lanes);
}

/** Compresses the first `blocks` blocks, all of 64 bytes, of the lanes' jobs. The last of 16 is the end of a whole chunk. */
function compressFullBlocks(list: usize, count: usize, blocks: usize, lanes: usize): void {
  setRow(LENGTHS, 64, lanes);
  const a = laneSource(list, 0, count), b = laneSource(list, 1, count), c = laneSource(list, 2, count), d = laneSource(list, 3, count);
  const e = laneSource(list, 4, count), f = laneSource(list, 5, count), g = laneSource(list, 6, count), h = laneSource(list, 7, count);
  for (let at: usize = 0; at < BLOCK_BYTES * blocks; at += BLOCK_BYTES) {
    setRow(FLAGS, KEYED_HASH | (at == 0 ? CHUNK_START : 0) | (at == CHUNK_BYTES - BLOCK_BYTES ? CHUNK_END : 0), lanes);
    if (lanes == 8) compressEight(STATE, a + at, b + at, c + at, d + at, e + at, f + at, g + at, h + at);
    else compressFour(STATE, a + at, b + at, c + at, d + at);
  }
}

/** Parents: the jobs whose addresses stand at `list`. */
export function parentBatch(key: usize, list: usize, count: usize, lanes: usize): void {
  setKey(key, lanes);
  setRow(COUNTERS, 0, lanes);
  setRow(LENGTHS, 64, lanes);
  for (let lane: usize = 0; lane < lanes; lane++) store<u32>(place(FLAGS, lane, lanes), jobFlags(laneJob(list, lane, count)));
  const a = laneSource(list, 0, count), b = laneSource(list, 1, count), c = laneSource(list, 2, count), d = laneSource(list, 3, count);
  const e = laneSource(list, 4, count), f = laneSource(list, 5, count), g = laneSource(list, 6, count), h = laneSource(list, 7, count);
  if (lanes == 8) compressEight(STATE, a, b, c, d, e, f, g, h);
  else compressFour(STATE, a, b, c, d);
  storeValues(list, count, lanes);
}

/** Where the input of a lane's job lies. */
// @ts-ignore: decorator
@inline
function laneSource(list: usize, lane: usize, count: usize): usize {
  return jobSource(laneJob(list, lane, count));
}

/** Chunks of any length up to 1024 bytes: the jobs whose addresses stand at `list`, the longest first. */
export function shortBatch(key: usize, list: usize, count: usize, lanes: usize): void {
  setKey(key, lanes);
  for (let lane: usize = 0; lane < lanes; lane++) {
    const job = laneJob(list, lane, count);
    store<u32>(place(COUNTERS, lane, lanes), jobCounter(job));
    padLastBlock(job, PADDED + BLOCK_BYTES * lane);
  }
  const blocks = blockCount(jobLength(load<u32>(list)));
  const common = blockCount(jobLength(load<u32>(list + 4 * (count - 1)))) - 1;
  compressFullBlocks(list, count, common, lanes);
  for (let block = common; block < blocks; block++) {
    for (let lane: usize = 0; lane < lanes; lane++) setBlock(laneJob(list, lane, count), lane, block, lanes);
    if (lanes == 4) compressFour(STATE, blockOf(0), blockOf(1), blockOf(2), blockOf(3));
    else compressEight(STATE, blockOf(0), blockOf(1), blockOf(2), blockOf(3), blockOf(4), blockOf(5), blockOf(6), blockOf(7));
    for (let lane: usize = 0; lane < count; lane++) {
      const job = load<u32>(list + 4 * lane);
      if (blockCount(jobLength(job)) == block + 1) takeLane(lane, jobTarget(job), lanes);
    }
  }
}

/** Blocks of a chunk: an empty one has one block. */
export function blockCount(length: u32): u32 {
  return length == 0 ? 1 : (length + 63) / 64;
}

/** Addresses of the lanes' current blocks, for shortBatch. */
const BLOCKS = memory.data(32, 16);

// @ts-ignore: decorator
@inline
function blockOf(lane: usize): usize {
  return load<u32>(BLOCKS + 4 * lane);
}

function padLastBlock(job: usize, target: usize): void {
  const length = jobLength(job), start = 64 * (blockCount(length) - 1);
  copyPadded(jobSource(job) + start, length - start, target);
}

/** Sets address, length and flags of block number `block` of a lane; a lane that is through compresses its last block again. */
function setBlock(job: usize, lane: usize, block: u32, lanes: usize): void {
  const length = jobLength(job), last = blockCount(length) - 1;
  let flags: u32 = KEYED_HASH | (block == 0 ? CHUNK_START : 0);
  let size: u32 = 64, address = jobSource(job) + 64 * block;
  if (block >= last) {
    flags |= CHUNK_END | jobFlags(job);
    size = length - 64 * last;
    address = PADDED + BLOCK_BYTES * lane;
  }
  store<u32>(BLOCKS + 4 * lane, <u32>address);
  store<u32>(place(LENGTHS, lane, lanes), size);
  store<u32>(place(FLAGS, lane, lanes), flags);
}

/** Writes the chaining value of one lane to `target`. */
function takeLane(lane: usize, target: usize, lanes: usize): void {
  for (let word: usize = 0; word < 8; word++) store<u32>(target + 4 * word, load<u32>(place(word, lane, lanes)));
}
