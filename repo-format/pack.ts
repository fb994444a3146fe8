/**
 * Packs: blocks of chunks, and a table of contents from which an index can be rebuilt. Source: spec/pack.md.
 * These are the plaintexts; sealed.ts puts them into the file.
 */
import { ByteReader, ByteWriter } from './bytes.ts';
import { LaganError } from './errors.ts';
import { NAME_SIZE_BYTES } from './ids.ts';
import { footerLayout, sealedLayout } from './layout.ts';
import { limits } from './limits.ts';

export const codecs = { raw: 0, zstd: 1, lz4: 2 } as const;
export type Codec = keyof typeof codecs;

const codecNames: readonly Codec[] = ['raw', 'zstd', 'lz4'];
const NO_NAMES = new Uint8Array(0);

/** What stands before the encoded chunks in a block. */
export interface BlockPrefix {
  readonly codec: Codec;
  /** Sum of the chunks' lengths. */
  readonly rawLength: number;
  readonly chunkLengths: ArrayLike<number>;
}

export interface Block {
  readonly codec: Codec;
  readonly rawLength: number;
  readonly chunkLengths: number[];
  /** The chunks one after another, encoded by `codec`; a view. */
  readonly payload: Uint8Array;
}

/** A block as the contents describe it. */
export interface PackBlock {
  /** File offset of the segment's length field. */
  readonly offset: number;
  /** Ciphertext and tag. */
  readonly sealedLength: number;
  readonly codec: Codec;
  readonly rawLength: number;
  readonly chunkLengths: Uint32Array;
  /** 32 bytes for each chunk. */
  readonly names: Uint8Array;
}

export type PackKind = 'pack' | 'metadata-pack';

/** The first part of a block's plaintext; the payload follows it. */
export function encodeBlockPrefix({ codec, rawLength, chunkLengths }: BlockPrefix): Uint8Array {
  if (chunkLengths.length === 0) throw new RangeError('a block must have a chunk');
  const writer = new ByteWriter(16 + 5 * chunkLengths.length);
  writer.u8(codecs[codec]);
  writer.varint(rawLength);
  writer.varint(chunkLengths.length);
  for (let index = 0; index < chunkLengths.length; index++) writer.varint(chunkLengths[index]!);
  return writer.finish();
}

/** Reads a block's plaintext. The payload of a raw block has exactly the raw length; else decoding must yield it. */
export function decodeBlock(plaintext: Uint8Array, objectName?: string, kind: PackKind = 'metadata-pack'): Block {
  const reader = new ByteReader(plaintext, objectName);
  const { codec, rawLength, count } = readBlockFields(reader);
  const chunkLengths = new Array<number>(count);
  const lengthsAt = reader.offset;
  let sum = 0;
  for (let index = 0; index < count; index++) sum += chunkLengths[index] = readChunkLength(reader, kind);
  if (sum !== rawLength) throw reader.malformed('the chunk lengths do not add up', { expected: rawLength, found: sum, at: lengthsAt });
  if (codec === 'raw' && reader.remaining !== rawLength) {
    throw reader.malformed('a raw payload of another length', { expected: rawLength, found: reader.remaining });
  }
  if (reader.remaining === 0) throw reader.malformed('a block without payload', { expected: 'a payload', found: 0 });
  return { codec, rawLength, chunkLengths, payload: reader.raw(reader.remaining) };
}

/** Throws malformed if a block is not what the pack's contents say of it. */
export function expectBlock(block: Block, row: PackBlock, objectName?: string): void {
  const { codec, rawLength, chunkLengths } = block;
  const sameLengths =
    chunkLengths.length === row.chunkLengths.length && chunkLengths.every((length, index) => length === row.chunkLengths[index]);
  if (codec === row.codec && rawLength === row.rawLength && sameLengths) return;
  const message = `${objectName ?? 'pack'}: the block at offset ${row.offset} is not what the contents say`;
  const shown = ({ codec, rawLength, chunkLengths }: Block | PackBlock) => `${codec}, ${rawLength} bytes, ${chunkLengths.length} chunks`;
  throw new LaganError('malformed', message, { object: objectName, offset: row.offset, expected: shown(row), found: shown(block) });
}

export function encodePackContents(blocks: readonly PackBlock[]): Uint8Array {
  const chunks = blocks.reduce((sum, block) => sum + block.chunkLengths.length, 0);
  const writer = new ByteWriter(16 + blocks.length * 24 + chunks * (NAME_SIZE_BYTES + 4));
  writer.varint(blocks.length);
  for (const block of blocks) {
    writer.varint(block.offset);
    writer.varint(block.sealedLength);
    writer.u8(codecs[block.codec]);
    writer.varint(block.rawLength);
    writer.varint(block.chunkLengths.length);
  }
  for (const block of blocks) for (const length of block.chunkLengths) writer.varint(length);
  for (const block of blocks) writer.raw(block.names);
  return writer.finish();
}

