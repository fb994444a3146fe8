/**
 * The writer's side of the collector's protocol (docs: collector's protocol; checked by a model):
 *
 * 1. read the root, keep its generation, leave out the packs that are condemned, doomed or lost;
 * 2. list the index tables from floor on and the damage reports, leave out the packs that those name; then read the root again; anew if floor moved or others are lost;
 * 3. packs, then index tables, then the commit, each durable before the next;
 * 4. read the root again: the snapshot stands if floor has not passed its generation, or if the catalogue lists it. Else it is lost, and the
 *    backup must begin anew.
 *
 * In a store that went back to an older root nothing of this is done: see rollback.ts.
 */
import { randomBytes } from 'node:crypto';
import {
  type Catalogue,
  decodeSnapshot,
  encodeSnapshot,
  equalBytes,
  idFromBytes,
  isLaganError,
  LaganError,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
  type SessionId,
  type Snapshot,
} from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { rolledBack } from './_rolled-back.ts';
import { createSealed, readSealed } from './_sealed-objects.ts';
import { damageCodes } from './_stored-slots.ts';
import { listReportedPacks } from './damage-reports.ts';
import type { Repository } from './repository.ts';
import { expectNoRollback, readRootSince } from './rollback.ts';
import { readPackList, readRoot, readUnderRoot } from './roots.ts';
import {
  generationFolder,
  listCommits,
  lowestGeneration,
  readCatalogue,
  readCatalogueRecord,
  type SnapshotInfo,
  sameSnapshots,
  standingOf,
} from './snapshots.ts';

/** An index table of a session, by its name: the table of the checkpoints `from` to `to`. */
export interface SessionIndexTable {
  readonly name: string;
  readonly generation: number;
  readonly session: SessionId;
  readonly from: number;
  readonly to: number;
  readonly sizeBytes: number;
}

export interface Session {
  /** Also the id of the snapshot. */
  readonly id: SessionId;
  readonly generation: number;
  /** The root with which the session began. */
  readonly root: Root;
  /** What may be deduplicated against, beside the root's base index. */
  readonly indexTables: readonly SessionIndexTable[];
  /**
   * While the collector fences: tables that it is about to fold, unless they came after it looked. The packs of such a table may be relied on only if a table of this session
   * lists them, too: they were stored after the collection before began, so only this one can doom them, and then they are excluded.
   */
  readonly pendingTables: readonly SessionIndexTable[];
  /** Packs that are condemned, doomed, lost, or reported to be lost: nothing may be deduplicated against them, so that what was in them is stored again. */
  readonly excludedPacks: ReadonlySet<PackId>;
}

/** A checkpoint, by its name. */
export interface CheckpointPlace {
  /** Of its session. */
  readonly id: SessionId;
  readonly generation: number;
  readonly number: number;
  readonly name: string;
}

export interface Checkpoint extends CheckpointPlace {
  readonly snapshot: Snapshot;
}

/**
 * Steps 1 and 2. `onListed` is told of the session while the root is read again, so that what it names can be fetched meanwhile; only the last one that it is told of
 * begins.
 *
 * Codes: those of {@link readRoot}, and object-missing.
 */
export async function beginSession(
  repository: Repository,
  { onListed, signal }: { onListed?: ((session: Session) => void) | undefined } & CallOptions = {},
): Promise<Session> {
  const begin = async (root: Root, listed: () => void): Promise<Session> => {
    const reading = Promise.all([
      listIndexTables(repository, root, { signal }),
      listReportedPacks(repository, { signal }),
      ...[root.condemned, root.doomed, root.lost].map((list) => readPackList(repository, list, { signal })),
    ]);
    reading.catch(() => undefined);
    // If what the root refers to is gone, this may know why.
    await expectNoRollback(repository, root, { signal });
    const [tables, reported, ...excluded] = await reading;
    listed();
    const [indexTables, pendingTables] = [
      tables.filter(({ generation }) => generation >= root.floor),
      tables.filter(({ generation }) => generation < root.floor),
    ];
    const id = idFromBytes<SessionId>(randomBytes(16));
    const excludedPacks = new Set([...reported, ...excluded.flat()]);
    const session = { id, generation: root.generation, root, indexTables, pendingTables, excludedPacks };
    onListed?.(session);
    return session;
  };
  // For safety floor matters; and what is lost, since a report may have been removed in between, as the root names its packs. But a session that relies on packs which were condemned since would have to begin anew all the sooner.
  const sameView = (before: Root, after: Root) =>
    before.floor === after.floor &&
    before.generation === after.generation &&
    before.phase === after.phase &&
    before.lost?.id === after.lost?.id;
  return readUnderRoot(repository, begin, { sameView, signal });
}

/**
 * The index tables of sessions, without those that another one of the same session contains. `from`: the lowest generation; by default the lowest
 * that a reader needs.
 */
