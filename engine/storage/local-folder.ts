/**
 * A storage in a folder of this machine, or of a file server that is mounted here.
 *
 * Durable and atomic: bytes go to a file in `temporary/`, whose length is checked and which is synced; link(2) gives it its name, if that is
 * free; then the folder is synced. Nothing is ever renamed over something else.
 *
 * The calls are synchronous beneath the asynchronous interface: on a local disk a hop to the thread pool costs more than the call itself.
 * Only the sync of a large object waits in the pool.
 */
import fs from 'node:fs';
import path from 'node:path';
import { LaganError } from '../../repo-format/mod.ts';
import { errnoOf, type FileCalls, storageError, syncFolder, systemFileCalls } from './_file-calls.ts';
import { LocalFolderWriter } from './_local-folder-writer.ts';
import {
  checkGetSize,
  checkObjectName,
  checkPrefix,
  checkRange,
  isObjectName,
  notFound,
  temporaryFolderName,
  throwIfInterrupted,
  tooShort,
} from './_names.ts';
import { presentOnly } from './_present-only.ts';
import { rememberTemporaryFolder, removeLitterIn, temporaryFolderOf } from './_temporary-folder.ts';
import { storageLimits } from './limits.ts';
import type {
  ByteRange,
  CallOptions,
  CreateOutcome,
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectEnd,
  ObjectWriter,
  PlaceState,
  Storage,
  StorageDescription,
  StorageHistory,
} from './storage.ts';

/** O_NONBLOCK: a fifo in the place of an object must not stop us. */
const readFlags = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK;
const newFolderMode = 0o700;

