import {
  decodeBlock,
  type Extent,
  expectBlock,
  isLaganError,
  LaganError,
  type PackBlock,
  type PackId,
  sealedLayout,
  toHex,
} from '../../repo-format/mod.ts';
import type { Kernel } from '../kernel/mod.ts';
import { openSegmentOf } from '../objects/mod.ts';
import { decompressPayload, type OpenPack, type PackReader } from '../packs/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { restoreLimits } from './_limits.ts';

const nameSizeBytes = 32;
/** Names that are computed at once lie before the blocks in the kernel's data area. */
const namesAtOnce = 1_024;
const arenaStart = namesAtOnce * nameSizeBytes;

/** Size of the kernel's data area of a cache with so much room for opened blocks. */
export function blockCacheDataBytes(arenaBytes: number): number {
  return arenaStart + arenaBytes;
}

/** Chunks of an opened block lie one after another in `bytes` from `start` on. */
export interface CachedBlock {
  /** Name of the pack in the repository. */
  readonly object: string;
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Where each chunk begins, counted from `start`, and where the last one ends. */
  readonly offsets: Uint32Array;
  /** As the pack gives them, 32 bytes each. */
  readonly names: Uint8Array;
  /** Chunks whose bytes do not have the name that the pack gives them. */
  readonly misnamed: ReadonlySet<number> | undefined;
}

/** Bytes of a chunk: `[from, to)` of `block.bytes`. Valid until the next block is loaded. */
export interface LocatedChunk {
  readonly block: CachedBlock;
  readonly from: number;
  readonly to: number;
}

export type DataExtent = Extract<Extent, { kind: 'data' }>;

interface CachedPack {
  readonly open: OpenPack;
  /** By number; undefined if not opened (any more). */
  readonly blocks: (CachedBlock | undefined)[];
}

/**
 * Opened blocks of data packs, for one worker: read, authenticated, decompressed and *verified*, each chunk against its name, before anybody sees a byte.
 * They lie in a ring in the kernel's data area, where names are computed; the oldest make room. A block that is too large for the ring is kept beside it, alone.
 */
export class BlockCache {
  readonly #storage: Storage;
  readonly #kernel: Kernel;
  readonly #reader: PackReader;
  readonly #packs = new Map<PackId, CachedPack>();
  /** Packs whose chunks are in others now. */
  readonly #gone = new Set<PackId>();
  /** In the ring, oldest first. */
  readonly #ring: { readonly pack: CachedPack; readonly block: CachedBlock }[] = [];
  #ringHead = arenaStart;
  /** Where compressed blocks are opened. */
  #plaintext = new Uint8Array(0);
  #large: { readonly pack: CachedPack; readonly block: CachedBlock } | undefined;
  readonly #windows: ReadWindows;

  constructor({ storage, kernel, reader }: { storage: Storage; kernel: Kernel; reader: PackReader }) {
    this.#storage = storage;
    this.#kernel = kernel;
    this.#reader = reader;
    this.#windows = new ReadWindows(this.#storage);
  }

  /** Whether more is read with any block, not only with one that follows another. */
  set readsAhead(readsAhead: boolean) {
    this.#windows.readsAhead = readsAhead;
  }

  /** Where the chunk is, if its block is open. Errors: as {@link load}. */
  find(extent: DataExtent): LocatedChunk | undefined {
    const pack = this.#openPackOf(extent);
    if (pack === undefined) return undefined;
    const { number, within } = locate(pack.open, extent);
    const block = pack.blocks[number];
    return block === undefined ? undefined : chunkOf(block, within, extent);
  }

  /**
   * Opens the block of a chunk if need be. What was found before may be gone afterwards. Errors: `pack-missing`, `chunk-missing`, `name-mismatch`,
   * `authentication-failed`, `malformed`, and what the store says.
   */
  async load(extent: DataExtent): Promise<LocatedChunk> {
    const pack = this.#openPackOf(extent) ?? (await this.#open(extent));
    try {
      return await this.#loadFrom(pack, extent);
    } catch (error) {
      if (!isLaganError(error, 'not-found')) throw error;
      // Deleted since it was opened: the collector has moved what is needed of it.
      this.#forgetPack(pack);
      return this.#loadFrom(await this.#open(extent), extent);
    }
  }

  async #loadFrom(pack: CachedPack, extent: DataExtent): Promise<LocatedChunk> {
    const { number, within } = locate(pack.open, extent);
    const block = pack.blocks[number] ?? (await this.#loadBlock(pack, number));
    return chunkOf(block, within, extent);
  }

