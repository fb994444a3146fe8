import pLimit from 'p-limit';
import { idFromBytes, isLaganError, LaganError, limits, type ObjectId } from '../../repo-format/mod.ts';
import { throwIfInterrupted } from '../look/mod.ts';
import { type Repository, readFormatFile, readRoot } from '../repository/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { mirrorLimits } from './_limits.ts';
import { type ListedObject, type Listing, listObjects, newestRoot } from './_listing.ts';
import { dropOldMarkers, markAsMirror, markRoot } from './_markers.ts';
import { expectNotForked, forked, mirrorStateOf } from './_mirror-place.ts';
import { DamagedSource, ObjectCopier } from './_object-copier.ts';
import { readSourceState, type SourceState } from './_source-state.ts';
import { rootStage, stageOf, stages } from './_stages.ts';
import { findSuperfluous, lostInSource } from './_superfluous.ts';
import type { MirrorOptions, MirrorProblem, MirrorResult } from './options.ts';

/**
 * Brings a second store to the state of a repository, object by object, as they are: the mirror opens with the same keys. A mirror that was complete once is a whole repository after
 * an interruption at any point: it shows what it showed before, and whole snapshots more; one that was not is told apart from a repository. It may be called again at any time.
 *
 * Codes: no-repository, exists (the target holds something else), rolled-back (somebody has written to the mirror, or one of the two was set back), usage, interrupted, io (the target does
 * not keep what it is sent), unavailable (collectors replace the root faster than this copies), and those of both stores.
 */
export async function mirrorRepository(source: Storage, target: Storage, options: MirrorOptions = {}): Promise<MirrorResult> {
  expectUsable(source, target, options);
  const { signal } = options;
  const { repositoryId } = await readFormatFile(source, { signal });
  const mirror = new Mirror(source, target, { options, repositoryId });
  for (let attempt = 1; attempt <= mirrorLimits.attempts; attempt++) {
    const result = await mirror.run();
    if (result !== undefined) return result;
  }
  throw new LaganError('unavailable', `the root changed ${mirrorLimits.attempts} times while the repository was copied`, {
    hint: 'try again',
  });
}

class Mirror {
  readonly #source: Storage;
  readonly #target: Storage;
  readonly #options: MirrorOptions;
  readonly #id: ObjectId;
  readonly #repository: Repository | undefined;
  readonly #copier: ObjectCopier;
  readonly #counts = { copiedObjects: 0, copiedBytes: 0, deletedObjects: 0, deletedBytes: 0, problems: 0 };
  readonly #told = new Set<string>();
  readonly #progress = { filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 };

  constructor(source: Storage, target: Storage, { options, repositoryId }: { options: MirrorOptions; repositoryId: Uint8Array }) {
    const { repository, verify = false, signal } = options;
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#id = idFromBytes<ObjectId>(repositoryId);
    this.#repository = repository && { ...repository, storage: source };
    this.#copier = new ObjectCopier({ source, target, repositoryId, repository: this.#repository, verify, signal });
  }

