// A cheap estimate of how well bytes will compress. The definition stands in ../plain/probe.ts.

import { PROBE_HISTOGRAM, PROBE_TABLE } from "./memory-layout";

const SMALLEST: u32 = 64;
const FEW_GROUPS: u32 = 128;
const MANY_GROUPS: u32 = 512;
const CLEARLY_COMPRESSIBLE: u32 = 170;
const LATTICE_POINTS: u32 = 1024;
const TABLE_ENTRIES: usize = 2048;
const RUNS: u32 = 16;
const RUN_COST: u32 = 3;

/** Estimate from 0 (shrinks to almost nothing) to 255 (random). */
export function estimate(address: usize, length: u32): u32 {
  if (length < SMALLEST) return 0;
  const glance = flatness(address, length, FEW_GROUPS);
  if (glance < CLEARLY_COMPRESSIBLE) return glance;
  const flat = flatness(address, length, MANY_GROUPS);
  const cost = RUN_COST * repeatedRuns(address, length);
  return flat - min(flat, cost);
}

/** 255 for a histogram of byte values as flat as chance makes it, less for a skewed one. */
function flatness(address: usize, length: u32, groups: u32): u32 {
  memory.fill(PROBE_HISTOGRAM, 0, 1024);
  const step = max<u32>(4, length / groups) | 1;
  let count: u32 = 0;
  for (let offset: u32 = 0; offset + 4 <= length; offset += step) {
    const word = load<u32>(address + offset);
    increment(word & 255);
    increment((word >> 8) & 255);
    increment((word >> 16) & 255);
    increment(word >> 24);
    count += 4;
  }
  const chance = count + (count * (count - 1)) / 256;
  return min<u32>(255, (chance * 255) / sumOfSquares());
}

// @ts-ignore: decorator
@inline
function increment(byte: u32): void {
  const counter = PROBE_HISTOGRAM + 4 * <usize>byte;
  store<u32>(counter, load<u32>(counter) + 1);
}

function sumOfSquares(): u32 {
  let sums = i32x4.splat(0);
  for (let offset: usize = 0; offset < 1024; offset += 16) {
    const counts = v128.load(PROBE_HISTOGRAM + offset);
    sums = i32x4.add(sums, i32x4.mul(counts, counts));
  }
  return i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
}

// @ts-ignore: decorator
@inline
function slot(word: u32): usize {
  return PROBE_TABLE + 4 * <usize>((word * 0x9E3779B1) >> 21);
}

/** How many of 16 short runs hold four bytes that stand also at a point of a lattice over the whole range. */
function repeatedRuns(address: usize, length: u32): u32 {
  const step = max<u32>(16, (length + LATTICE_POINTS - 1) / LATTICE_POINTS);
  memory.fill(PROBE_TABLE, 0, 4 * TABLE_ENTRIES);
  for (let offset: u32 = 0; offset + 4 <= length; offset += step) store<u32>(slot(load<u32>(address + offset)), offset + 1);
  let found: u32 = 0;
  for (let run: u32 = 0; run < RUNS; run++) {
    const start = run * (length / RUNS);
    if (hasRepeat(address, start, min<u32>(start + step, length - 3))) found++;
  }
  return found;
}

function hasRepeat(address: usize, start: u32, end: u32): bool {
  for (let offset = start; offset < end; offset++) {
    const word = load<u32>(address + offset), place = load<u32>(slot(word));
    if (place != 0 && place != offset + 1 && load<u32>(address + place - 1) == word) return true;
  }
  return false;
}
