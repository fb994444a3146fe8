import { type IndexContents, type ObjectReference, objectNames, type PackId, type PackRow } from '../../repo-format/mod.ts';
import type { SealingKeys } from '../objects/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { openHead, readPackTable } from './_table-head.ts';
import type { FilterMemory } from './filter-memory.ts';
import { closeTable, type OpenedTable, openTable } from './stored-table.ts';

/**
 * Opens the tables of a base index, the newest first: the one that a root refers to, and the older ones that it goes on from, without the packs that do not count there. None
 * for null. {@link closeTable} gives the memory of each back. Codes: those of a damaged object, and of the storage.
 */
export async function openBaseIndex(
  storage: Storage,
  { reference, keys, memory }: { reference: ObjectReference | null; keys: SealingKeys; memory: FilterMemory | undefined },
): Promise<OpenedTable[]> {
  if (reference === null) return [];
  const newest = await openTable(storage, { name: objectNames.baseIndex(reference.id), keys, memory });
  const without = new Set(newest.leftOut);
  const older = await Promise.allSettled(
    newest.older.map(({ id }) => openTable(storage, { name: objectNames.baseIndex(id), keys, memory, without })),
  );
  const opened = [newest, ...older.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))];
  const failed = older.find((result) => result.status === 'rejected');
  if (failed === undefined) return opened;
  if (memory !== undefined) for (const { table } of opened) closeTable(table, memory);
  throw failed.reason;
}

/** A table of a base index, before its rows are read. */
export interface BaseTable {
  readonly reference: ObjectReference;
  readonly name: string;
  readonly rows: number;
}

export interface BaseIndex {
  /** The newest first. */
  readonly tables: readonly BaseTable[];
  /** Packs that do not count in any table but the newest. */
  readonly leftOut: ReadonlySet<PackId>;
  readonly replaced: IndexContents['replaced'];
}

/** What tables a base index has; none for null. Codes as of {@link openBaseIndex}. */
export async function readBaseIndex(
  storage: Storage,
  { reference, keys, signal }: { reference: ObjectReference | null; keys: SealingKeys } & CallOptions,
): Promise<BaseIndex> {
  if (reference === null) return { tables: [], leftOut: new Set(), replaced: [] };
  const read = async (one: ObjectReference) => {
    const name = objectNames.baseIndex(one.id);
    const { contents } = await openHead(storage, { name, keys, signal });
    return { contents, table: { reference: one, name, rows: contents.rows } };
  };
  const newest = await read(reference);
  const older = await Promise.all(newest.contents.older.map(read));
  const { leftOut, replaced } = newest.contents;
  return { tables: [newest.table, ...older.map(({ table }) => table)], leftOut: new Set(leftOut), replaced };
}

/** The packs that a base index lists, some at a time, without those that do not count. One that is in several tables comes several times. Codes as of {@link openBaseIndex}. */
export async function* basePackRows(
  storage: Storage,
  { reference, keys, signal }: { reference: ObjectReference | null; keys: SealingKeys } & CallOptions,
): AsyncGenerator<PackRow[]> {
  const { tables, leftOut } = await readBaseIndex(storage, { reference, keys, signal });
  for (const [age, { name }] of tables.entries())
    for await (const rows of readPackTable(storage, await openHead(storage, { name, keys, signal }), { signal }))
      yield age === 0 ? rows : rows.filter(({ id }) => !leftOut.has(id));
}

/** How many rows a table has. */
export async function countRows(
  storage: Storage,
  { name, keys, signal }: { name: string; keys: SealingKeys } & CallOptions,
): Promise<number> {
  return (await openHead(storage, { name, keys, signal })).contents.rows;
}

/** The packs of a table among `wanted`, with how many chunks each has. */
export async function listedPacks(
  storage: Storage,
  { name, keys, wanted, signal }: { name: string; keys: SealingKeys; wanted: ReadonlySet<PackId> } & CallOptions,
): Promise<Map<PackId, number>> {
  const listed = new Map<PackId, number>();
  if (wanted.size === 0) return listed;
  for await (const rows of readPackTable(storage, await openHead(storage, { name, keys, signal }), { signal }))
    for (const { id, chunkCount } of rows) if (wanted.has(id)) listed.set(id, chunkCount);
  return listed;
}
