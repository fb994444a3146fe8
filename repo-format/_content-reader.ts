import type { ByteReader } from './bytes.ts';
import type { Extent, NodeReference } from './entry.ts';
import { NAME_SIZE_BYTES, type PackId } from './ids.ts';

const extentKinds = ['data', 'hole', 'zeros'] as const;

export function readPackIndex(reader: ByteReader, packs: readonly PackId[]): PackId {
  const at = reader.offset;
  const index = reader.varint();
  const pack = packs[index];
  if (pack === undefined) {
    throw reader.malformed('a reference beyond the pack table', { expected: `below ${packs.length}`, found: index, at });
  }
  return pack;
}

export function readReference(reader: ByteReader, packs: readonly PackId[]): NodeReference {
  return { pack: readPackIndex(reader, packs), name: reader.raw(NAME_SIZE_BYTES) };
}

/** One extent of a file's content. */
export function readContentItem(reader: ByteReader, packs: readonly PackId[]): Extent {
  const at = reader.offset;
  const code = reader.u8();
  const kind = extentKinds[code];
  if (kind === undefined) throw reader.malformed('unknown kind of extent', { expected: '0 to 2', found: code, at });
  const length = reader.varint(Number.MAX_SAFE_INTEGER, 'length of an extent');
  if (length === 0) throw reader.malformed('an empty extent', { expected: 'at least 1', found: 0, at });
  if (kind !== 'data') return { kind, length };
  return { kind, length, pack: readPackIndex(reader, packs), name: reader.raw(NAME_SIZE_BYTES) };
}
