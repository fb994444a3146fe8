import type { PackId } from '../../repo-format/mod.ts';
import { readSegment, type SegmentPlace } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { findInTable, mayContain, type StoredTable } from './stored-table.ts';

/** Opened pages that a thread keeps (of about 36 KiB). */
const cachedPages = 16;

/**
 * All index tables of a repository, as one thread looks chunks up in them: the filters answer for nearly every chunk that is new,
 * by memory alone; a page is read for the rest.
 */
export class StoredIndex {
  readonly #storage: Storage;
  #tables: readonly StoredTable[];
  readonly #isExpected: boolean;
  readonly #pages = new Map<string, Promise<Uint8Array>>();

  /** `isExpected`: most of what is asked for is there, so that filters which are not resident are not asked first. */
  constructor(storage: Storage, tables: readonly StoredTable[], { isExpected = false }: { isExpected?: boolean } = {}) {
    this.#storage = storage;
    this.#tables = tables;
    this.#isExpected = isExpected;
  }

  /** Tables written since: asked from now on. */
  replaceTables(tables: readonly StoredTable[]): void {
    this.#tables = tables;
  }

  /** `false`: surely no table has the chunk. */
  mayContain(names: Uint8Array, offset: number): boolean {
    for (const table of this.#tables) if (mayContain(table, names, offset)) return true;
    return false;
  }

  /** A pack that has the chunk named at `names[offset…]` and that `accept` finds good, or undefined. */
  async find(
    names: Uint8Array,
    offset: number,
    accept: (pack: PackId) => boolean | Promise<boolean> = () => true,
  ): Promise<PackId | undefined> {
    for (const table of this.#tables) {
      if (!mayContain(table, names, offset)) continue;
      const pack = await findInTable(table, { names, offset, isExpected: this.#isExpected, readPage: (...page) => this.#page(...page) });
      if (pack !== undefined && (await accept(pack))) return pack;
    }
    return undefined;
  }

  #page(table: StoredTable, number: number, place: SegmentPlace): Promise<Uint8Array> {
    const key = `${table.object.name}#${number}`;
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = readSegment(this.#storage, table.object, { number, place });
      page.catch(() => this.#pages.delete(key));
      const oldest = this.#pages.keys().next();
      if (this.#pages.size >= cachedPages && !oldest.done) this.#pages.delete(oldest.value);
    } else this.#pages.delete(key);
    this.#pages.set(key, page);
    return page;
  }
}
