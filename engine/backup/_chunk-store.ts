import { setImmediate } from 'node:timers/promises';
import { claimed, type Deduplicator, notFound, type PackTable, tableFull, unresolved } from '../index/mod.ts';
import type { Kernel } from '../kernel/mod.ts';
import { type SealingKeys, wrongBytes } from '../objects/mod.ts';
import { BlockCompressor, type Compression, type EncodedBlock, PackWriter, type StoredPack } from '../packs/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { backupLimits } from './_limits.ts';

const nameSizeBytes = 32;

/** Counts since the last {@link ChunkStore.takeCounts}. */
export interface ChunkCounts {
  chunks: number;
  newChunks: number;
  newBytes: number;
}

/** A pack that is on its way into the store. */
interface Storing {
  readonly writer: PackWriter;
  readonly stored: Promise<void>;
}

/**
 * Names chunks, drops those that the repository has, and gathers the others into blocks and packs, for one worker.
 *
 * Bytes are not copied on their way: files are read to where the open block ends ({@link blockEnd}), and a chunk that is new becomes part of the
 * block where it lies. Behind the block in the kernel's data area is what was read and is not cut yet.
 *
 * Before a block goes to the store it is verified: opened and decompressed again, compared, and its chunks named anew. By default one block in eight, the first of each thread among
 * them: that notices a codec, a cipher or a memory that is broken, for less than a twentieth of the work (docs/performance.md); or all.
 *
 * While full packs are stored, as many as `packsAhead`, the next one is filled: a store that is far away would otherwise have nothing to do while we compute, and the other way round.
 */
export class ChunkStore {
  readonly data: Uint8Array;
  readonly #kernel: Kernel;
  readonly #deduplicator: Deduplicator;
  readonly #packs: PackTable;
  readonly #storage: Storage;
  readonly #keys: SealingKeys;
  readonly #compressor: BlockCompressor;
  readonly #blockSizeBytes: number;
  readonly #packSizeBytes: number;
  readonly #dryRun: boolean;
  readonly #packsAhead: number;
  readonly #verifiedShare: number;
  readonly #onPack: (pack: StoredPack) => void;
  readonly #chunkLengths = new Uint32Array(backupLimits.chunksPerBlock);
  readonly #ranges = new Uint32Array(2 * namesAtOnce);
  #chunksInBlock = 0;
  #blockEnd = blockStart;
  #blocks = 0;
  #writer: PackWriter;
  #ordinal: number;
  /** The oldest first; one that failed stays. */
  readonly #storing = new Set<Storing>();
  #counts: ChunkCounts = { chunks: 0, newChunks: 0, newBytes: 0 };

  constructor(parts: {
    kernel: Kernel;
    deduplicator: Deduplicator;
    packs: PackTable;
    storage: Storage;
    keys: SealingKeys;
    compression: Compression;
    blockSizeBytes: number;
    packSizeBytes: number;
    dryRun: boolean;
    packsAhead: number;
    verifyAll: boolean;
    onPack: (pack: StoredPack) => void;
  }) {
    this.#kernel = parts.kernel;
    this.data = parts.kernel.data;
    this.#deduplicator = parts.deduplicator;
    this.#packs = parts.packs;
    this.#storage = parts.storage;
    this.#keys = parts.keys;
    this.#compressor = new BlockCompressor(parts.compression);
    this.#blockSizeBytes = parts.blockSizeBytes;
    this.#packSizeBytes = parts.packSizeBytes;
    this.#dryRun = parts.dryRun;
    this.#packsAhead = parts.packsAhead;
    this.#verifiedShare = parts.verifyAll ? 1 : backupLimits.verifiedShare;
    this.#onPack = parts.onPack;
    this.#writer = this.#newWriter();
    this.#ordinal = this.#packs.ordinalOf(this.#writer.pack);
  }

  /** Where the open block ends in {@link data}: read files to here. */
  get blockEnd(): number {
    return this.#blockEnd;
  }

