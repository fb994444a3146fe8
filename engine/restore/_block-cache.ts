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
import { decompressPayload, isDamage, type OpenPack, type PackReader } from '../packs/mod.ts';
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
  /** Bytes that were handed out. */
  used: number;
}

/** Bytes of a chunk: `[from, to)` of `block.bytes`. Valid until the next block is loaded. */
export interface LocatedChunk {
  readonly block: CachedBlock;
  readonly from: number;
  readonly to: number;
}

export type DataExtent = Extract<Extent, { kind: 'data' }>;

interface HeldBlock {
  readonly pack: CachedPack;
  readonly block: CachedBlock;
}

interface CachedPack {
  readonly open: OpenPack;
  /** By number; undefined if not opened (any more). */
  readonly blocks: (CachedBlock | undefined)[];
}

/**
 * Opened blocks of data packs, for one worker: read, authenticated, decompressed and *verified*, each chunk against its name, before anybody sees a byte.
 * They lie in a ring in the kernel's data area, where names are computed; the oldest make room, but those of which little was used since they came get their place anew: of a file
 * that was changed day by day, a block of one day has chunks far apart. A block that is too large for the ring is kept beside it, alone.
 */
export class BlockCache {
  readonly #kernel: Kernel;
  readonly #reader: PackReader;
  readonly #packs = new Map<PackId, CachedPack>();
  /** Packs whose chunks are in others now. */
  readonly #gone = new Set<PackId>();
  /** In the ring, oldest first. */
  readonly #ring: HeldBlock[] = [];
  #ringHead = arenaStart;
  /** Blocks that had to make room and are to have a place anew: copies of their bytes. A quarter of the ring at most, so that the newest block stays. */
  readonly #kept: (HeldBlock & { readonly bytes: Uint8Array })[] = [];
  #keptBytes = new Uint8Array(0);
  /** Where compressed blocks are opened. */
  #plaintext = new Uint8Array(0);
  #large: HeldBlock | undefined;
  readonly #windows: ReadWindows;
  #expected: readonly Extent[] = [];
  /** Of each pack, the blocks that the expected chunks are in. */
  readonly #neededBlocks = new Map<PackId, ReadonlySet<number>>();

  constructor({ storage, kernel, reader }: { storage: Storage; kernel: Kernel; reader: PackReader }) {
    this.#kernel = kernel;
    this.#reader = reader;
    this.#windows = new ReadWindows(storage, Math.floor(this.#arenaBytes / restoreLimits.arenaBytesPerWindow));
  }

  /** What will be asked for, in any order: as many blocks as that needs are read at once. Of what is not expected a block is read alone. */
  get expected(): readonly Extent[] {
    return this.#expected;
  }

  set expected(extents: readonly Extent[]) {
    this.#expected = extents;
    this.#neededBlocks.clear();
    this.#windows.release();
  }

