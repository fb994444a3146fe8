// Candidates for cuts: a public linear filter over the 32 bytes before a position, then isolation, then a keyed value.
// The definition stands in ../plain/cut-definition.ts; this file does the same 32 positions at a time.

import { ROOT, VALUE_BYTES } from "./blake3-constants";
import { addShort, runShort } from "./blake3-queue";
import { CANDIDATES, CANDIDATE_VALUES, JOINT, KEYS } from "./memory-layout";

/** Bytes before a position that decide whether it is a candidate, and that its value is made of. */
const WINDOW: i32 = 64;
/** Bytes before a position that the filter reads. */
const REACH: i32 = 32;
/** A hit of the filter is a candidate if the positions so many before it are no hits. */
const ISOLATION: i32 = 32;

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

// Factors, mask and match in memory: V8 would build constants anew in each turn of the loop.
const FACTORS = memory.data<u16>([
  0x72B1, 0x72B1, 0x72B1, 0x72B1, 0x72B1, 0x72B1, 0x72B1, 0x72B1, 0xB277, 0xB277, 0xB277, 0xB277, 0xB277, 0xB277, 0xB277, 0xB277,
  0x985B, 0x985B, 0x985B, 0x985B, 0x985B, 0x985B, 0x985B, 0x985B, 0xB0AD, 0xB0AD, 0xB0AD, 0xB0AD, 0xB0AD, 0xB0AD, 0xB0AD, 0xB0AD,
  0xFFF0, 0xFFF0, 0xFFF0, 0xFFF0, 0xFFF0, 0xFFF0, 0xFFF0, 0xFFF0, 0xFE00, 0xFE00, 0xFE00, 0xFE00, 0xFE00, 0xFE00, 0xFE00, 0xFE00,
], 16);

/**
 * Which of a position and the seven that follow it at distances of two are hits. `start` is the address REACH bytes before the position.
 * Each term is a difference of words, so that constant bytes give zero, times a factor.
 */
// @ts-ignore: decorator
@inline
function hits(start: usize, factorA: v128, factorB: v128, factorC: v128, factorD: v128, mask: v128, match: v128): v128 {
  const a = i16x8.mul(i16x8.sub(v128.load(start, 30), v128.load(start, 26)), factorA);
  const b = i16x8.mul(i16x8.sub(v128.load(start, 16), v128.load(start, 5)), factorB);
  const c = i16x8.mul(i16x8.sub(v128.load(start, 18), v128.load(start, 11)), factorC);
  const d = i16x8.mul(i16x8.sub(v128.load(start, 22), v128.load(start, 0)), factorD);
  return i16x8.eq(v128.and(i16x8.add(i16x8.add(a, b), i16x8.add(c, d)), mask), match);
}

/** The same for the positions 16 further on. Its own function, since V8 fuses only loads whose offsets are constants. */
// @ts-ignore: decorator
@inline
function nextHits(start: usize, factorA: v128, factorB: v128, factorC: v128, factorD: v128, mask: v128, match: v128): v128 {
  const a = i16x8.mul(i16x8.sub(v128.load(start, 46), v128.load(start, 42)), factorA);
  const b = i16x8.mul(i16x8.sub(v128.load(start, 32), v128.load(start, 21)), factorB);
  const c = i16x8.mul(i16x8.sub(v128.load(start, 34), v128.load(start, 27)), factorC);
  const d = i16x8.mul(i16x8.sub(v128.load(start, 38), v128.load(start, 16)), factorD);
  return i16x8.eq(v128.and(i16x8.add(i16x8.add(a, b), i16x8.add(c, d)), mask), match);
}

/** Spreads the eight low bits of x over the even bits. */
function spread(x: i32): i32 {
  x = (x | (x << 4)) & 0x0F0F;
  x = (x | (x << 2)) & 0x3333;
  return (x | (x << 1)) & 0x5555;
}

/** Scans the positions first..last, counted from the start of the piece; position 0 is at address `start`, `base` positions were scanned. */
function scanPositions(start: usize, first: i32, last: i32, base: i32): void {
  const a = v128.load(FACTORS), b = v128.load(FACTORS, 16), c = v128.load(FACTORS, 32), d = v128.load(FACTORS, 48);
  const mask = v128.load(FACTORS, 64), match = v128.load(FACTORS, 80);
  let lastHit = base - distance;
  for (let position = first; position <= last; position += 32) {
    const from = start + position - REACH;
    // Sums rather than ors: V8 fuses the halves to vectors of 256 bits if it may.
    const even = i32x4.add(hits(from, a, b, c, d, mask, match), nextHits(from, a, b, c, d, mask, match));
    const odd = i32x4.add(hits(from + 1, a, b, c, d, mask, match), nextHits(from + 1, a, b, c, d, mask, match));
    if (v128.any_true(v128.or(even, odd))) lastHit = scanHits(start, position, last, lastHit, WINDOW - seen + base);
  }
  distance = min(last - lastHit, ISOLATION + 1);
  seen = min(seen + last - base, WINDOW);
}

/** Bit i is set if the i-th position after the one that the filter reads from `from` on is a hit, for 16 positions. */
function hitBits(from: usize): i32 {
  const a = v128.load(FACTORS), b = v128.load(FACTORS, 16), c = v128.load(FACTORS, 32), d = v128.load(FACTORS, 48);
  const mask = v128.load(FACTORS, 64), match = v128.load(FACTORS, 80);
  return spread(i16x8.bitmask(hits(from, a, b, c, d, mask, match))) | (spread(i16x8.bitmask(hits(from + 1, a, b, c, d, mask, match))) << 1);
}

/** Takes the hits among the 32 positions from `position` on, as far as `last`. Gives the last hit so far. */
function scanHits(start: usize, position: i32, last: i32, lastHit: i32, firstCandidate: i32): i32 {
  const from = start + position - REACH;
  let bits = hitBits(from) | (hitBits(from + 16) << 16);
  if (last - position < 31) bits &= (2 << (last - position)) - 1;
  for (; bits != 0; bits &= bits - 1) {
    const hit = position + ctz(bits);
    if (hit - lastHit > ISOLATION && hit >= firstCandidate) takeCandidate(start, hit);
    lastHit = hit;
  }
  return lastHit;
}

function takeCandidate(start: usize, position: i32): void {
  store<u32>(CANDIDATES + 4 * found, position);
  addShort(start + position - WINDOW, <u32>WINDOW, 0, CANDIDATE_VALUES + VALUE_BYTES * found, ROOT);
  found++;
}

/**
 * Scans the next `length` bytes (at most 64 KiB) at `address`. Gives the number of candidates; their positions are counted from the start of
 * these bytes.
 */
export function scanFeed(address: usize, length: i32): i32 {
  found = 0;
  const joined = min(length, WINDOW);
  memory.copy(JOINT + WINDOW, address, joined);
  scanPositions(JOINT + WINDOW, max(1, REACH - seen), joined, 0);
  if (length > WINDOW) scanPositions(address, joined + 1, length, joined);
  runShort(CUT_KEY);
  if (length >= WINDOW) memory.copy(JOINT, address + length - WINDOW, WINDOW);
  else memory.copy(JOINT, JOINT + length, WINDOW);
  return <i32>found;
}
