/** How new packs are: a pack is as new as the oldest snapshot that lists it. */
import type { NodeReference } from '../../repo-format/mod.ts';
import { NameMap } from '../names/mod.ts';
import type { SnapshotInfo } from '../repository/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import { isDamage } from './_findings.ts';
import type { KnownPacks } from './_known-packs.ts';

/**
 * Notes the age of each pack: the number of the first of `snapshots` that lists it, which are sorted by time. Of what their lists share each node is read once. A list that is damaged
 * is passed over: whoever checks it tells.
 */
export async function notePackAges(
  snapshots: readonly SnapshotInfo[],
  { trees, packs, breathe }: { trees: TreeReader; packs: KnownPacks; breathe: () => Promise<void> | undefined },
): Promise<void> {
  const seen = new NameMap();
  const read = async (reference: NodeReference, age: number): Promise<void> => {
    if (seen.get(reference.name, 0) >= 0) return;
    await breathe();
    seen.add(reference.name, 0, 0);
    packs.noteAge(reference.pack, age);
    const node = await trees.node(reference);
    if (node.kind !== 'pack-list') return;
    if (node.leaf) for (const pack of node.items) packs.noteAge(pack, age);
    else for (const { node: child } of node.items) await read(child, age);
  };
  for (const [age, { snapshot }] of snapshots.entries()) {
    if (snapshot.packs === null) continue;
    try {
      await read(snapshot.packs, age);
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }
}
