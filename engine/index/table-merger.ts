import {
  checkRows,
  compareNames,
  encodeIndexContents,
  filterAdd,
  filterBlockCount,
  filterBlockOf,
  type IndexContents,
  isSampled,
  limits,
  type PackId,
  type PackRow,
  packOrdinalAt,
  writeRow,
} from '../../repo-format/mod.ts';
import { buffersDropped } from '../memory/mod.ts';
import { readSegment, type SealingKeys, SegmentedObjectWriter, type SegmentPlace } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { appendFilter, appendPackRows } from './_table-segments.ts';
import { openTable, type StoredTable } from './stored-table.ts';

const nameSizeBytes = 32;
const rowSizeBytes = 36;
const filterBlockSizeBytes = 64;

/** A table that is merged: its rows in order, and which packs of the merged table its packs are. */
interface Source {
  readonly table: StoredTable;
  /** Among the tables to be merged. */
  readonly rank: number;
  /** Pack ordinal in this table → in the merged one; -1: the pack is left out. */
  readonly ordinals: Int32Array;
}

/** A row of the merge: a view that is valid until the next one. */
export interface MergedRow {
  readonly page: Uint8Array;
  readonly offset: number;
  readonly packOrdinal: number;
}

export interface MergeOptions {
  readonly name: string;
  readonly keys: SealingKeys;
  /** Names of the tables. */
  readonly tables: readonly string[];
  /** Packs that are left out, with all their rows. */
  readonly without?: ReadonlySet<PackId> | undefined;
  /** What the merged table says of packs that were replaced: that of the tables is not taken over. */
  readonly replaced?: IndexContents['replaced'] | undefined;
  /** How much of the filter is made at once: a multiple of the size of its segments. For tests. */
  readonly filterSliceBytes?: number | undefined;
  /** Where the merged table is written; default: to the storage that the others are read from. */
  readonly target?: Pick<Storage, 'createWriter'> | undefined;
}

/**
 * Stores one index table with the rows of several, page by page. Where several have a chunk, the first counts. Memory holds a page of each, 32 bytes for each page of the
 * merged table, its packs, and 32 MiB of its filter: for the filter of a larger one, and then for its sample, the rows are read again.
 */
export async function mergeIndexTables(storage: Storage, options: MergeOptions): Promise<{ rows: number; packs: number }> {
  const { name, keys, target = storage, filterSliceBytes = defaultFilterSliceBytes, replaced = [] } = options;
  const { sources, packs } = await openSources(storage, options);
  const object = await SegmentedObjectWriter.create(target, { name, kind: 'index-table', keys });
  const rows = () => mergeRows(storage, sources);
  try {
    const packSegments = await appendPackRows(object, packs);
    const pages = new PageWriter(object);
    for await (const row of rows()) {
      const waiting = pages.add(row);
      if (waiting !== undefined) await waiting;
    }
    await pages.flush();
    const filterBlocks = filterBlockCount(pages.rows);
    const slices = Math.ceil((filterBlocks * filterBlockSizeBytes) / filterSliceBytes);
    const sampled = new RowBuffer();
    const filter: SegmentPlace[] = [];
    for (let firstBlock = 0; firstBlock < filterBlocks; firstBlock += filterSliceBytes / filterBlockSizeBytes) {
      const slice = new Uint8Array(Math.min(filterSliceBytes, (filterBlocks - firstBlock) * filterBlockSizeBytes));
      await fillSlice(slice, { rows: rows(), filterBlocks, firstBlock, sampled: slices === 1 ? sampled : undefined });
      filter.push(...(await appendFilter(object, slice)));
    }
    const sample = new PageWriter(object);
    if (slices === 1) for (const row of sampled.rows()) await sample.add(row);
    else for await (const row of rows()) if (isSampled(row.page, row.offset)) await sample.add(row);
    await sample.flush();
    const counts = { rows: pages.rows, packs: packs.length, filterBlocks, sampleRows: sample.rows };
    await object.finish(encodeIndexContents({ ...counts, packSegments, pages: pages.places, filter, sample: sample.places, replaced }));
    return { rows: pages.rows, packs: packs.length };
  } catch (error) {
    await object.abort();
    throw error;
  }
}

/**
 * The rows of several tables in the order of their names, each name once, as {@link mergeIndexTables} would store them; they can be read again and again. A row is valid
 * until the next one.
 */
export async function openMergedRows(
  storage: Storage,
  options: Pick<MergeOptions, 'keys' | 'tables' | 'without'>,
): Promise<{ packs: readonly PackRow[]; rows: () => AsyncIterable<MergedRow> }> {
  const { sources, packs } = await openSources(storage, options);
  return { packs, rows: () => mergeRows(storage, sources) };
}

const defaultFilterSliceBytes = 32 * 1024 * 1024;

async function openSources(
  storage: Storage,
  { keys, tables, without = noPacks }: Pick<MergeOptions, 'keys' | 'tables' | 'without'>,
): Promise<{ sources: Source[]; packs: PackRow[] }> {
  const sources: Source[] = [];
  const packs: PackRow[] = [];
  const known = new Map<PackId, number>();
  for (const [rank, name] of tables.entries()) {
    const opened = await openTable(storage, { name, keys, memory: undefined });
    const ordinals = Int32Array.from(opened.packs, (row) => {
      if (without.has(row.id)) return -1;
      let ordinal = known.get(row.id);
      if (ordinal === undefined) known.set(row.id, (ordinal = packs.push(row) - 1));
      return ordinal;
    });
    sources.push({ table: opened.table, rank, ordinals });
  }
  return { sources, packs };
}

const noPacks: ReadonlySet<PackId> = new Set();

