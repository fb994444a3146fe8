import { isLaganError, type PackId } from '../../repo-format/mod.ts';
import { isDamage, type MovedChunks } from '../packs/mod.ts';
import { listIndexTables, type Repository, readRoot } from '../repository/mod.ts';
import { openBaseIndex } from './base-index.ts';
import { StoredIndex } from './stored-index.ts';
import { openTable } from './stored-table.ts';

/** So few replacements are asked at once; of more the index says which has the chunk. */
const fewReplacements = 1;

/** The base index of one root as it is needed here. */
interface OpenBase {
  readonly rootNumber: number;
  readonly index: StoredIndex;
  readonly replaced: ReadonlyMap<PackId, readonly PackId[]>;
}

/**
 * Where chunks are whose pack is gone: the collector has moved them, or they were lost and stored again. Nothing is read before the first question. Then the head of the
 * base index is in memory, and a few of its pages.
 */
export function movedChunks(repository: Repository): MovedChunks {
  return new MovedByIndex(repository);
}

class MovedByIndex implements MovedChunks {
  readonly #repository: Repository;
  #base: Promise<OpenBase> | undefined;
  #sessions: Promise<StoredIndex> | undefined;
  /** Packs for which it was looked whether the collector has moved on since the root of that number. */
  readonly #asked = new Map<PackId, { readonly since: number; readonly hasMoved: Promise<boolean> }>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  async *packsOf(name: Uint8Array, gone: PackId): AsyncGenerator<PackId> {
    const tried = new Set<PackId>([gone]);
    const news = (packs: readonly PackId[]) => packs.filter((pack) => !tried.has(pack) && tried.add(pack));
    for (let before: number | undefined; ; ) {
      try {
        const base = await (this.#base ??= this.#openBase());
        const replacements = base.replaced.get(gone) ?? [];
        if (replacements.length <= fewReplacements) yield* news(replacements);
        const pack = await base.index.find(name, 0, (found) => !tried.has(found));
        if (pack !== undefined) yield* news([pack]);
        yield* news(replacements);
      } catch (error) {
        // Of a damaged index nothing is known; one that is gone was replaced by another.
        if (!isDamage(error) && !isLaganError(error, 'not-found')) throw error;
      }
      const since = await this.#rootOfBase();
      // The same again: also where there is no base index to be had.
      if (since === before || !(await this.#hasMovedOn(gone, since))) break;
      before = since;
    }
    const again = await this.#findInSessions(name, tried);
    if (again !== undefined) yield again;
  }

  /** Packs that the newest sessions have stored, which are in no base index yet. */
  async #findInSessions(name: Uint8Array, tried: ReadonlySet<PackId>): Promise<PackId | undefined> {
    try {
      this.#sessions ??= this.#openSessions();
      return await (await this.#sessions).find(name, 0, (found) => !tried.has(found));
    } catch (error) {
      if (!isDamage(error) && !isLaganError(error, 'not-found')) throw error;
      return undefined;
    }
  }

  /** Whether there is another root since the base index was opened. Asked once for each pack. */
  async #hasMovedOn(gone: PackId, since: number): Promise<boolean> {
    const asked = this.#asked.get(gone);
    if (asked?.since === since) return asked.hasMoved;
    const hasMoved = this.#dropIfOlder(since);
    this.#asked.set(gone, { since, hasMoved });
    hasMoved.catch(() => this.#asked.delete(gone));
    return hasMoved;
  }

  /** The number of the root whose base index is open; -1 if there is none. */
  async #rootOfBase(): Promise<number> {
    return (await this.#base?.catch(() => undefined))?.rootNumber ?? -1;
  }

  async #dropIfOlder(since: number): Promise<boolean> {
    const { number } = await readRoot(this.#repository);
    if (number === since) return false;
    this.#base = undefined;
    this.#sessions = undefined;
    return true;
  }

  async #openBase(): Promise<OpenBase> {
    const root = await readRoot(this.#repository);
    const { storage, keys } = this.#repository;
    const opened = await openBaseIndex(storage, { reference: root.baseIndex, keys, memory: undefined });
    const tables = opened.map(({ table }) => table);
    return {
      rootNumber: root.number,
      // Where there are several tables most of them do not have the chunk.
      index: new StoredIndex(storage, tables, { isExpected: tables.length === 1 }),
      replaced: new Map(opened[0]?.replaced.map(({ pack, by }) => [pack, by])),
    };
  }

  async #openSessions(): Promise<StoredIndex> {
    const { storage, keys } = this.#repository;
    const names = (await listIndexTables(this.#repository, await readRoot(this.#repository))).map(({ name }) => name);
    const opened = await Promise.all(names.map((name) => openTable(storage, { name, keys, memory: undefined }).catch(damagedAsUndefined)));
    const tables = opened.flatMap((table) => (table === undefined ? [] : [table.table]));
    return new StoredIndex(storage, tables, { onDamage: () => undefined });
  }
}

/** One damaged table is no reason not to ask the others. */
function damagedAsUndefined(error: unknown): undefined {
  if (!isDamage(error)) throw error;
}
