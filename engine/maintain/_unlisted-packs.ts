/** Packs that no index table lists: what they hold is read from themselves. */
import { type LaganError, objectNames, type PackId, type Root } from '../../repo-format/mod.ts';
import { basePackRows, openTable, storeTablesOfPacks } from '../index/mod.ts';
import { idForSuccessor, type Repository } from '../repository/mod.ts';

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
export function storeTablesOf(
  repository: Repository,
  root: Root,
  { packs, onDamage }: { packs: readonly PackId[]; onDamage: (error: LaganError) => void },
): Promise<string[]> {
  return storeTablesOfPacks(repository, { packs, nextName: () => objectNames.baseIndex(idForSuccessor(root)), onDamage });
}
