/** Zstandard (RFC 8878) by the library inside of Node, straight from memory to memory: https://facebook.github.io/zstd/doc/api_manual_latest.html */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type FindFunction, findInProcess } from './_functions.ts';

/** Results are the length, or −1 if `output` has too little room. */
export interface Zstd {
  /** Levels are 1 to 19. */
  compress(input: Uint8Array, output: Uint8Array, level: number): number;
  /** One or more frames. Throws an Error where the input is none. */
  decompress(input: Uint8Array, output: Uint8Array): number;
}

/** `ZSTD_error_dstSize_tooSmall`, as functions return it. */
const tooSmall = -70;

/** Undefined where zstd's functions are not found, or do not agree with node:zlib. */
export function openZstd(find: FindFunction = findInProcess): Zstd | undefined {
  const newCompressor = find('ZSTD_createCCtx', 'int64_t');
  const newDecompressor = find('ZSTD_createDCtx', 'int64_t');
  const compressWith = find('ZSTD_compressCCtx', 'int64_t', 'int64_t', 'void *', 'int64_t', 'void *', 'int64_t', 'int');
  const decompressWith = find('ZSTD_decompressDCtx', 'int64_t', 'int64_t', 'void *', 'int64_t', 'void *', 'int64_t');
  if (!newCompressor || !newDecompressor || !compressWith || !decompressWith) return undefined;
  // Made when first used, kept as long as the thread: making one costs more than compressing a block.
  let [compressor, decompressor] = [0, 0];
  const zstd: Zstd = {
    compress(input, output, level) {
      if (compressor === 0) compressor = newCompressor();
      return lengthOf(compressWith(compressor, output, output.length, input, input.length, level));
    },
    decompress(input, output) {
      if (decompressor === 0) decompressor = newDecompressor();
      if (input.length === 0) throw new Error('no zstd frame');
      return lengthOf(decompressWith(decompressor, output, output.length, input, input.length));
    },
  };
  return agrees(zstd) ? zstd : undefined;
}

/** By node:zlib, which makes a compressor and a buffer for each call (docs/decisions/009-zstd.md). */
export const nodeZstd: Zstd = {
  compress(input, output, level) {
    const compressed = zstdCompressSync(input, { params: { [constants.ZSTD_c_compressionLevel]: level } });
    if (compressed.length > output.length) return -1;
    output.set(compressed);
    return compressed.length;
  },

  decompress(input, output) {
    try {
      const raw = zstdDecompressSync(input, { maxOutputLength: Math.max(1, output.length) });
      if (raw.length > output.length) return -1;
      output.set(raw);
      return raw.length;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return -1;
      throw error;
    }
  },
};

function lengthOf(result: number): number {
  if (result >= 0) return result;
  if (result === tooSmall) return -1;
  throw new Error(`zstd: error ${-result}`);
}

/** A sample goes in and comes out again, by each of both. */
function agrees(zstd: Zstd): boolean {
  const sample = Buffer.from('lagan lagan lagan: goods sunk at sea and tied to a buoy, so that their owner can find them again');
  const [compressed, raw] = [new Uint8Array(256), new Uint8Array(256)];
  try {
    const length = zstd.compress(sample, compressed, 1);
    if (!zstdDecompressSync(compressed.subarray(0, length)).equals(sample)) return false;
    const rawLength = zstd.decompress(compressed.subarray(0, length), raw);
    return sample.equals(raw.subarray(0, rawLength)) && zstd.compress(sample, compressed.subarray(0, 4), 1) === -1;
  } catch {
    return false;
  }
}
