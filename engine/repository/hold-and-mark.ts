/**
 * Marks and holds snapshots, and takes that back. Each record that is made here is about one snapshot: so it can be taken back by deleting it, and two who do that at
 * the same time cannot undo each other's work. See owner-records.ts for how the records are read and why a late hold wins.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import pLimit from 'p-limit';
import {
  encodeDeletionMark,
  encodeHold,
  idFromBytes,
  LaganError,
  type ObjectId,
  objectNames,
  type SnapshotId,
  type Time,
} from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { createLasting } from './_lasting.ts';
import { createSealed } from './_sealed-objects.ts';
import { now } from './_time.ts';
import { repositoryLimits } from './limits.ts';
import { listHolds, listMarks } from './owner-records.ts';
import type { Repository } from './repository.ts';
import { readUnderRoot } from './roots.ts';
import { listCommits, readCatalogue, sameSnapshots } from './snapshots.ts';

export interface MarkOptions extends CallOptions {
  readonly reason: string;
  /** Default: now. */
  readonly time?: Time | undefined;
}

export interface HoldOptions extends CallOptions {
  /** Null: until the hold is removed. */
  readonly until: Time | null;
  readonly reason: string;
}

/**
 * What becomes of a snapshot that was held or unmarked: `kept`: every later collection sees it; `dropped`: it was collected before; `undecided`: a collection is in the
 * middle of deciding, and may have looked before.
 */
export type Fate = 'kept' | 'dropped' | 'undecided';

export interface ChangeOptions extends CallOptions {
  /** How long to wait for a collection that is deciding. Default: `repositoryLimits.collectionPatienceMs`. */
  readonly patienceMs?: number | undefined;
}

/** Lets the collector drop the snapshots, unless they are held. A second mark of the same snapshot does no harm. Codes: those of the storage. */
export async function markSnapshots(
  repository: Repository,
  ids: readonly SnapshotId[],
  { reason, time = now(), signal }: MarkOptions,
): Promise<void> {
  const payloads = ids.map((id) => encodeDeletionMark({ snapshots: [id], time, reason }));
  await createRecords(repository, { kind: 'deletion-mark', payloads, signal });
}

/**
 * Deletes the marks of snapshots, and says whether they stand. A mark of several, as other programs may make, goes as a whole: the result also has the snapshots that
 * came back with it. Codes: those of the storage.
 */
export async function unmarkSnapshots(
  repository: Repository,
  ids: readonly SnapshotId[],
  options: ChangeOptions = {},
): Promise<Map<SnapshotId, Fate>> {
  const { signal } = options;
  const fated = new Set(ids);
  for (let attempt = 1; attempt <= repositoryLimits.attempts; attempt++) {
    // A damaged mark marks nothing. Looked at again until there is none: a mark may have been sealed anew meanwhile, under another id.
    const marks = await listMarks(repository, { onDamage: () => undefined, signal });
    const about = marks.filter(({ value }) => value.snapshots.some((id) => ids.includes(id)));
    if (about.length === 0) break;
    for (const id of about.flatMap(({ value }) => value.snapshots)) fated.add(id);
    await repository.storage.delete(
      about.map(({ name }) => name),
      { signal },
    );
  }
  return fatesOf(repository, fated, options);
}

/** Forbids the deletion of snapshots. Holds add up: a snapshot is held as long as one of its holds is not over. Codes: those of the storage. */
export async function holdSnapshots(
  repository: Repository,
  ids: readonly SnapshotId[],
  { until, reason, ...options }: HoldOptions & ChangeOptions,
): Promise<Map<SnapshotId, Fate>> {
  const { signal } = options;
  const payloads = ids.map((id) => encodeHold({ snapshots: [id], until, reason }));
  await createRecords(repository, { kind: 'hold', payloads, signal });
  return fatesOf(repository, new Set(ids), options);
}

/**
 * Removes all holds of snapshots. The other snapshots of a hold of several get a hold of their own first. Returns those that had one. Codes: those of the storage.
 */
export async function releaseSnapshots(
  repository: Repository,
  ids: readonly SnapshotId[],
  { signal }: CallOptions = {},
): Promise<Set<SnapshotId>> {
  const holds = await listHolds(repository, { onDamage: () => undefined, signal });
  const about = holds.filter(({ value }) => value.snapshots.some((id) => ids.includes(id)));
  const payloads = about.flatMap(({ value }) => {
    const others = value.snapshots.filter((id) => !ids.includes(id));
    return others.map((id) => encodeHold({ ...value, snapshots: [id] }));
  });
  await createRecords(repository, { kind: 'hold', payloads, signal });
  await repository.storage.delete(
    about.map(({ name }) => name),
    { signal },
  );
  return new Set(about.flatMap(({ value }) => value.snapshots).filter((id) => ids.includes(id)));
}

/** Removes a hold by its own id: the only way for one that is damaged, and about no one knows what. Codes: those of the storage. */
export async function removeHold(repository: Repository, id: ObjectId, { signal }: CallOptions = {}): Promise<void> {
  await repository.storage.delete([objectNames.hold(id)], { signal });
}

type RecordKind = 'hold' | 'deletion-mark';

function createRecords(
  repository: Repository,
  { kind, payloads, signal }: { kind: RecordKind; payloads: readonly Uint8Array[] } & CallOptions,
): Promise<void> {
  const create = async (current: Repository) => {
    const one = (payload: Uint8Array) => createRecord(current, { kind, payload, signal });
    return { names: await pLimit(repositoryLimits.concurrentReads).map(payloads, one), result: undefined };
  };
  return createLasting(repository, create, { signal });
}

/** Returns its name. */
async function createRecord(
  repository: Repository,
  { kind, payload, signal }: { kind: RecordKind; payload: Uint8Array } & CallOptions,
): Promise<string> {
  const id = idFromBytes<ObjectId>(randomBytes(16));
  const name = kind === 'hold' ? objectNames.hold(id) : objectNames.deletionMark(id);
  const outcome = await createSealed(contextOf(repository), name, { kind, payload, signal });
  if (outcome === 'exists') throw new LaganError('exists', `${name} is there already`, { object: name });
  return name;
}

/** Whether snapshots stand after a change that a collection under way may not have seen. */
async function fatesOf(
  repository: Repository,
  ids: ReadonlySet<SnapshotId>,
  { patienceMs = repositoryLimits.collectionPatienceMs, signal }: ChangeOptions,
): Promise<Map<SnapshotId, Fate>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const { root, standing } = await listStanding(repository, { signal });
    const decides = (id: SnapshotId) => root.phase === 'fencing' && standing.has(id) && standing.get(id)! < root.floor;
    const undecided = [...ids].some(decides);
    if (!undecided || performance.now() >= deadline) {
      return new Map([...ids].map((id) => [id, standing.has(id) ? (decides(id) ? 'undecided' : 'kept') : 'dropped'] as const));
    }
    // When it is interrupted, the next reading says so.
    await setTimeout(repositoryLimits.collectionPollMs, undefined, { signal }).catch(() => undefined);
  }
}

/** The generations of all snapshots that count, with the root under which they do. */
function listStanding(repository: Repository, { signal }: CallOptions) {
  return readUnderRoot(
    repository,
    async (root) => {
      const listed = [...(await listCommits(repository, root, { signal })), ...(await readCatalogue(repository, root, { signal }))];
      return { root, standing: new Map(listed.map(({ id, generation }) => [id, generation])) };
    },
    { sameView: (before, after) => before.phase === after.phase && sameSnapshots(before, after), signal },
  );
}
