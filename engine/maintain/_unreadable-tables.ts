/** Index tables of sessions that are damaged: a collection goes on without them, and they are removed with those that it folds. */
import pLimit from 'p-limit';
import { isLaganError, type LaganError, parseObjectName, type Root } from '../../repo-format/mod.ts';
import { openMergedRows } from '../index/mod.ts';
import { throwIfInterrupted } from '../look/mod.ts';
import { isDamage } from '../packs/mod.ts';
import { listIndexTables, lowestGeneration, type Repository, type StoredReport, withNewestKeys } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';

/** Whether reading has failed because an index table of a session is damaged; not if the keys are too old for it. */
export async function isOfDamagedTable(repository: Repository, error: unknown, { signal }: CallOptions): Promise<boolean> {
  if (!isDamage(error) || parseObjectName(error.object ?? '')?.type !== 'session-index') return false;
  return (await withNewestKeys(repository, { signal })) === repository;
}

/** Reads all of the index tables that count under `root`, or of those among `only`: those that cannot be read, by their names. Codes: those of the storage. */
export async function findUnreadableTables(
  repository: Repository,
  root: Root,
  { only, signal }: { only?: ReadonlySet<string> } & CallOptions,
): Promise<ReadonlyMap<string, LaganError>> {
  const unreadable = new Map<string, LaganError>();
  const all = await listIndexTables(repository, root, { from: lowestGeneration(root), signal });
  const tables = only === undefined ? all : all.filter(({ name }) => only.has(name));
  await pLimit(maintainLimits.tablesReadAtOnce).map(tables, async ({ name }) => {
    try {
      const { pages } = await openMergedRows(repository.storage, { keys: repository.keys, tables: [name] });
      for await (const _ of pages()) throwIfInterrupted(signal);
    } catch (error) {
      if (isDamage(error)) unreadable.set(name, error);
      // Removed by another collector.
      else if (!isLaganError(error, 'not-found')) throw error;
    }
  });
  return unreadable;
}

/** The index tables of sessions that damage reports name. */
export function reportedTables(reports: readonly StoredReport[]): string[] {
  const objects = reports.flatMap(({ value }) => value.findings.flatMap(({ pack, object }) => (pack === null ? object : [])));
  return objects.filter((object) => parseObjectName(object)?.type === 'session-index');
}
