/**
 * Decodes one directory entry. Called for every entry of a repository, so it allocates what it returns and no more.
 */
import { readContentItem, readPackIndex, readReference } from './_content-reader.ts';
import { readExtensions } from './_extensions.ts';
import { readName } from './_name-reader.ts';
import { readTime } from './_time.ts';
import type { ByteReader } from './bytes.ts';
import { type Content, type Entry, type EntryType, type Extensions, type Extent, noContent } from './entry.ts';
import type { PackId } from './ids.ts';
import { limits } from './limits.ts';
import type { NodeTables } from './node-types.ts';

const typeNames: readonly (EntryType | undefined)[] = [
  undefined,
  'file',
  'directory',
  'symlink',
  'fifo',
  'socket',
  'character-device',
  'block-device',
];

/** The entry at the reader's offset, whose name must come after `previous`. */
export function readEntry(reader: ByteReader, tables: NodeTables, previous: Uint8Array | null): Entry {
  const length = reader.varint(limits.nodeSizeBytes, 'length of an entry');
  if (length > reader.remaining)
    throw reader.malformed('an entry beyond the end', { expected: `at most ${reader.remaining}`, found: length });
  const end = reader.offset + length;
  const name = readName(reader, previous);
  const type = readType(reader);
  const entry = readFields(reader, { name, type, tables });
  if (reader.offset !== end) throw reader.malformed('an entry of another length', { expected: end, found: reader.offset });
  return entry;
}

function readType(reader: ByteReader): EntryType {
  const code = reader.u8();
  const type = typeNames[code];
  if (type === undefined) throw reader.malformed('unknown type of entry', { expected: '1 to 7', found: code, at: reader.offset - 1 });
  return type;
}

interface Started {
  readonly name: Uint8Array;
  readonly type: EntryType;
  readonly tables: NodeTables;
}

function readFields(reader: ByteReader, { name, type, tables }: Started): Entry {
  const mode = reader.varint(limits.mode, 'mode');
  const uid = reader.varint(limits.u32, 'uid');
  const gid = reader.varint(limits.u32, 'gid');
  const userName = readString(reader, tables.strings);
  const groupName = readString(reader, tables.strings);
  const mtime = readTime(reader);
  const ctime = readTime(reader);
  const inode = reader.bigVarint();
  if (type === 'file') {
    const at = reader.offset;
    const size = reader.varint(Number.MAX_SAFE_INTEGER, 'size');
    const content = readContent(reader, tables.packs);
    const extensions = readExtensions(reader);
    expectSize(reader, { size, content, extensions, at });
    return { name, type, mode, uid, gid, userName, groupName, mtime, ctime, inode, size, content, extensions };
  }
  if (type === 'directory') {
    const node = readPresence(reader) ? readReference(reader, tables.packs) : null;
    const filesBelow = reader.varint();
    const bytesBelow = reader.varint();
    const extensions = readExtensions(reader);
    return { name, type, mode, uid, gid, userName, groupName, mtime, ctime, inode, node, filesBelow, bytesBelow, extensions };
  }
  if (type === 'symlink') {
    const target = reader.byteString(limits.symlinkTargetSizeBytes, 'length of a link target');
    const extensions = readExtensions(reader);
    return { name, type, mode, uid, gid, userName, groupName, mtime, ctime, inode, target, extensions };
  }
  if (type === 'character-device' || type === 'block-device') {
    const major = reader.varint(limits.u32, 'major number');
    const minor = reader.varint(limits.u32, 'minor number');
    const extensions = readExtensions(reader);
    return { name, type, mode, uid, gid, userName, groupName, mtime, ctime, inode, major, minor, extensions };
  }
  return { name, type, mode, uid, gid, userName, groupName, mtime, ctime, inode, extensions: readExtensions(reader) };
}

/** A user's or group's name: 0 for none, else an index into the string table plus one. */
function readString(reader: ByteReader, strings: readonly string[]): string {
  const at = reader.offset;
  const index = reader.varint();
  if (index === 0) return '';
  const text = strings[index - 1];
  if (text === undefined)
    throw reader.malformed('a name beyond the string table', { expected: `at most ${strings.length}`, found: index, at });
  return text;
}

function readPresence(reader: ByteReader): boolean {
  const byte = reader.u8();
  if (byte > 1) throw reader.malformed('a flag that is neither 0 nor 1', { expected: '0 or 1', found: byte, at: reader.offset - 1 });
  return byte === 1;
}

function readContent(reader: ByteReader, packs: readonly PackId[]): Content {
  const form = reader.u8();
  if (form === 0) return noContent;
  if (form === 1) return { form: 'inline', extents: readExtents(reader, packs) };
  if (form === 2) return readContentNode(reader, packs);
  throw reader.malformed('unknown form of content', { expected: '0 to 2', found: form, at: reader.offset - 1 });
}

function readExtents(reader: ByteReader, packs: readonly PackId[]): Extent[] {
  const count = reader.varint(limits.inlineExtents, 'extent count');
  if (count === 0) throw reader.malformed('inline content without extents', { expected: 'at least 1', found: 0 });
  reader.expectItems(count, 2, 'extents');
  const extents = new Array<Extent>(count);
  for (let index = 0; index < count; index++) extents[index] = readContentItem(reader, packs);
  return extents;
}

function readContentNode(reader: ByteReader, packs: readonly PackId[]): Content {
  const height = reader.varint(limits.nodeHeight, 'height of a content');
  const node = readReference(reader, packs);
  const count = reader.varint(limits.listedPacksPerFile, 'pack count of a content');
  reader.expectItems(count, 1, 'packs of a content');
  const listed = new Array<PackId>(count);
  for (let index = 0; index < count; index++) listed[index] = readPackIndex(reader, packs);
  return { form: 'node', node, height, packs: listed };
}

interface SizedFile {
  size: number;
  content: Content;
  extensions: Extensions;
  at: number;
}

/** Without a read error the content is complete; the length of a content node is checked where it is read. */
function expectSize(reader: ByteReader, { size, content, extensions, at }: SizedFile): void {
  if (content.form === 'node' || extensions.readError !== undefined) return;
  let length = 0;
  if (content.form === 'inline') for (const extent of content.extents) length += extent.length;
  if (length !== size) throw reader.malformed('the extents do not add up to the size', { expected: size, found: length, at });
}
