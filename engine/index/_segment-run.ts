/** Segments that follow each other, read by one request into one buffer. */
import { type SegmentRun, sealedLayout, segmentAt, segmentCount } from '../../repo-format/mod.ts';
import { openSegmentOf, type SegmentedObject } from '../objects/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';

const { lengthFieldSizeBytes, tagSizeBytes } = sealedLayout;

/** How large a buffer must be for so many segments of the run, or for all if it has less. */
export function runBufferSizeBytes(run: SegmentRun, count: number): number {
  const items = Math.min(run.items, count * run.itemsPerSegment);
  return items * run.itemSizeBytes + Math.min(count, segmentCount(run)) * (lengthFieldSizeBytes + tagSizeBytes);
}

/**
 * Reads `count` segments from the one with the index `first` on. Returns their plaintexts without anything between them, at the beginning of `into`.
 * Codes: those of a damaged segment, and of the storage.
 */
export async function readRun(
  storage: Storage,
  object: SegmentedObject,
  { run, first, count, into, signal }: { run: SegmentRun; first: number; count: number; into: Uint8Array } & CallOptions,
): Promise<Uint8Array> {
  const start = segmentAt(run, first).place.offset;
  const length = runBufferSizeBytes({ ...run, items: run.items - first * run.itemsPerSegment }, count);
  const stored = await storage.get(object.name, { offset: start, length }, { into: into.subarray(0, length), signal });
  let sizeBytes = 0;
  for (let index = first; index < first + count; index++) {
    const { number, place } = segmentAt(run, index);
    const begin = place.offset - start;
    const end = begin + lengthFieldSizeBytes + place.sealedLength;
    const segment = stored.subarray(begin, end);
    const plaintext = openSegmentOf(object, { number, offset: place.offset }, segment, segment.subarray(lengthFieldSizeBytes));
    stored.copyWithin(sizeBytes, begin + lengthFieldSizeBytes, begin + lengthFieldSizeBytes + plaintext.length);
    sizeBytes += plaintext.length;
  }
  return stored.subarray(0, sizeBytes);
}
