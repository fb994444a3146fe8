import { isLaganError, LaganError, type PackId, type Root } from '../../repo-format/mod.ts';
import { uncachedStorage } from '../cache/mod.ts';
import { expectCollector, type LostPacks, lowestGeneration, type Repository, readLostPacks, readRoot } from '../repository/mod.ts';
import { condemn, condemnable, type Decision, decide, fence } from './_collection.ts';
import { type Deleted, deleteSuperfluous } from './_deletion.ts';
import { keepLocks, type LockResult, openLocks } from './_keep-locks.ts';
import { maintainLimits } from './_limits.ts';
import { askForLosses, hasNews, type Losses, lackingBefore, noLosses } from './_losses.ts';
import { planRepack, type Repacked, type RepackPlan, repack } from './_repack.ts';
import { repackLimits } from './_repack-limits.ts';
import { neededAfter } from './_replacements.ts';
import type { RetentionLocks } from './_retention-locks.ts';
import { expectNoRollback, listPackSizes, type PackCensus } from './_rollback.ts';
import type { SealedEpochs } from './_sealed-epochs.ts';
import { type Survey, type SurveyOptions, survey } from './_survey.ts';
import { findUnreadableTables, isOfDamagedTable, reportedTables } from './_unreadable-tables.ts';
import { type ChosenPack, type PackUse, unusedBytesOf } from './_unused.ts';
import type { MaintainOptions, MaintainPhase, MaintainResult } from './options.ts';

/**
 * Frees what no snapshot needs and folds what is stored beside base index and catalogue into them. Backups, readers and other maintenances may run at the same time; it may
 * be killed at any point, and whoever maintains next goes on from there. A backup that runs meanwhile goes on from its last checkpoint.
 *
 * First a collection that somebody left unfinished is finished; then another one is made, if anything can be freed or much can be folded; then what is superfluous is deleted.
 *
 * Codes: forbidden (the configuration names somebody else as the only collector), rolled-back (the store shows an older state), unavailable (others are always faster), interrupted, and those of the storage. Damage is
 * no error: as long as it is not known what a snapshot needs, no pack is freed, see `MaintainResult.damage`.
 */
export function maintain(repository: Repository, options: MaintainOptions = {}): Promise<MaintainResult> {
  return maintainSealing(repository, options, undefined);
}

/** The same; packs that are sealed with an old epoch are repacked, too, and a collection is made in any case. */
export async function maintainSealing(
  repository: Repository,
  options: MaintainOptions,
  epochs: SealedEpochs | undefined,
): Promise<MaintainResult> {
  if (!options.dryRun) expectCollector(repository.configuration, options.collector);
  return new Maintenance({ ...repository, storage: uncachedStorage(repository.storage) }, options, epochs).run();
}

/** What a collection would do. */
interface Plan {
  readonly survey: Survey;
  readonly census: PackCensus;
  /** To be condemned because nothing needs them. */
  readonly packs: readonly PackId[];
  /** Null: there was no reason to look what is unused in packs that are needed. */
  readonly repack: RepackPlan | null;
}

/** What is told of a plan. */
type PlanSummary = Omit<Plan, 'repack'> & { readonly repack: Pick<RepackPlan, 'chosen' | 'unusedBytes'> | null };

class Maintenance {
  readonly #repository: Repository;
  readonly #options: MaintainOptions;
  readonly #epochs: SealedEpochs | undefined;
  readonly #startedAt = performance.now();
  readonly #damage = new Map<string, LaganError>();
  /** What the store has said of packs in reports, when it was asked last. */
  #losses: Losses = noLosses;
  #plan: PlanSummary | undefined;
  #hasBegun = false;
  /** Something may be unused in packs that were not in the base index: once it lists them, they are looked at. */
  #looksAgain = false;
  #repackedPacks = 0;
  #repackReasons: MaintainResult['repackReasons'] = { unused: 0, epoch: 0, small: 0, scattered: 0 };
  #repackedBytes = 0;
  #lastRepacked: Repacked | undefined;
  #collections = 0;
  #dropped = 0;
  #endedCheckpoints = 0;
  #rescued = 0;
  #foldedTables = 0;
  #foldedSnapshots = 0;
  #snapshotsRead = 0;
  #objectsDeleted = 0;
  #bytesDeleted = 0;
  #nodesRead = 0;
  #locksExtended = 0;
  /** Undefined: the store does not lock. */
  #locks: RetentionLocks | undefined;
  #bytesCopied = 0;
  /** Index tables of sessions that turned out to be damaged. */
  #unreadable: ReadonlyMap<string, LaganError> = new Map();

