import { objectPrefixes, type PackId, parseObjectName } from '../../repo-format/mod.ts';
import type { Storage } from '../storage/mod.ts';

/** The packs that are in the store, by its own word: what index tables say may have been lost since. Errors: those of a listing, which is complete or fails. */
export async function listPresentPacks(storage: Storage, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Set<PackId>> {
  const present = new Set<PackId>();
  const listBelow = async (prefix: string): Promise<void> => {
    for await (const { name } of storage.list(prefix, { signal })) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'pack') present.add(parsed.id);
    }
  };
  await Promise.all([objectPrefixes.writerPacks, objectPrefixes.collectorPacks].map(listBelow));
  return present;
}