  /** Undefined if the root was replaced meanwhile. */
  async run(): Promise<MirrorResult | undefined> {
    const { dryRun = false, signal } = this.#options;
    const sourceListing = await listObjects(this.#source, { signal });
    const root = newestRoot(sourceListing);
    if (root === undefined) throw new LaganError('object-missing', 'the repository has no root', { object: 'collector/roots/' });
    const state = await this.#stateUnder(root.number);
    if (state === 'other') return undefined;
    const place = await mirrorStateOf(this.#source, this.#target, { repository: this.#id, signal });
    const targetListing: Listing = place === 'new' ? new Map() : await listObjects(this.#target, { signal });
    await expectNotForked({ source: this.#source, target: this.#target }, { sourceListing, targetListing }, { signal });
    expectNoStrangers(state, { sourceListing, targetListing });
    const missing = this.#missing({ sourceListing, targetListing, state });
    if (!dryRun) {
      if (place === 'new') await this.#target.prepare({ signal });
      if (place !== 'mirror') await markAsMirror(this.#target, this.#id, { signal });
      await this.#target.removeLitter({ signal });
      const isStill = await this.#copyAll(missing, { root: root.number, state });
      if (!isStill) return undefined;
    } else for (const { sizeBytes } of missing) this.#count(sizeBytes);
    const extra = [...targetListing.values()].filter(({ name }) => !sourceListing.has(name));
    const deleted = await this.#deleteSuperfluous({ state, sourceListing, extra });
    if (!dryRun) await dropOldMarkers(this.#target, root.number, { signal });
    return this.#result({
      root: root.number,
      present: this.#present({ sourceListing, targetListing, missing }),
      extra: extra.filter(({ name }) => !deleted.has(name)),
    });
  }

  /** What a key tells; `other` if the root was replaced since it was listed. */
  async #stateUnder(number: number): Promise<SourceState | undefined | 'other'> {
    if (this.#repository === undefined) return undefined;
    const { signal } = this.#options;
    const root = await readRoot(this.#repository, { signal });
    return root.number === number ? readSourceState(this.#repository, root, { signal }) : 'other';
  }

  #present({
    sourceListing,
    targetListing,
    missing,
  }: {
    sourceListing: Listing;
    targetListing: Listing;
    missing: readonly ListedObject[];
  }): number {
    const copied = new Set(missing.map(({ name }) => name));
    return [...sourceListing.keys()].filter((name) => targetListing.has(name) && !copied.has(name)).length;
  }

  /** What is to be copied. What a collector has passed is not: under an older root it might seem to count, and what it needs may be gone. */
  #missing({
    sourceListing,
    targetListing,
    state,
  }: {
    sourceListing: Listing;
    targetListing: Listing;
    state: SourceState | undefined;
  }): ListedObject[] {
    const { deleteSuperfluous = false } = this.#options;
    const missing: ListedObject[] = [];
    for (const object of sourceListing.values()) {
      if (state !== undefined && !counts(object, state)) continue;
      const there = targetListing.get(object.name);
      if (there === undefined) missing.push(object);
      else if (there.sizeBytes !== object.sizeBytes) {
        if (deleteSuperfluous) missing.push(object);
        this.#problem({ kind: 'mirror', object: object.name, error: wrongSize(object, { there, isReplaced: deleteSuperfluous }) });
      }
    }
    return missing;
  }

  /** False if the root was replaced meanwhile: then roots are not copied. */
  async #copyAll(missing: readonly ListedObject[], { root, state }: { root: number; state: SourceState | undefined }): Promise<boolean> {
    const { signal } = this.#options;
    this.#progress.filesTotal = this.#progress.filesDone + missing.length;
    this.#progress.bytesTotal = this.#progress.bytesDone + missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    for (let stage = 0; stage < stages.length; stage++) {
      const objects = missing.filter((object) => stageOf(object, state) === stage);
      if (stage === rootStage) {
        const newest = newestRoot(await listObjects(this.#source, { signal }));
        if (newest?.number !== root) return false;
        await this.#copyRoots(objects);
      } else await this.#copyStage(objects);
    }
    return true;
  }

  /** When it rejects, nothing is under way any more. */
  async #copyStage(objects: readonly ListedObject[]): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    await pLimit(mirrorLimits.objectsAtOnce).map(objects, async (object) => {
      if (failure !== undefined) return;
      try {
        await this.#copy(object);
      } catch (error) {
        failure ??= { error };
      }
    });
    if (failure !== undefined) throw failure.error;
  }

  /** The newest first: it alone counts. */
  async #copyRoots(roots: readonly ListedObject[]): Promise<void> {
    const { signal } = this.#options;
    for (const object of roots.toSorted((a, b) => (a.name < b.name ? 1 : -1))) {
      if (object.parsed.type !== 'root') continue;
      try {
        const bytes = await this.#source.get(object.name, undefined, { limitBytes: limits.rootSizeBytes, signal });
        await markRoot(this.#target, { number: object.parsed.number, bytes }, { signal });
        await this.#copy(object);
      } catch (error) {
        // Pruned since.
        if (!isLaganError(error, 'not-found')) throw error;
      }
    }
  }

