import { isLaganError, LaganError, objectPrefixes, type PackId, parseObjectName, type Root } from '../../repo-format/mod.ts';
import { uncachedStorage } from '../cache/mod.ts';
import { expectCollector, lowestGeneration, type Repository, readPackList, readRoot } from '../repository/mod.ts';
import { condemn, condemnable, type Decision, decide, fence, type PackCensus } from './_collection.ts';
import { type Deleted, deleteSuperfluous } from './_deletion.ts';
import { maintainLimits } from './_limits.ts';
import { expectNoRollback } from './_rollback.ts';
import { type Survey, survey } from './_survey.ts';
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
export async function maintain(repository: Repository, options: MaintainOptions = {}): Promise<MaintainResult> {
  if (!options.dryRun) expectCollector(repository.configuration, options.collector);
  return new Maintenance({ ...repository, storage: uncachedStorage(repository.storage) }, options).run();
}

/** What a collection would do. */
interface Plan {
  readonly survey: Survey;
  readonly census: PackCensus;
  /** To be condemned. */
  readonly packs: readonly PackId[];
}

class Maintenance {
  readonly #repository: Repository;
  readonly #options: MaintainOptions;
  readonly #startedAt = performance.now();
  readonly #damage = new Map<string, LaganError>();
  #plan: Plan | undefined;
  #hasBegun = false;
  #collections = 0;
  #dropped = 0;
  #endedCheckpoints = 0;
  #rescued = 0;
  #foldedTables = 0;
  #foldedSnapshots = 0;
  #snapshotsRead = 0;
  #objectsDeleted = 0;
  #bytesDeleted = 0;

