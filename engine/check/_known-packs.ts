import { objectPrefixes, type PackId, type PackKind, type PackRow, parseObjectName } from '../../repo-format/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import type { Findings } from './_findings.ts';

/** All that is known of a pack. */
export interface KnownPack {
  readonly id: PackId;
  readonly ordinal: number;
  /** Size in the store, undefined if it is not there. */
  storedSizeBytes: number | undefined;
  /** What index tables say of it; undefined if none names it. */
  indexed: PackRow | undefined;
  /** What a snapshot uses it for. */
  usedAs: PackKind | undefined;
  /** Rows of index tables that say a chunk is in it, of those that are in memory. */
  indexedChunks: number;
  /** The number of the oldest snapshot that lists it, from 0; -1: none does. */
  age: number;
  /** What the base index says: the packs that have what is needed of it. Undefined: it was not replaced. */
  replacedBy: readonly KnownPack[] | undefined;
}

/** The packs that are in the store, in the index, or in use, with small numbers for their ids. */
export class KnownPacks {
  readonly #byId = new Map<PackId, KnownPack>();
  readonly #all: KnownPack[] = [];

  get all(): readonly KnownPack[] {
    return this.#all;
  }

  /** The pack of that id, which may be in nothing but a reference. */
  get(id: PackId): KnownPack {
    let pack = this.#byId.get(id);
    if (pack === undefined) {
      pack = {
        id,
        ordinal: this.#all.length,
        storedSizeBytes: undefined,
        indexed: undefined,
        usedAs: undefined,
        indexedChunks: 0,
        age: -1,
        replacedBy: undefined,
      };
      this.#byId.set(id, pack);
      this.#all.push(pack);
    }
    return pack;
  }

  /** Notes that a snapshot lists the pack, the oldest one first. What replaced the pack is as old. */
  noteAge(id: PackId, age: number): void {
    const pack = this.get(id);
    for (const known of [pack, ...(pack.replacedBy ?? [])]) if (known.age < 0) known.age = age;
  }

  at(ordinal: number): KnownPack {
    return this.#all[ordinal]!;
  }

  /** Reads which packs are in the store: one listing for each role. An error of it is an error, never "nothing there". */
  async list(storage: Storage, { findings, signal }: { findings: Findings } & CallOptions): Promise<void> {
    for (const prefix of [objectPrefixes.writerPacks, objectPrefixes.collectorPacks]) {
      const foreign: string[] = [];
      for await (const { name, sizeBytes } of storage.list(prefix, { signal })) {
        const parsed = parseObjectName(name);
        if (parsed?.type === 'pack') this.get(parsed.id).storedSizeBytes = sizeBytes;
        else foreign.push(name);
      }
      if (foreign.length > 0) findings.addForeign(prefix, foreign);
    }
  }
}
