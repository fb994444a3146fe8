import pLimit from 'p-limit';
import { type LaganError, objectNames, type PackId } from '../../repo-format/mod.ts';
import {
  closeTable,
  filterMemory,
  mergeIndexTables,
  type OpenedTable,
  openBaseIndex,
  openTable,
  type StoredTable,
  writeIndexTable,
} from '../index/mod.ts';
import { isDamage, type StoredPack } from '../packs/mod.ts';
import type { Repository, Session } from '../repository/mod.ts';
import { backupLimits } from './_limits.ts';

/** An index table of this session: of the checkpoints `from` to `to`, merged `level` times. */
interface OwnTable {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly level: number;
  readonly table: StoredTable;
}

interface OpenEarlierOptions {
  readonly dryRun: boolean;
  readonly onDamage?: ((error: LaganError) => void) | undefined;
}

/**
 * The index tables that one session asks: those that were there when it began, and its own. A backup of many hours has hundreds of checkpoints; so that there are
 * never hundreds of tables to ask, as many of one level as `tablesPerLevel` are merged into one of the next. The merged table's range supersedes the others by its name.
 */
export class SessionTables {
  readonly #repository: Repository;
  readonly #session: Session;
  #earlier: StoredTable[] = [];
  #own: OwnTable[] = [];

  constructor(repository: Repository, session: Session) {
    this.#repository = repository;
    this.#session = session;
  }

  /**
   * Opens the tables that were there when the session began. Returns the packs that they list. While the collector fences, the tables that it is about to fold are stored
   * once more, as one table of this session's first checkpoint (number 0): see `Session.pendingTables`. `dryRun`: they are only opened.
   *
   * `onDamage` is told of tables of sessions that are damaged, and they are left out: what only they list is stored again. Without it, and for the base index, that is an error.
   */
  async openEarlier({ dryRun, onDamage }: OpenEarlierOptions): Promise<Set<PackId>> {
    const listed = new Set<PackId>();
    const { root, indexTables, pendingTables, excludedPacks } = this.#session;
    const names = indexTables.map(({ name }) => name);
    const pending = pendingTables.map(({ name }) => name);
    if (pending.length === 0 || dryRun) names.push(...pending);
    else names.push(...(await this.#mergePending(pending, { without: excludedPacks, onDamage })));
    const { storage, keys } = this.#repository;
    const atOnce = pLimit(backupLimits.tablesOpenedAtOnce);
    const open = async (name: string): Promise<OpenedTable[]> => {
      try {
        return [await this.#open(name)];
      } catch (error) {
        if (onDamage === undefined || !isDamage(error)) throw error;
        onDamage(error);
        return [];
      }
    };
    const outcomes = await Promise.allSettled([
      ...names.map((name) => atOnce(() => open(name))),
      openBaseIndex(storage, { reference: root.baseIndex, keys, memory: filterMemory }),
    ]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') continue;
      for (const { table, packs } of outcome.value) {
        this.#earlier.push(table);
        for (const { id } of packs) listed.add(id);
      }
    }
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return listed;
  }

  /** The newest first: what was written last is met again soonest. */
  get all(): readonly StoredTable[] {
    return [...this.#own.map(({ table }) => table).reverse(), ...this.#earlier];
  }

  /** Stores a table of the packs since the last checkpoint. `isLast`: nobody will ask it. */
  async write(checkpoint: number, packs: readonly StoredPack[], { isLast }: { isLast: boolean }): Promise<void> {
    const name = this.#name(checkpoint, checkpoint);
    await writeIndexTable(this.#repository.storage, { name, keys: this.#repository.keys, packs });
    if (isLast) return;
    this.#own.push({ name, from: checkpoint, to: checkpoint, level: 0, table: (await this.#open(name)).table });
  }

  /** Merges where there are many of one level. */
  async merge(): Promise<void> {
    for (;;) {
      const last = this.#own.slice(-backupLimits.tablesPerLevel);
      if (last.length < backupLimits.tablesPerLevel || last.some(({ level }) => level !== last[0]!.level)) return;
      const [from, to] = [last[0]!.from, last.at(-1)!.to];
      const name = this.#name(from, to);
      await mergeIndexTables(this.#repository.storage, { name, keys: this.#repository.keys, tables: last.map((table) => table.name) });
      for (const { table } of last) closeTable(table, filterMemory);
      this.#own.splice(-last.length, last.length, { name, from, to, level: last[0]!.level + 1, table: (await this.#open(name)).table });
    }
  }

  /** Gives back the memory of all. They must not be asked any more. */
  close(): void {
    for (const table of this.all) closeTable(table, filterMemory);
    this.#earlier = [];
    this.#own = [];
  }

  /** Returns the name of the merged table; none if all of them are damaged. */
  async #mergePending(
    pending: readonly string[],
    { without, onDamage }: { without: ReadonlySet<PackId> } & Pick<OpenEarlierOptions, 'onDamage'>,
  ): Promise<string[]> {
    const { storage, keys } = this.#repository;
    const name = this.#name(0, 0);
    for (let tables = pending; tables.length > 0; ) {
      try {
        await mergeIndexTables(storage, { name, keys, tables, without });
        return [name];
      } catch (error) {
        if (onDamage === undefined || !isDamage(error) || !tables.includes(error.object ?? '')) throw error;
        onDamage(error);
        tables = tables.filter((table) => table !== error.object);
      }
    }
    return [];
  }

  #name(from: number, to: number): string {
    return objectNames.sessionIndex(this.#session.generation, this.#session.id, from, to);
  }

  #open(name: string): Promise<OpenedTable> {
    return openTable(this.#repository.storage, { name, keys: this.#repository.keys, memory: filterMemory });
  }
}
