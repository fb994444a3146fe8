// The parameters of cutting, and what follows from them for those who cut.

/** Bytes before a position that decide whether it is a candidate, and with which value. */
export const WINDOW_BYTES = 64;

/** How files are cut. A repository fixes both for its life, else nothing deduplicates. */
export interface CuttingParameters {
  /** A natural cut is the greatest candidate so far to both sides; about half of the mean chunk size. At least 64. */
  readonly horizonBytes: number;
  /** Stretches without natural cuts are cut at multiples of this file offset; chunks are shorter than three times this. At least horizonBytes. */
  readonly gridBytes: number;
}

/** How far before a segment the cutter must begin. */
export function warmUpBytes(cutting: CuttingParameters): number {
  return WINDOW_BYTES + cutting.horizonBytes + cutting.gridBytes;
}

/** A cut at p has been given at the latest when the bytes up to p + lookAheadBytes have been fed. */
export function lookAheadBytes(cutting: CuttingParameters): number {
  return cutting.horizonBytes + cutting.gridBytes;
}

/** Smaller files have no cut. */
export function smallestCutSizeBytes(cutting: CuttingParameters): number {
  return Math.min(2 * cutting.horizonBytes, cutting.gridBytes + cutting.horizonBytes);
}

/** Throws a RangeError for parameters that can't cut. */
export function checkCutting(cutting: CuttingParameters): void {
  const { horizonBytes, gridBytes } = cutting;
  const largest = 2 ** 24;
  if (!Number.isInteger(horizonBytes) || horizonBytes < WINDOW_BYTES || horizonBytes > largest) {
    throw new RangeError(`horizonBytes is ${horizonBytes}; it must be an integer from ${WINDOW_BYTES} to ${largest}`);
  }
  if (!Number.isInteger(gridBytes) || gridBytes < horizonBytes || gridBytes > largest) {
    throw new RangeError(`gridBytes is ${gridBytes}; it must be an integer from horizonBytes (${horizonBytes}) to ${largest}`);
  }
}
