/**
 * Where chunks of packs that are lost, or may be, are besides: in packs that the index lists, and in packs of which it says nothing or not all. A writer stored them again; or they were
 * there twice; or a collector of which the root knows nothing has moved them, before the store was set back. Source: spec/root.md, ROOT-27.
 */
import { indexRowLayout, isLaganError, objectNames, type PackId, packOrdinalAt, type Root } from '../../repo-format/mod.ts';
import { openBaseIndex, openMergedRows, openTable, readBaseIndex, readStoredPack, StoredIndex } from '../index/mod.ts';
import { NameMap } from '../names/mod.ts';
import { isRecoveryRoot, type LostPacks, type Repository, type SessionIndexTable } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { doubted, type Losses } from './_losses.ts';
import { packsListedIn } from './_unlisted-packs.ts';

export interface Returned {
  /** Packs that are lost, or may be → the packs that have chunks of them. */
  readonly holders: ReadonlyMap<PackId, readonly PackId[]>;
  /** What is lost, with the chunks that are nowhere else. */
  readonly missing: LostPacks;
  /** Of the holders: those whose chunks the index is to list from now on. */
  readonly unlisted: readonly PackId[];
}

export const nothingReturned: Returned = { holders: new Map(), missing: new Map(), unlisted: [] };

export interface SearchOptions extends CallOptions {
  readonly losses: Losses;
  /** Index tables of sessions. */
  readonly tables: readonly SessionIndexTable[];
  /** The packs in the store, listed after the root was read. */
  readonly present: ReadonlySet<PackId>;
  readonly doomed: ReadonlySet<PackId>;
}

/** Codes: those of damaged tables, and of the storage. */
export async function findReturned(repository: Repository, root: Root, options: SearchOptions): Promise<Returned> {
  const { losses } = options;
  if (doubted(losses).size === 0) return nothingReturned;
  const search = new Search(repository, root, options);
  await search.run();
  return search.result;
}

class Search {
  readonly #repository: Repository;
  readonly #root: Root;
  readonly #options: SearchOptions;
  readonly #doubted: ReadonlySet<PackId>;
  /** Names of chunks that are looked for, and the lost packs that had each. */
  readonly #wanted = new NameMap();
  readonly #names: Uint8Array[] = [];
  readonly #owners: PackId[][] = [];
  /** The pack that has each, by its number. */
  readonly #holders = new Map<number, PackId>();
  readonly #unlisted = new Set<PackId>();
  readonly #isThere = new Map<PackId, boolean>();

  constructor(repository: Repository, root: Root, options: SearchOptions) {
    this.#repository = repository;
    this.#root = root;
    this.#options = options;
    this.#doubted = doubted(options.losses);
  }