  constructor(repository: Repository, options: MaintainOptions, epochs: SealedEpochs | undefined) {
    this.#repository = repository;
    this.#options = options;
    this.#epochs = epochs;
  }

  async run(): Promise<MaintainResult> {
    const onWarning = this.#options.onWarning ?? (() => undefined);
    this.#locks = await openLocks(this.#repository, { onWarning, ...this.#signal });
    if (this.#options.dryRun) {
      const plan = await this.#planDryRun();
      return this.#result(plan, { deleted: undefined, lost: plan.census.losses.before, locks: await this.#keepLocks() });
    }
    for (let attempt = 1; ; attempt++) {
      const root = await this.#collect();
      try {
        const deleted = await this.#delete(root);
        const lost = await readLostPacks(this.#repository, root, this.#signal);
        return this.#result(this.#plan!, { deleted, lost, locks: await this.#keepLocks() });
      } catch (error) {
        if (attempt === maintainLimits.attempts || !(await this.#hasMoved(root, error))) throw error;
      }
    }
  }

  #delete(root: Root): Promise<Deleted> {
    return deleteSuperfluous(this.#repository, root, {
      losses: this.#losses,
      onDeleted: (objects, bytes) => {
        this.#objectsDeleted += objects;
        this.#bytesDeleted += bytes;
        this.#tell('delete');
      },
      signal: this.#options.signal,
    });
  }

  async #keepLocks(): Promise<LockResult | null> {
    const { dryRun = false, onWarning = () => undefined } = this.#options;
    if (this.#locks === undefined) return null;
    const onExtended = () => {
      this.#locksExtended++;
      this.#tell('lock');
    };
    return keepLocks(this.#repository, this.#locks, { dryRun, onWarning, onExtended, ...this.#signal });
  }

  /** Whether an error is because another collector was faster, and has removed what was to be read. */
  async #hasMoved(root: Root, error: unknown): Promise<boolean> {
    const isGone = isLaganError(error, 'not-found') || isLaganError(error, 'object-missing');
    return isGone && (await this.#readRoot()).number !== root.number;
  }

  async #planDryRun(): Promise<Plan> {
    const root = await this.#readRoot();
    try {
      return await this.#planUnder(root, await this.#takeCensus(root));
    } catch (error) {
      if (!(await this.#findsUnreadable(root, error))) throw error;
      return this.#planUnder(root, await this.#takeCensus(root));
    }
  }

  /** Whether an error is because of damaged index tables that were not known to be: all of them are known then, and it can be tried again without them. */
  async #findsUnreadable(root: Root, error: unknown): Promise<boolean> {
    if (!(await isOfDamagedTable(this.#repository, error, this.#signal))) return false;
    return this.#readTables(root);
  }

  /** Reads the index tables, or some of them, to know which are damaged; returns whether there are others than before. */
  async #readTables(root: Root, only?: ReadonlySet<string>): Promise<boolean> {
    const before = this.#unreadable;
    const found = await findUnreadableTables(this.#repository, root, { ...(only && { only }), ...this.#signal });
    this.#unreadable = new Map([...before, ...found]);
    for (const damage of found.values()) this.#noteDamage(damage);
    return this.#unreadable.size > before.size;
  }

  /** Goes on from the root as it is until there is nothing more to collect. Returns the root then, of phase `open`. */
  async #collect(): Promise<Root> {
    // A root that this run has made follows the one that was looked at.
    let own: Root | null = null;
    for (let attempt = 1; attempt <= maintainLimits.attempts; attempt++) {
      const root = await this.#readRoot();
      // One collection at most: what running backups store meanwhile must not be a reason for ever new ones.
      const isDone = root.phase === 'open' && this.#hasBegun && !this.#looksAgain;
      const isKnown = root.number === own?.number && (isDone || root.phase !== 'open');
      try {
        const census = isKnown ? undefined : await this.#takeCensus(root);
        if (isDone) return root;
        if (root.phase === 'condemned') own = await fence(this.#repository, root, this.#signal);
        else if (root.phase === 'fencing') own = await this.#decide(root);
        else {
          const begun = await this.#begin(root, census!);
          if (begun === undefined) return root;
          own = begun.own;
        }
      } catch (error) {
        if (!(await this.#hasMoved(root, error)) && !(await this.#findsUnreadable(root, error))) throw error;
      }
    }
    throw new LaganError('unavailable', 'other collectors were faster each time', { hint: 'try again when they have ended' });
  }

  /** A; undefined if there is no reason for it. What it takes to plan and to copy is in memory only meanwhile. */
  async #begin(root: Root, census: PackCensus): Promise<{ own: Root | null } | undefined> {
    const plan = await this.#planUnder(root, census);
    const { repack: copying } = plan;
    this.#plan = { ...plan, repack: copying && { chosen: copying.chosen, unusedBytes: copying.unusedBytes } };
    if (this.#epochs === undefined && !isWorthwhile(plan)) return undefined;
    const own = await this.#condemn(root, plan);
    this.#hasBegun ||= own !== null;
    return { own };
  }

  /** A, after what is to be repacked was copied. */
  async #condemn(root: Root, { survey: found, census, packs, repack: plan }: Plan): Promise<Root | null> {
    const isLook = this.#looksAgain;
    const repacked = plan === null || plan.chosen.length === 0 ? undefined : await this.#repack(root, { plan, survey: found, census });
    const condemned = repacked === undefined ? packs : condemnable(census, { needed: neededAfter(found, repacked), damage: found.damage });
    const own = await condemn(this.#repository, root, {
      packs: condemned,
      census,
      repacked: repacked && { baseIndex: repacked.baseIndex, marked: plan!.marked },
      ...this.#signal,
    });
    if (own === null) return null;
    this.#repackedPacks += repacked?.packs ?? 0;
    this.#repackReasons = addReasons(this.#repackReasons, plan?.chosen.filter(({ row }) => repacked?.leaving.has(row.id)) ?? []);
    this.#repackedBytes += repacked?.packBytes ?? 0;
    this.#lastRepacked = repacked;
    this.#looksAgain = !isLook && plan !== null && found.tables.length > repackLimits.tables;
    return own;
  }

  #repack(root: Root, parts: { plan: RepackPlan; survey: Survey; census: PackCensus }): Promise<Repacked> {
    return repack(this.#repository, root, {
      ...parts,
      onDamage: (error) => this.#noteDamage(error),
      onCopied: (bytes) => {
        this.#bytesCopied += bytes;
        this.#tell('repack');
      },
      ...this.#signal,
    });
  }

  async #decide(root: Root): Promise<Root | null> {
    this.#tell('collect');
    const lost = await this.#askForLosses(root);
    const found = await this.#survey(root, { below: root.floor, lost });
    const onDamage = (error: LaganError) => this.#noteDamage(error);
    const decision: Decision = await decide(this.#repository, found, { onDamage, isSealing: this.#epochs !== undefined, ...this.#signal });
    if (decision.root === null) return null;
    this.#collections++;
    this.#dropped += found.dropped.length;
    this.#endedCheckpoints += found.endedCheckpoints.length;
    this.#rescued += decision.rescued;
    this.#foldedTables += decision.foldedTables;
    this.#foldedSnapshots += decision.foldedSnapshots;
    return decision.root;
  }

  /** `census`: made before; a pack that a backup stores meanwhile is either not in it, or seen to be needed. */
  async #planUnder(root: Root, census: PackCensus): Promise<Plan> {
    this.#tell('survey');
    const losses = lackingBefore(census.losses);
    const found = await this.#survey(root, { lost: losses && { losses, present: new Set(census.present.keys()) } });
    return { survey: found, census, packs: condemnable(census, found), repack: await this.#planRepack(found, census) };
  }

  /** What was rewritten is to be gone: then all that is unused goes, however much must be copied. */
  async #planRepack(found: Survey, census: PackCensus): Promise<RepackPlan | null> {
    const { maxUnused, maxRepackBytes } = this.#options;
    const rules = {
      maxUnused: maxUnused ?? (found.isRewritten ? 0 : repackLimits.maxUnused),
      maxRepackBytes: maxRepackBytes ?? (found.isRewritten ? Number.POSITIVE_INFINITY : repackLimits.maxRepackBytes),
    };
    return planRepack(this.#repository, {
      survey: found,
      census,
      rules,
      isKept: await this.#locks?.keptAsTheyAre(found.root, this.#signal),
      oldEpochPacks: (await this.#epochs?.oldPacks(census.present.keys(), this.#signal)) ?? new Set<PackId>(),
      force: this.#looksAgain || maxUnused !== undefined || maxRepackBytes !== undefined,
      onDamage: (error) => this.#noteDamage(error),
      onNodes: (nodes) => {
        this.#nodesRead = nodes;
        this.#tell('survey');
      },
      ...this.#signal,
    });
  }

  async #takeCensus(root: Root): Promise<PackCensus> {
    const census = await expectNoRollback(this.#repository, root, { onDamage: (error) => this.#noteDamage(error), ...this.#signal });
    this.#losses = census.losses;
    const reported = new Set(reportedTables(census.losses.reports).filter((name) => !this.#unreadable.has(name)));
    if (reported.size > 0) await this.#readTables(root, reported);
    return census;
  }

  /** What is lost is asked under the root that fences: reports that were read before may not be all (ROOT-25). */
  async #askForLosses(root: Root): Promise<SurveyOptions['lost']> {
    let present: ReadonlySet<PackId> = new Set();
    const listPresent = async () => {
      const sizes = await listPackSizes(this.#repository, this.#signal);
      present = new Set(sizes.keys());
      return sizes;
    };
    this.#losses = await askForLosses(this.#repository, root, {
      listPresent,
      onDamage: (error) => this.#noteDamage(error),
      ...this.#signal,
    });
    return { losses: this.#losses, present };
  }

  #survey(root: Root, { below, lost }: Pick<SurveyOptions, 'below' | 'lost'> = {}): Promise<Survey> {
    return survey(this.#repository, root, {
      below,
      lost,
      unreadable: this.#unreadable,
      onSnapshot: () => {
        this.#snapshotsRead++;
        this.#tell('survey');
      },
      onDamage: (error) => this.#noteDamage(error),
      signal: this.#options.signal,
    });
  }

  #noteDamage(error: LaganError): void {
    const key = `${error.code} ${error.object}`;
    if (!this.#damage.has(key)) this.#options.onDamage?.(error);
    this.#damage.set(key, error);
  }

  #readRoot(): Promise<Root> {
    return readRoot(this.#repository, this.#signal);
  }

  get #signal(): { signal: AbortSignal | undefined } {
    return { signal: this.#options.signal };
  }

  #tell(phase: MaintainPhase): void {
    const filesDone =
      phase === 'lock' ? this.#locksExtended : phase === 'delete' ? this.#objectsDeleted : this.#snapshotsRead + this.#nodesRead;
    this.#options.onProgress?.({ phase, filesDone, bytesDone: phase === 'repack' ? this.#bytesCopied : this.#bytesDeleted });
  }

