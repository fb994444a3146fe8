/**
 * Repacking: what is needed of packs that hold much which is not is copied into new packs before A; A's base index has the copies, and says which packs they replace. Nothing
 * refers to the copies before, so whoever is killed leaves packs that no index lists, which the next collection condemns. What is rejected, and why: docs/decisions/020-repacking.md.
 */
import {
  isLaganError,
  type LaganError,
  type MarkedSession,
  type ObjectReference,
  objectNames,
  type PackId,
  type PackKind,
  type Root,
  type Snapshot,
} from '../../repo-format/mod.ts';
import { basePackRows, type MergedRows, openMergedRows, readBaseIndex, writeIndexTable } from '../index/mod.ts';
import { muchDropped } from '../memory/mod.ts';
import { isDamage } from '../packs/mod.ts';
import { idForSuccessor, lowestGeneration, type Repository, readCheckpoint, readStandingSnapshot } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { storeBaseIndex } from './_base-index.ts';
import { type Copies, copyChunks, UnusablePack } from './_copy-chunks.ts';
import { LiveNames } from './_live-names.ts';
import { doubted } from './_losses.ts';
import { NameFilter } from './_name-filter.ts';
import { ContentWalk, costlyPacks, NewestSnapshots } from './_newest.ts';
import { repackLimits } from './_repack-limits.ts';
import { type Replacements, withReplaced } from './_replacements.ts';
import type { PackCensus } from './_rollback.ts';
import type { Survey } from './_survey.ts';
import { storeTablesOf } from './_unlisted-packs.ts';
import { type ChosenPack, choosePacks, countRows, type PackUse, type RepackRules, smallPackBytes, unusedBytesOf } from './_unused.ts';

/** What repacking would do. */
export interface RepackPlan {
  readonly chosen: readonly ChosenPack[];
  /** Bytes that nothing needs in packs that stay because something needs the rest: before anything is repacked. Null: it was not looked. */
  readonly unusedBytes: number | null;
  /** The snapshots and checkpoints that were looked at. */
  readonly marked: readonly MarkedSession[];
  readonly index: MergedRows;
  readonly isLive: (names: Uint8Array, offset: number) => boolean;
  /** The snapshots that are put in order. */
  readonly scattered: readonly Snapshot[];
}

export interface PlanOptions extends CallOptions {
  readonly survey: Survey;
  readonly census: PackCensus;
  readonly rules: Pick<RepackRules, 'maxUnused' | 'maxRepackBytes'>;
  /** Whether trees are walked although nothing is dropped. */
  readonly force: boolean;
  /** Packs that are not repacked. */
  readonly isKept?: ((pack: PackId) => boolean) | undefined;
  /** Packs that are to be sealed anew. */
  readonly oldEpochPacks: ReadonlySet<PackId>;
  readonly onDamage: (error: LaganError) => void;
  readonly onNodes: (nodes: number) => void;
}

/**
 * Chooses the packs to be repacked; null if there is nothing to choose among, or no reason to look. The trees of all snapshots are walked only where something can come of it; that
 * of the newest snapshot of each source where there are new ones since the last collection.
 * Damage means that it is not known what is needed: it is told, and nothing is repacked.
 */
export async function planRepack(repository: Repository, options: PlanOptions): Promise<RepackPlan | null> {
  const { survey, force, rules } = options;
  const { root, tables, dropped, endedCheckpoints, damage } = survey;
  if (damage.length > 0 || repository.keys.grants !== 'full') return null;
  const isMarking = force || dropped.length + endedCheckpoints.length > 0;
  const { storage, keys } = repository;
  const base = await readBaseIndex(storage, { reference: root.baseIndex, keys, signal: options.signal });
  const names = base.tables.map(({ name }) => name);
  const withoutIn = new Map(names.slice(1).map((name) => [name, base.leftOut]));
  for (const { name } of tables.slice(0, repackLimits.tables)) names.push(name);
  const index = await openMergedRows(storage, { keys, tables: names, withoutIn });
  const ordinals = usableOrdinals(index, options);
  // Where a pack may be lost, the index is not to be trusted with what is copied: it gives one place for each chunk.
  if (ordinals.length === 0 || hasDoubted(index, options)) return null;
  const hasNews = survey.snapshots.some(({ generation }) => generation >= lowestGeneration(root));
  const { scattered, costly, isNewest } = force || hasNews ? await findScattered(repository, index, options) : nothingScattered;
  const isCounting = isMarking || scattered.length > 0;
  const isSealing = ordinals.some((ordinal) => options.oldEpochPacks.has(index.packs.at(ordinal).id));
  if (
    !isCounting &&
    !isSealing &&
    !hasManySmall(index, ordinals, { census: options.census, smallBytes: smallPackBytes(repository.configuration.packSizeBytes) })
  )
    return null;
  const live = isMarking ? await markLive(repository, index, options) : everything(survey);
  if (live === null) return null;
  const counts = isCounting ? await countRows(index, { isLive: live.isLive, isNewest }) : undefined;
  const uses = ordinals.map((ordinal): PackUse => {
    const row = index.packs.at(ordinal);
    const { chunkCount } = row;
    const [rows, liveRows] = [counts?.rows[ordinal] ?? chunkCount, counts?.liveRows[ordinal] ?? chunkCount];
    const newestRows = counts?.newestRows[ordinal] ?? 0;
    // Without a look at the trees all chunks count as needed, also those that the index gives for another pack.
    return {
      row,
      sizeBytes: options.census.present.get(row.id)!,
      rows,
      liveRows: isMarking ? liveRows : chunkCount,
      newestRows,
      isCostly: costly.has(row.id),
      isOldEpoch: options.oldEpochPacks.has(row.id),
    };
  });
  const { packSizeBytes } = repository.configuration;
  const replacing = [...survey.base.replaced.values()].reduce((sum, by) => sum + by.length, 0);
  return {
    chosen: choosePacks(uses, { ...rules, packSizeBytes, replacing }),
    unusedBytes: isMarking ? Math.round(uses.reduce((sum, use) => sum + unusedBytesOf(use), 0)) : null,
    index,
    scattered,
    ...live,
  };
}

