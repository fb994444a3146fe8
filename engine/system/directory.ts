/**
 * Folders as streams of names in bytewise order, with the status of each: the hot path of a backup in which nothing changed.
 *
 * Cost per entry: its share of getdents64, one statx, a copy of its name; no allocation. Memory is bounded however many entries there are.
 * A name occurs once, even if the folder was changed while it was read.
 */

import { failure, libc, systemCall } from './_libc.ts';
import { NameBuffer } from './_name-sort.ts';
import * as scratch from './_scratch.ts';
import { type RunMerge, SpillFile } from './_spill.ts';
import type { Descriptor } from './descriptors.ts';
import { systemError } from './errno.ts';
import { FileStatus, tryStatName, typeOfDirectoryType } from './stat.ts';

/** Where names go that exceed memory, and how much memory that is. */
export interface ScanOptions {
  /** Default: the system's folder for temporary files. */
  readonly spillFolder?: string;
  readonly maxNames?: number;
  readonly maxNameBytes?: number;
}

const defaultMaxNames = 131_072;
const defaultMaxNameBytes = 4_194_304;

const SEEK_SET = 0;
/** Offsets in struct linux_dirent64. */
const direntLength = 16;
const direntType = 18;
const direntName = 19;

/** Reads a folder: names in order, each with its status (by statx at the time of `next`). */
export function scanDirectory(directory: Descriptor, options: ScanOptions = {}): DirectoryScan {
  return new DirectoryScan(directory, options, true);
}

/** Reads a folder: names in order; of the status only `type` is filled, where the file system tells it (else it is asked for). */
export function readNames(directory: Descriptor, options: ScanOptions = {}): DirectoryScan {
  return new DirectoryScan(directory, options, false);
}

/** Gathers the names of one folder; one for each thread, since reading is never interleaved. */
const gathered = new NameBuffer();

/** Names of a folder in order. The descriptor must stay open while there is a `next`; it is not closed here. */
export class DirectoryScan implements Disposable {
  /** How many names were read. */
  readonly count: number;
  nameBytes: Uint8Array;
  nameStart = 0;
  nameEnd = 0;
  /** One object for all entries: valid until the next call of `next`. */
  readonly status: FileStatus = new FileStatus();
  /** 0, or why there is no status: ENOENT if the entry vanished after it was listed. Then only `status.type` means something. */
  errno = 0;

  #directory: Descriptor;
  readonly #withStatus: boolean;
  #names: SortedNames | undefined;
  #spill: SpillFile | undefined;
  #merge: RunMerge | undefined;
  #index = 0;
  #previous: Uint8Array | undefined;
  #previousLength = 0;

  constructor(directory: Descriptor, options: ScanOptions, withStatus: boolean) {
    this.#directory = directory;
    this.#withStatus = withStatus;
    const { names, spill, count } = readSorted(directory, options);
    this.count = count;
    this.#names = names;
    this.#spill = spill;
    this.nameBytes = names?.bytes ?? new Uint8Array(0);
    if (spill !== undefined) {
      this.#merge = spill.merge();
      this.#previous = new Uint8Array(256);
    }
  }

