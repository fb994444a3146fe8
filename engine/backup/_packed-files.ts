import type { ExpectedFile, FileOutcome } from './_files.ts';

/**
 * A batch of files and what became of them, as few flat arrays: posting one object for each of a hundred thousand files between threads would cost
 * more than reading them.
 */
export interface PackedFiles {
  readonly paths: Uint8Array;
  /** End of each path in `paths`. */
  readonly pathEnds: Uint32Array;
  /** Seven numbers for each file, see {@link packFiles}. */
  readonly numbers: Float64Array;
}

export interface PackedOutcomes {
  readonly starts: Float64Array;
  readonly extents: Uint32Array;
  readonly bytes: Float64Array;
  /** Those that have more to say than these numbers, by index. */
  readonly others: readonly { readonly index: number; readonly outcome: FileOutcome }[];
}

const numbersPerFile = 7;
const wordSize = 2 ** 32;

export function packFiles(files: readonly ExpectedFile[]): PackedFiles {
  const numbers = new Float64Array(files.length * numbersPerFile);
  files.forEach((file, index) => {
    const [high, low] =
      typeof file.inode === 'number'
        ? [Math.floor(file.inode / wordSize), file.inode % wordSize]
        : [Number(file.inode >> 32n), Number(file.inode & 0xffffffffn)];
    const { size, modifiedSeconds, modifiedNanoseconds, changedSeconds, changedNanoseconds } = file;
    numbers.set([size, high, low, modifiedSeconds, modifiedNanoseconds, changedSeconds, changedNanoseconds], index * numbersPerFile);
  });
  const pathEnds = new Uint32Array(files.length);
  let end = 0;
  files.forEach(({ path }, index) => {
    pathEnds[index] = end += path.length;
  });
  const paths = new Uint8Array(end);
  files.forEach(({ path }, index) => {
    paths.set(path, pathEnds[index]! - path.length);
  });
  return { paths, pathEnds, numbers };
}

export function unpackFile({ paths, pathEnds, numbers }: PackedFiles, index: number): ExpectedFile {
  const at = index * numbersPerFile;
  const high = numbers[at + 1]!;
  return {
    path: paths.subarray(index === 0 ? 0 : pathEnds[index - 1]!, pathEnds[index]!),
    size: numbers[at]!,
    inode: high < 2 ** 21 ? high * wordSize + numbers[at + 2]! : (BigInt(high) << 32n) | BigInt(numbers[at + 2]!),
    modifiedSeconds: numbers[at + 3]!,
    modifiedNanoseconds: numbers[at + 4]!,
    changedSeconds: numbers[at + 5]!,
    changedNanoseconds: numbers[at + 6]!,
  };
}

export function packOutcomes(outcomes: readonly FileOutcome[]): PackedOutcomes {
  const others: { index: number; outcome: FileOutcome }[] = [];
  outcomes.forEach((outcome, index) => {
    if (outcome.metadata !== undefined || outcome.extras !== undefined || outcome.error !== undefined) others.push({ index, outcome });
  });
  return {
    starts: Float64Array.from(outcomes, ({ start }) => start),
    extents: Uint32Array.from(outcomes, ({ extents }) => extents),
    bytes: Float64Array.from(outcomes, ({ bytes }) => bytes),
    others,
  };
}

export function unpackOutcomes({ starts, extents, bytes, others }: PackedOutcomes): FileOutcome[] {
  const outcomes = Array.from(
    extents,
    (count, index): FileOutcome => ({
      start: starts[index]!,
      extents: count,
      bytes: bytes[index]!,
      metadata: undefined,
      extras: undefined,
      error: undefined,
    }),
  );
  for (const { index, outcome } of others) outcomes[index] = outcome;
  return outcomes;
}
