/** Copies what is needed of some packs into new ones. */
import {
  type Codec,
  indexRowLayout,
  LaganError,
  objectNames,
  type PackId,
  type PackKind,
  type PackRow,
  packOrdinalAt,
} from '../../repo-format/mod.ts';
import type { MergedRows } from '../index/mod.ts';
import { Breather } from '../look/mod.ts';
import { buffersDropped } from '../memory/mod.ts';
import { NameMap } from '../names/mod.ts';
import { isDamage, locateChunk, type OpenPack, type PackedBlock, type StoredPack, VerifiedBlocks } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import { ChunkPacker } from './_chunk-packer.ts';
import { maintainLimits } from './_limits.ts';
import { repackLimits } from './_repack-limits.ts';
import type { Replacements } from './_replacements.ts';
import type { ChosenPack } from './_unused.ts';

const nameSizeBytes = 32;
const notPlaced = -1;

export interface CopyOptions {
  readonly chosen: readonly ChosenPack[];
  readonly isLive: (names: Uint8Array, offset: number) => boolean;
  /** Names of chunks, with others between them and perhaps repeated: those of chosen packs of data come first, in this order. */
  readonly order: () => AsyncIterable<Uint8Array>;
  /** The packs of the index, and its rows. */
  readonly packs: MergedRows['packs'];
  readonly pages: MergedRows['pages'];
  /** Whether a pack of the index may be relied on instead of a copy. */
  readonly mayStay: (ordinal: number) => boolean;
  readonly onCopied: (bytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

export interface Copies {
  readonly stored: readonly StoredPack[];
  /** Each chosen pack → the packs that have now what is needed of it. */
  readonly replaced: Replacements;
}

/** A chosen pack is damaged: it is to be left alone. */
export class UnusablePack extends Error {
  readonly pack: PackId;
  readonly damage: LaganError;

  constructor(pack: PackId, damage: LaganError) {
    super(damage.message, { cause: damage });
    this.pack = pack;
    this.damage = damage;
  }
}

/**
 * Copies the chunks that are needed of the chosen packs, each once, after its name was computed anew. A chunk that the index gives for a pack which stays is not copied if it is
 * good there.
 *
 * Errors: {@link UnusablePack} (nothing of what was copied may be used then), interrupted, those of the storage.
 */
export async function copyChunks(repository: Repository, options: CopyOptions): Promise<Copies> {
  const copying = new Copying(repository, options);
  try {
    return await copying.run();
  } catch (error) {
    await copying.abort();
    throw error;
  }
}

class Copying {
  readonly #options: CopyOptions;
  readonly #blocks: VerifiedBlocks;
  readonly #packers: Readonly<Record<PackKind, ChunkPacker>>;
  readonly #breather: Breather;
  /** Chunks of the chosen packs → their numbers. */
  readonly #chunks = new NameMap();
  #isLive = new Uint8Array(0);
  /** The chosen pack that has each chunk, by its number. */
  #sourceOf = new Int32Array(0);
  /** Blocks from which chunks are copied one by one, the one that was used last comes last. */
  readonly #opened = new OpenedBlocks();
  /** Where each chunk is from now on: a number in `#places`. */
  #placeOf = new Int32Array(0);
  readonly #places: PackId[] = [];
  readonly #placeNumbers = new Map<PackId, number>();
  readonly #replaced = new Map<PackId, readonly PackId[]>();

  constructor(repository: Repository, options: CopyOptions) {
    const { storage, keys, configuration } = repository;
    const { nodeBlockBytes, nodePackBytes } = repackLimits;
    this.#options = options;
    this.#blocks = new VerifiedBlocks({ ...repository, openPacks: maintainLimits.openPacks });
    this.#breather = new Breather(options.signal);
    this.#packers = {
      pack: new ChunkPacker({ storage, keys, kind: 'pack', ...configuration }),
      'metadata-pack': new ChunkPacker({
        storage,
        keys,
        kind: 'metadata-pack',
        blockSizeBytes: nodeBlockBytes,
        packSizeBytes: nodePackBytes,
      }),
    };
  }

  async run(): Promise<Copies> {
    await this.#listChunks();
    await this.#findOthers();
    if (this.#options.chosen.some(({ reason }) => reason === 'scattered')) await this.#copyInOrder();
    // What is not needed in that order is put apart, so that it is not read with what is.
    await this.#packers.pack.finish();
    this.#opened.clear();
    for (const { row } of this.#options.chosen) await this.#orUnusable(row.id, () => this.#copyPack(row.id, row.kind));
    const packers = Object.values(this.#packers);
    for (const packer of packers) await packer.finish();
    return { stored: packers.flatMap(({ stored }) => stored), replaced: this.#replaced };
  }

  async abort(): Promise<void> {
    await Promise.all(Object.values(this.#packers).map((packer) => packer.abort()));
  }

  /** Numbers the chunks that the chosen packs have, and notes which are needed. */
  async #listChunks(): Promise<void> {
    const most = this.#options.chosen.reduce((sum, { row }) => sum + row.chunkCount, 0);
    this.#isLive = new Uint8Array(most);
    this.#sourceOf = new Int32Array(most);
    for (const [source, { row }] of this.#options.chosen.entries()) {
      await this.#orUnusable(row.id, async () => {
        const { blocks, chunks } = await this.#blocks.open(row.id, row.kind);
        if (chunks.size > row.chunkCount) throw moreChunks(row, chunks.size);
        for (const { names } of blocks) this.#listNames(names, source);
      });
    }
    this.#placeOf = new Int32Array(this.#chunks.size).fill(notPlaced);
  }

  #listNames(names: Uint8Array, source: number): void {
    for (let offset = 0; offset < names.length; offset += nameSizeBytes) {
      if (this.#chunks.get(names, offset) >= 0) continue;
      const number = this.#chunks.size;
      this.#chunks.add(names, offset, number);
      this.#sourceOf[number] = source;
      this.#isLive[number] = Number(this.#options.isLive(names, offset));
    }
  }

  /** Of packs with chunks that the index gives for others: these stay where they are if that pack stays. */
  async #findOthers(): Promise<void> {
    const { chosen, mayStay, packs, pages } = this.#options;
    if (chosen.every(({ row, rows: own }) => own >= row.chunkCount)) return;
    const leaving = new Set(chosen.map(({ row }) => row.id));
    const elsewhere = new Map<number, Uint8Array[]>();
    for await (const page of pages()) {
      for (let row = 0, offset = 0; offset < page.length; row++, offset += indexRowLayout.sizeBytes) {
        const number = this.#chunks.get(page, offset);
        if (number < 0 || this.#isLive[number] === 0) continue;
        const packOrdinal = packOrdinalAt(page, row);
        if (leaving.has(packs.at(packOrdinal).id) || !mayStay(packOrdinal)) continue;
        const names = elsewhere.get(packOrdinal);
        const name = page.slice(offset, offset + nameSizeBytes);
        if (names === undefined) elsewhere.set(packOrdinal, [name]);
        else names.push(name);
      }
    }
    for (const [ordinal, names] of elsewhere) await this.#leaveIn(packs.at(ordinal), names);
  }

  /** Notes that chunks are in a pack that stays, those that are good there. */
  async #leaveIn({ id, kind }: PackRow, names: readonly Uint8Array[]): Promise<void> {
    const wanted = new NameMap(names.length);
    for (const name of names) wanted.add(name, 0, 0);
    try {
      const open = await this.#blocks.open(id, kind);
      for await (const block of this.#blocks.read(
        open,
        blocksWith(open, (at, offset) => wanted.get(at, offset) >= 0),
      )) {
        for (let offset = 0; offset < block.names.length; offset += nameSizeBytes)
          if (wanted.get(block.names, offset) >= 0) this.#place(this.#chunks.get(block.names, offset), id);
      }
    } catch (error) {
      // What it was to keep is copied.
      if (!isDamage(error)) throw error;
    }
  }

  async #copyInOrder(): Promise<void> {
    for await (const name of this.#options.order()) {
      const number = this.#chunks.get(name, 0);
      if (number < 0 || !this.#isWanted(number)) continue;
      const { row } = this.#options.chosen[this.#sourceOf[number]!]!;
      if (row.kind === 'pack') await this.#orUnusable(row.id, () => this.#copyChunk(name, number, row));
    }
  }

  async #copyChunk(name: Uint8Array, number: number, { id, kind }: PackRow): Promise<void> {
    const open = await this.#blocks.open(id, kind);
    const { block, offset, length } = locateChunk(open, name);
    const { raw, codec } = this.#opened.get(id, block) ?? (await this.#openBlock(open, block));
    this.#place(
      number,
      await this.#packers.pack.add({ name, bytes: raw.subarray(offset, offset + length), wasCompressed: codec !== 'raw' }),
    );
    this.#options.onCopied(length);
  }

