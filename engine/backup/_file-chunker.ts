import { readSync } from 'node:fs';
import { LaganError } from '../../repo-format/mod.ts';
import { type Cutter, type CuttingParameters, type Kernel, lookAheadBytes, smallestCutSizeBytes, warmUpBytes } from '../kernel/mod.ts';
import { blockStart, type ChunkStore, namesAtOnce } from './_chunk-store.ts';
import type { ExtentRecords } from './_extent-records.ts';
import { backupLimits } from './_limits.ts';
import { ofSource } from './_source-errors.ts';

/** A stretch of a file that is cut as a file of its own: from one hole to the next. */
export interface Region {
  readonly start: number;
  readonly end: number;
}

/** A chunk in the kernel's data area. */
interface ChunkRange {
  readonly offset: number;
  readonly length: number;
}

/** Size of the kernel's data area that a chunker needs: the block and the chunk that fills it, what is read and not cut yet, what is read next. */
export function dataSizeBytes(blockSizeBytes: number, cutting: CuttingParameters): number {
  const chunkBytes = 3 * cutting.gridBytes;
  const pendingBytes = warmUpBytes(cutting) + chunkBytes + lookAheadBytes(cutting);
  return blockStart + blockSizeBytes + chunkBytes + Math.max(pendingBytes, backupLimits.readSizeBytes) + backupLimits.readSizeBytes;
}

/**
 * Reads files into the open block of a {@link ChunkStore}, has them cut there and adds the chunks. Positions:
 * `[blockEnd … chunkAt)` a gap left by chunks that the repository had, `[chunkAt … readAt)` bytes that are read and not cut yet.
 */
export class FileChunker {
  readonly #store: ChunkStore;
  readonly #cutter: Cutter;
  readonly #extents: ExtentRecords;
  readonly #smallestCutSizeBytes: number;
  readonly #warmUpBytes: number;
  /** From a chunk's first byte to where its end is certain. */
  readonly #reachBytes: number;
  readonly #isStopping: () => boolean;
  #chunkAt = 0;
  #readAt = 0;
  /** Offset of the open chunk's first byte in the region. */
  #chunkOffset = 0;
  /** The first chunk of the segment has begun. */
  #open = false;
  #segmentStart = 0;
  /** Whole regions that are read and not named yet: small ones are named together. */
  #waiting: ChunkRange[] = [];
  /** Extents before this one belong to earlier files. */
  #firstExtent = 0;

  constructor({
    kernel,
    store,
    extents,
    cutting,
    isStopping,
  }: { kernel: Kernel; store: ChunkStore; extents: ExtentRecords; cutting: CuttingParameters; isStopping: () => boolean }) {
    this.#store = store;
    this.#cutter = kernel.cutter;
    this.#extents = extents;
    this.#isStopping = isStopping;
    this.#smallestCutSizeBytes = smallestCutSizeBytes(cutting);
    this.#warmUpBytes = warmUpBytes(cutting);
    this.#reachBytes = 3 * cutting.gridBytes + lookAheadBytes(cutting);
  }

  /** Extents of the job so far, those of waiting regions included. */
  get extentCount(): number {
    return this.#extents.count + this.#waiting.length;
  }

  async addHole(length: number): Promise<void> {
    await this.settle();
    this.#extents.addEmpty('hole', length, this.#firstExtent);
  }

  /** Offset in its region of the first chunk of the segment that was added last. */
  get segmentStart(): number {
    return this.#segmentStart;
  }

  /** Chunks one region of an opened file. Returns how many bytes of it were there: fewer than it has if the file became shorter. */
  async addRegion(descriptor: number, region: Region): Promise<number> {
    const size = region.end - region.start;
    if (size < this.#smallestCutSizeBytes) return this.#addWhole(descriptor, region);
    await this.settle();
    return this.#addCut(descriptor, region, { from: 0, to: size });
  }

  /**
   * Chunks of the region what begins in [from, to) of it: one worker's part of a large file. Returns the offset in the region up to which it was read. If the file
   * changes between the readings of two segments, their chunks may overlap or leave a gap: {@link segmentStart} tells.
   */
  async addSegment(descriptor: number, region: Region, { from, to }: { from: number; to: number }): Promise<number> {
    await this.settle();
    return this.#addCut(descriptor, region, { from, to });
  }

  /** Names and adds the small regions that wait. To be called at the end of a job. */
  async settle(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length > 0) await this.#addChunks(waiting, true);
    this.#firstExtent = this.#extents.count;
  }

