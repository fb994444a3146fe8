/**
 * Index tables: which chunk is in which pack, sorted by name, with a filter that answers most questions by "no".
 * These are the plaintexts of the segments and of the contents. Source: spec/index-table.md.
 *
 * Invariants: rows ascend strictly by name within a page and from page to page; a pack ordinal is a row of the pack table.
 */
import { Field } from './_fields.ts';
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

export interface RowsReference extends SegmentReference {
  readonly rows: number;
}

export interface PageReference extends RowsReference {
  /** Name of the page's first row. */
  readonly firstName: Uint8Array;
}

export interface IndexContents {
  readonly rows: number;
  readonly packs: number;
  readonly filterBlocks: number;
  readonly sampleRows: number;
  /** Segments 0 and up, in this order: pack table, pages, filter, sample. */
  readonly packSegments: readonly SegmentReference[];
  readonly pages: readonly PageReference[];
  readonly filter: readonly SegmentReference[];
  readonly sample: readonly RowsReference[];
  /** Forwarding by repacking: chunks of the old pack are in the new ones. Writers leave it empty. */
  readonly replaced: readonly { readonly pack: PackId; readonly by: readonly PackId[] }[];
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
export function findPage(pages: readonly PageReference[], name: Uint8Array, nameOffset = 0): number {
  let low = 0;
  let high = pages.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if (compareNames(pages[middle]!.firstName, 0, name, nameOffset) <= 0) low = middle + 1;
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

export function encodeIndexContents(contents: IndexContents): Uint8Array {
  return encodeCbor({
    ...contents,
    packSegments: contents.packSegments.map(({ offset, sealedLength }) => [offset, sealedLength]),
    pages: contents.pages.map(({ offset, sealedLength, rows, firstName }) => [offset, sealedLength, rows, firstName]),
    filter: contents.filter.map(({ offset, sealedLength }) => [offset, sealedLength]),
    sample: contents.sample.map(({ offset, sealedLength, rows }) => [offset, sealedLength, rows]),
    replaced: contents.replaced.map(({ pack, by }) => [idToBytes(pack), by.map(idToBytes)]),
  });
}

/**
 * Reads the contents' plaintext. Segments must follow each other without a gap from the end of the header; with
 * `contentsOffset` (from the footer) the last must end there. Counts must agree.
 */
export function decodeIndexContents(bytes: Uint8Array, objectName?: string, contentsOffset?: number): IndexContents {
  const root = Field.root(decodeCbor(bytes, { objectName }));
  const place = { offset: sealedLayout.headerSizeBytes as number };
  const contents: IndexContents = {
    rows: root.at('rows').uint(limits.indexRows),
    packs: root.at('packs').uint(limits.indexRows),
    filterBlocks: root.at('filterBlocks').uint(limits.indexRows),
    sampleRows: root.at('sampleRows').uint(limits.indexRows),
    packSegments: root.at('packSegments').list(limits.indexSegments, (item) => readSegment(item.tuple(2), place)),
    pages: root.at('pages').list(limits.indexSegments, (item) => readPage(item.tuple(4), place)),
    filter: root.at('filter').list(limits.indexSegments, (item) => readSegment(item.tuple(2), place)),
    sample: root.at('sample').list(limits.indexSegments, (item) => readRows(item.tuple(3), place)),
    replaced: root.at('replaced').list(limits.replacedPacks, readReplaced),
  };
  expectCounts(root, contents);
  if (contentsOffset !== undefined && place.offset !== contentsOffset)
    throw root.wrong(`segments up to ${contentsOffset}, not ${place.offset}`);
  return contents;
}

type Place = { offset: number };

function readSegment([offset, sealedLength]: Field[], place: Place): SegmentReference {
  const segment = { offset: offset!.exactly(place.offset), sealedLength: sealedLength!.uint(limits.indexSegmentSizeBytes) };
  if (segment.sealedLength < sealedLayout.smallestSealedLength) throw sealedLength!.wrong(`at least ${sealedLayout.smallestSealedLength}`);
  place.offset += sealedLayout.lengthFieldSizeBytes + segment.sealedLength;
  return segment;
}

function readRows(fields: Field[], place: Place): RowsReference {
  const segment = readSegment(fields, place);
  const rows = fields[2]!.uint(limits.rowsPerPage);
  if (rows * indexRowLayout.sizeBytes + sealedLayout.tagSizeBytes !== segment.sealedLength) {
    throw fields[2]!.wrong(`the rows of ${segment.sealedLength} sealed bytes`);
  }
  return { ...segment, rows };
}

function readPage(fields: Field[], place: Place): PageReference {
  return { ...readRows(fields, place), firstName: fields[3]!.bytes(NAME_SIZE_BYTES) };
}

function readReplaced(item: Field): { pack: PackId; by: PackId[] } {
  const [pack, by] = item.tuple(2);
  return { pack: pack!.id<PackId>(), by: by!.list(limits.replacementsPerPack, (id) => id.id<PackId>()) };
}

function expectCounts(root: Field, contents: IndexContents): void {
  const plaintext = (segments: readonly SegmentReference[]) =>
    segments.reduce((sum, { sealedLength }) => sum + sealedLength - sealedLayout.tagSizeBytes, 0);
  const rows = (segments: readonly RowsReference[]) => segments.reduce((sum, segment) => sum + segment.rows, 0);
  const expectEqual = (key: string, declared: number, present: number) => {
    if (declared !== present) throw root.at(key).wrong(`${present}, as the segments say`);
  };
  expectEqual('packs', contents.packs, plaintext(contents.packSegments) / packRowLayout.sizeBytes);
  expectEqual('rows', contents.rows, rows(contents.pages));
  expectEqual('sampleRows', contents.sampleRows, rows(contents.sample));
  expectEqual('filterBlocks', contents.filterBlocks, plaintext(contents.filter) / filterLayout.blockSizeBytes);
  expectEqual('filterBlocks', contents.filterBlocks, filterBlockCount(contents.rows));
  const { pages } = contents;
  for (let index = 1; index < pages.length; index++) {
    if (compareNames(pages[index - 1]!.firstName, 0, pages[index]!.firstName, 0) >= 0) {
      throw root.at('pages').wrong('pages whose first names ascend');
    }
  }
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

/** floor(u32(name[0..4)) * blockCount / 2^32), exact for every block count. */
export function filterBlockOf(name: Uint8Array, at: number, blockCount: number): number {
  const low = name[at]! | (name[at + 1]! << 8);
  const high = name[at + 2]! | (name[at + 3]! << 8);
  return Math.floor((high * blockCount + Math.floor((low * blockCount) / 0x10000)) / 0x10000);
}

/** Bits [9 * probe, 9 * probe + 9) of name[8..17), little endian. */
function probeBit(name: Uint8Array, at: number, probe: number): number {
  const first = filterLayout.probeBits * probe;
  const byte = at + filterLayout.probesOffset + (first >>> 3);
  return ((name[byte]! | (name[byte + 1]! << 8)) >>> (first & 7)) & 0x1ff;
}
