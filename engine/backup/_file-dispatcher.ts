import type { Content, Extent, PackId } from '../../repo-format/mod.ts';
import type { PackTable } from '../index/mod.ts';
import { type NodeStore, recordingPacks, TreeBuilder } from '../trees/mod.ts';
import { readExtents } from './_extent-records.ts';
import type { ExpectedFile, FileOutcome } from './_files.ts';
import { backupLimits } from './_limits.ts';
import { packFiles, unpackOutcomes } from './_packed-files.ts';
import type { StoredContent } from './_tokens.ts';
import type { JobResult, WorkerPool } from './_worker-pool.ts';

interface Batch {
  readonly root: number;
  readonly files: ExpectedFile[];
  readonly settle: {
    readonly resolve: (stored: StoredContent | Promise<StoredContent>) => void;
    readonly reject: (error: unknown) => void;
  }[];
  sizeBytes: number;
}

/** Sums over all jobs. */
export interface ContentCounts {
  chunks: number;
  newChunks: number;
  newBytes: number;
  bytesRead: number;
}

/**
 * Gives files to the workers: small ones in batches, large ones in segments that all workers share; and makes of the extents that come back what a file's
 * entry holds (a short list, or the root of a tree of content nodes).
 */
export class FileDispatcher {
  readonly counts: ContentCounts = { chunks: 0, newChunks: 0, newBytes: 0, bytesRead: 0 };
  readonly #pool: WorkerPool;
  readonly #packs: PackTable;
  readonly #nodes: NodeStore;
  #batch: Batch | undefined;

  constructor({ pool, packs, nodes }: { pool: WorkerPool; packs: PackTable; nodes: NodeStore }) {
    this.#pool = pool;
    this.#packs = packs;
    this.#nodes = nodes;
  }

