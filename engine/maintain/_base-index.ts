import { type LaganError, type ObjectReference, objectNames, type PackId, type Root } from '../../repo-format/mod.ts';
import { mergeIndexTables } from '../index/mod.ts';
import { listPresentPacks } from '../packs/mod.ts';
import { idForSuccessor, isRecoveryRoot, type Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { HashedTarget } from './_hashed-target.ts';
import { maintainLimits } from './_limits.ts';
import type { Survey } from './_survey.ts';
import { packsListedIn, storeTablesOf } from './_unlisted-packs.ts';

export interface Fold extends CallOptions {
  /** Packs that the new base index leaves out. */
  readonly without: ReadonlySet<PackId>;
  /** Whether the old one lists some of them. */
  readonly changed: boolean;
  /** Packs that were condemned and are needed: they are listed from now on, though perhaps no table does. */
  readonly rescued: readonly PackId[];
  /** Is told of packs that cannot be read: they are not listed. */
  readonly onDamage: (error: LaganError) => void;
}

/** The base index of step C. Under the root of a recovery it lists every pack that is there, and no other. */
export async function foldIndex(
  repository: Repository,
  { root, tables }: Pick<Survey, 'root' | 'tables'>,
  { without, changed, rescued, onDamage, signal }: Fold,
): Promise<ObjectReference | null> {
  const names = tables.map(({ name }) => name);
  const isRecovery = isRecoveryRoot(root);
  const old = root.baseIndex === null ? [] : [objectNames.baseIndex(root.baseIndex.id)];
  const listed = isRecovery || rescued.length > 0 ? await packsListedIn(repository, [...old, ...names]) : new Set<PackId>();
  // Asked for after the tables were listed: what they name was there before them.
  const present = isRecovery ? await listPresentPacks(repository.storage, { signal }) : undefined;
  const unlisted = [...(present ?? rescued)].filter((pack) => !listed.has(pack));
  const gone = present === undefined ? [] : [...listed].filter((pack) => !present.has(pack));
  const added = await storeTablesOf(repository, root, { packs: unlisted, onDamage });
  const isSame = names.length + added.length + gone.length === 0 && !changed;
  if (isSame || (root.baseIndex === null && names.length + added.length === 0)) return root.baseIndex;
  return storeBaseIndex(repository, root, { tables: [...names, ...added], without: new Set([...without, ...gone]) });
}

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
