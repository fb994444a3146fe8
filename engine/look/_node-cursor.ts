import { type Entry, expectChild, LaganError, type Node, type NodeReference, objectNames } from '../../repo-format/mod.ts';
import type { TreeReader } from '../trees/mod.ts';

/** A node that is still to be walked. */
interface Pending {
  readonly node: NodeReference;
  /** Undefined for a root that was not read yet. */
  readonly height: number | undefined;
  /** The node above, and which of its items this is. */
  readonly parent?: { readonly node: Node; readonly index: number };
}

/**
 * Walks the entries of one folder and can leave out whole nodes: two folders that share nodes are compared without reading those.
 */
export class NodeCursor {
  readonly #trees: TreeReader;
  /** What comes after the open leaf, last first. */
  readonly #pending: Pending[] = [];
  #leaf: readonly Entry[] = [];
  #index = 0;

  constructor(trees: TreeReader, root: NodeReference | null) {
    this.#trees = trees;
    if (root !== null) this.#pending.push({ node: root, height: undefined });
  }

  /** The entry that comes next, undefined at the end. */
  async peek(): Promise<Entry | undefined> {
    while (this.#index >= this.#leaf.length) {
      if (this.#pending.length === 0) return undefined;
      await this.#open();
    }
    return this.#leaf[this.#index];
  }

  /** Goes past the entry that {@link peek} gave. */
  advance(): void {
    this.#index++;
  }

  /** Goes past all nodes that both cursors come to next. */
  static async skipShared(left: NodeCursor, right: NodeCursor): Promise<void> {
    while (true) {
      const [a, b] = [left.#nextNode(), right.#nextNode()];
      if (a === undefined || b === undefined) return;
      if (isSameNode(a.node, b.node)) {
        left.#pending.pop();
        right.#pending.pop();
        continue;
      }
      const [heightA, heightB] = [a.height ?? Number.POSITIVE_INFINITY, b.height ?? Number.POSITIVE_INFINITY];
      if (heightA === 0 && heightB === 0) return;
      if (heightA >= heightB) await left.#open();
      if (heightB >= heightA) await right.#open();
    }
  }

  /** The node that comes next, if no leaf is open. */
  #nextNode(): Pending | undefined {
    return this.#index >= this.#leaf.length ? this.#pending.at(-1) : undefined;
  }

  async #open(): Promise<void> {
    const { node: reference, parent } = this.#pending.pop()!;
    const node = await this.#trees.node(reference);
    if (parent !== undefined) expectChild(parent.node, parent.index, node, objectNames.pack(reference.pack));
    if (node.kind !== 'directory') throw wrongKind(reference, node.kind);
    if (node.leaf) {
      this.#leaf = node.items;
      this.#index = 0;
    } else {
      for (let index = node.items.length - 1; index >= 0; index--)
        this.#pending.push({ node: node.items[index]!.node, height: node.height - 1, parent: { node, index } });
    }
  }
}

/** Whether two references name the same bytes, wherever they are stored. */
export function isSameNode(a: NodeReference | null, b: NodeReference | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a.name, b.name) === 0;
}

function wrongKind({ pack }: NodeReference, found: string): LaganError {
  const object = objectNames.pack(pack);
  return new LaganError('malformed', `a directory node was expected in ${object}, a ${found} node is there`, {
    object,
    expected: 'directory',
    found,
  });
}