  async #openBlock(open: OpenPack, number: number): Promise<OpenedBlock> {
    for await (const { raw, codec } of this.#blocks.read(open, [number]))
      return this.#opened.add(open.pack, number, { raw: raw.slice(), codec });
    throw new RangeError(`pack ${open.pack} has no block ${number}`);
  }

  async #copyPack(id: PackId, kind: PackKind): Promise<void> {
    const open = await this.#blocks.open(id, kind);
    const isWanted = (names: Uint8Array, offset: number) => this.#isWanted(this.#chunks.get(names, offset));
    for await (const block of this.#blocks.read(open, blocksWith(open, isWanted))) {
      await this.#breather.breathe();
      await this.#copyBlock(block, this.#packers[kind]);
    }
    this.#replaced.set(id, this.#packsOf(open));
  }

  async #copyBlock(block: PackedBlock, packer: ChunkPacker): Promise<void> {
    const { names, chunkLengths, raw, codec, rawLength } = block;
    const numbers = Array.from(chunkLengths, (_, chunk) => this.#chunks.get(names, chunk * nameSizeBytes));
    const isWhole = numbers.every((number) => this.#isWanted(number));
    if (isWhole && packer.takesBlock(rawLength)) {
      const pack = await packer.addBlock(block);
      for (const number of numbers) this.#place(number, pack);
      this.#options.onCopied(rawLength);
      return;
    }
    let offset = 0;
    for (const [chunk, length] of chunkLengths.entries()) {
      const number = numbers[chunk]!;
      if (this.#isWanted(number)) {
        const name = names.subarray(chunk * nameSizeBytes, (chunk + 1) * nameSizeBytes);
        const bytes = raw.subarray(offset, offset + length);
        this.#place(number, await packer.add({ name, bytes, wasCompressed: codec !== 'raw' }));
        this.#options.onCopied(length);
      }
      offset += length;
    }
  }

  /** Needed, and not in its place yet. */
  #isWanted(number: number): boolean {
    return this.#isLive[number] === 1 && this.#placeOf[number] === notPlaced;
  }

  #place(chunk: number, pack: PackId): void {
    let place = this.#placeNumbers.get(pack);
    if (place === undefined) this.#placeNumbers.set(pack, (place = this.#places.push(pack) - 1));
    this.#placeOf[chunk] = place;
  }

  /** Where the needed chunks of a pack are now. */
  #packsOf({ blocks }: OpenPack): PackId[] {
    const found = new Set<number>();
    for (const { names } of blocks) {
      for (let offset = 0; offset < names.length; offset += nameSizeBytes) {
        const place = this.#placeOf[this.#chunks.get(names, offset)]!;
        if (place !== notPlaced) found.add(place);
      }
    }
    return [...found].map((place) => this.#places[place]!);
  }

  async #orUnusable(pack: PackId, read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      if (isDamage(error)) throw new UnusablePack(pack, error);
      throw error;
    }
  }
}

