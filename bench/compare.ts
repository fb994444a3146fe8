/** Proves that a restore brought the files back: all of them by count, size and kind, a sample of them by their bytes. */
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';

const sampleFiles = 1000;
const pieceBytes = 4 * 2 ** 20;

/** What differs first; undefined if nothing does. */
export function findDifference(source: string, target: string): string | undefined {
  const files: string[] = [];
  const problem = compareFolders({ source, target, path: '' }, files);
  if (problem !== undefined) return problem;
  const step = Math.max(1, files.length / sampleFiles);
  for (let position = 0; position < files.length; position += step) {
    const path = files[Math.floor(position)]!;
    if (!haveSameBytes(join(source, path), join(target, path))) return `${path} has other bytes`;
  }
  return undefined;
}

interface Pair {
  readonly source: string;
  readonly target: string;
  /** Relative to both. */
  readonly path: string;
}

/** Adds the regular files of the source to `files`. */
function compareFolders(pair: Pair, files: string[]): string | undefined {
  const sourceEntries = readdirSync(join(pair.source, pair.path), { withFileTypes: true });
  const targetNames = new Set(readdirSync(join(pair.target, pair.path)));
  const missing = sourceEntries.find(({ name }) => !targetNames.has(name));
  if (missing !== undefined) return `${join(pair.path, missing.name)} is missing`;
  if (targetNames.size !== sourceEntries.length)
    return `${pair.path || 'the top folder'} has ${targetNames.size} entries instead of ${sourceEntries.length}`;
  for (const entry of sourceEntries) {
    const path = join(pair.path, entry.name);
    const problem = entry.isDirectory() ? compareFolders({ ...pair, path }, files) : compareEntry({ ...pair, path });
    if (problem !== undefined) return problem;
    if (entry.isFile()) files.push(path);
  }
  return undefined;
}

function compareEntry({ source, target, path }: Pair): string | undefined {
  const [before, after] = [lstatSync(join(source, path)), lstatSync(join(target, path))];
  if (before.isFile() && after.isFile())
    return before.size === after.size ? undefined : `${path} has ${after.size} bytes instead of ${before.size}`;
  if (!before.isSymbolicLink() || !after.isSymbolicLink()) return `${path} is of another kind`;
  return readlinkSync(join(source, path)) === readlinkSync(join(target, path)) ? undefined : `${path} points elsewhere`;
}

function haveSameBytes(first: string, second: string): boolean {
  const [a, b] = [openSync(first, 'r'), openSync(second, 'r')];
  const [piece, otherPiece] = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)];
  try {
    for (;;) {
      const [size, otherSize] = [readSync(a, piece), readSync(b, otherPiece)];
      if (size !== otherSize || !piece.subarray(0, size).equals(otherPiece.subarray(0, size))) return false;
      if (size === 0) return true;
    }
  } finally {
    closeSync(a);
    closeSync(b);
  }
}
