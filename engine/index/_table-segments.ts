/** Segments that all ways of making an index table have. */
import { encodePackRows, limits, type PackRow } from '../../repo-format/mod.ts';
import type { SegmentedObjectWriter, SegmentPlace } from '../objects/mod.ts';

export async function appendPackRows(object: SegmentedObjectWriter, packs: readonly PackRow[]): Promise<SegmentPlace[]> {
  const places: SegmentPlace[] = [];
  for (let first = 0; first < packs.length; first += limits.packRowsPerSegment)
    places.push(await object.append([encodePackRows(packs.slice(first, first + limits.packRowsPerSegment))]));
  return places;
}

export async function appendFilter(object: SegmentedObjectWriter, filter: Uint8Array): Promise<SegmentPlace[]> {
  const places: SegmentPlace[] = [];
  for (let offset = 0; offset < filter.length; offset += limits.filterSegmentSizeBytes)
    places.push(await object.append([filter.subarray(offset, offset + limits.filterSegmentSizeBytes)]));
  return places;
}
