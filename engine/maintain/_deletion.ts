/**
 * Deletes what a root of phase `open` has made superfluous.
 *
 * - Packs that are doomed.
 * - Snapshots, checkpoints and index tables of sessions whose generations no kept root looks at any more. They were folded two collections ago: a session that began before that is
 *   superseded, and begins anew when it misses them; and if the store shows an older root again, what it lacks can be seen.
 * - Checkpoints, before that, where the session has a newer one or has committed.
 * - What no root refers to and none can ever refer to (see `idForSuccessor`).
 * - Marks and annotations of snapshots that are gone; damage reports that were dealt with; verifications of which nothing is left to say; roots but the highest.
 *
 * What belongs to the catalogue is never among it: a snapshot that was too large to be put in, a checkpoint that keeps packs, with
 * its session's index tables.
 *
 * All of it is judged by one root. Who deletes may have slept since that was read, and another collector may have catalogued what is about to go: so the root is read again right
 * before each deletion, and once another one is there nothing more is deleted. It was made by someone who deletes, too.
 */
import {
  type Catalogue,
  isLaganError,
  type ObjectId,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
  type SessionId,
  type SnapshotId,
} from '../../repo-format/mod.ts';
import { readBaseIndex } from '../index/mod.ts';
import { isDamage } from '../packs/mod.ts';
import {
  listMarks,
  listRoots,
  lowestGeneration,
  type Repository,
  readCatalogueRecord,
  readPackList,
  readRootSince,
  rootNumberOf,
} from '../repository/mod.ts';
import { maintainLimits } from './_limits.ts';
import { type Losses, noLosses, packsOf } from './_losses.ts';
import { superfluousVerifications } from './_verifications.ts';

export interface Deleted {
  readonly packs: number;
  readonly packBytes: number;
  /** Other objects. */
  readonly objects: number;
}

export interface DeletionOptions {
  /** What the store has said of packs in damage reports; without it no report is removed. */
  readonly losses?: Losses | undefined;
  readonly onDeleted: (objects: number, packBytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** `root` is of phase `open`, and was read before. Codes: those of the storage. */
export async function deleteSuperfluous(repository: Repository, root: Root, options: DeletionOptions): Promise<Deleted> {
  const { signal } = options;
  const deletion = new Deletion(repository, root, options);
  await deletion.deletePacks(await readPackList(repository, root.doomed, { signal }));
  const roots = (await listRoots(repository, { signal })).slice(0, maintainLimits.keptRoots);
  const catalogue = await readCatalogueRecord(repository, root, { signal });
  const lowest = Math.min(root.floor, ...roots.map(lowestGeneration));
  await deletion.deleteOwnersRecords(catalogue);
  await deletion.deleteCommits(catalogue, lowest);
  await deletion.deleteCheckpoints(catalogue, lowest);
  await deletion.deleteTables(catalogue, lowest);
  await deletion.deleteReports();
  await deletion.deleteUnreferenced(roots);
  await deletion.deleteVerifications();
  await deletion.deleteRoots();
  await repository.storage.removeLitter({ signal });
  return deletion.deleted;
}

class Deletion {
  deleted: Deleted = { packs: 0, packBytes: 0, objects: 0 };
  readonly #repository: Repository;
  readonly #root: Root;
  readonly #options: DeletionOptions;

  constructor(repository: Repository, root: Root, options: DeletionOptions) {
    this.#repository = repository;
    this.#root = root;
    this.#options = options;
  }

  async deletePacks(doomed: readonly PackId[]): Promise<void> {
    if (doomed.length === 0) return;
    const wanted = new Set(doomed);
    const found: { name: string; sizeBytes: number }[] = [];
    for (const prefix of [objectPrefixes.writerPacks, objectPrefixes.collectorPacks]) {
      for await (const { name, sizeBytes } of this.#list(prefix)) {
        const parsed = parseObjectName(name);
        if (parsed?.type === 'pack' && wanted.has(parsed.id)) found.push({ name, sizeBytes });
      }
    }
    const sizes = new Map(found.map(({ name, sizeBytes }) => [name, sizeBytes]));
    await this.#delete([...sizes.keys()], (batch) => {
      const bytes = batch.reduce((sum, name) => sum + sizes.get(name)!, 0);
      this.#count({ packs: batch.length, packBytes: bytes, objects: 0 });
    });
  }

  async deleteCommits({ snapshots }: Catalogue, lowest: number): Promise<void> {
    const ownObject = new Set(snapshots.filter(({ object }) => object.length === 0).map(({ id }) => id));
    const superfluous: string[] = [];
    for await (const { name } of this.#list(objectPrefixes.snapshots)) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'snapshot' && parsed.generation < lowest && !ownObject.has(parsed.session)) superfluous.push(name);
    }
    await this.#delete(superfluous);
  }

  async deleteCheckpoints({ snapshots, checkpoints }: Catalogue, lowest: number): Promise<void> {
    const kept = new Set(checkpoints.map(({ generation, session, number }) => objectNames.checkpoint(generation, session, number)));
    // A commit below floor that the catalogue lacks does not count, and leaves the checkpoint as it is.
    const committed = new Set<SessionId>(snapshots.map(({ id }) => id));
    for await (const { name } of this.#list(objectPrefixes.snapshots)) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'snapshot' && parsed.generation >= this.#root.floor) committed.add(parsed.session);
    }
    const superfluous: string[] = [];
    const newest = new Map<SessionId, string>();
    for await (const { name } of this.#list(objectPrefixes.checkpoints)) {
      const parsed = parseObjectName(name);
      if (parsed?.type !== 'checkpoint' || kept.has(name)) continue;
      const { session, generation } = parsed;
      // Listings ascend: the one before it is older.
      const older = newest.get(session);
      if (older !== undefined) superfluous.push(older);
      if (generation < lowest || committed.has(session)) superfluous.push(name);
      else newest.set(session, name);
    }
    await this.#delete(superfluous);
  }

