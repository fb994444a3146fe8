import { decodeNode, type Entry, type Extent, type LaganError } from '../../repo-format/mod.ts';
import { movedChunks } from '../index/mod.ts';
import { createKernel } from '../kernel/mod.ts';
import { objectDropped } from '../memory/mod.ts';
import { PackReader } from '../packs/mod.ts';
import { attachRepository } from '../repository/mod.ts';
import { TreeReader } from '../trees/mod.ts';
import type { WorkerContext } from '../workers/mod.ts';
import { BlockCache, blockCacheDataBytes } from './_block-cache.ts';
import { ContentWriter } from './_content-writer.ts';
import { EntryRestorer, type LeafEntry } from './_entry-restorer.ts';
import { FileVerifier } from './_file-verifier.ts';
import { JobReport } from './_job-report.ts';
import { restoreLimits } from './_limits.ts';
import type { Batch, JobResult, LeafPart, RestoreJob, RestoreSetup } from './_messages.ts';
import { endsRestore, interrupted } from './_target-errors.ts';

/** Makes a worker of a restore. */
export function beginRestoreWorker(context: WorkerContext<RestoreSetup>): (job: RestoreJob) => Promise<JobResult> {
  const worker = new RestoreWorker(context);
  return (job) => worker.perform(job);
}

/** Opens blocks of packs, verifies every chunk, makes files and all else but folders, with their metadata. One job at a time. */
class RestoreWorker {
  readonly #context: WorkerContext<RestoreSetup>;
  readonly #report = new JobReport();
  readonly #writer: ContentWriter;
  readonly #cache: BlockCache;
  readonly #restorer: EntryRestorer;
  readonly #verifier: FileVerifier;
  readonly #mayBeOther: boolean;

  constructor(context: WorkerContext<RestoreSetup>) {
    const { setup } = context;
    const repository = attachRepository(setup.repository);
    const { storage, keys, configuration } = repository;
    const moved = movedChunks(repository);
    const { rules } = setup;
    // Blocks are kept in it while files are restored, file contents while they are verified: the one is over before the other begins.
    const kernel = createKernel({
      dataSizeBytes: blockCacheDataBytes(setup.arenaBytes),
      nameKey: keys.nameKey,
      metadataNameKey: keys.metadataNameKey,
      cutKey: keys.cutKey,
      cutting: configuration.chunker,
      module: setup.kernelModule,
    });
    const trees = new TreeReader(new PackReader({ storage, keys, moved, contentsLimit: restoreLimits.openPacks, blocksLimit: 4 }));
    const cache = new BlockCache({ storage, kernel, reader: new PackReader({ storage, keys, moved, contentsLimit: 1, blocksLimit: 1 }) });
    this.#context = context;
    this.#cache = cache;
    this.#writer = new ContentWriter({ cache, trees, emptiness: rules.emptiness, context });
    this.#restorer = new EntryRestorer({ rules, content: this.#writer, report: this.#report });
    this.#verifier = new FileVerifier({ kernel, trees, context });
    this.#mayBeOther = rules.overwrite === 'never' || rules.overwrite === 'if-newer';
  }

  async perform(job: RestoreJob): Promise<JobResult> {
    if (job.type === 'segment') await this.#writeSegment(job);
    else await this.#performBatch(job.type, job.batch);
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

  async #performBatch(type: 'restore' | 'verify', { parts, entries, sizeBytes }: Batch): Promise<void> {
    const leaves = new DecodedLeaves(parts);
    this.#cache.expected = sizeBytes < restoreLimits.expectedFromBytes ? [] : inlineExtents(leaves, entries);
    for (let at = 0; at < entries.length; at += 2) {
      if (this.#context.isStopping()) throw interrupted();
      const pausing = this.#context.pause();
      if (pausing !== undefined) await pausing;
      const part = entries[at]!;
      const entry = leaves.of(part)[entries[at + 1]!] as LeafEntry;
      if (type === 'restore') await this.#restorer.restore(entry, parts[part]!.folder, part);
      else await this.#verify(entry, parts[part]!, part);
      objectDropped();
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

/** What the files of a batch are made of, as far as it stands in their entries. */
function inlineExtents(leaves: DecodedLeaves, entries: Batch['entries']): Extent[] {
  const extents: Extent[] = [];
  for (let at = 0; at < entries.length; at += 2) {
    const entry = leaves.of(entries[at]!)[entries[at + 1]!]!;
    if (entry.type === 'file' && entry.content.form === 'inline') extents.push(...entry.content.extents);
  }
  return extents;
}

/** Entries of the leaves of a batch: of those that were used last, since decoded ones are many times larger. */
class DecodedLeaves {
  readonly #parts: readonly LeafPart[];
  readonly #decoded = new Map<number, readonly Entry[]>();
  #last = -1;
  #lastEntries: readonly Entry[] = [];

  constructor(parts: readonly LeafPart[]) {
    this.#parts = parts;
  }

  of(part: number): readonly Entry[] {
    if (part === this.#last) return this.#lastEntries;
    const { bytes, object } = this.#parts[part]!;
    const entries = this.#decoded.get(part) ?? (decodeNode(bytes, object).items as readonly Entry[]);
    this.#decoded.delete(part);
    this.#decoded.set(part, entries);
    if (this.#decoded.size > restoreLimits.decodedLeaves) this.#decoded.delete(this.#decoded.keys().next().value!);
    this.#last = part;
    this.#lastEntries = entries;
    return entries;
  }
}