  #result(
    plan: PlanSummary,
    { deleted, lost, locks }: { deleted: Deleted | undefined; lost: LostPacks; locks: LockResult | null },
  ): MaintainResult {
    const { survey: found } = plan;
    const isDry = deleted === undefined;
    const wouldFold = isDry && isWorthwhile(plan);
    const lowest = lowestGeneration(found.root);
    return {
      outcome: isDry ? 'dry-run' : this.#collections > 0 || deleted.packs > 0 ? 'collected' : 'idle',
      collections: this.#collections,
      isUnderWay: isDry && found.root.phase !== 'open',
      snapshots: found.snapshots.length,
      droppedSnapshots: isDry ? found.dropped.length : this.#dropped,
      heldSnapshots: found.held,
      unfinishedSessions: found.checkpoints.length,
      endedCheckpoints: isDry ? found.endedCheckpoints.length : this.#endedCheckpoints,
      ...this.#spaceOf(plan, deleted),
      rescuedPacks: this.#rescued,
      lostPacks: lost.size,
      lostChunks: [...lost.values()].reduce((sum, chunks) => sum + chunks.length, 0),
      foldedTables: wouldFold ? found.tables.length : this.#foldedTables,
      foldedSnapshots: wouldFold ? found.snapshots.filter(({ generation }) => generation >= lowest).length : this.#foldedSnapshots,
      deletedObjects: deleted?.objects ?? 0,
      locks,
      damage: found.damage,
      durationMs: performance.now() - this.#startedAt,
    };
  }

  #spaceOf({ survey: found, census, packs, repack: plan }: PlanSummary, deleted: Deleted | undefined): SpaceResult {
    const { present, doomed } = census;
    const sizeOf = (ids: Iterable<PackId>) => [...ids].reduce((sum, id) => sum + (present.get(id) ?? 0), 0);
    const chosen = plan?.chosen ?? [];
    const replaced = deleted === undefined ? new Set(chosen.map(({ row }) => row.id)) : (this.#lastRepacked?.leaving ?? new Set<PackId>());
    const leaving = new Set([...packs, ...replaced, ...[...doomed].filter((pack) => present.has(pack))]);
    const needed = [...present.keys()].filter((pack) => found.needed.has(pack) && !replaced.has(pack));
    const unusedOf = (uses: readonly PackUse[]) => Math.round(uses.reduce((sum, use) => sum + unusedBytesOf(use), 0));
    const copies = deleted === undefined ? sizeOf(replaced) - unusedOf(chosen) : (this.#lastRepacked?.packBytes ?? 0);
    return {
      neededPacks: needed.length + (this.#lastRepacked?.copies ?? 0),
      neededBytes: sizeOf(needed) + copies,
      freedPacks: deleted === undefined ? leaving.size : deleted.packs,
      freedBytes: deleted === undefined ? sizeOf(leaving) : deleted.packBytes,
      repackedPacks: deleted === undefined ? replaced.size : this.#repackedPacks,
      repackReasons: deleted === undefined ? addReasons(this.#repackReasons, chosen) : this.#repackReasons,
      repackedBytes: deleted === undefined ? copies : this.#repackedBytes,
      unusedBytes:
        plan === null || plan.unusedBytes === null ? null : plan.unusedBytes - unusedOf(chosen.filter(({ row }) => replaced.has(row.id))),
    };
  }
}

type SpaceResult = Pick<
  MaintainResult,
  'neededPacks' | 'neededBytes' | 'freedPacks' | 'freedBytes' | 'repackedPacks' | 'repackReasons' | 'repackedBytes' | 'unusedBytes'
>;

function addReasons(counts: MaintainResult['repackReasons'], chosen: readonly ChosenPack[]): MaintainResult['repackReasons'] {
  const sums = { ...counts };
  for (const { reason } of chosen) sums[reason]++;
  return sums;
}

/** A collection makes running backups begin anew from their last checkpoints: there must be a reason. */
function isWorthwhile({
  survey: { root, dropped, endedCheckpoints, tables, unreadableTables, snapshots, returned },
  census,
  packs,
  repack: plan,
}: PlanSummary): boolean {
  if (unreadableTables.length > 0 || hasNews(census.losses) || [...returned.holders.values()].some((by) => by.length > 0)) return true;
  const unfolded = snapshots.filter(({ generation }) => generation >= lowestGeneration(root)).length;
  const leaving = packs.length + dropped.length + endedCheckpoints.length + (plan?.chosen.length ?? 0);
  return leaving > 0 || Math.max(tables.length, unfolded) >= maintainLimits.foldedObjects;
}