  #openPackOf({ pack: id, name }: DataExtent): CachedPack | undefined {
    const pack = this.#packs.get(id);
    if (pack !== undefined || !this.#gone.has(id)) return pack;
    for (const candidate of this.#packs.values()) if (candidate.open.chunks.get(name, 0) >= 0) return candidate;
    return undefined;
  }

  /** Opens the pack of a chunk, or the one that has the chunk since that is gone. */
  async #open({ pack: id, name }: DataExtent): Promise<CachedPack> {
    const open = await this.#reader.holder(name, id, 'pack');
    if (open.pack !== id) this.#gone.add(id);
    const known = this.#packs.get(open.pack);
    if (known !== undefined) return known;
    for (const [oldest, { blocks }] of this.#packs) {
      if (this.#packs.size < restoreLimits.openPacks) break;
      // Its blocks stay in the ring until they are overwritten, but nobody finds them.
      blocks.length = 0;
      this.#packs.delete(oldest);
    }
    const pack = { open, blocks: [] };
    this.#packs.set(open.pack, pack);
    return pack;
  }

  #forgetPack({ open: { pack: id }, blocks }: CachedPack): void {
    blocks.length = 0;
    this.#packs.delete(id);
    this.#gone.add(id);
    this.#reader.forget(id);
  }

  async #loadBlock(pack: CachedPack, number: number): Promise<CachedBlock> {
    const { object, blocks } = pack.open;
    const { offset, codec, rawLength, sealedLength } = blocks[number]!;
    const stored = await this.#windows.read(pack.open, number);
    const open = (into?: Uint8Array) => openSegmentOf(object, { number, offset }, stored, into);
    const plaintextLength = sealedLength - sealedLayout.tagSizeBytes;
    const block =
      Math.max(plaintextLength, rawLength) >= this.#kernel.data.length - arenaStart
        ? this.#takeLarge(pack, number, open())
        : this.#takeIntoRing(
            pack,
            number,
            open(codec === 'raw' ? this.#roomInRing(plaintextLength) : this.#roomForPlaintext(plaintextLength)),
          );
    pack.blocks[number] = block;
    return block;
  }

  /** The plaintext of a block that is stored raw lies in the ring already. */
  #takeIntoRing(pack: CachedPack, number: number, plaintext: Uint8Array): CachedBlock {
    const { codec, rawLength, payload, ...base } = this.#decode(pack, number, plaintext);
    const { data } = this.#kernel;
    const room = codec === 'raw' ? payload : this.#roomInRing(rawLength + 1);
    const raw = decompressPayload(payload, { codec, rawLength, objectName: base.object, into: room });
    if (raw.buffer !== data.buffer) room.set(raw);
    const start = room.byteOffset - data.byteOffset;
    const block = { ...base, bytes: data, start, end: start + rawLength, misnamed: this.#misnamed(start, base.offsets, base.names) };
    this.#ring.push({ pack, block });
    return block;
  }

  #takeLarge(pack: CachedPack, number: number, plaintext: Uint8Array): CachedBlock {
    const { codec, rawLength, payload, ...base } = this.#decode(pack, number, plaintext);
    const bytes = decompressPayload(payload, { codec, rawLength, objectName: base.object });
    this.#dropRing();
    const block = { ...base, bytes, start: 0, end: rawLength, misnamed: this.#misnamedOfLarge(bytes, base.offsets, base.names) };
    this.#forgetLarge();
    this.#large = { pack, block };
    return block;
  }

  /** What a block says of itself is what the contents of its pack say. */
  #decode(pack: CachedPack, number: number, plaintext: Uint8Array) {
    const { object, blocks } = pack.open;
    const block = decodeBlock(plaintext, object.name, 'pack');
    expectBlock(block, blocks[number]!, object.name);
    const { codec, rawLength, chunkLengths, payload } = block;
    return { codec, rawLength, payload, object: object.name, number, offsets: offsetsOf(chunkLengths), names: blocks[number]!.names };
  }

  #roomForPlaintext(size: number): Uint8Array {
    if (this.#plaintext.length < size) this.#plaintext = new Uint8Array(size);
    return this.#plaintext;
  }

  /** Room for `size` bytes in the ring. Blocks follow each other in it by age, so the oldest are always the next that are in the way; they are forgotten. */
  #roomInRing(size: number): Uint8Array {
    if (this.#ringHead + size > this.#kernel.data.length) {
      while (this.#ring.length > 0 && this.#ring[0]!.block.start >= this.#ringHead) forget(this.#ring.shift()!);
      this.#ringHead = arenaStart;
    }
    const start = this.#ringHead;
    this.#ringHead += size;
    while (this.#ring.length > 0 && this.#ring[0]!.block.start >= start && this.#ring[0]!.block.start < this.#ringHead)
      forget(this.#ring.shift()!);
    return this.#kernel.data.subarray(start, start + size);
  }

  #dropRing(): void {
    for (const held of this.#ring) forget(held);
    this.#ring.length = 0;
    this.#ringHead = arenaStart;
  }

  #forgetLarge(): void {
    if (this.#large !== undefined) forget(this.#large);
  }

  /** Compares the chunks at `start` with their names. */
  #misnamed(start: number, offsets: Uint32Array, names: Uint8Array): Set<number> | undefined {
    const count = offsets.length - 1;
    let misnamed: Set<number> | undefined;
    for (let first = 0; first < count; first += namesAtOnce) {
      const last = Math.min(count, first + namesAtOnce);
      const ranges = new Uint32Array(2 * (last - first));
      for (let chunk = first; chunk < last; chunk++) {
        ranges[2 * (chunk - first)] = start + offsets[chunk]!;
        ranges[2 * (chunk - first) + 1] = offsets[chunk + 1]! - offsets[chunk]!;
      }
      this.#kernel.nameMany(ranges, 0);
      misnamed = this.#compareNames({ first, last }, names, misnamed);
    }
    return misnamed;
  }

  #compareNames(
    { first, last }: { first: number; last: number },
    names: Uint8Array,
    misnamed: Set<number> | undefined,
  ): Set<number> | undefined {
    const computed = this.#kernel.data.subarray(0, (last - first) * nameSizeBytes);
    const expected = names.subarray(first * nameSizeBytes, last * nameSizeBytes);
    if (Buffer.compare(computed, expected) === 0) return misnamed;
    const found = misnamed ?? new Set<number>();
    for (let chunk = first; chunk < last; chunk++) {
      const at = (chunk - first) * nameSizeBytes;
      if (Buffer.compare(computed.subarray(at, at + nameSizeBytes), expected.subarray(at, at + nameSizeBytes)) !== 0) found.add(chunk);
    }
    return found;
  }

  /** The same for a block outside of the kernel: its chunks are copied there one by one. The ring is empty. */
  #misnamedOfLarge(bytes: Uint8Array, offsets: Uint32Array, names: Uint8Array): Set<number> | undefined {
    let misnamed: Set<number> | undefined;
    const { data } = this.#kernel;
    for (let chunk = 0; chunk + 1 < offsets.length; chunk++) {
      const [from, to] = [offsets[chunk]!, offsets[chunk + 1]!];
      data.set(bytes.subarray(from, to), arenaStart);
      this.#kernel.name(arenaStart, to - from, 0);
      const expected = names.subarray(chunk * nameSizeBytes, (chunk + 1) * nameSizeBytes);
      if (Buffer.compare(data.subarray(0, nameSizeBytes), expected) !== 0) (misnamed ??= new Set()).add(chunk);
    }
    return misnamed;
  }
}

