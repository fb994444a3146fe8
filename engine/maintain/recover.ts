import {
  isLaganError,
  LaganError,
  type ObjectReference,
  objectNames,
  type PackId,
  type Root,
  type Snapshot,
  type SnapshotId,
} from '../../repo-format/mod.ts';
import { uncachedStorage } from '../cache/mod.ts';
import { isDamage } from '../packs/mod.ts';
import {
  createRecoveryRoot,
  expectCollector,
  type Repository,
  readCatalogue,
  readRoot,
  readStandingSnapshot,
  recoveryDistance,
  recoveryReach,
  type StandingSnapshot,
  standingOf,
  storeCatalogue,
} from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { storeBaseIndex } from './_base-index.ts';
import { decide } from './_collection.ts';
import { cataloguedEntries, type Inventory, takeInventory } from './_inventory.ts';
import { maintainLimits } from './_limits.ts';
import { askForLosses, noLosses } from './_losses.ts';
import { PackAudit } from './_pack-audit.ts';
import { listPackSizes, lookForRollback, type PackCensus } from './_rollback.ts';
import { survey } from './_survey.ts';
import { packsListedIn, storeTablesOf } from './_unlisted-packs.ts';
import { findUnreadableTables } from './_unreadable-tables.ts';
import type { MaintainProgress } from './options.ts';

export interface RecoverOptions extends CallOptions {
  /** Only says what is so, and what would be done. */
  readonly dryRun?: boolean | undefined;
  /** Recovers though nothing shows that the store went back: a copy may have been restored as a whole. */
  readonly force?: boolean | undefined;
  /** A root that is known to have been, besides what is there: the new one gets a number and a generation above it. */
  readonly beyond?: Pick<Root, 'number' | 'generation'> | undefined;
  /** Who collects, where the configuration allows only one. Default: this machine. */
  readonly collector?: string | undefined;
  readonly onProgress?: ((progress: MaintainProgress) => void) | undefined;
  /** Is told of damage: what is damaged is left as it is. */
  readonly onDamage?: ((error: LaganError) => void) | undefined;
}

export interface RecoveredSnapshot {
  readonly id: SnapshotId;
  readonly generation: number;
  readonly snapshot: Snapshot;
  /** The root as it was found does not know of it. */
  readonly comesBack: boolean;
  /** All packs that it needs are there. */
  readonly isWhole: boolean;
}

export interface RecoverResult {
  /** `sound`: nothing shows that the store went back, and nothing was done. */
  readonly outcome: 'recovered' | 'dry-run' | 'sound';
  /** What shows it; null: nothing. */
  readonly evidence: string | null;
  /** The root as it was found. */
  readonly root: Pick<Root, 'number' | 'generation'>;
  /** That of the recovery; null if there is nothing to recover. */
  readonly newRoot: Pick<Root, 'number' | 'generation'> | null;
  /** Every snapshot that is there, ascending by the time when it began. */
  readonly snapshots: readonly RecoveredSnapshot[];
  /** Packs that are there, and those of them that no index table lists: they are listed by what they hold. */
  readonly packs: number;
  readonly unlistedPacks: number;
  /** Packs that an index table lists and that are gone. */
  readonly missingPacks: number;
  /** How many objects count for nothing, because they do not open and would be a newer root, or have a number or generation that none can have had; and some of their names. */
  readonly passedOverObjects: number;
  readonly passedOver: readonly string[];
  readonly damage: readonly LaganError[];
  readonly durationMs: number;
}

/**
 * Makes a repository usable again whose store shows an older root (code `rolled-back`): all snapshots that are there stand afterwards, and all packs that are there are in the
 * index. Nothing is deleted but roots that are nobody's. It makes a root of a number and generation that nothing can have had before, so that whoever still goes on with what the store lost is ignored; but it
 * cannot tell which of the packs that such a program is about to delete are needed: all others must have been stopped. If it is killed before that root is stored nothing has changed; after
 * it, any maintenance finishes what it began.
 *
 * Codes: forbidden (the configuration names somebody else as the only collector), unavailable (somebody else has recovered meanwhile), and those of the storage.
 */
export async function recover(repository: Repository, options: RecoverOptions = {}): Promise<RecoverResult> {
  if (!options.dryRun) expectCollector(repository.configuration, options.collector);
  return new Recovery({ ...repository, storage: uncachedStorage(repository.storage) }, options).run();
}