  constructor(repository: Repository, options: MaintainOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  async run(): Promise<MaintainResult> {
    if (this.#options.dryRun) return this.#result(await this.#planDryRun(), undefined);
    for (let attempt = 1; ; attempt++) {
      const root = await this.#collect();
      try {
        const deleted = await this.#delete(root);
        return this.#result(this.#plan ?? (await this.#planUnder(root)), deleted);
      } catch (error) {
        if (attempt === maintainLimits.attempts || !(await this.#hasMoved(root, error))) throw error;
      }
    }
  }

  #delete(root: Root): Promise<Deleted> {
    return deleteSuperfluous(this.#repository, root, {
      onDeleted: (objects, bytes) => {
        this.#objectsDeleted += objects;
        this.#bytesDeleted += bytes;
        this.#tell('delete');
      },
      signal: this.#options.signal,
    });
  }

  /** Whether an error is because another collector was faster, and has removed what was to be read. */
  async #hasMoved(root: Root, error: unknown): Promise<boolean> {
    const isGone = isLaganError(error, 'not-found') || isLaganError(error, 'object-missing');
    return isGone && (await this.#readRoot()).number !== root.number;
  }

  async #planDryRun(): Promise<Plan> {
    const root = await this.#readRoot();
    await expectNoRollback(this.#repository, root, this.#signal);
    return this.#planUnder(root);
  }

  /** Goes on from the root as it is until there is nothing more to collect. Returns the root then, of phase `open`. */
  async #collect(): Promise<Root> {
    for (let attempt = 1; attempt <= maintainLimits.attempts; attempt++) {
      const root = await this.#readRoot();
      await expectNoRollback(this.#repository, root, this.#signal);
      try {
        if (root.phase === 'condemned') await fence(this.#repository, root, this.#signal);
        else if (root.phase === 'fencing') await this.#decide(root);
        else if (!(await this.#begin(root))) return root;
      } catch (error) {
        if (!(await this.#hasMoved(root, error))) throw error;
      }
    }
    throw new LaganError('unavailable', 'other collectors were faster each time', { hint: 'try again when they have ended' });
  }

  /** Begins a collection if it is worth it; one at most: what running backups store meanwhile must not be a reason for ever new ones. */
  async #begin(root: Root): Promise<boolean> {
    if (this.#hasBegun) return false;
    this.#plan = await this.#planUnder(root);
    if (!isWorthwhile(this.#plan)) return false;
    const { packs, census } = this.#plan;
    this.#hasBegun = (await condemn(this.#repository, root, { packs, census, ...this.#signal })) !== null;
    return true;
  }

  async #decide(root: Root): Promise<void> {
    this.#tell('collect');
    const found = await this.#survey(root, root.floor);
    const decision: Decision = await decide(this.#repository, found, this.#signal);
    if (decision.root === null) return;
    this.#collections++;
    this.#dropped += found.dropped.length;
    this.#endedCheckpoints += found.endedCheckpoints.length;
    this.#rescued += decision.rescued;
    this.#foldedTables += decision.foldedTables;
    this.#foldedSnapshots += decision.foldedSnapshots;
  }

  async #planUnder(root: Root): Promise<Plan> {
    this.#tell('survey');
    const { signal } = this.#options;
    // Before what needs packs: a pack that a backup stores meanwhile is either not seen, or seen to be needed.
    const present = new Map<PackId, number>();
    for (const prefix of [objectPrefixes.writerPacks, objectPrefixes.collectorPacks]) {
      for await (const { name, sizeBytes } of this.#repository.storage.list(prefix, { signal })) {
        const parsed = parseObjectName(name);
        if (parsed?.type === 'pack') present.set(parsed.id, sizeBytes);
      }
    }
    const census = { present, doomed: new Set(await readPackList(this.#repository, root.doomed, { signal })) };
    const found = await this.#survey(root);
    return { survey: found, census, packs: condemnable(census, found) };
  }

  #survey(root: Root, below?: number): Promise<Survey> {
    return survey(this.#repository, root, {
      below,
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
    const filesDone = phase === 'delete' ? this.#objectsDeleted : this.#snapshotsRead;
    this.#options.onProgress?.({ phase, filesDone, bytesDone: this.#bytesDeleted });
  }

  #result({ survey: found, census, packs }: Plan, deleted: Deleted | undefined): MaintainResult {
    const { present, doomed } = census;
    const leaving = new Set([...packs, ...[...doomed].filter((pack) => present.has(pack))]);
    const sizeOf = (ids: Iterable<PackId>) => [...ids].reduce((sum, id) => sum + (present.get(id) ?? 0), 0);
    const needed = [...present.keys()].filter((pack) => found.needed.has(pack));
    const lowest = lowestGeneration(found.root);
    const wouldFold = found.snapshots.filter(({ generation }) => generation >= lowest).length;
    const isDry = deleted === undefined;
    return {
      outcome: isDry ? 'dry-run' : this.#collections > 0 || deleted.packs > 0 ? 'collected' : 'idle',
      collections: this.#collections,
      snapshots: found.snapshots.length,
      droppedSnapshots: isDry ? found.dropped.length : this.#dropped,
      heldSnapshots: found.held,
      unfinishedSessions: found.checkpoints.length,
      endedCheckpoints: isDry ? found.endedCheckpoints.length : this.#endedCheckpoints,
      neededPacks: needed.length,
      neededBytes: sizeOf(needed),
      freedPacks: isDry ? leaving.size : deleted.packs,
      freedBytes: isDry ? sizeOf(leaving) : deleted.packBytes,
      rescuedPacks: this.#rescued,
      foldedTables: isDry && isWorthwhile({ survey: found, census, packs }) ? found.tables.length : this.#foldedTables,
      foldedSnapshots: isDry && isWorthwhile({ survey: found, census, packs }) ? wouldFold : this.#foldedSnapshots,
      deletedObjects: deleted?.objects ?? 0,
      damage: found.damage,
      durationMs: performance.now() - this.#startedAt,
    };
  }
}

/** A collection makes running backups begin anew from their last checkpoints: there must be a reason. */
function isWorthwhile({ survey: { root, dropped, endedCheckpoints, tables, snapshots }, packs }: Plan): boolean {
  const unfolded = snapshots.filter(({ generation }) => generation >= lowestGeneration(root)).length;
  return packs.length + dropped.length + endedCheckpoints.length > 0 || Math.max(tables.length, unfolded) >= maintainLimits.foldedObjects;
}
