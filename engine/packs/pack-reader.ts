import {
  decodeBlock,
  decodePackContents,
  expectBlock,
  isLaganError,
  LaganError,
  limits,
  objectNames,
  type PackBlock,
  type PackId,
  type PackKind,
} from '../../repo-format/mod.ts';

import { NameMap } from '../names/mod.ts';
import { openSegmentedObject, readSegment, type SealingKeys, type SegmentedObject } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { decompressPayload } from './compression.ts';
import { isDamage } from './damage.ts';

/** A pack whose contents are known: which chunks it has, and where. */
export interface OpenPack {
  readonly pack: PackId;
  readonly kind: PackKind;
  readonly object: SegmentedObject;
  readonly blocks: readonly PackBlock[];
  /** Chunk name → number of the chunk, counted over all blocks. */
  readonly chunks: NameMap;
  /** Number of the first chunk of each block. */
  readonly firstChunk: Uint32Array;
}

/** Where a chunk lies once its block is opened. */
export interface ChunkPlace {
  readonly block: number;
  /** Offset in the block's raw bytes. */
  readonly offset: number;
  readonly length: number;
}

/** The raw bytes of one block with the lengths of its chunks. */
export interface OpenBlock {
  readonly raw: Uint8Array;
  readonly chunkLengths: readonly number[] | Uint32Array;
}

/** Knows where chunks are whose pack is gone, or damaged. */
export interface MovedChunks {
  /** Packs that may have the chunk, the likeliest first. Nothing is asked for before it is needed. */
  packsOf(name: Uint8Array, gone: PackId): AsyncIterable<PackId>;
}

/**
 * Any copy of a chunk will do: where a pack is gone or damaged, those are asked that may have the chunk, too.
 *
 * Reads packs: contents and opened blocks are kept while there is room (least recently used ones go first).
 * Not verified here: that a chunk's bytes have its name. Whoever uses chunks of data does that (see `engine/restore`, `engine/check`).
 */
export class PackReader {
  readonly #storage: Storage;
  readonly #keys: SealingKeys;
  readonly #packs: LeastRecentlyUsed<PackId, Promise<OpenPack>>;
  readonly #blocks: LeastRecentlyUsed<string, Promise<OpenBlock>>;
  readonly #moved: MovedChunks | undefined;
  /** Packs that cannot be opened, and why. */
  readonly #gone = new Map<PackId, LaganError>();
  /** Where a chunk of a pack that is gone was found last: its neighbours are there, too. */
  #lastHolder: OpenPack | undefined;

  /** `moved`: is asked where chunks are whose pack is gone or damaged; without it they are lost. */
  constructor({
    storage,
    keys,
    moved,
    contentsLimit = 32,
    blocksLimit = 12,
  }: { storage: Storage; keys: SealingKeys; moved?: MovedChunks | undefined; contentsLimit?: number; blocksLimit?: number }) {
    this.#storage = storage;
    this.#keys = keys;
    this.#moved = moved;
    this.#packs = new LeastRecentlyUsed(contentsLimit);
    this.#blocks = new LeastRecentlyUsed(blocksLimit);
  }

  /** The contents of a pack. Errors: `pack-missing`, and those of a damaged object. */
  open(pack: PackId, kind: PackKind): Promise<OpenPack> {
    return this.#packs.get(pack, () => this.#load(pack, kind));
  }

  /** One block, opened and decompressed. */
  block(pack: OpenPack, number: number): Promise<OpenBlock> {
    return this.#blocks.get(`${pack.pack}/${number}`, () => this.readBlock(pack, number));
  }