  /**
   * Has a file stored. `sparse`: it has holes. The first promise resolves when more files may be given, `stored` when the content is known.
   */
  async store(root: number, file: ExpectedFile, { sparse }: { sparse: boolean }): Promise<{ stored: Promise<StoredContent> }> {
    if (file.size > 2 * backupLimits.segmentSizeBytes && !sparse) return this.#storeInSegments(root, file);
    if (this.#batch !== undefined && this.#batch.root !== root) await this.sendBatch();
    this.#batch ??= { root, files: [], settle: [], sizeBytes: 0 };
    const batch = this.#batch;
    batch.files.push(file);
    batch.sizeBytes += file.size;
    const stored = new Promise<StoredContent>((resolve, reject) => batch.settle.push({ resolve, reject }));
    stored.catch(() => undefined);
    if (batch.files.length >= backupLimits.batchFiles || batch.sizeBytes >= backupLimits.batchBytes) await this.sendBatch();
    return { stored };
  }

  /** Sends what is waiting for a fuller batch. */
  async sendBatch(): Promise<void> {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch === undefined) return;
    await this.#pool.ready();
    this.#pool.run({ type: 'files', root: batch.root, files: packFiles(batch.files) }).then(
      (result) => this.#settle(batch, result),
      (error) => {
        for (const { reject } of batch.settle) reject(error);
      },
    );
  }

  #settle(batch: Batch, result: JobResult): void {
    this.#count(result);
    let first = 0;
    unpackOutcomes(result.outcomes).forEach((outcome, index) => {
      const extents = readExtents(result.extents, { first, count: outcome.extents, packs: this.#packs });
      first += outcome.extents;
      batch.settle[index]!.resolve(this.#contentOf(extents, outcome));
    });
  }

  #contentOf(extents: Extent[], outcome: FileOutcome): StoredContent | Promise<StoredContent> {
    if (extents.length === 0) return { content: { form: 'none' }, outcome };
    if (extents.length <= backupLimits.inlineExtents) return { content: { form: 'inline', extents }, outcome };
    const content = new ContentTree(this.#nodes);
    return content.add(extents).then(async () => ({ content: await content.finish(), outcome }));
  }

  async #storeInSegments(root: number, file: ExpectedFile): Promise<{ stored: Promise<StoredContent> }> {
    await this.sendBatch();
    const content = new ContentTree(this.#nodes);
    const outcomes: FileOutcome[] = [];
    let assembled: Promise<void> = Promise.resolve();
    for (let from = 0; from < file.size; from += backupLimits.segmentSizeBytes) {
      const to = Math.min(file.size, from + backupLimits.segmentSizeBytes);
      await this.#pool.ready();
      const segment = this.#pool.run({ type: 'segment', root, file, from, to });
      assembled = assembled.then(async () => {
        const result = await segment;
        this.#count(result);
        const outcome = unpackOutcomes(result.outcomes)[0]!;
        outcomes.push(outcome);
        await content.add(readExtents(result.extents, { first: 0, count: outcome.extents, packs: this.#packs }));
      });
      assembled.catch(() => undefined);
    }
    const stored = assembled.then(async () => ({ content: await content.finish(), outcome: combine(outcomes) }));
    stored.catch(() => undefined);
    return { stored };
  }

  /** Has the next bytes of a stream stored; all pieces go to the same worker. */
  async storePiece(content: ContentTree, bytes: Uint8Array, { last }: { last: boolean }): Promise<void> {
    const result = await this.#pool.runOn(0, { type: 'stream', bytes, last });
    this.#count(result);
    await content.add(readExtents(result.extents, { first: 0, count: result.outcomes.extents[0]!, packs: this.#packs }));
  }

  #count(result: JobResult): void {
    this.counts.chunks += result.chunks;
    this.counts.newChunks += result.newChunks;
    this.counts.newBytes += result.newBytes;
    for (const bytes of result.outcomes.bytes) this.counts.bytesRead += bytes;
  }
}

/** The content of one large file: a tree of nodes, and the packs that all of it relies on. */
export class ContentTree {
  /** All packs that the content relies on so far. */
  readonly packs = new Set<PackId>();
  readonly #builder: TreeBuilder;
  #few: Extent[] = [];
  #isTree = false;
  #adding: Promise<void> = Promise.resolve();

  constructor(nodes: Pick<NodeStore, 'put'>) {
    this.#builder = new TreeBuilder(recordingPacks(nodes, this.packs), 'content');
  }

  /** Adds the next extents; calls may overlap, their order counts. */
  add(extents: readonly Extent[]): Promise<void> {
    this.#adding = this.#adding.then(() => this.#add(extents));
    return this.#adding;
  }

  async finish(): Promise<Content> {
    await this.#adding;
    if (!this.#isTree) return this.#few.length === 0 ? { form: 'none' } : { form: 'inline', extents: this.#few };
    const root = await this.#builder.finish();
    return { form: 'node', node: root!.node, height: root!.height, packs: [...this.packs].sort() };
  }

  async #add(extents: readonly Extent[]): Promise<void> {
    for (const extent of extents) if (extent.kind === 'data') this.packs.add(extent.pack);
    if (!this.#isTree && this.#few.length + extents.length <= backupLimits.inlineExtents) {
      this.#few.push(...extents);
      return;
    }
    const all = this.#isTree ? extents : [...this.#few, ...extents];
    this.#isTree = true;
    for (const extent of all) {
      const stored = this.#builder.addExtent(extent);
      if (stored !== undefined) await stored;
    }
  }
}

/** One outcome for a file of many segments: the first that saw a difference counts. */
function combine(outcomes: readonly FileOutcome[]): FileOutcome {
  return {
    extents: outcomes.reduce((sum, { extents }) => sum + extents, 0),
    bytes: outcomes.reduce((sum, { bytes }) => sum + bytes, 0),
    metadata: outcomes.find(({ metadata }) => metadata !== undefined)?.metadata,
    extras: outcomes[0]?.extras,
    error: outcomes.find(({ error }) => error !== undefined)?.error,
  };
}
