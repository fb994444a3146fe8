/**
 * What every opening reads, asked for at once instead of one after the other: a store that is far away takes its time for each answer. Whoever then reads, in
 * its own order, finds the answers on their way. Nothing is assumed of them: they are those that the store would have given.
 */
import { type Grants, limits, objectNames, objectPrefixes, parseObjectName } from '../../repo-format/mod.ts';
import { keyLimits } from '../keys/mod.ts';
import {
  type ByteRange,
  type CallOptions,
  type GetOptions,
  type ListedObject,
  type ListOptions,
  type Storage,
  withOverrides,
} from '../storage/mod.ts';
import { repositoryLimits } from './limits.ts';

/** Key slots and keyrings: one listing. */
const keyPrefix = 'owner/k';

/** Each answer is given once, to the first who asks; whoever asks again asks the store. */
export class EarlyReads {
  /** The store, with the early answers. */
  readonly storage: Storage;
  readonly #store: Storage;
  readonly #signal: AbortSignal;
  readonly #end = new AbortController();
  /** By prefix. Undefined if there are more names than an opening looks at. */
  readonly #listings = new Map<string, Promise<readonly ListedObject[] | undefined>>();
  readonly #objects = new Map<string, Promise<Uint8Array>>();

  /** The requests are made now. */
  constructor(store: Storage, { signal }: CallOptions = {}) {
    this.#store = store;
    this.#signal = signal === undefined ? this.#end.signal : AbortSignal.any([signal, this.#end.signal]);
    this.storage = this.#withAnswers();
    this.#read(objectNames.format, limits.clearObjectSizeBytes);
    this.#list([objectPrefixes.keySlots, objectPrefixes.keyrings], keyPrefix, (names) => this.#readKeys(names));
    this.#list([objectPrefixes.configurations], objectPrefixes.configurations, (names) =>
      this.#readLast(names, 'configuration', repositoryLimits.sealedObjectSizeBytes),
    );
    this.#list([objectPrefixes.roots], objectPrefixes.roots, (names) => this.#readLast(names, 'root', limits.rootSizeBytes));
  }

  /** Ends what nobody has asked for. */
  end(): void {
    this.#listings.clear();
    this.#objects.clear();
    this.#end.abort();
  }

  #withAnswers(): Storage {
    return withOverrides(this.#store, {
      get: (name: string, range?: ByteRange, options?: GetOptions) => this.#takeObject(name, range, options),
      list: (prefix: string, options?: ListOptions) => this.#takeListing(prefix, options),
    });
  }

  #takeObject(name: string, range: ByteRange | undefined, options: GetOptions | undefined): Promise<Uint8Array> {
    const early = range === undefined ? this.#objects.get(name) : undefined;
    this.#objects.delete(name);
    return early ?? this.#store.get(name, range, options);
  }

  async *#takeListing(prefix: string, options: ListOptions = {}): AsyncGenerator<ListedObject> {
    const early = options.after === undefined ? await this.#listings.get(prefix) : undefined;
    this.#listings.delete(prefix);
    if (early === undefined) yield* this.#store.list(prefix, options);
    else for (const object of early) if (object.name.startsWith(prefix)) yield object;
  }

  /** Lists what begins with `prefix`, for those who ask for one of `prefixes`, and reads what is needed of it. */
  #list(prefixes: readonly string[], prefix: string, read: (names: readonly string[]) => void): void {
    const listing = this.#gather(prefix);
    for (const asked of prefixes) this.#listings.set(asked, listing);
    listing.then((objects) => objects !== undefined && read(objects.map(({ name }) => name))).catch(ignore);
  }

  async #gather(prefix: string): Promise<readonly ListedObject[] | undefined> {
    const found: ListedObject[] = [];
    for await (const object of this.#store.list(prefix, { signal: this.#signal })) {
      if (found.length === repositoryLimits.earlyNames) return undefined;
      found.push(object);
    }
    return found;
  }

  #readKeys(names: readonly string[]): void {
    const newest = new Map<Grants, string>();
    let slots = 0;
    for (const name of names) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'key-slot' && slots++ < keyLimits.slots) this.#read(name, limits.clearObjectSizeBytes);
      // Listings ascend.
      if (parsed?.type === 'keyring') newest.set(parsed.grants, name);
    }
    // Which of them will be opened depends on the slot.
    for (const name of newest.values()) this.#read(name, limits.keyringSizeBytes);
  }

  #readLast(names: readonly string[], type: 'configuration' | 'root', limitBytes: number): void {
    const last = names.findLast((name) => parseObjectName(name)?.type === type);
    if (last !== undefined) this.#read(last, limitBytes);
  }

  #read(name: string, limitBytes: number): void {
    const reading = this.#store.get(name, undefined, { limitBytes, signal: this.#signal });
    reading.catch(ignore); // Whoever asks for it is told.
    this.#objects.set(name, reading);
  }
}

function ignore(): void {}
