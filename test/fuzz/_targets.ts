/** What is fuzzed: each decoder, with what it needs beside the bytes, and what must hold of it for any bytes. */
import { zstdCompressSync } from 'node:zlib';
import { compressSync as lz4CompressSync } from 'lz4-napi';
import { decompressPayload } from '../../engine/packs/compression.ts';
import * as format from '../../repo-format/mod.ts';
import type { ParsedVector } from '../../spec/vectors/_vector.ts';
import { canonicalContainers, encodedAgain } from '../repo-format/_encoders.ts';
import { decoders } from '../spec/_decoders.ts';
import { readVectorFiles } from '../spec/_vector-files.ts';

export interface FuzzTarget {
  /** The container, and the vector from which the other inputs are. */
  readonly name: string;
  readonly seed: Uint8Array;
  /** Throws if a property does not hold; a LaganError of a decoder is an answer. */
  readonly run: (bytes: Uint8Array) => void;
}

/** Not a decoder, or it costs an Argon2id. */
const leftOut = new Set(['chunk-name', 'cutting', 'key-encryption-key', 'derived-keys', 'object-id']);
/** A slot that does not open and a key that was mistyped have no place in the bytes. */
const withoutOffset = new Set<format.ErrorCode>(['wrong-key', 'malformed-key']);

export function fuzzTargets(): FuzzTarget[] {
  const vectors = readVectorFiles().filter(({ vector }) => !leftOut.has(vector.container));
  return [...vectors.map(({ path, vector }) => vectorTarget(path, vector)), ...codecTargets()];
}

function vectorTarget(path: string, { container, header, bytes: seed }: ParsedVector): FuzzTarget {
  const decode = decoders[container]!;
  const again = encodedAgain[container];
  return {
    name: path.replace('.txt', ''),
    seed,
    run: (bytes) => {
      const original = bytes.slice();
      if (!isAnswer(() => decode(bytes, header))) return;
      if (!format.equalBytes(bytes, original)) throw new Error('the decoder changed its input');
      if (again !== undefined) expectStable(bytes, (encoded) => again(encoded, header), canonicalContainers.has(container));
    },
  };
}

/** Decompression of a payload that claims some length: exactly that, or an error. */
function codecTargets(): FuzzTarget[] {
  const raw = new TextEncoder().encode('lagan, lagan and lagan again: tied to a buoy, so that its owner can find it again');
  const seeds = { zstd: zstdCompressSync(raw), lz4: lz4CompressSync(Buffer.from(raw)).subarray(4) };
  return (['zstd', 'lz4'] as const).map((codec) => ({
    name: `codec/${codec}`,
    seed: new Uint8Array(seeds[codec]),
    run: (bytes) => {
      isAnswer(() => {
        const { length } = decompressPayload(bytes, { codec, rawLength: raw.length, objectName: 'fuzz' });
        if (length !== raw.length) throw new Error(`${length} bytes of ${raw.length}`);
      }, true);
    },
  }));
}

/** True if it was decoded, false after a LaganError; every other error is a finding. */
function isAnswer(decode: () => unknown, isWithoutOffset = false): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (!(error instanceof format.LaganError)) throw new Error(`not a LaganError: ${error}`, { cause: error });
    if (error.offset === undefined && !isWithoutOffset && !withoutOffset.has(error.code)) throw new Error(`no offset in ${error}`);
    return false;
  }
}

/** What was decoded can be encoded; that gives the same bytes, or, where there are several encodings, bytes that come back as they are. */
function expectStable(bytes: Uint8Array, again: (bytes: Uint8Array) => Uint8Array, isCanonical: boolean): void {
  const encoded = again(bytes);
  if (isCanonical && !format.equalBytes(encoded, bytes)) throw new Error(`encoded to other bytes: ${format.toHex(encoded).slice(0, 200)}`);
  if (!isCanonical && !format.equalBytes(again(encoded), encoded)) throw new Error('encoded again to other bytes');
}