  /** The same, past the cache. */
  async readBlock({ pack, kind, object, blocks }: OpenPack, number: number): Promise<OpenBlock> {
    const block = blocks[number]!;
    const plaintext = await readSegment(this.#storage, object, { number, place: block }).catch((cause: unknown) => {
      // Deleted since its contents were read.
      throw orPackMissing(cause, pack);
    });
    return openBlockPlaintext(plaintext, block, { kind, objectName: object.name });
  }

  /**
   * The pack that has a chunk: `pack`, or if that is gone or cannot be opened another one that has it. Errors: `pack-missing` if the chunk is nowhere, and those of a damaged object.
   */
  async holder(name: Uint8Array, pack: PackId, kind: PackKind): Promise<OpenPack> {
    const known = this.#gone.get(pack);
    if (known !== undefined) return this.#findHolder(name, { pack, kind, cause: known });
    try {
      return await this.open(pack, kind);
    } catch (cause) {
      if (this.#moved === undefined || !isDamage(cause)) throw cause;
      this.#gone.set(pack, cause);
      return this.#findHolder(name, { pack, kind, cause });
    }
  }

  /** The packs besides `pack` that have a chunk, too, and can be opened. */
  async *otherHolders(name: Uint8Array, pack: PackId, kind: PackKind): AsyncGenerator<OpenPack> {
    for await (const candidate of this.#moved?.packsOf(name, pack) ?? []) {
      if (candidate === pack) continue;
      const open = await this.open(candidate, kind).catch(ignoreDamage);
      if (open !== undefined && open.chunks.get(name, 0) >= 0) yield open;
    }
  }

  /** Says that a pack vanished after it was opened: {@link holder} looks for its chunks elsewhere. */
  forget(pack: PackId): void {
    this.#packs.delete(pack);
    this.#gone.set(pack, packMissing(pack));
    if (this.#lastHolder?.pack === pack) this.#lastHolder = undefined;
  }

  /** The bytes of one chunk (a view into its block), wherever it is now. Errors: as of {@link holder}. */
  async chunk(name: Uint8Array, pack: PackId, kind: PackKind): Promise<Uint8Array> {
    const open = await this.holder(name, pack, kind);
    try {
      return await this.#chunkIn(open, name);
    } catch (error) {
      if (this.#moved === undefined || !isDamage(error)) throw error;
      if (error.code === 'pack-missing') this.forget(open.pack);
      for await (const other of this.otherHolders(name, pack, kind)) {
        const chunk = other.pack === open.pack ? undefined : await this.#chunkIn(other, name).catch(ignoreDamage);
        if (chunk !== undefined) return chunk;
      }
      throw error;
    }
  }

  async #chunkIn(open: OpenPack, name: Uint8Array): Promise<Uint8Array> {
    const place = locateChunk(open, name);
    return chunkAt(await this.block(open, place.block), place);
  }

  async #findHolder(name: Uint8Array, { pack, kind, cause }: { pack: PackId; kind: PackKind; cause: LaganError }): Promise<OpenPack> {
    if (this.#lastHolder?.kind === kind && this.#lastHolder.chunks.get(name, 0) >= 0) return this.#lastHolder;
    for await (const open of this.otherHolders(name, pack, kind)) {
      this.#lastHolder = open;
      return open;
    }
    throw cause;
  }

  async #load(pack: PackId, kind: PackKind): Promise<OpenPack> {
    const name = objectNames.pack(pack);
    try {
      const { object, contents, contentsOffset } = await openSegmentedObject(this.#storage, { name, kind, keys: this.#keys });
      return indexContents({ pack, kind, object, blocks: decodePackContents(contents, name, { kind, contentsOffset }) });
    } catch (cause) {
      throw orPackMissing(cause, pack);
    }
  }
}

/** A chunk in its opened block. */
function chunkAt({ raw }: OpenBlock, { offset, length }: ChunkPlace): Uint8Array {
  return raw.subarray(offset, offset + length);
}

function ignoreDamage(error: unknown): undefined {
  if (isDamage(error)) return undefined;
  throw error;
}

/** Decodes what a block's segment held. Errors: `malformed` where it contradicts the pack's contents. */
export function openBlockPlaintext(
  plaintext: Uint8Array,
  block: PackBlock,
  { kind, objectName }: { kind: PackKind; objectName: string },
): OpenBlock {
  const decoded = decodeBlock(plaintext, objectName, kind);
  expectBlock(decoded, block, objectName);
  const { codec, rawLength, chunkLengths, payload } = decoded;
  return { raw: decompressPayload(payload, { codec, rawLength, objectName }), chunkLengths };
}

/** Where a named chunk lies. Errors: `chunk-missing`. */
export function locateChunk({ blocks, chunks, firstChunk, object }: OpenPack, name: Uint8Array): ChunkPlace {
  const number = chunks.get(name, 0);
  if (number < 0)
    throw new LaganError(
      'chunk-missing',
      `chunk ${Buffer.from(name).toString('hex')} was to be read from ${object.name}, which does not have it`,
      { object: object.name },
    );
  const block = lastNotAbove(firstChunk, number);
  const lengths = blocks[block]!.chunkLengths;
  const within = number - firstChunk[block]!;
  let offset = 0;
  for (let chunk = 0; chunk < within; chunk++) offset += lengths[chunk]!;
  return { block, offset, length: lengths[within]! };
}

function indexContents({
  pack,
  kind,
  object,
  blocks,
}: {
  pack: PackId;
  kind: PackKind;
  object: SegmentedObject;
  blocks: PackBlock[];
}): OpenPack {
  const firstChunk = new Uint32Array(blocks.length);
  const total = blocks.reduce((sum, block) => sum + block.chunkLengths.length, 0);
  if (total > limits.chunksPerPack)
    throw new LaganError('limit-exceeded', `${object.name} says that it has ${total} chunks`, {
      object: object.name,
      expected: `at most ${limits.chunksPerPack}`,
      found: total,
    });
  const chunks = new NameMap(total);
  let number = 0;
  blocks.forEach((block, index) => {
    firstChunk[index] = number;
    for (let chunk = 0; chunk < block.chunkLengths.length; chunk++) chunks.add(block.names, chunk * 32, number++);
  });
  return { pack, kind, object, blocks, chunks, firstChunk };
}

function lastNotAbove(sorted: Uint32Array, value: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Keeps the `limit` most recently used values; a value that fails to load is not kept. */
class LeastRecentlyUsed<Key, Value extends Promise<unknown>> {
  readonly #values = new Map<Key, Value>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  delete(key: Key): void {
    this.#values.delete(key);
  }

  get(key: Key, load: () => Value): Value {
    let value = this.#values.get(key);
    if (value === undefined) {
      value = load();
      value.catch(() => this.#values.delete(key));
      for (const oldest of this.#values.keys()) {
        if (this.#values.size < this.#limit) break;
        this.#values.delete(oldest);
      }
    } else this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }
}

function orPackMissing(cause: unknown, pack: PackId): unknown {
  return isLaganError(cause, 'not-found') ? packMissing(pack, cause) : cause;
}

function packMissing(pack: PackId, cause?: LaganError): LaganError {
  const name = objectNames.pack(pack);
  return new LaganError('pack-missing', `pack ${pack} was to be read, but ${name} is not in the repository`, {
    object: name,
    cause,
    hint: 'lagan check names the files that need it',
  });
}
