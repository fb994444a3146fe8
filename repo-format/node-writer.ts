/**
 * Assembles nodes while items stream in: add items until {@link endsNode} says so, then {@link NodeWriter.finish}.
 * Packs and strings enter the node's tables in the order of their first use. Source: spec/node.md.
 */

import { writeExtensions } from './_extensions.ts';
import { nameFault } from './_name-reader.ts';
import { writeTime } from './_time.ts';
import { ByteWriter, varintSizeBytes } from './bytes.ts';
import { type Content, type Entry, type Extent, entryTypes, type FileEntry, type NodeReference } from './entry.ts';
import { ID_SIZE_BYTES, idToBytes, NAME_SIZE_BYTES, type PackId } from './ids.ts';
import { limits } from './limits.ts';
import { type InnerContentItem, type InnerDirectoryItem, type InnerPackListItem, type NodeKind, nodeKinds } from './node-types.ts';

const NODE_VERSION = 1;
const EXTENT_DATA = 0;
const EXTENT_HOLE = 1;
const EXTENT_ZEROS = 2;
const textEncoder = new TextEncoder();

/** One writer for each open node of a tree; {@link finish} empties it for the next node of the same height. */
export class NodeWriter {
  readonly kind: NodeKind;
  readonly height: number;
  itemCount = 0;
  readonly #items = new ByteWriter(2 * 1024);
  readonly #packs = new Map<PackId, number>();
  readonly #strings = new Map<string, number>();
  readonly #stringBytes = new ByteWriter(64);

  constructor(kind: NodeKind, height: number) {
    if (!Number.isInteger(height) || height < 0 || height > limits.nodeHeight) throw new RangeError(`height: ${height}`);
    this.kind = kind;
    this.height = height;
  }

  /** Size of the node if it ended now. */
  get sizeBytes(): number {
    const packs = this.#packs.size;
    const strings = this.#strings.size;
    return (
      2 +
      varintSizeBytes(this.height) +
      varintSizeBytes(packs) +
      packs * ID_SIZE_BYTES +
      varintSizeBytes(strings) +
      this.#stringBytes.length +
      varintSizeBytes(this.itemCount) +
      this.#items.length
    );
  }