class Recovery {
  readonly #repository: Repository;
  readonly #options: RecoverOptions;
  readonly #startedAt = performance.now();
  readonly #damage: LaganError[] = [];
  #snapshotsRead = 0;

  constructor(repository: Repository, options: RecoverOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  async run(): Promise<RecoverResult> {
    const { dryRun = false, force = false, signal } = this.#options;
    const known = [this.#options.beyond, this.#repository.seenRoot].filter((seen) => seen !== undefined);
    const root = await readRoot(this.#repository, { signal });
    const { evidence, census } = await this.#look(root);
    const inventory = await takeInventory(this.#repository, root, { present: census.present, onDamage: this.#onDamage, signal });
    const snapshots = await this.#readSnapshots(root, { census, inventory });
    const isNeeded = evidence !== null || force;
    expectRoom(root);
    const number = Math.max(inventory.highestNumber, ...known.map((seen) => seen.number)) + recoveryDistance;
    const generation = Math.max(inventory.highestGeneration, ...known.map((seen) => seen.generation)) + recoveryDistance;
    // A list of lost packs that is gone is no reason not to recover.
    const lost = census.losses.before.size > 0 ? root.lost : null;
    const passedOver = [...new Set([...(this.#repository.unreadableRoots ?? []), ...inventory.madeUp])];
    if (isNeeded && !dryRun) await this.#removeMadeUpRoots(inventory);
    if (isNeeded && !dryRun) await this.#recover({ ...root, number: number - 1, baseIndex: null, lost }, { generation, census, inventory });
    return {
      outcome: !isNeeded ? 'sound' : dryRun ? 'dry-run' : 'recovered',
      evidence: evidence?.message ?? null,
      root: { number: root.number, generation: root.generation },
      newRoot: isNeeded ? { number, generation } : null,
      snapshots,
      packs: census.present.size,
      unlistedPacks: unlisted(census, inventory).length,
      missingPacks: missing(census, inventory).length,
      passedOverObjects: passedOver.length,
      passedOver: passedOver.slice(0, maintainLimits.namedObjects),
      damage: this.#damage,
      durationMs: performance.now() - this.#startedAt,
    };
  }

  /** A root that does not open, of a number that none can have had, would come before any that a recovery makes. It is nobody's, and the only thing that a recovery deletes. */
  async #removeMadeUpRoots({ madeUp }: Inventory): Promise<void> {
    const roots = new Set(this.#repository.unreadableRoots);
    const names = madeUp.filter((name) => roots.has(name));
    if (names.length > 0) await this.#repository.storage.delete(names, { signal: this.#options.signal });
  }

  /** A base index or a list that is damaged shows nothing, and is made anew. */
  async #look(root: Root): ReturnType<typeof lookForRollback> {
    const { signal } = this.#options;
    try {
      return await lookForRollback(this.#repository, root, { onDamage: this.#onDamage, signal });
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#onDamage(error);
      return {
        evidence: null,
        census: { present: await listPackSizes(this.#repository, { signal }), doomed: new Set(), losses: noLosses },
      };
    }
  }

  /** Index and catalogue are there before the root that refers to them. `before`: in the place of the root that the recovery's follows. */
  async #recover(
    before: Root,
    { generation, census, inventory }: { generation: number; census: PackCensus; inventory: Inventory },
  ): Promise<void> {
    const { signal } = this.#options;
    this.#tell('collect');
    const repository = this.#repository;
    const baseIndex = await this.#storeIndex(before, { census, inventory });
    const entries = cataloguedEntries(inventory);
    const catalogue =
      entries.length === 0
        ? null
        : await storeCatalogue(repository, before, { catalogue: { snapshots: entries, checkpoints: [] }, signal });
    const root = await createRecoveryRoot(repository, before, { generation, baseIndex, catalogue, signal });
    // Without a root of one's own somebody else's counts: a maintenance then finishes what that one began.
    if (root !== null) await this.#decide(root);
  }

  /** A table that turns out to be damaged where its rows are is left out: its packs are listed by what they hold. */
  async #storeIndex(before: Root, { census, inventory }: { census: PackCensus; inventory: Inventory }): Promise<ObjectReference | null> {
    const repository = this.#repository;
    const without = new Set(missing(census, inventory));
    let tables = inventory.tables;
    for (let packs = unlisted(census, inventory); ; ) {
      const added = await storeTablesOf(repository, before, { packs, onDamage: this.#onDamage });
      const all = [...tables, ...added];
      try {
        return all.length === 0 ? null : await storeBaseIndex(repository, before, { tables: all, without, replaced: inventory.replaced });
      } catch (error) {
        if (!isDamage(error)) throw error;
        const good = tables.filter((name) => name !== error.object);
        if (good.length === tables.length) throw error;
        this.#onDamage(error);
        tables = good;
        const listed = await packsListedIn(repository, before, tables);
        packs = [...census.present.keys()].filter((pack) => !listed.has(pack));
      }
    }
  }

  async #decide(root: Root): Promise<void> {
    const { signal } = this.#options;
    const onSnapshot = () => this.#tell('collect');
    const present = await listPackSizes(this.#repository, { signal });
    const losses = await askForLosses(this.#repository, root, { listPresent: async () => present, onDamage: this.#onDamage, signal });
    const lost = { losses, present: new Set(present.keys()) };
    const unreadable = await findUnreadableTables(this.#repository, root, { signal });
    for (const damage of unreadable.values()) this.#onDamage(damage);
    const options = { below: root.floor, lost, unreadable, onSnapshot, onDamage: this.#onDamage, signal };
    const found = await survey(this.#repository, root, options);
    await decide(this.#repository, found, { onDamage: this.#onDamage, signal });
  }

  async #readSnapshots(root: Root, { census, inventory }: { census: PackCensus; inventory: Inventory }): Promise<RecoveredSnapshot[]> {
    const audit = new PackAudit(this.#repository, { ...census, ...inventory });
    const known = await this.#catalogued(root);
    const read: RecoveredSnapshot[] = [];
    for (const standing of inventory.snapshots) {
      const { id, generation } = standing;
      const snapshot = await this.#readSnapshot(standing);
      if (snapshot === undefined) continue;
      const comesBack = generation > root.generation || standingOf(root, { generation, catalogued: known.has(id) }) === 'superseded';
      read.push({ id, generation, snapshot, comesBack, isWhole: await audit.isWhole(snapshot) });
      this.#snapshotsRead++;
      this.#tell('survey');
    }
    return read.sort((a, b) => a.snapshot.started.seconds - b.snapshot.started.seconds);
  }

  /** The snapshots in the root's catalogue, as far as it can be read. */
  async #catalogued(root: Root): Promise<ReadonlySet<SnapshotId>> {
    try {
      return new Set((await readCatalogue(this.#repository, root, { signal: this.#options.signal })).map(({ id }) => id));
    } catch (error) {
      this.#onDamage(orThrow(error));
      return new Set();
    }
  }

  async #readSnapshot(standing: StandingSnapshot): Promise<Snapshot | undefined> {
    try {
      return await readStandingSnapshot(this.#repository, standing, { signal: this.#options.signal });
    } catch (error) {
      this.#onDamage(orThrow(error));
      return undefined;
    }
  }

  /** Each is told once, though it may be met several times. */
  readonly #onDamage = (error: LaganError): void => {
    if (this.#damage.some(({ code, object }) => code === error.code && object === error.object)) return;
    this.#damage.push(error);
    this.#options.onDamage?.(error);
  };

  #tell(phase: MaintainProgress['phase']): void {
    this.#options.onProgress?.({ phase, filesDone: this.#snapshotsRead, bytesDone: 0 });
  }
}

/** Code: limit-exceeded, if a root that opens leaves no numbers for others: only who has a key can have made it. */
function expectRoom({ number, generation }: Root): void {
  const highest = Math.max(number, generation);
  if (highest <= Number.MAX_SAFE_INTEGER - 2 * recoveryReach) return;
  const object = objectNames.root(number);
  throw new LaganError('limit-exceeded', `${object} leaves no numbers for others: somebody who has a key has made it up`, {
    object,
    found: highest,
    hint: 'if the store keeps versions: lagan repository recover --as-of TIME; otherwise delete that object, and recover again',
  });
}

function unlisted({ present }: PackCensus, { listed }: Inventory): PackId[] {
  return [...present.keys()].filter((pack) => !listed.has(pack));
}

function missing({ present }: PackCensus, { listed }: Inventory): PackId[] {
  return [...listed].filter((pack) => !present.has(pack));
}

/** Damage, or what is missing; any other error is thrown. */
function orThrow(error: unknown): LaganError {
  if (isDamage(error) || isLaganError(error, 'object-missing')) return error;
  throw error;
}
