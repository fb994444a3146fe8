import {
  encodeIndexContents,
  filterBlockCount,
  type IndexContents,
  indexRowLayout,
  limits,
  type ObjectReference,
  type PackId,
} from '../../repo-format/mod.ts';
import { type ObjectTarget, type SealingKeys, SegmentedObjectWriter } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { FilterWriter } from './_filter-writer.ts';
import { PackRows } from './_pack-rows.ts';
import { RowCursor, windowPages } from './_row-cursor.ts';
import { SampleWriter } from './_sample-writer.ts';
import { openHead, readPackTable } from './_table-head.ts';
import { appendPackRows } from './_table-segments.ts';

const nameSizeBytes = 32;
const rowSizeBytes = indexRowLayout.sizeBytes;

export interface MergeOptions {
  readonly name: string;
  readonly keys: SealingKeys;
  /** Names of the tables. */
  readonly tables: readonly string[];
  /** Packs that are left out, with all their rows. */
  readonly without?: ReadonlySet<PackId> | undefined;
  /** By the names of tables: packs that are left out of that one. */
  readonly withoutIn?: ReadonlyMap<string, ReadonlySet<PackId>> | undefined;
  /** Where the merged table is written; default: to the storage that the others are read from. */
  readonly target?: ObjectTarget | undefined;
  /** What the merged table says of packs that were replaced, and of older tables: that of the tables is not taken over. */
  readonly replaced?: IndexContents['replaced'] | undefined;
  readonly older?: readonly ObjectReference[] | undefined;
  readonly leftOut?: readonly PackId[] | undefined;
  /** Memory for the sample; for a larger one the rows are read once more. For tests. */
  readonly sampleLimitBytes?: number | undefined;
  /** Memory for what is read of the tables. For tests. */
  readonly windowsLimitBytes?: number | undefined;
}

/**
 * Stores one index table with the rows of several, page by page. Where several have a chunk, the first counts. The rows are read twice, for the pages and for the filter,
 * and a third time for a large sample. Memory: 32 MiB, 32 bytes for each page of the tables, and about 70 for each of their packs.
 */
export async function mergeIndexTables(storage: Storage, options: MergeOptions): Promise<{ rows: number; packs: number }> {
  const { name, keys, target = storage, replaced = [], older = [], leftOut = [], sampleLimitBytes = defaultSampleLimitBytes } = options;
  const { cursors, packs } = await openSources(storage, options);
  const object = await SegmentedObjectWriter.create(target, { name, kind: 'index-table', keys });
  try {
    await appendPackRows(object, packs.bytes);
    const { rows, firstNames } = await appendPages(object, cursors);
    const filter = new FilterWriter(object, filterBlockCount(rows));
    const sample = new SampleWriter(object, sampleLimitBytes);
    for await (const page of mergedPages(cursors)) {
      await filter.add(page);
      sample.gather(page);
    }
    await filter.finish();
    if (!sample.isWhole) for await (const page of mergedPages(cursors)) await sample.add(page);
    await sample.finish();
    const counts = { rows, packs: packs.count, sampleRows: sample.rows };
    await object.finish(encodeIndexContents({ ...counts, firstNames, replaced, older, leftOut }));
    return { rows, packs: packs.count };
  } catch (error) {
    await object.abort();
    throw error;
  }
}

/** Rows of several tables as one. */
export interface MergedRows {
  /** By the ordinals of the rows. */
  readonly packs: Pick<PackRows, 'count' | 'at'>;
  /** Rows at most. */
  readonly count: number;
  /** All rows as pages; a page is valid until the next one. */
  readonly pages: () => AsyncIterable<Uint8Array>;
}

/**
 * The rows of several tables in the order of their names, each name once, as {@link mergeIndexTables} would store them; they can be read again and again, but not twice at a
 * time.
 */
