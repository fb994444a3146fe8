import { isLaganError, LaganError, type PackId } from '../../repo-format/mod.ts';
import { notFound } from '../index/mod.ts';
import { NameMap } from '../names/mod.ts';
import { locateChunk, type OpenPack, type PackedBlock, type VerifiedBlocks } from '../packs/mod.ts';
import type { ChunkStore } from './_chunk-store.ts';
import type { ExtentRecords } from './_extent-records.ts';
import type { FileOutcome } from './_files.ts';
import type { WantedNames } from './_wanted-names.ts';

const nameSizeBytes = 32;
/** A block of which so much is needed is copied as it is: the rest is not worth compressing it anew. */
const wholeBlockShare = 0.9;
/** How often it is looked for chunks again whose pack was replaced while it was read. */
const mostAttempts = 4;

/** Chunks that the other repository has, or had, in one pack. */
export interface ChunkList {
  readonly pack: PackId;
  /** 32 bytes each. */
  readonly names: Uint8Array;
  readonly lengths: readonly number[];
}

export interface BlockCopierParts {
  readonly source: VerifiedBlocks;
  readonly store: ChunkStore;
  readonly extents: ExtentRecords;
  /** What the whole copy needs, so that a block is touched once. */
  readonly wanted: WantedNames;
  readonly isStopping: () => boolean;
}

/**
 * Copies chunks from a repository that names them alike. A block that is needed wholly, or nearly, is sealed again as it was compressed; of others, what is needed goes into
 * new blocks. Every chunk's name is computed anew before.
 */
export class BlockCopier {
  readonly #parts: BlockCopierParts;

  constructor(parts: BlockCopierParts) {
    this.#parts = parts;
  }

  /** The outcome's extents are those of the chunks, in their order. Codes: those of packs that are missing or damaged. */
  async copy(list: ChunkList): Promise<FileOutcome> {
    const { names, lengths } = list;
    const places = new NameMap(lengths.length);
    for (let attempt = 1; !(await this.#copyMissing(list, { places, isLast: attempt === mostAttempts })); attempt++);
    for (const [chunk, length] of lengths.entries()) {
      const offset = chunk * nameSizeBytes;
      this.#parts.extents.addData(length, { names, offset, ordinal: places.get(names, offset) });
    }
    const bytes = lengths.reduce((sum, length) => sum + length, 0);
    return { start: 0, extents: lengths.length, bytes, metadata: undefined, extras: undefined, error: undefined };
  }

  /** False if a pack was replaced meanwhile: what is not in `places` yet must be looked for again. */
  async #copyMissing(list: ChunkList, { places, isLast }: { places: NameMap; isLast: boolean }): Promise<boolean> {
    const { source, isStopping } = this.#parts;
    for (const [open, blocks] of await this.#blocksToRead(list, places)) {
      try {
        const ascending = [...blocks].sort((a, b) => a - b);
        for await (const block of source.read(open, ascending)) {
          if (isStopping()) throw new LaganError('interrupted', 'the copy has ended');
          await this.#copyBlock(block, places);
        }
      } catch (error) {
        if (isLast || !isLaganError(error, 'pack-missing')) throw error;
        source.forget(open.pack);
        return false;
      }
    }
    return true;
  }

  /** Where the chunks are that the target lacks. The places of the others are noted. */
  async #blocksToRead({ pack, names, lengths }: ChunkList, places: NameMap): Promise<Map<OpenPack, Set<number>>> {
    const { source, store } = this.#parts;
    const found = new Map<OpenPack, Set<number>>();
    for (let offset = 0; offset < lengths.length * nameSizeBytes; offset += nameSizeBytes) {
      if (places.get(names, offset) >= 0) continue;
      const known = await store.find(names, offset);
      if (known !== notFound) {
        places.add(names, offset, known);
        continue;
      }
      const name = names.subarray(offset, offset + nameSizeBytes);
      const open = await source.holder(name, pack);
      const { block } = locateChunk(open, name);
      const blocks = found.get(open);
      if (blocks === undefined) found.set(open, new Set([block]));
      else blocks.add(block);
    }
    return found;
  }

  async #copyBlock(block: PackedBlock, places: NameMap): Promise<void> {
    const { store, wanted } = this.#parts;
    const { chunkLengths, names, rawLength, codec, payload } = block;
    const missing: number[] = [];
    let missingBytes = 0;
    for (const [chunk, length] of chunkLengths.entries()) {
      const offset = chunk * nameSizeBytes;
      const known = places.get(names, offset) >= 0 ? places.get(names, offset) : await store.find(names, offset);
      if (known !== notFound) places.add(names, offset, known);
      else if (wanted.has(names, offset)) {
        missing.push(chunk);
        missingBytes += length;
      }
    }
    if (missing.length === 0) return;
    if (missingBytes < wholeBlockShare * rawLength) return this.#copyChunks(block, missing, places);
    const ordinal = await store.addBlock({ codec, chunkLengths, names: names.slice(), payload });
    for (let offset = 0; offset < names.length; offset += nameSizeBytes) places.add(names, offset, ordinal);
  }

  async #copyChunks({ chunkLengths, names, raw }: PackedBlock, chunks: readonly number[], places: NameMap): Promise<void> {
    const { store } = this.#parts;
    let [next, start] = [0, 0];
    for (const [chunk, length] of chunkLengths.entries()) {
      if (chunks[next] === chunk) {
        next++;
        if (store.blockIsFull) await store.closeBlock();
        const offset = chunk * nameSizeBytes;
        const name = names.subarray(offset, offset + nameSizeBytes);
        places.add(names, offset, await store.addNamed(name, raw.subarray(start, start + length)));
      }
      start += length;
    }
  }
}
