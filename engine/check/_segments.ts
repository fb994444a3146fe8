import { LaganError, sealedLayout } from '../../repo-format/mod.ts';
import { openSegmentOf, type SegmentedObject, type SegmentPlace } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { isDamage } from './_findings.ts';
import { checkLimits } from './_limits.ts';

/** A segment that is to be read: its number in the object and its place. */
export interface NumberedSegment {
  readonly number: number;
  readonly place: SegmentPlace;
}

/** A segment that was read: its plaintext, valid until the next is read, or what is wrong with it. */
export type ReadSegment =
  | { readonly segment: NumberedSegment; readonly plaintext: Uint8Array; readonly error: undefined }
  | { readonly segment: NumberedSegment; readonly plaintext: undefined; readonly error: LaganError };

/**
 * Reads segments that follow each other, several by one request into buffers that are used again; `ahead` requests are under way while what came is looked at. A segment that is damaged
 * does not stop the others.
 */
export class SegmentReader {
  readonly #storage: Storage;
  readonly #ahead: number;
  /** One for each request that may be under way, and one for what is looked at. */
  readonly #buffers: Uint8Array[];

  constructor(storage: Storage, { ahead = 0 }: { ahead?: number } = {}) {
    this.#storage = storage;
    this.#ahead = ahead;
    this.#buffers = Array.from({ length: ahead + 1 }, () => new Uint8Array(0));
  }

  async *read(object: SegmentedObject, segments: readonly NumberedSegment[], signal?: AbortSignal): AsyncGenerator<ReadSegment> {
    const windows = [...windowsOf(segments)];
    const underWay: Promise<Uint8Array | LaganError>[] = [];
    const begin = (number: number): void => {
      const window = windows[number];
      if (window === undefined) return;
      const reading = this.#readWindow(object, { start: window[0]!.place.offset, end: endOf(window.at(-1)!), buffer: number, signal });
      reading.catch(() => undefined); // Whoever comes to it is told.
      underWay.push(reading);
    };
    try {
      for (let number = 0; number < this.#ahead; number++) begin(number);
      for (const [number, window] of windows.entries()) {
        begin(number + this.#ahead);
        yield* this.#open(object, { window, stored: await underWay.shift()!, buffer: number, signal });
      }
    } finally {
      // Their buffers are used again.
      await Promise.allSettled(underWay);
    }
  }

  /** The length field that stands before a segment whose place is known from elsewhere. */
  async readLengthField(object: SegmentedObject, offset: number, signal?: AbortSignal): Promise<number> {
    const bytes = await this.#storage.get(object.name, { offset, length: sealedLayout.lengthFieldSizeBytes }, { signal });
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }

  async *#open(
    object: SegmentedObject,
    {
      window,
      stored,
      buffer,
      signal,
    }: { window: readonly NumberedSegment[]; stored: Uint8Array | LaganError; buffer: number; signal: AbortSignal | undefined },
  ): AsyncGenerator<ReadSegment> {
    const start = window[0]!.place.offset;
    for (const segment of window) {
      const { offset } = segment.place;
      yield stored instanceof LaganError
        ? await this.#readAlone(object, segment, { buffer, signal })
        : openOne(object, segment, stored.subarray(offset - start, endOf(segment) - start));
    }
  }

  async #readWindow(
    { name }: SegmentedObject,
    { start, end, buffer: number, signal }: { start: number; end: number; buffer: number; signal: AbortSignal | undefined },
  ): Promise<Uint8Array | LaganError> {
    const length = end - start;
    const turn = number % this.#buffers.length;
    if (this.#buffers[turn]!.length < length) this.#buffers[turn] = new Uint8Array(Math.max(length, checkLimits.windowSizeBytes));
    try {
      return await this.#storage.get(name, { offset: start, length }, { into: this.#buffers[turn]!, signal });
    } catch (error) {
      if (isDamage(error)) return error;
      throw error;
    }
  }

  /** A part of the window cannot be read: which one is found out segment by segment. */
  async #readAlone(
    object: SegmentedObject,
    segment: NumberedSegment,
    options: { buffer: number; signal: AbortSignal | undefined },
  ): Promise<ReadSegment> {
    const stored = await this.#readWindow(object, { start: segment.place.offset, end: endOf(segment), ...options });
    return stored instanceof LaganError ? { segment, plaintext: undefined, error: stored } : openOne(object, segment, stored);
  }
}

/** The plaintext takes the place of the ciphertext. */
function openOne(object: SegmentedObject, segment: NumberedSegment, stored: Uint8Array): ReadSegment {
  const { number, place } = segment;
  try {
    const into = stored.subarray(sealedLayout.lengthFieldSizeBytes);
    const plaintext = openSegmentOf(object, { number, offset: place.offset }, stored, into);
    return { segment, plaintext, error: undefined };
  } catch (error) {
    if (isDamage(error)) return { segment, plaintext: undefined, error };
    throw error;
  }
}

/** Offset after a segment. */
export function endOf({ place }: NumberedSegment): number {
  return place.offset + sealedLayout.lengthFieldSizeBytes + place.sealedLength;
}

function* windowsOf(segments: readonly NumberedSegment[]): Generator<readonly NumberedSegment[]> {
  let first = 0;
  for (let index = 0; index < segments.length; index++) {
    const isLast = index === segments.length - 1;
    if (!isLast && endOf(segments[index + 1]!) - segments[first]!.place.offset <= checkLimits.windowSizeBytes) continue;
    yield segments.slice(first, index + 1);
    first = index + 1;
  }
}
