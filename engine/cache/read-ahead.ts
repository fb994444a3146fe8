import { type ByteRange, type CallOptions, type GetOptions, type ObjectEnd, type Storage, withOverrides } from '../storage/mod.ts';
import { cacheLimits } from './_limits.ts';
import { cachedStorage, cacheOf, uncachedStorage } from './cached-storage.ts';

/**
 * The repository for someone who reads index tables and trees from the beginning to the end: what lies behind is fetched with what is asked for, so that a store that is far away
 * is asked once for many blocks. Ranges here and there are read as they are asked for. Itself if it is in a folder of this machine.
 */
export function withReadAhead<SomeRepository extends { readonly id: string; readonly storage: Storage }>(
  repository: SomeRepository,
): SomeRepository {
  const { id, storage } = repository;
  if (storage.describe().kind === 'local-folder') return repository;
  const options = cacheOf(storage);
  const ahead = readAheadStorage(uncachedStorage(storage));
  // The cache keeps what was asked for, not what came with it.
  return { ...repository, storage: options === null ? ahead : cachedStorage(ahead, { ...options, repositoryId: id }) };
}

/** The store, of whose objects some bytes are kept in memory. */
export function readAheadStorage(storage: Storage): Storage {
  const windows = new Windows(storage);
  return withOverrides(storage, {
    get: (name: string, range?: ByteRange, options?: GetOptions) => windows.get(name, range, options),
    getEnd: (name: string, last: number, options?: GetOptions) => windows.getEnd(name, last, options),
    delete: (names: readonly string[], options?: CallOptions) => windows.delete(names, options),
  });
}

/** Bytes of an object that are there, or on their way. */
interface Window {
  readonly name: string;
  readonly offset: number;
  readonly end: number;
  readonly bytes: Promise<Uint8Array>;
}

class Windows {
  readonly #storage: Storage;
  /** The one that was used last comes last. */
  #windows: Window[] = [];

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async get(name: string, range: ByteRange | undefined, options: GetOptions = {}): Promise<Uint8Array> {
    if (range === undefined || 'last' in range || range.length > (options.limitBytes ?? range.length))
      return this.#storage.get(name, range, options);
    const window = this.#find(name, range) ?? this.#readFrom(name, range, options);
    if (window === undefined) return this.#storage.get(name, range, options);
    const bytes = (await window.bytes).subarray(range.offset - window.offset, range.offset - window.offset + range.length);
    if (options.into === undefined) return bytes.slice();
    options.into.set(bytes);
    return options.into.subarray(0, bytes.length);
  }

  async getEnd(name: string, last: number, options?: GetOptions): Promise<ObjectEnd> {
    const end = await this.#storage.getEnd(name, last, options);
    const { objectSizeBytes } = end;
    const bytes = end.bytes.slice();
    this.#keep({ name, offset: objectSizeBytes - bytes.length, end: objectSizeBytes, bytes: Promise.resolve(bytes) });
    return end;
  }

  async delete(names: readonly string[], options?: CallOptions): Promise<void> {
    this.#windows = this.#windows.filter(({ name }) => !names.includes(name));
    await this.#storage.delete(names, options);
  }

  #find(name: string, { offset, length }: { offset: number; length: number }): Window | undefined {
    const found = this.#windows.find((window) => window.name === name && window.offset <= offset && offset + length <= window.end);
    if (found === undefined) return undefined;
    this.#drop(found);
    this.#windows.push(found);
    return found;
  }

  /** Reads more than was asked for, if an object is begun with or gone on with whose end is known. */
  #readFrom(name: string, { offset, length }: { offset: number; length: number }, { signal }: CallOptions): Window | undefined {
    const known = this.#windows.filter((window) => window.name === name);
    const follows = offset === 0 || known.some((window) => window.offset < offset && offset <= window.end);
    const sizeBytes = known.reduce((end, window) => Math.max(end, window.end), 0);
    const end = Math.min(sizeBytes, offset + cacheLimits.readAheadBytes);
    if (!follows || !(end > offset + length)) return undefined;
    const bytes = this.#storage.get(name, { offset, length: end - offset }, { signal });
    const window = { name, offset, end, bytes };
    bytes.catch(() => this.#drop(window)); // Whoever waits for it is told.
    this.#keep(window);
    return window;
  }

  #keep(window: Window): void {
    this.#windows.push(window);
    let sizeBytes = this.#windows.reduce((sum, { offset, end }) => sum + end - offset, 0);
    while (sizeBytes > cacheLimits.readAheadMemoryBytes && this.#windows.length > 1) {
      const { offset, end } = this.#windows.shift()!;
      sizeBytes -= end - offset;
    }
  }

  #drop(window: Window): void {
    this.#windows = this.#windows.filter((other) => other !== window);
  }
}
