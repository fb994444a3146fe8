/** Holes: where a sparse file has data, and how to make holes in a restored one. */

import { failure, libc } from './_libc.ts';
import type { Descriptor } from './descriptors.ts';
import { errnoOf, systemError } from './errno.ts';

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;

/** A stretch [start, end) of a file. */
export interface FileExtent {
  kind: 'data' | 'hole';
  start: number;
  end: number;
}

/** Start of the first data at or behind `offset`, or −errno: −ENXIO if there is none. Moves the file position. */
export function tryNextData(descriptor: Descriptor, offset: number): number {
  const result = libc.lseek(descriptor, offset, SEEK_DATA);
  return result < 0 ? failure() : result;
}

/** Start of the first hole at or behind `offset` (the end of the file counts as one), or −errno. Moves the file position. */
export function tryNextHole(descriptor: Descriptor, offset: number): number {
  const result = libc.lseek(descriptor, offset, SEEK_HOLE);
  return result < 0 ? failure() : result;
}

/**
 * The stretch of data or hole that begins at `offset` in a file of `size` bytes; false at or behind `size`. Stretches end at `size` at the latest.
 * A file system that knows nothing of holes has one stretch of data. Moves the file position: read with positions.
 */
export function nextExtent(descriptor: Descriptor, range: { offset: number; size: number }, extent: FileExtent): boolean {
  const { offset, size } = range;
  if (offset >= size) return false;
  extent.start = offset;
  const data = tryNextData(descriptor, offset);
  if (data > offset || data === -errnoOf.ENXIO) {
    extent.kind = 'hole';
    extent.end = data < 0 ? size : Math.min(data, size);
    return true;
  }
  if (data < 0 && data !== -errnoOf.EINVAL && data !== -errnoOf.EOPNOTSUPP) throw systemError(data, 'look for data in a file');
  const hole = data < 0 ? size : tryNextHole(descriptor, offset);
  extent.kind = 'data';
  extent.end = hole <= offset ? size : Math.min(hole, size);
  return true;
}

/** Makes a hole in a file; 'unsupported' where the file system cannot, and then zeros have to be written. */
export function punchHole(descriptor: Descriptor, hole: { offset: number; length: number }): 'punched' | 'unsupported' {
  if (hole.length === 0) return 'punched';
  if (libc.fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hole.offset, hole.length) === 0) return 'punched';
  const error = failure();
  if (error === -errnoOf.EOPNOTSUPP || error === -errnoOf.ENOSYS) return 'unsupported';
  throw systemError(error, 'make a hole in a file');
}

/** Reserves room for a file of `size` bytes without changing its size, where the file system can. No room: LaganError `no-space`. */
export function reserve(descriptor: Descriptor, size: number): void {
  if (size === 0 || libc.fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, size) === 0) return;
  const error = failure();
  if (error === -errnoOf.ENOSPC || error === -errnoOf.EDQUOT) throw systemError(error, `reserve ${size} bytes`);
}
