import { objectNames, type PackId } from '../../repo-format/mod.ts';
import { openTable } from '../index/mod.ts';
import { listCheckpoints, type Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { isDamage } from './_findings.ts';

/**
 * Packs that are kept for backups which were interrupted: those in the index tables of sessions that have a checkpoint, also where the collector has passed them, so that the tables do not count
 * any more. Codes: those of the storage.
 */
export async function keptForUnfinished(repository: Repository, { signal }: CallOptions): Promise<Set<PackId>> {
  const { storage, keys } = repository;
  const kept = new Set<PackId>();
  for (const { id, generation } of await listCheckpoints(repository, { onDamage: () => undefined, signal })) {
    const anyTable = objectNames.sessionIndex(generation, id, 0, 0);
    for await (const { name } of storage.list(anyTable.slice(0, anyTable.lastIndexOf('.') + 1), { signal })) {
      try {
        for (const pack of (await openTable(storage, { name, keys, memory: undefined })).packs) kept.add(pack.id);
      } catch (error) {
        if (!isDamage(error)) throw error;
      }
    }
  }
  return kept;
}
