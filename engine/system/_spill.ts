/**
 * Sorted runs of names in a temporary file, merged while they are read: a folder with 50 million entries needs a few megabytes.
 *
 * The file has no name any more once it is open, so nothing is left behind whatever happens. A record is u8 length, u8 d_type, the name.
 */

import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LaganError } from '../../repo-format/mod.ts';
import type { NameBuffer } from './_name-sort.ts';
import { errnoOf, systemError } from './errno.ts';

const recordHeaderBytes = 2;
const writeBufferBytes = 262_144;
/** Read ahead for all runs together, and at least for each. */
const readAheadBytes = 4_194_304;
const minReadAheadBytes = 4096;
const O_TMPFILE = 0x40_0000 | constants.O_DIRECTORY;

/** Runs of sorted names in a file without a name. */
export class SpillFile {
  readonly #descriptor: number;
  readonly #runs: { start: number; end: number }[] = [];
  #size = 0;

  constructor(folder: string = tmpdir()) {
    this.#descriptor = openNameless(folder);
  }

  get runCount(): number {
    return this.#runs.length;
  }

  /** Writes the names in the given order as one more run. */
  write(names: NameBuffer, order: Uint32Array): void {
    const buffer = new Uint8Array(writeBufferBytes);
    const start = this.#size;
    let used = 0;
    for (const position of order) {
      const nameStart = names.startOf(position);
      const length = names.ends[position]! - nameStart;
      if (used + recordHeaderBytes + length > buffer.length) {
        this.#append(buffer.subarray(0, used));
        used = 0;
      }
      buffer[used] = length;
      buffer[used + 1] = names.types[position]!;
      buffer.set(names.bytes.subarray(nameStart, nameStart + length), used + recordHeaderBytes);
      used += recordHeaderBytes + length;
    }
    this.#append(buffer.subarray(0, used));
    this.#runs.push({ start, end: this.#size });
  }

  /** All names of all runs in order. */
  merge(): RunMerge {
    const size = Math.max(minReadAheadBytes, Math.floor(readAheadBytes / Math.max(1, this.#runs.length)));
    return new RunMerge(this.#runs.map((run) => new RunReader(this.#descriptor, run, size)));
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #append(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      try {
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, this.#size + done);
      } catch (error) {
        throw asSystemError(error, 'write the names of a large folder to a temporary file');
      }
    }
    this.#size += bytes.length;
  }
}

/** Reads one run; the current name lies in {@link bytes}. */
class RunReader {
  readonly bytes: Uint8Array;
  start = 0;
  end = 0;
  type = 0;
  readonly #descriptor: number;
  readonly #run: { start: number; end: number };
  #filled = 0;
  #next = 0;

  constructor(descriptor: number, run: { start: number; end: number }, size: number) {
    this.#descriptor = descriptor;
    this.#run = { ...run };
    this.bytes = new Uint8Array(size);
  }

  next(): boolean {
    if (!this.#have(recordHeaderBytes)) return false;
    const length = this.bytes[this.#next]!;
    if (!this.#have(recordHeaderBytes + length)) throw new LaganError('io', 'a temporary file of names ends too early');
    this.type = this.bytes[this.#next + 1]!;
    this.start = this.#next + recordHeaderBytes;
    this.end = this.start + length;
    this.#next = this.end;
    return true;
  }

  /** Makes sure that so many bytes lie at #next, if the run has them. */
  #have(count: number): boolean {
    if (this.#filled - this.#next >= count) return true;
    this.bytes.copyWithin(0, this.#next, this.#filled);
    this.#filled -= this.#next;
    this.#next = 0;
    while (this.#filled < count && this.#run.start < this.#run.end) {
      const wanted = Math.min(this.bytes.length - this.#filled, this.#run.end - this.#run.start);
      const read = this.#read(wanted);
      if (read === 0) break;
      this.#filled += read;
      this.#run.start += read;
    }
    return this.#filled >= count;
  }

  #read(wanted: number): number {
    try {
      return readSync(this.#descriptor, this.bytes, this.#filled, wanted, this.#run.start);
    } catch (error) {
      throw asSystemError(error, 'read the names of a large folder from a temporary file');
    }
  }
}

/** A heap of runs: the one with the least name is at the top. */
export class RunMerge {
  readonly #heap: RunReader[] = [];
  #isFirst = true;

  constructor(runs: RunReader[]) {
    for (const run of runs) if (run.next()) this.#heap.push(run);
    for (let index = (this.#heap.length >>> 1) - 1; index >= 0; index--) this.#sink(index);
  }

  /** Moves to the next name, which is then in {@link top}. */
  next(): boolean {
    if (this.#isFirst) this.#isFirst = false;
    else this.#advance();
    return this.#heap.length > 0;
  }

  get top(): { readonly bytes: Uint8Array; readonly start: number; readonly end: number; readonly type: number } {
    return this.#heap[0]!;
  }

  #advance(): void {
    if (this.#heap.length === 0) return;
    if (!this.#heap[0]!.next()) {
      const last = this.#heap.pop()!;
      if (this.#heap.length === 0) return;
      this.#heap[0] = last;
    }
    this.#sink(0);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const moving = heap[from]!;
    let hole = from;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && compareRuns(heap[child + 1]!, heap[child]!) < 0) child++;
      if (compareRuns(heap[child]!, moving) >= 0) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = moving;
  }
}

function compareRuns(left: RunReader, right: RunReader): number {
  const length = Math.min(left.end - left.start, right.end - right.start);
  for (let index = 0; index < length; index++) {
    const difference = left.bytes[left.start + index]! - right.bytes[right.start + index]!;
    if (difference !== 0) return difference;
  }
  return left.end - left.start - (right.end - right.start);
}

/** A file without a name: O_TMPFILE, or one whose name is removed at once where the file system lacks that. */
function openNameless(folder: string): number {
  try {
    return openSync(folder, O_TMPFILE | constants.O_RDWR, 0o600);
  } catch {
    // Below, with an error of its own if that fails too.
  }
  try {
    const own = mkdtempSync(join(folder, 'lagan-names-'));
    try {
      return openSync(join(own, 'names'), constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    } finally {
      rmSync(own, { recursive: true, force: true });
    }
  } catch (error) {
    throw asSystemError(error, 'create a temporary file for the names of a large folder in', folder);
  }
}

function asSystemError(error: unknown, attempt: string, path?: string): LaganError {
  const code = (error as NodeJS.ErrnoException).code ?? 'EIO';
  return systemError(errnoOf[code as keyof typeof errnoOf] ?? errnoOf.EIO, attempt, path);
}
