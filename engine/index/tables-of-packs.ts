/** Index tables that are made of what packs themselves say that they hold. */
import pLimit from 'p-limit';
import { type LaganError, objectNames, type PackId, type PackKind, parseSealedHeader, sealedLayout } from '../../repo-format/mod.ts';
import { isDamage, PackReader, type StoredPack } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { writeIndexTable } from './table-writer.ts';

const concurrentReads = 16;
/** Packs go into a table in groups of this size: the names of their chunks are in memory. */
const packsPerTable = 32;

export interface TablesOfPacksOptions extends CallOptions {
  readonly packs: readonly PackId[];
  /** The name of the next table. */
  readonly nextName: () => string;
  /** Is told of packs that are damaged: they are left out. */
  readonly onDamage: (error: LaganError) => void;
}

/** Stores index tables of packs, and returns their names. Codes: those of the storage. */
export async function storeTablesOfPacks(
  repository: Repository,
  { packs, nextName, onDamage, signal }: TablesOfPacksOptions,
): Promise<string[]> {
  const { storage, keys } = repository;
  const names: string[] = [];
  for (let first = 0; first < packs.length; first += packsPerTable) {
    signal?.throwIfAborted();
    const group = packs.slice(first, first + packsPerTable);
    const read = await pLimit(concurrentReads).map(group, (pack) => readStoredPack(repository, pack, onDamage));
    const stored = read.filter((pack) => pack !== undefined);
    if (stored.length === 0) continue;
    const name = nextName();
    await writeIndexTable(storage, { name, keys, packs: stored });
    names.push(name);
  }
  return names;
}

/** A pack as its own contents tell. A damaged one is told of: undefined. Codes: not-found, and those of the storage. */
export async function readStoredPack(
  { storage, keys }: Repository,
  pack: PackId,
  onDamage: (error: LaganError) => void,
): Promise<StoredPack | undefined> {
  const name = objectNames.pack(pack);
  try {
    const header = await storage.get(name, { offset: 0, length: sealedLayout.headerSizeBytes });
    const kind = parseSealedHeader(header, {}, name).kind as PackKind;
    const { object, blocks } = await new PackReader({ storage, keys }).open(pack, kind);
    return { pack, kind, names: Buffer.concat(blocks.map((block) => block.names)), sizeBytes: object.sizeBytes };
  } catch (error) {
    if (!isDamage(error)) throw error;
    onDamage(error);
    return undefined;
  }
}
