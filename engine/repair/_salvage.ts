/** Copies what can still be opened of damaged packs into new ones, unless other packs have it. */
import type { PackId, PackKind } from '../../repo-format/mod.ts';
import { movedChunks } from '../index/mod.ts';
import { type NamedBlock, PackReader, PackWriter, type StoredPack } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import { type DamagedPack, DamagedPackReader } from './_saved-blocks.ts';
import type { SalvagedPack } from './result.ts';

const nameSizeBytes = 32;

export interface SalvageOptions {
  /** Whether other data may rely on a pack: it is there, not damaged, and not about to be deleted. */
  readonly isGood: (pack: PackId) => boolean;
  /** Given in a dry run: blocks of data are not copied, and a pack that would have them is told of. Blocks of folders are, since the rest of the dry run reads them. */
  readonly pretendPack: ((pack: PackId) => Promise<void>) | undefined;
}

interface Counts {
  savedBlocks: number;
  savedChunks: number;
  savedBytes: number;
  elsewhereChunks: number;
  lostBlocks: number;
  lostChunks: number;
}

export interface Salvaged {
  readonly salvaged: SalvagedPack;
  /** The new pack, in no index table yet; undefined if there is nothing to be had, or other packs have all of it. */
  readonly stored: StoredPack | undefined;
}

export class Salvage {
  readonly #repository: Repository;
  readonly #options: SalvageOptions;
  readonly #reader: DamagedPackReader;
  readonly #packs: PackReader;

  /** Code: no-key, where the key grants metadata only. */
  constructor(repository: Repository, options: SalvageOptions) {
    this.#repository = repository;
    this.#options = options;
    this.#reader = new DamagedPackReader(repository);
    const { storage, keys } = repository;
    this.#packs = new PackReader({ storage, keys, moved: movedChunks(repository) });
  }

  /** Saves what there is in a damaged pack. Codes: those of the storage. */
  async save(pack: PackId): Promise<Salvaged> {
    const counts: Counts = { savedBlocks: 0, savedChunks: 0, savedBytes: 0, elsewhereChunks: 0, lostBlocks: 0, lostChunks: 0 };
    const opened = await this.#reader.open(pack);
    if (opened === undefined) return { salvaged: { pack, newPack: null, isReadable: false, ...counts }, stored: undefined };
    const { storage, keys } = this.#repository;
    const writer = new PackWriter({ storage, keys, kind: opened.kind });
    try {
      const stored = await this.#copy(opened, { pack, writer, counts });
      return { salvaged: { pack, newPack: stored?.pack ?? null, isReadable: true, ...counts }, stored };
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  async #copy(
    opened: DamagedPack,
    { pack, writer, counts }: { pack: PackId; writer: PackWriter; counts: Counts },
  ): Promise<StoredPack | undefined> {
    const pretends = this.#options.pretendPack !== undefined && opened.kind === 'pack';
    const names: Uint8Array[] = [];
    for await (const found of this.#reader.blocks(opened)) {
      if (found.block === null) {
        counts.lostBlocks++;
        counts.lostChunks += found.lostChunks ?? 0;
      } else if (await this.#isElsewhere(found.block, { pack, kind: opened.kind }))
        counts.elsewhereChunks += found.block.chunkLengths.length;
      else {
        const block = { ...found.block, names: found.block.names.slice() };
        if (!pretends) await writer.write(block);
        names.push(block.names);
        counts.savedBlocks++;
        counts.savedChunks += block.chunkLengths.length;
        counts.savedBytes += block.rawLength;
      }
    }
    if (!pretends) return writer.close();
    if (names.length === 0) return undefined;
    await this.#options.pretendPack!(writer.pack);
    return { pack: writer.pack, kind: opened.kind, names: Buffer.concat(names), sizeBytes: 0 };
  }

  /** Every chunk of the block is in a good pack, too. */
  async #isElsewhere({ names }: NamedBlock, where: { pack: PackId; kind: PackKind }): Promise<boolean> {
    for (let offset = 0; offset < names.length; offset += nameSizeBytes) {
      if (!(await this.#hasGoodPack(names.slice(offset, offset + nameSizeBytes), where))) return false;
    }
    return true;
  }

  async #hasGoodPack(name: Uint8Array, { pack, kind }: { pack: PackId; kind: PackKind }): Promise<boolean> {
    for await (const other of this.#packs.otherHolders(name, pack, kind)) if (this.#options.isGood(other.pack)) return true;
    return false;
  }
}
