import type { Content, Extent, PackId } from '../../repo-format/mod.ts';
import { type NodeStore, recordingPacks, TreeBuilder } from '../trees/mod.ts';

/** The content of one file: a short list of extents, or a tree of nodes; and the packs that all of it relies on. */
export class ContentTree {
  /** All packs that the content relies on so far. */
  readonly packs = new Set<PackId>();
  /** Length of all extents. */
  lengthBytes = 0;
  readonly #inlineExtents: number;
  #builder: TreeBuilder;
  #few: Extent[] = [];
  /** The extent that was added last: the next may continue it. */
  #last: Extent | undefined;
  #isTree = false;
  #adding: Promise<void> = Promise.resolve();

  /** Up to `inlineExtents` extents stay in the file's entry. */
  constructor(nodes: Pick<NodeStore, 'put'>, inlineExtents: number) {
    this.#builder = new TreeBuilder(recordingPacks(nodes, this.packs), 'content');
    this.#inlineExtents = inlineExtents;
  }

  /** Adds the next extents; calls may overlap, their order counts. Zeros, and holes, that follow each other become one. */
  add(extents: readonly Extent[]): Promise<void> {
    this.#adding = this.#adding.then(() => this.#add(extents));
    return this.#adding;
  }

  /** The same content, put through `nodes` from here on. Nothing may be added meanwhile. */
  async clone(nodes: Pick<NodeStore, 'put'>): Promise<ContentTree> {
    await this.#adding;
    const copy = new ContentTree(nodes, this.#inlineExtents);
    for (const pack of this.packs) copy.packs.add(pack);
    copy.lengthBytes = this.lengthBytes;
    copy.#builder = this.#builder.clone(recordingPacks(nodes, copy.packs));
    copy.#few = [...this.#few];
    copy.#last = this.#last;
    copy.#isTree = this.#isTree;
    return copy;
  }

  async finish(): Promise<Content> {
    await this.#adding;
    await this.#put(this.#last);
    if (!this.#isTree) return this.#few.length === 0 ? { form: 'none' } : { form: 'inline', extents: this.#few };
    const root = await this.#builder.finish();
    return { form: 'node', node: root!.node, height: root!.height, packs: [...this.packs].sort() };
  }

  async #add(extents: readonly Extent[]): Promise<void> {
    for (const extent of extents) {
      this.lengthBytes += extent.length;
      const last = this.#last;
      if (extent.kind !== 'data' && last?.kind === extent.kind) {
        this.#last = { kind: extent.kind, length: last.length + extent.length };
        continue;
      }
      const stored = this.#put(last);
      if (stored !== undefined) await stored;
      this.#last = extent;
    }
  }

  #put(extent: Extent | undefined): Promise<void> | undefined {
    if (extent === undefined) return undefined;
    if (extent.kind === 'data') this.packs.add(extent.pack);
    if (this.#isTree) return this.#builder.addExtent(extent);
    this.#few.push(extent);
    return this.#few.length > this.#inlineExtents ? this.#beginTree() : undefined;
  }

  async #beginTree(): Promise<void> {
    this.#isTree = true;
    for (const extent of this.#few) {
      const stored = this.#builder.addExtent(extent);
      if (stored !== undefined) await stored;
    }
    this.#few = [];
  }
}
