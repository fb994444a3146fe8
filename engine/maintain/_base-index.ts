import { type ObjectReference, objectNames, type PackId, type Root } from '../../repo-format/mod.ts';
import { mergeIndexTables } from '../index/mod.ts';
import { idForSuccessor, type Repository } from '../repository/mod.ts';
import { HashedTarget } from './_hashed-target.ts';
import { maintainLimits } from './_limits.ts';

/**
 * Stores the base index for the successor of `root`: what the old one and the tables have, without the packs that are doomed. Where many tables are merged it goes in
 * rounds, so that memory does not grow with their number; what lies between is an object that no root refers to, and is deleted with those.
 */
export async function storeBaseIndex(
  repository: Repository,
  root: Root,
  { tables, without }: { tables: readonly string[]; without: ReadonlySet<PackId> },
): Promise<ObjectReference> {
  const old = root.baseIndex === null ? [] : [objectNames.baseIndex(root.baseIndex.id)];
  let sources = [...tables];
  while (sources.length >= maintainLimits.mergedTables) {
    const merged: string[] = [];
    for (let first = 0; first < sources.length; first += maintainLimits.mergedTables) {
      const group = sources.slice(first, first + maintainLimits.mergedTables);
      const { id } = await storeMerged(repository, root, { tables: group, without });
      merged.push(objectNames.baseIndex(id));
    }
    sources = merged;
  }
  return storeMerged(repository, root, { tables: [...old, ...sources], without });
}

async function storeMerged(
  { storage, keys }: Repository,
  root: Root,
  { tables, without }: { tables: readonly string[]; without: ReadonlySet<PackId> },
): Promise<ObjectReference> {
  const id = idForSuccessor(root);
  const target = new HashedTarget(storage);
  await mergeIndexTables(storage, { name: objectNames.baseIndex(id), keys, tables, without, target });
  return { id, hash: target.digest() };
}
