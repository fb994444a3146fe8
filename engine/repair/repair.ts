import { isLaganError, LaganError, objectNames, objectPrefixes, type PackId, parseObjectName } from '../../repo-format/mod.ts';
import { uncachedStorage } from '../cache/mod.ts';
import { type Diagnosis, diagnose, type Finding } from '../check/mod.ts';
import { storeTablesOfPacks, writeIndexTable } from '../index/mod.ts';
import { isDamage, type StoredPack } from '../packs/mod.ts';
import {
  beginSession,
  isSuperseded,
  listReportedPacks,
  listSnapshots,
  markSnapshots,
  type Repository,
  readPackList,
  readRoot,
  type Session,
} from '../repository/mod.ts';
import { hurtSnapshots } from './_hurt-snapshots.ts';
import { repairLimits } from './_limits.ts';
import { OverlayStorage } from './_overlay.ts';
import { withPatientReads } from './_patient-reads.ts';
import { Salvage } from './_salvage.ts';
import { repairSnapshot, type SnapshotCopy } from './_snapshot-repair.ts';
import type { RepairedSnapshot, RepairOptions, RepairResult, SalvagedPack } from './result.ts';

/**
 * Looks for damage and mends what can be mended. Packs that snapshots rely on and that no index table lists are listed again, by what they say themselves; what can still be opened of a
 * damaged pack is copied to a new one, block by block; of each snapshot that needs something which cannot be read where it says, a copy is made that refers to what is good elsewhere,
 * keeps the rest, and says what is lost. With `dryRun` all of that is done in memory, and nothing is stored.
 *
 * It only creates objects, as a writer does and by a writer's rules (spec/root.md): it may run beside backups and collections, and after an interruption it can be run again. Nothing is
 * deleted; with `markOriginals` damaged snapshots of which there is a copy are marked for deletion.
 *
 * Codes: no-key (a key for metadata only), rolled-back and object-missing (see `recover`), interrupted, and those of the storage.
 */
export async function repair(repository: Repository, options: RepairOptions = {}): Promise<RepairResult> {
  const storage = withPatientReads(uncachedStorage(repository.storage));
  return new Repair({ ...repository, storage }, options).run();
}

class Repair {
  readonly #options: RepairOptions;
  readonly #startedAt = performance.now();
  /** What damage is looked for in. */
  readonly #found: Repository;
  /** What is written to: in a dry run, memory in front of it. */
  readonly #repository: Repository;
  readonly #overlay: OverlayStorage | undefined;

  constructor(repository: Repository, options: RepairOptions) {
    this.#options = options;
    this.#found = repository;
    this.#overlay = options.dryRun ? new OverlayStorage(repository.storage) : undefined;
    this.#repository = this.#overlay === undefined ? repository : { ...repository, storage: this.#overlay };
  }

