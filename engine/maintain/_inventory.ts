/** All that is in a store, whether or not its root knows of it: for the recovery of one that went back (spec/root.md, ROOT-23). */
import {
  type Catalogue,
  type CatalogueEntry,
  isLaganError,
  type LaganError,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
  type SnapshotId,
} from '../../repo-format/mod.ts';
import { openTable } from '../index/mod.ts';
import { isDamage } from '../packs/mod.ts';
import {
  listCheckpointPlaces,
  listCommits,
  listIndexTables,
  type Repository,
  readAllCatalogues,
  recoveryReach,
  rootNumberOf,
  type StandingSnapshot,
} from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';
import type { Replacements } from './_replacements.ts';

export interface Inventory {
  /** Of all roots, and of those that objects were made for; as far as somebody can have made them. */
  readonly highestNumber: number;
  readonly highestGeneration: number;
  /** Names of objects with a number or generation that no root can have had: made up by somebody, with or without a key. They count for nothing. */
  readonly madeUp: readonly string[];
  /** Every snapshot that has its own object, or is in a catalogue. */
  readonly snapshots: readonly StandingSnapshot[];
  /** Those that have their own object. */
  readonly commits: ReadonlySet<SnapshotId>;
  /** Index tables that together list all packs that are there and in any table. */
  readonly tables: readonly string[];
  /** The packs that `tables` list, whether or not they are there. */
  readonly listed: ReadonlySet<PackId>;
  /** Packs that are gone, or were lost in part, with those that replaced them, by the newest base index that says so. */
  readonly replaced: Replacements;
}

export interface InventoryOptions extends CallOptions {
  readonly present: ReadonlyMap<PackId, number>;
  /** Is told of catalogues and tables that are damaged: they are left out. */
  readonly onDamage: (error: LaganError) => void;
}

/** Codes: those of the storage. */
export async function takeInventory(repository: Repository, root: Root, options: InventoryOptions): Promise<Inventory> {
  const { onDamage, signal } = options;
  // Every generation counts.
  const everything: Root = { ...root, phase: 'open', floor: 0, pastFloor: 0 };
  const catalogues = await readAllCatalogues(repository, { onDamage, signal });
  const commits = await listCommits(repository, everything, { signal });
  const checkpoints = await listCheckpointPlaces(repository, everything, { catalogue: { checkpoints: [] }, signal });
  const sessionTables = await listIndexTables(repository, everything, { from: 0, signal });
  const collected = await listCollected(repository, root, { signal });
  const snapshots = union(catalogues, commits);
  const generations = [...snapshots, ...checkpoints, ...sessionTables, ...catalogues.flatMap((catalogue) => catalogue.checkpoints)];
  const isMadeUp = ({ generation }: { generation: number }) => generation > root.generation + recoveryReach;
  const tables = await tablesThatSuffice(repository, [...collected.baseIndexes, ...sessionTables.map(({ name }) => name)], options);
  return {
    highestNumber: Math.max(root.number, collected.highestNumber),
    highestGeneration: generations
      .filter((one) => !isMadeUp(one))
      .reduce((highest, { generation }) => Math.max(highest, generation), root.generation),
    madeUp: [...collected.madeUp, ...[...commits, ...checkpoints, ...sessionTables].filter(isMadeUp).map(({ name }) => name)],
    snapshots,
    commits: new Set(commits.map(({ id }) => id)),
    ...tables,
  };
}

/** What a recovery puts into its catalogue: the stored bytes where a catalogue had them, while there is room. Step C lists the commits again. */
export function cataloguedEntries({ snapshots, commits }: Inventory): CatalogueEntry[] {
  let sizeBytes = snapshots.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  return snapshots.flatMap(({ id, generation, bytes }) => {
    if (bytes === null) return [];
    if (sizeBytes <= maintainLimits.cataloguedBytes || !commits.has(id)) return [{ id, generation, object: bytes }];
    sizeBytes -= bytes.length;
    return [];
  });
}

/** The highest number of roots and of those that the collector's objects were made for; and the base indexes, the newest first. */
async function listCollected(
  { storage, unreadableRoots = [] }: Repository,
  root: Root,
  { signal }: CallOptions,
): Promise<{ highestNumber: number; baseIndexes: string[]; madeUp: string[] }> {
  let highestNumber = 0;
  const baseIndexes: string[] = [];
  const madeUp: string[] = [];
  const count = (name: string, number: number): void => {
    if (number > root.number + recoveryReach) madeUp.push(name);
    else highestNumber = Math.max(highestNumber, number);
  };
  const countNamed = (name: string): void => {
    const parsed = parseObjectName(name);
    if (parsed?.type === 'root') count(name, parsed.number);
    if (parsed?.type === 'base-index') baseIndexes.unshift(name);
    if (parsed?.type === 'base-index' || parsed?.type === 'catalogue' || parsed?.type === 'lost-list') count(name, rootNumberOf(parsed.id));
  };
  for (const name of unreadableRoots) countNamed(name);
  for (const prefix of [objectPrefixes.roots, objectPrefixes.catalogues, objectPrefixes.lostLists, objectPrefixes.baseIndexes]) {
    for await (const { name } of storage.list(prefix, { signal })) countNamed(name);
  }
  return { highestNumber, baseIndexes, madeUp };
}

/** A catalogue's bytes are better than an object that its collector may be about to delete. */
function union(catalogues: readonly Catalogue[], commits: readonly StandingSnapshot[]): StandingSnapshot[] {
  const found = new Map<SnapshotId, StandingSnapshot>(commits.map((commit) => [commit.id, commit]));
  for (const { id, generation, object } of catalogues.flatMap(({ snapshots }) => snapshots))
    if (object.length > 0) found.set(id, { id, generation, name: objectNames.snapshot(generation, id), standing: 'valid', bytes: object });
  return [...found.values()];
}

/** Leaves out tables that list no pack besides those that the tables before them list: old base indexes have much in common. */
async function tablesThatSuffice(
  { storage, keys }: Repository,
  names: readonly string[],
  { present, onDamage }: InventoryOptions,
): Promise<Pick<Inventory, 'tables' | 'listed' | 'replaced'>> {
  const listed = new Set<PackId>();
  const replacements = new Map<PackId, readonly PackId[]>();
  const tables: string[] = [];
  for (const name of names) {
    try {
      const { packs, replaced } = await openTable(storage, { name, keys, memory: undefined });
      for (const { pack, by } of replaced)
        if ((!present.has(pack) || by.includes(pack)) && !replacements.has(pack)) replacements.set(pack, by);
      if (packs.every(({ id }) => listed.has(id) || !present.has(id))) continue;
      for (const { id } of packs) listed.add(id);
      tables.push(name);
    } catch (error) {
      if (!isDamage(error) && !isLaganError(error, 'not-found')) throw error;
      onDamage(error);
    }
  }
  return { tables, listed, replaced: replacements };
}
