/** What stands under a root, and which packs that needs. */
import pLimit from 'p-limit';
import {
  type Catalogue,
  idFromBytes,
  isLaganError,
  type LaganError,
  type MarkedSession,
  objectNames,
  type PackId,
  type Root,
  type SessionId,
  type Snapshot,
  type SnapshotId,
} from '../../repo-format/mod.ts';
import { openTable } from '../index/mod.ts';
import { isDamage } from '../packs/mod.ts';
import {
  type CheckpointPlace,
  isId,
  isRecoveryRoot,
  listCheckpointPlaces,
  listCommits,
  listDroppable,
  listIndexTables,
  listMarks,
  originOf,
  type Repository,
  readCatalogue,
  readCatalogueRecord,
  readCheckpoint,
  readMarkedPackList,
  readPackList,
  readStandingSnapshot,
  type SessionIndexTable,
  type StandingSnapshot,
} from '../repository/mod.ts';
import { maintainLimits } from './_limits.ts';
import { expectCommitsListed } from './_listed-commits.ts';
import { ListedPacks } from './_listed-packs.ts';
import { doubted, type Losses, noLosses } from './_losses.ts';
import { type BaseIndex, followed, type Replacements, readBaseIndex, withHolders } from './_replacements.ts';
import { findReturned, type Returned } from './_returned-chunks.ts';

/** What a collector knows under one root. */
export interface Survey {
  readonly root: Root;
  readonly catalogue: Catalogue;
  /** That stand and stay. */
  readonly snapshots: readonly StandingSnapshot[];
  /** That stand and go: marked, and not held. */
  readonly dropped: readonly StandingSnapshot[];
  /** Whether a snapshot that goes was made anew without something, see `lagan rewrite`. */
  readonly isRewritten: boolean;
  /** That stand, are marked and stay because they are held. */
  readonly held: number;
  /** Of unfinished sessions: that stay. */
  readonly checkpoints: readonly CheckpointPlace[];
  /** Of sessions that were gone on from, or abandoned: that go. Those of sessions that have committed are not counted. */
  readonly endedCheckpoints: readonly CheckpointPlace[];
  /** Index tables of sessions that count, and can be read. */
  readonly tables: readonly SessionIndexTable[];
  /** Those that cannot: what they list and something needs is listed by itself. */
  readonly unreadableTables: readonly SessionIndexTable[];
  readonly base: BaseIndex;
  /** What lists of snapshots and checkpoints name, and tables of unfinished sessions. */
  readonly listed: ReadonlySet<PackId>;
  /** Of `listed`: what is not only in lists of snapshots and checkpoints. */
  readonly inTables: ReadonlySet<PackId>;
  /** What snapshots and checkpoints need: the packs that they name, or what has replaced those. */
  readonly needed: ReadonlySet<PackId>;
  /** Not empty: `needed` lacks what damaged snapshots need. Nothing may be freed then. */
  readonly damage: readonly LaganError[];
  readonly losses: Losses;
  /** Where chunks of lost packs are besides; `base.replaced` and `needed` know of it. */
  readonly returned: Returned;
}