/** All rows of the sources in the order of their names, each name once. The cursors are a heap: the one whose row comes next is the first. */
async function* mergeRows(storage: Storage, sources: readonly Source[]): AsyncGenerator<MergedRow> {
  const cursors = await Promise.all(sources.map(async (source) => new RowCursor(storage, source).advance()));
  const heap = cursors.filter((cursor) => cursor !== undefined);
  for (let index = heap.length >> 1; index >= 0; index--) sift(heap, index);
  const previous = new Uint8Array(nameSizeBytes);
  let isFirst = true;
  for (let cursor = heap[0]; cursor !== undefined; cursor = heap[0]) {
    if (isFirst || compareNames(cursor.page, cursor.offset, previous, 0) !== 0) {
      yield cursor;
      isFirst = false;
      for (let byte = 0; byte < nameSizeBytes; byte++) previous[byte] = cursor.page[cursor.offset + byte]!;
    }
    const advanced = cursor.tryAdvance() ?? (await cursor.advance());
    if (advanced === undefined) {
      const last = heap.pop()!;
      if (last !== cursor) heap[0] = last;
    }
    sift(heap, 0);
  }
}

/** Moves the cursor at `index` down to its place in the heap. */
function sift(heap: RowCursor[], index: number): void {
  const cursor = heap[index];
  if (cursor === undefined) return;
  for (let child = 2 * index + 1; child < heap.length; child = 2 * index + 1) {
    if (child + 1 < heap.length && heap[child + 1]!.compare(heap[child]!) < 0) child++;
    if (cursor.compare(heap[child]!) <= 0) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = cursor;
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

  /** Moves to the next row whose pack is not left out, if it is in the page that is read; else it stays behind the page's last. */
  tryAdvance(): this | undefined {
    const { ordinals } = this.#source;
    for (;;) {
      this.offset += rowSizeBytes;
      if (this.offset >= this.page.length) return undefined;
      this.packOrdinal = ordinals[packOrdinalAt(this.page, this.offset / rowSizeBytes)]!;
      if (this.packOrdinal >= 0) return this;
    }
  }

  /** Moves to the next row; undefined behind the last. After a {@link tryAdvance} that found none, with the next page. */
  async advance(): Promise<this | undefined> {
    while (this.#nextPage < this.#source.table.pagePlaces.length) {
      await this.#readPage();
      const found = this.tryAdvance();
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #readPage(): Promise<void> {
    const { table, ordinals } = this.#source;
    const number = table.firstPage + this.#nextPage;
    const place = table.pagePlaces[this.#nextPage++]!;
    this.page = (await readSegment(this.#storage, table.object, { number, place })) as Uint8Array<ArrayBuffer>;
    // The page before, and this one as it is stored.
    buffersDropped(2 * this.page.length);
    checkRows(this.page, { packs: ordinals.length, objectName: table.object.name });
    this.offset = -rowSizeBytes;
  }

  /** By name; of equal names the one of the earlier table comes first. */
  compare(other: RowCursor): number {
    return compareNames(this.page, this.offset, other.page, other.offset) || this.#source.rank - other.#source.rank;
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

  /** A promise only when a page is full. */
  add({ page, offset, packOrdinal }: MergedRow): Promise<void> | undefined {
    writeRow(this.#page, this.#rowsInPage++, { name: page, nameOffset: offset, packOrdinal });
    this.rows++;
    return this.#rowsInPage === limits.rowsPerPage ? this.flush() : undefined;
  }

  async flush(): Promise<void> {
    const rows = this.#rowsInPage;
    if (rows === 0) return;
    this.#rowsInPage = 0;
    const place = await this.#object.append([this.#page.subarray(0, rows * rowSizeBytes)]);
    // Of Node's pool: a buffer of its own for each page would take several times as much.
    this.places.push({ ...place, rows, firstName: Buffer.from(this.#page.subarray(0, nameSizeBytes)) });
  }
}

/** Rows that are kept: those of the sample, one in 64. */
class RowBuffer {
  readonly #pages: Uint8Array[] = [];
  #rowsInPage: number = limits.rowsPerPage;

  add({ page, offset, packOrdinal }: MergedRow): void {
    if (this.#rowsInPage === limits.rowsPerPage) {
      this.#pages.push(new Uint8Array(limits.rowsPerPage * rowSizeBytes));
      this.#rowsInPage = 0;
    }
    writeRow(this.#pages.at(-1)!, this.#rowsInPage++, { name: page, nameOffset: offset, packOrdinal });
  }

  *rows(): Generator<MergedRow> {
    for (const page of this.#pages) {
      const rows = page === this.#pages.at(-1) ? this.#rowsInPage : limits.rowsPerPage;
      for (let row = 0; row < rows; row++) yield { page, offset: row * rowSizeBytes, packOrdinal: packOrdinalAt(page, row) };
    }
  }
}

/** Sets the bits of all rows whose blocks are in the slice of the filter, and gathers the sample if it is wanted. */
async function fillSlice(
  slice: Uint8Array,
  {
    rows,
    filterBlocks,
    firstBlock,
    sampled,
  }: { rows: AsyncIterable<MergedRow>; filterBlocks: number; firstBlock: number; sampled: RowBuffer | undefined },
): Promise<void> {
  const endBlock = firstBlock + slice.length / filterBlockSizeBytes;
  for await (const row of rows) {
    const block = filterBlockOf(row.page, row.offset, filterBlocks);
    if (block >= firstBlock && block < endBlock) filterAdd(slice, filterBlocks, row.page, row.offset, firstBlock);
    if (sampled !== undefined && isSampled(row.page, row.offset)) sampled.add(row);
  }
}
