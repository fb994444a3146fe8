/**
 * The files of a cache: `<folder>/<repository id>/<hash of an object's name>/<question>`, one for each answer of the store. Whole or not there: written
 * under another name and renamed. A checksum tells damage; nothing here needs to be durable.
 *
 * A cache never fails its user: what cannot be written is not cached, what cannot be read is not there.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { cacheLimits } from './_limits.ts';

const magic = 0x4341474c; // "LGAC"
/** Magic, checksum of the bytes, length: u32 each. */
const headerSizeBytes = 12;
const directoryTag = 'Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of Lagan; it can be deleted at any time.\n';

/** A file of a cache, found by a listing. */
export interface CacheFile {
  readonly path: string;
  readonly repository: string;
  readonly sizeBytes: number;
  readonly usedMs: number;
}

/** The cached answers of one repository's store. */
export class CacheFiles {
  readonly #folder: string;
  #isPrepared = false;
  #temporary = 0;

  constructor(folder: string, repositoryId: string) {
    this.#folder = path.join(folder, repositoryId);
  }

  /** The answer to a question about an object, undefined if it is not there or damaged. The bytes are the caller's. */
  read(object: string, question: string): Uint8Array | undefined {
    const file = path.join(this.#folderOf(object), question);
    try {
      const stored = fs.readFileSync(file);
      const bytes = contentOf(stored);
      if (bytes === undefined) fs.unlinkSync(file);
      else touch(file);
      return bytes;
    } catch {
      return undefined;
    }
  }

  /** Keeps an answer. Returns the bytes that it takes, 0 if it could not be kept. */
  write(object: string, question: string, bytes: Uint8Array): number {
    if (bytes.length > cacheLimits.itemSizeBytes) return 0;
    const file = path.join(this.#folderOf(object), question);
    const temporary = path.join(this.#folder, `.new-${process.pid}-${this.#temporary++}-${Math.random().toString(36).slice(2)}`);
    try {
      this.#prepare();
      fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      fs.writeFileSync(temporary, Buffer.concat([headerOf(bytes), bytes]), { mode: 0o600, flag: 'wx' });
      fs.renameSync(temporary, file);
      return headerSizeBytes + bytes.length;
    } catch {
      removeIfThere(temporary);
      return 0;
    }
  }

  /** Forgets all answers about an object. */
  drop(object: string): void {
    try {
      fs.rmSync(this.#folderOf(object), { recursive: true, force: true });
    } catch {
      // It stays; it is right as long as the object had these bytes.
    }
  }

  #prepare(): void {
    if (this.#isPrepared) return;
    fs.mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const tag = path.join(path.dirname(this.#folder), 'CACHEDIR.TAG');
    if (!fs.existsSync(tag)) fs.writeFileSync(tag, directoryTag);
    this.#isPrepared = true;
  }

  #folderOf(object: string): string {
    return path.join(this.#folder, createHash('sha256').update(object).digest('hex').slice(0, 40));
  }
}

/** All files of the caches in a folder, or of one repository; none if there is no such folder. Codes of errors are those of the system. */
export function* listCacheFiles(folder: string, only?: string): Generator<CacheFile> {
  for (const repository of namesIn(folder)) {
    if (!/^[0-9a-f]{32}$/.test(repository) || (only !== undefined && repository !== only)) continue;
    for (const name of namesIn(path.join(folder, repository))) {
      const below = path.join(folder, repository, name);
      const names = name.startsWith('.new-') ? [''] : namesIn(below);
      for (const leaf of names) yield* describe(path.join(below, leaf), repository);
    }
  }
}

/** Whether a file is what a process left behind that ended in the middle. */
export function isLitter({ path: file, usedMs }: CacheFile): boolean {
  return path.basename(file).startsWith('.new-') && Date.now() - usedMs > cacheLimits.litterAgeMs;
}

/** Deletes the files that were not used for longest until those that are left take no more than `limitBytes`. Returns the bytes that were freed. */
export function shrink(folder: string, limitBytes: number): number {
  const files = [...listCacheFiles(folder)].sort((left, right) => left.usedMs - right.usedMs);
  let left = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let freed = 0;
  for (const file of files) {
    if (left <= limitBytes && !isLitter(file)) continue;
    fs.rmSync(file.path, { force: true });
    removeIfEmpty(path.dirname(file.path));
    left -= file.sizeBytes;
    freed += file.sizeBytes;
  }
  return freed;
}

function removeIfThere(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch {
    // It was not made, or stays as litter, which goes later.
  }
}

function removeIfEmpty(folder: string): void {
  try {
    fs.rmdirSync(folder);
  } catch {
    // There is more in it.
  }
}

function* describe(file: string, repository: string): Generator<CacheFile> {
  const status = fs.lstatSync(file, { throwIfNoEntry: false });
  if (status?.isFile()) yield { path: file, repository, sizeBytes: status.size, usedMs: status.mtimeMs };
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

function headerOf(bytes: Uint8Array): Uint8Array {
  const header = new Uint8Array(headerSizeBytes);
  const view = new DataView(header.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, crc32(bytes), true);
  view.setUint32(8, bytes.length, true);
  return header;
}

function contentOf(stored: Buffer): Uint8Array | undefined {
  if (stored.length < headerSizeBytes) return undefined;
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset + headerSizeBytes, stored.length - headerSizeBytes);
  return Buffer.compare(headerOf(bytes), stored.subarray(0, headerSizeBytes)) === 0 ? bytes.slice() : undefined;
}

/** The time of modification is the time of use: access times are often not kept. */
function touch(file: string): void {
  const { mtimeMs } = fs.statSync(file);
  if (Date.now() - mtimeMs < cacheLimits.touchIntervalMs) return;
  const now = new Date();
  fs.utimesSync(file, now, now);
}
