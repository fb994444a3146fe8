/**
 * The memory through which this thread talks to the C library.
 *
 * One block that never moves, cut into fixed regions whose addresses are numbers computed once. A region holds something only from the
 * moment when a function of this folder fills it until the call returns: nothing survives from one exported function to the next.
 */

import { addressOf } from './_libc.ts';
import { errnoOf } from './errno.ts';

/** Longest path that the kernel takes in one call, with its NUL. */
export const pathMaxBytes = 4096;
/** XATTR_SIZE_MAX and XATTR_LIST_MAX. */
export const attributeMaxBytes = 65_536;
export const directoryBufferBytes = 131_072;

const sizes = {
  first: 8192,
  second: 8192,
  status: 256,
  small: 256,
  entry: 256,
  list: attributeMaxBytes,
  value: attributeMaxBytes,
  directory: directoryBufferBytes,
};
type Region = keyof typeof sizes;

const offsets = layOut();
const memory = new ArrayBuffer(offsets.end);
const base = addressOf(memory);

export const bytes: Uint8Array = new Uint8Array(memory);
export const words: Uint32Array = new Uint32Array(memory);
export const signedWords: Int32Array = new Int32Array(memory);
export const view: DataView = new DataView(memory);

/** Offset of a region in {@link bytes}. */
export const at: Readonly<Record<Region, number>> = offsets;
/** Address of a region, for the C library. */
export const address: Readonly<Record<Region, number>> = Object.fromEntries(
  Object.keys(sizes).map((region) => [region, base + offsets[region as Region]]),
) as Record<Region, number>;

/** The address behind which a C structure points into the scratch memory, as an offset in {@link bytes}; −1 if it points elsewhere. */
export function offsetOfAddress(pointer: number): number {
  const offset = pointer - base;
  return offset >= 0 && offset < offsets.end ? offset : -1;
}

/**
 * Puts one path component and its NUL into a region. Returns its address, or −EINVAL for what is no component: empty, `.`, `..`, with a
 * `/` or a NUL in it. Whoever calls with names from a repository is safe by this.
 */
export function putName(region: 'first' | 'second', source: Uint8Array, start = 0, end: number = source.length): number {
  const length = end - start;
  if (length === 0) return -errnoOf.EINVAL;
  if (length > 255) return -errnoOf.ENAMETOOLONG;
  const offset = offsets[region];
  for (let index = 0; index < length; index++) {
    const byte = source[start + index]!;
    if (byte === 0 || byte === 0x2f) return -errnoOf.EINVAL;
    bytes[offset + index] = byte;
  }
  bytes[offset + length] = 0;
  if (length <= 2 && bytes[offset] === 0x2e && (length === 1 || bytes[offset + 1] === 0x2e)) return -errnoOf.EINVAL;
  return base + offset;
}

/** Puts a path, a link's target or an attribute's name and its NUL into a region. Returns its address, −EINVAL for a NUL in it, −ENAMETOOLONG. */
export function putText(region: 'first' | 'second', source: Uint8Array, start = 0, end: number = source.length): number {
  const length = end - start;
  if (length >= pathMaxBytes) return -errnoOf.ENAMETOOLONG;
  const offset = offsets[region];
  for (let index = 0; index < length; index++) {
    const byte = source[start + index]!;
    if (byte === 0) return -errnoOf.EINVAL;
    bytes[offset + index] = byte;
  }
  bytes[offset + length] = 0;
  return base + offset;
}

/** Puts `/proc/self/fd/<descriptor>` into a region, with `/<name>` if there is one. */
export function putDescriptorPath(region: 'first' | 'second', descriptor: number, name?: Uint8Array): number {
  const text = `/proc/self/fd/${descriptor}`;
  const offset = offsets[region];
  for (let index = 0; index < text.length; index++) bytes[offset + index] = text.charCodeAt(index);
  let end = offset + text.length;
  if (name !== undefined) {
    bytes[end++] = 0x2f;
    bytes.set(name, end);
    end += name.length;
  }
  bytes[end] = 0;
  return base + offset;
}

/** A copy of a part of a region. */
export function copyOut(region: Region, length: number): Uint8Array {
  return bytes.slice(offsets[region], offsets[region] + length);
}

function layOut(): Record<Region | 'end', number> {
  let end = 0;
  const result: Record<string, number> = {};
  for (const [region, size] of Object.entries(sizes)) {
    result[region] = end;
    end += size;
  }
  return { ...result, end } as Record<Region | 'end', number>;
}
