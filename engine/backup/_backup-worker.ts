/** What a worker of a backup does: reads files, has them cut, named, deduplicated, compressed, sealed and packed, all in one thread. */
import { ChunkTable, Deduplicator, movedChunks, PackTable, StoredIndex } from '../index/mod.ts';
import { createKernel } from '../kernel/mod.ts';
import { PackReader, type StoredPack, VerifiedBlocks } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import { serializeError } from '../workers/mod.ts';
import { BlockCopier } from './_block-copier.ts';
import { ChunkStore } from './_chunk-store.ts';
import { ExtentRecords } from './_extent-records.ts';
import { dataSizeBytes, FileChunker } from './_file-chunker.ts';
import { FileCopier } from './_file-copier.ts';
import { FileReader } from './_file-reader.ts';
import type { FileOutcome } from './_files.ts';
import type { WorkerJob, WorkerReply, WorkerSetup } from './_messages.ts';
import { packOutcomes } from './_packed-files.ts';
import { StreamChunker } from './_stream-chunker.ts';
import { WantedNames } from './_wanted-names.ts';

/** Packs of another repository whose contents are kept while is copied from it. */
const openPacks = 64;

/** `transfer`: buffers that the message gives away. */
export type Reply = (message: WorkerReply, transfer?: ArrayBuffer[]) => void;

export interface BackupWorkerParts {
  readonly repository: Repository;
  /** From which is copied, if any. */
  readonly source: Repository | undefined;
  readonly reply: Reply;
}

/** Makes a worker: the function that takes jobs and does one after another, in the order in which they came. */
export function beginBackupWorker(setup: WorkerSetup, parts: BackupWorkerParts): (job: WorkerJob) => Promise<void> {
  const worker = new BackupWorker(setup, parts);
  let working: Promise<void> = Promise.resolve();
  return (job) => {
    working = working.then(() => worker.run(job));
    return working;
  };
}

class BackupWorker {
  readonly #reply: Reply;
  readonly #stored: StoredIndex;
  readonly #extents = new ExtentRecords();
  readonly #store: ChunkStore;
  readonly #reader: FileReader;
  readonly #stream: StreamChunker;
  readonly #copiers: { readonly files: FileCopier; readonly blocks: BlockCopier | undefined } | undefined;

  constructor(setup: WorkerSetup, { repository, source, reply }: BackupWorkerParts) {
    const { storage, keys, configuration } = repository;
    const cutting = configuration.chunker;
    const kernel = createKernel({
      dataSizeBytes: dataSizeBytes(configuration.blockSizeBytes, cutting),
      nameKey: keys.nameKey,
      metadataNameKey: keys.metadataNameKey,
      cutKey: keys.cutKey,
      cutting,
      module: setup.kernelModule,
      lanes: setup.lanes,
    });
    const stopFlag = new Int32Array(setup.stopFlag);
    const packs = new PackTable(setup.packTable);
    this.#reply = reply;
    this.#stored = new StoredIndex(storage, setup.storedTables, {
      onDamage: (error) => reply({ type: 'index-damage', error: serializeError(error) }),
    });
    this.#store = new ChunkStore({
      kernel,
      storage,
      keys,
      packs,
      deduplicator: new Deduplicator({
        written: new ChunkTable(setup.chunkTable),
        packs,
        stored: this.#stored,
        reader: new PackReader({ storage, keys }),
        kind: 'pack',
        excluded: new Set(setup.excludedPacks),
      }),
      compression: setup.compression,
      blockSizeBytes: configuration.blockSizeBytes,
      packSizeBytes: configuration.packSizeBytes,
      dryRun: setup.dryRun,
      packsAhead: setup.packsAhead,
      verifyAll: setup.verifyAll,
      onPack: (stored: StoredPack) => reply({ type: 'pack', stored }),
    });
    const parts = { kernel, store: this.#store, extents: this.#extents };
    const isStopping = () => Atomics.load(stopFlag, 0) === 1;
    this.#reader = new FileReader(new FileChunker({ ...parts, cutting, isStopping }));
    this.#stream = new StreamChunker(parts);
    this.#copiers = source && this.#copiersFrom(source, { wanted: setup.source?.wanted, isStopping });
  }

  async run(job: WorkerJob): Promise<void> {
    try {
      const outcomes = await this.#perform(job);
      const extents = this.#extents.take();
      const counts = this.#store.takeCounts();
      this.#reply({ type: 'done', job: job.job, outcomes: packOutcomes(outcomes), extents, ...counts }, [extents.buffer as ArrayBuffer]);
    } catch (error) {
      this.#extents.take();
      this.#reply({ type: 'failed', job: job.job, error: serializeError(error) });
    }
  }

  #copiersFrom(source: Repository, { wanted, isStopping }: { wanted: SharedArrayBuffer | undefined; isStopping: () => boolean }) {
    const parts = { extents: this.#extents, isStopping };
    const files = new FileCopier({ ...parts, source, stream: this.#stream });
    if (wanted === undefined) return { files, blocks: undefined };
    const blocks = new BlockCopier({
      ...parts,
      source: new VerifiedBlocks({ ...source, moved: movedChunks(source), openPacks, readsAhead: true }),
      store: this.#store,
      wanted: new WantedNames(wanted),
    });
    return { files, blocks };
  }

  async #perform(job: WorkerJob): Promise<FileOutcome[]> {
    switch (job.type) {
      case 'files':
        return this.#reader.readFiles(job.root, job.files);
      case 'segment':
        return [await this.#reader.readSegment(job.descriptor, job.region, { from: job.from, to: job.to })];
      case 'stretches':
        return [await this.#reader.readStretches(job.descriptor, job.stretches)];
      case 'stream':
        return [await this.#stream.add(job.bytes, { last: job.last })];
      case 'copied-files':
        return this.#copiers!.files.copyFiles(job.files);
      case 'copied-piece':
        return [await this.#copiers!.files.copyPiece(job.piece)];
      case 'copied-chunks':
        return [await this.#copiers!.blocks!.copy(job.list)];
      case 'tables':
        this.#stored.replaceTables(job.tables);
        return [];
      case 'flush':
        await this.#store.flush();
        return [];
      case 'stop':
        await this.#store.abort();
        return [];
    }
  }
}