export async function openMergedRows(
  storage: Storage,
  options: Pick<MergeOptions, 'keys' | 'tables' | 'without' | 'withoutIn'>,
): Promise<MergedRows> {
  const { cursors, packs } = await openSources(storage, options);
  const count = cursors.reduce((sum, { tableRows }) => sum + tableRows, 0);
  return { packs, count, pages: () => pagesThenForgotten(cursors) };
}

async function* pagesThenForgotten(cursors: readonly RowCursor[]): AsyncGenerator<Uint8Array> {
  try {
    yield* mergedPages(cursors);
  } finally {
    for (const cursor of cursors) cursor.forget();
  }
}

const defaultSampleLimitBytes = 16 * 1024 * 1024;
const defaultWindowsLimitBytes = 16 * 1024 * 1024;

async function openSources(
  storage: Storage,
  { keys, tables, without = noPacks, withoutIn, windowsLimitBytes = defaultWindowsLimitBytes }: Omit<MergeOptions, 'name'>,
): Promise<{ cursors: RowCursor[]; packs: PackRows }> {
  const cursors: RowCursor[] = [];
  const packs = new PackRows();
  for (const [rank, name] of tables.entries()) {
    const head = await openHead(storage, { name, keys });
    const ordinals = new Int32Array(head.contents.packs);
    const withoutHere = withoutIn?.get(name) ?? noPacks;
    let ordinal = 0;
    for await (const rows of readPackTable(storage, head))
      for (const row of rows) ordinals[ordinal++] = without.has(row.id) || withoutHere.has(row.id) ? -1 : packs.add(row);
    const pagesPerWindow = windowPages(head.segments.pages, windowsLimitBytes / tables.length);
    cursors.push(new RowCursor(storage, { object: head.object, pages: head.segments.pages, rank, ordinals, pagesPerWindow }));
  }
  return { cursors, packs };
}

const noPacks: ReadonlySet<PackId> = new Set();

async function appendPages(
  object: SegmentedObjectWriter,
  cursors: readonly RowCursor[],
): Promise<{ rows: number; firstNames: Uint8Array }> {
  const pagesAtMost = Math.ceil(cursors.reduce((sum, cursor) => sum + cursor.tableRows, 0) / limits.rowsPerPage);
  const firstNames = new Uint8Array(pagesAtMost * nameSizeBytes);
  let [rows, pages] = [0, 0];
  for await (const page of mergedPages(cursors)) {
    await object.append([page]);
    firstNames.set(page.subarray(0, nameSizeBytes), pages++ * nameSizeBytes);
    rows += page.length / rowSizeBytes;
  }
  return { rows, firstNames: firstNames.subarray(0, pages * nameSizeBytes) };
}

/**
 * All rows of the tables in the order of their names, each name once, as pages of which all but the last are full; a page is valid until the next one. The cursors are a heap:
 * the one whose row comes next is the first.
 */
async function* mergedPages(cursors: readonly RowCursor[]): AsyncGenerator<Uint8Array> {
  try {
    const begun = await Promise.all(cursors.map(async (cursor) => ((await cursor.begin()) ? cursor : undefined)));
    const heap = begun.filter((cursor) => cursor !== undefined);
    for (let index = heap.length >> 1; index >= 0; index--) sift(heap, index);
    const page = new Uint8Array(limits.rowsPerPage * rowSizeBytes);
    let sizeBytes = 0;
    // Where the row before is; a page that was given away is still there when the next begins.
    let before = -1;
    for (let cursor = heap[0]; cursor !== undefined; cursor = heap[0]) {
      if (before < 0 || !cursor.isNamed(page, before)) {
        if (sizeBytes === page.length) {
          yield page;
          sizeBytes = 0;
        }
        cursor.copyRow(page, sizeBytes);
        before = sizeBytes;
        sizeBytes += rowSizeBytes;
      }
      if (!cursor.tryAdvance() && !(await cursor.advance())) {
        const last = heap.pop()!;
        if (last !== cursor) heap[0] = last;
      }
      sift(heap, 0);
    }
    if (sizeBytes > 0) yield page.subarray(0, sizeBytes);
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.end()));
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