/** Stored bytes of a pack that were fetched at once. */
interface ReadWindow {
  pack: PackId | undefined;
  offset: number;
  bytes: Uint8Array;
  buffer: Uint8Array<ArrayBuffer>;
}

/** Stored bytes around the blocks that were read last: where one block follows another, several are fetched at once. Files lie in a few packs at a time, so there is a window for each. */
class ReadWindows {
  readsAhead = false;
  readonly #storage: Storage;
  /** The one that was used last comes last. */
  readonly #windows: ReadWindow[] = Array.from({ length: restoreLimits.readWindows }, () => ({
    pack: undefined,
    offset: 0,
    bytes: new Uint8Array(0),
    buffer: new Uint8Array(0),
  }));
  /** The block that was read last of each pack, of those that were met lately. */
  readonly #lastNumbers = new Map<PackId, number>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** A block as it is stored, length field first. Valid until the next call. */
  async read(open: OpenPack, number: number): Promise<Uint8Array> {
    const { offset } = open.blocks[number]!;
    const length = storedLength(open.blocks[number]!);
    // Of a pack whose window went to another meanwhile what is read ahead would be gone again before it is used.
    const hasLost = this.#lastNumbers.has(open.pack) && this.#windows.every(({ pack }) => pack !== open.pack);
    const follows = this.#note(open.pack, number);
    const window = this.#find(open.pack, { offset, length }) ?? (await this.#fetch(open, number, (follows && !hasLost) || this.readsAhead));
    return window.bytes.subarray(offset - window.offset, offset - window.offset + length);
  }

  /** Whether the block comes after the one that was read last of its pack. */
  #note(pack: PackId, number: number): boolean {
    const follows = number === (this.#lastNumbers.get(pack) ?? -1) + 1;
    this.#lastNumbers.delete(pack);
    this.#lastNumbers.set(pack, number);
    if (this.#lastNumbers.size > restoreLimits.rememberedBlocks) this.#lastNumbers.delete(this.#lastNumbers.keys().next().value!);
    return follows;
  }

  #find(pack: PackId, { offset, length }: { offset: number; length: number }): ReadWindow | undefined {
    const found = this.#windows.findIndex(
      (window) => window.pack === pack && window.offset <= offset && offset + length <= window.offset + window.bytes.length,
    );
    if (found >= 0) this.#windows.push(...this.#windows.splice(found, 1));
    return found >= 0 ? this.#windows.at(-1) : undefined;
  }

  /** Takes the window of the pack, or the one that was not used for longest. */
  async #fetch({ pack, object, blocks }: OpenPack, number: number, ahead: boolean): Promise<ReadWindow> {
    const { offset } = blocks[number]!;
    const length = ahead ? lengthAhead(blocks, number) : storedLength(blocks[number]!);
    const own = this.#windows.findIndex((window) => window.pack === pack);
    const [window] = this.#windows.splice(Math.max(own, 0), 1) as [ReadWindow];
    this.#windows.push(window);
    window.pack = undefined;
    if (window.buffer.length < length) window.buffer = new Uint8Array(ahead ? Math.max(length, restoreLimits.readAheadBytes) : length);
    window.bytes = await this.#storage.get(object.name, { offset, length }, { into: window.buffer });
    window.offset = offset;
    window.pack = pack;
    return window;
  }
}

