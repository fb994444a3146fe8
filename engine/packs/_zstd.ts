/**
 * Zstandard into buffers of our own. Node's public calls make a compressor and a buffer for each block, which only a full garbage collection frees again: a fifth of
 * the time, and a hundred megabytes (docs/decisions/009-zstd.md). So one compressor is kept and its handle is used directly, if this Node has the handle as we know
 * it (a sample is compressed and compared at the first use); otherwise the public calls do the same work.
 */
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** The part of a zlib stream's handle that is used. `writeState` receives [room left in the output, input left]. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  reset(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

const sample = Buffer.from('lagan lagan lagan: goods sunk at sea and tied to a buoy, so that their owner can find them again');
let handlesWork: boolean | undefined;

/** Compresses blocks one after another, at one level. */
export class ZstdCompressor {
  readonly #level: number;
  readonly #transform: Transform | undefined;

  constructor(level: number) {
    this.#level = level;
    if (canUseHandles()) this.#transform = openCompressor(level);
  }

  /** Compresses `input` into `output`; returns the length, or -1 if it does not fit. */
  compress(input: Uint8Array, output: Uint8Array): number {
    if (this.#transform !== undefined) return this.#transform.run(input, output);
    const compressed = zstdCompressSync(input, { params: { [constants.ZSTD_c_compressionLevel]: this.#level } });
    if (compressed.length > output.length) return -1;
    output.set(compressed);
    return compressed.length;
  }
}

/** Decompresses blocks one after another. */
export class ZstdDecompressor {
  readonly #transform: Transform | undefined = canUseHandles() ? openDecompressor() : undefined;

  /** Decompresses one frame into `output`; returns the length, or -1 if it does not fit. Throws an Error where the input is not a valid frame. */
  decompress(input: Uint8Array, output: Uint8Array): number {
    if (this.#transform !== undefined) return this.#transform.run(input, output);
    const raw = decompressByPublicCall(input, Math.max(64, output.length));
    if (raw === undefined || raw.length > output.length) return -1;
    output.set(raw);
    return raw.length;
  }
}

/** Undefined if there is more than `limitBytes`. */
function decompressByPublicCall(input: Uint8Array, limitBytes: number): Uint8Array | undefined {
  try {
    return zstdDecompressSync(input, { maxOutputLength: limitBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined;
    throw error;
  }
}

/** A stream's handle with the numbers that it reports to. */
class Transform {
  readonly #handle: Handle;
  readonly #state: Uint32Array;
  /** Keeps the handle alive. */
  readonly stream: unknown;
  #failure: string | undefined;

  constructor(stream: unknown) {
    const { _handle, _writeState } = stream as { _handle: Handle; _writeState: Uint32Array };
    this.stream = stream;
    this.#handle = _handle;
    this.#state = _writeState;
    this.#handle.onerror = (message) => {
      this.#failure = message;
    };
  }

  run(input: Uint8Array, output: Uint8Array): number {
    this.#failure = undefined;
    this.#handle.writeSync(constants.ZSTD_e_end, input, 0, input.length, output, 0, output.length);
    const [roomLeft, inputLeft] = this.#state as unknown as [number, number];
    this.#handle.reset();
    if (this.#failure !== undefined) throw new Error(this.#failure);
    return roomLeft === 0 || inputLeft > 0 ? -1 : output.length - roomLeft;
  }
}

function openCompressor(level: number): Transform {
  return new Transform(createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level } }));
}

function openDecompressor(): Transform {
  return new Transform(createZstdDecompress());
}

/** Tried once: a sample must go in and come out again by the handles, and the public calls must agree. */
function canUseHandles(): boolean {
  handlesWork ??= tryHandles();
  return handlesWork;
}

function tryHandles(): boolean {
  try {
    const [compressed, raw] = [Buffer.alloc(256), Buffer.alloc(256)];
    const length = openCompressor(1).run(sample, compressed);
    if (!zstdDecompressSync(compressed.subarray(0, length)).equals(sample)) return false;
    return openDecompressor().run(compressed.subarray(0, length), raw) === sample.length && raw.subarray(0, sample.length).equals(sample);
  } catch {
    return false;
  }
}