  /** A region that is too small to be cut: one chunk. */
  #addWhole(descriptor: number, { start, end }: Region): number | Promise<number> {
    const size = end - start;
    const last = this.#waiting.at(-1);
    const offset = last === undefined ? this.#store.blockEnd : last.offset + last.length;
    const length = this.#read(descriptor, offset, { length: size, position: start });
    if (length > 0) this.#waiting.push({ offset, length });
    const isEnough = this.#waiting.length >= namesAtOnce / 2 || offset - this.#store.blockEnd >= backupLimits.readSizeBytes;
    return isEnough ? this.settle().then(() => length) : length;
  }

  async #addCut(descriptor: number, { start, end }: Region, { from, to }: { from: number; to: number }): Promise<number> {
    if (this.#store.blockIsFull) await this.#store.closeBlock();
    const size = end - start;
    const begin = Math.max(0, from - this.#warmUpBytes);
    const stop = to >= size ? size : Math.min(size, to + this.#reachBytes);
    this.#cutter.begin(begin);
    this.#chunkAt = this.#readAt = this.#store.blockEnd;
    this.#chunkOffset = begin;
    this.#open = from === 0;
    this.#segmentStart = from;
    let position = begin;
    while (position < stop) {
      const length = this.#read(descriptor, this.#readAt, {
        length: Math.min(backupLimits.readSizeBytes, stop - position),
        position: start + position,
      });
      if (length === 0) break;
      position += length;
      const cuts = this.#cutter.feed(this.#readAt, length);
      this.#readAt += length;
      await this.#addChunks(this.#chunksUpTo(cuts, { from, to }));
      this.#closeGap();
      if (this.#open && this.#chunkOffset >= to) return position;
    }
    if (position < size && stop < size) return position;
    await this.#addChunks(this.#chunksUpTo([...this.#cutter.finish(), position], { from, to }));
    return position;
  }

  /** The chunks that end at these cuts and begin in [from, to); the first cut at or behind `from` opens the first chunk. */
  #chunksUpTo(cuts: readonly number[], { from, to }: { from: number; to: number }): ChunkRange[] {
    const chunks: ChunkRange[] = [];
    for (const cut of cuts) {
      if (this.#open && this.#chunkOffset >= to) break;
      const length = cut - this.#chunkOffset;
      if (this.#open && length > 0) chunks.push({ offset: this.#chunkAt, length });
      if (!this.#open && cut >= from) {
        this.#open = true;
        this.#segmentStart = cut;
      }
      this.#chunkAt += length;
      this.#chunkOffset = cut;
    }
    return chunks;
  }

  /** Adds chunks in order, closing blocks as they fill. `ofManyFiles`: zeros of neighbours are not joined. */
  async #addChunks(chunks: readonly ChunkRange[], ofManyFiles = false): Promise<void> {
    const store = this.#store;
    for (let first = 0; first < chunks.length; first += namesAtOnce) {
      const some = chunks.slice(first, first + namesAtOnce);
      store.nameAll(Uint32Array.from(some.flatMap(({ offset, length }) => [offset, length])));
      for (const [index, { offset, length }] of some.entries()) {
        if (store.blockIsFull) await store.closeBlock();
        if (store.isZero(offset, length)) this.#extents.addEmpty('zeros', length, ofManyFiles ? this.#extents.count : this.#firstExtent);
        else {
          const added = store.add(index, offset, length);
          const ordinal = typeof added === 'number' ? added : await added;
          this.#extents.addData(length, { names: store.data, offset: store.nameOffset(index), ordinal });
        }
      }
    }
  }

  /** Moves the bytes that are not cut yet to the end of the block. */
  #closeGap(): void {
    const target = this.#store.blockEnd;
    if (this.#chunkAt === target) return;
    if (this.#readAt > this.#chunkAt) this.#store.data.copyWithin(target, this.#chunkAt, this.#readAt);
    this.#readAt -= this.#chunkAt - target;
    this.#chunkAt = target;
  }

  /** Reads until `length` bytes are there or the file ends. */
  #read(descriptor: number, at: number, { length, position }: { length: number; position: number }): number {
    if (this.#isStopping()) throw new LaganError('interrupted', 'the backup ends');
    let done = 0;
    while (done < length) {
      const count = ofSource(() => readSync(descriptor, this.#store.data, at + done, length - done, position + done));
      if (count === 0) break;
      done += count;
    }
    return done;
  }
}
