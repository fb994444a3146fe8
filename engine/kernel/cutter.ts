// Content-defined cutting, incremental: candidates come in, decided cuts go out. The definition of cuts is in plain/cut-definition.ts.
//
// Invariants: candidates arrive in ascending order; cuts leave in ascending order; memory is bounded by horizonBytes / 33 candidates.

import assert from 'node:assert/strict';
import { CutDecider } from './cut-decider.ts';
import { type CuttingParameters, checkCutting, warmUpBytes } from './cutting.ts';

/**
 * Cuts one file at a time. A cut at p lies between bytes p - 1 and p of the file; 0 and the size of the file are never given.
 * A segment [a, b) of a file: begin(max(0, a - warmUpBytes)), feed up to min(fileSize, b + lookAheadBytes), finish only if that is the
 * end of the file; of the cuts given, those with a <= cut < b are the segment's.
 */
export interface Cutter {
  /** Starts at `fileOffset` of a file. Begun beyond 0, cuts before fileOffset + warmUpBytes are not given; all that are given are right. */
  begin(fileOffset: number): void;
  /** Takes the next bytes of the file and gives the cuts decided by them, ascending. The bytes may be overwritten afterwards. */
  feed(offset: number, length: number): number[];
  /** The end of the file is reached: gives the cuts that were still open. `begin` must come before the next feed. */
  finish(): number[];
}

/** Finds the candidates of consecutive bytes. One per kernel; the cutter drives it. */
export interface CandidateScanner {
  /** Forgets all bytes. */
  begin(): void;
  /** Scans the next bytes; calls `take` for each candidate with its position after the start of these bytes and its 64 bit value. */
  scan(offset: number, length: number, take: (position: number, high: number, low: number) => void): void;
}

/** Makes the cutter of a kernel from its scanner. */
export function createCutter(cutting: CuttingParameters, scanner: CandidateScanner): Cutter {
  checkCutting(cutting);
  const decider = new CutDecider(cutting);
  /** Offset in the file of the next byte; -1 between files. */
  let position = -1;
  let cuts: number[] = [];
  const take = (relative: number, high: number, low: number): void => decider.candidate(position + relative, { high, low, cuts });
  return {
    begin(fileOffset) {
      if (!Number.isSafeInteger(fileOffset) || fileOffset < 0)
        throw new RangeError(`fileOffset is ${fileOffset}; it must be an integer >= 0`);
      position = fileOffset;
      scanner.begin();
      decider.begin(fileOffset, fileOffset === 0 ? 0 : fileOffset + warmUpBytes(cutting));
    },
    feed(offset, length) {
      assert(position >= 0, 'begin comes before feed');
      cuts = [];
      scanner.scan(offset, length, take);
      position += length;
      decider.advance(position, cuts);
      return cuts;
    },
    finish() {
      assert(position >= 0, 'begin comes before finish');
      cuts = [];
      decider.finish(position, cuts);
      position = -1;
      return cuts;
    },
  };
}
