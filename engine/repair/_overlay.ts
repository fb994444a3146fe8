import { LaganError, objectNames, type PackId } from '../../repo-format/mod.ts';
import {
  type ByteRange,
  type CallOptions,
  type CreateOutcome,
  type GetOptions,
  InMemory,
  type ListedObject,
  type ListOptions,
  type ObjectEnd,
  type ObjectWriter,
  type PlaceState,
  type Storage,
  type StorageDescription,
} from '../storage/mod.ts';

/**
 * A storage that can be written and stays as it is: new objects are in memory, in front of those that are there. A dry run does in it all that the repair would do. What that writes
 * are nodes and index tables: about 40 bytes for each chunk that is listed anew.
 */
export class OverlayStorage implements Storage {
  readonly location: string;
  readonly #base: Storage;
  readonly #added = new InMemory();
  readonly #names = new Set<string>();

  constructor(base: Storage) {
    this.#base = base;
    this.location = base.location;
  }

  /** A pack that is listed, and that nobody reads. */
  async pretendPack(pack: PackId): Promise<void> {
    await this.create(objectNames.pack(pack), [new Uint8Array(0)]);
  }

  state(options?: CallOptions): Promise<PlaceState> {
    return this.#base.state(options);
  }

  async prepare(): Promise<void> {}

  async removeLitter(): Promise<number> {
    return 0;
  }

  get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array> {
    return this.#storageOf(name).get(name, range, options);
  }

  getEnd(name: string, last: number, options?: GetOptions): Promise<ObjectEnd> {
    return this.#storageOf(name).getEnd(name, last, options);
  }

  size(name: string, options?: CallOptions): Promise<number> {
    return this.#storageOf(name).size(name, options);
  }

  create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    this.#names.add(name);
    return this.#added.create(name, parts, options);
  }

  createWriter(name: string, options?: CallOptions): Promise<ObjectWriter> {
    this.#names.add(name);
    return this.#added.createWriter(name, options);
  }

  /** Both listings ascend; new names are random, so that none is in both. */
  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ListedObject> {
    const added: ListedObject[] = [];
    for await (const listed of this.#added.list(prefix, options)) added.push(listed);
    for await (const listed of this.#base.list(prefix, options)) {
      while (added[0] !== undefined && added[0].name < listed.name) yield added.shift()!;
      yield listed;
    }
    yield* added;
  }

  async delete(names: readonly string[]): Promise<void> {
    throw new LaganError('read-only', `a dry run deletes nothing, and was to delete ${names[0]}`);
  }

  /** The storage below stays open. */
  async close(): Promise<void> {}

  describe(): StorageDescription {
    return this.#added.describe();
  }

  #storageOf(name: string): Storage {
    return this.#names.has(name) ? this.#added : this.#base;
  }
}
