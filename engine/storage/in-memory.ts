/** A storage in the memory of one thread, for tests and for simulations. Nothing in it outlives the thread. */
import assert from 'node:assert/strict';
import { checkGetSize, checkObjectName, checkPrefix, checkRange, notFound, throwIfInterrupted, tooShort } from './_names.ts';
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
} from './storage.ts';

const places = new Map<string, Map<string, Uint8Array>>();
let nextPlace = 1;

export class InMemory implements Storage {
  readonly location: string;
  readonly #id: string;
  readonly #objects: Map<string, Uint8Array>;

  /** A new place, or the one that `id` names (as told by {@link describe}) in this thread. */
  constructor(id: string = `place-${nextPlace++}`) {
    this.#id = id;
    this.location = `memory:${id}`;
    this.#objects = places.get(id) ?? new Map();
    places.set(id, this.#objects);
  }

  async state(options: CallOptions = {}): Promise<PlaceState> {
    throwIfInterrupted(options.signal);
    return this.#objects.size === 0 ? 'empty' : 'occupied';
  }

  async prepare(options: CallOptions = {}): Promise<void> {
    throwIfInterrupted(options.signal);
  }

  async removeLitter(options: CallOptions = {}): Promise<number> {
    throwIfInterrupted(options.signal);
    return 0;
  }

  async get(name: string, range?: ByteRange, options: GetOptions = {}): Promise<Uint8Array> {
    checkRange(range);
    const object = this.#find(name, options);
    const start = range === undefined ? 0 : 'last' in range ? Math.max(0, object.length - range.last) : range.offset;
    const length = range !== undefined && 'length' in range ? range.length : object.length - start;
    checkGetSize(name, length, options);
    if (start + length > object.length) throw tooShort(name, { offset: start, length }, object.length);
    const bytes = object.subarray(start, start + length);
    if (options.into === undefined) return bytes.slice();
    options.into.set(bytes);
    return options.into.subarray(0, length);
  }

  async getEnd(name: string, last: number, options: GetOptions = {}): Promise<ObjectEnd> {
    return { bytes: await this.get(name, { last }, options), objectSizeBytes: this.#find(name, options).length };
  }

  async size(name: string, options: CallOptions = {}): Promise<number> {
    return this.#find(name, options).length;
  }

  async create(name: string, parts: readonly Uint8Array[], options: CallOptions = {}): Promise<CreateOutcome> {
    checkObjectName(name);
    throwIfInterrupted(options.signal);
    if (this.#objects.has(name)) return 'exists';
    this.#objects.set(name, Uint8Array.from(Buffer.concat(parts)));
    return 'created';
  }

  async createWriter(name: string, options: CallOptions = {}): Promise<ObjectWriter> {
    checkObjectName(name);
    throwIfInterrupted(options.signal);
    return new InMemoryWriter((parts) => this.create(name, parts, options), options.signal);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ListedObject> {
    checkPrefix(prefix);
    throwIfInterrupted(options.signal);
    const { after = '' } = options;
    const names = [...this.#objects.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
    for (const name of names) {
      throwIfInterrupted(options.signal);
      const object = this.#objects.get(name);
      if (object !== undefined) yield { name, sizeBytes: object.length };
    }
  }

  async delete(names: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const name of names) checkObjectName(name);
    throwIfInterrupted(options.signal);
    for (const name of names) this.#objects.delete(name);
  }

  async close(): Promise<void> {}

  describe(): StorageDescription {
    return { kind: 'in-memory', id: this.#id };
  }

  #find(name: string, { signal }: CallOptions): Uint8Array {
    checkObjectName(name);
    throwIfInterrupted(signal);
    const object = this.#objects.get(name);
    if (object === undefined) throw notFound(name);
    return object;
  }
}

class InMemoryWriter implements ObjectWriter {
  sizeBytes = 0;
  readonly #parts: Uint8Array[] = [];
  readonly #create: (parts: Uint8Array[]) => Promise<CreateOutcome>;
  readonly #signal: AbortSignal | undefined;
  #open = true;

  constructor(create: (parts: Uint8Array[]) => Promise<CreateOutcome>, signal: AbortSignal | undefined) {
    this.#create = create;
    this.#signal = signal;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    assert(this.#open, 'append after the end of a writer');
    if (this.#signal?.aborted) await this.abort();
    throwIfInterrupted(this.#signal);
    for (const part of parts) {
      this.#parts.push(part.slice());
      this.sizeBytes += part.length;
    }
  }

  async commit(): Promise<CreateOutcome> {
    assert(this.#open, 'commit after the end of a writer');
    this.#open = false;
    return this.#create(this.#parts.splice(0));
  }

  async abort(): Promise<void> {
    this.#open = false;
    this.#parts.length = 0;
  }
}
