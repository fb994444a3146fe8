// A cheap estimate of how well bytes will compress. The definition stands in ../plain/probe.ts.

import { PROBE_HISTOGRAM, PROBE_TABLE } from "./memory-layout";

/** Bytes of the histogram sample: groups of 4 at even distances. */
const SAMPLE_GROUPS: u32 = 512;
const TABLE_ENTRIES: u32 = 2048;
const RUNS: u32 = 8;

// @ts-ignore: decorator
@inline
function slot(word: u32): usize {
  return PROBE_TABLE + 4 * <usize>((word * 0x9E3779B1) >> 21);
}

/** Sum of the squares of the counts of byte values in the sample, scaled: 255 for a flat histogram, less for a skewed one. */
function flatness(address: usize, length: u32): u32 {
  memory.fill(PROBE_HISTOGRAM, 0, 1024);
  const step = max<u32>(4, length / SAMPLE_GROUPS);
  let count: u32 = 0;
  for (let offset: u32 = 0; offset + 4 <= length; offset += step) {
    for (let i: u32 = 0; i < 4; i++) {
      const counter = PROBE_HISTOGRAM + 4 * <usize>load<u8>(address + offset + i);
      store<u32>(counter, load<u32>(counter) + 1);
    }
    count += 4;
  }
  let squares: u32 = 0;
  for (let value: usize = 0; value < 256; value++) {
    const n = load<u32>(PROBE_HISTOGRAM + 4 * value);
    squares += n * n;
  }
  const chance = count + count * (count - 1) / 256;
  return min<u32>(255, chance * 255 / squares);
}

/** Places of sampled runs whose four bytes stand also at a place of a lattice over the whole range. */
function repeats(address: usize, length: u32): u32 {
  const step = max<u32>(16, (length + 1023) / 1024);
  memory.fill(PROBE_TABLE, 0, 4 * TABLE_ENTRIES);
  for (let offset: u32 = 0; offset + 4 <= length; offset += step) store<u32>(slot(load<u32>(address + offset)), offset + 1);
  let found: u32 = 0;
  const gap = length / RUNS;
  for (let run: u32 = 0; run < RUNS; run++) {
    const end = min<u32>(run * gap + step, length - 3);
    for (let offset = run * gap; offset < end; offset++) {
      const word = load<u32>(address + offset);
      const place = load<u32>(slot(word));
      if (place != 0 && place != offset + 1 && load<u32>(address + place - 1) == word) found++;
    }
  }
  return found;
}

/** Estimate from 0 (shrinks to almost nothing) to 255 (random). */
export function estimate(address: usize, length: u32): u32 {
  if (length < 64) return 0;
  const flat = flatness(address, length);
  const cost: u32 = 16 * repeats(address, length);
  return flat > cost ? flat - cost : 0;
}
