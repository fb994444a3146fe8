import {
  type Entry,
  type Extent,
  endsNode,
  idFromBytes,
  idToBytes,
  type NodeKind,
  type NodeReference,
  NodeWriter,
  type PackId,
} from '../../repo-format/mod.ts';
import type { NodeStore } from './node-store.ts';

/** The root of a finished tree of nodes. */
export interface TreeRoot {
  readonly node: NodeReference;
  /** 0: the root is a leaf. */
  readonly height: number;
}

/** One level of the tree: the node that is being filled, and what its parent will say of it. */
interface Level {
  writer: NodeWriter;
  lastKey: Uint8Array;
  /** Entries, bytes or packs below the open node. */
  covered: number;
  /** The latest child (levels above 0): the root, if it stays the only one. */
  lastChild: NodeReference | undefined;
}

const noKey = new Uint8Array(0);

/**
 * Builds the tree of one directory, one file's content or one list of packs from its items in order. Nodes end where a hash of an
 * item's key says so (spec/node.md), so that a change leaves all other nodes of a large tree as they are; they are stored as
 * soon as they end: memory holds one open node for each level.
 *
 * `add…` returns a promise only when a node had to be stored: await it if it is there.
 */
export class TreeBuilder {
  readonly #nodes: Pick<NodeStore, 'put'>;
  readonly #kind: NodeKind;
  readonly #levels: Level[] = [];

  constructor(nodes: Pick<NodeStore, 'put'>, kind: NodeKind) {
    this.#nodes = nodes;
    this.#kind = kind;
  }

  addEntry(entry: Entry): Promise<void> | undefined {
    this.#level(0).writer.addEntry(entry);
    return this.#added(0, entry.name, 1);
  }

  addExtent(extent: Extent): Promise<void> | undefined {
    this.#level(0).writer.addExtent(extent);
    return this.#added(0, extent.kind === 'data' ? extent.name : noKey, extent.length);
  }

  addPack(pack: PackId): Promise<void> | undefined {
    this.#level(0).writer.addPack(pack);
    return this.#added(0, idToBytes(pack), 1);
  }

  /** Stores what is open and returns the root, or undefined where no item was added. */
  async finish(): Promise<TreeRoot | undefined> {
    for (let height = 0; height < this.#levels.length; height++) {
      const level = this.#levels[height]!;
      const isTop = height === this.#levels.length - 1;
      if (isTop && height > 0 && level.writer.itemCount === 1) return { node: level.lastChild!, height: height - 1 };
      if (isTop) return { node: await this.#nodes.put(level.writer.finish()), height };
      if (level.writer.itemCount > 0) await this.#close(height);
    }
    return undefined;
  }

  /** A builder with the same items, to finish a tree of what there is so far (put through `nodes`) while this one goes on. */
  clone(nodes: Pick<NodeStore, 'put'> = this.#nodes): TreeBuilder {
    const copy = new TreeBuilder(nodes, this.#kind);
    for (const level of this.#levels) copy.#levels.push({ ...level, writer: level.writer.clone() });
    return copy;
  }

  #level(height: number): Level {
    return (this.#levels[height] ??= { writer: new NodeWriter(this.#kind, height), lastKey: noKey, covered: 0, lastChild: undefined });
  }

  #added(height: number, key: Uint8Array, covered: number): Promise<void> | undefined {
    const level = this.#levels[height]!;
    level.lastKey = key;
    level.covered += covered;
    return this.#ends(level, height, key) ? this.#close(height) : undefined;
  }

  #ends({ writer }: Level, height: number, boundaryKey: Uint8Array): boolean {
    return endsNode({ kind: this.#kind, height, boundaryKey: boundaryKey.length === 0 ? null : boundaryKey, sizeBytes: writer.sizeBytes });
  }

  async #close(height: number): Promise<void> {
    const { writer, lastKey, covered } = this.#levels[height]!;
    const node = await this.#nodes.put(writer.finish());
    this.#levels[height] = { writer: new NodeWriter(this.#kind, height), lastKey: noKey, covered: 0, lastChild: undefined };
    const parent = this.#level(height + 1);
    parent.lastChild = node;
    this.#addInner(parent.writer, { lastKey, covered, node });
    await this.#added(height + 1, this.#kind === 'content' ? node.name : lastKey, covered);
  }

  #addInner(writer: NodeWriter, { lastKey, covered, node }: { lastKey: Uint8Array; covered: number; node: NodeReference }): void {
    if (this.#kind === 'directory') writer.addInnerDirectory({ lastName: lastKey, entriesBelow: covered, node });
    else if (this.#kind === 'content') writer.addInnerContent({ bytesBelow: covered, node });
    else writer.addInnerPackList({ lastPack: idFromBytes<PackId>(lastKey), packsBelow: covered, node });
  }
}