  async deleteTables({ checkpoints }: Catalogue, lowest: number): Promise<void> {
    const unfinished = new Set(checkpoints.map(({ session }) => session));
    const superfluous: string[] = [];
    for await (const { name } of this.#list(objectPrefixes.sessionIndexes)) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'session-index' && parsed.generation < lowest && !unfinished.has(parsed.session)) superfluous.push(name);
    }
    await this.#delete(superfluous);
  }

  async deleteUnreferenced(roots: readonly Root[]): Promise<void> {
    const referred = new Set<ObjectId>();
    for (const root of [this.#root, ...roots]) {
      for (const reference of [root.baseIndex, root.catalogue, root.lost, root.condemned, root.doomed])
        if (reference !== null) referred.add(reference.id);
    }
    const older = await this.#olderTables([this.#root, ...roots]);
    for (const id of older ?? []) referred.add(id);
    const prefixes = [objectPrefixes.catalogues, objectPrefixes.lostLists, ...(older === null ? [] : [objectPrefixes.baseIndexes])];
    const superfluous: string[] = [];
    for (const prefix of prefixes) {
      for await (const { name } of this.#list(prefix)) {
        const parsed = parseObjectName(name);
        if (parsed?.type !== 'base-index' && parsed?.type !== 'catalogue' && parsed?.type !== 'lost-list') continue;
        if (!referred.has(parsed.id) && rootNumberOf(parsed.id) <= this.#root.number) superfluous.push(name);
      }
    }
    await this.#delete(superfluous);
  }

  /** The tables that the base indexes of these roots have besides their newest; null if one is damaged, so that nobody knows. */
  async #olderTables(roots: readonly Root[]): Promise<ObjectId[] | null> {
    const { storage, keys } = this.#repository;
    const newest = new Map(roots.flatMap(({ baseIndex }) => (baseIndex === null ? [] : [[baseIndex.id, baseIndex]])));
    const older: ObjectId[] = [];
    for (const reference of newest.values()) {
      try {
        const { tables } = await readBaseIndex(storage, { reference, keys, signal: this.#options.signal });
        older.push(...tables.map((table) => table.reference.id));
      } catch (error) {
        if (isDamage(error)) return null;
        // The root that it belongs to was deleted by another collector.
        if (!isLaganError(error, 'not-found')) throw error;
      }
    }
    return older;
  }

  /** Marks and annotations of snapshots that are gone. */
  async deleteOwnersRecords({ snapshots }: Catalogue): Promise<void> {
    const { signal } = this.#options;
    const marks = await listMarks(this.#repository, { onDamage: () => undefined, signal });
    const annotations: { name: string; snapshot: SnapshotId }[] = [];
    for await (const { name } of this.#list(objectPrefixes.annotations)) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'annotation') annotations.push({ name, snapshot: parsed.snapshot });
    }
    if (marks.length + annotations.length === 0) return;
    const standing = new Set(snapshots.map(({ id }) => id));
    for await (const { name } of this.#list(objectPrefixes.snapshots)) {
      const parsed = parseObjectName(name);
      if (parsed?.type === 'snapshot' && parsed.generation >= this.#root.floor) standing.add(parsed.session);
    }
    await this.#delete([
      ...marks.filter(({ value }) => !value.snapshots.some((id) => standing.has(id))).map(({ name }) => name),
      ...annotations.filter(({ snapshot }) => !standing.has(snapshot)).map(({ name }) => name),
    ]);
  }

  async deleteVerifications(): Promise<void> {
    await this.#delete(await superfluousVerifications(this.#repository, { signal: this.#options.signal }));
  }

  /** Damage reports that say nothing new: the root names their packs, or these are good. */
  async deleteReports(): Promise<void> {
    const { losses = noLosses, signal } = this.#options;
    if (losses.reports.length === 0) return;
    const named = new Set(await readPackList(this.#repository, this.#root.lost, { signal }));
    const isSettled = (pack: PackId) => named.has(pack) || losses.sound.has(pack);
    await this.#delete(losses.reports.filter((report) => packsOf(report).every(isSettled)).map(({ name }) => name));
  }

  async deleteRoots(): Promise<void> {
    const names: string[] = [];
    for await (const { name } of this.#list(objectPrefixes.roots)) if (parseObjectName(name)?.type === 'root') names.push(name);
    await this.#delete(names.slice(0, -maintainLimits.keptRoots));
  }

  #list(prefix: string) {
    return this.#repository.storage.list(prefix, { signal: this.#options.signal });
  }

  async #delete(
    names: readonly string[],
    onDeleted = (batch: readonly string[]) => this.#count({ packs: 0, packBytes: 0, objects: batch.length }),
  ): Promise<void> {
    const { signal } = this.#options;
    for (let first = 0; first < names.length; first += maintainLimits.namesPerDelete) {
      const { root } = await readRootSince(this.#repository, this.#root, { signal });
      if (root.number !== this.#root.number) return;
      const batch = names.slice(first, first + maintainLimits.namesPerDelete);
      await this.#repository.storage.delete(batch, { signal });
      onDeleted(batch);
    }
  }

  #count({ packs, packBytes, objects }: Deleted): void {
    const before = this.deleted;
    this.deleted = { packs: before.packs + packs, packBytes: before.packBytes + packBytes, objects: before.objects + objects };
    this.#options.onDeleted(packs + objects, packBytes);
  }
}
