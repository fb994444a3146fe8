/**
 * Tree nodes: directories, contents of big files and pack lists, each a tree of chunks. Source: spec/node.md.
 *
 * Invariants of a decoded node: at least one item; names, and ids of a pack list, strictly ascend; every reference
 * points into the node's own pack table.
 */

import { readContentItem, readReference } from './_content-reader.ts';
import { readEntry } from './_entry-reader.ts';
import { readName } from './_name-reader.ts';
import { ByteReader } from './bytes.ts';
import type { Entry, Extent } from './entry.ts';
import { LaganError } from './errors.ts';
import { ID_SIZE_BYTES, idFromBytes, type PackId, toHex } from './ids.ts';
import { limits } from './limits.ts';
import type { InnerContentItem, InnerDirectoryItem, InnerPackListItem, Node, NodeKind, NodeTables } from './node-types.ts';
import { NodeWriter } from './node-writer.ts';

const NODE_VERSION = 1;
const kindNames: readonly (NodeKind | undefined)[] = [undefined, 'directory', 'content', 'pack-list'];
/** Least size of an item: that of a pack id, a reference, an extent without data or the fields of an entry. */
const leastItemSizes = { directory: 15, content: 2, 'pack-list': ID_SIZE_BYTES } as const;
const userNames = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes a node whole. Codes: malformed, limit-exceeded. */
export function decodeNode(bytes: Uint8Array, objectName?: string): Node {
  const reader = new ByteReader(bytes, objectName);
  if (bytes.length > limits.nodeSizeBytes) {
    throw reader.malformed('a node too big', { expected: limits.nodeSizeBytes, found: bytes.length });
  }
  const kind = readKind(reader);
  const height = reader.varint(limits.nodeHeight, 'height');
  const tables = { packs: readPacks(reader), strings: readStrings(reader) };
  if (kind === 'pack-list' && height === 0 && tables.packs.length > 0) {
    throw reader.malformed('a pack table in a leaf of a pack list', { expected: 0, found: tables.packs.length });
  }
  const count = readItemCount(reader, kind);
  const items = readItems(reader, { kind, height, count, tables });
  reader.end();
  return { kind, leaf: height === 0, height, packs: tables.packs, items } as Node;
}

/** Encodes a node whole; the same as a {@link NodeWriter} that is given all items. */
export function encodeNode(node: Pick<Node, 'kind' | 'height' | 'items'>): Uint8Array {
  const writer = new NodeWriter(node.kind, node.height);
  for (const item of node.items) addItem(writer, item);
  return writer.finish();
}

/**
 * Throws malformed if `child` is not the node that item `index` of the inner node `parent` promises: kind, height, last name or last pack, and nothing in it comes before
 * the end of its elder sibling. A reader that checks this descends at most `limits.nodeHeight` times.
 */
export function expectChild(parent: Node, index: number, child: Node, objectName?: string): void {
  const found = { kind: child.kind, height: child.height, last: keyAt(child, child.items.length - 1) };
  const expected = { kind: parent.kind, height: parent.height - 1, last: keyAt(parent, index) };
  const isRight = found.kind === expected.kind && found.height === expected.height && found.last === expected.last;
  if (isRight && (index === 0 || comesAfter(keyAt(child, 0), keyAt(parent, index - 1)))) return;
  throw new LaganError('malformed', `${objectName ?? 'node'}: child ${index} of a node is another one`, {
    object: objectName,
    offset: 0,
    expected: JSON.stringify(expected),
    found: JSON.stringify(found),
  });
}

/** Name (hex) of an entry or the pack, of an inner item the last one below it; null in contents, whose items have no order of their own. */
function keyAt(node: Node, index: number): string | null {
  if (node.kind === 'content') return null;
  const item = node.items[index]!;
  if (typeof item === 'string') return item;
  if ('lastPack' in item) return item.lastPack;
  return toHex('lastName' in item ? item.lastName : item.name);
}

function comesAfter(key: string | null, previous: string | null): boolean {
  return key === null || previous === null || key > previous;
}

function addItem(writer: NodeWriter, item: Node['items'][number]): void {
  const { kind, height } = writer;
  if (kind === 'directory') {
    if (height === 0) writer.addEntry(item as Entry);
    else writer.addInnerDirectory(item as InnerDirectoryItem);
  } else if (kind === 'content') {
    if (height === 0) writer.addExtent(item as Extent);
    else writer.addInnerContent(item as InnerContentItem);
  } else if (height === 0) {
    writer.addPack(item as PackId);
  } else {
    writer.addInnerPackList(item as InnerPackListItem);
  }
}

function readKind(reader: ByteReader): NodeKind {
  const code = reader.u8();
  const kind = kindNames[code];
  if (kind === undefined) throw reader.malformed('unknown kind of node', { expected: '1 to 3', found: code, at: 0 });
  const version = reader.u8();
  if (version !== NODE_VERSION) throw reader.malformed('unknown version of a node', { expected: NODE_VERSION, found: version, at: 1 });
  return kind;
}

function readPacks(reader: ByteReader): PackId[] {
  const count = reader.varint(limits.nodeSizeBytes, 'pack count');
  reader.expectItems(count, ID_SIZE_BYTES, 'pack table');
  const packs = new Array<PackId>(count);
  for (let index = 0; index < count; index++) {
    packs[index] = idFromBytes(reader.bytes, reader.offset);
    reader.offset += ID_SIZE_BYTES;
  }
  return packs;
}

