/** What a worker reads files with, in the thread of a test, so that it can change a file between two readings. */
import { closeSync, openSync } from 'node:fs';
import { ChunkStore } from '../../../engine/backup/_chunk-store.ts';
import { ContentTree } from '../../../engine/backup/_content-tree.ts';
import { ExtentRecords, readExtents } from '../../../engine/backup/_extent-records.ts';
import { dataSizeBytes, FileChunker } from '../../../engine/backup/_file-chunker.ts';
import { FileReader } from '../../../engine/backup/_file-reader.ts';
import type { ExpectedFile, FileOutcome } from '../../../engine/backup/_files.ts';
import { LargeFile } from '../../../engine/backup/_large-file.ts';
import { openExpected } from '../../../engine/backup/_opened-file.ts';
import { packFiles, packOutcomes } from '../../../engine/backup/_packed-files.ts';
import { type FilePart, partsOf } from '../../../engine/backup/_stretches.ts';
import type { StoredContent } from '../../../engine/backup/_tokens.ts';
import type { JobResult, WorkerPool } from '../../../engine/backup/_worker-pool.ts';
import { ChunkTable, Deduplicator, PackTable, StoredIndex } from '../../../engine/index/mod.ts';
import { createKernel } from '../../../engine/kernel/mod.ts';
import { PackReader } from '../../../engine/packs/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { closeDescriptor, FileStatus, openRoot, statPath } from '../../../engine/system/mod.ts';
import type { Extent } from '../../../repo-format/mod.ts';
import { testKeys as keys } from '../random.ts';
import { treeParts } from '../trees/_tree-parts.ts';

const cutting = { horizonBytes: 16 * 1024, gridBytes: 64 * 1024 };

export class ReaderParts {
  /** Called before each reading of a file; the first is number 1. */
  beforeRead: (number: number) => void = () => {};
  readonly storage = new InMemory();
  readonly packs = new PackTable();
  readonly #extents = new ExtentRecords();
  readonly #store: ChunkStore;
  readonly reader: FileReader;
  #reads = 0;

  constructor() {
    const { storage, packs } = this;
    const blockSizeBytes = 1 << 20;
    const kernel = createKernel({
      dataSizeBytes: dataSizeBytes(blockSizeBytes, cutting),
      nameKey: new Uint8Array(32).fill(1),
      metadataNameKey: new Uint8Array(32).fill(2),
      cutKey: new Uint8Array(32).fill(3),
      cutting,
    });
    const deduplicator = new Deduplicator({
      written: new ChunkTable({ capacityRows: 1 << 14 }),
      packs,
      stored: new StoredIndex(storage, []),
      reader: new PackReader({ storage, keys }),
      kind: 'pack',
    });
    this.#store = new ChunkStore({
      kernel,
      deduplicator,
      packs,
      storage,
      keys,
      compression: 'auto',
      blockSizeBytes,
      packSizeBytes: 1 << 25,
      dryRun: false,
      packsAhead: 1,
      verifyAll: true,
      onPack: () => {},
    });
    const isStopping = (): boolean => {
      this.beforeRead(++this.#reads);
      return false;
    };
    this.reader = new FileReader(new FileChunker({ kernel, store: this.#store, extents: this.#extents, cutting, isStopping }));
  }

  /** Reads files as the scan saw them. */
  async readFiles(files: readonly ExpectedFile[]): Promise<{ outcome: FileOutcome; extents: Extent[] }[]> {
    const root = openRoot('/');
    this.#reads = 0;
    try {
      const outcomes = await this.reader.readFiles(root, packFiles(files));
      const records = this.#extents.take();
      let first = 0;
      return outcomes.map((outcome) => {
        const extents = readExtents(records, { first, count: outcome.extents, packs: this.packs });
        first += outcome.extents;
        return { outcome, extents };
      });
    } finally {
      closeDescriptor(root);
    }
  }

  /** Stores a large file in segments, one after the other; `beforePart` is called before each is read. */
  async readLarge(
    file: ExpectedFile,
    { segmentSizeBytes, beforePart }: { segmentSizeBytes: number; beforePart: (number: number) => void },
  ): Promise<StoredContent> {
    const root = openRoot('/');
    const opened = openExpected(root, file, new FileStatus());
    let part = 0;
    let answering: Promise<unknown> = Promise.resolve();
    // One after the other, as a worker does its jobs.
    const give = async (job: FilePart & { descriptor: number }): Promise<{ result: Promise<JobResult> }> => {
      const result = answering.then(() => {
        beforePart(++part);
        return this.#answer(job);
      });
      answering = result;
      await result;
      return { result };
    };
    const content = new ContentTree(treeParts().nodes, 1_000_000);
    const large = new LargeFile(opened, { pool: { give } as unknown as WorkerPool, packs: this.packs, content, onResult: () => {} });
    try {
      for (const each of partsOf(opened.descriptor, { size: opened.size, segmentSizeBytes, stretchesPerJob: 100 })) await large.give(each);
      return await large.finish();
    } finally {
      closeDescriptor(opened.descriptor);
      closeDescriptor(root);
    }
  }

  /** The bytes of chunks that were stored. */
  async bytesOf(extents: readonly Extent[]): Promise<Buffer> {
    await this.#store.flush();
    const reader = new PackReader({ storage: this.storage, keys });
    const pieces: Uint8Array[] = [];
    for (const extent of extents)
      pieces.push(extent.kind === 'data' ? await reader.chunk(extent.name, extent.pack, 'pack') : new Uint8Array(extent.length));
    return Buffer.concat(pieces);
  }

  async #answer(job: FilePart & { descriptor: number }): Promise<JobResult> {
    const outcome =
      job.type === 'segment'
        ? await this.reader.readSegment(job.descriptor, job.region, job)
        : await this.reader.readStretches(job.descriptor, job.stretches);
    return { type: 'done', job: 0, outcomes: packOutcomes([outcome]), extents: this.#extents.take(), chunks: 0, newChunks: 0, newBytes: 0 };
  }
}

/** A file as the scan sees it now. */
export function expectedNow(file: string): ExpectedFile {
  const { size, inode, modifiedSeconds, modifiedNanoseconds, changedSeconds, changedNanoseconds } = statPath(file, { symlink: 'keep' });
  return {
    path: new Uint8Array(Buffer.from(file.slice(1))),
    size,
    inode,
    modifiedSeconds,
    modifiedNanoseconds,
    changedSeconds,
    changedNanoseconds,
  };
}

/** Number of descriptors that are open in this process. */
export function nextDescriptor(): number {
  const descriptor = openSync('/', 'r');
  closeSync(descriptor);
  return descriptor;
}
