/**
 * A worker of a restore: opens blocks of packs, verifies every chunk, makes files and all else but folders, with their metadata. Started by a `WorkerPool`
 * (see `_dispatcher.ts`); one job at a time.
 */
import { decodeNode, type Entry, LaganError } from '../../repo-format/mod.ts';
import { createKernel } from '../kernel/mod.ts';
import { PackReader } from '../packs/mod.ts';
import { attachRepository } from '../repository/mod.ts';
import { TreeReader } from '../trees/mod.ts';
import { serveJobs, type WorkerContext } from '../workers/mod.ts';
import { BlockCache, blockCacheDataBytes } from './_block-cache.ts';
import { ContentWriter } from './_content-writer.ts';
import { EntryRestorer, type LeafEntry } from './_entry-restorer.ts';
import { FileVerifier } from './_file-verifier.ts';
import { JobReport } from './_job-report.ts';
import { restoreLimits } from './_limits.ts';
import type { JobResult, LeafPart, RestoreJob, RestoreSetup } from './_messages.ts';
import { endsRestore } from './_target-errors.ts';

class RestoreWorker {
  readonly #isStopping: () => boolean;
  readonly #report = new JobReport();
  readonly #writer: ContentWriter;
  readonly #restorer: EntryRestorer;
  readonly #verifier: FileVerifier;
  readonly #mayBeOther: boolean;

  constructor({ setup, isStopping }: WorkerContext<RestoreSetup>) {
    const { storage, keys, configuration } = attachRepository(setup.repository);
    const { rules } = setup;
    // Blocks are kept in it while files are restored, file contents while they are verified: the one is over before the other begins.
    const kernel = createKernel({
      dataSizeBytes: blockCacheDataBytes,
      nameKey: keys.nameKey,
      metadataNameKey: keys.metadataNameKey,
      cutKey: keys.cutKey,
      cutting: configuration.chunker,
      module: setup.kernelModule,
    });
    const trees = new TreeReader(new PackReader({ storage, keys, contentsLimit: restoreLimits.openPacks, blocksLimit: 4 }));
    const cache = new BlockCache({ storage, kernel, reader: new PackReader({ storage, keys, contentsLimit: 1, blocksLimit: 1 }) });
    this.#isStopping = isStopping;
    this.#writer = new ContentWriter({ cache, trees, sparse: rules.sparse, isStopping });
    this.#restorer = new EntryRestorer({ rules, content: this.#writer, report: this.#report });
    this.#verifier = new FileVerifier({ kernel, trees, isStopping });
    this.#mayBeOther = rules.overwrite === 'never' || rules.overwrite === 'if-newer';
  }

  async perform(job: RestoreJob): Promise<JobResult> {
    if (job.type === 'segment') await this.#writeSegment(job);
    else for (const [index, part] of job.parts.entries()) await this.#performPart(job.type, part, index);
    return this.#report.take();
  }

  /** Damage is the fault of the one file that the segment is of. */
  async #writeSegment({ descriptor, leaves }: Extract<RestoreJob, { type: 'segment' }>): Promise<void> {
    try {
      await this.#writer.writeLeaves(descriptor, leaves);
    } catch (error) {
      if (endsRestore(error)) throw error;
      this.#report.fault({ part: 0, name: new Uint8Array(0) }, error as LaganError);
    }
  }

  async #performPart(type: 'restore' | 'verify', part: LeafPart, index: number): Promise<void> {
    const { items } = decodeNode(part.bytes, part.object);
    for (const number of part.entries) {
      if (this.#isStopping()) throw new LaganError('interrupted', 'the restore was interrupted');
      const entry = items[number] as Entry as LeafEntry;
      if (type === 'restore') await this.#restorer.restore(entry, part.folder, index);
      else await this.#verify(entry, part, index);
    }
  }

  async #verify(entry: LeafEntry, { folder }: LeafPart, part: number): Promise<void> {
    if (entry.type !== 'file') return;
    try {
      const outcome = await this.#verifier.verify(entry, folder, { mayBeOther: this.#mayBeOther });
      if (outcome === 'verified') this.#report.verified++;
    } catch (error) {
      if (endsRestore(error)) throw error;
      this.#report.fault({ part, name: entry.name }, error as LaganError);
    }
    this.#report.filesDone++;
    this.#report.bytesDone += entry.size;
  }
}

serveJobs<RestoreSetup, RestoreJob, JobResult>((context) => {
  const worker = new RestoreWorker(context);
  return (job) => worker.perform(job);
});
