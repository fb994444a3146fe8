import { readSync } from 'node:fs';
import { type Cutter, type Kernel, lookAheadBytes, smallestCutSizeBytes, warmUpBytes } from '../kernel/mod.ts';
import { type ChunkStore, blockStart } from './_chunk-store.ts';
import type { ExtentRecords } from './_extent-records.ts';
import { backupLimits } from './_limits.ts';

/** A stretch of a file that is cut as a file of its own: from one hole to the next. */
export interface Region {
  readonly start: number;
  readonly end: number;
}

/** Room for what is read ahead and not cut yet: less than three grids and the look-ahead. */
const pendingLimitBytes = 1024 * 1024;

/** Size of the kernel's data area that a chunker needs for blocks of that size. */
export function dataSizeBytes(blockSizeBytes: number): number {
  return blockStart + blockSizeBytes + pendingLimitBytes * 2 + backupLimits.readSizeBytes;
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
  #chunkAt = 0;
  #readAt = 0;
  /** Offset of the open chunk's first byte in the region. */
  #chunkOffset = 0;
  #firstExtent = 0;

  constructor({ kernel, store, extents, cutting }: { kernel: Kernel; store: ChunkStore; extents: ExtentRecords; cutting: { horizonBytes: number; gridBytes: number } }) {
    this.#store = store;
    this.#cutter = kernel.cutter;
    this.#extents = extents;
    this.#smallestCutSizeBytes = smallestCutSizeBytes(cutting);
    this.#warmUpBytes = warmUpBytes(cutting);
    this.#reachBytes = 3 * cutting.gridBytes + lookAheadBytes(cutting);
  }

  /** A new file begins: its extents are not joined with those of the one before. */
  beginFile(): void {
    this.#firstExtent = this.#extents.count;
  }

  addHole(length: number): void {
    this.#extents.addEmpty('hole', length, this.#firstExtent);
  }

  /**
   * Chunks one region of an opened file. Returns how many bytes of it were there: fewer than it has if the file became shorter, one more if `region.end` was
   * to be the end of the file and is not any more.
   */
  async addRegion(descriptor: number, region: Region, { isEnd }: { isEnd: boolean }): Promise<number> {
    if (this.#store.blockIsFull) await this.#store.closeBlock();
    const size = region.end - region.start;
    return size < this.#smallestCutSizeBytes ? this.#addWhole(descriptor, region, isEnd) : this.#addCut(descriptor, region, { from: 0, to: size, isEnd });
  }

  /** The same for those chunks of the region that begin in [from, to) of it: what one worker does of a large file. */
  async addSegment(descriptor: number, region: Region, { from, to }: { from: number; to: number }): Promise<number> {
    if (this.#store.blockIsFull) await this.#store.closeBlock();
    return this.#addCut(descriptor, region, { from, to, isEnd: to >= region.end - region.start });
  }

  /** A region that is too small to be cut: one chunk. Reading one byte more than expected tells with the same call whether the file has grown. */
  async #addWhole(descriptor: number, { start, end }: Region, isEnd: boolean): Promise<number> {
    const size = end - start;
    const at = this.#store.blockEnd;
    const length = this.#read(descriptor, at, { length: isEnd ? size + 1 : size, position: start });
    this.#chunkAt = at;
    this.#readAt = at + Math.min(length, size);
    if (length > 0) await this.#addChunk(Math.min(length, size));
    return length;
  }

  async #addCut(descriptor: number, { start, end }: Region, { from, to, isEnd }: { from: number; to: number; isEnd: boolean }): Promise<number> {
    const size = end - start;
    const begin = Math.max(0, from - this.#warmUpBytes);
    const stop = to >= size ? size : Math.min(size, to + this.#reachBytes);
    this.#cutter.begin(begin);
    this.#chunkAt = this.#readAt = this.#store.blockEnd;
    this.#chunkOffset = begin;
    let open = from === 0;
    let position = begin;
    while (position < stop) {
      const wanted = Math.min(backupLimits.readSizeBytes, stop - position);
      const length = this.#read(descriptor, this.#readAt, { length: wanted, position: start + position });
      if (length === 0) break;
      position += length;
      const cuts = this.#cutter.feed(this.#readAt, length);
      this.#readAt += length;
      for (const cut of cuts) {
        if (open && this.#chunkOffset >= to) return position;
        if (open) await this.#addChunk(cut - this.#chunkOffset);
        else if (cut >= from) open = true;
        if (this.#chunkOffset !== cut) this.#skipTo(cut);
      }
      if (open && this.#chunkOffset >= to) return position;
      this.#closeGap();
    }
    if (position < size && stop < size) return position;
    await this.#addRest(open, { from, to });
    return position === size && isEnd && this.#hasMore(descriptor, end) ? position + 1 : position;
  }

  /** The end of the region is reached: its last cuts and the last chunk. */
  async #addRest(open: boolean, { from, to }: { from: number; to: number }): Promise<void> {
    for (const cut of this.#cutter.finish()) {
      if (open && this.#chunkOffset >= to) return;
      if (open) await this.#addChunk(cut - this.#chunkOffset);
      else if (cut >= from) open = true;
      if (this.#chunkOffset !== cut) this.#skipTo(cut);
    }
    const rest = this.#readAt - this.#chunkAt;
    if (open && rest > 0 && this.#chunkOffset < to) await this.#addChunk(rest);
  }

  /** Adds the chunk of `length` bytes at `chunkAt`; closes the block when it is full and moves what is behind it. */
  async #addChunk(length: number): Promise<void> {
    const store = this.#store;
    if (store.isZero(this.#chunkAt, length)) this.#extents.addEmpty('zeros', length, this.#firstExtent);
    else {
      const added = store.add(this.#chunkAt, length);
      const ordinal = typeof added === 'number' ? added : await added;
      this.#extents.addData(length, { names: store.data, offset: store.nameOffset, ordinal });
    }
    this.#chunkAt += length;
    this.#chunkOffset += length;
    if (store.blockIsFull) {
      await store.closeBlock();
      this.#closeGap();
    }
  }

  #skipTo(cut: number): void {
    this.#chunkAt += cut - this.#chunkOffset;
    this.#chunkOffset = cut;
  }

  /** Moves the bytes that are not cut yet to the end of the block. */
  #closeGap(): void {
    const target = this.#store.blockEnd;
    if (this.#chunkAt === target) return;
    if (this.#readAt > this.#chunkAt) this.#store.data.copyWithin(target, this.#chunkAt, this.#readAt);
    this.#readAt -= this.#chunkAt - target;
    this.#chunkAt = target;
  }

  #hasMore(descriptor: number, position: number): boolean {
    return this.#read(descriptor, this.#store.blockEnd, { length: 1, position }) === 1;
  }

  /** Reads until `length` bytes are there or the file ends. */
  #read(descriptor: number, at: number, { length, position }: { length: number; position: number }): number {
    let done = 0;
    while (done < length) {
      const count = readSync(descriptor, this.#store.data, at + done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }
}
