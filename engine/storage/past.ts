/** A store as it was at some time, as far as it tells of its past. It can only be read. */
import { LaganError } from '../../repo-format/mod.ts';
import { checkObjectName, checkPrefix, notFound, throwIfInterrupted } from './_names.ts';
import { storageLimits } from './limits.ts';
import type {
  ByteRange,
  CallOptions,
  CreateOutcome,
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectEnd,
  ObjectVersion,
  ObjectWriter,
  PlaceState,
  Storage,
  StorageDescription,
  StorageHistory,
} from './storage.ts';

/**
 * The store, each name of which is what it was at `timeMs` (milliseconds since 1970, by the store's clock): what was deleted or overwritten since is there, what was made
 * since is not. In a store that keeps no versions, what was deleted since is gone.
 *
 * Errors: `unsupported` (the store tells nothing of its past); every call that would change something: `read-only`.
 */
export function pastOf(storage: Storage, timeMs: number): Storage {
  if (storage.history !== undefined) return new PastStorage(storage, storage.history, timeMs);
  throw new LaganError('unsupported', `${storage.location} tells nothing of its past`, {
    object: storage.location,
    hint: 'S3 does, if the bucket has versions; of a folder the time of each object is known, but nothing that was deleted',
  });
}

class PastStorage implements Storage {
  readonly location: string;
  readonly #storage: Storage;
  readonly #history: StorageHistory;
  readonly #timeMs: number;
  /** What names were; undefined: nothing. Forgotten when there are many. */
  readonly #known = new Map<string, ObjectVersion | undefined>();

  constructor(storage: Storage, history: StorageHistory, timeMs: number) {
    this.location = storage.location;
    this.#storage = storage;
    this.#history = history;
    this.#timeMs = timeMs;
  }

  async state(options: CallOptions = {}): Promise<PlaceState> {
    const state = await this.#storage.state(options);
    if (state !== 'occupied' && !(state === 'empty' && (await this.#history.keepsVersions(options)))) return state;
    for await (const _ of this.list('', options)) return 'occupied';
    return 'empty';
  }

  async prepare(): Promise<void> {
    throw this.#readOnly();
  }

  async removeLitter(): Promise<number> {
    return 0;
  }

  async get(name: string, range?: ByteRange, options: GetOptions = {}): Promise<Uint8Array> {
    return this.#history.get(await this.#find(name, options), range, options);
  }

  async getEnd(name: string, last: number, options: GetOptions = {}): Promise<ObjectEnd> {
    return this.#history.getEnd(await this.#find(name, options), last, options);
  }

  async size(name: string, options: CallOptions = {}): Promise<number> {
    return (await this.#find(name, options)).sizeBytes;
  }

  async create(name: string): Promise<CreateOutcome> {
    throw this.#readOnly(name);
  }

  async createWriter(name: string): Promise<ObjectWriter> {
    throw this.#readOnly(name);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ListedObject> {
    checkPrefix(prefix);
    for await (const version of this.#versions(prefix, options)) {
      this.#remember(version.name, version);
      yield { name: version.name, sizeBytes: version.sizeBytes };
    }
  }

  async delete(names: readonly string[]): Promise<void> {
    throw this.#readOnly(names[0]);
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  describe(): StorageDescription {
    return { kind: 'past', of: this.#storage.describe(), timeMs: this.#timeMs };
  }

  /** Of each name what it was then. */
  async *#versions(prefix: string, options: ListOptions): AsyncGenerator<ObjectVersion> {
    let settled: string | undefined;
    for await (const version of this.#history.list(prefix, options)) {
      if (version.name === settled || version.sinceMs > this.#timeMs) continue;
      settled = version.name;
      if (version.kind === 'object') yield version;
    }
  }

  async #find(name: string, { signal }: CallOptions): Promise<ObjectVersion> {
    checkObjectName(name);
    throwIfInterrupted(signal);
    if (!this.#known.has(name)) this.#remember(name, await this.#look(name, { signal }));
    const version = this.#known.get(name);
    if (version === undefined) throw notFound(name);
    return version;
  }

  async #look(name: string, options: CallOptions): Promise<ObjectVersion | undefined> {
    for await (const version of this.#versions(name, options)) return version.name === name ? version : undefined;
    return undefined;
  }

  #remember(name: string, version: ObjectVersion | undefined): void {
    if (this.#known.size >= storageLimits.knownVersions) this.#known.clear();
    this.#known.set(name, version);
  }

  #readOnly(object?: string): LaganError {
    const time = new Date(this.#timeMs).toISOString();
    return new LaganError('read-only', `${this.location} as it was at ${time} can only be read`, {
      object,
      hint: 'leave --as-of out; lagan repository recover --as-of makes it the present again',
    });
  }
}
