import {
  encodeIndexContents,
  encodeIndexPage,
  encodePackRows,
  filterAdd,
  filterBlockCount,
  isSampled,
  limits,
  type PackRow,
} from '../../repo-format/mod.ts';
import { type SealingKeys, SegmentedObjectWriter } from '../objects/mod.ts';
import type { StoredPack } from '../packs/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { appendFilter, appendPackRows } from './_table-segments.ts';

const nameSizeBytes = 32;
/** Rows that are sorted at once: a row's number must fit into 21 bits of a double. */
const sortableRows = 1 << 21;
const filterBlockSizeBytes = 64;

/** The rows of a table in the order of their names. */
interface SortedRows {
  readonly names: Uint8Array;
  readonly packOrdinals: Uint32Array;
}

/**
 * Stores an index table (spec/index-table.md) of the chunks of `packs`. Where several packs have a chunk, the first one is listed.
 * Returns the object's size in bytes.
 */
export async function writeIndexTable(
  storage: Storage,
  { name, keys, packs }: { name: string; keys: SealingKeys; packs: readonly StoredPack[] },
): Promise<number> {
  const rows = sortRows(packs);
  const object = await SegmentedObjectWriter.create(storage, { name, kind: 'index-table', keys });
  try {
    const sampled = sampleOf(rows);
    await appendPackRows(object, encodePackRows(packs.map(packRow)));
    const firstNames = await appendPages(object, rows);
    await appendFilter(object, filterOf(rows));
    await appendPages(object, sampled);
    const counts = { rows: rows.packOrdinals.length, packs: packs.length, sampleRows: sampled.packOrdinals.length };
    await object.finish(encodeIndexContents({ ...counts, firstNames, replaced: [], older: [], leftOut: [] }));
    return object.sizeBytes;
  } catch (error) {
    await object.abort();
    throw error;
  }
}

function packRow({ pack, kind, names, sizeBytes }: StoredPack): PackRow {
  return { id: pack, kind, chunkCount: names.length / nameSizeBytes, storedSizeBytes: sizeBytes };
}

/** Returns the first name of each page. */
async function appendPages(object: SegmentedObjectWriter, rows: SortedRows): Promise<Uint8Array> {
  const total = rows.packOrdinals.length;
  const firstNames = new Uint8Array(Math.ceil(total / limits.rowsPerPage) * nameSizeBytes);
  for (let first = 0, page = 0; first < total; first += limits.rowsPerPage, page++) {
    const count = Math.min(limits.rowsPerPage, total - first);
    const names = rows.names.subarray(first * nameSizeBytes, (first + count) * nameSizeBytes);
    await object.append([encodeIndexPage(names, rows.packOrdinals.subarray(first, first + count))]);
    firstNames.set(names.subarray(0, nameSizeBytes), page * nameSizeBytes);
  }
  return firstNames;
}

function filterOf({ names, packOrdinals }: SortedRows): Uint8Array {
  const blocks = filterBlockCount(packOrdinals.length);
  const filter = new Uint8Array(blocks * filterBlockSizeBytes);
  for (let row = 0; row < packOrdinals.length; row++) filterAdd(filter, blocks, names, row * nameSizeBytes);
  return filter;
}

function sampleOf({ names, packOrdinals }: SortedRows): SortedRows {
  const chosen: number[] = [];
  for (let row = 0; row < packOrdinals.length; row++) if (isSampled(names, row * nameSizeBytes)) chosen.push(row);
  return takeRows(names, packOrdinals, chosen);
}

function takeRows(names: Uint8Array, packOrdinals: Uint32Array, rows: ArrayLike<number>): SortedRows {
  const taken = { names: new Uint8Array(rows.length * nameSizeBytes), packOrdinals: new Uint32Array(rows.length) };
  for (let target = 0; target < rows.length; target++) {
    const row = rows[target]!;
    taken.names.set(names.subarray(row * nameSizeBytes, (row + 1) * nameSizeBytes), target * nameSizeBytes);
    taken.packOrdinals[target] = packOrdinals[row]!;
  }
  return taken;
}

/**
 * All chunks of the packs, sorted by name, each once. Sorted by a number made of the name's first 32 bits and the row
 * (native sort of a Float64Array, ten times as fast as one with a comparison function); the few equal prefixes are put in order after it.
 */
function sortRows(packs: readonly StoredPack[]): SortedRows {
  const names = Buffer.concat(packs.map((pack) => pack.names));
  const total = names.length / nameSizeBytes;
  if (total > sortableRows) throw new RangeError(`packs: ${total} chunks are more than one table is made of at once`);
  const packOrdinals = new Uint32Array(total);
  let row = 0;
  packs.forEach((pack, ordinal) => {
    const end = row + pack.names.length / nameSizeBytes;
    packOrdinals.fill(ordinal, row, end);
    row = end;
  });
  const keys = new Float64Array(total);
  for (let index = 0; index < total; index++) keys[index] = names.readUInt32BE(index * nameSizeBytes) * sortableRows + index;
  keys.sort();
  const order = new Uint32Array(total);
  for (let index = 0; index < total; index++) order[index] = keys[index]! % sortableRows;
  return takeRows(names, packOrdinals, distinct(names, settleTies(names, order)));
}

function settleTies(names: Buffer, order: Uint32Array): Uint32Array {
  for (let index = 1; index < order.length; index++) {
    const row = order[index]!;
    let place = index;
    while (place > 0 && compareNames(names, order[place - 1]!, row) > 0) {
      order[place] = order[place - 1]!;
      place--;
    }
    order[place] = row;
  }
  return order;
}

function distinct(names: Buffer, order: Uint32Array): Uint32Array {
  return order.filter((row, index) => index === 0 || compareNames(names, order[index - 1]!, row) !== 0);
}

function compareNames(names: Buffer, a: number, b: number): number {
  const difference = names.readUInt32BE(a * nameSizeBytes) - names.readUInt32BE(b * nameSizeBytes);
  if (difference !== 0) return difference;
  return names.compare(names, b * nameSizeBytes, (b + 1) * nameSizeBytes, a * nameSizeBytes, (a + 1) * nameSizeBytes);
}
