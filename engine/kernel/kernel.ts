// What a kernel does, and what its callers may rely on. The implementations are wasm-kernel.ts (fast) and plain/plain-kernel.ts (readable).

import type { Cutter } from './cutter.ts';
import type { CuttingParameters } from './cutting.ts';
import type { Lanes } from './lanes.ts';

/** What a kernel is made from. A key is 32 bytes and used for nothing else. */
export interface KernelOptions {
  /** Size of the data area in bytes, at most 1 GiB. */
  readonly dataSizeBytes: number;
  /** Key of the names of chunks of file content. */
  readonly nameKey: Uint8Array;
  /** Key of the names of chunks of metadata. */
  readonly metadataNameKey: Uint8Array;
  /** Key of the values that decide cuts. */
  readonly cutKey: Uint8Array;
  readonly cutting: CuttingParameters;
  /** The compiled kernel, from `compileKernel`; without it each thread compiles once. The plain kernel ignores it. */
  readonly module?: WebAssembly.Module;
  /** How many inputs are hashed side by side; without it `preferredLanes()`. The plain kernel ignores it. */
  readonly lanes?: Lanes;
}

/**
 * Naming, cutting, zero test and compressibility of bytes that the caller puts into `data`. All offsets are into `data`; a range that does not
 * lie in it is a RangeError. One thread uses a kernel; nothing in it is shared.
 */
export interface Kernel {
  /** The caller's bytes. The view stays valid as long as the kernel lives: the memory never grows. */
  readonly data: Uint8Array;
  /** Cuts one file at a time; see `Cutter`. */
  readonly cutter: Cutter;
  /** Writes keyed BLAKE3-256 of `length` bytes at `offset` to the 32 bytes at `target`. */
  name(offset: number, length: number, target: number): void;
  /** The same with the key for metadata. */
  metadataName(offset: number, length: number, target: number): void;
  /**
   * Names many inputs: `ranges` holds offset and length of each as pairs; name i goes to `target + 32 * i`. Faster than one by one, since the
   * inputs share the lanes: twice as fast for inputs of up to 1 KiB. The names must not be written over the inputs.
   */
  nameMany(ranges: Uint32Array, target: number): void;
  /** The same with the key for metadata. */
  metadataNameMany(ranges: Uint32Array, target: number): void;
  /** True if all bytes of the range are zero (also if it is empty). */
  isZero(offset: number, length: number): boolean;
  /** Estimate of compressibility: 0 (shrinks to almost nothing) to 255 (random). */
  probe(offset: number, length: number): number;
  /** True if compression would gain next to nothing: probe >= INCOMPRESSIBLE_FROM. */
  looksIncompressible(offset: number, length: number): boolean;
}

export const NAME_SIZE_BYTES = 32;
export const KEY_SIZE_BYTES = 32;
export const LARGEST_DATA_SIZE_BYTES = 2 ** 30;
/** Estimates of `probe` from here on mean: store as it is. */
export const INCOMPRESSIBLE_FROM = 245;

/** Throws a RangeError unless [offset, offset + length) lies in an area of `size` bytes. */
export function checkRange(offset: number, length: number, size: number): void {
  if (offset >>> 0 === offset && length >>> 0 === length && offset + length <= size) return;
  throw new RangeError(`the range of ${length} bytes at offset ${offset} does not lie in the ${size} bytes of data`);
}

/** Throws a TypeError or RangeError for options that no kernel can be made from. */
export function checkOptions(options: KernelOptions): void {
  const { dataSizeBytes, nameKey, metadataNameKey, cutKey } = options;
  if (!Number.isInteger(dataSizeBytes) || dataSizeBytes < 1 || dataSizeBytes > LARGEST_DATA_SIZE_BYTES) {
    throw new RangeError(`dataSizeBytes is ${dataSizeBytes}; it must be an integer from 1 to ${LARGEST_DATA_SIZE_BYTES}`);
  }
  for (const [name, key] of Object.entries({ nameKey, metadataNameKey, cutKey })) {
    if (!(key instanceof Uint8Array)) throw new TypeError(`${name} must be a Uint8Array`);
    if (key.length !== KEY_SIZE_BYTES) throw new RangeError(`${name} has ${key.length} bytes; it must have ${KEY_SIZE_BYTES}`);
  }
}
