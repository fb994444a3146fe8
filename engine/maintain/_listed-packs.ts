import { expectChild, LaganError, type NodeReference, objectNames, type PackId, type Snapshot } from '../../repo-format/mod.ts';
import { NameMap } from '../names/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import { openTrees } from './_trees.ts';

/**
 * The packs that snapshots name in their lists of packs; no tree is walked. Lists share most of their nodes, and each node is read once: the cost is that of what
 * differs from snapshot to snapshot. A pack that was replaced is named, too.
 */
export class ListedPacks {
  readonly packs = new Set<PackId>();
  readonly #trees: TreeReader;
  readonly #seen = new NameMap();

  constructor(repository: Repository) {
    this.#trees = openTrees(repository);
  }

  /** Adds the packs of a snapshot. Errors: those of a damaged pack; then only some were added. */
  async add({ packs, listPacks }: Snapshot): Promise<void> {
    for (const pack of listPacks) this.packs.add(pack);
    if (packs === null) return;
    const root = await this.#open(packs);
    if (root === undefined) return;
    if (root.height !== packs.height) throw wrongList(packs, { expected: `height ${packs.height}`, found: `height ${root.height}` });
    await this.#addBelow(root);
    this.#seen.add(packs.name, 0, 0);
  }

  async #addBelow(node: PackList): Promise<void> {
    if (node.leaf) {
      for (const pack of node.items) this.packs.add(pack);
      return;
    }
    for (const [index, { node: reference }] of node.items.entries()) {
      const child = await this.#open(reference);
      if (child === undefined) continue;
      expectChild(node, index, child, objectNames.pack(reference.pack));
      await this.#addBelow(child);
      this.#seen.add(reference.name, 0, 0);
    }
  }

  /** Undefined if all below it was added before. Its pack is needed either way: another copy of the node may be in another one. */
  async #open(reference: NodeReference): Promise<PackList | undefined> {
    this.packs.add(reference.pack);
    if (this.#seen.get(reference.name, 0) >= 0) return undefined;
    const node = await this.#trees.node(reference);
    if (node.kind !== 'pack-list') throw wrongList(reference, { expected: 'a list of packs', found: node.kind });
    return node;
  }
}

type PackList = Extract<Awaited<ReturnType<TreeReader['node']>>, { kind: 'pack-list' }>;

function wrongList({ pack }: NodeReference, sizes: { expected: string; found: string }): LaganError {
  const object = objectNames.pack(pack);
  return new LaganError('malformed', `${object} was to hold ${sizes.expected} of a snapshot, there is ${sizes.found}`, {
    object,
    ...sizes,
  });
}
