import { compressSync as lz4CompressSync, uncompressSync as lz4UncompressSync } from 'lz4-napi';
import { type Codec, LaganError } from '../../repo-format/mod.ts';
import { zstd } from '../native/mod.ts';
import { wrongBytes } from '../objects/mod.ts';

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
  throw new LaganError('usage', `compression "${text}" is none of auto, none, lz4, zstd:${levels.minimum} … zstd:${levels.maximum}`, {
    expected: 'auto, none, lz4 or zstd:N',
    found: text,
  });
}

/** Compresses blocks one after another. What was compressed is decompressed again and compared before it is used, unless it is said not to be. */
export class BlockCompressor {
  readonly #compression: Compression;
  readonly #zstdLevel: number | undefined;
  #output = new Uint8Array(0);
  #again = new Uint8Array(0);

  constructor(compression: Compression) {
    this.#compression = compression;
    if (compression === 'auto') this.#zstdLevel = autoLevel;
    else if (compression.startsWith('zstd:')) this.#zstdLevel = Number(compression.slice(5));
  }

  /** The payload as it is stored: raw where compression gains nothing. It is valid until the next call. Code `io`: it does not decompress to what it was. */
  compress(
    payload: Uint8Array,
    looksIncompressible: () => boolean,
    { verify = true }: { verify?: boolean } = {},
  ): { codec: Codec; payload: Uint8Array } {
    const encoded = this.#encode(payload, looksIncompressible);
    if (verify && encoded.codec !== 'raw') this.#expectSame(payload, encoded);
    return encoded;
  }

  #encode(payload: Uint8Array, looksIncompressible: () => boolean): { codec: Codec; payload: Uint8Array } {
    const raw = { codec: 'raw', payload } as const;
    if (this.#compression === 'none' || (this.#compression === 'auto' && looksIncompressible())) return raw;
    const worthwhileSize = Math.floor(payload.length * worthwhileShare);
    if (this.#zstdLevel === undefined) {
      const compressed = compressLz4(payload);
      return compressed.length > worthwhileSize ? raw : { codec: 'lz4', payload: compressed };
    }
    if (this.#output.length <= worthwhileSize) this.#output = new Uint8Array(payload.length);
    const length = zstd().compress(payload, this.#output.subarray(0, worthwhileSize + 1), this.#zstdLevel);
    return length < 0 || length > worthwhileSize ? raw : { codec: 'zstd', payload: this.#output.subarray(0, length) };
  }

  #expectSame(raw: Uint8Array, { codec, payload }: { codec: Codec; payload: Uint8Array }): void {
    if (this.#again.length <= raw.length) this.#again = new Uint8Array(raw.length + 1);
    let again: Uint8Array;
    try {
      again = decompressPayload(payload, { codec, rawLength: raw.length, objectName: 'a new pack', into: this.#again });
    } catch (cause) {
      throw wrongBytes('a new pack', 'compressed', cause);
    }
    if (Buffer.compare(raw, again) !== 0) throw wrongBytes('a new pack', 'compressed');
  }
}

/**
 * The raw bytes of a block's payload, in `into` if it is given and large enough, else in a buffer of their own. Errors: `malformed` where they
 * are not exactly `rawLength` bytes.
 */
export function decompressPayload(
  payload: Uint8Array,
  { codec, rawLength, objectName, into }: { codec: Codec; rawLength: number; objectName: string; into?: Uint8Array },
): Uint8Array {
  if (codec === 'raw') return payload;
  let raw: Uint8Array;
  try {
    raw = codec === 'zstd' ? decompressZstd(payload, rawLength, into) : decompressLz4(payload, rawLength);
  } catch (cause) {
    throw new LaganError('malformed', `a block of ${objectName} was to be decompressed (${codec}), but its data is not valid`, {
      object: objectName,
      cause,
    });
  }
  if (raw.length !== rawLength)
    throw new LaganError('malformed', `a block of ${objectName} decompresses to ${raw.length} bytes, its header says ${rawLength}`, {
      object: objectName,
      expected: rawLength,
      found: raw.length,
    });
  return raw;
}

/** A byte more than expected is offered, so that a frame that is too long is noticed. */
function decompressZstd(payload: Uint8Array, rawLength: number, into: Uint8Array | undefined): Uint8Array {
  const output = into !== undefined && into.length > rawLength ? into.subarray(0, rawLength + 1) : new Uint8Array(rawLength + 1);
  const length = zstd().decompress(payload, output);
  if (length < 0) throw new RangeError('the data is longer than its header says');
  return output.subarray(0, length);
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
