import type { Extent } from '../../repo-format/mod.ts';
import type { PackTable } from '../index/mod.ts';
import { closeDescriptor, type Descriptor, FileStatus } from '../system/mod.ts';
import type { NodeStore } from '../trees/mod.ts';
import { ContentTree } from './_content-tree.ts';
import { readExtents } from './_extent-records.ts';
import type { ExpectedFile, FileOutcome, ReadFault } from './_files.ts';
import { LargeFile } from './_large-file.ts';
import { type BackupLimits, backupLimits } from './_limits.ts';
import { type OpenedFile, openExpected } from './_opened-file.ts';
import { packFiles, unpackOutcomes } from './_packed-files.ts';
import { SourceError } from './_source-errors.ts';
import { partsOf } from './_stretches.ts';
import type { StoredContent } from './_tokens.ts';
import type { JobResult, WorkerPool } from './_worker-pool.ts';

interface WaitingFile {
  readonly file: ExpectedFile;
  readonly resolve: (stored: StoredContent | Promise<StoredContent>) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly root: Descriptor;
  readonly files: WaitingFile[];
  sizeBytes: number;
}

/** Sums over all jobs. */
export interface ContentCounts {
  chunks: number;
  newChunks: number;
  newBytes: number;
}

/** A file on its way: `stored` resolves when its content is known, `given` (if it is there) when more files may be given. */
export interface FileUnderWay {
  readonly stored: Promise<StoredContent>;
  readonly given: Promise<void> | undefined;
}

/**
 * Gives files to the workers: small ones in batches, large ones in parts that all workers share; and makes of the extents that come back what a file's
 * entry holds (a short list, or the root of a tree of content nodes).
 */
export class FileDispatcher {
  readonly counts: ContentCounts = { chunks: 0, newChunks: 0, newBytes: 0 };
  readonly #pool: WorkerPool;
  readonly #packs: PackTable;
  readonly #nodes: NodeStore;
  readonly #limits: BackupLimits;
  readonly #status = new FileStatus();
  /** Large files that workers read. */
  readonly #open = new Set<Descriptor>();
  #batch: Batch | undefined;

  constructor({ pool, packs, nodes, limits }: { pool: WorkerPool; packs: PackTable; nodes: NodeStore; limits: BackupLimits }) {
    this.#pool = pool;
    this.#packs = packs;
    this.#nodes = nodes;
    this.#limits = limits;
  }

  /** Has a file stored. */
  store(root: Descriptor, file: ExpectedFile): FileUnderWay {
    const { promise: stored, resolve, reject } = Promise.withResolvers<StoredContent>();
    stored.catch(() => undefined);
    const waiting = { file, resolve, reject };
    const given = file.size > 2 * this.#limits.segmentSizeBytes ? this.#storeLarge(root, waiting) : this.#addToBatch(root, waiting);
    given?.catch(() => undefined);
    return { stored, given };
  }

  /** Sends what is waiting for a fuller batch. */
  async sendBatch(): Promise<void> {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch === undefined) return;
    try {
      const { result } = await this.#pool.give({ type: 'files', root: batch.root, files: packFiles(batch.files.map(({ file }) => file)) });
      result.then((answer) => this.#settle(batch, answer)).catch((error: unknown) => rejectAll(batch, error));
    } catch (error) {
      rejectAll(batch, error);
      throw error;
    }
  }

  /** Has the next bytes of a stream stored; all pieces go to the same worker. */
  async storePiece(content: ContentTree, bytes: Uint8Array, { last }: { last: boolean }): Promise<void> {
    const result = await this.#pool.runOn(0, { type: 'stream', bytes, last });
    this.count(result);
    await content.add(readExtents(result.extents, { first: 0, count: result.outcomes.extents[0]!, packs: this.#packs }));
  }

  newContent(): ContentTree {
    return new ContentTree(this.#nodes, this.#limits.inlineExtents);
  }

  /** No more files will be given: those that wait for a fuller batch are rejected. */
  abandon(error: unknown): void {
    if (this.#batch !== undefined) rejectAll(this.#batch, error);
    this.#batch = undefined;
  }

  /** Closes what is open, once the workers have ended. */
  close(): void {
    for (const descriptor of this.#open) closeDescriptor(descriptor);
    this.#open.clear();
  }

  #addToBatch(root: Descriptor, waiting: WaitingFile): Promise<void> | undefined {
    this.#batch ??= { root, files: [], sizeBytes: 0 };
    this.#batch.files.push(waiting);
    this.#batch.sizeBytes += waiting.file.size;
    const isFull = this.#batch.files.length >= this.#limits.batchFiles || this.#batch.sizeBytes >= backupLimits.batchBytes;
    return isFull ? this.sendBatch() : undefined;
  }

  #settle(batch: Batch, result: JobResult): void {
    this.count(result);
    let first = 0;
    unpackOutcomes(result.outcomes).forEach((outcome, index) => {
      const extents = readExtents(result.extents, { first, count: outcome.extents, packs: this.#packs });
      first += outcome.extents;
      batch.files[index]!.resolve(this.#contentOf(extents, outcome));
    });
  }

  #contentOf(extents: Extent[], outcome: FileOutcome): StoredContent | Promise<StoredContent> {
    if (extents.length === 0) return { content: { form: 'none' }, outcome };
    if (extents.length <= this.#limits.inlineExtents) return { content: { form: 'inline', extents }, outcome };
    const content = this.newContent();
    return content.add(extents).then(async () => ({ content: await content.finish(), outcome }));
  }

  /** Opens a large file and gives its parts to the workers. What was given before goes first. */
  async #storeLarge(root: Descriptor, { file, resolve, reject }: WaitingFile): Promise<void> {
    try {
      await this.sendBatch();
      const opened = openExpected(root, file, this.#status);
      this.#open.add(opened.descriptor);
      const large = new LargeFile(opened, {
        pool: this.#pool,
        packs: this.#packs,
        content: this.newContent(),
        onResult: (result) => this.count(result),
      });
      const fault = await this.#giveParts(large, opened);
      resolve(large.finish(fault).then((stored) => this.#closeAfter(stored, opened.descriptor)));
    } catch (error) {
      if (!(error instanceof SourceError)) {
        reject(error);
        throw error;
      }
      resolve({
        content: { form: 'none' },
        outcome: { start: 0, extents: 0, bytes: 0, metadata: undefined, extras: undefined, error: error.fault },
      });
    }
  }

  /** Returns what the source refused, if it did. */
  async #giveParts(large: LargeFile, { descriptor, size }: OpenedFile): Promise<ReadFault | undefined> {
    try {
      for (const part of partsOf(descriptor, { ...this.#limits, size })) await large.give(part);
      return undefined;
    } catch (error) {
      if (error instanceof SourceError) return error.fault;
      throw error;
    }
  }

  /** Only when all parts were answered: after a failure workers may still be reading. */
  #closeAfter(stored: StoredContent, descriptor: Descriptor): StoredContent {
    this.#open.delete(descriptor);
    closeDescriptor(descriptor);
    return stored;
  }

  /** Adds what a job has counted. */
  count(result: JobResult): void {
    this.counts.chunks += result.chunks;
    this.counts.newChunks += result.newChunks;
    this.counts.newBytes += result.newBytes;
  }
}

function rejectAll(batch: Batch, error: unknown): void {
  for (const { reject } of batch.files) reject(error);
}
