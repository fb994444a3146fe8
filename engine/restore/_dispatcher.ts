import type { Entry, PackId } from '../../repo-format/mod.ts';
import type { WorkerPool } from '../workers/mod.ts';
import type { DirectoryLeaf } from './_directory-leaves.ts';
import { restoreLimits } from './_limits.ts';
import type { JobResult, RestoreJob, RestoreSetup } from './_messages.ts';
import type { TargetFolder, TargetFolders } from './_target-folders.ts';

export type RestorePool = WorkerPool<RestoreSetup, RestoreJob, JobResult>;

/** Of a leaf only the bytes are kept: its decoded entries are many times larger. */
interface Part {
  readonly folder: TargetFolder;
  readonly bytes: Uint8Array;
  readonly object: string;
}

/** Entries whose content begins in the same pack, in the order of the walk. */
interface Batch {
  readonly pack: PackId | undefined;
  readonly parts: Part[];
  /** By the bytes of the leaf. */
  readonly partOf: Map<Uint8Array, number>;
  /** Pairs: number of a part, number of an entry. */
  readonly entries: number[];
  sizeBytes: number;
  leafBytes: number;
}

/** Which entry: the number of an entry in a leaf of a directory, and where it goes. */
export interface LeafPlace {
  readonly folder: TargetFolder;
  readonly leaf: DirectoryLeaf;
  readonly index: number;
}

/**
 * Gives entries to the workers in batches. Packs were filled in the order of a walk by several threads at once, so neighbours in the tree are neighbours in one of a few
 * packs: entries are gathered by the pack in which their content begins, and a pack stays with the worker that had it last, so that most blocks are opened once.
 */
export class Dispatcher {
  readonly #pool: RestorePool;
  readonly #folders: TargetFolders;
  readonly #type: 'restore' | 'verify';
  readonly #onResult: (result: JobResult, folders: readonly TargetFolder[]) => void;
  readonly #batches = new Map<PackId | undefined, Batch>();
  readonly #workerOf = new Map<PackId, number>();
  #lastPack: PackId | undefined;
  readonly #outstanding = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: {
    pool: RestorePool;
    folders: TargetFolders;
    type: 'restore' | 'verify';
    onResult: (result: JobResult, folders: readonly TargetFolder[]) => void;
  }) {
    this.#pool = parts.pool;
    this.#folders = parts.folders;
    this.#type = parts.type;
    this.#onResult = parts.onResult;
  }

  /** Has an entry restored that is no folder. A promise is returned only if the caller is to wait before the next. */
  add(place: LeafPlace, entry: Entry): Promise<void> | undefined {
    const pack = firstPack(entry) ?? this.#lastPack;
    this.#lastPack = pack;
    let batch = this.#batches.get(pack);
    if (batch === undefined)
      this.#batches.set(pack, (batch = { pack, parts: [], partOf: new Map(), entries: [], sizeBytes: 0, leafBytes: 0 }));
    this.#put(batch, place);
    batch.sizeBytes += entry.type === 'file' ? entry.size : 0;
    if (isFull(batch)) return this.#sendWhenReady(batch);
    if (this.#batches.size > restoreLimits.openBatches) return this.#sendWhenReady(this.#batches.values().next().value!);
    if (this.#folders.pinned >= restoreLimits.pinnedFolders) return this.#waitForFolders();
    return undefined;
  }

  /** The same at once and alone, for what turns up late. */
  addNow(place: LeafPlace, entry: Entry): void {
    const batch: Batch = { pack: firstPack(entry), parts: [], partOf: new Map(), entries: [], sizeBytes: 0, leafBytes: 0 };
    this.#put(batch, place);
    this.#send(batch);
  }

  /** Counts something under way that is not a batch, so that {@link drain} waits for it; its failure ends the restore. */
  track(work: Promise<void>): void {
    const tracked = work.catch((error: unknown) => void (this.#failure ??= { error })).finally(() => this.#outstanding.delete(tracked));
    this.#outstanding.add(tracked);
  }

  /** Sends what is waiting for a fuller batch, and resolves when all is done. */
  async drain(): Promise<void> {
    while (this.#batches.size > 0 || this.#outstanding.size > 0) {
      for (const batch of [...this.#batches.values()]) await this.#sendWhenReady(batch);
      if (this.#outstanding.size > 0) await Promise.race(this.#outstanding);
      this.throwFailure();
    }
  }

  /** Resolves when nothing is under way any more; to be called after the workers have stopped. */
  async settled(): Promise<void> {
    while (this.#outstanding.size > 0) await Promise.race(this.#outstanding);
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #put(batch: Batch, { folder, leaf, index }: LeafPlace): void {
    let part = batch.partOf.get(leaf.bytes);
    if (part === undefined) {
      part = batch.parts.length;
      this.#folders.pin(folder);
      batch.parts.push({ folder, bytes: leaf.bytes, object: leaf.object });
      batch.partOf.set(leaf.bytes, part);
      batch.leafBytes += leaf.bytes.length;
    }
    batch.entries.push(part, index);
  }

  async #sendWhenReady(batch: Batch): Promise<void> {
    this.#batches.delete(batch.pack);
    if (!this.#pool.hasRoom) await this.#pool.ready();
    this.throwFailure();
    this.#send(batch);
  }

  async #waitForFolders(): Promise<void> {
    for (const batch of [...this.#batches.values()]) await this.#sendWhenReady(batch);
    while (this.#folders.pinned > restoreLimits.pinnedFolders / 2 && this.#outstanding.size > 0) {
      await Promise.race(this.#outstanding);
      this.throwFailure();
    }
  }

  #send(batch: Batch): void {
    const parts = batch.parts.map(({ folder, ...part }) => ({ ...part, folder: this.#folders.stateOf(folder) }));
    const folders = batch.parts.map(({ folder }) => folder);
    this.track(
      this.#pool
        .run({ type: this.#type, batch: { parts, entries: batch.entries, sizeBytes: batch.sizeBytes } }, this.#workerFor(batch.pack))
        .then((result) => this.#settle(result, folders)),
    );
  }

  #settle(result: JobResult, folders: readonly TargetFolder[]): void {
    this.#onResult(result, folders);
    for (const folder of folders) this.#folders.unpin(folder);
  }

  #workerFor(pack: PackId | undefined): number {
    const preferred = pack === undefined ? undefined : this.#workerOf.get(pack);
    const worker = this.#pool.choose(preferred);
    if (pack !== undefined && preferred === undefined) this.#remember(pack, worker);
    return worker;
  }

  #remember(pack: PackId, worker: number): void {
    this.#workerOf.set(pack, worker);
    if (this.#workerOf.size > restoreLimits.rememberedPacks) this.#workerOf.delete(this.#workerOf.keys().next().value!);
  }
}

/** One leaf alone, however large, does not fill a batch: it would go along with each of its entries. */
function isFull({ entries, sizeBytes, parts, leafBytes }: Batch): boolean {
  const { batchEntries, batchBytes, batchParts, batchLeafBytes } = restoreLimits;
  const isFullOfLeaves = parts.length >= batchParts || (parts.length > 1 && leafBytes >= batchLeafBytes);
  return entries.length >= 2 * batchEntries || sizeBytes >= batchBytes || isFullOfLeaves;
}

/** The pack in which the content of a file begins. */
function firstPack(entry: Entry): PackId | undefined {
  if (entry.type !== 'file') return undefined;
  const { content } = entry;
  if (content.form === 'node') return content.packs[0];
  if (content.form === 'none') return undefined;
  for (const extent of content.extents) if (extent.kind === 'data') return extent.pack;
  return undefined;
}
