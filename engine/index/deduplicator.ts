import type { PackId, PackKind } from '../../repo-format/mod.ts';
import { NameMap } from '../names/mod.ts';
import { isDamage, type OpenPack, type PackReader } from '../packs/mod.ts';
import { type ChunkTable, notFound } from './chunk-table.ts';
import type { PackTable } from './pack-table.ts';
import type { StoredIndex } from './stored-index.ts';

/** What {@link Deduplicator.claim} answers when only {@link Deduplicator.lookUp} can tell. */
export const unresolved = -4;

/** Chunks of recently met packs that a thread keeps (24 bytes each). */
const recentChunksLimit = 1 << 15;

/**
 * Decides for one thread whether a chunk is new. Asked in this order: what this session has written (all threads), the chunks of packs
 * that had earlier hits (neighbours come next: Zhu et al., "Avoiding the Disk Bottleneck in the Data Domain Deduplication
 * File System", 2008), the stored tables (filter, then page).
 */
export class Deduplicator {
  readonly #written: ChunkTable;
  readonly #packs: PackTable;
  readonly #stored: StoredIndex;
  readonly #reader: PackReader;
  readonly #kind: PackKind;
  readonly #excluded: ReadonlySet<PackId>;
  #recent = new NameMap();
  #recentPacks = new Set<PackId>();
  readonly #damaged = new Set<PackId>();

  /** `excluded`: packs that must not be relied on any more (condemned, doomed, lost). */
  constructor(parts: {
    written: ChunkTable;
    packs: PackTable;
    stored: StoredIndex;
    reader: PackReader;
    kind: PackKind;
    excluded?: ReadonlySet<PackId>;
  }) {
    this.#written = parts.written;
    this.#packs = parts.packs;
    this.#stored = parts.stored;
    this.#reader = parts.reader;
    this.#kind = parts.kind;
    this.#excluded = parts.excluded ?? new Set();
  }

  /**
   * Claims the chunk named at `names[offset…]` for the pack `ordinal`. Answers `claimed` (new: the caller must store it), the
   * ordinal of the pack that has it, `tableFull`, or {@link unresolved}: then await {@link lookUp}.
   */
  claim(names: Uint8Array, offset: number, ordinal: number): number {
    const known = this.#known(names, offset);
    if (known !== notFound) return known;
    if (this.#stored.mayContain(names, offset)) return unresolved;
    return this.#written.claim(names, offset, ordinal);
  }

  /**
   * Asks the stored tables: the ordinal of a pack that has the chunk, or `notFound`. A pack that is missing or damaged does not count, so that what
   * it had is stored again.
   */
  async lookUp(names: Uint8Array, offset: number): Promise<number> {
    const pack = await this.#stored.find(names, offset, (candidate) => this.#isGood(candidate));
    return pack === undefined ? notFound : this.#packs.ordinalOf(pack);
  }

  /** The ordinal of the pack that has a chunk, or `notFound`; nothing is claimed. */
  find(names: Uint8Array, offset: number): number | Promise<number> {
    const known = this.#known(names, offset);
    return known === notFound && this.#stored.mayContain(names, offset) ? this.lookUp(names, offset) : known;
  }

  /** {@link claim} for a chunk that {@link lookUp} did not find; never `unresolved`. */
  claimNew(names: Uint8Array, offset: number, ordinal: number): number {
    return this.#written.claim(names, offset, ordinal);
  }

  #known(names: Uint8Array, offset: number): number {
    const written = this.#written.find(names, offset);
    if (written !== notFound) return written;
    const recent = this.#recent.get(names, offset);
    return recent >= 0 ? recent : notFound;
  }

  async #isGood(pack: PackId): Promise<boolean> {
    if (this.#recentPacks.has(pack)) return true;
    if (this.#excluded.has(pack) || this.#damaged.has(pack)) return false;
    try {
      this.#remember(pack, await this.#reader.open(pack, this.#kind));
      return true;
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#damaged.add(pack);
      return false;
    }
  }

  #remember(pack: PackId, { blocks }: OpenPack): void {
    if (this.#recent.size > recentChunksLimit) {
      this.#recent = new NameMap();
      this.#recentPacks = new Set();
    }
    this.#recentPacks.add(pack);
    const ordinal = this.#packs.ordinalOf(pack);
    for (const { names } of blocks) for (let offset = 0; offset < names.length; offset += 32) this.#recent.add(names, offset, ordinal);
  }
}
