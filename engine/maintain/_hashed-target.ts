import { createHash } from 'node:crypto';
import type { ObjectTarget } from '../objects/mod.ts';
import type { ByteRange, CallOptions, CreateOutcome, GetOptions, ObjectWriter, Storage } from '../storage/mod.ts';

/** Passes an object on to a storage and computes the SHA-256 of what is stored, which a root needs to refer to it. */
export class HashedTarget implements ObjectTarget {
  readonly #storage: Storage;
  readonly #hash = createHash('sha256');

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async createWriter(name: string, options?: CallOptions): Promise<ObjectWriter> {
    return new HashedWriter(await this.#storage.createWriter(name, options), (part) => this.#hash.update(part));
  }

  get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array> {
    return this.#storage.get(name, range, options);
  }

  /** Once the object is stored. */
  digest(): Uint8Array {
    return Uint8Array.from(this.#hash.digest());
  }
}

class HashedWriter implements ObjectWriter {
  readonly #inner: ObjectWriter;
  readonly #onPart: (part: Uint8Array) => void;

  constructor(inner: ObjectWriter, onPart: (part: Uint8Array) => void) {
    this.#inner = inner;
    this.#onPart = onPart;
  }

  get sizeBytes(): number {
    return this.#inner.sizeBytes;
  }

  append(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) this.#onPart(part);
    return this.#inner.append(parts);
  }

  commit(): Promise<CreateOutcome> {
    return this.#inner.commit();
  }

  abort(): Promise<void> {
    return this.#inner.abort();
  }
}
