import { decodeNode, type Entry, LaganError, type Node, type NodeReference, objectNames } from '../../repo-format/mod.ts';
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

/** Reads directories leaf by leaf. Errors: `pack-missing`, `chunk-missing`, and those of a damaged pack. */
export class DirectoryLeaves {
  readonly #packs: PackReader;

  constructor(packs: PackReader) {
    this.#packs = packs;
  }

  /** The leaves in the order of their entries' names. `null` is the empty directory. */
  async *of(root: NodeReference | null): AsyncGenerator<DirectoryLeaf> {
    if (root === null) return;
    const { node, leaf } = await this.#read(root);
    if (leaf !== undefined) yield leaf;
    else for (const child of innerItems(node)) yield* this.of(child.node);
  }

  /** The leaf that holds the entry of that name, and its number in it. */
  async find(root: NodeReference | null, name: Uint8Array): Promise<{ leaf: DirectoryLeaf; index: number } | undefined> {
    if (root === null) return undefined;
    const { node, leaf } = await this.#read(root);
    if (leaf !== undefined) {
      const index = leaf.items.findIndex((entry) => Buffer.compare(entry.name, name) === 0);
      return index < 0 ? undefined : { leaf, index };
    }
    const child = innerItems(node).find(({ lastName }) => Buffer.compare(lastName, name) >= 0);
    return child === undefined ? undefined : this.find(child.node, name);
  }

  async #read(reference: NodeReference): Promise<{ node: DirectoryNode; leaf: DirectoryLeaf | undefined }> {
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