  async run(): Promise<void> {
    const { losses } = this.#options;
    const looked = new Set([...this.#doubted].filter((pack) => !losses.unasked.has(pack)));
    const newlyLost = await this.#newlyLost(looked);
    // What was lost before is in no table but new ones: all others were looked through then.
    const fresh = [...looked].filter((pack) => !losses.before.has(pack) || newlyLost.has(pack));
    for (const [pack, names] of losses.before) if (this.#doubted.has(pack)) this.#want(pack, names);
    for (const { value } of losses.reports)
      for (const { pack, chunks } of value.findings) if (pack !== null && looked.has(pack)) this.#want(pack, chunks);
    for (const pack of looked) this.#want(pack, newlyLost.get(pack) ?? (losses.before.has(pack) ? [] : (losses.lost.get(pack) ?? [])));
    const base = fresh.length > 0 || isRecoveryRoot(this.#root) ? await this.#baseTables() : noTables;
    await this.#wantListed(
      fresh.filter((pack) => (losses.lost.get(pack) ?? null) === null),
      base,
    );
    if (this.#names.length === 0) return;
    const partly = await this.#findListed(base);
    if (this.#holders.size < this.#names.length) await this.#findUnlisted(partly);
  }

  get result(): Returned {
    const { lost, unasked } = this.#options.losses;
    const isLooked = (pack: PackId) => !unasked.has(pack);
    const holders = new Map<PackId, Set<PackId>>([...this.#doubted].filter(isLooked).map((pack) => [pack, new Set()]));
    const missing = new Map<PackId, Uint8Array[]>([...lost.keys()].filter(isLooked).map((pack) => [pack, []]));
    for (const [number, owners] of this.#owners.entries()) {
      const holder = this.#holders.get(number);
      for (const owner of owners) {
        if (holder !== undefined) holders.get(owner)?.add(holder);
        else missing.get(owner)?.push(this.#names[number]!);
      }
    }
    return { holders: new Map([...holders].map(([pack, by]) => [pack, [...by]])), missing, unlisted: [...this.#unlisted] };
  }

  #want(pack: PackId, names: readonly Uint8Array[]): void {
    for (const name of names) {
      const known = this.#wanted.get(name, 0);
      if (known >= 0) {
        if (!this.#owners[known]!.includes(pack)) this.#owners[known]!.push(pack);
        continue;
      }
      this.#wanted.add(name, 0, this.#names.length);
      this.#names.push(name);
      this.#owners.push([pack]);
    }
  }

  /**
   * Of packs that the root calls lost: chunks in damaged blocks that it does not list, and that are not back either. Those that are back the index gives for another pack, since they were found; the
   * blocks of others were damaged since.
   */
  async #newlyLost(looked: ReadonlySet<PackId>): Promise<ReadonlyMap<PackId, readonly Uint8Array[]>> {
    const { before, lost } = this.#options.losses;
    const found = new Map<PackId, Uint8Array[]>();
    let index: StoredIndex | undefined;
    for (const pack of looked) {
      const damaged = before.has(pack) ? (lost.get(pack) ?? []) : [];
      if (damaged.length === 0) continue;
      const known = new NameMap(before.get(pack)!.length);
      for (const name of before.get(pack)!) known.add(name, 0, 0);
      const unlisted = damaged.filter((name) => known.get(name, 0) < 0);
      if (unlisted.length > 0) index ??= await this.#openIndex();
      const nowhere: Uint8Array[] = [];
      for (const name of unlisted) if ((await index!.find(name, 0, (holder) => this.#mayHold(holder))) === undefined) nowhere.push(name);
      if (nowhere.length > 0) found.set(pack, nowhere);
    }
    return found;
  }

  async #openIndex(): Promise<StoredIndex> {
    const { storage, keys } = this.#repository;
    const base = await openBaseIndex(storage, { reference: this.#root.baseIndex, keys, memory: undefined });
    const sessions = await Promise.all(this.#sessionTables.map((name) => openTable(storage, { name, keys, memory: undefined })));
    return new StoredIndex(
      storage,
      [...base, ...sessions].map(({ table }) => table),
    );
  }

  async #mayHold(pack: PackId): Promise<boolean> {
    return !this.#doubted.has(pack) && !this.#options.doomed.has(pack) && (await this.#isPresent(pack));
  }

  /** The tables of the base index, with the packs that do not count in each. */
  async #baseTables(): Promise<ReadonlyMap<string, ReadonlySet<PackId>>> {
    const { storage, keys } = this.#repository;
    const { tables, leftOut } = await readBaseIndex(storage, { reference: this.#root.baseIndex, keys, signal: this.#options.signal });
    return new Map(tables.map(({ name }, age) => [name, age === 0 ? noPacks : leftOut]));
  }

  /** All chunks that the index gives for these packs: of a pack that is gone nothing else tells. Each table is asked by itself, since of several copies the index gives one. */
  async #wantListed(packs: readonly PackId[], base: ReadonlyMap<string, ReadonlySet<PackId>>): Promise<void> {
    if (packs.length === 0) return;
    const { storage, keys } = this.#repository;
    const gone = new Set(packs);
    for (const name of [...base.keys(), ...this.#sessionTables]) {
      const rows = await openMergedRows(storage, { keys, tables: [name], withoutIn: base });
      for await (const page of rows.pages())
        for (let row = 0, offset = 0; offset < page.length; row++, offset += indexRowLayout.sizeBytes) {
          const { id } = rows.packs.at(packOrdinalAt(page, row));
          if (gone.has(id)) this.#want(id, [page.slice(offset, offset + nameSizeBytes)]);
        }
    }
  }

  /** By the index. Returns packs of which the index does not give all chunks: the others were there twice when they came. */
  async #findListed(base: ReadonlyMap<string, ReadonlySet<PackId>>): Promise<PackId[]> {
    const { storage, keys } = this.#repository;
    const without = new Set([...this.#doubted, ...this.#options.doomed]);
    const rows = await openMergedRows(storage, { keys, tables: [...base.keys(), ...this.#sessionTables], without, withoutIn: base });
    const counts = new Uint32Array(rows.packs.count);
    for await (const page of rows.pages())
      for (let row = 0, offset = 0; offset < page.length; row++, offset += indexRowLayout.sizeBytes) {
        const ordinal = packOrdinalAt(page, row);
        counts[ordinal]!++;
        const number = this.#wanted.get(page, offset);
        const { id } = rows.packs.at(ordinal);
        if (number >= 0 && (await this.#isPresent(id))) this.#holders.set(number, id);
      }
    const partly: PackId[] = [];
    for (let ordinal = 0; ordinal < counts.length; ordinal++) {
      const { id, chunkCount } = rows.packs.at(ordinal);
      if (counts[ordinal]! < chunkCount) partly.push(id);
    }
    return partly;
  }

  /** In packs that no table lists, and in those that are listed in part: by their own contents. */
  async #findUnlisted(partly: readonly PackId[]): Promise<void> {
    const { present, doomed } = this.#options;
    const listed = await packsListedIn(this.#repository, this.#root, this.#sessionTables);
    const candidates = [...partly, ...[...present].filter((pack) => !listed.has(pack))];
    for (const pack of candidates) {
      if (doomed.has(pack) || this.#doubted.has(pack) || this.#holders.size === this.#names.length) continue;
      const names = (await readStoredPack(this.#repository, pack, () => undefined).catch(goneAsUndefined))?.names ?? noNames;
      for (let offset = 0; offset < names.length; offset += nameSizeBytes) {
        const number = this.#wanted.get(names, offset);
        if (number < 0 || this.#holders.has(number)) continue;
        this.#holders.set(number, pack);
        this.#unlisted.add(pack);
      }
    }
  }

  /** A pack that was not listed may have come since, or be lost without anybody having said so. */
  async #isPresent(pack: PackId): Promise<boolean> {
    if (this.#options.present.has(pack)) return true;
    const known = this.#isThere.get(pack);
    if (known !== undefined) return known;
    const { storage } = this.#repository;
    const found = storage.get(objectNames.pack(pack), { offset: 0, length: 1 }, { signal: this.#options.signal });
    const isThere = (await found.catch(goneAsUndefined)) !== undefined;
    this.#isThere.set(pack, isThere);
    return isThere;
  }

  get #sessionTables(): string[] {
    return this.#options.tables.map(({ name }) => name);
  }
}

const nameSizeBytes = 32;
const noPacks: ReadonlySet<PackId> = new Set();
const noTables: ReadonlyMap<string, ReadonlySet<PackId>> = new Map();
const noNames = new Uint8Array(0);

function goneAsUndefined(error: unknown): undefined {
  if (isLaganError(error, 'not-found') || isLaganError(error, 'pack-missing')) return undefined;
  throw error;
}
