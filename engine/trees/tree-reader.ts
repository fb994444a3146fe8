import {
  type Content,
  decodeNode,
  type Entry,
  type Extent,
  expectChild,
  LaganError,
  type Node,
  type NodeReference,
  objectNames,
  type PackId,
} from '../../repo-format/mod.ts';
import type { PackReader } from '../packs/mod.ts';

/** Reads trees of nodes: directories, contents, lists of packs. Nodes are verified by the seal of their block. */
export class TreeReader {
  readonly #packs: PackReader;

  constructor(packs: PackReader) {
    this.#packs = packs;
  }

  /** One node. Errors: `pack-missing`, `chunk-missing`, `malformed`, and those of a damaged pack. */
  async node({ name, pack }: NodeReference): Promise<Node> {
    return decodeNode(await this.#packs.chunk(name, pack, 'metadata-pack'), objectNames.pack(pack));
  }

  /** The entries of a directory in the order of their names, a leaf at a time. `null` is the empty directory. `onNode` is told of each node before it is read. */
  async *entries(root: NodeReference | null, onNode?: (node: NodeReference) => void): AsyncGenerator<readonly Entry[]> {
    if (root === null) return;
    onNode?.(root);
    yield* this.#entriesOf(await this.#nodeOf(root, 'directory'), onNode);
  }

  /** The entry of that name in a directory, or undefined. Reads one node for each level. */
  async entry(root: NodeReference | null, name: Uint8Array): Promise<Entry | undefined> {
    if (root === null) return undefined;
    let node = await this.#nodeOf(root, 'directory');
    while (!node.leaf) {
      const child = node.items.findIndex(({ lastName }) => Buffer.compare(lastName, name) >= 0);
      if (child < 0) return undefined;
      node = await this.#child(node, child);
    }
    return node.items.find((entry) => Buffer.compare(entry.name, name) === 0);
  }

  /** The extents of a file from the one that covers `offset` on, each with its place in the file, a leaf at a time. */
  async *extents(content: Content, offset = 0): AsyncGenerator<readonly PlacedExtent[]> {
    if (content.form === 'inline') yield place(content.extents, 0, offset);
    else if (content.form === 'node') yield* this.#extentsOf(await this.#nodeOf(content.node, 'content'), 0, offset);
  }

  /** All packs that a content relies on: as its entry lists them, or, where they are too many for that, as its nodes say. */
  async contentPacks(content: Content): Promise<ReadonlySet<PackId>> {
    if (content.form === 'none') return new Set();
    if (content.form === 'inline') return new Set(content.extents.flatMap((extent) => (extent.kind === 'data' ? [extent.pack] : [])));
    const packs = new Set<PackId>([content.node.pack, ...content.packs]);
    if (content.packs.length === 0) await this.#gatherPacks(await this.#nodeOf(content.node, 'content'), packs);
    return packs;
  }

  /** The ids of a list of packs, in order. */
  async *packList(root: NodeReference): AsyncGenerator<readonly PackId[]> {
    yield* this.#packsOf(await this.#nodeOf(root, 'pack-list'));
  }

  async *#entriesOf(node: NodeOf<'directory'>, onNode?: (node: NodeReference) => void): AsyncGenerator<readonly Entry[]> {
    if (node.leaf) {
      yield node.items;
      return;
    }
    for (const [index, child] of node.items.entries()) {
      onNode?.(child.node);
      yield* this.#entriesOf(await this.#child(node, index), onNode);
    }
  }

  async *#packsOf(node: NodeOf<'pack-list'>): AsyncGenerator<readonly PackId[]> {
    if (node.leaf) yield node.items;
    else for (const index of node.items.keys()) yield* this.#packsOf(await this.#child(node, index));
  }

  async #gatherPacks(node: NodeOf<'content'>, packs: Set<PackId>): Promise<void> {
    for (const pack of node.packs) packs.add(pack);
    if (!node.leaf) for (const index of node.items.keys()) await this.#gatherPacks(await this.#child(node, index), packs);
  }

  async *#extentsOf(node: NodeOf<'content'>, start: number, offset: number): AsyncGenerator<readonly PlacedExtent[]> {
    if (node.leaf) {
      yield place(node.items, start, offset);
      return;
    }
    let childStart = start;
    for (const [index, child] of node.items.entries()) {
      if (childStart + child.bytesBelow > offset) yield* this.#extentsOf(await this.#child(node, index), childStart, offset);
      childStart += child.bytesBelow;
    }
  }

  /** A child of an inner node, if it is what its parent says: kind, height, last name. So nothing is descended to for ever. */
  async #child<Kind extends Node['kind']>(parent: InnerNodeOf<Kind>, index: number): Promise<NodeOf<Kind>> {
    const reference = parent.items[index]!.node;
    const child = await this.node(reference);
    expectChild(parent, index, child, objectNames.pack(reference.pack));
    return child as NodeOf<Kind>;
  }

  async #nodeOf<Kind extends Node['kind']>(reference: NodeReference, kind: Kind): Promise<NodeOf<Kind>> {
    const node = await this.node(reference);
    if (node.kind !== kind)
      throw new LaganError('malformed', `a ${kind} node was expected in pack ${reference.pack}, a ${node.kind} node is there`, {
        object: objectNames.pack(reference.pack),
        expected: kind,
        found: node.kind,
      });
    return node as NodeOf<Kind>;
  }
}

type NodeOf<Kind extends Node['kind']> = Extract<Node, { kind: Kind }>;
type InnerNodeOf<Kind extends Node['kind']> = Extract<Node, { kind: Kind; leaf: false }>;

/** An extent with its first byte's offset in the file. */
export type PlacedExtent = Extent & { readonly start: number };

function place(extents: readonly Extent[], start: number, from: number): PlacedExtent[] {
  const placed: PlacedExtent[] = [];
  for (const extent of extents) {
    if (start + extent.length > from) placed.push({ ...extent, start });
    start += extent.length;
  }
  return placed;
}
