/**
 * Index tables: which chunk is in which pack, sorted by name, with a filter that answers most questions by "no".
 * These are the plaintexts of the segments and of the contents. Source: spec/index-table.md.
 *
 * Invariants: rows ascend strictly by name within a page and from page to page; a pack ordinal is a row of the pack table.
 */
import { Field } from './_fields.ts';
import { encodeReference, type ObjectReference, readReference } from './_references.ts';
import { ByteReader } from './bytes.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { idFromBytes, idToBytes, NAME_SIZE_BYTES, type PackId, toHex } from './ids.ts';
import { filterLayout, indexRowLayout, packRowLayout, sealedLayout } from './layout.ts';
import { limits } from './limits.ts';
import type { PackKind } from './pack.ts';
import { objectKinds } from './sealed.ts';

export interface PackRow {
  readonly id: PackId;
  readonly kind: PackKind;
  readonly chunkCount: number;
  /** Size of the pack's file. */
  readonly storedSizeBytes: number;
}

/** Where a segment is: the file offset of its length field, and its sealed length. */
export interface SegmentReference {
  readonly offset: number;
  readonly sealedLength: number;
}

/** The segments of one kind, which follow each other: all but the last are full. Plain data, which can be posted to workers. */
export interface SegmentRun {
  /** Number of the first segment. */
  readonly firstNumber: number;
  /** Where the first segment is. */
  readonly offset: number;
  readonly items: number;
  readonly itemSizeBytes: number;
  readonly itemsPerSegment: number;
}

export interface RunSegment {
  readonly number: number;
  readonly place: SegmentReference;
  readonly items: number;
}

export interface IndexSegments {
  readonly packs: SegmentRun;
  readonly pages: SegmentRun;
  readonly filter: SegmentRun;
  readonly sample: SegmentRun;
  /** Where the last one ends. */
  readonly endOffset: number;
}

export interface IndexContents {
  readonly rows: number;
  readonly packs: number;
  readonly sampleRows: number;
  /** Name of each page's first row, 32 bytes each. */
  readonly firstNames: Uint8Array;
  /** Forwarding by repacking: chunks of the old pack are in the new ones. Writers leave it empty. */
  readonly replaced: readonly { readonly pack: PackId; readonly by: readonly PackId[] }[];
  /** The other tables of a base index, the newest first: this one comes before them. Writers leave it empty. */
  readonly older: readonly ObjectReference[];
  /** Packs whose rows in the older tables do not count. */
  readonly leftOut: readonly PackId[];
}

/** Up to 2,048 rows as one segment. */
export function encodePackRows(rows: readonly PackRow[]): Uint8Array {
  const layout = packRowLayout;
  const bytes = new Uint8Array(rows.length * layout.sizeBytes);
  const view = new DataView(bytes.buffer);
  rows.forEach((row, index) => {
    const at = index * layout.sizeBytes;
    bytes.set(idToBytes(row.id), at + layout.packId);
    bytes[at + layout.kind] = objectKinds[row.kind];
    view.setUint32(at + layout.chunkCount, row.chunkCount, true);
    view.setBigUint64(at + layout.storedSize, BigInt(row.storedSizeBytes), true);
  });
  return bytes;
}

export function decodePackRows(bytes: Uint8Array, objectName?: string): PackRow[] {
  const count = countRows(bytes, { size: packRowLayout.sizeBytes, limit: limits.packRowsPerSegment, objectName });
  const reader = new ByteReader(bytes, objectName);
  const rows = new Array<PackRow>(count);
  for (let index = 0; index < count; index++) rows[index] = readPackRow(reader);
  return rows;
}

export interface RowsExpectation {
  /** Rows of the pack table. */
  readonly packs: number;
  readonly objectName?: string | undefined;
  /** What the contents say of the page. */
  readonly rows?: number | undefined;
  readonly firstName?: Uint8Array | undefined;
  /** First name of the next page, which all names must be below. */
  readonly below?: Uint8Array | undefined;
}

