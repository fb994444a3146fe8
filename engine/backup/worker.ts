/**
 * A worker of a backup: reads files, has them cut, named, deduplicated, compressed, sealed and packed, all in this thread. Started by
 * `_worker-pool.ts`; one job at a time, in the order in which they were posted.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { ChunkTable, Deduplicator, PackTable, StoredIndex } from '../index/mod.ts';
import { createKernel } from '../kernel/mod.ts';
import { PackReader, type StoredPack } from '../packs/mod.ts';
import { attachRepository } from '../repository/mod.ts';
import { ChunkStore } from './_chunk-store.ts';
import { ExtentRecords } from './_extent-records.ts';
import { dataSizeBytes, FileChunker } from './_file-chunker.ts';
import { FileReader } from './_file-reader.ts';
import type { FileOutcome } from './_files.ts';
import type { WorkerJob, WorkerReply, WorkerSetup } from './_messages.ts';
import { packOutcomes } from './_packed-files.ts';
import { serializeError } from './_serialized-error.ts';
import { StreamChunker } from './_stream-chunker.ts';

const port = parentPort!;
const setup = workerData as WorkerSetup;
const repository = attachRepository(setup.repository);
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
const isStopping = (): boolean => Atomics.load(stopFlag, 0) === 1;
const packs = new PackTable(setup.packTable);
const stored = new StoredIndex(storage, setup.storedTables);
const extents = new ExtentRecords();
const store = new ChunkStore({
  kernel,
  storage,
  keys,
  packs,
  deduplicator: new Deduplicator({
    written: new ChunkTable(setup.chunkTable),
    packs,
    stored,
    reader: new PackReader({ storage, keys }),
    kind: 'pack',
    excluded: new Set(setup.excludedPacks),
  }),
  compression: setup.compression,
  blockSizeBytes: configuration.blockSizeBytes,
  packSizeBytes: configuration.packSizeBytes,
  dryRun: setup.dryRun,
  onPack: reportPack,
});
const reader = new FileReader(new FileChunker({ kernel, store, extents, cutting, isStopping }));
const stream = new StreamChunker({ kernel, store, extents });

let working: Promise<void> = Promise.resolve();
port.on('message', (job: WorkerJob) => {
  working = working.then(() => run(job));
});
reply({ type: 'ready' });

async function run(job: WorkerJob): Promise<void> {
  try {
    const outcomes = await perform(job);
    const records = extents.take();
    const counts = store.takeCounts();
    reply({ type: 'done', job: job.job, outcomes: packOutcomes(outcomes), extents: records, ...counts }, [records.buffer as ArrayBuffer]);
    if (job.type === 'stop') port.close();
  } catch (error) {
    extents.take();
    reply({ type: 'failed', job: job.job, error: serializeError(error) });
  }
}

async function perform(job: WorkerJob): Promise<FileOutcome[]> {
  switch (job.type) {
    case 'files':
      return reader.readFiles(job.root, job.files);
    case 'segment':
      return [await reader.readSegment(job.descriptor, job.region, { from: job.from, to: job.to })];
    case 'stretches':
      return [await reader.readStretches(job.descriptor, job.stretches)];
    case 'stream':
      return [await stream.add(job.bytes, { last: job.last })];
    case 'tables':
      stored.replaceTables(job.tables);
      return [];
    case 'flush':
      await store.flush();
      return [];
    case 'stop':
      await store.abort();
      return [];
  }
}

function reportPack(pack: StoredPack): void {
  reply({ type: 'pack', stored: pack });
}

function reply(message: WorkerReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}
