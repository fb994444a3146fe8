import path from 'node:path';
import { LaganError, objectKinds, objectPrefixes, sealedLayout, sealedMagic } from '../../repo-format/mod.ts';
import { tailSizeBytes } from '../objects/mod.ts';
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
 * What is written is kept, too, so that the next backup begins with it: an object that is written bit by bit by the pieces in which it is written, for so it is read.
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
  // What is cached are the objects as they are now.
  if (['local-folder', 'past'].includes(storage.describe().kind) || storage instanceof CachedStorage) return repository;
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

  async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    const bytes = isCached(name) ? Buffer.concat(parts) : undefined;
    const outcome = await this.uncached.create(name, parts, options);
    if (outcome === 'created' && bytes !== undefined) this.#keep(name, questionOf(undefined), bytes);
    return outcome;
  }

  async createWriter(name: string, options?: CallOptions): Promise<ObjectWriter> {
    const writer = await this.uncached.createWriter(name, options);
    return isCached(name) || isPack(name) ? new NotedWriter(writer, (pieces) => this.#keepWritten(name, pieces)) : writer;
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

  /** Keeps an object that was written in these pieces, as `openSegmentedObject` asks for it. */
  #keepWritten(name: string, pieces: readonly Uint8Array[]): void {
    if (isPack(name)) this.#packs.set(name, pieces[0] !== undefined && isMetadataPack(pieces[0]) ? 'metadata' : 'other');
    let offset = 0;
    for (const piece of pieces) {
      this.#keep(name, questionOf({ offset, length: piece.length }), piece);
      offset += piece.length;
    }
    this.#keep(name, questionOf({ last: tailSizeBytes }), Buffer.concat(pieces).subarray(-tailSizeBytes));
    this.#keepSize(name, offset);
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

/** A writer that remembers what was appended, unless that is much or the content of files. */
class NotedWriter implements ObjectWriter {
  readonly #writer: ObjectWriter;
  readonly #onCreated: (pieces: readonly Uint8Array[]) => void;
  #pieces: Uint8Array[] | undefined = [];

  constructor(writer: ObjectWriter, onCreated: (pieces: readonly Uint8Array[]) => void) {
    this.#writer = writer;
    this.#onCreated = onCreated;
  }

  get sizeBytes(): number {
    return this.#writer.sizeBytes;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    this.#note(parts);
    await this.#writer.append(parts);
  }

  async commit(): Promise<CreateOutcome> {
    const outcome = await this.#writer.commit();
    if (outcome === 'created' && this.#pieces !== undefined) this.#onCreated(this.#pieces);
    this.#pieces = undefined;
    return outcome;
  }

  async abort(): Promise<void> {
    this.#pieces = undefined;
    await this.#writer.abort();
  }

  #note(parts: readonly Uint8Array[]): void {
    if (this.#pieces === undefined) return;
    const sizeBytes = parts.reduce((sum, part) => sum + part.length, this.#writer.sizeBytes);
    const isContent = this.#pieces.length === 0 && parts[0] !== undefined && hasMagic(parts[0]) && !isMetadata(parts[0]);
    if (isContent || sizeBytes > cacheLimits.writtenSizeBytes) this.#pieces = undefined;
    else this.#pieces.push(Buffer.concat(parts));
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

/** Whether an object with this header is one that is kept. */
function isMetadata(header: Uint8Array): boolean {
  return header[sealedLayout.kind] !== objectKinds.pack;
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