  /** Where the name of chunk number `index` of those that were named last stands in {@link data}. */
  nameOffset(index: number): number {
    return scratchNames + index * nameSizeBytes;
  }

  /** True if the block must be closed ({@link closeBlock}) before more is added. */
  get blockIsFull(): boolean {
    return this.#blockEnd - blockStart >= this.#blockSizeBytes || this.#chunksInBlock === backupLimits.chunksPerBlock;
  }

  /** True if all bytes of the chunk are zero: it is then not stored at all. */
  isZero(offset: number, length: number): boolean {
    return this.data[offset] === 0 && this.#kernel.isZero(offset, length);
  }

  /** Computes the names of some chunks at once (see `Kernel.nameMany`), at most {@link namesAtOnce}; {@link add} takes them by their index. */
  nameAll(ranges: Uint32Array): void {
    this.#kernel.nameMany(ranges, scratchNames);
  }

  /**
   * Adds chunk number `index` of those that were named last, at `offset` (at or behind {@link blockEnd}), unless the repository has it, and returns the ordinal of its
   * pack; a promise of it where the store must be asked.
   */
  add(index: number, offset: number, length: number): number | Promise<number> {
    const name = scratchNames + index * nameSizeBytes;
    const answer = this.#deduplicator.claim(this.data, name, this.#ordinal);
    return answer === unresolved ? this.#addResolved(name, offset, length) : this.#settle(answer, { name, offset, length });
  }

  /** The ordinal of the pack that has a chunk, or `notFound`. Nothing is claimed. */
  find(names: Uint8Array, offset: number): number | Promise<number> {
    return this.#deduplicator.find(names, offset);
  }