function readStrings(reader: ByteReader): string[] {
  const count = reader.varint(limits.nodeSizeBytes, 'string count');
  reader.expectItems(count, 2, 'string table');
  const strings = new Array<string>(count);
  for (let index = 0; index < count; index++) {
    const at = reader.offset;
    const bytes = reader.byteString(limits.userNameSizeBytes, 'user or group name');
    if (bytes.length === 0) throw reader.malformed('an empty string in the table', { expected: 'at least 1 byte', found: 0, at });
    strings[index] = decodeText(reader, bytes, at);
  }
  return strings;
}

function decodeText(reader: ByteReader, bytes: Uint8Array, at: number): string {
  try {
    return userNames.decode(bytes);
  } catch {
    throw reader.malformed('a user or group name that is not UTF-8', { expected: 'UTF-8', at });
  }
}

function readItemCount(reader: ByteReader, kind: NodeKind): number {
  const at = reader.offset;
  const count = reader.varint(limits.nodeSizeBytes, 'item count');
  if (count === 0) throw reader.malformed('a node without items', { expected: 'at least 1', found: 0, at });
  reader.expectItems(count, leastItemSizes[kind], 'items');
  return count;
}

interface ItemsToRead {
  kind: NodeKind;
  height: number;
  count: number;
  tables: NodeTables;
}

function readItems(reader: ByteReader, { kind, height, count, tables }: ItemsToRead): unknown[] {
  if (kind === 'directory') return height === 0 ? readEntries(reader, count, tables) : readInnerDirectory(reader, count, tables);
  if (kind === 'pack-list') return height === 0 ? readPackList(reader, count) : readInnerPackList(reader, count, tables);
  const items = new Array<Extent | InnerContentItem>(count);
  const end = reader.offset + limits.nodeItemsSizeBytes;
  for (let index = 0; index < count; index++) {
    expectBefore(reader, end);
    items[index] = height === 0 ? readContentItem(reader, tables.packs) : readInnerContent(reader, tables.packs);
  }
  return items;
}

/** A small item takes much more memory than bytes: a node of 16 MiB of them would take a gigabyte. */
function expectBefore(reader: ByteReader, end: number): void {
  if (reader.offset <= end) return;
  throw reader.malformed('a node that should have ended', { expected: `items that begin within ${limits.nodeItemsSizeBytes} bytes` });
}

function readEntries(reader: ByteReader, count: number, tables: NodeTables): Entry[] {
  const entries = new Array<Entry>(count);
  const end = reader.offset + limits.nodeItemsSizeBytes;
  let previous: Uint8Array | null = null;
  for (let index = 0; index < count; index++) {
    expectBefore(reader, end);
    const entry = readEntry(reader, tables, previous);
    entries[index] = entry;
    previous = entry.name;
  }
  return entries;
}

function readInnerDirectory(reader: ByteReader, count: number, { packs }: NodeTables): InnerDirectoryItem[] {
  const items = new Array<InnerDirectoryItem>(count);
  const end = reader.offset + limits.nodeItemsSizeBytes;
  let previous: Uint8Array | null = null;
  for (let index = 0; index < count; index++) {
    expectBefore(reader, end);
    const lastName = readName(reader, previous);
    items[index] = { lastName, entriesBelow: readCount(reader, 'entries below'), node: readReference(reader, packs) };
    previous = lastName;
  }
  return items;
}

function readInnerContent(reader: ByteReader, packs: readonly PackId[]): InnerContentItem {
  return { bytesBelow: readCount(reader, 'bytes below'), node: readReference(reader, packs) };
}

function readPackList(reader: ByteReader, count: number): PackId[] {
  const packs = new Array<PackId>(count);
  const end = reader.offset + limits.nodeItemsSizeBytes;
  let previous = '';
  for (let index = 0; index < count; index++) {
    expectBefore(reader, end);
    previous = packs[index] = readAscendingPack(reader, previous);
  }
  return packs;
}

function readInnerPackList(reader: ByteReader, count: number, { packs }: NodeTables): InnerPackListItem[] {
  const items = new Array<InnerPackListItem>(count);
  const end = reader.offset + limits.nodeItemsSizeBytes;
  let previous = '';
  for (let index = 0; index < count; index++) {
    expectBefore(reader, end);
    const lastPack = readAscendingPack(reader, previous);
    items[index] = { lastPack, packsBelow: readCount(reader, 'packs below'), node: readReference(reader, packs) };
    previous = lastPack;
  }
  return items;
}

function readAscendingPack(reader: ByteReader, previous: string): PackId {
  const at = reader.offset;
  const pack = idFromBytes(reader.raw(ID_SIZE_BYTES));
  if (pack <= previous) throw reader.malformed('pack ids do not ascend', { expected: `above ${previous}`, found: pack, at });
  return pack;
}

function readCount(reader: ByteReader, what: string): number {
  const at = reader.offset;
  const count = reader.varint(Number.MAX_SAFE_INTEGER, what);
  if (count === 0) throw reader.malformed(`${what}: none`, { expected: 'at least 1', found: 0, at });
  return count;
}
