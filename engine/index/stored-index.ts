import type { LaganError, PackId } from '../../repo-format/mod.ts';
import { readSegment, type SegmentPlace } from '../objects/mod.ts';
import { isDamage } from '../packs/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { findInTable, mayContain, type StoredTable } from './stored-table.ts';

/** Opened pages that a thread keeps (of about 36 KiB). */
const cachedPages = 16;

export interface StoredIndexOptions {
  readonly isExpected?: boolean;
  readonly onDamage?: ((error: LaganError) => void) | undefined;
}

/**
 * All index tables of a repository, as one thread looks chunks up in them: the filters answer for nearly every chunk that is new,
 * by memory alone; a page is read for the rest.
 */
export class StoredIndex {
  readonly #storage: Storage;
  #tables: readonly StoredTable[];
  readonly #isExpected: boolean;
  readonly #onDamage: ((error: LaganError) => void) | undefined;
  /** Tables that were found to be damaged: they are not asked any more. */
  readonly #damaged = new Set<string>();
  readonly #pages = new Map<string, Promise<Uint8Array>>();

  /**
   * `isExpected`: most of what is asked for is there, so that filters which are not resident are not asked first. `onDamage` is told of a table that turns out to be damaged,
   * once; it is not asked any more. Without it that is an error.
   */
  constructor(storage: Storage, tables: readonly StoredTable[], { isExpected = false, onDamage }: StoredIndexOptions = {}) {
    this.#storage = storage;
    this.#tables = tables;
    this.#isExpected = isExpected;
    this.#onDamage = onDamage;
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
      if (!mayContain(table, names, offset) || this.#damaged.has(table.object.name)) continue;
      const pack = await this.#findIn(table, names, offset);
      if (pack !== undefined && (await accept(pack))) return pack;
    }
    return undefined;
  }

  async #findIn(table: StoredTable, names: Uint8Array, offset: number): Promise<PackId | undefined> {
    try {
      return await findInTable(table, { names, offset, isExpected: this.#isExpected, readPage: (...page) => this.#page(...page) });
    } catch (error) {
      if (this.#onDamage === undefined || !isDamage(error)) throw error;
      const { name } = table.object;
      if (!this.#damaged.has(name)) this.#onDamage(error);
      this.#damaged.add(name);
      return undefined;
    }
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
