import { type Content, type Extent, type FileEntry, noContent, type PackId } from '../../repo-format/mod.ts';
import type { ContentTree, CopyDispatcher } from '../backup/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import type { Contents, ContentUnderWay } from './_contents.ts';
import type { CopyLimits } from './_limits.ts';

type DataExtent = Extract<Extent, { kind: 'data' }>;

/** Chunks that are copied together, by the packs of the source in which they are. */
class Window {
  chunks = 0;
  files = 0;
  readonly byPack = new Map<PackId, DataExtent[]>();
  /** Where they are in the target; resolves when all are known. */
  readonly copied = Promise.withResolvers<ReadonlyMap<DataExtent, Extent>>();

  constructor() {
    this.copied.promise.catch(() => undefined); // Whoever waits for it is told.
  }

  add(extent: DataExtent): void {
    const extents = this.byPack.get(extent.pack);
    if (extents === undefined) this.byPack.set(extent.pack, [extent]);
    else extents.push(extent);
    this.chunks++;
  }

  isFull({ windowChunks, windowFiles }: CopyLimits): boolean {
    return this.chunks >= windowChunks || this.files >= windowFiles;
  }
}

/** Contents between repositories that name chunks and cut files alike: chunks keep their names, and only where they are must be found out. */
export class CopiedChunks implements Contents {
  readonly #copies: CopyDispatcher;
  readonly #reader: TreeReader;
  readonly #limits: CopyLimits;
  #window = new Window();

  /** `reader` reads trees of the source. */
  constructor(copies: CopyDispatcher, reader: TreeReader, limits: CopyLimits) {
    this.#copies = copies;
    this.#reader = reader;
    this.#limits = limits;
  }

  store({ content }: FileEntry): ContentUnderWay {
    if (content.form === 'none') return { stored: Promise.resolve(noContent), given: undefined };
    this.#window.files++;
    const copy = new CopiedContent(this.#copies.newContent());
    if (content.form === 'node') {
      const given = this.#addTree(content, copy);
      return { stored: given.then(() => copy.finish()), given };
    }
    this.#add(content.extents, copy);
    return { stored: copy.finish(), given: this.#window.isFull(this.#limits) ? this.flush() : undefined };
  }

  async flush(): Promise<void> {
    const window = this.#window;
    this.#window = new Window();
    try {
      const results: Promise<void>[] = [];
      const copied = new Map<DataExtent, Extent>();
      for (const [pack, extents] of window.byPack) {
        const names = Buffer.concat(extents.map(({ name }) => name));
        const given = await this.#copies.giveChunks(this.#workerOf(pack), { pack, names, lengths: extents.map(({ length }) => length) });
        const found = given.extents.then((targets) => {
          targets.forEach((target, index) => void copied.set(extents[index]!, target));
        });
        found.catch(() => undefined); // Whoever waits for all is told.
        results.push(found);
      }
      window.copied.resolve(Promise.all(results).then(() => copied));
    } catch (error) {
      window.copied.reject(error);
      throw error;
    }
  }

  async #addTree(content: Content, copy: CopiedContent): Promise<void> {
    for await (const extents of this.#reader.extents(content)) {
      this.#add(
        extents.map(({ start: _, ...extent }) => extent),
        copy,
      );
      if (this.#window.isFull(this.#limits)) await this.flush();
    }
  }

  #add(extents: readonly Extent[], copy: CopiedContent): void {
    for (const extent of extents) if (extent.kind === 'data') this.#window.add(extent);
    copy.add(extents, this.#window.copied.promise);
  }

  /** All of a pack goes to one worker, so that no two read the same block. */
  #workerOf(pack: PackId): number {
    return Number.parseInt(pack.slice(-8), 16) % this.#copies.workers;
  }
}

/** A content whose extents become known in order, a window at a time. */
class CopiedContent {
  readonly #tree: ContentTree;
  #added: Promise<void> = Promise.resolve();

  constructor(tree: ContentTree) {
    this.#tree = tree;
  }

  add(extents: readonly Extent[], copied: Promise<ReadonlyMap<Extent, Extent>>): void {
    this.#added = this.#added.then(async () => {
      const places = await copied;
      await this.#tree.add(extents.map((extent) => (extent.kind === 'data' ? places.get(extent)! : extent)));
    });
    this.#added.catch(() => undefined);
  }

  async finish(): Promise<Content> {
    await this.#added;
    return this.#tree.finish();
  }
}
