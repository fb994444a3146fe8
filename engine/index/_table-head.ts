/** What stands at both ends of an index table: its contents, and its pack table. */
import {
  decodeIndexContents,
  decodePackRows,
  type IndexContents,
  type IndexSegments,
  indexSegments,
  limits,
  type PackRow,
  packRowLayout,
  segmentCount,
} from '../../repo-format/mod.ts';
import { openSegmentedObject, type SealingKeys, type SegmentedObject } from '../objects/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { readRun, runBufferSizeBytes } from './_segment-run.ts';

/** Segments of the pack table that are read by one request (2 MiB). */
const segmentsPerRequest = 32;

export interface TableHead {
  readonly object: SegmentedObject;
  readonly contents: IndexContents;
  readonly segments: IndexSegments;
}

/** Codes: those of a damaged object, and of the storage. */
export async function openHead(
  storage: Storage,
  { name, keys, signal }: { name: string; keys: SealingKeys } & CallOptions,
): Promise<TableHead> {
  const { object, contents: plaintext, contentsOffset } = await openSegmentedObject(storage, { name, kind: 'index-table', keys, signal });
  const contents = decodeIndexContents(plaintext, name, contentsOffset);
  return { object, contents, segments: indexSegments(contents) };
}

/** The pack table, up to 2,048 rows at a time, in order. */
export async function* readPackTable(
  storage: Storage,
  { object, segments: { packs } }: TableHead,
  { signal }: CallOptions = {},
): AsyncGenerator<PackRow[]> {
  const buffer = new Uint8Array(runBufferSizeBytes(packs, segmentsPerRequest));
  const total = segmentCount(packs);
  for (let first = 0; first < total; first += segmentsPerRequest) {
    const count = Math.min(segmentsPerRequest, total - first);
    const bytes = await readRun(storage, object, { run: packs, first, count, into: buffer, signal });
    const sizeBytes = limits.packRowsPerSegment * packRowLayout.sizeBytes;
    for (let at = 0; at < bytes.length; at += sizeBytes) yield decodePackRows(bytes.subarray(at, at + sizeBytes), object.name);
  }
}
