import {
  isLaganError,
  type LaganError,
  objectNames,
  objectPrefixes,
  type PackId,
  type PackKind,
  type Time,
} from '../../repo-format/mod.ts';
import { movedChunks, openTable } from '../index/mod.ts';
import { Breather } from '../look/mod.ts';
import { type MovedChunks, PackReader } from '../packs/mod.ts';
import {
  findRollback,
  lastVerified,
  listIndexTables,
  listSnapshots,
  listVerifications,
  type Repository,
  readPackList,
  readRoot,
  type SnapshotInfo,
  writeDamageReport,
} from '../repository/mod.ts';
import { TreeReader } from '../trees/mod.ts';
import { AffectedFiles } from './_affected.ts';
import { ChunkSet } from './_chunk-set.ts';
import { compareWithIndex } from './_compare-contents.ts';
import { DataReader } from './_data-reader.ts';
import { Findings, isDamage, type Problem, packMissing } from './_findings.ts';
import { Hurt } from './_hurt.ts';
import { addRows, checkTable, type OpenTable, openTables } from './_index-tables.ts';
import { type KnownPack, KnownPacks } from './_known-packs.ts';
import { checkLimits } from './_limits.ts';
import { VerificationMemory } from './_memory.ts';
import { notePackAges } from './_pack-ages.ts';
import { checkPackList } from './_pack-lists.ts';
import type { PackReport } from './_pack-verifier.ts';
import { readingOrder } from './_reading-order.ts';
import { checkSmallObjects } from './_small-objects.ts';
import { TreeChecker } from './_tree-checker.ts';
import { keptForUnfinished } from './_unfinished.ts';
import type { Finding } from './findings.ts';
import type { ReadData } from './read-data.ts';
import type { CheckProgress, CheckResult, Diagnosis } from './result.ts';

export interface CheckRunOptions {
  readonly readData: ReadData;
  readonly workers: number;
  /** After so long no pack is begun. */
  readonly maxDurationMs?: number | undefined;
  /** Whether it is remembered in the repository what was verified. */
  readonly record?: boolean | undefined;
  readonly onFinding: ((finding: Finding) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  /** For tests: rows of the index that are in memory at once. */
  readonly rowsPerPass?: number;
}

/** One check, from the small objects to the files that damage hurts. */
export class CheckRun {
  readonly #repository: Repository;
  readonly #options: CheckRunOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #rowsPerPass: number;
  readonly #startedAt = performance.now();
  readonly #findings: Findings;
  readonly #packs = new KnownPacks();
  readonly #hurt = new Hurt();
  readonly #breather: Breather;
  readonly #moved: MovedChunks;
  readonly #packReader: PackReader;
  readonly #trees: TreeReader;
  readonly #data: DataReader;
  readonly #memory: VerificationMemory | undefined;
  /** Packs that are to be read. */
  readonly #chosen = new Set<PackId>();
  #verified: ReadonlyMap<PackId, Time> = new Map();
  readonly #counts = { nodes: 0, files: 0, rows: 0, packsRead: 0, blocks: 0, chunks: 0, bytesRead: 0, bytesTotal: 0, reports: 0 };
  /** If the collector was at work since the repository was opened: the packs that index tables list now. */
  #listedNow: Set<PackId> | undefined;
  readonly #vanished: { readonly pack: PackId; readonly problem: Problem }[] = [];
  #walk: TreeChecker | undefined;
  #hasAllTables = true;
  #notReported: LaganError | undefined;

