import {
  compareNames,
  decodeIndexContents,
  decodePackRows,
  filterBlockOf,
  filterContains,
  findInPage,
  type IndexContents,
  idFromBytes,
  idToBytes,
  LaganError,
  limits,
  type PackId,
  type PackRow,
} from '../../repo-format/mod.ts';
import { openSegmentedObject, readSegment, type SealingKeys, type SegmentedObject, type SegmentPlace } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import type { FilterMemory } from './filter-memory.ts';

const nameSizeBytes = 32;
const filterBlockSizeBytes = 64;
const idSizeBytes = 16;

/** An opened index table as all threads share it (can be posted to workers): nothing in it changes. */
export interface StoredTable {
  readonly object: SegmentedObject;
  readonly rows: number;
  readonly filterBlocks: number;
  /** The whole filter, where it is resident; otherwise its segments are read when asked. */
  readonly filter: Uint8Array | undefined;
  readonly filterPlaces: readonly SegmentPlace[];
  readonly pagePlaces: readonly SegmentPlace[];
  /** The number of the first page's segment. */
  readonly firstPage: number;
  readonly firstFilterSegment: number;
  /** First name of each page, 32 bytes each. */
  readonly pageFirstNames: Uint8Array;
  /** Ids of the table's packs by ordinal, 16 bytes each. */
  readonly packIds: Uint8Array;
}

/** Opens an index table; its filter becomes resident if `memory` has room for it: {@link closeTable} gives it back. */
export async function openTable(
  storage: Storage,
  { name, keys, memory }: { name: string; keys: SealingKeys; memory: FilterMemory | undefined },
): Promise<{ table: StoredTable; packs: PackRow[]; replaced: IndexContents['replaced'] }> {
  const { object, contents } = await openSegmentedObject(storage, { name, kind: 'index-table', keys });
  const { rows, filterBlocks, packSegments, pages, filter, replaced } = decodeIndexContents(contents, name);
  const packs: PackRow[] = [];
  for (const [number, place] of packSegments.entries())
    packs.push(...decodePackRows(await readSegment(storage, object, { number, place }), name));
  const table: StoredTable = {
    object,
    rows,
    filterBlocks,
    filter: undefined,
    filterPlaces: filter,
    pagePlaces: pages.map(({ offset, sealedLength }) => ({ offset, sealedLength })),
    firstPage: packSegments.length,
    firstFilterSegment: packSegments.length + pages.length,
    pageFirstNames: shared(
      pages.map(({ firstName }) => firstName),
      nameSizeBytes,
    ),
    packIds: shared(
      packs.map(({ id }) => idToBytes(id)),
      idSizeBytes,
    ),
  };
  const filterSizeBytes = filterBlocks * filterBlockSizeBytes;
  if (memory?.take(filterSizeBytes) !== true) return { table, packs, replaced };
  try {
    return { table: { ...table, filter: await readFilter(storage, table) }, packs, replaced };
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

/** What is looked up. `readPage` answers from a cache where it can. */
interface Question {
  readonly names: Uint8Array;
  readonly offset: number;
  /** The table most probably has the chunk: a filter that is not resident is not asked first. */
  readonly isExpected?: boolean;
  readonly readPage: (table: StoredTable, segment: number, place: SegmentPlace) => Promise<Uint8Array>;
}

/** Looks a chunk up in the table's pages: its pack, or undefined. */
export async function findInTable(
  table: StoredTable,
  { names, offset, isExpected = false, readPage }: Question,
): Promise<PackId | undefined> {
  if (table.filter === undefined && !isExpected && !(await filterSegmentContains(table, { names, offset, readPage }))) return undefined;
  const page = pageOf(table, names, offset);
  if (page < 0) return undefined;
  const bytes = await readPage(table, table.firstPage + page, table.pagePlaces[page]!);
  const ordinal = findInPage(bytes, names, offset);
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
  return idFromBytes<PackId>(table.packIds.subarray(ordinal * idSizeBytes, (ordinal + 1) * idSizeBytes));
}

async function filterSegmentContains(table: StoredTable, { names, offset, readPage }: Question): Promise<boolean> {
  const blocksPerSegment = limits.filterSegmentSizeBytes / filterBlockSizeBytes;
  const block = filterBlockOf(names, offset, table.filterBlocks);
  const segment = Math.floor(block / blocksPerSegment);
  const bytes = await readPage(table, table.firstFilterSegment + segment, table.filterPlaces[segment]!);
  return filterContains(bytes, table.filterBlocks, names, offset, segment * blocksPerSegment);
}

/** The only page that can have the name, or -1. */
function pageOf({ pageFirstNames, pagePlaces }: StoredTable, names: Uint8Array, offset: number): number {
  let [low, high] = [0, pagePlaces.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareNames(pageFirstNames, middle * nameSizeBytes, names, offset) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

async function readFilter(storage: Storage, table: StoredTable): Promise<Uint8Array> {
  const filter = new Uint8Array(new SharedArrayBuffer(table.filterBlocks * filterBlockSizeBytes));
  let offset = 0;
  for (const [index, place] of table.filterPlaces.entries()) {
    const bytes = await readSegment(storage, table.object, { number: table.firstFilterSegment + index, place });
    filter.set(bytes, offset);
    offset += bytes.length;
  }
  return filter;
}

function shared(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(parts.length * sizeBytes));
  parts.forEach((part, index) => {
    bytes.set(part, index * sizeBytes);
  });
  return bytes;
}
