// Candidates for cuts: a public linear filter over the 16 bytes before a position, then isolation, then a keyed value.
// The definition stands in ../plain/cut-definition.ts; this file does the same sixteen positions at a time.

import { CHUNK_END, CHUNK_START, KEYED_HASH, ROOT } from "./blake3-constants";
import { compressRows } from "./blake3-rows";
import { CANDIDATES, JOINT, KEYS } from "./memory-layout";

/** Bytes before a position that decide whether it is a candidate, and that its value is made of. */
const WINDOW: i32 = 64;
/** Bytes before a position that the filter reads. */
const REACH: i32 = 16;
/** A hit of the filter is a candidate if the positions so many before it are no hits. */
const ISOLATION: i32 = 48;

const CUT_KEY: usize = KEYS + 64;

/** Bytes fed since begin, not counted beyond WINDOW. */
let seen: i32 = 0;
/** Distance from the last hit to the end of what was fed, not counted beyond ISOLATION + 1. */
let distance: i32 = 0;
/** Candidates found by the current call. */
let found: usize = 0;

export function scanBegin(): void {
  seen = 0;
  distance = ISOLATION + 1;
}

// @ts-ignore: decorator
@inline
function hits(p: usize): v128 {
  const sum = i16x8.add(
    i16x8.add(i16x8.mul(v128.load(p - 2), i16x8.splat(<i16>0x9E37)), i16x8.mul(v128.load(p - 5), i16x8.splat(<i16>0x79B9))),
    i16x8.add(i16x8.mul(v128.load(p - 9), i16x8.splat(<i16>0x5851)), i16x8.mul(v128.load(p - 16), i16x8.splat(<i16>0x8FBF))));
  return i16x8.eq(v128.and(sum, i16x8.splat(<i16>0xFFF0)), i16x8.splat(<i16>0x5A50));
}

/** Spreads the eight low bits of x over the even bits. */
// @ts-ignore: decorator
@inline
function spread(x: i32): i32 {
  x = (x | (x << 4)) & 0x0F0F;
  x = (x | (x << 2)) & 0x3333;
  return (x | (x << 1)) & 0x5555;
}

/** Takes a hit at `place`, `relative` positions after the start of the piece (its first byte lies before position 1). */
function takeHit(address: usize, relative: i32, lastHit: i32, enough: bool): void {
  if (relative - lastHit <= ISOLATION || !enough) return;
  const entry = CANDIDATES + 16 * found;
  const value = CANDIDATES + 16 * found + 16;
  v128.store(value, v128.load(CUT_KEY));
  v128.store(value, v128.load(CUT_KEY, 16), 16);
  compressRows(value, address - WINDOW, 0, 64, KEYED_HASH | CHUNK_START | CHUNK_END | ROOT);
  store<u64>(entry, <u64>relative);
  store<u64>(entry, load<u64>(value), 8);
  found++;
}

/** Scans the positions first..last (relative to the start of the piece, whose byte 0 is at `start`). */
function scanPositions(start: usize, first: i32, last: i32, base: i32): void {
  let lastHit = base - distance;
  for (let p = first; p <= last; p += 16) {
    const even = hits(start + p), odd = hits(start + p + 1);
    if (!v128.any_true(v128.or(even, odd))) continue;
    let mask = spread(i16x8.bitmask(even)) | (spread(i16x8.bitmask(odd)) << 1);
    if (last - p < 15) mask &= (2 << (last - p)) - 1;
    for (; mask != 0; mask &= mask - 1) {
      const relative = p + ctz(mask);
      takeHit(start + relative, relative, lastHit, relative - base + seen >= WINDOW);
      lastHit = relative;
    }
  }
  distance = min(last - lastHit, ISOLATION + 1);
  seen = min(seen + last - base, WINDOW);
}

/**
 * Scans the next `length` bytes (at most 64 KiB) at `address`. Gives the number of candidates; they lie at CANDIDATES, positions relative to
 * the start of the piece.
 */
export function scanFeed(address: usize, length: i32): i32 {
  found = 0;
  const joined = min(length, WINDOW);
  memory.copy(JOINT + WINDOW, address, joined);
  const first = max(1, REACH - seen);
  scanPositions(JOINT + WINDOW, first, joined, 0);
  if (length > WINDOW) scanPositions(address, joined + 1, length, joined);
  if (length >= WINDOW) memory.copy(JOINT, address + length - WINDOW, WINDOW);
  else memory.copy(JOINT, JOINT + length, WINDOW);
  return <i32>found;
}