  async run(): Promise<RepairResult> {
    const { dryRun = false, workers, onProgress, signal } = this.#options;
    const readData = this.#options.readData || { packs: await this.#reportedPacks() };
    const diagnosis = await diagnose(this.#found, { readData, workers, record: !dryRun, onProgress, signal });
    const { listedPacks, salvaged } = await this.#mendPacks(diagnosis);
    const snapshots = await this.#repairSnapshots(diagnosis);
    const left = diagnosis.result.errors.filter(isLeft);
    const missingPacks = [...diagnosis.damagedPacks].filter((pack) => !diagnosis.presentPacks.has(pack)).length;
    const isIdle = listedPacks + salvaged.length + missingPacks + snapshots.length === 0;
    return {
      outcome: isIdle ? 'sound' : this.#options.dryRun ? 'dry-run' : 'repaired',
      check: diagnosis.result,
      listedPacks,
      salvaged,
      missingPacks,
      snapshots,
      left,
      durationMs: performance.now() - this.#startedAt,
    };
  }

  /** Packs that a report, or the root's list of lost packs, says are damaged. */
  async #reportedPacks(): Promise<ReadonlySet<PackId>> {
    const { signal } = this.#options;
    const reported = await listReportedPacks(this.#found, { signal });
    const { lost } = await readRoot(this.#found, { signal });
    // A list that is damaged is found by the check.
    const listed = await readPackList(this.#found, lost, { signal }).catch((error: unknown) => {
      if (isDamage(error) || isLaganError(error, 'object-missing')) return [];
      throw error;
    });
    return new Set([...reported, ...listed]);
  }

  /** Begins anew when the collector passes the session meanwhile: its tables would not count. */
  async #mendPacks(diagnosis: Diagnosis): Promise<{ listedPacks: number; salvaged: readonly SalvagedPack[] }> {
    const { signal } = this.#options;
    const hasWork = diagnosis.unlistedPacks.length + diagnosis.damagedPacks.size > 0;
    for (let attempt = 1; hasWork; attempt++) {
      const session = await beginSession(this.#repository, { signal });
      const mended = await this.#mendIn(session, diagnosis);
      if (!(await isSuperseded(this.#repository, session, { signal }))) return mended;
      if (attempt === repairLimits.attempts) throw passedTooOften();
    }
    return { listedPacks: 0, salvaged: [] };
  }

  async #mendIn(
    session: Session,
    { damagedPacks, presentPacks, unlistedPacks }: Diagnosis,
  ): Promise<{ listedPacks: number; salvaged: readonly SalvagedPack[] }> {
    const repository = this.#repository;
    const { signal } = this.#options;
    let tables = 0;
    const nextName = (): string => {
      const number = tables++;
      return objectNames.sessionIndex(session.generation, session.id, number, number);
    };
    // Packs that no table lists may be taken over if they are seen after the root was read, which neither condemns nor dooms them (decision 013): they are read now.
    const packs = unlistedPacks.filter((pack) => !damagedPacks.has(pack) && !session.excludedPacks.has(pack));
    // A pack that turns out to be damaged now is found by the next repair.
    await storeTablesOfPacks(repository, { packs, nextName, onDamage: () => undefined, signal });
    const isGood = (pack: PackId) => presentPacks.has(pack) && !damagedPacks.has(pack) && !session.excludedPacks.has(pack);
    const overlay = this.#overlay;
    const pretendPack = overlay && ((pack: PackId) => overlay.pretendPack(pack));
    const salvage = new Salvage(repository, { isGood, pretendPack });
    const salvaged: SalvagedPack[] = [];
    const stored: StoredPack[] = [];
    for (const pack of damagedPacks) {
      throwIfInterrupted(signal);
      if (!presentPacks.has(pack)) continue;
      const saved = await salvage.save(pack);
      salvaged.push(saved.salvaged);
      if (saved.stored !== undefined) stored.push(saved.stored);
    }
    if (stored.length > 0) await writeIndexTable(repository.storage, { name: nextName(), keys: repository.keys, packs: stored });
    return { listedPacks: packs.length, salvaged };
  }

  /** The newest first: they are needed most likely. */
  async #repairSnapshots({ damagedPacks: packs, isHurt }: Diagnosis): Promise<RepairedSnapshot[]> {
    if (packs.size === 0) return [];
    const { signal } = this.#options;
    // Those that are damaged themselves were found by the check.
    const others = await listSnapshots(this.#repository, { onDamage: () => undefined, signal });
    const repaired: RepairedSnapshot[] = [];
    for (const original of (await hurtSnapshots(this.#repository, others, packs)).reverse()) {
      throwIfInterrupted(signal);
      const copy = await repairSnapshot(this.#repository, original, { damage: { packs, isHurt }, others, signal });
      if (copy !== undefined) repaired.push(await this.#markOriginal(copy));
    }
    return repaired;
  }

  async #markOriginal(repaired: SnapshotCopy): Promise<RepairedSnapshot> {
    const { dryRun = false, markOriginals, signal } = this.#options;
    const { original } = repaired;
    const isWanted = markOriginals === 'all' || (markOriginals === 'whole' && repaired.lossCount === 0);
    const copy = dryRun && repaired.outcome === 'copied' ? null : repaired.copy;
    if (!isWanted || repaired.outcome === 'lost') return { ...repaired, copy, isMarked: false };
    if (original.heldUntil !== undefined) return { ...repaired, copy, outcome: 'held', isMarked: false };
    if (!dryRun) await markSnapshots(this.#repository, [original.id], { reason: `repaired as ${copy}`, signal });
    return { ...repaired, copy, isMarked: true };
  }
}

/** Damage of packs, and of what lists them, is mended: a damaged index table of a session goes with the next maintenance. That of other objects is not. */
function isLeft({ object }: Finding): boolean {
  if (object === undefined) return true;
  const parsed = parseObjectName(object);
  return parsed?.type !== 'pack' && parsed?.type !== 'session-index' && object !== objectPrefixes.sessionIndexes;
}

function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LaganError('interrupted', 'interrupted', { cause: signal.reason });
}

function passedTooOften(): LaganError {
  return new LaganError('unavailable', `the collector passed the repair ${repairLimits.attempts} times`, { hint: 'try again' });
}
