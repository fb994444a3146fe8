// Queues of independent compressions. Chunks of many inputs wait here until there are enough of them to fill the lanes.
//
// Invariant: each queue has room for 2048 jobs; those who add count (see blake3-tree.ts and cut-filter.ts).

import { CHUNK_BYTES, KEYED_HASH, PARENT } from "./blake3-constants";
import { jobCounter, jobFlags, jobLength, jobSource, jobTarget, setJob } from "./blake3-job";
import { blockCount, parentBatch, shortBatch, wholeBatch } from "./blake3-lanes";
import { chunkByRows, parentByRows } from "./blake3-rows";
import { BUCKETS, JOBS, ORDER, SHORT_JOBS } from "./memory-layout";

const JOB_BYTES: usize = 16;
const MOST_BLOCKS: usize = 16;

let widest: usize = 4;
let jobCount: usize = 0;
let shortCount: usize = 0;

/** Sets the number of lanes to 4 or 8. Results do not depend on it. */
export function useLanes(lanes: usize): void {
  widest = lanes;
}

/** Adds a chunk of 1024 bytes that is not an input of its own. */
// @ts-ignore: decorator
@inline
export function addWhole(source: usize, counter: u32, target: usize): void {
  setJob(JOBS + JOB_BYTES * jobCount++, source, counter, target, <u32>CHUNK_BYTES, 0);
}

/** Adds a chunk of up to 1024 bytes; `flags` go with its last block. */
// @ts-ignore: decorator
@inline
export function addShort(source: usize, length: u32, counter: u32, target: usize, flags: u32): void {
  setJob(SHORT_JOBS + JOB_BYTES * shortCount++, source, counter, target, length, flags);
}

/** Adds the parent of the two chaining values at `source`. Shares its queue with the whole chunks, of which there must be none. */
// @ts-ignore: decorator
@inline
export function addParent(source: usize, target: usize, flags: u32): void {
  setJob(JOBS + JOB_BYTES * jobCount++, source, 0, target, 64, KEYED_HASH | PARENT | flags);
}

/** Compresses whole chunks as long as they fill 8 or 4 lanes. The rest goes with the short ones, whose batches may mix lengths. */
export function runWhole(key: usize): void {
  listInOrder(jobCount);
  let full = jobCount - (jobCount % widest);
  for (let done: usize = 0; done < full; done += widest) wholeBatch(key, ORDER + 4 * done, widest);
  if (jobCount - full == 4) {
    wholeBatch(key, ORDER + 4 * full, 4);
    full += 4;
  }
  for (let index = full; index < jobCount; index++) {
    const job = JOBS + JOB_BYTES * index;
    addShort(jobSource(job), <u32>CHUNK_BYTES, jobCounter(job), jobTarget(job), 0);
  }
  jobCount = 0;
}

/** Number of lanes of the next batch, if so many jobs are left; 1 means: by rows. */
// @ts-ignore: decorator
@inline
function batchLanes(left: usize): usize {
  return left == 1 ? 1 : left > 4 ? widest : 4;
}

/** Compresses all parents. */
export function runParents(key: usize): void {
  listInOrder(jobCount);
  for (let done: usize = 0; done < jobCount;) {
    const left = jobCount - done, lanes = batchLanes(left), list = ORDER + 4 * done;
    if (lanes == 1) {
      const job = load<u32>(list);
      parentByRows(key, jobSource(job), jobTarget(job), jobFlags(job));
    } else if (lanes == 4) parentBatch(key, list, min(left, 4), 4);
    else parentBatch(key, list, min(left, 8), 8);
    done += lanes;
  }
  jobCount = 0;
}

/** Compresses all short chunks, the longest first, so that those of one batch are about as long as each other. */
export function runShort(key: usize): void {
  if (shortCount > 1) listByLength();
  else store<u32>(ORDER, <u32>SHORT_JOBS);
  for (let done: usize = 0; done < shortCount;) {
    const left = shortCount - done, lanes = batchLanes(left), list = ORDER + 4 * done;
    if (lanes == 1) {
      const job = load<u32>(list);
      chunkByRows(key, jobSource(job), jobLength(job), jobTarget(job), jobCounter(job), jobFlags(job));
    } else if (lanes == 4) shortBatch(key, list, min(left, 4), 4);
    else shortBatch(key, list, min(left, 8), 8);
    done += lanes;
  }
  shortCount = 0;
}

function listInOrder(count: usize): void {
  for (let index: usize = 0; index < count; index++) store<u32>(ORDER + 4 * index, <u32>(JOBS + JOB_BYTES * index));
}

/** Counting sort of the short jobs by their number of blocks, descending. */
function listByLength(): void {
  memory.fill(BUCKETS, 0, 4 * (MOST_BLOCKS + 1));
  for (let index: usize = 0; index < shortCount; index++) takePlace(index);
  let start: u32 = 0;
  for (let blocks = MOST_BLOCKS; blocks > 0; blocks--) {
    const bucket = BUCKETS + 4 * blocks, size = load<u32>(bucket);
    store<u32>(bucket, start);
    start += size;
  }
  for (let index: usize = 0; index < shortCount; index++) store<u32>(ORDER + 4 * <usize>takePlace(index), <u32>(SHORT_JOBS + JOB_BYTES * index));
}

/** Gives the counter of the bucket of a short job, and increments it. */
function takePlace(index: usize): u32 {
  const bucket = BUCKETS + 4 * <usize>blockCount(jobLength(SHORT_JOBS + JOB_BYTES * index));
  const before = load<u32>(bucket);
  store<u32>(bucket, before + 1);
  return before;
}