  /** The packs of the node's table so far, in their order. */
  get packs(): PackId[] {
    return [...this.#packs.keys()];
  }

  /** Adds an entry to a leaf of a directory; names must ascend (checked by readers and by the tree writer). */
  addEntry(entry: Entry): void {
    const fault = nameFault(entry.name);
    if (fault !== null) throw new RangeError(`entry: ${fault}`);
    const items = this.#items;
    items.reserve(512);
    const start = items.length;
    items.length = start + 1;
    this.#writeEntry(items, entry);
    insertLength(items, start);
    this.itemCount++;
  }

  /** Adds an extent to a leaf of a content. */
  addExtent(extent: Extent): void {
    this.#writeExtent(this.#items, extent);
    this.itemCount++;
  }

  /** Adds a pack to a leaf of a pack list; ids must ascend. */
  addPack(pack: PackId): void {
    this.#items.raw(idToBytes(pack));
    this.itemCount++;
  }

  addInnerDirectory({ lastName, entriesBelow, node }: InnerDirectoryItem): void {
    this.#items.byteString(lastName);
    this.#items.varint(entriesBelow);
    this.#writeReference(this.#items, node);
    this.itemCount++;
  }

  addInnerContent({ bytesBelow, node }: InnerContentItem): void {
    this.#items.varint(bytesBelow);
    this.#writeReference(this.#items, node);
    this.itemCount++;
  }

  addInnerPackList({ lastPack, packsBelow, node }: InnerPackListItem): void {
    this.#items.raw(idToBytes(lastPack));
    this.#items.varint(packsBelow);
    this.#writeReference(this.#items, node);
    this.itemCount++;
  }

  /** The node's bytes; the writer is empty afterwards. There must be an item. */
  finish(): Uint8Array {
    const size = this.sizeBytes;
    if (this.itemCount === 0) throw new RangeError('a node must have an item');
    if (size > limits.nodeSizeBytes) throw new RangeError(`a node of ${size} bytes, the limit is ${limits.nodeSizeBytes}`);
    const node = new ByteWriter(size);
    node.u8(nodeKinds[this.kind]);
    node.u8(NODE_VERSION);
    node.varint(this.height);
    node.varint(this.#packs.size);
    for (const pack of this.#packs.keys()) node.raw(idToBytes(pack));
    node.varint(this.#strings.size);
    node.raw(this.#stringBytes.bytes.subarray(0, this.#stringBytes.length));
    node.varint(this.itemCount);
    node.raw(this.#items.bytes.subarray(0, this.#items.length));
    this.#clear();
    return node.bytes;
  }

  /** A writer with the same items, to end the node as it is while this one goes on. */
  clone(): NodeWriter {
    const copy = new NodeWriter(this.kind, this.height);
    copy.itemCount = this.itemCount;
    copy.#items.raw(this.#items.bytes.subarray(0, this.#items.length));
    copy.#stringBytes.raw(this.#stringBytes.bytes.subarray(0, this.#stringBytes.length));
    for (const [pack, index] of this.#packs) copy.#packs.set(pack, index);
    for (const [text, index] of this.#strings) copy.#strings.set(text, index);
    return copy;
  }

  #clear(): void {
    this.itemCount = 0;
    this.#items.reset();
    this.#packs.clear();
    this.#strings.clear();
    this.#stringBytes.reset();
  }

  #writeEntry(writer: ByteWriter, entry: Entry): void {
    writer.byteString(entry.name);
    writer.u8(entryTypes[entry.type]);
    writer.varint(entry.mode);
    writer.varint(entry.uid);
    writer.varint(entry.gid);
    writer.varint(this.#internString(entry.userName));
    writer.varint(this.#internString(entry.groupName));
    writeTime(writer, entry.mtime);
    writeTime(writer, entry.ctime);
    writer.bigVarint(entry.inode);
    this.#writeTypeFields(writer, entry);
    writeExtensions(writer, entry.extensions);
  }

  #writeTypeFields(writer: ByteWriter, entry: Entry): void {
    if (entry.type === 'file') {
      writer.varint(entry.size);
      this.#writeContent(writer, entry);
    } else if (entry.type === 'directory') {
      writer.u8(entry.node === null ? 0 : 1);
      if (entry.node !== null) this.#writeReference(writer, entry.node);
      writer.varint(entry.filesBelow);
      writer.varint(entry.bytesBelow);
    } else if (entry.type === 'symlink') {
      writer.byteString(entry.target);
    } else if (entry.type === 'character-device' || entry.type === 'block-device') {
      writer.varint(entry.major);
      writer.varint(entry.minor);
    }
  }

  #writeContent(writer: ByteWriter, file: FileEntry): void {
    const { content } = file;
    if (content.form === 'node') {
      this.#writeContentNode(writer, content);
      return;
    }
    const extents = content.form === 'inline' ? content.extents : [];
    writer.u8(extents.length === 0 ? 0 : 1);
    if (extents.length > 0) writer.varint(extents.length);
    let length = 0;
    for (const extent of extents) {
      this.#writeExtent(writer, extent);
      length += extent.length;
    }
    if (length !== file.size && file.extensions.readError === undefined) {
      throw new RangeError(`a file of ${file.size} bytes with a content of ${length} and no read error`);
    }
  }

  #writeContentNode(writer: ByteWriter, { node, height, packs }: Extract<Content, { form: 'node' }>): void {
    writer.u8(2);
    writer.varint(height);
    this.#writeReference(writer, node);
    const listed = packs.length > limits.listedPacksPerFile ? [] : packs;
    writer.varint(listed.length);
    for (const pack of listed) writer.varint(this.#internPack(pack));
  }

  #writeExtent(writer: ByteWriter, extent: Extent): void {
    if (extent.kind !== 'data') {
      writer.u8(extent.kind === 'hole' ? EXTENT_HOLE : EXTENT_ZEROS);
      writer.varint(extent.length);
      return;
    }
    writer.u8(EXTENT_DATA);
    writer.varint(extent.length);
    writer.varint(this.#internPack(extent.pack));
    writeName(writer, extent.name);
  }

  #writeReference(writer: ByteWriter, reference: NodeReference): void {
    writer.varint(this.#internPack(reference.pack));
    writeName(writer, reference.name);
  }

  #internPack(pack: PackId): number {
    const known = this.#packs.get(pack);
    if (known !== undefined) return known;
    this.#packs.set(pack, this.#packs.size);
    return this.#packs.size - 1;
  }

  /** 0 for no name, else the index in the string table plus one. */
  #internString(text: string): number {
    if (text === '') return 0;
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    const bytes = textEncoder.encode(text);
    if (bytes.length > limits.userNameSizeBytes) throw new RangeError(`a user or group name of ${bytes.length} bytes`);
    this.#stringBytes.byteString(bytes);
    this.#strings.set(text, this.#strings.size + 1);
    return this.#strings.size;
  }
}

/** Size from which a node may end at a boundary, and at which it must end. */
export const smallestNodeSizeBytes = 8 * 1024;
export const greatestNodeSizeBytes = 64 * 1024;

const boundaryMasks = { directory: 0x7f, content: 0x1ff, 'pack-list': 0x1ff } as const;
const INNER_BOUNDARY_MASK = 0x7f;

export interface BoundaryQuestion {
  readonly kind: NodeKind;
  readonly height: number;
  /**
   * Of the item that was just added: entry name, chunk name or pack id; for inner items last name, child's name or
   * last pack id. Null for an extent without a chunk.
   */
  readonly boundaryKey: Uint8Array | null;
  readonly sizeBytes: number;
}

/** Whether the node ends after the item that was just added. Readers do not depend on it; deduplication does. */
export function endsNode({ kind, height, boundaryKey, sizeBytes }: BoundaryQuestion): boolean {
  if (sizeBytes < smallestNodeSizeBytes) return false;
  if (sizeBytes >= greatestNodeSizeBytes) return true;
  if (boundaryKey === null) return false;
  const mask = height > 0 ? INNER_BOUNDARY_MASK : boundaryMasks[kind];
  return (fnv1a32(boundaryKey) & mask) === 0;
}

/** FNV-1a, 32 bit. */
export function fnv1a32(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < bytes.length; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return hash >>> 0;
}

/** Puts the length of what follows `start + 1` at `start`, and moves it if the length takes more than a byte. */
function insertLength(writer: ByteWriter, start: number): void {
  const length = writer.length - start - 1;
  if (length < 0x80) {
    writer.bytes[start] = length;
    return;
  }
  const size = varintSizeBytes(length);
  writer.reserve(size - 1);
  writer.bytes.copyWithin(start + size, start + 1, start + 1 + length);
  writer.length = start;
  writer.varint(length);
  writer.length = start + size + length;
}

function writeName(writer: ByteWriter, name: Uint8Array): void {
  if (name.length !== NAME_SIZE_BYTES) throw new RangeError(`a chunk name has 32 bytes, got ${name.length}`);
  writer.raw(name);
}