  constructor(repository: Repository, options: CheckRunOptions) {
    const { workers, onFinding, signal, maxDurationMs, record = false, rowsPerPass = checkLimits.rowsPerPass } = options;
    const { storage, keys } = repository;
    this.#repository = repository;
    this.#options = options;
    this.#memory = record ? new VerificationMemory(repository) : undefined;
    this.#signal = signal;
    this.#rowsPerPass = rowsPerPass;
    this.#findings = new Findings(onFinding);
    this.#breather = new Breather(signal);
    this.#moved = movedChunks(repository);
    this.#packReader = new PackReader({
      storage,
      keys,
      moved: this.#moved,
      contentsLimit: checkLimits.openPacks,
      blocksLimit: checkLimits.openBlocks,
    });
    this.#trees = new TreeReader(this.#packReader);
    const deadline = maxDurationMs === undefined ? undefined : this.#startedAt + maxDurationMs;
    this.#data = new DataReader(repository, { workers, deadline, signal, onReport: (report) => this.#take(report) });
  }

  get progress(): CheckProgress {
    const { bytesRead, bytesTotal } = this.#counts;
    const filesDone = this.#counts.files + (this.#walk?.files ?? 0);
    return { phase: 'check', filesDone, bytesDone: bytesRead, bytesTotal, errors: this.#findings.damageCount };
  }

  async run(): Promise<CheckResult> {
    const [findings, signal] = [this.#findings, this.#signal];
    await checkSmallObjects(this.#repository, findings, signal);
    // Snapshots before index tables before packs: what a backup adds meanwhile is never missed behind what was seen.
    const snapshots = await listSnapshots(this.#repository, {
      includeDeleted: true,
      onDamage: (error) => findings.addErrorOnce(error),
      signal,
    });
    const { tables, damaged } = await openTables(this.#repository, { findings, packs: this.#packs, signal });
    this.#hasAllTables = damaged === 0;
    await this.#packs.list(this.#repository.storage, { findings, signal });
    await this.#noteCollected();
    await this.#noteRollback();
    await this.#checkIndexedPacks();
    await this.#prepareReading(snapshots);
    this.#readData(({ indexed }) => indexed !== undefined);
    for (const table of tables) await checkTable(this.#repository, table, { findings, signal });
    await this.#checkTrees(snapshots, tables);
    this.#readData(({ indexed, usedAs }) => indexed === undefined && usedAs !== undefined);
    await this.#data.finish();
    await this.#memory?.flush({ signal });
    await this.#tellVanished();
    await this.#noteUnindexed();
    await this.#findAffected(snapshots);
    await this.#report();
    return this.#result(snapshots);
  }

  /** {@link run}, with what a repair needs to know. */
  async diagnose(): Promise<Diagnosis> {
    const result = await this.run();
    const unlistedPacks = this.#unindexed().flatMap(({ id, usedAs }) => (usedAs === undefined ? [] : [id]));
    const presentPacks = new Set(this.#packs.all.filter(({ storedSizeBytes }) => storedSizeBytes !== undefined).map(({ id }) => id));
    const isHurt = (pack: PackId, name: Uint8Array) => this.#hurt.findingOf(pack, name) !== undefined;
    return { result, damagedPacks: this.#hurt.packs, presentPacks, isHurt, unlistedPacks };
  }

  /** After an error, too: what was verified by then is remembered. */
  async end(): Promise<void> {
    await this.#data.stop();
    await this.#memory?.flush({ signal: AbortSignal.timeout(checkLimits.lastWordsMs) });
  }

  /** A store that shows an older root beside later objects (ROOT-19, ROOT-20) may lose what those need with the next collection. */
  async #noteRollback(): Promise<void> {
    const evidence = await findRollback(this.#repository, this.#repository.root, { signal: this.#signal });
    if (evidence === null) return;
    const { object, message } = evidence;
    this.#findings.add({ code: 'rolled-back', message: `the store was set back to an older state: ${message}`, object });
    this.#findings.complete = false;
  }

  /** What the order of reading needs: how new packs are, and when they were verified. */
  async #prepareReading(snapshots: readonly SnapshotInfo[]): Promise<void> {
    if (this.#options.readData === false) return;
    const [packs, signal] = [this.#packs, this.#signal];
    await notePackAges(snapshots, { trees: this.#trees, packs, breathe: () => this.#breather.breathe() });
    // Those that are damaged were told of with the other small objects.
    this.#verified = lastVerified(await listVerifications(this.#repository, { onDamage: () => undefined, signal }));
  }

  /** What the collector has done since the repository was opened: packs that no table lists any more may be gone, what was needed of them is in others. */
  async #noteCollected(): Promise<void> {
    const { storage, keys, root: before } = this.#repository;
    const root = await readRoot(this.#repository, { signal: this.#signal });
    if (root.number === before.number) return;
    const names = (await listIndexTables(this.#repository, root, { signal: this.#signal })).map(({ name }) => name);
    if (root.baseIndex !== null) names.push(objectNames.baseIndex(root.baseIndex.id));
    this.#listedNow = new Set();
    for (const name of names) {
      const { packs, replaced } = await openTable(storage, { name, keys, memory: undefined }).catch(nothingListed);
      for (const { id } of packs) this.#listedNow.add(id);
      for (const { pack, by } of replaced) this.#packs.get(pack).replacedBy = by.map((id) => this.#packs.get(id));
    }
  }

  /** Packs that were there when they were listed, and were gone when they were to be read, unless the collector has deleted them. */
  async #tellVanished(): Promise<void> {
    if (this.#vanished.length === 0) return;
    await this.#noteCollected();
    const leaving = await this.#leavingPacks();
    const isDeleted = (pack: PackId) => leaving.has(pack) || this.#listedNow?.has(pack) === false;
    for (const { pack, problem } of this.#vanished) if (!isDeleted(pack)) this.#hurt.pack(pack, this.#findings.add(problem));
  }

  /** Packs that the collector is about to delete. */
  async #leavingPacks(): Promise<ReadonlySet<PackId>> {
    for (;;) {
      const { number, condemned, doomed } = await readRoot(this.#repository, { signal: this.#signal });
      try {
        const lists = [condemned, doomed].map((list) => readPackList(this.#repository, list, { signal: this.#signal }));
        return new Set((await Promise.all(lists)).flat());
      } catch (error) {
        // The collector has gone on.
        if (!isLaganError(error, 'object-missing') || (await readRoot(this.#repository)).number === number) throw error;
      }
    }
  }

  /** Every pack that an index table names is in the store with the size that it says, unless the collector was about to delete it. */
  async #checkIndexedPacks(): Promise<void> {
    const leaving = await this.#leavingPacks();
    for (const { id, indexed, storedSizeBytes: found } of this.#packs.all) {
      if (indexed === undefined || leaving.has(id)) continue;
      if (found === undefined && this.#listedNow !== undefined && !this.#listedNow.has(id)) continue;
      const { chunkCount, storedSizeBytes: expected } = indexed;
      if (found === expected) continue;
      const object = objectNames.pack(id);
      const message = `${object} has ${found} bytes, the index says ${expected}`;
      const problem =
        found === undefined
          ? packMissing(id, `the index says that it has ${chunkCount} chunks`)
          : { code: 'malformed' as const, message, object, offset: Math.min(found, expected) };
      this.#hurt.pack(id, this.#findings.add(problem));
    }
  }

  /** Starts to read the selected packs among those that `applies` is true for. */
  #readData(applies: (pack: KnownPack) => boolean): void {
    const { readData, maxDurationMs } = this.#options;
    const readable = this.#packs.all.filter((pack) => pack.storedSizeBytes !== undefined && kindOf(pack) !== undefined && applies(pack));
    const chosen = readingOrder(readable, { readData, hasBudget: maxDurationMs !== undefined, verified: this.#verified });
    for (const { id, storedSizeBytes } of chosen) {
      this.#counts.bytesTotal += storedSizeBytes!;
      this.#chosen.add(id);
    }
    this.#data.add(chosen.map((pack) => ({ id: pack.id, kind: kindOf(pack)!, sizeBytes: pack.storedSizeBytes! })));
  }

  #take({ pack, blocks, chunks, bytesRead, problems, unusable }: PackReport): void {
    const counts = this.#counts;
    counts.packsRead++;
    counts.blocks += blocks;
    counts.chunks += chunks;
    counts.bytesRead += bytesRead;
    if (problems.length === 0) this.#memory?.add(pack);
    for (const { lostChunks, ...problem } of problems) {
      if (problem.code === 'pack-missing') {
        this.#vanished.push({ pack, problem });
        continue;
      }
      const finding = this.#findings.add(problem);
      if (unusable) this.#hurt.pack(pack, finding);
      else if (lostChunks.length > 0) this.#hurt.chunks(pack, lostChunks, finding);
    }
  }

  /** Walks all trees, once if the index fits into memory. */
  async #checkTrees(snapshots: readonly SnapshotInfo[], tables: readonly OpenTable[]): Promise<void> {
    const rows = tables.reduce((sum, { contents }) => sum + contents.rows, 0);
    const passes = Math.max(1, Math.ceil(rows / this.#rowsPerPass));
    this.#counts.rows = rows;
    for (let pass = 0; pass < passes; pass++) {
      const isCovered = (names: Uint8Array, offset: number) =>
        passes === 1 || (names[offset + 30]! | (names[offset + 31]! << 8)) % passes === pass;
      const chunks = await this.#loadRows(tables, isCovered, Math.ceil((rows / passes) * 1.05));
      await this.#walkTrees(snapshots, { chunks, isCovered, isFirst: pass === 0 });
      await this.#compareContents(chunks, isCovered);
    }
  }

  async #loadRows(
    tables: readonly OpenTable[],
    takes: (names: Uint8Array, offset: number) => boolean,
    expectedRows: number,
  ): Promise<ChunkSet> {
    const chunks = new ChunkSet(expectedRows);
    for (const pack of this.#packs.all) pack.indexedChunks = 0;
    for (const table of tables) {
      await this.#breather.breathe();
      await addRows(this.#repository, table, { chunks, packs: this.#packs, takes, signal: this.#signal });
    }
    return chunks;
  }

  async #walkTrees(
    snapshots: readonly SnapshotInfo[],
    { chunks, isCovered, isFirst }: { chunks: ChunkSet; isCovered: (names: Uint8Array, offset: number) => boolean; isFirst: boolean },
  ): Promise<void> {
    const walk = new TreeChecker({
      packReader: this.#packReader,
      trees: this.#trees,
      packs: this.#packs,
      chunks,
      isCovered,
      isFirst,
      mayOpenContent: this.#repository.keys.grants === 'full',
      findings: this.#findings,
      hurt: this.#hurt,
      breathe: () => this.#breather.breathe(),
    });
    if (isFirst) this.#walk = walk;
    for (const { name, snapshot } of snapshots) {
      if (snapshot.tree === null) continue;
      const relied = await walk.check(snapshot.tree);
      if (isFirst) await checkPackList({ name, snapshot, relied, walk, packs: this.#packs, findings: this.#findings });
    }
    if (isFirst) {
      this.#counts.nodes = walk.nodes;
      this.#counts.files = walk.files;
      this.#walk = undefined;
    }
    if (walk.unverified > 0) this.#noteUnverified(walk.unverified);
  }

  async #compareContents(chunks: ChunkSet, isCovered: (names: Uint8Array, offset: number) => boolean): Promise<void> {
    for (const pack of this.#packs.all) {
      if (this.#data.isOver) break;
      if (pack.indexed === undefined || pack.storedSizeBytes === undefined || !this.#chosen.has(pack.id)) continue;
      await this.#breather.breathe();
      await compareWithIndex(this.#repository, pack, { chunks, isCovered, findings: this.#findings, signal: this.#signal });
    }
  }

  /** Packs that no index table names: in use, where a table is missing; or litter. One that was replaced is named by none, and is about to be deleted. */
  #unindexed(): KnownPack[] {
    return this.#packs.all.filter(
      ({ id, storedSizeBytes, indexed, replacedBy }) =>
        storedSizeBytes !== undefined && indexed === undefined && replacedBy === undefined && this.#listedNow?.has(id) !== true,
    );
  }

  async #noteUnindexed(): Promise<void> {
    // A damaged pack was told of: it cannot say what it has.
    const unindexed = this.#unindexed().filter(({ id }) => !this.#hurt.has(id));
    const [used, unused] = [unindexed.filter(({ usedAs }) => usedAs !== undefined), unindexed.filter(({ usedAs }) => usedAs === undefined)];
    if (used.length > 0 && this.#hasAllTables) {
      const message = `${used.length} packs that snapshots rely on are in no index table: a table is missing. The files can be restored, but what they hold is stored again by the next backup`;
      this.#findings.add({ code: 'object-missing', message, object: objectPrefixes.sessionIndexes });
    }
    const kept = unused.length === 0 ? new Set() : await keptForUnfinished(this.#repository, { signal: this.#signal });
    const litter = unused.filter(({ id }) => !kept.has(id));
    if (litter.length > 0) {
      const bytes = litter.reduce((sum, { storedSizeBytes }) => sum + storedSizeBytes!, 0);
      const message = `${litter.length} packs (${bytes} bytes) are in no index table and in no snapshot: they belong to a backup that is running, or to one that was interrupted`;
      this.#findings.add({ severity: 'note', code: 'litter', message, object: objectNames.pack(litter[0]!.id) });
    }
  }

  /** Tells writers and the collector of damaged packs, if the credentials allow it. */
  async #report(): Promise<void> {
    const found = [...this.#hurt.reported(), ...this.#findings.damagedTables()];
    if (!this.#options.record || found.length === 0) return;
    try {
      const reports = await writeDamageReport(this.#repository, found, { signal: this.#signal });
      this.#counts.reports = reports.length;
    } catch (error) {
      if (!isLaganError(error) || error.code === 'interrupted') throw error;
      this.#notReported = error;
    }
  }

  #noteUnverified(count: number): void {
    const message = `${count} chunks are not in the index; whether they are in their packs can only be seen with a key that grants all`;
    this.#findings.add({ severity: 'note', code: 'unverified', message });
  }

  /** Names at each finding the snapshots and files that it hurts. */
  async #findAffected(snapshots: readonly SnapshotInfo[]): Promise<void> {
    if (this.#hurt.isEmpty) return;
    const affected = new AffectedFiles({
      trees: this.#trees,
      packReader: this.#packReader,
      hurt: this.#hurt,
      packs: this.#packs,
      moved: this.#moved,
      breathe: () => this.#breather.breathe(),
    });
    for (const snapshot of snapshots) await affected.addSnapshot(snapshot);
  }

  #result(snapshots: readonly SnapshotInfo[]): CheckResult {
    const { nodes, files, rows, packsRead, blocks, chunks, bytesRead } = this.#counts;
    return {
      ...this.#findings.close(),
      complete: this.#findings.complete,
      snapshots: snapshots.length,
      nodes,
      files,
      packs: this.#packs.all.filter(({ storedSizeBytes }) => storedSizeBytes !== undefined).length,
      packsRead,
      blocks,
      chunks: packsRead > 0 ? chunks : rows,
      bytesRead,
      packsLeft: this.#data.left.packs,
      bytesLeft: this.#data.left.bytes,
      remembered: this.#memory?.remembered ?? 0,
      reports: this.#counts.reports,
      notRecorded: this.#memory?.error ?? this.#notReported ?? null,
      durationMs: performance.now() - this.#startedAt,
    };
  }
}

function kindOf({ indexed, usedAs }: KnownPack): PackKind | undefined {
  return indexed?.kind ?? usedAs;
}

/** A table that is damaged, or gone because the collector has gone on. */
function nothingListed(error: unknown): Pick<Awaited<ReturnType<typeof openTable>>, 'packs' | 'replaced'> {
  if (isDamage(error)) return { packs: [], replaced: [] };
  throw error;
}
