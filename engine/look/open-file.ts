import { type Entry, type FileEntry, LaganError, type PackId } from '../../repo-format/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import type { PlacedExtent } from '../trees/mod.ts';
import { lookLimits } from './_limits.ts';
import { textOfPath } from './_paths.ts';
import { type DataExtent, fetchAhead } from './_prefetch.ts';
import { type Reading, readingOf } from './_reading.ts';
import { Breather } from './interruption.ts';

export interface StreamOptions {
  /** Offset of the first byte; default: 0. */
  readonly start?: number | undefined;
  /** Offset after the last byte; default, and at most: the file's size. */
  readonly end?: number | undefined;
}

/** A part of a file: bytes that were stored, or a hole. */
export interface FileStretch {
  readonly kind: 'data' | 'hole';
  readonly start: number;
  readonly end: number;
}

/** The content of a file in a snapshot, by offset. */
export interface OpenedFile {
  /** As the file's entry says. */
  readonly size: number;
  /** Why the content is not all of the file, if it is not: what could be read when it was backed up ends before `size`. */
  readonly readError: { readonly code: string; readonly message: string } | undefined;
  /** `length` bytes from `offset` on; fewer where the content ends. The bytes are the caller's. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The content in order, in pieces of up to about 1 MiB, holes as zeros. The pieces are shared: they must not be changed. */
  stream(options?: StreamOptions): AsyncIterable<Uint8Array>;
  /** Data and holes in turn, in order. The last ends where the content does. No data is read for it. */
  stretches(): AsyncIterable<FileStretch>;
}

/**
 * Opens a file of a snapshot; nothing is read before it is asked for. Every byte that is handed out was verified: its chunk has the name
 * that the snapshot holds, a keyed hash of the content.
 *
 * Codes of reading: no-key (the key grants metadata only), pack-missing, chunk-missing, name-mismatch, malformed, authentication-failed, interrupted.
 * An entry that is no file is a TypeError.
 */
export function openFile(repository: Repository, entry: Entry, { signal }: CallOptions = {}): OpenedFile {
  if (entry.type !== 'file') throw new TypeError(`entry: ${textOfPath(entry.name)} is a ${entry.type}, not a file`);
  return new SnapshotFile(repository, entry, signal);
}

class SnapshotFile implements OpenedFile {
  readonly #reading: Reading;
  readonly #entry: FileEntry;
  readonly #signal: AbortSignal | undefined;

  constructor(repository: Repository, entry: FileEntry, signal: AbortSignal | undefined) {
    this.#reading = readingOf(repository);
    this.#entry = entry;
    this.#signal = signal;
  }

  get size(): number {
    return this.#entry.size;
  }

  get readError(): OpenedFile['readError'] {
    return this.#entry.extensions.readError;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    checkNumber('offset', offset, Number.MAX_SAFE_INTEGER);
    checkNumber('length', length, lookLimits.readSizeBytes);
    const target = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    let filled = 0;
    for await (const piece of this.stream({ start: offset, end: offset + target.length })) {
      target.set(piece, filled);
      filled += piece.length;
    }
    return target.subarray(0, filled);
  }

  async *stream({ start = 0, end = this.size }: StreamOptions = {}): AsyncGenerator<Uint8Array> {
    checkNumber('start', start, Number.MAX_SAFE_INTEGER);
    checkNumber('end', end, Number.MAX_SAFE_INTEGER);
    const range = { start, end: Math.min(end, this.size) };
    let held: Uint8Array | undefined;
    for await (const piece of this.#pieces(range)) {
      const joined: Uint8Array | undefined = held === undefined ? piece : joinAdjacent(held, piece);
      if (joined === undefined) yield held!;
      held = joined ?? piece;
    }
    if (held !== undefined) yield held;
  }

  async *stretches(): AsyncGenerator<FileStretch> {
    const breather = new Breather(this.#signal);
    let held: FileStretch | undefined;
    for await (const leaf of this.#reading.trees.extents(this.#entry.content)) {
      await breather.breathe();
      for (const { kind: extentKind, start, length } of leaf) {
        const kind = extentKind === 'hole' ? 'hole' : 'data';
        if (held !== undefined && held.kind !== kind) yield held;
        held = { kind, start: held?.kind === kind ? held.start : start, end: start + length };
      }
    }
    if (held !== undefined) yield held;
  }

  /** The range, a chunk or a piece of a hole at a time. */
  async *#pieces({ start, end }: { start: number; end: number }): AsyncGenerator<Uint8Array> {
    const breather = new Breather(this.#signal);
    let position = start;
    if (start < end) {
      const extents = endingBefore(this.#reading.trees.extents(this.#entry.content, start), end);
      for await (const { extent, bytes } of fetchAhead(this.#reading.packs, extents)) {
        await breather.breathe();
        const [from, to] = [Math.max(start, extent.start) - extent.start, Math.min(end - extent.start, extent.length)];
        if (bytes === undefined) yield* zeros(to - from);
        else yield this.#verified(await bytes, extent as DataExtent).subarray(from, to);
        position = extent.start + to;
      }
    }
    if (position < end && this.readError === undefined) throw this.#endsEarly(position);
  }

  #verified(chunk: Uint8Array, { name, pack, length }: DataExtent): Uint8Array {
    if (chunk.length !== length) throw wrongLength(pack, { expected: length, found: chunk.length });
    this.#reading.verify(chunk, name, pack);
    return chunk;
  }

  #endsEarly(position: number): LaganError {
    const name = textOfPath(this.#entry.name);
    return new LaganError('malformed', `the content of ${name} ends at byte ${position}, the file has ${this.size}`, {
      object: name,
      offset: position,
      expected: this.size,
      found: position,
    });
  }
}

async function* endingBefore(leaves: AsyncIterable<readonly PlacedExtent[]>, end: number): AsyncGenerator<readonly PlacedExtent[]> {
  for await (const leaf of leaves) {
    const last = leaf.at(-1);
    if (last !== undefined && last.start + last.length < end) yield leaf;
    else return yield leaf.filter(({ start }) => start < end);
  }
}

/** Of two pieces that stand side by side in one block, one. */
function joinAdjacent(first: Uint8Array, second: Uint8Array): Uint8Array | undefined {
  if (first.buffer !== second.buffer || first.byteOffset + first.length !== second.byteOffset) return undefined;
  return new Uint8Array(first.buffer, first.byteOffset, first.length + second.length);
}

function* zeros(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= lookLimits.zerosSizeBytes) yield new Uint8Array(Math.min(left, lookLimits.zerosSizeBytes));
}

function checkNumber(what: string, value: number, limit: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= limit) return;
  throw new RangeError(`${what}: ${value} is not a number of bytes from 0 to ${limit}`);
}

function wrongLength(pack: PackId, { expected, found }: { expected: number; found: number }): LaganError {
  return new LaganError('malformed', `a chunk in pack ${pack} has ${found} bytes, the file's content says ${expected}`, {
    expected,
    found,
  });
}