interface OpenedBlock {
  readonly raw: Uint8Array;
  readonly codec: Codec;
}

/** Opened blocks, as many as there is room for. */
class OpenedBlocks {
  readonly #blocks = new Map<string, OpenedBlock>();
  #bytes = 0;

  get(pack: PackId, number: number): OpenedBlock | undefined {
    const key = `${pack}/${number}`;
    const block = this.#blocks.get(key);
    if (block === undefined) return undefined;
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    return block;
  }

  add(pack: PackId, number: number, block: OpenedBlock): OpenedBlock {
    this.#blocks.set(`${pack}/${number}`, block);
    this.#bytes += block.raw.length;
    for (const [key, { raw }] of this.#blocks) {
      if (this.#bytes <= repackLimits.openedBlockBytes || this.#blocks.size === 1) break;
      this.#blocks.delete(key);
      this.#bytes -= raw.length;
      buffersDropped(raw.length);
    }
    return block;
  }

  clear(): void {
    this.#blocks.clear();
    this.#bytes = 0;
  }
}

function moreChunks({ id, chunkCount }: PackRow, found: number): LaganError {
  const object = objectNames.pack(id);
  const message = `${object} has ${found} chunks, the index says ${chunkCount}`;
  return new LaganError('malformed', message, { object, expected: chunkCount, found });
}

/** Numbers of the blocks that have a chunk for which `isWanted` is true. */
function blocksWith({ blocks }: OpenPack, isWanted: (names: Uint8Array, offset: number) => boolean): number[] {
  const found: number[] = [];
  blocks.forEach(({ names }, number) => {
    for (let offset = 0; offset < names.length; offset += nameSizeBytes) {
      if (!isWanted(names, offset)) continue;
      found.push(number);
      break;
    }
  });
  return found;
}
