/** Packs that no index table lists: what they hold is read from themselves. */
import pLimit from 'p-limit';
import {
  type LaganError,
  objectNames,
  type PackId,
  type PackKind,
  parseSealedHeader,
  type Root,
  sealedLayout,
} from '../../repo-format/mod.ts';
import { basePackRows, openTable, writeIndexTable } from '../index/mod.ts';
import { isDamage, PackReader, type StoredPack } from '../packs/mod.ts';
import { idForSuccessor, type Repository } from '../repository/mod.ts';
import { maintainLimits } from './_limits.ts';

/** The packs that the root's base index lists, or one of the tables. Codes: those of damaged tables, and of the storage. */
export async function packsListedIn({ storage, keys }: Repository, root: Root, tables: readonly string[]): Promise<Set<PackId>> {
  const listed = new Set<PackId>();
  for await (const rows of basePackRows(storage, { reference: root.baseIndex, keys })) for (const { id } of rows) listed.add(id);
  for (const name of tables) for (const { id } of (await openTable(storage, { name, keys, memory: undefined })).packs) listed.add(id);
  return listed;
}

/**
 * Stores index tables of `packs`, for the successor of `root`, and returns their names. No root refers to them: they are to be merged into a base index. A pack that is
 * damaged is told of and left out.
 */
export async function storeTablesOf(
  repository: Repository,
  root: Root,
  { packs, onDamage }: { packs: readonly PackId[]; onDamage: (error: LaganError) => void },
): Promise<string[]> {
  const { storage, keys } = repository;
  const names: string[] = [];
  for (let first = 0; first < packs.length; first += maintainLimits.packsPerTable) {
    const group = packs.slice(first, first + maintainLimits.packsPerTable);
    const read = await pLimit(maintainLimits.concurrentReads).map(group, (pack) => readStoredPack(repository, pack, onDamage));
    const stored = read.filter((pack) => pack !== undefined);
    if (stored.length === 0) continue;
    const name = objectNames.baseIndex(idForSuccessor(root));
    await writeIndexTable(storage, { name, keys, packs: stored });
    names.push(name);
  }
  return names;
}

async function readStoredPack(
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
