// How well will bytes compress? An estimate from samples: is the histogram of byte values flat, and does anything repeat?
//
// Most data show it at a glance (512 bytes). The rest gets a larger sample and a search for repetitions: every n-th place is put into a table
// (a lattice), and runs of n consecutive places are looked up there. Whatever repeats at any distance with a length of n + 4 is met once by a run.

const SMALLEST_SIZE_BYTES = 64;
/** Groups of four bytes that the histograms are made of. */
const FEW_GROUPS = 128;
const MANY_GROUPS = 512;
/** A glance below this decides. */
const CLEARLY_COMPRESSIBLE = 170;
const LATTICE_POINTS = 1024;
const TABLE_ENTRIES = 2048;
const RUNS = 16;
/** What a run with a repetition takes from the estimate. */
const RUN_COST = 3;

/** Estimate from 0 (shrinks to almost nothing) to 255 (random). Less than 64 bytes: 0. */
export function estimate(bytes: Uint8Array): number {
  if (bytes.length < SMALLEST_SIZE_BYTES) return 0;
  const glance = flatness(bytes, FEW_GROUPS);
  if (glance < CLEARLY_COMPRESSIBLE) return glance;
  return Math.max(0, flatness(bytes, MANY_GROUPS) - RUN_COST * repeatedRuns(bytes));
}

/** 255 for a histogram of byte values as flat as chance makes it, less for a skewed one: the ratio of sums of squares. */
function flatness(bytes: Uint8Array, groups: number): number {
  const histogram = new Uint32Array(256);
  // An odd step: records of even size are sampled at all their places.
  const step = Math.max(4, Math.floor(bytes.length / groups)) | 1;
  let count = 0;
  for (let offset = 0; offset + 4 <= bytes.length; offset += step) {
    for (const byte of bytes.subarray(offset, offset + 4)) histogram[byte]!++;
    count += 4;
  }
  const squares = histogram.reduce((sum, n) => sum + n * n, 0);
  const chance = count + Math.floor((count * (count - 1)) / 256);
  return Math.min(255, Math.floor((chance * 255) / squares));
}

/** How many of 16 short runs hold four bytes that stand also at a point of a lattice over all bytes. */
function repeatedRuns(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const step = Math.max(16, Math.ceil(bytes.length / LATTICE_POINTS));
  const table = new Uint32Array(TABLE_ENTRIES);
  const slot = (word: number): number => Math.imul(word, 0x9e3779b1) >>> 21;
  for (let offset = 0; offset + 4 <= bytes.length; offset += step) table[slot(view.getUint32(offset, true))] = offset + 1;
  const isRepeated = (offset: number): boolean => {
    const word = view.getUint32(offset, true);
    const place = table[slot(word)]!;
    return place !== 0 && place !== offset + 1 && view.getUint32(place - 1, true) === word;
  };
  let found = 0;
  for (let run = 0; run < RUNS; run++) {
    const start = run * Math.floor(bytes.length / RUNS);
    const end = Math.min(start + step, bytes.length - 3);
    for (let offset = start; offset < end; offset++) {
      if (!isRepeated(offset)) continue;
      found++;
      break;
    }
  }
  return found;
}