/**
 * Reads the contents' plaintext. Blocks must follow each other without a gap from the end of the header;
 * with `contentsOffset` (from the footer) the last must end there.
 */
export function decodePackContents(
  bytes: Uint8Array,
  objectName?: string,
  { kind = 'metadata-pack', contentsOffset }: { kind?: PackKind; contentsOffset?: number } = {},
): PackBlock[] {
  const reader = new ByteReader(bytes, objectName);
  const blocks = readBlocks(reader);
  const last = blocks[blocks.length - 1]!;
  const end = last.offset + sealedLayout.lengthFieldSizeBytes + last.sealedLength;
  if (contentsOffset !== undefined && end !== contentsOffset) {
    throw reader.malformed('the blocks do not end at the contents', { expected: contentsOffset, found: end });
  }
  for (const block of blocks) readLengths(reader, block, kind);
  for (const block of blocks) block.names = reader.raw(block.chunkLengths.length * NAME_SIZE_BYTES);
  reader.end();
  return blocks;
}

type MutablePackBlock = { -readonly [Field in keyof PackBlock]: PackBlock[Field] };

function readBlocks(reader: ByteReader): MutablePackBlock[] {
  const count = reader.varint(limits.blocksPerPack, 'block count');
  if (count === 0) throw reader.malformed('a pack without blocks', { expected: 'at least 1', found: 0, at: 0 });
  reader.expectItems(count, 5 + 1 + NAME_SIZE_BYTES, 'blocks');
  const blocks: MutablePackBlock[] = [];
  let expected: number = sealedLayout.headerSizeBytes;
  let chunks = 0;
  for (let index = 0; index < count; index++) {
    const block = readBlock(reader, expected);
    expected += sealedLayout.lengthFieldSizeBytes + block.sealedLength;
    chunks += block.chunkLengths.length;
    if (chunks > limits.chunksPerPack)
      throw reader.malformed('too many chunks in a pack', { expected: limits.chunksPerPack, found: chunks });
    blocks.push(block);
  }
  reader.expectItems(chunks, 1 + NAME_SIZE_BYTES, 'chunks');
  return blocks;
}

function readBlock(reader: ByteReader, expectedOffset: number): MutablePackBlock {
  const at = reader.offset;
  const offset = reader.varint(limits.packSizeBytes, 'block offset');
  if (offset !== expectedOffset) {
    throw reader.malformed('a block does not follow the one before', { expected: expectedOffset, found: offset, at });
  }
  const sealedLength = reader.varint(limits.blockPlaintextSizeBytes + sealedLayout.tagSizeBytes, 'sealed length');
  if (sealedLength < sealedLayout.smallestSealedLength) {
    throw reader.malformed('a block too short', { expected: sealedLayout.smallestSealedLength, found: sealedLength });
  }
  const { codec, rawLength, count } = readBlockFields(reader);
  return { offset, sealedLength, codec, rawLength, chunkLengths: new Uint32Array(count), names: NO_NAMES };
}

/** Codec, raw length and chunk count, as blocks and contents have them; the count fits into what is left. */
function readBlockFields(reader: ByteReader): { codec: Codec; rawLength: number; count: number } {
  const codecByte = reader.u8();
  const codec = codecNames[codecByte];
  if (codec === undefined) throw reader.malformed('unknown codec', { expected: '0 to 2', found: codecByte, at: reader.offset - 1 });
  const rawLength = reader.varint(limits.blockRawSizeBytes, 'raw length');
  const count = reader.varint(limits.chunksPerBlock, 'chunk count');
  if (count === 0) throw reader.malformed('a block without chunks', { expected: 'at least 1', found: 0 });
  reader.expectItems(count, 1, 'chunks');
  return { codec, rawLength, count };
}

function readLengths(reader: ByteReader, block: PackBlock, kind: PackKind): void {
  const { chunkLengths, rawLength } = block;
  const at = reader.offset;
  let sum = 0;
  for (let index = 0; index < chunkLengths.length; index++) sum += chunkLengths[index] = readChunkLength(reader, kind);
  if (sum !== rawLength) throw reader.malformed('the chunk lengths do not add up', { expected: rawLength, found: sum, at });
}

function readChunkLength(reader: ByteReader, kind: PackKind): number {
  const length = reader.varint(kind === 'pack' ? limits.dataChunkSizeBytes : limits.metadataChunkSizeBytes, 'chunk length');
  if (length === 0) throw reader.malformed('an empty chunk', { expected: 'at least 1', found: 0, at: reader.offset - 1 });
  return length;
}

/** Stored size of a pack: from the contents' place in the footer. */
export function packSizeBytes(contents: { readonly offset: number; readonly length: number }): number {
  return contents.offset + sealedLayout.lengthFieldSizeBytes + contents.length + footerLayout.sizeBytes;
}
