import type { Entry, NodeReference } from '../../repo-format/mod.ts';
import { isDamage } from '../packs/mod.ts';
import type { TreeReader } from '../trees/mod.ts';

/** Walks the entries of a folder in step with another one: names are asked for in ascending order. What is damaged is as if it were not there. */
export class DirectoryCursor {
  readonly #leaves: AsyncGenerator<readonly Entry[]>;
  #leaf: readonly Entry[] = [];
  #index = 0;
  #ended = false;

  constructor(reader: TreeReader, node: NodeReference | null) {
    this.#leaves = reader.entries(node);
  }

  /** The entry of that name, if there is one. */
  async seek(name: Uint8Array): Promise<Entry | undefined> {
    for (;;) {
      for (; this.#index < this.#leaf.length; this.#index++) {
        const entry = this.#leaf[this.#index]!;
        const order = Buffer.compare(entry.name, name);
        if (order === 0) return entry;
        if (order > 0) return undefined;
      }
      if (this.#ended) return undefined;
      await this.#nextLeaf();
    }
  }

  async #nextLeaf(): Promise<void> {
    this.#index = 0;
    this.#leaf = [];
    try {
      const { value, done } = await this.#leaves.next();
      this.#ended = done === true;
      this.#leaf = value ?? [];
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#ended = true;
    }
  }
}
