import {
  compareNames,
  encodeIndexContents,
  filterAdd,
  filterBlockCount,
  isSampled,
  limits,
  type PackRow,
  packOrdinalAt,
  writeRow,
} from '../../repo-format/mod.ts';
import { readSegment, type SealingKeys, SegmentedObjectWriter } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { appendFilter, appendPackRows } from './_table-segments.ts';
import { openTable, type StoredTable } from './stored-table.ts';

const nameSizeBytes = 32;
const rowSizeBytes = 36;
const filterBlockSizeBytes = 64;

/** A table that is merged: its rows in order, and where its packs begin in the merged table. */
interface Source {
  readonly table: StoredTable;
  readonly firstPack: number;
}

/** A row of the merge: a view that is valid until the next one. */
interface MergedRow {
  readonly page: Uint8Array;
  readonly offset: number;
  readonly packOrdinal: number;
}

/**
 * Stores one index table with the rows of several, page by page: memory holds a page of each and the filter of the whole. Where several have a chunk, the first
 * counts.
 */
export async function mergeIndexTables(
  storage: Storage,
  { name, keys, tables }: { name: string; keys: SealingKeys; tables: readonly string[] },
): Promise<void> {
  const { sources, packs } = await openSources(storage, { keys, tables });
  const object = await SegmentedObjectWriter.create(storage, { name, kind: 'index-table', keys });
  try {
    const packSegments = await appendPackRows(object, packs);
    const pages = new PageWriter(object);
    const sampled = new RowBuffer();
    for await (const row of mergeRows(storage, sources)) {
      await pages.add(row);
      if (isSampled(row.page, row.offset)) sampled.add(row);
    }
    await pages.flush();
    const filter = await buildFilter(storage, { sources, rows: pages.rows });
    const filterPlaces = await appendFilter(object, filter);
    const sample = new PageWriter(object);
    for (const row of sampled.rows()) await sample.add(row);
    await sample.flush();
    const counts = { rows: pages.rows, packs: packs.length, filterBlocks: filter.length / filterBlockSizeBytes, sampleRows: sample.rows };
    await object.finish(
      encodeIndexContents({ ...counts, packSegments, pages: pages.places, filter: filterPlaces, sample: sample.places, replaced: [] }),
    );
  } catch (error) {
    await object.abort();
    throw error;
  }
}

async function openSources(
  storage: Storage,
  { keys, tables }: { keys: SealingKeys; tables: readonly string[] },
): Promise<{ sources: Source[]; packs: PackRow[] }> {
  const sources: Source[] = [];
  const packs: PackRow[] = [];
  for (const name of tables) {
    const opened = await openTable(storage, { name, keys, memory: undefined });
    sources.push({ table: opened.table, firstPack: packs.length });
    packs.push(...opened.packs);
  }
  return { sources, packs };
}

/** All rows of the sources in the order of their names, each name once. */
async function* mergeRows(storage: Storage, sources: readonly Source[]): AsyncGenerator<MergedRow> {
  const cursors = await Promise.all(sources.map(async (source) => new RowCursor(storage, source).advance()));
  const live = cursors.filter((cursor) => cursor !== undefined);
  const previous = new Uint8Array(nameSizeBytes);
  let isFirst = true;
  while (live.length > 0) {
    let least = 0;
    for (let index = 1; index < live.length; index++) if (live[index]!.compare(live[least]!) < 0) least = index;
    const cursor = live[least]!;
    if (isFirst || compareNames(cursor.page, cursor.offset, previous, 0) !== 0) yield cursor;
    isFirst = false;
    previous.set(cursor.page.subarray(cursor.offset, cursor.offset + nameSizeBytes));
    if ((await cursor.advance()) === undefined) live.splice(least, 1);
  }
}

/** Walks the rows of one table. */
class RowCursor implements MergedRow {
  page = new Uint8Array(0);
  offset = 0;
  packOrdinal = 0;
  readonly #storage: Storage;
  readonly #source: Source;
  #nextPage = 0;

  constructor(storage: Storage, source: Source) {
    this.#storage = storage;
    this.#source = source;
  }

  /** Moves to the next row; undefined behind the last. */
  async advance(): Promise<this | undefined> {
    const { table, firstPack } = this.#source;
    this.offset += rowSizeBytes;
    if (this.offset >= this.page.length) {
      if (this.#nextPage === table.pagePlaces.length) return undefined;
      const number = table.firstPage + this.#nextPage;
      this.page = (await readSegment(this.#storage, table.object, {
        number,
        place: table.pagePlaces[this.#nextPage++]!,
      })) as Uint8Array<ArrayBuffer>;
      this.offset = 0;
    }
    this.packOrdinal = firstPack + packOrdinalAt(this.page, this.offset / rowSizeBytes);
    return this;
  }

  /** By name; of equal names the one of the earlier table comes first. */
  compare(other: RowCursor): number {
    return compareNames(this.page, this.offset, other.page, other.offset) || this.#source.firstPack - other.#source.firstPack;
  }
}

/** Rows in pages as they are stored. */
class PageWriter {
  readonly places: { offset: number; sealedLength: number; rows: number; firstName: Uint8Array }[] = [];
  rows = 0;
  readonly #object: SegmentedObjectWriter;
  readonly #page = new Uint8Array(limits.rowsPerPage * rowSizeBytes);
  #rowsInPage = 0;

  constructor(object: SegmentedObjectWriter) {
    this.#object = object;
  }

  async add({ page, offset, packOrdinal }: MergedRow): Promise<void> {
    writeRow(this.#page, this.#rowsInPage++, { name: page, nameOffset: offset, packOrdinal });
    this.rows++;
    if (this.#rowsInPage === limits.rowsPerPage) await this.flush();
  }

  async flush(): Promise<void> {
    const rows = this.#rowsInPage;
    if (rows === 0) return;
    this.#rowsInPage = 0;
    const place = await this.#object.append([this.#page.subarray(0, rows * rowSizeBytes)]);
    this.places.push({ ...place, rows, firstName: this.#page.slice(0, nameSizeBytes) });
  }
}

/** Rows that are kept: those of the sample, one in 64. */
class RowBuffer {
  readonly #rows: { readonly page: Uint8Array; readonly offset: number; readonly packOrdinal: number }[] = [];

  add({ page, offset, packOrdinal }: MergedRow): void {
    this.#rows.push({ page: page.slice(offset, offset + nameSizeBytes), offset: 0, packOrdinal });
  }

  rows(): readonly MergedRow[] {
    return this.#rows;
  }
}

async function buildFilter(storage: Storage, { sources, rows }: { sources: readonly Source[]; rows: number }): Promise<Uint8Array> {
  const blocks = filterBlockCount(rows);
  const filter = new Uint8Array(blocks * filterBlockSizeBytes);
  for await (const { page, offset } of mergeRows(storage, sources)) filterAdd(filter, blocks, page, offset);
  return filter;
}
