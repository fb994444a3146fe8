// Where files are cut: the definition, as a function of the whole file. The incremental cutter is tested against it.
//
// A position p separates byte p - 1 from byte p. Everything is decided by the bytes near p, so that any part of a file can be cut alone:
// a hit by the 32 bytes before it, a candidate and its value by 64, a natural cut by 64 + horizon before and horizon after, a forced cut by a grid more.

import type { CuttingParameters } from '../cutting.ts';
import { keyedBlake3 } from './blake3.ts';

/** Pairs of 16 bit little endian words, by their distances before the position; the factor of their difference. */
export const FILTER_TERMS = [
  [2, 6, 0x72b1],
  [16, 27, 0xb277],
  [14, 21, 0x985b],
  [10, 32, 0xb0ad],
] as const;
/** The sum modulo 2^16 is a hit if its bits under the mask are these. */
export const FILTER_MASK = 0xfff0;
export const FILTER_MATCH = 0xfe00;
/** Bytes before a position that the filter reads. */
export const REACH_BYTES = 32;
/** A hit is a candidate if none of so many positions before it is a hit. */
export const ISOLATION_BYTES = 32;
/** Bytes before a position that its value is made of: REACH_BYTES + ISOLATION_BYTES. */
export const WINDOW_BYTES = 64;

/** A position that may become a natural cut. */
export interface Candidate {
  readonly position: number;
  readonly value: bigint;
}

/** Is position p a hit of the filter? False for p < REACH_BYTES. */
export function isHit(bytes: Uint8Array, position: number): boolean {
  if (position < REACH_BYTES) return false;
  let sum = 0;
  const word = (distance: number): number => bytes[position - distance]! + 256 * bytes[position - distance + 1]!;
  for (const [near, far, factor] of FILTER_TERMS) sum += (word(near) - word(far)) * factor;
  return (sum & FILTER_MASK) === FILTER_MATCH;
}

/** Is position p a candidate: a hit with a whole window before it and no hit shortly before it? */
export function isCandidate(bytes: Uint8Array, position: number): boolean {
  if (position < WINDOW_BYTES || !isHit(bytes, position)) return false;
  for (let before = position - ISOLATION_BYTES; before < position; before++) if (isHit(bytes, before)) return false;
  return true;
}

/** The value of a candidate: the first eight bytes, little endian, of keyed BLAKE3 of its window. */
export function candidateValue(bytes: Uint8Array, options: { position: number; cutKey: Uint8Array }): bigint {
  const { position, cutKey } = options;
  const name = keyedBlake3(cutKey, bytes.subarray(position - WINDOW_BYTES, position));
  return new DataView(name.buffer).getBigUint64(0, true);
}

/** All candidates of a file. */
export function candidatesOf(file: Uint8Array, cutKey: Uint8Array): Candidate[] {
  const candidates: Candidate[] = [];
  for (let position = WINDOW_BYTES; position <= file.length; position++) {
    if (isCandidate(file, position)) candidates.push({ position, value: candidateValue(file, { position, cutKey }) });
  }
  return candidates;
}

/** All cuts of a file, ascending. */
export function cutsOf(file: Uint8Array, options: { cutKey: Uint8Array; cutting: CuttingParameters }): number[] {
  const { cutKey, cutting } = options;
  const natural = naturalCuts(candidatesOf(file, cutKey), { fileSize: file.length, horizon: cutting.horizonBytes });
  const forced = forcedCuts(natural, { fileSize: file.length, cutting });
  return [...natural, ...forced].sort((a, b) => a - b);
}

/** Candidates greater than all in the horizon before them and not less than any in the horizon after them, a horizon from both ends of the file. */
export function naturalCuts(candidates: readonly Candidate[], options: { fileSize: number; horizon: number }): number[] {
  const { fileSize, horizon } = options;
  return candidates
    .filter(
      ({ position, value }) =>
        position >= horizon &&
        fileSize - position >= horizon &&
        candidates.every(
          (other) =>
            other.position === position ||
            Math.abs(other.position - position) > horizon ||
            (other.position < position ? other.value < value : other.value <= value),
        ),
    )
    .map(({ position }) => position);
}

/** Multiples of the grid, a horizon before the end of the file, with no natural cut nearer than a grid. */
export function forcedCuts(natural: readonly number[], options: { fileSize: number; cutting: CuttingParameters }): number[] {
  const {
    fileSize,
    cutting: { horizonBytes, gridBytes },
  } = options;
  const cuts: number[] = [];
  for (let position = gridBytes; fileSize - position >= horizonBytes; position += gridBytes) {
    if (natural.every((cut) => Math.abs(cut - position) >= gridBytes)) cuts.push(position);
  }
  return cuts;
}