  async #copy(object: ListedObject): Promise<void> {
    throwIfInterrupted(this.#options.signal);
    try {
      if (this.#told.has(object.name)) await this.#target.delete([object.name]);
      if ((await this.#copier.copy(object)) === 'copied') this.#count(object.sizeBytes);
    } catch (error) {
      if (!(error instanceof DamagedSource)) throw error;
      if (object.parsed.type === 'root' || object.parsed.type === 'format') throw error.damage;
      this.#problem({ kind: 'source', object: object.name, error: error.damage });
    }
    this.#progress.filesDone++;
    this.#progress.bytesDone += object.sizeBytes;
    this.#options.onProgress?.({ phase: 'mirror', ...this.#progress });
  }

  /** Returns the names of what was deleted, or would be. */
  async #deleteSuperfluous({
    state,
    sourceListing,
    extra,
  }: {
    state: SourceState | undefined;
    sourceListing: Listing;
    extra: readonly ListedObject[];
  }): Promise<ReadonlySet<string>> {
    const { deleteSuperfluous = false, dryRun = false, signal } = this.#options;
    if (!deleteSuperfluous || state === undefined || this.#repository === undefined) return new Set();
    const found = await findSuperfluous({ repository: this.#repository, state, source: sourceListing, extra }, { signal });
    for (const object of found.lost) this.#problem({ kind: 'kept', object: object.name, error: lostInSource(object) });
    const names = found.objects.map(({ name }) => name);
    for (let first = 0; first < names.length && !dryRun; first += mirrorLimits.namesPerDelete)
      await this.#target.delete(names.slice(first, first + mirrorLimits.namesPerDelete), { signal });
    this.#counts.deletedObjects += names.length;
    this.#counts.deletedBytes += sizeOf(found.objects);
    return new Set(names);
  }

  #count(sizeBytes: number): void {
    this.#counts.copiedObjects++;
    this.#counts.copiedBytes += sizeBytes;
  }

  /** Each object is told of once, however often it begins anew. */
  #problem(problem: MirrorProblem): void {
    if (this.#told.has(problem.object)) return;
    this.#told.add(problem.object);
    if (++this.#counts.problems <= mirrorLimits.listedProblems) this.#options.onProblem?.(problem);
  }

  #result({ root, present, extra }: { root: number; present: number; extra: readonly ListedObject[] }): MirrorResult {
    const { dryRun = false } = this.#options;
    const count = (...types: string[]) => extra.filter(({ parsed }) => types.includes(parsed.type)).length;
    return {
      outcome: dryRun ? 'dry-run' : this.#counts.problems > 0 ? 'partial' : 'complete',
      repository: this.#id,
      root,
      presentObjects: present,
      extraObjects: extra.length,
      extraBytes: sizeOf(extra),
      extraKeySlots: count('key-slot'),
      extraRecords: count('hold', 'deletion-mark'),
      ...this.#counts,
    };
  }
}

/** Whether it counts under the source's root; what has no generation always does. */
function counts({ name, parsed }: ListedObject, { snapshots, lowestGeneration, keptSessions }: SourceState): boolean {
  switch (parsed.type) {
    case 'snapshot':
      return snapshots.has(name);
    case 'session-index':
    case 'checkpoint':
      return parsed.generation >= lowestGeneration || keptSessions.has(parsed.session);
    default:
      return true;
  }
}

/** A snapshot that counts and that the source does not have was made in the mirror, or was lost in the source. */
function expectNoStrangers(
  state: SourceState | undefined,
  { sourceListing, targetListing }: { sourceListing: Listing; targetListing: Listing },
): void {
  if (state === undefined) return;
  const strangers = [...targetListing.values()].filter(
    ({ name, parsed }) => parsed.type === 'snapshot' && !sourceListing.has(name) && parsed.generation >= state.lowestGeneration,
  );
  if (strangers.length === 0) return;
  const message = `the mirror has ${strangers.length} snapshots that the repository does not have: somebody has backed up into the mirror, or the repository has lost them`;
  throw forked(strangers[0]!.name, message);
}

function wrongSize({ name, sizeBytes }: ListedObject, { there, isReplaced }: { there: ListedObject; isReplaced: boolean }): LaganError {
  return new LaganError('malformed', `${name} of the mirror has ${there.sizeBytes} bytes, that of the repository ${sizeBytes}`, {
    object: name,
    expected: sizeBytes,
    found: there.sizeBytes,
    hint: isReplaced ? 'it is replaced' : 'with --delete it is replaced',
  });
}

function sizeOf(objects: readonly ListedObject[]): number {
  return objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function expectUsable(source: Storage, target: Storage, { repository, deleteSuperfluous }: MirrorOptions): void {
  if (source.location === target.location)
    throw new LaganError('usage', `${source.location} cannot be its own mirror`, { hint: 'name another place' });
  if (deleteSuperfluous && repository === undefined)
    throw new LaganError('usage', 'only who has a key can know what is superfluous', { hint: 'delete with a key, or not at all' });
}
