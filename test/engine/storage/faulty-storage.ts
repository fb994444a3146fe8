/**
 * A storage that fails on purpose: at the n-th call, when a number of bytes is used up, or by changing what is read. Every call is counted.
 */

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
} from '../../../engine/storage/mod.ts';
import { LaganError } from '../../../repo-format/mod.ts';

export type Operation =
  | 'state'
  | 'prepare'
  | 'removeLitter'
  | 'get'
  | 'size'
  | 'create'
  | 'createWriter'
  | 'append'
  | 'commit'
  | 'list'
  | 'delete';

export interface Fault {
  /** Which calls count; all of them if not given. */
  readonly operation?: Operation;
  /** Only calls for names that match count. */
  readonly name?: RegExp;
  /** The first that counts is 1. */
  readonly call: number;
  /** `before`: the call has no effect. `after`: it has, but its answer is lost. */
  readonly when?: 'before' | 'after';
  /** Later calls fail, too. */
  readonly forever?: boolean;
  readonly error?: () => Error;
}

export interface FaultPlan {
  readonly faults?: readonly Fault[];
  /** Bytes that may be written before the disk is full. */
  readonly capacityBytes?: number;
  /** Changes what `get` gives. */
  readonly corrupt?: (name: string, bytes: Uint8Array) => Uint8Array;
  /** Is told of every call, in order; may wait. */
  readonly onCall?: (operation: Operation, name: string) => void | Promise<void>;
}

export class FaultyStorage implements Storage {
  readonly location: string;
  readonly calls: { operation: Operation; name: string }[] = [];
  /** After each write: how many bytes were written until then. */
  readonly writtenBytes: number[] = [];
  plan: FaultPlan;
  readonly #inner: Storage;
  readonly #counts = new Map<Fault, number>();

  constructor(inner: Storage, plan: FaultPlan = {}) {
    this.#inner = inner;
    this.location = inner.location;
    this.plan = plan;
  }

  /** How many calls of an operation there were. */
  count(operation: Operation): number {
    return this.calls.filter((call) => call.operation === operation).length;
  }

  state(options?: CallOptions): Promise<PlaceState> {
    return this.run('state', '', () => this.#inner.state(options));
  }

  prepare(options?: CallOptions): Promise<void> {
    return this.run('prepare', '', () => this.#inner.prepare(options));
  }

  removeLitter(options?: CallOptions): Promise<number> {
    return this.run('removeLitter', '', () => this.#inner.removeLitter(options));
  }

  async get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array> {
    const bytes = await this.run('get', name, () => this.#inner.get(name, range, options));
    return this.plan.corrupt?.(name, bytes) ?? bytes;
  }

  async getEnd(name: string, last: number, options?: GetOptions): Promise<ObjectEnd> {
    const end = await this.run('get', name, () => this.#inner.getEnd(name, last, options));
    return { ...end, bytes: this.plan.corrupt?.(name, end.bytes) ?? end.bytes };
  }

  size(name: string, options?: CallOptions): Promise<number> {
    return this.run('size', name, () => this.#inner.size(name, options));
  }

  create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    return this.run('create', name, () => {
      this.spend(parts);
      return this.#inner.create(name, parts, options);
    });
  }

  async createWriter(name: string, options?: CallOptions): Promise<ObjectWriter> {
    return new FaultyWriter(this, { name, inner: await this.run('createWriter', name, () => this.#inner.createWriter(name, options)) });
  }

  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ListedObject> {
    await this.run('list', prefix, async () => undefined);
    yield* this.#inner.list(prefix, options);
  }

  delete(names: readonly string[], options?: CallOptions): Promise<void> {
    return this.run('delete', names.join(' '), () => this.#inner.delete(names, options));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  describe(): StorageDescription {
    return this.#inner.describe();
  }

  async run<T>(operation: Operation, name: string, call: () => Promise<T>): Promise<T> {
    this.calls.push({ operation, name });
    await this.plan.onCall?.(operation, name);
    const fault = this.plan.faults?.find((candidate) => this.#strikes(candidate, { operation, name }));
    if (fault !== undefined && fault.when !== 'after') throw faultError(fault, operation);
    const result = await call();
    if (fault !== undefined) throw faultError(fault, operation);
    return result;
  }

  spend(parts: readonly Uint8Array[]): void {
    const total = parts.reduce((sum, part) => sum + part.length, this.writtenBytes.at(-1) ?? 0);
    this.writtenBytes.push(total);
    if (total > (this.plan.capacityBytes ?? Number.POSITIVE_INFINITY)) throw new LaganError('no-space', 'the disk of the test is full');
  }

  #strikes(fault: Fault, { operation, name }: { operation: Operation; name: string }): boolean {
    if ((fault.operation ?? operation) !== operation || fault.name?.test(name) === false) return false;
    const count = (this.#counts.get(fault) ?? 0) + 1;
    this.#counts.set(fault, count);
    return count === fault.call || (fault.forever === true && count > fault.call);
  }
}

class FaultyWriter implements ObjectWriter {
  readonly #storage: FaultyStorage;
  readonly #name: string;
  readonly #inner: ObjectWriter;

  constructor(storage: FaultyStorage, { name, inner }: { name: string; inner: ObjectWriter }) {
    this.#storage = storage;
    this.#name = name;
    this.#inner = inner;
  }

  get sizeBytes(): number {
    return this.#inner.sizeBytes;
  }

  append(parts: readonly Uint8Array[]): Promise<void> {
    return this.#orAbort('append', () => {
      this.#storage.spend(parts);
      return this.#inner.append(parts);
    });
  }

  commit(): Promise<CreateOutcome> {
    return this.#orAbort('commit', () => this.#inner.commit());
  }

  abort(): Promise<void> {
    return this.#inner.abort();
  }

  async #orAbort<T>(operation: Operation, call: () => Promise<T>): Promise<T> {
    try {
      return await this.#storage.run(operation, this.#name, call);
    } catch (error) {
      await this.#inner.abort();
      throw error;
    }
  }
}

function faultError(fault: Fault, operation: Operation): Error {
  return fault.error?.() ?? new LaganError('io', `${operation} fails on purpose`, { errno: 'EIO' });
}

/** `bytes` with one bit changed. */
export function withFlippedBit(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = bytes.slice();
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}
