/**
 * Which snapshots a repository has. A commit counts if its generation is not below the root's floor, or if the catalogue lists it
 * (docs: collector's protocol). Tags and descriptions that were changed later stand in annotations.
 */
import pLimit from 'p-limit';
import {
  type Catalogue,
  decodeCatalogue,
  decodeSnapshot,
  equalBytes,
  isLaganError,
  type LaganError,
  objectNames,
  objectPrefixes,
  parseObjectName,
  type Root,
  type Snapshot,
  type SnapshotId,
  type Time,
} from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { openSealed, orMissing, readReferenced, readSealed } from './_sealed-objects.ts';
import { damageCodes } from './_stored-slots.ts';
import { now } from './_time.ts';
import { listAnnotations, readAnnotation } from './annotations.ts';
import { repositoryLimits } from './limits.ts';
import { droppable, findHolds, findMarks, heldSnapshots, readRecords } from './owner-records.ts';
import type { Repository } from './repository.ts';
import { readUnderRoot } from './roots.ts';

/** Every property that is given must fit. */
export interface SnapshotFilter {
  readonly host?: string | undefined;
  readonly user?: string | undefined;
  readonly source?: string | undefined;
  /** All of them, among its tags. */
  readonly tags?: readonly string[] | undefined;
  /** All of them, among the paths that were backed up. */
  readonly paths?: readonly Uint8Array[] | undefined;
}

export interface SnapshotInfo {
  readonly id: SnapshotId;
  readonly generation: number;
  /** Name of the object. */
  readonly name: string;
  /** As it was written. */
  readonly snapshot: Snapshot;
  /** As they are now. */
  readonly tags: readonly string[];
  readonly description: string;
  /** It has a deletion mark and no hold: the next collection removes it. */
  readonly deleted: boolean;
  /** The end of its longest hold; null: until that is removed. Undefined if it has none. */
  readonly heldUntil: Time | null | undefined;
  /** `pending`: the collector is about to confirm it; it can be read. */
  readonly standing: 'valid' | 'pending';
}

export interface ListSnapshotsOptions extends CallOptions {
  readonly filter?: SnapshotFilter | undefined;
  readonly includeDeleted?: boolean | undefined;
  /** Is told of every object that is damaged; the others are listed. Without it, damage rejects the whole. */
  readonly onDamage?: ((error: LaganError) => void) | undefined;
  /** Only snapshots whose ids begin with it; others are not read. */
  readonly idPrefix?: string | undefined;
}

/** A snapshot that counts, before it is read. */
export interface StandingSnapshot {
  readonly id: SnapshotId;
  readonly generation: number;
  readonly name: string;
  readonly standing: 'valid' | 'pending';
  /** The stored object, where the catalogue has it. */
  readonly bytes: Uint8Array | null;
}

/**
 * All snapshots, ascending by the time when they began.
 *
 * Codes: those of {@link readRoot}; malformed, authentication-failed and so on for damaged ones, see `onDamage`.
 */
export async function listSnapshots(repository: Repository, options: ListSnapshotsOptions = {}): Promise<SnapshotInfo[]> {
  const { filter = {}, includeDeleted = false, signal } = options;
  const damage = new Map<string, LaganError>();
  const read = async (root: Root, listed: () => void) => {
    // What looked damaged may have been moved by the collector, after which the reading begins anew.
    damage.clear();
    const infos = await readAll(repository, { root, options, listed, onDamage: (name, error) => damage.set(name, error) });
    if (damage.size > 0) listed();
    return infos;
  };
  const snapshots = await readUnderRoot(repository, read, { sameView: sameSnapshots, signal });
  for (const error of damage.values()) {
    if (options.onDamage === undefined) throw error;
    options.onDamage(error);
  }
  return snapshots.filter((info) => (includeDeleted || !info.deleted) && fits(info, filter)).sort(compareSnapshots);
}

/** Whether two roots let the same snapshots count. */
export function sameSnapshots(before: Root, after: Root): boolean {
  const [left, right] = [before.catalogue, after.catalogue];
  const sameCatalogue = left === right || (left !== null && right !== null && equalBytes(left.hash, right.hash));
  return before.floor === after.floor && lowestGeneration(before) === lowestGeneration(after) && sameCatalogue;
}

/** How a commit stands under a root: `superseded` ones do not count. `catalogued` says whether the catalogue lists it. */
export function standingOf(
  root: Root,
  { generation, catalogued }: { generation: number; catalogued: boolean },
): 'valid' | 'pending' | 'superseded' {
  if (generation >= root.floor || catalogued) return 'valid';
  return generation >= lowestGeneration(root) ? 'pending' : 'superseded';
}

/** The root's catalogue as it is stored; empty if there is none. Codes: object-missing and those of damage. */
export async function readCatalogueRecord(repository: Repository, root: Root, { signal }: CallOptions = {}): Promise<Catalogue> {
  if (root.catalogue === null) return { snapshots: [], checkpoints: [] };
  const name = objectNames.catalogue(root.catalogue.id);
  return decodeCatalogue(await readReferenced(contextOf(repository), root.catalogue, { name, kind: 'catalogue', signal }), name);
}

/** The snapshots of the root's catalogue. Codes as of {@link readCatalogueRecord}. */
export async function readCatalogue(repository: Repository, root: Root, options: CallOptions = {}): Promise<StandingSnapshot[]> {
  const { snapshots } = await readCatalogueRecord(repository, root, options);
  return snapshots.map(({ id, generation, object }) => ({
    id,
    generation,
    name: objectNames.snapshot(generation, id),
    standing: 'valid',
    bytes: object.length === 0 ? null : object,
  }));
}

