import type { Entry, LaganError, NodeReference, PackId } from '../../repo-format/mod.ts';
import { isDamage } from '../packs/mod.ts';
import type { NameRange } from '../system/mod.ts';
import type { TreeReader } from '../trees/mod.ts';

/** What {@link PreviousDirectory.trySeek} answers when the next leaf must be read: then await {@link PreviousDirectory.seek}. */
export const needsLeaf = Symbol('needs a leaf');

const noEntries: readonly Entry[] = [];

/**
 * A folder as the parent snapshot has it, walked in step with the scan of today: names are asked for in ascending order. What cannot be read because the repository
 * is damaged is as if it were not there: it is stored again.
 */
export class PreviousDirectory {
  readonly node: NodeReference | null;
  readonly #leaves: AsyncGenerator<readonly Entry[]>;
  readonly #packs = new Set<PackId>();
  readonly #onDamage: (error: LaganError) => void;
  #leaf: readonly Entry[] = noEntries;
  #index = 0;
  #ended = false;
  #missed = 0;

  constructor(reader: TreeReader, node: NodeReference | null, onDamage: (error: LaganError) => void) {
    this.node = node;
    this.#leaves = reader.entries(node, ({ pack }) => this.#packs.add(pack));
    this.#onDamage = onDamage;
  }

  /** The packs of all nodes that were read. */
  get packs(): PackId[] {
    return [...this.#packs];
  }

  /** The entry of that name, undefined if there was none, or {@link needsLeaf}. */
  trySeek(name: NameRange): Entry | undefined | typeof needsLeaf {
    while (this.#index < this.#leaf.length) {
      const entry = this.#leaf[this.#index]!;
      const order = compareNames(entry.name, name);
      if (order > 0) return undefined;
      this.#index++;
      if (order === 0) return entry;
      this.#missed++;
    }
    return this.#ended ? undefined : needsLeaf;
  }

  async seek(name: NameRange): Promise<Entry | undefined> {
    for (;;) {
      const found = this.trySeek(name);
      if (found !== needsLeaf) return found;
      await this.#nextLeaf();
    }
  }

  /** Whether every entry was asked for. */
  async allMet(): Promise<boolean> {
    if (this.#missed > 0 || this.#index < this.#leaf.length) return false;
    if (!this.#ended) await this.#nextLeaf();
    return this.#ended && this.#missed === 0;
  }

  async #nextLeaf(): Promise<void> {
    this.#index = 0;
    this.#leaf = noEntries;
    try {
      const { value, done } = await this.#leaves.next();
      this.#ended = done === true;
      this.#leaf = value ?? noEntries;
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#ended = true;
      this.#missed++;
      this.#onDamage(error);
    }
  }
}

/** Order of names: bytewise. */
function compareNames(a: Uint8Array, { nameBytes, nameStart, nameEnd }: NameRange): number {
  const bLength = nameEnd - nameStart;
  const length = Math.min(a.length, bLength);
  for (let index = 0; index < length; index++) {
    const difference = a[index]! - nameBytes[nameStart + index]!;
    if (difference !== 0) return difference;
  }
  return a.length - bLength;
}