export async function listIndexTables(
  repository: Repository,
  root: Root,
  { from = lowestGeneration(root), signal }: { from?: number } & CallOptions = {},
): Promise<SessionIndexTable[]> {
  const tables: SessionIndexTable[] = [];
  const prefix = objectPrefixes.sessionIndexes;
  for await (const { name, sizeBytes } of repository.storage.list(prefix, { after: generationFolder(prefix, from), signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type !== 'session-index' || parsed.generation < from) continue;
    const { generation, session, from: first, to } = parsed;
    tables.push({ name, generation, session, from: first, to, sizeBytes });
  }
  return withoutSuperseded(tables);
}

/** Leaves out each table whose range another one of its session and generation contains. */
export function withoutSuperseded(tables: readonly SessionIndexTable[]): SessionIndexTable[] {
  const kept: SessionIndexTable[] = [];
  const widestFirst = tables.toSorted(
    (left, right) =>
      left.generation - right.generation || compareText(left.session, right.session) || left.from - right.from || right.to - left.to,
  );
  for (const table of widestFirst) {
    const last = kept.at(-1);
    // Sorted by `from`, so the widest that began before is the last one kept.
    const contained = last !== undefined && last.session === table.session && last.generation === table.generation && table.to <= last.to;
    if (!contained) kept.push(table);
  }
  return kept;
}

/**
 * The commit of step 3, and step 4. May be called again after an error: the same snapshot is not committed twice.
 *
 * Codes: superseded (the collector has passed the session's generation: begin anew), exists (another snapshot has that id), and those of the storage.
 */
export async function commitSnapshot(
  repository: Repository,
  { session, snapshot, signal }: { session: Session; snapshot: Snapshot } & CallOptions,
): Promise<SnapshotInfo> {
  checkSession(session, snapshot);
  const name = objectNames.snapshot(session.generation, session.id);
  await createOnce(repository, { name, kind: 'snapshot', payload: encodeSnapshot(snapshot), signal });
  await expectStanding(repository, session, { signal });
  const { tags, description } = snapshot;
  return {
    id: session.id,
    generation: session.generation,
    name,
    snapshot,
    tags,
    description,
    deleted: false,
    heldUntil: undefined,
    standing: 'valid',
  };
}

/**
 * Stores a partial snapshot, which the next backup goes on from. `number` counts up within the session.
 *
 * Codes: superseded (the collector has passed the session's generation: what it stores from now on will not count, so it must begin anew, comparing with this
 * checkpoint), exists, and those of the storage.
 */
export async function writeCheckpoint(
  repository: Repository,
  { session, number, snapshot, signal }: { session: Session; number: number; snapshot: Snapshot } & CallOptions,
): Promise<void> {
  checkSession(session, snapshot);
  const name = objectNames.checkpoint(session.generation, session.id, number);
  await createOnce(repository, { name, kind: 'checkpoint', payload: encodeSnapshot(snapshot), signal });
  const { root, standing } = await readStanding(repository, session, { signal });
  if (standing !== 'valid') throw superseded(session, { root, name });
}

/** Whether the collector has passed a session: nothing that it stores from now on will count. */
export async function isSuperseded(repository: Repository, { generation }: Session, { signal }: CallOptions = {}): Promise<boolean> {
  return standingOf(await readRoot(repository, { signal }), { generation, catalogued: false }) !== 'valid';
}

/**
 * The newest checkpoint of each session that has not committed and whose checkpoints count, by generation or in the catalogue. `onDamage` as in {@link listSnapshots}.
 */
export async function listCheckpoints(
  repository: Repository,
  { onDamage, signal }: { onDamage?: ((error: LaganError) => void) | undefined } & CallOptions = {},
): Promise<Checkpoint[]> {
  const read = async (root: Root, listed: () => void) => {
    const [catalogue, commits, checkpoints] = await Promise.all([
      readCatalogueRecord(repository, root, { signal }),
      listCommits(repository, root, { signal }),
      gatherCheckpoints(repository, root, { signal }),
    ]);
    listed();
    const ended = new Set([...commits, ...catalogue.snapshots].map(({ id }) => id));
    return newestCheckpoints(checkpoints, catalogue).filter(({ id }) => !ended.has(id));
  };
  const places = await readUnderRoot(repository, read, { sameView: sameSnapshots, signal });
  const checkpoints: Checkpoint[] = [];
  for (const place of places) {
    try {
      checkpoints.push({ ...place, snapshot: await readCheckpoint(repository, place, { signal }) });
    } catch (error) {
      // Removed since it was listed: its session has committed, or the collector has ended it.
      if (isLaganError(error, 'not-found')) continue;
      if (onDamage === undefined || !isLaganError(error) || !damageCodes.has(error.code)) throw error;
      onDamage(error);
    }
  }
  return checkpoints;
}

/** What a checkpoint says. Codes: not-found (it was removed) and those of damage. */
export async function readCheckpoint(
  repository: Repository,
  { name }: Pick<CheckpointPlace, 'name'>,
  { signal }: CallOptions = {},
): Promise<Snapshot> {
  return decodeSnapshot(await readSealed(contextOf(repository), name, { kind: 'checkpoint', signal }), name);
}

/** The newest checkpoint of each session that counts under `root`: by its generation, or in the root's catalogue. Also of sessions that have committed. */
export async function listCheckpointPlaces(
  repository: Repository,
  root: Root,
  { catalogue, signal }: { catalogue: Pick<Catalogue, 'checkpoints'> } & CallOptions,
): Promise<CheckpointPlace[]> {
  return newestCheckpoints(await gatherCheckpoints(repository, root, { signal }), catalogue);
}

/** All checkpoints that count by their generation, in ascending order. */
async function gatherCheckpoints(repository: Repository, root: Root, { signal }: CallOptions): Promise<CheckpointPlace[]> {
  const found: CheckpointPlace[] = [];
  const prefix = objectPrefixes.checkpoints;
  const lowest = lowestGeneration(root);
  for await (const { name } of repository.storage.list(prefix, { after: generationFolder(prefix, lowest), signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type !== 'checkpoint' || parsed.generation < lowest) continue;
    const { session: id, generation, number } = parsed;
    found.push({ id, generation, number, name });
  }
  return found;
}

/** The newest checkpoint of each session. */
function newestCheckpoints(found: readonly CheckpointPlace[], { checkpoints }: Pick<Catalogue, 'checkpoints'>): CheckpointPlace[] {
  const newest = new Map<SessionId, CheckpointPlace>();
  for (const { session: id, generation, number } of checkpoints)
    newest.set(id, { id, generation, number, name: objectNames.checkpoint(generation, id, number) });
  // Listings ascend, so the last one of a session is the newest.
  for (const place of found) newest.set(place.id, place);
  return [...newest.values()];
}

/** Creates an object; if it is there already, it must say the same, as after a call whose answer was lost. */
async function createOnce(
  repository: Repository,
  { name, kind, payload, signal }: { name: string; kind: 'snapshot' | 'checkpoint'; payload: Uint8Array } & CallOptions,
): Promise<void> {
  const context = contextOf(repository);
  const outcome = await createSealed(context, name, { kind, payload, signal });
  if (outcome === 'created' || equalBytes(await readSealed(context, name, { kind, signal }), payload)) return;
  throw new LaganError('exists', `${name} is there already, and it is another ${kind}`, { object: name });
}

/**
 * While the collector fences, nobody knows whether its catalogue will list the commit: that counts as passed, as in the model. So does one in the catalogue of a session
 * whose root was pruned: whether the store went back since cannot be told (ROOT-21).
 */
async function expectStanding(repository: Repository, session: Session, { signal }: CallOptions): Promise<void> {
  const { id, generation } = session;
  const { root, isPruned, standing } = await readStanding(repository, session, { signal });
  if (standing === 'valid') return;
  const isCatalogued = async () =>
    (await readCatalogue(repository, root, { signal })).some((entry) => entry.id === id && entry.generation === generation);
  if (standing === 'superseded' && !isPruned && (await isCatalogued())) return;
  throw superseded(session, { root, name: objectNames.snapshot(generation, id) });
}

/** How what a session has stored stands by its generation. Code: rolled-back, if the root with which it began is gone, and was not pruned. */
async function readStanding(
  repository: Repository,
  { generation, root: began }: Session,
  { signal }: CallOptions,
): Promise<{ root: Root; isPruned: boolean; standing: ReturnType<typeof standingOf> }> {
  const { root, isPruned } = await readRootSince(repository, began, { signal });
  const standing = standingOf(root, { generation, catalogued: false });
  const object = objectNames.root(began.number);
  // No root is pruned before floor has passed the sessions that began with it.
  if (isPruned && standing === 'valid') throw rolledBack({ object, message: `${object} is gone` });
  return { root, isPruned, standing };
}

function superseded({ generation }: Session, { root, name }: { root: Root; name: string }): LaganError {
  return new LaganError('superseded', `the collector has passed generation ${generation} of this backup, which must begin anew`, {
    object: name,
    expected: `at least ${root.floor}`,
    found: generation,
  });
}

function checkSession(session: Session, snapshot: Snapshot): void {
  if (snapshot.session !== session.id) throw new RangeError(`snapshot.session: ${snapshot.session} is not the session ${session.id}`);
  if (snapshot.generation !== session.generation)
    throw new RangeError(`snapshot.generation: ${snapshot.generation} is not that of the session, ${session.generation}`);
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