const nothingScattered: Scattered = { scattered: [], costly: new Set(), isNewest: () => false };

interface Scattered {
  readonly scattered: readonly Snapshot[];
  readonly costly: ReadonlySet<PackId>;
  /** Whether they have a chunk of that name. */
  readonly isNewest: (names: Uint8Array, offset: number) => boolean;
}

/** Which newest snapshots are to be put in order. What cannot be read is not. */
async function findScattered(repository: Repository, index: MergedRows, { survey, onDamage, signal }: PlanOptions): Promise<Scattered> {
  const newest = new NewestSnapshots();
  const filter = new NameFilter({ names: index.count, limitBytes: repackLimits.newestFilterBytes });
  const walk = new ContentWalk(repository, { signal });
  const scattered: Snapshot[] = [];
  const costly = new Set<PackId>();
  try {
    for (const standing of survey.snapshots) newest.add(await readStandingSnapshot(repository, standing, { signal }));
    for (const snapshot of newest.all) {
      const chunks = walk.chunksBelow(snapshot.tree);
      const found = await costlyPacks({ chunks, filter }, repository.configuration.blockSizeBytes);
      if (found === null) continue;
      scattered.push(snapshot);
      for (const pack of found) costly.add(pack);
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    onDamage(error);
    return nothingScattered;
  }
  return scattered.length === 0 ? nothingScattered : { scattered, costly, isNewest: (names, offset) => filter.has(names, offset) };
}

/** Packs that are there, that a snapshot or a checkpoint needs, and that no table of an unfinished session lists: what that needs of them is not known. */
function usableOrdinals(
  { packs }: MergedRows,
  { survey: { needed, inTables }, census: { present, doomed }, isKept }: PlanOptions,
): number[] {
  const usable: number[] = [];
  for (let ordinal = 0; ordinal < packs.count; ordinal++) {
    const { id } = packs.at(ordinal);
    if (present.has(id) && !doomed.has(id) && needed.has(id) && !inTables.has(id) && !isKept?.(id)) usable.push(ordinal);
  }
  return usable;
}

function hasDoubted({ packs }: MergedRows, { census: { losses } }: PlanOptions): boolean {
  if (losses.unasked.size > 0) return true;
  const packsInDoubt = doubted(losses);
  for (let ordinal = 0; ordinal < packs.count; ordinal++) if (packsInDoubt.has(packs.at(ordinal).id)) return true;
  return false;
}

function hasManySmall(
  { packs }: MergedRows,
  ordinals: readonly number[],
  { census: { present }, smallBytes }: { census: PackCensus; smallBytes: Readonly<Record<PackKind, number>> },
): boolean {
  const counts: Record<PackKind, number> = { pack: 0, 'metadata-pack': 0 };
  for (const ordinal of ordinals) {
    const { id, kind } = packs.at(ordinal);
    if (present.get(id)! < smallBytes[kind]) counts[kind]++;
  }
  return Math.max(counts.pack, counts['metadata-pack']) >= repackLimits.smallPacks;
}

type Live = Pick<RepackPlan, 'marked' | 'isLive'>;

/** Without a look at the trees all chunks count as needed. */
function everything({ snapshots, checkpoints }: Survey): Live {
  return {
    marked: [
      ...snapshots.map(({ id: session }) => ({ session, number: null })),
      ...checkpoints.map(({ id: session, number }) => ({ session, number })),
    ],
    isLive: () => true,
  };
}

/** Null if a snapshot cannot be read. */
async function markLive(
  repository: Repository,
  index: MergedRows,
  { survey, onDamage, onNodes, signal }: PlanOptions,
): Promise<Live | null> {
  muchDropped();
  const filter = new NameFilter({ names: index.count, limitBytes: repackLimits.liveFilterBytes });
  const live = new LiveNames(repository, filter, { signal });
  const marked: MarkedSession[] = [];
  try {
    for (const standing of survey.snapshots) {
      await live.addSnapshot(await readStandingSnapshot(repository, standing, { signal }));
      marked.push({ session: standing.id, number: null });
      onNodes(live.nodes);
    }
    for (const place of survey.checkpoints) {
      const checkpoint = await readCheckpoint(repository, place, { signal }).catch(goneAsNull);
      if (checkpoint === null) continue;
      await live.addSnapshot(checkpoint);
      marked.push({ session: place.id, number: place.number });
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    onDamage(error);
    return null;
  }
  return { marked, isLive: (names, offset) => filter.has(names, offset) };
}

/** A checkpoint that is gone by now is not looked at: if it still counts when it is decided, it keeps its packs. */
function goneAsNull(error: unknown): Snapshot | null {
  if (isLaganError(error, 'not-found')) return null;
  throw error;
}

/** What was copied, ready for A. */
export interface Repacked {
  /** With the packs that are replaced now; see `withReplaced`. */
  readonly replaced: Replacements;
  /** The packs that are replaced now. */
  readonly leaving: ReadonlySet<PackId>;
  readonly baseIndex: ObjectReference | null;
  readonly packs: number;
  /** Those that were made, and their size. */
  readonly copies: number;
  readonly packBytes: number;
}

/**
 * Copies, and stores the base index for the successor of `root`: the copies come first in it, so that a name leads to its copy, and every pack that replaces another is listed (ROOT-12).
 * The packs that are replaced are still listed, too.
 * A pack that turns out to be damaged is told of and left alone.
 */
export async function repack(
  repository: Repository,
  root: Root,
  {
    plan,
    survey,
    census,
    onDamage,
    onCopied,
    signal,
  }: Pick<PlanOptions, 'survey' | 'census' | 'onDamage' | 'signal'> & { plan: RepackPlan; onCopied: (bytes: number) => void },
): Promise<Repacked> {
  const { packs, pages } = plan.index;
  const mayStay = (ordinal: number) => {
    const { id } = packs.at(ordinal);
    return census.present.has(id) && !census.doomed.has(id);
  };
  const walk = new ContentWalk(repository, { signal });
  const inOrder = async function* () {
    for (const { tree } of plan.scattered) for await (const { name } of walk.chunksBelow(tree)) yield name;
  };
  const copies = await withoutDamaged(plan.chosen, onDamage, (chosen) =>
    copyChunks(repository, { chosen, isLive: plan.isLive, order: inOrder, packs, pages, mayStay, onCopied, signal }),
  );
  const replaced = withReplaced(survey.base.replaced, copies.replaced);
  const unlisted = new Set([...copies.replaced.values()].flat());
  for (const { pack } of copies.stored) unlisted.delete(pack);
  const { storage, keys } = repository;
  for await (const listed of basePackRows(storage, { reference: root.baseIndex, keys, signal }))
    for (const { id } of listed) unlisted.delete(id);
  return {
    replaced,
    leaving: new Set(copies.replaced.keys()),
    baseIndex: await storeWithCopies(repository, root, {
      copies,
      replaced,
      tables: await storeTablesOf(repository, root, { packs: [...unlisted], onDamage }),
    }),
    packs: copies.replaced.size,
    copies: copies.stored.length,
    packBytes: copies.stored.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** Begins anew without a pack that is damaged: where its chunks that were copied already lead to must not depend on it. */
async function withoutDamaged(
  chosen: readonly ChosenPack[],
  onDamage: (error: LaganError) => void,
  copy: (chosen: readonly ChosenPack[]) => Promise<Copies>,
): Promise<Copies> {
  for (let left = chosen; ; ) {
    try {
      return await copy(left);
    } catch (error) {
      if (!(error instanceof UnusablePack)) throw error;
      onDamage(error.damage);
      left = left.filter(({ row }) => row.id !== error.pack);
    }
  }
}

async function storeWithCopies(
  repository: Repository,
  root: Root,
  { copies: { stored, replaced: now }, replaced, tables }: { copies: Copies; replaced: Replacements; tables: readonly string[] },
): Promise<ObjectReference | null> {
  if (now.size === 0) return root.baseIndex;
  const { storage, keys } = repository;
  const first: string[] = [];
  if (stored.length > 0) {
    first.push(objectNames.baseIndex(idForSuccessor(root)));
    await writeIndexTable(storage, { name: first[0]!, keys, packs: stored });
  }
  return storeBaseIndex(repository, root, { first, tables, without: new Set(), replaced });
}