/** Checks a page or a sample segment: whole rows, names strictly ascending, ordinals below `packs`. Returns the row count. */
export function checkRows(bytes: Uint8Array, expect: RowsExpectation): number {
  const { objectName } = expect;
  const count = countRows(bytes, { size: indexRowLayout.sizeBytes, limit: limits.rowsPerPage, objectName });
  const reader = new ByteReader(bytes, objectName);
  if (expect.rows !== undefined && count !== expect.rows) {
    throw reader.malformed('a page of other rows than the contents say', { expected: expect.rows, found: count });
  }
  if (expect.firstName !== undefined && compareNames(bytes, 0, expect.firstName, 0) !== 0) {
    throw reader.malformed('a page with another first name than the contents say', { expected: toHex(expect.firstName) });
  }
  for (let index = 0; index < count; index++) checkRow(reader, index, expect.packs);
  const last = (count - 1) * indexRowLayout.sizeBytes;
  if (expect.below !== undefined && compareNames(bytes, last, expect.below, 0) >= 0) {
    throw reader.malformed('a page that reaches into the next one', { expected: `below ${toHex(expect.below)}`, at: last });
  }
  return count;
}

function checkRow(reader: ByteReader, index: number, packs: number): void {
  const { bytes } = reader;
  const at = index * indexRowLayout.sizeBytes;
  if (index > 0 && compareNames(bytes, at, bytes, at - indexRowLayout.sizeBytes) <= 0) {
    throw reader.malformed('names of rows do not ascend', { at });
  }
  const ordinal = packOrdinalAt(bytes, index);
  if (ordinal < packs) return;
  const fields = { expected: `below ${packs}`, found: ordinal, at: at + indexRowLayout.packOrdinal };
  throw reader.malformed('a pack ordinal beyond the pack table', fields);
}

/** A page or a sample segment: `names` holds 32 bytes for each of up to 1,024 ordinals, sorted. */
export function encodeIndexPage(names: Uint8Array, packOrdinals: ArrayLike<number>): Uint8Array {
  const page = new Uint8Array(packOrdinals.length * indexRowLayout.sizeBytes);
  for (let index = 0; index < packOrdinals.length; index++) {
    writeRow(page, index, { name: names, nameOffset: index * NAME_SIZE_BYTES, packOrdinal: packOrdinals[index]! });
  }
  return page;
}

/** Writes a row at `index` of a page. */
export function writeRow(page: Uint8Array, index: number, row: { name: Uint8Array; nameOffset?: number; packOrdinal: number }): void {
  const at = index * indexRowLayout.sizeBytes;
  const from = row.nameOffset ?? 0;
  page.set(row.name.subarray(from, from + NAME_SIZE_BYTES), at);
  const ordinal = row.packOrdinal;
  page[at + 32] = ordinal;
  page[at + 33] = ordinal >>> 8;
  page[at + 34] = ordinal >>> 16;
  page[at + 35] = ordinal >>> 24;
}

export function packOrdinalAt(page: Uint8Array, index: number): number {
  const at = index * indexRowLayout.sizeBytes + indexRowLayout.packOrdinal;
  return (page[at]! | (page[at + 1]! << 8) | (page[at + 2]! << 16) | (page[at + 3]! << 24)) >>> 0;
}

