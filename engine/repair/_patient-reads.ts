/** What is read for a repair is asked for again where the machine says that it cannot be read: once may be bad luck, and what it is, a repair would give up. */
import { setTimeout } from 'node:timers/promises';
import { isLaganError } from '../../repo-format/mod.ts';
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
import { repairLimits } from './_limits.ts';

export class PatientReads implements Storage {
  readonly location: string;
  readonly #base: Storage;

  constructor(base: Storage) {
    this.#base = base;
    this.location = base.location;
  }

  state(options?: CallOptions): Promise<PlaceState> {
    return this.#base.state(options);
  }

  prepare(options?: CallOptions): Promise<void> {
    return this.#base.prepare(options);
  }

  removeLitter(options?: CallOptions): Promise<number> {
    return this.#base.removeLitter(options);
  }

  get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array> {
    return patiently(() => this.#base.get(name, range, options), options);
  }

  getEnd(name: string, last: number, options?: GetOptions): Promise<ObjectEnd> {
    return patiently(() => this.#base.getEnd(name, last, options), options);
  }

  size(name: string, options?: CallOptions): Promise<number> {
    return patiently(() => this.#base.size(name, options), options);
  }

  create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    return this.#base.create(name, parts, options);
  }

  createWriter(name: string, options?: CallOptions): Promise<ObjectWriter> {
    return this.#base.createWriter(name, options);
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject> {
    return this.#base.list(prefix, options);
  }

  delete(names: readonly string[], options?: CallOptions): Promise<void> {
    return this.#base.delete(names, options);
  }

  /** The storage below stays open. */
  async close(): Promise<void> {}

  describe(): StorageDescription {
    return this.#base.describe();
  }
}

async function patiently<Result>(read: () => Promise<Result>, { signal }: CallOptions = {}): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (!isLaganError(error, 'io') || attempt === repairLimits.readAttempts) throw error;
      // When it is interrupted, the next reading says so.
      await setTimeout(repairLimits.readPauseMs * attempt, undefined, { signal }).catch(() => undefined);
    }
  }
}
