import path from 'node:path';
import { LaganError, objectKinds, objectPrefixes, sealedLayout, sealedMagic } from '../../repo-format/mod.ts';
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
} from '../storage/mod.ts';
import { CacheFiles, shrink } from './_cache-files.ts';
import { cacheLimits } from './_limits.ts';

export interface CacheOptions {
  /** The folder of the caches of all repositories, such as `~/.cache/lagan`. */
  readonly folder: string;
  /** Size of all caches in the folder together, in bytes. Default: 1 GiB. */
  readonly limitBytes?: number | undefined;
}

/** Objects that never change under their names and are read again and again. Roots, keys and marks are asked for anew each time. */
const cachedPrefixes = [
  objectPrefixes.sessionIndexes,
  objectPrefixes.baseIndexes,
  objectPrefixes.snapshots,
  objectPrefixes.catalogues,
  objectPrefixes.lostLists,
] as const;
const packPrefixes = [objectPrefixes.writerPacks, objectPrefixes.collectorPacks] as const;

/**
 * A store whose answers about metadata (index tables, snapshots, and packs of metadata) are kept in a local folder, as they are in the store: sealed. What is kept
 * was authenticated by nobody yet; whoever opens it does that, as with the store's own answers. Listings and all other objects are asked of the store each time.
 *
 * The cache is never the reason of an error: where it cannot be read or written, the store is asked. A folder of this machine gains nothing by it.
 */
export function cachedStorage(storage: Storage, options: CacheOptions & { readonly repositoryId: string }): Storage {
  return new CachedStorage(storage, options);
}

/** The repository with a cache, which its worker threads use, too; itself if it is in a folder of this machine. */
export function withCache<SomeRepository extends { readonly id: string; readonly storage: Storage }>(
  repository: SomeRepository,
  options: CacheOptions,
): SomeRepository {
  const { id, storage } = repository;
  if (storage.describe().kind === 'local-folder' || storage instanceof CachedStorage) return repository;
  return { ...repository, storage: cachedStorage(storage, { ...options, repositoryId: id }) };
}

/** What {@link withCache} needs to give a repository the same cache in another thread; null if it has none. */
export function cacheOf(storage: Storage): CacheOptions | null {
  return storage instanceof CachedStorage ? storage.options : null;
}

/** The store behind a cache, for who must see what is there now; any other store is itself. */
export function uncachedStorage(storage: Storage): Storage {
  return storage instanceof CachedStorage ? storage.uncached : storage;
}

/** What a pack was found to hold; undefined as long as its header was not seen. */
type PackContent = 'metadata' | 'other' | undefined;

class CachedStorage implements Storage {
  readonly uncached: Storage;
  readonly #files: CacheFiles;
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #packs = new Map<string, PackContent>();
  /** Answers about packs of which it is not known yet what they hold. */
  #undecided: { readonly object: string; readonly question: string; readonly bytes: Uint8Array }[] = [];
  #undecidedBytes = 0;
  #writtenBytes = Number.POSITIVE_INFINITY;

  constructor(
    storage: Storage,
    { folder, limitBytes = cacheLimits.defaultSizeBytes, repositoryId }: CacheOptions & { repositoryId: string },
  ) {
    this.uncached = storage;
    this.#folder = path.resolve(folder);
    this.#limitBytes = limitBytes;
    this.#files = new CacheFiles(this.#folder, repositoryId);
  }

  get location(): string {
    return this.uncached.location;
  }

  async get(name: string, range?: ByteRange, options: GetOptions = {}): Promise<Uint8Array> {
    const question = questionOf(range);
    const kept = this.#read(name, question);
    if (kept !== undefined) return deliver(name, kept, options);
    const bytes = await this.uncached.get(name, range, options);
    this.#learn(name, range, bytes);
    this.#keep(name, question, bytes);
    return bytes;
  }

  async getEnd(name: string, last: number, options: GetOptions = {}): Promise<ObjectEnd> {
    const question = questionOf({ last });
    const [kept, keptSize] = [this.#read(name, question), this.#readSize(name)];
    if (kept !== undefined && keptSize !== undefined) return { bytes: deliver(name, kept, options), objectSizeBytes: keptSize };
    const end = await this.uncached.getEnd(name, last, options);
    this.#learn(name, { last }, end.bytes);
    this.#keep(name, question, end.bytes);
    this.#keepSize(name, end.objectSizeBytes);
    return end;
  }

  async size(name: string, options?: CallOptions): Promise<number> {
    const kept = this.#readSize(name);
    if (kept !== undefined) return kept;
    const sizeBytes = await this.uncached.size(name, options);
    this.#keepSize(name, sizeBytes);
    return sizeBytes;
  }

  state(options?: CallOptions): Promise<PlaceState> {
    return this.uncached.state(options);
  }

  prepare(options?: CallOptions): Promise<void> {
    return this.uncached.prepare(options);
  }

  removeLitter(options?: CallOptions): Promise<number> {
    return this.uncached.removeLitter(options);
  }

  create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    return this.uncached.create(name, parts, options);
  }

