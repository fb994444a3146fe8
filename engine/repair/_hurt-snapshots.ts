/** Which snapshots rely on damaged packs, by their lists of packs. */
import type { NodeReference, PackId } from '../../repo-format/mod.ts';
import { movedChunks } from '../index/mod.ts';
import { NameMap } from '../names/mod.ts';
import { isDamage, PackReader } from '../packs/mod.ts';
import type { Repository, SnapshotInfo } from '../repository/mod.ts';
import { TreeReader } from '../trees/mod.ts';

const [isWhole, isHurt] = [0, 1];

/** Those of `snapshots` that list a damaged pack, or whose list cannot be read. What lists share is read once. Codes: those of the storage. */
export async function hurtSnapshots(
  repository: Repository,
  snapshots: readonly SnapshotInfo[],
  damaged: ReadonlySet<PackId>,
): Promise<SnapshotInfo[]> {
  const { storage, keys } = repository;
  const trees = new TreeReader(new PackReader({ storage, keys, moved: movedChunks(repository) }));
  const known = new NameMap();
  const lists = async (reference: NodeReference): Promise<boolean> => {
    const before = known.get(reference.name, 0);
    if (before >= 0) return before === isHurt;
    const hurt = damaged.has(reference.pack) || (await listsBelow(reference));
    known.add(reference.name, 0, hurt ? isHurt : isWhole);
    return hurt;
  };
  const listsBelow = async (reference: NodeReference): Promise<boolean> => {
    const node = await trees.node(reference);
    if (node.kind !== 'pack-list') return true;
    if (node.leaf) return node.items.some((pack) => damaged.has(pack));
    for (const { node: child } of node.items) if (await lists(child)) return true;
    return false;
  };
  const hurt: SnapshotInfo[] = [];
  for (const info of snapshots)
    if (info.snapshot.packs !== null && (await lists(info.snapshot.packs).catch(trueIfDamaged))) hurt.push(info);
  return hurt;
}

function trueIfDamaged(error: unknown): true {
  if (isDamage(error)) return true;
  throw error;
}