export interface SurveyOptions {
  /** Which snapshots, checkpoints and tables: all that count, or only those of generations below this one. */
  readonly below?: number | undefined;
  /** What is lost, and what packs there are, listed after the root was read. Default: nothing is lost. */
  readonly lost?: { readonly losses: Losses; readonly present: ReadonlySet<PackId> } | undefined;
  /** Names of index tables that are damaged. */
  readonly unreadable?: ReadonlyMap<string, unknown> | undefined;
  readonly onSnapshot: () => void;
  /** Is told of damage that keeps nothing from being freed, too. */
  readonly onDamage: (error: LaganError) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Reads what stands under `root`. Commits and checkpoints are listed before the index tables: a table is stored before them, so no commit is seen without its tables.
 *
 * Codes: those of the storage, unavailable where a listing lacks commits; object-missing and not-found where another collector was faster.
 */
export async function survey(repository: Repository, root: Root, options: SurveyOptions): Promise<Survey> {
  // Of later generations than the root's there is nothing that opens (ROOT-20), unless another collector was faster: then this one's root will not count.
  const { below = root.generation + 1, signal } = options;
  const damage: LaganError[] = [];
  const catalogue = await readCatalogueRecord(repository, root, { signal });
  const standing = new Map<SnapshotId, StandingSnapshot>();
  for (const snapshot of [...(await listCommits(repository, root, { signal })), ...(await readCatalogue(repository, root, { signal }))])
    if (snapshot.generation < below) standing.set(snapshot.id, snapshot);
  const places = (await listCheckpointPlaces(repository, root, { catalogue, signal })).filter(({ generation }) => generation < below);
  const allTables = (await listIndexTables(repository, root, { signal })).filter(({ generation }) => generation < below);
  const isUnreadable = ({ name }: SessionIndexTable) => options.unreadable?.has(name) === true;
  const tables = allTables.filter((table) => !isUnreadable(table));
  await expectCommitsListed(repository, root, { tables: allTables, listed: standing, signal });
  // A damaged mark marks nothing, with a damaged hold nothing is droppable. A recovery drops nothing.
  const droppable = isRecoveryRoot(root) ? new Set<SnapshotId>() : await listDroppable(repository, { onDamage: options.onDamage, signal });
  const marked = new Set((await listMarks(repository, { onDamage: () => undefined, signal })).flatMap(({ value }) => value.snapshots));
  const snapshots = [...standing.values()].filter(({ id }) => !droppable.has(id));
  const dropped = [...standing.values()].filter(({ id }) => droppable.has(id));
  const { losses = noLosses, present = noPacks } = options.lost ?? {};
  const doomed = new Set(doubted(losses).size === 0 ? [] : await readPackList(repository, root.doomed, { signal }));
  const returned = await findReturned(repository, root, { losses, tables, present, doomed, signal });
  const { replaced: before } = await readBaseIndex(repository, root);
  const base = { replaced: withHolders(before, returned.holders) };
  const { packs: condemned, marked: copied } = await readMarkedPackList(repository, root.condemned, { signal });
  const leaving = new Set(condemned.filter((pack) => isLeaving(pack, before, losses)));
  // What was copied from stays where the copy may be lost.
  const staying = condemned.filter((pack) => before.has(pack) && !leaving.has(pack));
  const marks = new Marking(repository, { damage, copied: leaving.size === 0 ? undefined : copied }, options);
  await marks.addSnapshots([...standing.values()], droppable);
  const unfinished = places.filter(({ id }) => !standing.has(id));
  const { kept, ended } = await marks.addCheckpoints(unfinished, root);
  for (const place of kept) await marks.addTables(place);
  return {
    root,
    catalogue,
    snapshots,
    dropped,
    isRewritten: dropped.some(({ id }) => marks.origins.has(id)),
    held: snapshots.filter(({ id }) => marked.has(id)).length,
    checkpoints: kept,
    endedCheckpoints: ended,
    tables,
    unreadableTables: allTables.filter(isUnreadable),
    base,
    listed: marks.listed,
    inTables: marks.inTables,
    needed: new Set([...marks.needed(base.replaced, leaving), ...staying]),
    damage,
    losses,
    returned,
  };
}

/** Whether a condemned pack is being replaced, and all that replaces it may be relied on. */
function isLeaving(pack: PackId, replaced: Replacements, { lost, unknown }: Losses): boolean {
  const by = replaced.get(pack);
  return by?.every((one) => one !== pack && !lost.has(one) && !unknown.has(one)) === true;
}

/** A snapshot, or a checkpoint with its number. */
function keyOf({ session, number }: MarkedSession): string {
  return `${session} ${number ?? ''}`;
}

/**
 * Gathers what snapshots and checkpoints need. While packs are being replaced, those count for themselves for whatever was not looked at before they were copied: it may need
 * chunks that were not.
 */
class Marking {
  /** What tables of unfinished sessions list. */
  readonly inTables = new Set<PackId>();
  readonly #settled: ListedPacks;
  /** The same as `#settled` where nothing is being replaced. */
  readonly #late: ListedPacks;
  readonly #copied: ReadonlySet<string> | undefined;
  readonly #repository: Repository;
  readonly #damage: LaganError[];
  readonly #options: SurveyOptions;
  /** Snapshots of which others were made by leaving something out; null for those that were made of none. */
  readonly origins = new Set<SnapshotId | null>();
  /** Sessions whose checkpoints a snapshot has gone on from. */
  readonly #continued = new Set<SessionId>();

  /** `copied`: what was looked at before packs were copied; undefined where none is being replaced. */
  constructor(
    repository: Repository,
    { damage, copied }: { damage: LaganError[]; copied: readonly MarkedSession[] | undefined },
    options: SurveyOptions,
  ) {
    this.#repository = repository;
    this.#damage = damage;
    this.#options = options;
    this.#copied = copied === undefined ? undefined : new Set(copied.map(keyOf));
    this.#settled = new ListedPacks(repository);
    this.#late = copied === undefined ? this.#settled : new ListedPacks(repository);
  }