  createWriter(name: string, options?: CallOptions): Promise<ObjectWriter> {
    return this.uncached.createWriter(name, options);
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject> {
    return this.uncached.list(prefix, options);
  }

  async delete(names: readonly string[], options?: CallOptions): Promise<void> {
    await this.uncached.delete(names, options);
    for (const name of names) if (isCached(name) || isPack(name)) this.#files.drop(name);
  }

  close(): Promise<void> {
    return this.uncached.close();
  }

  get options(): CacheOptions {
    return { folder: this.#folder, limitBytes: this.#limitBytes };
  }

  /** Of the store itself; {@link cacheOf} tells of the cache. */
  describe(): StorageDescription {
    return this.uncached.describe();
  }

  #read(name: string, question: string): Uint8Array | undefined {
    const mayBeKept = isCached(name) || (isPack(name) && this.#packs.get(name) !== 'other');
    return mayBeKept ? this.#files.read(name, question) : undefined;
  }

  #readSize(name: string): number | undefined {
    const kept = this.#read(name, 'size');
    return kept?.length === 8 ? Number(new DataView(kept.buffer, kept.byteOffset).getBigUint64(0)) : undefined;
  }

  #keepSize(name: string, sizeBytes: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(sizeBytes));
    this.#keep(name, 'size', bytes);
  }

  /** The header of a pack says what it holds. */
  #learn(name: string, range: ByteRange | undefined, bytes: Uint8Array): void {
    if (!isPack(name) || this.#packs.has(name) || !startsAtHeader(range, bytes)) return;
    this.#packs.set(name, isMetadataPack(bytes) ? 'metadata' : 'other');
    const [of, others] = [this.#undecided.filter(({ object }) => object === name), this.#undecided.filter(({ object }) => object !== name)];
    this.#undecided = others;
    for (const { object, question, bytes: answer } of of) {
      this.#undecidedBytes -= answer.length;
      this.#keep(object, question, answer);
    }
  }

  #keep(name: string, question: string, bytes: Uint8Array): void {
    if (isCached(name) || (isPack(name) && this.#packs.get(name) === 'metadata')) {
      this.#makeRoom(bytes.length);
      this.#writtenBytes += this.#files.write(name, question, bytes);
    } else if (isPack(name) && !this.#packs.has(name)) {
      this.#undecided.push({ object: name, question, bytes: bytes.slice() });
      this.#undecidedBytes += bytes.length;
      while (this.#undecidedBytes > cacheLimits.undecidedSizeBytes) this.#undecidedBytes -= this.#undecided.shift()!.bytes.length;
    }
  }

  /** Looks at the whole cache at first, and whenever a tenth of the limit was written since. */
  #makeRoom(sizeBytes: number): void {
    if (this.#writtenBytes + sizeBytes <= this.#limitBytes * (1 - cacheLimits.lowWaterShare)) return;
    try {
      shrink(this.#folder, this.#limitBytes * cacheLimits.lowWaterShare);
    } catch {
      // Another user's folder, or a disk that fails: nothing is written there, either.
    }
    this.#writtenBytes = 0;
  }
}

function isCached(name: string): boolean {
  return cachedPrefixes.some((prefix) => name.startsWith(prefix));
}

function isPack(name: string): boolean {
  return packPrefixes.some((prefix) => name.startsWith(prefix));
}

function questionOf(range: ByteRange | undefined): string {
  if (range === undefined) return 'all';
  return 'last' in range ? `last-${range.last}` : `${range.offset}-${range.length}`;
}

/** By its header, with which `bytes` begin. */
function isMetadataPack(bytes: Uint8Array): boolean {
  return hasMagic(bytes) && bytes[sealedLayout.kind] === objectKinds['metadata-pack'];
}

/** Whether an answer begins with the object's header. The end of an object is all of it if it begins with the magic: sealed bytes do so once in 2^48. */
function startsAtHeader(range: ByteRange | undefined, bytes: Uint8Array): boolean {
  if (bytes.length <= sealedLayout.kind) return false;
  if (range !== undefined && 'last' in range) return hasMagic(bytes);
  return range === undefined || range.offset === 0;
}

function hasMagic(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(0, sealedMagic.length), sealedMagic) === 0;
}

function deliver(name: string, bytes: Uint8Array, { into, limitBytes = Number.POSITIVE_INFINITY }: GetOptions): Uint8Array {
  const limit = Math.min(limitBytes, into?.length ?? Number.POSITIVE_INFINITY);
  if (bytes.length > limit) {
    throw new LaganError('limit-exceeded', `${name}: ${bytes.length} bytes were to be read, the limit is ${limit}`, {
      object: name,
      expected: limit,
      found: bytes.length,
    });
  }
  if (into === undefined) return bytes;
  into.set(bytes);
  return into.subarray(0, bytes.length);
}
