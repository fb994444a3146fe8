import {
  filterBlockOf,
  filterContains,
  filterLayout,
  findInPage,
  findPage,
  type IndexContents,
  type IndexSegments,
  idFromBytes,
  idToBytes,
  LaganError,
  limits,
  type ObjectReference,
  type PackId,
  type PackRow,
  segmentAt,
  segmentCount,
} from '../../repo-format/mod.ts';
import type { SealingKeys, SegmentedObject, SegmentPlace } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { readRun, runBufferSizeBytes } from './_segment-run.ts';
import { openHead, readPackTable } from './_table-head.ts';
import type { FilterMemory } from './filter-memory.ts';

const idSizeBytes = 16;
/** Segments of a filter that are read by one request (2 MiB). */
const segmentsPerRequest = 32;

/** An opened index table as all threads share it (can be posted to workers): nothing in it changes. */
export interface StoredTable {
  readonly object: SegmentedObject;
  readonly rows: number;
  readonly filterBlocks: number;
  /** The whole filter, where it is resident; otherwise its segments are read when asked. */
  readonly filter: Uint8Array | undefined;
  readonly segments: IndexSegments;
  /** First name of each page, 32 bytes each. */
  readonly firstNames: Uint8Array;
  /** Ids of the table's packs by ordinal, 16 bytes each; zeros where the pack's rows do not count. */
  readonly packIds: Uint8Array;
}

export interface OpenedTable {
  readonly table: StoredTable;
  /** Packs whose rows count. */
  readonly packs: readonly PackRow[];
  readonly replaced: IndexContents['replaced'];
  /** What a base index has besides, and which packs do not count there. */
  readonly older: readonly ObjectReference[];
  readonly leftOut: readonly PackId[];
}

export interface OpenTableOptions {
  readonly name: string;
  readonly keys: SealingKeys;
  /** The table's filter becomes resident if there is room for it. */
  readonly memory: FilterMemory | undefined;
  /** Packs whose rows do not count. */
  readonly without?: ReadonlySet<PackId> | undefined;
}

/** Opens an index table. {@link closeTable} gives its memory back. Codes: those of a damaged object, and of the storage. */
export async function openTable(storage: Storage, { name, keys, memory, without }: OpenTableOptions): Promise<OpenedTable> {
  const head = await openHead(storage, { name, keys });
  const { object, contents, segments } = head;
  const packs: PackRow[] = [];
  const packIds = sharedBytes(contents.packs * idSizeBytes);
  let ordinal = 0;
  for await (const rows of readPackTable(storage, head)) {
    for (const row of rows) {
      if (without?.has(row.id) !== true) {
        packs.push(row);
        packIds.set(idToBytes(row.id), ordinal * idSizeBytes);
      }
      ordinal++;
    }
  }
  const firstNames = sharedBytes(contents.firstNames.length);
  firstNames.set(contents.firstNames);
  const { rows, replaced, older, leftOut } = contents;
  const filterBlocks = segments.filter.items;
  const table: StoredTable = { object, rows, filterBlocks, filter: undefined, segments, firstNames, packIds };
  const opened = { table, packs, replaced, older, leftOut };
  const filterSizeBytes = filterBlocks * filterLayout.blockSizeBytes;
  if (memory?.take(filterSizeBytes) !== true) return opened;
  try {
    return { ...opened, table: { ...table, filter: await readFilter(storage, table) } };
  } catch (error) {
    memory.giveBack(filterSizeBytes);
    throw error;
  }
}

/** Gives back what {@link openTable} took. */
export function closeTable({ filter }: StoredTable, memory: FilterMemory): void {
  memory.giveBack(filter?.length ?? 0);
}

/** Whether the table may have the chunk: `false` is sure; `true` is wrong about once in a hundred, or where no filter is resident. */
export function mayContain({ filter, filterBlocks, rows }: StoredTable, names: Uint8Array, offset: number): boolean {
  if (filter === undefined) return rows > 0;
  return filterContains(filter, filterBlocks, names, offset);
}

export interface TableQuestion {
  readonly names: Uint8Array;
  readonly offset: number;
  /** The table most probably has the chunk: a filter that is not resident is not asked first. */
  readonly isExpected?: boolean;
  /** Reads a segment; answers from a cache where it can. */
  readonly readPage: (table: StoredTable, segment: number, place: SegmentPlace) => Promise<Uint8Array>;
}

/** Looks a chunk up in the table's pages: its pack, or undefined. */
export async function findInTable(table: StoredTable, question: TableQuestion): Promise<PackId | undefined> {
  const { names, offset, isExpected = false, readPage } = question;
  if (table.filter === undefined && !isExpected && !(await filterSegmentContains(table, question))) return undefined;
  const page = findPage(table.firstNames, names, offset);
  if (page < 0) return undefined;
  const { number, place } = segmentAt(table.segments.pages, page);
  const ordinal = findInPage(await readPage(table, number, place), names, offset);
  if (ordinal < 0) return undefined;
  const packs = table.packIds.length / idSizeBytes;
  if (ordinal >= packs) {
    const { name } = table.object;
    throw new LaganError('malformed', `a row of ${name} is about pack ${ordinal} of its pack table, which has ${packs}`, {
      object: name,
      expected: `below ${packs}`,
      found: ordinal,
    });
  }
  const id = table.packIds.subarray(ordinal * idSizeBytes, (ordinal + 1) * idSizeBytes);
  return id.some((byte) => byte !== 0) ? idFromBytes<PackId>(id) : undefined;
}

async function filterSegmentContains(table: StoredTable, { names, offset, readPage }: TableQuestion): Promise<boolean> {
  const { itemsPerSegment } = table.segments.filter;
  const segment = Math.floor(filterBlockOf(names, offset, table.filterBlocks) / itemsPerSegment);
  const { number, place } = segmentAt(table.segments.filter, segment);
  return filterContains(await readPage(table, number, place), table.filterBlocks, names, offset, segment * itemsPerSegment);
}

async function readFilter(storage: Storage, { object, segments: { filter: run }, filterBlocks }: StoredTable): Promise<Uint8Array> {
  const filter = sharedBytes(filterBlocks * filterLayout.blockSizeBytes);
  const buffer = new Uint8Array(runBufferSizeBytes(run, segmentsPerRequest));
  const total = segmentCount(run);
  for (let first = 0; first < total; first += segmentsPerRequest) {
    const count = Math.min(segmentsPerRequest, total - first);
    filter.set(await readRun(storage, object, { run, first, count, into: buffer }), first * limits.filterSegmentSizeBytes);
  }
  return filter;
}

function sharedBytes(sizeBytes: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(sizeBytes));
}