/** Length of as many blocks from `number` on as are read at once. */
function lengthAhead(blocks: readonly PackBlock[], number: number): number {
  let length = storedLength(blocks[number]!);
  for (let next = number + 1; next < blocks.length; next++) {
    const more = storedLength(blocks[next]!);
    if (length + more > restoreLimits.readAheadBytes) break;
    length += more;
  }
  return length;
}

function storedLength({ sealedLength }: PackBlock): number {
  return sealedLayout.lengthFieldSizeBytes + sealedLength;
}

function locate({ chunks, firstChunk, object }: OpenPack, { name }: DataExtent): { number: number; within: number } {
  const chunk = chunks.get(name, 0);
  if (chunk < 0) throw chunkMissing(name, object.name);
  let [low, high] = [0, firstChunk.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (firstChunk[middle]! <= chunk) low = middle;
    else high = middle - 1;
  }
  return { number: low, within: chunk - firstChunk[low]! };
}

function chunkOf(block: CachedBlock, within: number, { name, length }: DataExtent): LocatedChunk {
  const from = block.start + block.offsets[within]!;
  const to = block.start + block.offsets[within + 1]!;
  if (!hasName(block.names, within, name)) throw chunkMissing(name, block.object);
  if (block.misnamed?.has(within)) throw misnamedChunk(name, block);
  if (to - from !== length) throw wrongLength(name, block, { expected: length, found: to - from });
  return { block, from, to };
}

/** The map of a pack's chunks looks at the first half of a name only. */
function hasName(names: Uint8Array, within: number, name: Uint8Array): boolean {
  const at = within * nameSizeBytes;
  for (let index = nameSizeBytes - 1; index >= 0; index--) if (names[at + index] !== name[index]) return false;
  return true;
}

function chunkMissing(name: Uint8Array, object: string): LaganError {
  return new LaganError('chunk-missing', `chunk ${toHex(name)} was to be read from ${object}, which does not have it`, { object });
}

function misnamedChunk(name: Uint8Array, { object, number }: CachedBlock): LaganError {
  return new LaganError('name-mismatch', `chunk ${toHex(name)} in block ${number} of ${object} has bytes of another name`, {
    object,
    expected: toHex(name),
  });
}

function wrongLength(name: Uint8Array, { object }: CachedBlock, sizes: { expected: number; found: number }): LaganError {
  return new LaganError(
    'malformed',
    `chunk ${toHex(name)} of ${object} has ${sizes.found} bytes, the file that needs it says ${sizes.expected}`,
    { object, ...sizes },
  );
}

function forget({ pack, block }: { pack: CachedPack; block: CachedBlock }): void {
  if (pack.blocks[block.number] === block) pack.blocks[block.number] = undefined;
}

function offsetsOf(lengths: readonly number[]): Uint32Array {
  const offsets = new Uint32Array(lengths.length + 1);
  for (let index = 0; index < lengths.length; index++) offsets[index + 1] = offsets[index]! + lengths[index]!;
  return offsets;
}
