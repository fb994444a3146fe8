import type { Content, Entry, Extent, Node, NodeReference, Snapshot } from '../../repo-format/mod.ts';
import { Breather } from '../look/mod.ts';
import { buffersDropped } from '../memory/mod.ts';
import { NameMap } from '../names/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import type { NameFilter } from './_name-filter.ts';
import { repackLimits } from './_repack-limits.ts';
import { openTrees } from './_trees.ts';

/** About what reading a node leaves behind. */
const garbagePerNodeBytes = 64 * 1024;

/**
 * Marks the names of all that snapshots need: chunks, and the nodes of trees and of lists of packs. Only metadata is read, and a node once, however many snapshots have it,
 * unless there are more nodes than are remembered.
 */
export class LiveNames {
  nodes = 0;
  readonly #filter: NameFilter;
  readonly #trees: TreeReader;
  readonly #breather: Breather;
  #seen = new NameMap();

  constructor(repository: Repository, filter: NameFilter, { signal }: { signal: AbortSignal | undefined }) {
    this.#filter = filter;
    this.#trees = openTrees(repository);
    this.#breather = new Breather(signal);
  }

  /** Errors: those of damaged trees; then nothing may be taken for unused. */
  async addSnapshot({ tree, packs }: Pick<Snapshot, 'tree' | 'packs'>): Promise<void> {
    if (tree !== null) await this.#addNode(tree);
    if (packs !== null) await this.#addNode(packs);
  }

  async #addNode(reference: NodeReference): Promise<void> {
    const { name } = reference;
    if (this.#seen.get(name, 0) >= 0) return;
    const waiting = this.#breather.breathe();
    if (waiting !== undefined) await waiting;
    this.#filter.add(name, 0);
    await this.#addItems(await this.#trees.node(reference));
    buffersDropped(garbagePerNodeBytes);
    this.nodes++;
    // Only now: what is below is marked, whatever is forgotten.
    if (this.#seen.size >= repackLimits.rememberedNodes) this.#seen = new NameMap();
    this.#seen.add(name, 0, 0);
  }

  async #addItems(node: Node): Promise<void> {
    if (!node.leaf) for (const item of node.items) await this.#addNode(item.node);
    else if (node.kind === 'directory') for (const entry of node.items) await this.#addEntry(entry);
    else if (node.kind === 'content') this.#addExtents(node.items);
  }

  async #addEntry(entry: Entry): Promise<void> {
    if (entry.type === 'directory' && entry.node !== null) await this.#addNode(entry.node);
    else if (entry.type === 'file') await this.#addContent(entry.content);
  }

  async #addContent(content: Content): Promise<void> {
    if (content.form === 'inline') this.#addExtents(content.extents);
    else if (content.form === 'node') await this.#addNode(content.node);
  }

  #addExtents(extents: readonly Extent[]): void {
    for (const extent of extents) if (extent.kind === 'data') this.#filter.add(extent.name, 0);
  }
}
