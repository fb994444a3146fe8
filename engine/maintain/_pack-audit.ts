import type { NodeReference, PackId, Snapshot } from '../../repo-format/mod.ts';
import { NameMap } from '../names/mod.ts';
import { isDamage } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import type { Replacements } from './_replacements.ts';
import { openTrees } from './_trees.ts';

const [whole, lacking] = [0, 1];

/** Whether the packs of snapshots are all there, by their lists of packs. Of what lists share each node is read once. */
export class PackAudit {
  readonly #present: ReadonlyMap<PackId, number>;
  readonly #replaced: Replacements;
  readonly #trees: TreeReader;
  readonly #seen = new NameMap();

  constructor(repository: Repository, { present, replaced }: { present: ReadonlyMap<PackId, number>; replaced: Replacements }) {
    this.#present = present;
    this.#replaced = replaced;
    const moved = {
      async *packsOf(_name: Uint8Array, gone: PackId) {
        yield* replaced.get(gone) ?? [];
      },
    };
    this.#trees = openTrees(repository, moved);
  }

  /** False also where it cannot be known, because a list is damaged. Errors: those of the storage. */
  async isWhole({ packs, listPacks }: Snapshot): Promise<boolean> {
    if (!listPacks.every((pack) => this.#isThere(pack))) return false;
    return packs === null || (await this.#isWhole(packs));
  }

  #isThere(pack: PackId): boolean {
    return this.#present.has(pack) || this.#replaced.get(pack)?.every((by) => this.#present.has(by)) === true;
  }

  async #isWhole(reference: NodeReference): Promise<boolean> {
    const known = this.#seen.get(reference.name, 0);
    if (known >= 0) return known === whole;
    const isWhole = await this.#read(reference).catch((error: unknown) => {
      if (isDamage(error)) return false;
      throw error;
    });
    this.#seen.add(reference.name, 0, isWhole ? whole : lacking);
    return isWhole;
  }

  async #read(reference: NodeReference): Promise<boolean> {
    const node = await this.#trees.node(reference);
    if (node.kind !== 'pack-list') return false;
    if (node.leaf) return node.items.every((pack) => this.#isThere(pack));
    for (const { node: child } of node.items) if (!(await this.#isWhole(child))) return false;
    return true;
  }
}
