import { decodeNode, type Entry, expectChild, LaganError, type Node, type NodeReference, objectNames } from '../../repo-format/mod.ts';
import { buffersDropped } from '../memory/mod.ts';
import type { PackReader } from '../packs/mod.ts';

/** A leaf of a directory: its entries, and its bytes, from which workers decode them again. */
export interface DirectoryLeaf {
  readonly items: readonly Entry[];
  /** A copy: what is kept of it does not keep a whole block. */
  readonly bytes: Uint8Array;
  /** Name of the pack that it is from. */
  readonly object: string;
}

type DirectoryNode = Extract<Node, { kind: 'directory' }>;

interface ReadNode {
  readonly node: DirectoryNode;
  /** Undefined for an inner node. */
  readonly leaf: DirectoryLeaf | undefined;
}

/** Reads directories leaf by leaf. Errors: `pack-missing`, `chunk-missing`, and those of a damaged pack. */
export class DirectoryLeaves {
  readonly #packs: PackReader;

  constructor(packs: PackReader) {
    this.#packs = packs;
  }

  /** The leaves in the order of their entries' names. `null` is the empty directory. */
  async *of(root: NodeReference | null): AsyncGenerator<DirectoryLeaf> {
    if (root === null) return;
    yield* this.#below(await this.#read(root));
  }

  /** The leaf that holds the entry of that name, and its number in it. */
  async find(root: NodeReference | null, name: Uint8Array): Promise<{ leaf: DirectoryLeaf; index: number } | undefined> {
    if (root === null) return undefined;
    let { node, leaf } = await this.#read(root);
    while (leaf === undefined) {
      const child = innerItems(node).findIndex(({ lastName }) => Buffer.compare(lastName, name) >= 0);
      if (child < 0) return undefined;
      ({ node, leaf } = await this.#child(node, child));
    }
    const index = leaf.items.findIndex((entry) => Buffer.compare(entry.name, name) === 0);
    return index < 0 ? undefined : { leaf, index };
  }

  async *#below({ node, leaf }: ReadNode): AsyncGenerator<DirectoryLeaf> {
    if (leaf !== undefined) yield leaf;
    else for (const index of innerItems(node).keys()) yield* this.#below(await this.#child(node, index));
  }

  /** A child of an inner node, if it is what its parent says. */
  async #child(parent: DirectoryNode, index: number): Promise<ReadNode> {
    const reference = innerItems(parent)[index]!.node;
    const child = await this.#read(reference);
    expectChild(parent, index, child.node, objectNames.pack(reference.pack));
    return child;
  }

  async #read(reference: NodeReference): Promise<ReadNode> {
    const object = objectNames.pack(reference.pack);
    const bytes = (await this.#packs.chunk(reference.name, reference.pack, 'metadata-pack')).slice();
    buffersDropped(4 * bytes.length);
    const node = decodeNode(bytes, object);
    if (node.kind !== 'directory')
      throw new LaganError('malformed', `a directory was expected in ${object}, a ${node.kind} is there`, {
        object,
        expected: 'directory',
        found: node.kind,
      });
    return { node, leaf: node.leaf ? { items: node.items, bytes, object } : undefined };
  }
}

function innerItems(node: DirectoryNode): readonly { readonly lastName: Uint8Array; readonly node: NodeReference }[] {
  return node.leaf ? [] : node.items;
}