export class LocalFolder implements Storage {
  readonly location: string;
  /** Objects never change: the time of the last change is the one when they were made. */
  readonly history: StorageHistory = presentOnly(this, ({ name }) => this.#listedStatus(name)?.mtimeMs);
  readonly #calls: FileCalls;
  readonly #writers = new Set<LocalFolderWriter>();
  /** Device and inode of the root when it was first seen: another one there means that a disk was mounted or unmounted. */
  #identity: string | undefined;

  /** `folder` need not exist. `fileCalls` is for tests. */
  constructor(folder: string, { fileCalls = systemFileCalls }: { fileCalls?: FileCalls } = {}) {
    this.location = path.resolve(folder);
    this.#calls = fileCalls;
    rememberTemporaryFolder(temporaryFolderOf(this.location));
  }

  async state({ signal }: CallOptions = {}): Promise<PlaceState> {
    throwIfInterrupted(signal);
    try {
      return holdsNothing(this.location, this.#calls) ? 'empty' : 'occupied';
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return 'absent';
      if (errnoOf(error) === 'ENOTDIR')
        throw new LaganError('no-repository', `${this.location} is not a folder`, { cause: error, errno: 'ENOTDIR', found: 'file' });
      throw this.#error(error, 'reading the folder');
    }
  }

  async prepare({ signal }: CallOptions = {}): Promise<void> {
    throwIfInterrupted(signal);
    try {
      this.#makeFolders(this.location, newFolderMode);
      this.#checkRoot();
    } catch (error) {
      throw this.#error(error, 'making the folder');
    }
  }

  async removeLitter({ signal }: CallOptions = {}): Promise<number> {
    throwIfInterrupted(signal);
    try {
      this.#checkRoot();
      return removeLitterIn(temporaryFolderOf(this.location), this.#calls);
    } catch (error) {
      throw this.#error(error, 'removing old temporary files');
    }
  }

  async get(name: string, range?: ByteRange, options: GetOptions = {}): Promise<Uint8Array> {
    checkObjectName(name);
    checkRange(range);
    throwIfInterrupted(options.signal);
    try {
      return this.#withOpenFile(name, (descriptor) => this.#readRange(descriptor, { name, range, options }));
    } catch (error) {
      throw this.#objectError(error, { attempt: 'reading', name });
    }
  }

  async getEnd(name: string, last: number, options: GetOptions = {}): Promise<ObjectEnd> {
    return { objectSizeBytes: await this.size(name, options), bytes: await this.get(name, { last }, options) };
  }

  async size(name: string, { signal }: CallOptions = {}): Promise<number> {
    checkObjectName(name);
    throwIfInterrupted(signal);
    try {
      return this.#withOpenFile(name, (descriptor) => this.#sizeOf(descriptor, name));
    } catch (error) {
      throw this.#objectError(error, { attempt: 'reading the size of', name });
    }
  }

  async create(name: string, parts: readonly Uint8Array[], options: CallOptions = {}): Promise<CreateOutcome> {
    const writer = this.#newWriter(name, options);
    writer.appendNow(parts);
    return writer.commit();
  }

  async createWriter(name: string, options: CallOptions = {}): Promise<ObjectWriter> {
    return this.#newWriter(name, options);
  }

  async *list(prefix: string, { signal, after = '' }: ListOptions = {}): AsyncGenerator<ListedObject> {
    checkPrefix(prefix);
    throwIfInterrupted(signal);
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    for (const object of this.#objectsIn(folder, { prefix, after })) {
      throwIfInterrupted(signal);
      yield object;
    }
  }

  async delete(names: readonly string[], { signal }: CallOptions = {}): Promise<void> {
    for (const name of names) checkObjectName(name);
    let firstError: unknown;
    for (const name of names) {
      throwIfInterrupted(signal);
      try {
        this.#calls.unlink(this.#pathOf(name));
      } catch (error) {
        if (isAbsent(error) && this.#rootIsThere()) continue;
        firstError ??= this.#objectError(error, { attempt: 'deleting', name });
      }
    }
    if (firstError !== undefined) throw firstError;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
  }

  describe(): StorageDescription {
    return { kind: 'local-folder', path: this.location };
  }

  #newWriter(name: string, { signal }: CallOptions): LocalFolderWriter {
    checkObjectName(name);
    throwIfInterrupted(signal);
    try {
      const root = this.#checkRoot();
      const writer = new LocalFolderWriter(name, {
        root: this.location,
        rootMode: root.mode,
        calls: this.#calls,
        makeFolders: (folder, mode) => this.#makeFolders(folder, mode),
        explain: (error, attempt) => this.#error(error, `${attempt} ${name}`, name),
        onEnd: () => this.#writers.delete(writer),
        signal,
      });
      this.#writers.add(writer);
      return writer;
    } catch (error) {
      throw this.#error(error, `creating ${name}`, name);
    }
  }

  #readRange(
    descriptor: number,
    { name, range, options }: { name: string; range: ByteRange | undefined; options: GetOptions },
  ): Uint8Array {
    const wanted = this.#resolveRange(descriptor, { name, range });
    checkGetSize(name, wanted.length, options);
    if (wanted.length > storageLimits.trustedRangeSizeBytes) this.#expectBytes(descriptor, { name, wanted });
    const target = options.into?.subarray(0, wanted.length) ?? Buffer.allocUnsafeSlow(wanted.length);
    for (let filled = 0; filled < target.length; ) {
      const count = this.#calls.read(descriptor, target.subarray(filled), wanted.offset + filled);
      if (count === 0) throw tooShort(name, wanted, wanted.offset + filled);
      filled += count;
    }
    return new Uint8Array(target.buffer, target.byteOffset, target.length);
  }

  #resolveRange(descriptor: number, { name, range }: { name: string; range: ByteRange | undefined }): { offset: number; length: number } {
    if (range !== undefined && 'length' in range) return range;
    const sizeBytes = this.#sizeOf(descriptor, name);
    const length = range === undefined ? sizeBytes : Math.min(range.last, sizeBytes);
    return { offset: sizeBytes - length, length };
  }

  #expectBytes(descriptor: number, { name, wanted }: { name: string; wanted: { offset: number; length: number } }): void {
    const sizeBytes = this.#sizeOf(descriptor, name);
    if (wanted.offset + wanted.length > sizeBytes) throw tooShort(name, wanted, sizeBytes);
  }