  /** Adds a chunk whose name is known, as {@link add}; there must be room ({@link blockIsFull}), and nothing behind {@link blockEnd}. */
  addNamed(name: Uint8Array, bytes: Uint8Array): number | Promise<number> {
    this.data.set(name, scratchNames);
    this.data.set(bytes, this.#blockEnd);
    return this.add(0, this.#blockEnd, bytes.length);
  }

  /** Adds a block as it was compressed elsewhere, beside the open one; returns the ordinal of its pack, which from now on has all its chunks. */
  async addBlock(block: EncodedBlock): Promise<number> {
    const ordinal = this.#ordinal;
    for (const [chunk, length] of block.chunkLengths.entries()) {
      this.#deduplicator.claimNew(block.names, chunk * nameSizeBytes, ordinal);
      this.#counts.chunks++;
      this.#counts.newChunks++;
      this.#counts.newBytes += length;
    }
    if (this.#dryRun) return ordinal;
    await this.#writer.write(block, { verify: this.#blocks++ % this.#verifiedShare === 0 });
    if (this.#storing.size > 0) await setImmediate();
    if (this.#writer.sizeBytes < this.#packSizeBytes) return ordinal;
    // What is in the open block was promised to this pack.
    await this.closeBlock();
    if (this.#writer.sizeBytes >= this.#packSizeBytes) await this.#closePack();
    return ordinal;
  }

  /** Compresses, seals and stores the open block. What lies behind it in {@link data} must be moved to {@link blockEnd} by the caller. */
  async closeBlock(): Promise<void> {
    const chunks = this.#chunksInBlock;
    if (chunks === 0) return;
    const length = this.#blockEnd - blockStart;
    this.#chunksInBlock = 0;
    this.#blockEnd = blockStart;
    if (this.#dryRun) return;
    const verify = this.#blocks++ % this.#verifiedShare === 0;
    const encoded = this.#compressor.compress(
      this.data.subarray(blockStart, blockStart + length),
      () => this.#kernel.looksIncompressible(blockStart, length),
      { verify },
    );
    if (verify) this.#expectNames(chunks);
    const block = { ...encoded, chunkLengths: this.#chunkLengths.slice(0, chunks), names: this.data.slice(0, chunks * nameSizeBytes) };
    await this.#writer.write(block, { verify });
    // Computing does not let the bytes of the other packs go on.
    if (this.#storing.size > 0) await setImmediate();
    if (this.#writer.sizeBytes >= this.#packSizeBytes) await this.#closePack();
  }

  /** Stores everything that is open, durably. */
  async flush(): Promise<void> {
    await this.closeBlock();
    await this.#closePack();
    await Promise.all([...this.#storing].map(({ stored }) => stored));
  }

  async abort(): Promise<void> {
    await Promise.all([this.#writer, ...[...this.#storing].map(({ writer }) => writer)].map((writer) => writer.abort()));
  }

  takeCounts(): ChunkCounts {
    const counts = this.#counts;
    this.#counts = { chunks: 0, newChunks: 0, newBytes: 0 };
    return counts;
  }

  async #addResolved(name: number, offset: number, length: number): Promise<number> {
    const found = await this.#deduplicator.lookUp(this.data, name);
    return this.#settle(found === notFound ? this.#deduplicator.claimNew(this.data, name, this.#ordinal) : found, { name, offset, length });
  }

  #settle(answer: number, { name, offset, length }: { name: number; offset: number; length: number }): number {
    this.#counts.chunks++;
    if (answer !== claimed && answer !== tableFull) return answer;
    this.#counts.newChunks++;
    this.#counts.newBytes += length;
    this.data.copyWithin(this.#chunksInBlock * nameSizeBytes, name, name + nameSizeBytes);
    if (offset !== this.#blockEnd) this.data.copyWithin(this.#blockEnd, offset, offset + length);
    this.#chunkLengths[this.#chunksInBlock++] = length;
    this.#blockEnd += length;
    return this.#ordinal;
  }

  /** The chunks of the open block have the names that they had when they were read. Code: io. */
  #expectNames(chunks: number): void {
    let at = blockStart;
    for (let first = 0; first < chunks; first += namesAtOnce) {
      const count = Math.min(namesAtOnce, chunks - first);
      for (let index = 0; index < count; index++) {
        const length = this.#chunkLengths[first + index]!;
        this.#ranges[2 * index] = at;
        this.#ranges[2 * index + 1] = length;
        at += length;
      }
      this.#kernel.nameMany(this.#ranges.subarray(0, 2 * count), namesAnew);
      const known = this.data.subarray(first * nameSizeBytes, (first + count) * nameSizeBytes);
      if (Buffer.compare(known, this.data.subarray(namesAnew, namesAnew + known.length)) !== 0) throw wrongBytes('a new pack', 'named');
    }
  }

  /** Has the pack stored, as soon as there is room for it. If one fails, so does whatever comes later. */
  async #closePack(): Promise<void> {
    if (this.#writer.sizeBytes === 0) return;
    await this.#waitForRoom(Math.max(this.#packsAhead, 1));
    const writer = this.#writer;
    const storing: Storing = {
      writer,
      stored: writer.close().then((stored) => {
        if (stored !== undefined) this.#onPack(stored);
        this.#storing.delete(storing);
      }),
    };
    storing.stored.catch(() => undefined); // Whoever closes a later pack is told.
    this.#storing.add(storing);
    this.#writer = this.#newWriter();
    this.#ordinal = this.#packs.ordinalOf(this.#writer.pack);
    if (this.#packsAhead === 0) await storing.stored;
  }

  /** Until fewer packs are on their way. */
  async #waitForRoom(packs: number): Promise<void> {
    while (this.#storing.size >= packs) await Promise.race([...this.#storing].map(({ stored }) => stored));
  }

  #newWriter(): PackWriter {
    return new PackWriter({ storage: this.#storage, keys: this.#keys, kind: 'pack' });
  }
}

/** Chunks that are named by one call. */
export const namesAtOnce = 512;
/** In the kernel's data area: the names of the open block's chunks, those of the chunks that were named last, those of chunks that are verified, the block. */
const scratchNames = backupLimits.chunksPerBlock * nameSizeBytes;
const namesAnew = scratchNames + namesAtOnce * nameSizeBytes;
export const blockStart = namesAnew + namesAtOnce * nameSizeBytes;
