/** Segments that all ways of making an index table have. */
import { limits, packRowLayout } from '../../repo-format/mod.ts';
import type { SegmentedObjectWriter } from '../objects/mod.ts';

export function appendPackRows(object: SegmentedObjectWriter, rows: Uint8Array): Promise<void> {
  return appendInPieces(object, rows, limits.packRowsPerSegment * packRowLayout.sizeBytes);
}

export function appendFilter(object: SegmentedObjectWriter, filter: Uint8Array): Promise<void> {
  return appendInPieces(object, filter, limits.filterSegmentSizeBytes);
}

async function appendInPieces(object: SegmentedObjectWriter, bytes: Uint8Array, pieceSizeBytes: number): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += pieceSizeBytes)
    await object.append([bytes.subarray(offset, offset + pieceSizeBytes)]);
}