  #sizeOf(descriptor: number, name: string): number {
    const status = this.#calls.status(descriptor);
    if (!status.isFile()) throw new LaganError('io', `${path.join(this.location, name)} is not a regular file`, { object: name });
    return status.size;
  }

  #withOpenFile<T>(name: string, use: (descriptor: number) => T): T {
    const descriptor = this.#calls.open(this.#pathOf(name), readFlags);
    try {
      return use(descriptor);
    } finally {
      this.#calls.close(descriptor);
    }
  }

  /** Depth first; a folder is sorted as if its name ended with '/', which gives the order of the full names. */
  *#objectsIn(folder: string, limits: { prefix: string; after: string }): Generator<ListedObject> {
    for (const { name, isFolder } of this.#entriesOf(folder)) {
      if (isFolder) {
        if (overlaps(name, limits)) yield* this.#objectsIn(name, limits);
      } else if (name.startsWith(limits.prefix) && name > limits.after) {
        const sizeBytes = this.#listedStatus(name)?.size;
        if (sizeBytes !== undefined) yield { name, sizeBytes };
      }
    }
  }

  #entriesOf(folder: string): { name: string; isFolder: boolean }[] {
    const found: { name: string; isFolder: boolean }[] = [];
    for (const entry of this.#readFolderIfThere(folder)) {
      const name = folder + entry.name;
      if (!isObjectName(name)) continue;
      if (!entry.isFile() && !entry.isDirectory()) {
        throw new LaganError('io', `${path.join(this.location, name)} is neither a file nor a folder`, {
          object: name,
          hint: 'a repository cannot be spread by symbolic links',
        });
      }
      found.push(entry.isDirectory() ? { name: `${name}/`, isFolder: true } : { name, isFolder: false });
    }
    return found.sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  #readFolderIfThere(folder: string): fs.Dirent[] {
    try {
      return this.#calls.readFolder(path.join(this.location, folder));
    } catch (error) {
      // A folder is made with its first object: none yet. But if the root is gone, a disk is missing, and nothing is no answer.
      if (isAbsent(error) && this.#rootIsThere()) return [];
      throw this.#error(error, `listing ${folder || 'all objects'}`, folder);
    }
  }

  /** Undefined if the object was deleted since its folder was read. */
  #listedStatus(name: string): fs.Stats | undefined {
    try {
      return this.#calls.statusAt(this.#pathOf(name));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' && this.#rootIsThere()) return undefined;
      throw this.#error(error, `listing ${name}`, name);
    }
  }

  /** Makes a folder and those above it, each durable: also one that another process has made just now and may not have synced yet. */
  #makeFolders(folder: string, mode: number): void {
    const parent = path.dirname(folder);
    try {
      this.#calls.makeFolder(folder, mode);
      // The umask takes rights from the group which a shared repository needs.
      if ((mode & 0o020) !== 0) this.#calls.changeFolderMode(folder, mode);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' && folder !== parent) {
        this.#makeFolders(parent, mode);
        this.#makeFolders(folder, mode);
        return;
      }
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    syncFolder(parent, this.#calls);
  }

  /** The state of the root folder; an error if it is not there or not the one that was there before. */
  #checkRoot(): fs.Stats {
    const descriptor = this.#openRoot();
    try {
      const status = this.#calls.status(descriptor);
      const identity = `${status.dev}:${status.ino}`;
      this.#identity ??= identity;
      if (identity === this.#identity) return status;
      throw new LaganError('io', `${this.location} is not the folder that it was: a disk was mounted or unmounted there`, {
        expected: this.#identity,
        found: identity,
      });
    } finally {
      this.#calls.close(descriptor);
    }
  }

  #openRoot(): number {
    try {
      return this.#calls.open(this.location, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw error;
      const message = errno === 'ENOENT' ? `there is no folder ${this.location}` : `${this.location} is not a folder`;
      throw new LaganError('no-repository', message, { cause: error, errno, found: errno === 'ENOENT' ? 'absent' : 'file' });
    }
  }

  /** False is never returned: the error says what is wrong with the root. */
  #rootIsThere(): boolean {
    this.#checkRoot();
    return true;
  }

  #pathOf(name: string): string {
    return `${this.location}/${name}`;
  }

  #objectError(error: unknown, { attempt, name }: { attempt: string; name: string }): unknown {
    if (!isAbsent(error)) return this.#error(error, `${attempt} ${name}`, name);
    try {
      this.#checkRoot();
    } catch (rootError) {
      return this.#error(rootError, `${attempt} ${name}`, name);
    }
    return notFound(name, error);
  }

  #error(error: unknown, attempt: string, object?: string): unknown {
    return storageError(error, { attempt, location: this.location, object });
  }
}

/** Whether a folder (its name ends with '/') can hold names that are asked for. */
function overlaps(folder: string, { prefix, after }: { prefix: string; after: string }): boolean {
  const fits = folder.startsWith(prefix) || prefix.startsWith(folder);
  return fits && (folder > after || after.startsWith(folder));
}

/** ENOTDIR: a part of the path is an object. */
function isAbsent(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
}

/** Folders without files are nothing: deletion leaves them. */
function holdsNothing(folder: string, calls: FileCalls): boolean {
  const entries = calls.readFolder(folder).filter(({ name }) => !countsAsNothing(name));
  return entries.every((entry) => entry.isDirectory() && holdsNothing(path.join(folder, entry.name), calls));
}

function countsAsNothing(name: string): boolean {
  return name === temporaryFolderName || name === 'lost+found' || name.startsWith('.');
}
