/** Verifications (spec/records.md) of which nothing is left to say. */
import { compareTimes, objectPrefixes, type PackId } from '../../repo-format/mod.ts';
import { listPresentPacks } from '../packs/mod.ts';
import { listVerifications, type Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';

/** The names of those of which each pack is gone, or in a later one. Where there are few they are not looked at. Codes: those of the storage. */
export async function superfluousVerifications(repository: Repository, { signal }: CallOptions): Promise<string[]> {
  let count = 0;
  for await (const _ of repository.storage.list(objectPrefixes.verifications, { signal })) count++;
  if (count <= maintainLimits.keptVerifications) return [];
  const all = await listVerifications(repository, { onDamage: () => undefined, signal });
  // After them: what they name was there before.
  const present = await listPresentPacks(repository.storage, { signal });
  const told = new Set<PackId>();
  const superfluous: string[] = [];
  for (const { name, value } of all.toSorted((left, right) => compareTimes(right.value.time, left.value.time))) {
    const news = value.packs.filter((pack) => present.has(pack) && !told.has(pack));
    if (news.length === 0) superfluous.push(name);
    for (const pack of news) told.add(pack);
  }
  return superfluous;
}
