// Decides which candidates are cuts, and where cuts are forced, from candidates in ascending order.
//
// Invariants: `window` holds the candidates of the last horizon whose value no later one reaches, so values descend and its first is the
// greatest of the horizon. `champion` is the last candidate that was greater than all of the horizon before it and that no later
// one has beaten. `nextForced` is the first multiple of the grid that may still be a forced cut; it is at least a grid after the last natural one.

import type { CuttingParameters } from './cutting.ts';

const NONE = -1;

/** Rest of a candidate: its 64 bit value in two halves, and where decided cuts go. */
export interface CandidateOptions {
  readonly high: number;
  readonly low: number;
  readonly cuts: number[];
}

export class CutDecider {
  readonly #horizon: number;
  readonly #grid: number;
  readonly #window: CandidateWindow;
  #champion = NONE;
  #nextForced = 0;
  #firstGiven = 0;

  constructor(cutting: CuttingParameters) {
    this.#horizon = cutting.horizonBytes;
    this.#grid = cutting.gridBytes;
    this.#window = new CandidateWindow(cutting.horizonBytes);
  }

  /** Starts at `fileOffset`; cuts before `firstGiven` are decided but not given. */
  begin(fileOffset: number, firstGiven: number): void {
    this.#window.clear();
    this.#champion = NONE;
    this.#firstGiven = Math.max(firstGiven, this.#horizon);
    this.#nextForced = (Math.floor(fileOffset / this.#grid) + 1) * this.#grid;
  }

  /** Takes the next candidate. */
  candidate(position: number, options: CandidateOptions): void {
    const { high, low, cuts } = options;
    this.#settle(position - 1, cuts);
    this.#window.expire(position - this.#horizon);
    if (this.#window.isBelow(high, low)) this.#champion = position;
    this.#window.push(position, high, low);
  }

  /** All candidates up to `position` have been taken, and the file has at least that many bytes. */
  advance(position: number, cuts: number[]): void {
    this.#settle(position, cuts);
    const settled = position - this.#grid - this.#horizon + 1;
    while (this.#nextForced <= settled) this.#force(cuts);
  }

  /** The file ends at `fileSize`, up to which all candidates have been taken. */
  finish(fileSize: number, cuts: number[]): void {
    this.advance(fileSize, cuts);
    while (this.#nextForced <= fileSize - this.#horizon) this.#force(cuts);
    this.#champion = NONE;
  }

  /** No candidate up to `position` beats the champion: if that is its whole horizon, it is a natural cut. */
  #settle(position: number, cuts: number[]): void {
    const champion = this.#champion;
    if (champion === NONE || position < champion + this.#horizon) return;
    this.#champion = NONE;
    if (champion < this.#horizon) return;
    while (this.#nextForced <= champion - this.#grid) this.#force(cuts);
    while (this.#nextForced < champion + this.#grid) this.#nextForced += this.#grid;
    this.#give(champion, cuts);
  }

  #force(cuts: number[]): void {
    this.#give(this.#nextForced, cuts);
    this.#nextForced += this.#grid;
  }

  #give(cut: number, cuts: number[]): void {
    if (cut >= this.#firstGiven) cuts.push(cut);
  }
}

/** Descending values of the candidates within one horizon, in a ring. */
class CandidateWindow {
  readonly #mask: number;
  readonly #positions: Float64Array;
  readonly #highs: Uint32Array;
  readonly #lows: Uint32Array;
  #first = 0;
  #end = 0;

  constructor(horizonBytes: number) {
    // Candidates are at least 33 positions apart.
    const capacity = 2 ** Math.ceil(Math.log2(horizonBytes / 33 + 2));
    this.#mask = capacity - 1;
    this.#positions = new Float64Array(capacity);
    this.#highs = new Uint32Array(capacity);
    this.#lows = new Uint32Array(capacity);
  }

  clear(): void {
    this.#first = this.#end = 0;
  }

  /** Drops candidates before `position`. */
  expire(position: number): void {
    while (this.#first !== this.#end && this.#positions[this.#first & this.#mask]! < position) this.#first++;
  }

  /** True if all values are below the given one. */
  isBelow(high: number, low: number): boolean {
    return this.#first === this.#end || this.#isLess(this.#first, high, low);
  }

  /** Appends a candidate, dropping those that it reaches. */
  push(position: number, high: number, low: number): void {
    while (this.#first !== this.#end && !this.#isGreater(this.#end - 1, high, low)) this.#end--;
    const place = this.#end++ & this.#mask;
    this.#positions[place] = position;
    this.#highs[place] = high;
    this.#lows[place] = low;
  }

  #isLess(index: number, high: number, low: number): boolean {
    const otherHigh = this.#highs[index & this.#mask]!;
    return otherHigh < high || (otherHigh === high && this.#lows[index & this.#mask]! < low);
  }

  #isGreater(index: number, high: number, low: number): boolean {
    const otherHigh = this.#highs[index & this.#mask]!;
    return otherHigh > high || (otherHigh === high && this.#lows[index & this.#mask]! > low);
  }
}
