/** What a key tells of the source: which snapshots count, and what its newest root relies on. */
import { objectNames, type PackId, type Root, type SessionId } from '../../repo-format/mod.ts';
import { basePackRows, openTable, readBaseIndex } from '../index/mod.ts';
import {
  findRollback,
  listCommits,
  listIndexTables,
  lowestGeneration,
  type Repository,
  readCatalogueRecord,
  readPackList,
  rolledBack,
} from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';

export interface SourceState {
  readonly root: Root;
  /** Commits and checkpoints below it do not count by themselves. */
  readonly lowestGeneration: number;
  /** Names of the commits that count. */
  readonly snapshots: ReadonlySet<string>;
  /** Those of them that the catalogue holds: their objects may be gone. */
  readonly heldByCatalogue: ReadonlySet<string>;
  /** Sessions whose checkpoints the catalogue keeps. */
  readonly keptSessions: ReadonlySet<SessionId>;
}

/** Codes: rolled-back, object-missing and those of damage, as far as the root relies on it. */
export async function readSourceState(repository: Repository, root: Root, { signal }: CallOptions): Promise<SourceState> {
  const evidence = await findRollback(repository, root, { signal });
  if (evidence !== null) throw rolledBack(evidence);
  const [commits, catalogue] = await Promise.all([
    listCommits(repository, root, { signal }),
    readCatalogueRecord(repository, root, { signal }),
  ]);
  const nameOf = ({ generation, id }: (typeof catalogue.snapshots)[number]) => objectNames.snapshot(generation, id);
  const catalogued = catalogue.snapshots.map(nameOf);
  return {
    root,
    lowestGeneration: lowestGeneration(root),
    snapshots: new Set([...commits.map(({ name }) => name), ...catalogued]),
    heldByCatalogue: new Set(catalogue.snapshots.filter(({ object }) => object.length > 0).map(nameOf)),
    keptSessions: new Set(catalogue.checkpoints.map(({ session }) => session)),
  };
}

/** The packs that index tables list and no collection has given up. */
export async function indexedPacks(repository: Repository, root: Root, { signal }: CallOptions): Promise<ReadonlySet<PackId>> {
  const { storage, keys } = repository;
  const packs = new Set<PackId>();
  for await (const rows of basePackRows(storage, { reference: root.baseIndex, keys, signal })) for (const { id } of rows) packs.add(id);
  for (const { name } of await listIndexTables(repository, root, { signal }))
    for (const { id } of (await openTable(storage, { name, keys, memory: undefined })).packs) packs.add(id);
  for (const id of await readPackList(repository, root.doomed, { signal })) packs.delete(id);
  return packs;
}

/** The names of all that a root refers to. */
export async function referredObjects({ storage, keys }: Repository, root: Root, { signal }: CallOptions): Promise<ReadonlySet<string>> {
  const { tables } = await readBaseIndex(storage, { reference: root.baseIndex, keys, signal });
  const names = new Set(tables.map(({ name }) => name));
  if (root.catalogue !== null) names.add(objectNames.catalogue(root.catalogue.id));
  for (const list of [root.lost, root.condemned, root.doomed]) if (list !== null) names.add(objectNames.lostList(list.id));
  return names;
}