/** The commits in the store that may count under `root`, whether or not the catalogue lists them, too. */
export async function listCommits(repository: Repository, root: Root, { signal }: CallOptions = {}): Promise<StandingSnapshot[]> {
  const found: StandingSnapshot[] = [];
  const prefix = objectPrefixes.snapshots;
  for await (const { name } of repository.storage.list(prefix, { after: generationFolder(prefix, lowestGeneration(root)), signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type !== 'snapshot') continue;
    const standing = standingOf(root, { generation: parsed.generation, catalogued: false });
    if (standing !== 'superseded') found.push({ id: parsed.session, generation: parsed.generation, name, standing, bytes: null });
  }
  return found;
}

/** What comes before all names of a generation and after those of earlier ones. */
export function generationFolder(prefix: string, generation: number): string {
  return prefix + generation.toString(16).padStart(16, '0');
}

/** While the collector fences, commits from the past floor on wait for its catalogue. */
export function lowestGeneration(root: Root): number {
  return root.phase === 'fencing' ? root.pastFloor : root.floor;
}

interface ReadContext {
  readonly root: Root;
  readonly options: ListSnapshotsOptions;
  /** To be called when all is listed. */
  readonly listed: () => void;
  readonly onDamage: (name: string, error: LaganError) => void;
}

async function readAll(repository: Repository, { root, options, listed, onDamage }: ReadContext): Promise<SnapshotInfo[]> {
  const { idPrefix = '', signal } = options;
  const [catalogued, commits, annotations, markPlaces, holdPlaces] = await Promise.all([
    readCatalogue(repository, root, { signal }),
    listCommits(repository, root, { signal }),
    listAnnotations(repository, { signal }),
    findMarks(repository, { signal }),
    findHolds(repository, { signal }),
  ]);
  listed();
  const standing = new Map([...commits, ...catalogued].map((snapshot) => [snapshot.id, snapshot]));
  const chosen = [...standing.values()].filter(({ id }) => id.startsWith(idPrefix));
  const records = { onDamage: (error: LaganError, name: string) => onDamage(name, error), signal };
  const [marks, holds, infos] = await Promise.all([
    readRecords(repository, markPlaces, records),
    readRecords(repository, holdPlaces, records),
    pLimit(repositoryLimits.concurrentReads).map(chosen, (snapshot) =>
      readInfo(repository, snapshot, { annotation: annotations.get(snapshot.id), signal, onDamage }),
    ),
  ]);
  const at = now();
  const [deleted, held] = [droppable(marks, { holds, at }), heldSnapshots(holds, at)];
  return infos.flatMap((info) => (info === null ? [] : [{ ...info, deleted: deleted.has(info.id), heldUntil: held.get(info.id) }]));
}

/** A snapshot that counts, from the catalogue or from its own object. Codes: object-missing and those of damage. */
export async function readStandingSnapshot(
  repository: Repository,
  { name, bytes }: Pick<StandingSnapshot, 'name' | 'bytes'>,
  { signal }: CallOptions = {},
): Promise<Snapshot> {
  const context = contextOf(repository);
  const payload =
    bytes === null
      ? await orMissing(name, readSealed(context, name, { kind: 'snapshot', signal }))
      : openSealed(context, bytes, { kind: 'snapshot', name });
  return decodeSnapshot(payload, name);
}

/** Null if the snapshot is damaged. Snapshot and annotation are read at once. */
async function readInfo(
  repository: Repository,
  { id, generation, name, standing, bytes }: StandingSnapshot,
  { annotation, signal, onDamage }: { annotation: string | undefined; onDamage: ReadContext['onDamage'] } & CallOptions,
): Promise<Omit<SnapshotInfo, 'deleted' | 'heldUntil'> | null> {
  const [snapshot, changes] = await Promise.all([
    orDamage(name, onDamage, () => readStandingSnapshot(repository, { name, bytes }, { signal })),
    annotation === undefined ? null : orDamage(annotation, onDamage, () => readAnnotation(repository, annotation, { signal })),
  ]);
  if (snapshot === null) return null;
  const tags = changes?.tags ?? snapshot.tags;
  const description = changes?.description ?? snapshot.description;
  return { id, generation, name, snapshot, tags, description, standing };
}

/** What `read` gives; null if it finds damage, which is told. */
async function orDamage<T>(name: string, onDamage: ReadContext['onDamage'], read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (!isLaganError(error) || !damageCodes.has(error.code)) throw error;
    onDamage(name, error);
    return null;
  }
}

function fits({ snapshot, tags }: SnapshotInfo, filter: SnapshotFilter): boolean {
  for (const property of ['host', 'user', 'source'] as const) {
    if (filter[property] !== undefined && filter[property] !== snapshot[property]) return false;
  }
  const hasPath = (path: Uint8Array) => snapshot.paths.some((candidate) => equalBytes(candidate, path));
  return (filter.tags ?? []).every((tag) => tags.includes(tag)) && (filter.paths ?? []).every(hasPath);
}

function compareSnapshots({ snapshot: left }: SnapshotInfo, { snapshot: right }: SnapshotInfo): number {
  const bySeconds = left.started.seconds - right.started.seconds;
  if (bySeconds !== 0) return bySeconds;
  const byNanoseconds = left.started.nanoseconds - right.started.nanoseconds;
  if (byNanoseconds !== 0) return byNanoseconds;
  return left.session < right.session ? -1 : 1;
}
