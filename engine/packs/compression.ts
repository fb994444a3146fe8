import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Codec, LaganError } from '../../repo-format/mod.ts';
import { compressSync as lz4CompressSync, uncompressSync as lz4UncompressSync } from 'lz4-napi';

/** How blocks are compressed: `auto` is zstd level 1 where a probe finds that it pays, else nothing. */
export type Compression = 'auto' | 'none' | 'lz4' | `zstd:${number}`;

const autoLevel = 1;
const levels = { minimum: 1, maximum: 19 };
/** Below this share of its raw size a compressed block is worth the work of decompressing it. */
const worthwhileShare = 0.98;
const lz4SizePrefixBytes = 4;

/** Checks what a person wrote. Errors: `usage`, naming the valid forms. */
export function parseCompression(text: string): Compression {
  if (text === 'auto' || text === 'none' || text === 'lz4') return text;
  const level = /^zstd:(\d{1,2})$/.exec(text)?.[1];
  if (level !== undefined && Number(level) >= levels.minimum && Number(level) <= levels.maximum) return text as Compression;
  throw new LaganError('usage', `compression "${text}" is none of auto, none, lz4, zstd:${levels.minimum} … zstd:${levels.maximum}`, { expected: 'auto, none, lz4 or zstd:N', found: text });
}

/** Compresses the payload of a block; stored raw (codec `raw`) where that gains nothing. */
export function compressPayload(payload: Uint8Array, compression: Compression, looksIncompressible: () => boolean): { codec: Codec; payload: Uint8Array } {
  const raw = { codec: 'raw', payload } as const;
  if (compression === 'none' || (compression === 'auto' && looksIncompressible())) return raw;
  const compressed = compression === 'lz4' ? compressLz4(payload) : compressZstd(payload, compression === 'auto' ? autoLevel : Number(compression.slice(5)));
  if (compressed.length > payload.length * worthwhileShare) return raw;
  return { codec: compression === 'lz4' ? 'lz4' : 'zstd', payload: compressed };
}

/** The raw bytes of a block's payload. Errors: `malformed` where it does not decode to exactly `rawLength` bytes. */
export function decompressPayload(payload: Uint8Array, { codec, rawLength, objectName }: { codec: Codec; rawLength: number; objectName: string }): Uint8Array {
  if (codec === 'raw') return payload;
  let raw: Uint8Array;
  try {
    raw = codec === 'zstd' ? zstdDecompressSync(payload, { chunkSize: Math.max(64, rawLength), maxOutputLength: Math.max(64, rawLength) }) : decompressLz4(payload, rawLength);
  } catch (cause) {
    throw new LaganError('malformed', `a block of ${objectName} was to be decompressed (${codec}), but its data is not valid`, { object: objectName, cause });
  }
  if (raw.length !== rawLength) throw new LaganError('malformed', `a block of ${objectName} decompresses to ${raw.length} bytes, its header says ${rawLength}`, { object: objectName, expected: rawLength, found: raw.length });
  return raw;
}

function compressZstd(payload: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(payload, { chunkSize: payload.length + 1024, params: { [constants.ZSTD_c_compressionLevel]: level } });
}

/** lz4-napi puts the raw length before the block; the format has it elsewhere. */
function compressLz4(payload: Uint8Array): Uint8Array {
  return lz4CompressSync(Buffer.from(payload.buffer, payload.byteOffset, payload.length)).subarray(lz4SizePrefixBytes);
}

function decompressLz4(payload: Uint8Array, rawLength: number): Uint8Array {
  const prefixed = Buffer.allocUnsafe(lz4SizePrefixBytes + payload.length);
  prefixed.writeUInt32LE(rawLength);
  prefixed.set(payload, lz4SizePrefixBytes);
  return lz4UncompressSync(prefixed);
}
