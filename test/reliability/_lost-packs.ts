/** Packs that are lost, wholly or in part, and what must come back: for incidents and schedules. */
import path from 'node:path';
import { withCache } from '../../engine/cache/mod.ts';
import { check } from '../../engine/check/mod.ts';
import { PackReader } from '../../engine/packs/mod.ts';
import { listReportedPacks, type Repository, readLostPacks, readRoot } from '../../engine/repository/mod.ts';
import type { Storage } from '../../engine/storage/mod.ts';
import { isLaganError, objectNames, objectPrefixes, type PackId, parseObjectName } from '../../repo-format/mod.ts';
import { copyOf, namesIn, replaceObject } from '../engine/repository/sample.ts';
import { forget } from '../simulation/engine-calls.ts';
import { backUp, faultsOf, faultsOfRestores, lostOf, open, type Sample } from './_crash-points.ts';
import { collectIn } from './_stops.ts';

export type Loss = 'gone' | 'damaged';

/** The packs of data in the store. */
export async function dataPacks(storage: Storage): Promise<PackId[]> {
  const packs: PackId[] = [];
  const repository = await open(storage);
  for (const prefix of [objectPrefixes.writerPacks, objectPrefixes.collectorPacks])
    for (const name of await namesIn(storage, prefix)) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'pack' && (await isOfData(repository, parsed.id))) packs.push(parsed.id);
    }
  return packs;
}

/** Whether a pack is one of data, and its contents can be read. */
export async function isOfData({ storage, keys }: Repository, pack: PackId): Promise<boolean> {
  try {
    await new PackReader({ storage, keys }).open(pack, 'pack');
    return true;
  } catch (error) {
    if (isLaganError(error)) return false;
    throw error;
  }
}

/** A pack vanishes, or bits of its first block flip. */
export async function lose(storage: Storage, pack: PackId, how: Loss): Promise<void> {
  const name = objectNames.pack(pack);
  if (how === 'gone') return storage.delete([name]);
  const bytes = Uint8Array.from(await storage.get(name));
  bytes[200]! ^= 0x55;
  await replaceObject(storage, name, bytes);
}

/** What `lagan check --read-data` does: what it finds is reported. */
export async function checkAndReport(storage: Storage): Promise<void> {
  await check(await open(storage), { readData: true, workers: 1, record: true });
}

/** What the root calls lost, and how many chunks of it are not back. */
export async function lostNow(storage: Storage): Promise<{ packs: PackId[]; chunks: number; reported: PackId[] }> {
  const repository = await open(storage);
  const lost = await readLostPacks(repository, await readRoot(repository));
  const chunks = [...lost.values()].reduce((sum, names) => sum + names.length, 0);
  return { packs: [...lost.keys()], chunks, reported: [...(await listReportedPacks(repository))] };
}

/** The machine that made the backups, with its cache. */
export async function backUpWithCache(sample: Sample, cache: string): Promise<void> {
  const [contents] = sample.expected.values();
  const repository = withCache(await open(sample.storage), { folder: cache });
  sample.expected.set(await backUp(repository, sample.source), contents!);
}

/**
 * Loses each pack of data in turn, on a copy of the sample. After a check the source is backed up, unchanged, by the machine that has a warm cache: then all snapshots are restored. They still are when
 * the backup that brought the chunks is forgotten and collected.
 */
export async function loseEachPack(
  sample: Sample,
  { how, collect, cache }: { how: Loss; collect: boolean; cache: string },
): Promise<string[]> {
  const faults: string[] = [];
  for (const pack of await dataPacks(sample.storage)) {
    const copy: Sample = { ...sample, storage: await copyOf(sample.storage), expected: new Map(sample.expected) };
    const before = [...copy.expected.keys()];
    await lose(copy.storage, pack, how);
    if ((await lostOf(copy)).length === 0) faults.push('nothing was lost');
    await checkAndReport(copy.storage);
    if (collect) await collectIn(copy.storage);
    if (collect && !(await lostNow(copy.storage)).packs.includes(pack)) faults.push('the root does not call the pack lost');
    await backUpWithCache(copy, cache);
    faults.push(...(await lostOf(copy)), ...(await restoreFaults(copy)));
    if (faults.length > 0) return faults.map((fault) => `${pack} ${how}, after the backup: ${fault}`);
    const added = [...copy.expected.keys()].filter((id) => !before.includes(id));
    for (const id of added) copy.expected.delete(id);
    await forget(await open(copy.storage), added);
    for (let collections = 0; collections < 3; collections++) await collectIn(copy.storage);
    const { chunks, reported } = await lostNow(copy.storage);
    if (chunks + reported.length > 0) faults.push(`${chunks} chunks are called lost, ${reported.length} packs reported`);
    faults.push(...(await (how === 'gone' ? faultsOf(copy) : lostOf(copy))));
    if (faults.length > 0) return faults.map((fault) => `${pack} ${how}, after the backup was forgotten: ${fault}`);
  }
  return faults;
}

/** As a user restores; what a check says of a pack that is still lost is no fault. */
async function restoreFaults(sample: Sample): Promise<string[]> {
  return (await faultsOfRestores(sample)).filter((fault) => !/^(pack-missing|authentication-failed|malformed|name-mismatch)/.test(fault));
}

export function cacheOf({ folder }: Sample): string {
  return path.join(folder, 'warm-cache');
}
