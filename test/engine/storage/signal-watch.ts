/** A storage that notes calls which were not given the signal that the whole was given: those would go on after Ctrl-C. */
import type { CallOptions, Storage } from '../../../engine/storage/mod.ts';

/** Where each call has its options. */
const optionsAt: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  storage: { state: 0, prepare: 0, removeLitter: 0, get: 2, getEnd: 2, size: 1, create: 2, createWriter: 1, list: 1, delete: 1 },
  history: { keepsVersions: 0, list: 1, get: 2, getEnd: 2, bringBack: 1, purge: 1 },
  locks: { policy: 0, extend: 2 },
};

export class SignalWatch {
  readonly storage: Storage;
  readonly signal = new AbortController().signal;
  /** Calls, as operation and the beginning of the name. */
  readonly seen = new Set<string>();
  readonly withoutSignal = new Set<string>();

  constructor(storage: Storage) {
    this.storage = this.#watched(storage, 'storage');
  }

  #watched<Part extends object>(part: Part, kind: string): Part {
    return new Proxy(part, {
      get: (target, property: string) => {
        const value: unknown = Reflect.get(target, property, target);
        if (kind === 'storage' && property in optionsAt && value !== undefined) return this.#watched(value as object, property);
        if (typeof value !== 'function') return value;
        const at = optionsAt[kind]![property];
        return (...parts: unknown[]) => {
          if (at !== undefined) this.#note(`${kind}.${property} ${placeOf(parts[0])}`, parts[at] as CallOptions | undefined);
          return (value as (...all: unknown[]) => unknown).apply(target, parts);
        };
      },
    });
  }

  #note(call: string, options: CallOptions | undefined): void {
    this.seen.add(call);
    if (options?.signal !== this.signal) this.withoutSignal.add(call);
  }
}

/** The folder of the name, or of the first of the names or versions. */
function placeOf(part: unknown): string {
  const first: unknown = Array.isArray(part) ? part[0] : part;
  const name = typeof first === 'object' && first !== null && 'name' in first ? first.name : first;
  return typeof name === 'string' ? name.slice(0, name.lastIndexOf('/') + 1) : '';
}
