/** How a large file is shared out: what one worker gets of it at once. */
import { type Descriptor, nextExtent } from '../system/mod.ts';
import type { Region } from './_file-chunker.ts';
import { ofSource } from './_source-errors.ts';

/** A stretch of data between two holes, or a hole. */
export interface Stretch {
  readonly kind: 'data' | 'hole';
  readonly start: number;
  readonly end: number;
}

/** Three numbers for each stretch: 0 (data) or 1 (hole), start, end. */
export type PackedStretches = Float64Array;

export type FilePart =
  /** Those chunks of a long stretch of data that begin in [from, to) of it. */
  | { readonly type: 'segment'; readonly region: Region; readonly from: number; readonly to: number }
  /** Whole stretches, one behind the other. */
  | { readonly type: 'stretches'; readonly stretches: PackedStretches };

/** The parts of a file in order. Throws SourceError where the system does not say where its data is. */
export function* partsOf(
  descriptor: Descriptor,
  { size, segmentSizeBytes, stretchesPerJob }: { size: number; segmentSizeBytes: number; stretchesPerJob: number },
): Generator<FilePart> {
  let gathered: number[] = [];
  let gatheredBytes = 0;
  const take = (): FilePart[] => {
    const stretches = Float64Array.from(gathered);
    gathered = [];
    gatheredBytes = 0;
    return stretches.length > 0 ? [{ type: 'stretches', stretches }] : [];
  };
  for (const { kind, start, end } of stretchesOf(descriptor, size)) {
    if (kind === 'data' && end - start > segmentSizeBytes) {
      yield* take();
      yield* segmentsOf({ start, end }, segmentSizeBytes);
      continue;
    }
    gathered.push(kind === 'data' ? 0 : 1, start, end);
    if (kind === 'data') gatheredBytes += end - start;
    if (gatheredBytes >= segmentSizeBytes || gathered.length >= 3 * stretchesPerJob) yield* take();
  }
  yield* take();
}

export function* unpackStretches(packed: PackedStretches): Generator<Stretch> {
  for (let at = 0; at < packed.length; at += 3)
    yield { kind: packed[at] === 0 ? 'data' : 'hole', start: packed[at + 1]!, end: packed[at + 2]! };
}

/** All of a file: data and holes in turn. */
export function* stretchesOf(descriptor: Descriptor, size: number): Generator<Stretch> {
  const extent = { kind: 'data' as 'data' | 'hole', start: 0, end: 0 };
  for (let offset = 0; ofSource(() => nextExtent(descriptor, { offset, size }, extent)); offset = extent.end) yield { ...extent };
}

function* segmentsOf(region: Region, sizeBytes: number): Generator<FilePart> {
  const size = region.end - region.start;
  for (let from = 0; from < size; from += sizeBytes) yield { type: 'segment', region, from, to: Math.min(size, from + sizeBytes) };
}