  /** Moves to the next entry; false behind the last. */
  next(): boolean {
    const type = this.#names !== undefined ? this.#nextInMemory(this.#names) : this.#nextMerged();
    if (type < 0) return false;
    this.errno = 0;
    const known = typeOfDirectoryType(type);
    if (this.#withStatus || known === undefined) this.errno = -tryStatName(this.#directory, this, this.status);
    if (known !== undefined && (!this.#withStatus || this.errno !== 0)) this.status.type = known;
    return true;
  }

  /** The folder is now open by another descriptor: for walks that close the folders far above (see `DirectoryStack`). */
  rebind(directory: Descriptor): void {
    this.#directory = directory;
  }

  /** A view of the name, valid until the next call of `next`. */
  get name(): Uint8Array {
    return this.nameBytes.subarray(this.nameStart, this.nameEnd);
  }

  copyName(): Uint8Array {
    return this.nameBytes.slice(this.nameStart, this.nameEnd);
  }

  /** Frees memory and the temporary file. */
  close(): void {
    this.#spill?.close();
    this.#spill = undefined;
    this.#merge = undefined;
    this.#names = emptyNames;
    this.#index = 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Returns the d_type, or −1 behind the last. */
  #nextInMemory(names: SortedNames): number {
    const index = this.#index;
    if (index === names.ends.length) return -1;
    this.#index = index + 1;
    this.nameStart = index === 0 ? 0 : names.ends[index - 1]!;
    this.nameEnd = names.ends[index]!;
    return names.types[index]!;
  }

  #nextMerged(): number {
    const merge = this.#merge;
    while (merge?.next()) {
      const { bytes, start, end, type } = merge.top;
      if (this.#equalsPrevious(bytes, start, end)) continue;
      this.nameBytes = this.#previous!;
      this.nameStart = 0;
      this.nameEnd = end - start;
      return type;
    }
    return -1;
  }

  /** Compares with the previous name, then remembers this one. */
  #equalsPrevious(bytes: Uint8Array, start: number, end: number): boolean {
    const previous = this.#previous!;
    let isEqual = end - start === this.#previousLength;
    for (let index = 0; index < end - start; index++) {
      if (previous[index] !== bytes[start + index]) isEqual = false;
      previous[index] = bytes[start + index]!;
    }
    this.#previousLength = end - start;
    return isEqual;
  }
}

/** Names behind each other in their final order: name i is bytes[ends[i-1]..ends[i]). */
interface SortedNames {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
  readonly types: Uint8Array;
}

const emptyNames: SortedNames = { bytes: new Uint8Array(0), ends: new Uint32Array(0), types: new Uint8Array(0) };

function readSorted(directory: Descriptor, options: ScanOptions): { names?: SortedNames; spill?: SpillFile; count: number } {
  const { maxNames = defaultMaxNames, maxNameBytes = defaultMaxNameBytes } = options;
  let spill: SpillFile | undefined;
  let spilled = 0;
  gathered.clear();
  try {
    if (libc.lseek(directory, 0, SEEK_SET) < 0) throw systemError(failure(), 'read the folder');
    for (;;) {
      const filled = libc.syscall(systemCall.getdents64, directory, scratch.address.directory, scratch.directoryBufferBytes, 0, 0, 0);
      if (filled < 0) throw systemError(failure(), 'read the folder');
      if (filled === 0) break;
      gather(filled);
      if (gathered.count < maxNames && gathered.usedBytes < maxNameBytes) continue;
      spill ??= new SpillFile(options.spillFolder);
      spilled += writeRun(spill);
    }
    if (spill === undefined) return takeSorted();
    if (gathered.count > 0) spilled += writeRun(spill);
    return { spill, count: spilled };
  } catch (error) {
    spill?.close();
    throw error;
  }
}

/** Adds the names of one buffer of struct linux_dirent64, without `.` and `..`. */
function gather(filled: number): void {
  const { bytes } = scratch;
  const end = scratch.at.directory + filled;
  let record = scratch.at.directory;
  while (record < end) {
    const length = bytes[record + direntLength]! | (bytes[record + direntLength + 1]! << 8);
    const nameStart = record + direntName;
    let nameEnd = nameStart;
    while (bytes[nameEnd] !== 0) nameEnd++;
    const isDots = bytes[nameStart] === 0x2e && (nameEnd - nameStart === 1 || (nameEnd - nameStart === 2 && bytes[nameStart + 1] === 0x2e));
    if (!isDots) gathered.add(bytes, nameStart, nameEnd, bytes[record + direntType]!);
    record += length;
  }
}

function writeRun(spill: SpillFile): number {
  const { count } = gathered;
  spill.write(gathered, gathered.order());
  gathered.clear();
  return count;
}

/** The gathered names in order, each once, in memory of just their size. */
function takeSorted(): { names: SortedNames; count: number } {
  if (gathered.count === 0) return { names: emptyNames, count: 0 };
  const order = gathered.order();
  const bytes = new Uint8Array(gathered.usedBytes);
  const ends = new Uint32Array(order.length);
  const types = new Uint8Array(order.length);
  let count = 0;
  let used = 0;
  let previous = -1;
  for (const position of order) {
    if (previous >= 0 && areEqual(previous, position)) continue;
    const end = gathered.ends[position]!;
    for (let index = gathered.startOf(position); index < end; index++) bytes[used++] = gathered.bytes[index]!;
    types[count] = gathered.types[position]!;
    ends[count++] = used;
    previous = position;
  }
  return { names: { bytes, ends: count === order.length ? ends : ends.slice(0, count), types }, count };
}

function areEqual(left: number, right: number): boolean {
  const leftStart = gathered.startOf(left);
  const rightStart = gathered.startOf(right);
  const length = gathered.ends[left]! - leftStart;
  if (gathered.ends[right]! - rightStart !== length) return false;
  for (let index = 0; index < length; index++) if (gathered.bytes[leftStart + index] !== gathered.bytes[rightStart + index]) return false;
  return true;
}