  /** Where the chunk is, if its block is open. Errors: as {@link load}. */
  find(extent: DataExtent): LocatedChunk | undefined {
    const pack = this.#openPackOf(extent);
    if (pack === undefined) return undefined;
    const { number, within } = locate(pack.open, extent);
    const block = pack.blocks[number];
    return block === undefined || block.misnamed?.has(within) ? undefined : chunkOf(block, within, extent);
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
      if (isDamage(error)) return this.#loadElsewhere(extent, { pack, cause: error });
      if (!isLaganError(error, 'not-found')) throw error;
      // Deleted since it was opened: the collector has moved what is needed of it.
      this.#forgetPack(pack);
      return this.#loadFrom(await this.#open(extent), extent);
    }
  }

  /** From another pack that has the chunk, too, since this one is damaged where it lies. Errors: `cause`. */
  async #loadElsewhere(extent: DataExtent, { pack, cause }: { pack: CachedPack; cause: LaganError }): Promise<LocatedChunk> {
    for await (const open of this.#reader.otherHolders(extent.name, extent.pack, 'pack')) {
      if (open.pack === pack.open.pack) continue;
      try {
        return await this.#loadFrom(this.#keep(open), extent);
      } catch (error) {
        if (!isDamage(error) && !isLaganError(error, 'not-found')) throw error;
      }
    }
    throw cause;
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
    return this.#keep(open);
  }

  #keep(open: OpenPack): CachedPack {
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

  #needed(open: OpenPack): ReadonlySet<number> {
    const known = this.#neededBlocks.get(open.pack);
    if (known !== undefined) return known;
    const needed = new Set<number>();
    for (const extent of this.#expected) {
      const mayBeHere = extent.kind === 'data' && (extent.pack === open.pack || this.#gone.has(extent.pack));
      if (mayBeHere && open.chunks.get(extent.name, 0) >= 0) needed.add(locate(open, extent).number);
    }
    this.#neededBlocks.set(open.pack, needed);
    return needed;
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
    const stored = await this.#windows.read(pack.open, number, this.#needed(pack.open));
    const open = (into?: Uint8Array) => openSegmentOf(object, { number, offset }, stored, into);
    const plaintextLength = sealedLength - sealedLayout.tagSizeBytes;
    if (Math.max(plaintextLength, rawLength) >= this.#arenaBytes) return this.#takeLarge(pack, number, open());
    const room = codec === 'raw' ? this.#roomInRing(plaintextLength) : this.#roomForPlaintext(plaintextLength);
    return this.#takeIntoRing(pack, number, open(room));
  }

  get #arenaBytes(): number {
    return this.#kernel.data.length - arenaStart;
  }

  /** The plaintext of a block that is stored raw lies in the ring already. */
  #takeIntoRing(pack: CachedPack, number: number, plaintext: Uint8Array): CachedBlock {
    const { codec, rawLength, payload, ...base } = this.#decode(pack, number, plaintext);
    const { data } = this.#kernel;
    const room = codec === 'raw' ? payload : this.#roomInRing(rawLength + 1);
    const raw = decompressPayload(payload, { codec, rawLength, objectName: base.object, into: room });
    if (raw.buffer !== data.buffer) room.set(raw);
    const start = room.byteOffset - data.byteOffset;
    const misnamed = this.#misnamed(start, base.offsets, base.names);
    const block = { ...base, bytes: data, start, end: start + rawLength, misnamed, used: 0 };
    this.#ring.push({ pack, block });
    pack.blocks[number] = block;
    this.#placeAgain();
    return block;
  }

  /** Blocks that were kept come behind the newest one; what makes room for them goes for good. */
  #placeAgain(): void {
    for (const { pack, block, bytes } of this.#kept.splice(0)) {
      const room = this.#roomInRing(bytes.length, { keeps: false });
      room.set(bytes);
      const start = room.byteOffset - this.#kernel.data.byteOffset;
      const again = { ...block, start, end: start + bytes.length, used: 0 };
      this.#ring.push({ pack, block: again });
      pack.blocks[block.number] = again;
    }
  }

  #takeLarge(pack: CachedPack, number: number, plaintext: Uint8Array): CachedBlock {
    const { codec, rawLength, payload, ...base } = this.#decode(pack, number, plaintext);
    const bytes = decompressPayload(payload, { codec, rawLength, objectName: base.object });
    this.#dropRing();
    const block = { ...base, bytes, start: 0, end: rawLength, misnamed: this.#misnamedOfLarge(bytes, base.offsets, base.names), used: 0 };
    this.#forgetLarge();
    this.#large = { pack, block };
    pack.blocks[number] = block;
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

  /** Room for `size` bytes in the ring. Blocks follow each other in it by age, so the oldest are always the next that are in the way. */
  #roomInRing(size: number, { keeps = size <= this.#arenaBytes / 4 }: { keeps?: boolean } = {}): Uint8Array {
    if (this.#ringHead + size > this.#kernel.data.length) {
      while (this.#ring.length > 0 && this.#ring[0]!.block.start >= this.#ringHead) this.#takeOldest(keeps);
      this.#ringHead = arenaStart;
    }
    const start = this.#ringHead;
    this.#ringHead += size;
    while (this.#ring.length > 0 && this.#ring[0]!.block.start >= start && this.#ring[0]!.block.start < this.#ringHead)
      this.#takeOldest(keeps);
    return this.#kernel.data.subarray(start, start + size);
  }

  /** Forgets the oldest block, or keeps a copy if some of it was used, but not most. */
  #takeOldest(keeps: boolean): void {
    const held = this.#ring.shift()!;
    const { pack, block } = held;
    const size = block.end - block.start;
    const isHalfUsed = block.used > 0 && block.used < restoreLimits.usedUpShare * size && pack.blocks[block.number] === block;
    const room = keeps && isHalfUsed ? this.#roomToKeep(size) : undefined;
    if (room !== undefined) {
      room.set(block.bytes.subarray(block.start, block.end));
      this.#kept.push({ ...held, bytes: room });
    }
    forget(held);
  }

  #roomToKeep(size: number): Uint8Array | undefined {
    const start = this.#kept.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const limit = Math.floor(this.#arenaBytes / 4);
    if (start + size > limit) return undefined;
    if (this.#keptBytes.length === 0) this.#keptBytes = new Uint8Array(limit);
    return this.#keptBytes.subarray(start, start + size);
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
  /** Bytes from here on were not asked for yet. */
  next: number;
  /** Number of the read that used it last. */
  usedAt: number;
}

/**
 * Stored bytes of the blocks that were read last. Blocks that are needed and lie side by side are fetched at once, into a window that stays until all of it was asked for: files lie in a
 * few packs at a time. Where no such window is free, a block is fetched alone.
 */
class ReadWindows {
  readonly #storage: Storage;
  readonly #windows: readonly ReadWindow[];
  readonly #single = newWindow();
  #reads = 0;

  constructor(storage: Storage, count: number) {
    this.#storage = storage;
    this.#windows = Array.from({ length: count }, newWindow);
  }

  /** What was read ahead need not stay. */
  release(): void {
    for (const window of this.#windows) window.next = Number.POSITIVE_INFINITY;
  }

  /** A block as it is stored, length field first. Valid until the next call. `needed`: blocks of the pack that will be asked for. */
  async read(open: OpenPack, number: number, needed: ReadonlySet<number>): Promise<Uint8Array> {
    this.#reads++;
    const { offset } = open.blocks[number]!;
    const end = offset + storedLength(open.blocks[number]!);
    const window =
      this.#windows.find(({ pack, offset: start, bytes }) => pack === open.pack && start <= offset && end <= start + bytes.length) ??
      (await this.#fetch(open, number, needed));
    window.next = Math.max(window.next, end);
    window.usedAt = this.#reads;
    return window.bytes.subarray(offset - window.offset, end - window.offset);
  }

  async #fetch({ pack, object, blocks }: OpenPack, number: number, needed: ReadonlySet<number>): Promise<ReadWindow> {
    const { offset } = blocks[number]!;
    const alone = storedLength(blocks[number]!);
    const ahead = lengthNeeded(blocks, number, needed);
    const free = ahead > alone ? this.#windows.find((window) => this.#isFree(window)) : undefined;
    const [window, length] = free === undefined ? [this.#single, alone] : [free, ahead];
    window.pack = undefined;
    if (window.buffer.length < length)
      window.buffer = new Uint8Array(free === undefined ? length : Math.max(length, restoreLimits.readAheadBytes));
    window.bytes = await this.#storage.get(object.name, { offset, length }, { into: window.buffer });
    window.offset = window.next = offset;
    window.pack = pack;
    return window;
  }

  /** All of it was asked for, or it seems that nobody will. */
  #isFree({ pack, offset, bytes, next, usedAt }: ReadWindow): boolean {
    return pack === undefined || next >= offset + bytes.length || this.#reads - usedAt > restoreLimits.idleReads;
  }
}

function newWindow(): ReadWindow {
  return { pack: undefined, offset: 0, bytes: new Uint8Array(0), buffer: new Uint8Array(0), next: 0, usedAt: 0 };
}

/** Length of the block and of those that follow it, as long as they are needed and not too much at once. */
function lengthNeeded(blocks: readonly PackBlock[], number: number, needed: ReadonlySet<number>): number {
  let length = storedLength(blocks[number]!);
  for (let next = number + 1; next < blocks.length && needed.has(next); next++) {
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
  block.used += length;
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