  get listed(): ReadonlySet<PackId> {
    return new Set([...this.#settled.packs, ...this.#late.packs, ...this.inTables]);
  }

  needed(replaced: Replacements, leaving: ReadonlySet<PackId>): ReadonlySet<PackId> {
    const needed = followed(this.#settled.packs, { replaced, leaving });
    for (const packs of [this.inTables, ...(this.#late === this.#settled ? [] : [this.#late.packs])]) {
      for (const pack of packs) needed.add(pack);
      for (const pack of followed(packs, { replaced, leaving: noPacks })) needed.add(pack);
    }
    return needed;
  }

  #listOf(session: SessionId, number: number | null): ListedPacks {
    return this.#copied === undefined || this.#copied.has(keyOf({ session, number })) ? this.#settled : this.#late;
  }

  async addSnapshots(snapshots: readonly StandingSnapshot[], dropped: ReadonlySet<SnapshotId>): Promise<void> {
    await pLimit(maintainLimits.concurrentReads).map(snapshots, async (standing) => {
      const isDropped = dropped.has(standing.id);
      try {
        await this.#addSnapshot(standing, isDropped);
      } catch (error) {
        if (!isDamage(error) && !isLaganError(error, 'object-missing')) throw error;
        this.#options.onDamage(error);
        if (!isDropped) this.#damage.push(error);
      }
      this.#options.onSnapshot();
    });
  }

  /** Of one that is dropped only what it has gone on from is of interest. */
  async #addSnapshot(standing: StandingSnapshot, isDropped: boolean): Promise<void> {
    const snapshot = await readStandingSnapshot(this.#repository, standing, { signal: this.#options.signal });
    for (const session of continuedBy(snapshot)) this.#continued.add(session);
    this.origins.add(originOf(snapshot));
    if (!isDropped) await this.#listOf(standing.id, null).add(snapshot);
  }

  /** Sorts the checkpoints of sessions without commits. One that cannot be read protects nothing: that costs uploads, never data. */
  async addCheckpoints(
    places: readonly CheckpointPlace[],
    root: Root,
  ): Promise<{ kept: readonly CheckpointPlace[]; ended: readonly CheckpointPlace[] }> {
    const read: { place: CheckpointPlace; snapshot: Snapshot }[] = [];
    const ended: CheckpointPlace[] = [];
    for (const place of places) {
      const snapshot = await this.#readCheckpoint(place);
      if (snapshot === null || this.#continued.has(place.id) || isAbandoned(place, snapshot, root)) ended.push(place);
      else read.push({ place, snapshot });
    }
    const kept: CheckpointPlace[] = [];
    for (const { place, snapshot } of read) {
      // One that went on from it and has come as far replaces it.
      const isReplaced = read.some(
        ({ place: other, snapshot: later }) =>
          other.id !== place.id && continuedBy(later).includes(place.id) && later.statistics.bytes >= snapshot.statistics.bytes,
      );
      if (isReplaced) ended.push(place);
      else {
        kept.push(place);
        await this.#listOf(place.id, place.number).add(snapshot).catch(ignoreDamage);
      }
    }
    return { kept, ended };
  }

  /** What an unfinished session has stored since its last checkpoint, or all that one of a stream has, is in its index tables only. They stay as long as the checkpoint. */
  async addTables({ id: session, generation }: CheckpointPlace): Promise<void> {
    const { storage, keys } = this.#repository;
    const anyTable = objectNames.sessionIndex(generation, session, 0, 0);
    const prefix = anyTable.slice(0, anyTable.lastIndexOf('.') + 1);
    for await (const { name } of storage.list(prefix, { signal: this.#options.signal })) {
      const opened = await openTable(storage, { name, keys, memory: undefined }).catch(ignoreDamage);
      for (const { id } of opened?.packs ?? []) this.inTables.add(id);
    }
  }

  async #readCheckpoint(place: CheckpointPlace): Promise<Snapshot | null> {
    try {
      return await readCheckpoint(this.#repository, place, { signal: this.#options.signal });
    } catch (error) {
      if (isLaganError(error, 'not-found') || isDamage(error)) return null;
      throw error;
    }
  }
}

const noPacks: ReadonlySet<PackId> = new Set();

function ignoreDamage(error: unknown): undefined {
  if (isDamage(error)) return undefined;
  throw error;
}

/** The sessions whose checkpoints a backup was compared with: once it has come as far, they are of no more use. See docs/decisions/004-checkpoints.md. */
function continuedBy({ extensions }: Snapshot): SessionId[] {
  const { continues } = extensions;
  if (!Array.isArray(continues)) return [];
  return continues.filter(isId).map((id) => idFromBytes<SessionId>(id));
}

/** The machine's clock decides nothing but this: when an unfinished backup that nobody goes on with is given up. */
function isAbandoned({ generation }: CheckpointPlace, { ended }: Snapshot, root: Root): boolean {
  const { checkpointCollections, checkpointSeconds } = maintainLimits;
  return root.generation - generation > checkpointCollections || Date.now() / 1000 - ended.seconds > checkpointSeconds;
}
