/**
 * Extensions of an entry: typed values after its fixed fields. Types that are not known are kept as they are.
 */

import { Field } from './_fields.ts';
import { readTime, writeTime } from './_time.ts';
import { ByteReader, ByteWriter, compareBytes } from './bytes.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { type Extensions, noExtensions, extensionTypes as types } from './entry.ts';
import { limits } from './limits.ts';

type Mutable = { -readonly [Field in keyof Extensions]: Extensions[Field] };
type Xattr = { readonly name: Uint8Array; readonly value: Uint8Array };

export function readExtensions(reader: ByteReader): Extensions {
  const count = reader.varint(limits.extensionsPerEntry, 'extension count');
  if (count === 0) return noExtensions;
  reader.expectItems(count, 2, 'extensions');
  const extensions: Mutable = {};
  let previous = 0;
  for (let index = 0; index < count; index++) previous = readExtension(reader, extensions, previous);
  return extensions;
}

/** Writes the count and the extensions, types ascending. */
export function writeExtensions(writer: ByteWriter, extensions: Extensions): void {
  if (extensions === noExtensions) {
    writer.u8(0);
    return;
  }
  const values = encodeValues(extensions);
  writer.varint(values.length);
  for (const { type, value } of values) {
    writer.varint(type);
    writer.byteString(value);
  }
}

function readExtension(reader: ByteReader, extensions: Mutable, previous: number): number {
  const at = reader.offset;
  const type = reader.varint(limits.extensionType, 'type of an extension');
  if (type <= previous) throw reader.malformed('types of extensions do not ascend', { expected: `above ${previous}`, found: type, at });
  const value = reader.byteString(limits.extensionSizeBytes, 'length of an extension');
  const end = reader.offset;
  const inner = new ByteReader(reader.bytes.subarray(0, end), reader.objectName);
  inner.offset = end - value.length;
  if (readKnown(inner, type, extensions)) inner.end();
  else extensions.unknown = [...(extensions.unknown ?? []), { type, value }];
  return type;
}

/** Reads a value of a known type; false if the type is unknown. */
function readKnown(reader: ByteReader, type: number, extensions: Mutable): boolean {
  switch (type) {
    case types.xattrs:
      extensions.xattrs = readXattrs(reader);
      return true;
    case types.link:
      extensions.link = { count: reader.varint(limits.u32, 'link count'), device: reader.bigVarint() };
      return true;
    case types.flags:
      extensions.flags = reader.varint(limits.u32, 'file flags');
      return true;
    case types.birthTime:
      extensions.birthTime = readTime(reader);
      return true;
    case types.projectId:
      extensions.projectId = reader.varint(limits.u32, 'project id');
      return true;
    case types.readError:
      extensions.readError = readReadError(reader);
      return true;
    case types.accessTime:
      extensions.accessTime = readTime(reader);
      return true;
    default:
      return false;
  }
}

function readXattrs(reader: ByteReader): Xattr[] {
  const count = reader.varint(limits.xattrsPerEntry, 'xattr count');
  if (count === 0) throw reader.malformed('a list without xattrs', { expected: 'at least 1', found: 0 });
  reader.expectItems(count, 3, 'xattrs');
  const xattrs = new Array<Xattr>(count);
  for (let index = 0; index < count; index++) {
    const at = reader.offset;
    const name = reader.byteString(limits.xattrNameSizeBytes, 'length of an xattr name');
    const previous = index === 0 ? noBytes : xattrs[index - 1]!.name;
    if (compareBytes(previous, name) >= 0) throw reader.malformed('names of xattrs do not ascend', { at });
    xattrs[index] = { name, value: reader.byteString(limits.extensionSizeBytes, 'length of an xattr') };
  }
  return xattrs;
}

function readReadError(reader: ByteReader): { code: string; message: string } {
  const start = reader.offset;
  const bytes = reader.raw(reader.remaining);
  const fields = Field.root(decodeCbor(bytes, { objectName: reader.objectName, offset: start }));
  return { code: fields.at('code').text(), message: fields.at('message').text() };
}

function encodeValues(extensions: Extensions): { type: number; value: Uint8Array }[] {
  const values: { type: number; value: Uint8Array }[] = [...(extensions.unknown ?? [])];
  const add = (type: number, write: (writer: ByteWriter) => void) => {
    const writer = new ByteWriter(64);
    write(writer);
    values.push({ type, value: writer.finish() });
  };
  const { xattrs, link, flags, birthTime, projectId, readError, accessTime } = extensions;
  if (xattrs !== undefined && xattrs.length > 0) add(types.xattrs, (writer) => writeXattrs(writer, xattrs));
  if (link !== undefined) {
    add(types.link, (writer) => {
      writer.varint(link.count);
      writer.bigVarint(link.device);
    });
  }
  if (flags !== undefined) add(types.flags, (writer) => writer.varint(flags));
  if (birthTime !== undefined) add(types.birthTime, (writer) => writeTime(writer, birthTime));
  if (projectId !== undefined) add(types.projectId, (writer) => writer.varint(projectId));
  if (readError !== undefined) values.push({ type: types.readError, value: encodeCbor(readError) });
  if (accessTime !== undefined) add(types.accessTime, (writer) => writeTime(writer, accessTime));
  return values.sort((left, right) => left.type - right.type);
}

function writeXattrs(writer: ByteWriter, xattrs: readonly Xattr[]): void {
  const sorted = [...xattrs].sort((left, right) => compareBytes(left.name, right.name));
  writer.varint(sorted.length);
  for (const { name, value } of sorted) {
    writer.byteString(name);
    writer.byteString(value);
  }
}

const noBytes = new Uint8Array(0);
