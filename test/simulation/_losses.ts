/** Packs of data that the store loses or spoils while programs are at work, and what must be so in the end: by what is there, chunk by chunk. */
import { openFile, walkSnapshot } from '../../engine/look/mod.ts';
import { isDamage, listPresentPacks, PackReader, VerifiedBlocks } from '../../engine/packs/mod.ts';
import { listSnapshots, type Repository, readLostPacks, readRoot } from '../../engine/repository/mod.ts';
import type { Storage } from '../../engine/storage/mod.ts';
import { TreeReader } from '../../engine/trees/mod.ts';
import { isLaganError, objectNames, type PackId, type SnapshotId, toHex } from '../../repo-format/mod.ts';
import type { Random } from './random.ts';

/** What an honest program may say of a store that has lost something. */
export function isOfLoss(error: unknown): boolean {
  return isDamage(error) || isLaganError(error, 'chunk-missing') || isLaganError(error, 'rolled-back');
}

/** A pack of data vanishes, or a bit of its first block flips. Returns how many: nothing happens if there is none. */
export async function loseSome(repository: Repository, random: Random): Promise<0 | 1> {
  const { storage } = repository;
  const packs: PackId[] = [];
  for (const pack of [...(await listPresentPacks(storage))].sort()) if (await isOfData(repository, pack)) packs.push(pack);
  if (packs.length === 0) return 0;
  const name = objectNames.pack(random.pick(packs));
  const bytes = Uint8Array.from(await storage.get(name));
  await storage.delete([name]);
  if (random.chance(0.5)) return 1;
  bytes[200]! ^= 0x55;
  await storage.create(name, [bytes]);
  return 1;
}

/**
 * Every file of which all chunks are there can be read, any other one says that it is damaged; the root calls lost what is needed and not there, and nothing
 * that is there. Returns what is otherwise, and how many files are damaged.
 */
export async function faultsOfLosses(
  repository: Repository,
  snapshots: readonly { id: SnapshotId; folder: string }[],
): Promise<{ faults: string[]; hurt: number }> {
  let hurt = 0;
  const [there, lost] = [await chunksThere(repository), await lostChunks(repository)];
  const faults: string[] = [];
  const missing = new Set<string>();
  const trees = new TreeReader(new PackReader(repository));
  for (const info of await listSnapshots(repository)) {
    const known = snapshots.find(({ id }) => id === info.id);
    if (known === undefined) continue;
    for await (const { entry } of walkSnapshot(repository, info, { path: Buffer.from(known.folder) })) {
      if (entry.type !== 'file') continue;
      const needed: string[] = [];
      for await (const extents of trees.extents(entry.content))
        for (const extent of extents) if (extent.kind === 'data') needed.push(toHex(extent.name));
      const gone = needed.filter((name) => !there.has(name));
      for (const name of gone) missing.add(name);
      if (gone.length > 0) hurt++;
      const outcome = await readWhole(repository, entry);
      if (outcome !== (gone.length === 0))
        faults.push(`snapshot ${info.id}: ${entry.name} ${outcome ? 'can' : 'cannot'} be read, ${gone.length} chunks are gone`);
    }
  }
  for (const name of lost) if (there.has(name)) faults.push(`chunk ${name} is there, and called lost`);
  for (const name of missing) if (!lost.has(name)) faults.push(`chunk ${name} is gone, and not called lost`);
  return { faults, hurt };
}

async function readWhole(repository: Repository, entry: Parameters<typeof openFile>[1]): Promise<boolean> {
  try {
    for await (const _ of openFile(repository, entry).stream());
    return true;
  } catch (error) {
    if (isOfLoss(error)) return false;
    throw error;
  }
}

async function lostChunks(repository: Repository): Promise<Set<string>> {
  const lost = await readLostPacks(repository, await readRoot(repository));
  return new Set([...lost.values()].flat().map(toHex));
}

/** Chunks of data in blocks that open and have the names that their packs give. */
async function chunksThere(repository: Repository): Promise<Set<string>> {
  const there = new Set<string>();
  const blocks = new VerifiedBlocks({ ...repository, openPacks: 8 });
  for (const pack of await listPresentPacks(repository.storage)) {
    if (!(await isOfData(repository, pack))) continue;
    const open = await blocks.open(pack, 'pack');
    for (const [number, { names }] of open.blocks.entries()) {
      try {
        for await (const _ of blocks.read(open, [number]))
          for (let at = 0; at < names.length; at += 32) there.add(toHex(names.subarray(at, at + 32)));
      } catch (error) {
        if (!isOfLoss(error)) throw error;
      }
    }
  }
  return there;
}

async function isOfData({ storage, keys }: { storage: Storage; keys: Repository['keys'] }, pack: PackId): Promise<boolean> {
  try {
    await new PackReader({ storage, keys }).open(pack, 'pack');
    return true;
  } catch (error) {
    if (isLaganError(error)) return false;
    throw error;
  }
}