/** Binary search in a page or sample: the pack ordinal of a name, or -1. */
export function findInPage(page: Uint8Array, name: Uint8Array, nameOffset = 0): number {
  const { sizeBytes } = indexRowLayout;
  let low = 0;
  let high = Math.floor(page.length / sizeBytes) - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = compareNames(page, middle * sizeBytes, name, nameOffset);
    if (order === 0) return packOrdinalAt(page, middle);
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Which page can have the name: the last whose first name is not above it, or -1. */
export function findPage(firstNames: Uint8Array, name: Uint8Array, nameOffset = 0): number {
  let low = 0;
  let high = firstNames.length / NAME_SIZE_BYTES - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if (compareNames(firstNames, middle * NAME_SIZE_BYTES, name, nameOffset) <= 0) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}

/** Compares two names of 32 bytes, bytewise. */
export function compareNames(left: Uint8Array, leftOffset: number, right: Uint8Array, rightOffset: number): number {
  for (let index = 0; index < NAME_SIZE_BYTES; index++) {
    const difference = left[leftOffset + index]! - right[rightOffset + index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Blocks of 64 bytes in the filter of a table of so many rows. */
export function filterBlockCount(rows: number): number {
  return Math.max(1, Math.ceil((rows * filterLayout.bitsPerRow) / filterLayout.bitsPerBlock));
}

/** False if the name is surely not in the table. `filter` may be a part of the whole that begins with block `firstBlock`. */
export function filterContains(filter: Uint8Array, blockCount: number, name: Uint8Array, nameOffset = 0, firstBlock = 0): boolean {
  const block = (filterBlockOf(name, nameOffset, blockCount) - firstBlock) * filterLayout.blockSizeBytes;
  for (let probe = 0; probe < filterLayout.probes; probe++) {
    const bit = probeBit(name, nameOffset, probe);
    if ((filter[block + (bit >>> 3)]! & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}

/** Sets the bits of a name. `filter` may be a part of the whole that begins with block `firstBlock`, if the name's block is in it. */
export function filterAdd(filter: Uint8Array, blockCount: number, name: Uint8Array, nameOffset = 0, firstBlock = 0): void {
  const block = (filterBlockOf(name, nameOffset, blockCount) - firstBlock) * filterLayout.blockSizeBytes;
  for (let probe = 0; probe < filterLayout.probes; probe++) {
    const bit = probeBit(name, nameOffset, probe);
    filter[block + (bit >>> 3)]! |= 1 << (bit & 7);
  }
}

/** Whether a name's row is in the sample, too: one in 64. */
export function isSampled(name: Uint8Array, nameOffset = 0): boolean {
  return (name[nameOffset + 31]! & 63) === 0;
}

/** Where the segments of a table with such counts are. */
export function indexSegments({ rows, packs, sampleRows }: Pick<IndexContents, 'rows' | 'packs' | 'sampleRows'>): IndexSegments {
  const place = { firstNumber: 0, offset: sealedLayout.headerSizeBytes as number };
  const run = (items: number, itemSizeBytes: number, itemsPerSegment: number): SegmentRun => {
    const segments = { ...place, items, itemSizeBytes, itemsPerSegment };
    place.firstNumber += segmentCount(segments);
    place.offset += runSizeBytes(segments);
    return segments;
  };
  const blocksPerSegment = limits.filterSegmentSizeBytes / filterLayout.blockSizeBytes;
  return {
    packs: run(packs, packRowLayout.sizeBytes, limits.packRowsPerSegment),
    pages: run(rows, indexRowLayout.sizeBytes, limits.rowsPerPage),
    filter: run(filterBlockCount(rows), filterLayout.blockSizeBytes, blocksPerSegment),
    sample: run(sampleRows, indexRowLayout.sizeBytes, limits.rowsPerPage),
    endOffset: place.offset,
  };
}

export function segmentCount({ items, itemsPerSegment }: SegmentRun): number {
  return Math.ceil(items / itemsPerSegment);
}

/** A segment by its index in the run. */
export function segmentAt(run: SegmentRun, index: number): RunSegment {
  const items = Math.min(run.itemsPerSegment, run.items - index * run.itemsPerSegment);
  if (!(index >= 0 && items > 0)) throw new RangeError(`index: ${index}, there are ${segmentCount(run)} segments`);
  const offset = run.offset + index * storedSegmentSizeBytes(run.itemsPerSegment * run.itemSizeBytes);
  const sealedLength = items * run.itemSizeBytes + sealedLayout.tagSizeBytes;
  return { number: run.firstNumber + index, place: { offset, sealedLength }, items };
}

function runSizeBytes(run: SegmentRun): number {
  return run.items * run.itemSizeBytes + segmentCount(run) * storedSegmentSizeBytes(0);
}

function storedSegmentSizeBytes(plaintextSizeBytes: number): number {
  return sealedLayout.lengthFieldSizeBytes + plaintextSizeBytes + sealedLayout.tagSizeBytes;
}

export function encodeIndexContents({ replaced, older, leftOut, ...contents }: IndexContents): Uint8Array {
  return encodeCbor({
    ...contents,
    replaced: replaced.map(({ pack, by }) => [idToBytes(pack), by.map(idToBytes)]),
    older: older.map(encodeReference),
    leftOut: leftOut.map(idToBytes),
  });
}

/** Reads the contents' plaintext. With `contentsOffset` (from the footer) the segments must end there. Counts must agree. */
export function decodeIndexContents(bytes: Uint8Array, objectName?: string, contentsOffset?: number): IndexContents {
  const root = Field.root(decodeCbor(bytes, { objectName }));
  const rows = root.at('rows').uint(limits.indexRows);
  const contents: IndexContents = {
    rows,
    packs: root.at('packs').uint(limits.indexRows),
    sampleRows: root.at('sampleRows').uint(rows),
    firstNames: root.at('firstNames').bytes(Math.ceil(rows / limits.rowsPerPage) * NAME_SIZE_BYTES),
    replaced: root.at('replaced').list(limits.replacedPacks, readReplaced),
    older: root.at('older').list(limits.olderTables, readReference),
    leftOut: root.at('leftOut').list(limits.leftOutPacks, (id) => id.id<PackId>()),
  };
  const { firstNames } = contents;
  for (let at = NAME_SIZE_BYTES; at < firstNames.length; at += NAME_SIZE_BYTES) {
    if (compareNames(firstNames, at - NAME_SIZE_BYTES, firstNames, at) >= 0) {
      throw root.at('firstNames').wrong('names that ascend');
    }
  }
  const { endOffset } = indexSegments(contents);
  if (contentsOffset !== undefined && endOffset !== contentsOffset) throw root.wrong(`segments up to ${contentsOffset}, not ${endOffset}`);
  return contents;
}

function readReplaced(item: Field): { pack: PackId; by: PackId[] } {
  const [pack, by] = item.tuple(2);
  return { pack: pack!.id<PackId>(), by: by!.list(limits.replacementsPerPack, (id) => id.id<PackId>()) };
}

function countRows(
  bytes: Uint8Array,
  { size, limit, objectName }: { size: number; limit: number; objectName: string | undefined },
): number {
  const count = bytes.length / size;
  if (Number.isInteger(count) && count > 0 && count <= limit) return count;
  throw new ByteReader(bytes, objectName).malformed('not whole rows', {
    expected: `1 to ${limit} rows of ${size} bytes`,
    found: bytes.length,
  });
}

function readPackRow(reader: ByteReader): PackRow {
  const id = idFromBytes(reader.raw(16));
  const at = reader.offset;
  const code = reader.u8();
  if (code !== objectKinds.pack && code !== objectKinds['metadata-pack']) {
    throw reader.malformed('a row of no pack', { expected: '1 or 6', found: code, at });
  }
  if ((reader.u8() | reader.u8() | reader.u8()) !== 0) throw reader.malformed('reserved bytes are not zero', { expected: 0, at: at + 1 });
  return { id, kind: code === objectKinds.pack ? 'pack' : 'metadata-pack', chunkCount: reader.u32(), storedSizeBytes: reader.u64() };
}

/** floor(u32(name[0..4), big endian) * blockCount / 2^32), exact for every block count. Ascends with the names. */
export function filterBlockOf(name: Uint8Array, at: number, blockCount: number): number {
  const high = (name[at]! << 8) | name[at + 1]!;
  const low = (name[at + 2]! << 8) | name[at + 3]!;
  return Math.floor((high * blockCount + Math.floor((low * blockCount) / 0x10000)) / 0x10000);
}

/** Bits [9 * probe, 9 * probe + 9) of name[8..17), little endian. */
function probeBit(name: Uint8Array, at: number, probe: number): number {
  const first = filterLayout.probeBits * probe;
  const byte = at + filterLayout.probesOffset + (first >>> 3);
  return ((name[byte]! | (name[byte + 1]! << 8)) >>> (first & 7)) & 0x1ff;
}
