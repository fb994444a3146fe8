import { availableParallelism } from 'node:os';
import { isLaganError, type LaganError, type NodeReference, type PackId, parseObjectName, type Snapshot } from '../../repo-format/mod.ts';
import { withReadAhead } from '../cache/mod.ts';
import { ChunkTable, Deduplicator, movedChunks, PackTable, StoredIndex } from '../index/mod.ts';
import { compileKernel, createKernel, preferredLanes } from '../kernel/mod.ts';
import { type Compression, isDamage, PackReader, type StoredPack } from '../packs/mod.ts';
import { beginSession, describeRepository, type Repository, readRoot, type Session, withNewestKeys } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { NodeStore, recordingPacks, TreeBuilder, TreeReader } from '../trees/mod.ts';
import { CopyDispatcher } from './_copy-dispatcher.ts';
import { FileDispatcher } from './_file-dispatcher.ts';
import { type BackupLimits, backupLimits } from './_limits.ts';
import { type OpeningOptions, SessionOpening } from './_session-opening.ts';
import type { SessionTables } from './_session-tables.ts';
import type { WantedNames } from './_wanted-names.ts';
import { WorkerPool } from './_worker-pool.ts';

/** Data area of the main thread's kernel: it names nodes, which are about 64 KiB at most. */
const nodeAreaBytes = 256 * 1024;

/** What a snapshot says of its tree, once all of it is in packs. */
export type StoredTree = Pick<Snapshot, 'tree' | 'packs' | 'listPacks'>;

export interface SessionOptions {
  readonly workers?: number | undefined;
  readonly compression: Compression;
  readonly dryRun: boolean;
  /** Packs on which nothing new may rely, beside those that the collector has condemned. */
  readonly excluded?: ReadonlySet<PackId> | undefined;
  /** See {@link CommonBackupOptions.verifyAll}. */
  readonly verifyAll?: boolean | undefined;
  /** Is told of each index table of a session that is damaged, once. The backup goes on without it: what only it lists is stored again. */
  readonly onIndexDamage?: ((error: LaganError) => void) | undefined;
  /** Others than {@link backupLimits}: for tests. */
  readonly limits?: Partial<BackupLimits> | undefined;
  /** Where is copied from, and the chunks that are needed of it if it names them alike. */
  readonly source?: { readonly repository: Repository; readonly wanted: WantedNames | undefined } | undefined;
}

/**
 * One session of writing: the index as it was when it began, the workers, the packs that were stored since, and the checkpoints that make them safe
 * (`docs/decisions/004-checkpoints.md`).
 */
export class BackupSession {
  readonly session: Session;
  readonly reader: TreeReader;
  readonly nodes: NodeStore;
  readonly dispatcher: FileDispatcher;
  readonly copies: CopyDispatcher;
  readonly limits: BackupLimits;
  storedBytes = 0;
  readonly #pool: WorkerPool;
  readonly #index: StoredIndex;
  readonly #chunkTable: ChunkTable;
  readonly #alive: Set<PackId>;
  readonly #dryRun: boolean;
  readonly #tables: SessionTables;
  #newPacks: StoredPack[] = [];
  #newBytesAtCheckpoint = 0;
  #lastCheckpoint = performance.now();
  #checkpoints: number;
  #storing: Promise<unknown> = Promise.resolve();

  /**
   * If the collector deletes what the session was to begin with, because it was slow, another one begins; so does one that leaves out index tables which are damaged, if it is not the
   * keys that are too old for them.
   */
  static async begin(repository: Repository, options: SessionOptions & CallOptions): Promise<BackupSession> {
    const { signal } = options;
    const onIndexDamage = onceForEach(options.onIndexDamage);
    let onDamage: ((error: LaganError) => void) | undefined;
    for (let attempt = 1; ; attempt++) {
      const begun = await BackupSession.#tryToBegin(repository, { ...options, onIndexDamage, onDamage });
      if (begun instanceof BackupSession) return begun;
      const { error, session } = begun;
      if (onDamage === undefined && isDamagedTable(error) && (await withNewestKeys(repository, { signal })) === repository) {
        onDamage = onIndexDamage;
        continue;
      }
      const isGone = isLaganError(error, 'not-found') || isLaganError(error, 'object-missing');
      if (!isGone || attempt === backupLimits.sessions || (await readRoot(repository, { signal })).number === session?.root.number)
        throw error;
    }
  }

  /** What the session needs is fetched while it is found out whether it begins. */
  static async #tryToBegin(
    repository: Repository,
    options: SessionOptions & OpeningOptions,
  ): Promise<BackupSession | { error: unknown; session: Session | undefined }> {
    const reading = withReadAhead(repository);
    let opening: SessionOpening | undefined;
    const onListed = (listed: Session): void => {
      void opening?.abandon();
      const excludedPacks = new Set([...listed.excludedPacks, ...(options.excluded ?? [])]);
      opening = new SessionOpening(reading, { ...listed, excludedPacks }, options);
    };
    let session: Session | undefined;
    try {
      session = await beginSession(repository, { onListed, signal: options.signal });
      const { alive, excluded } = await opening!.finish();
      const { tables } = opening!;
      return new BackupSession(repository, { session: { ...session, excludedPacks: excluded }, reading, tables, alive }, options);
    } catch (error) {
      await opening?.abandon();
      return { error, session };
    }
  }

  private constructor(
    repository: Repository,
    { session, reading, tables, alive }: { session: Session; reading: Repository; tables: SessionTables; alive: Set<PackId> },
    { workers = availableParallelism(), compression, dryRun, verifyAll = false, onIndexDamage, limits, source }: SessionOptions,
  ) {
    const { storage, keys, configuration } = repository;
    this.session = session;
    this.limits = { ...backupLimits, ...limits };
    this.#tables = tables;
    // Number 0 is that of the tables that it began with, if there are any: see `SessionTables.openEarlier`.
    this.#checkpoints = session.pendingTables.length === 0 ? 0 : 1;
    this.#alive = alive;
    this.#dryRun = dryRun;
    const packs = new PackTable();
    const kernelModule = compileKernel();
    this.#chunkTable = new ChunkTable({ capacityRows: this.limits.chunkTableRows });
    const onDamage = (error: unknown): void => {
      if (isDamage(error)) onIndexDamage?.(error);
    };
    this.#index = new StoredIndex(reading.storage, tables.all, { onDamage });
    const packReader = new PackReader({ storage: reading.storage, keys, moved: movedChunks(reading) });
    this.reader = new TreeReader(packReader);
    const onPack = (pack: StoredPack) => this.#remember(pack);
    this.#pool = new WorkerPool(
      {
        repository: describeRepository(repository),
        kernelModule,
        lanes: preferredLanes(),
        compression,
        dryRun,
        packsAhead: packsAhead(repository, workers),
        verifyAll,
        chunkTable: this.#chunkTable.buffer,
        packTable: packs.buffers,
        storedTables: tables.all,
        excludedPacks: [...session.excludedPacks],
        source: source && { repository: describeRepository(source.repository), wanted: source.wanted?.buffer },
      },
      {
        workers,
        jobsPerWorker: backupLimits.batchesPerWorker,
        onPack,
        onIndexDamage: onDamage,
        here: [repository, source?.repository].some(isInMemory) ? { repository, source: source?.repository } : undefined,
      },
    );
    const kernelOf = (dataSizeBytes: number) =>
      createKernel({
        dataSizeBytes,
        nameKey: keys.nameKey,
        metadataNameKey: keys.metadataNameKey,
        cutKey: keys.cutKey,
        cutting: configuration.chunker,
        module: kernelModule,
      });
    const deduplicator = new Deduplicator({
      written: this.#chunkTable,
      packs,
      stored: this.#index,
      reader: packReader,
      kind: 'metadata-pack',
      excluded: session.excludedPacks,
    });
    this.nodes = new NodeStore({ kernel: kernelOf(nodeAreaBytes), kernelOf, storage, keys, deduplicator, packs, onPack, dryRun });
    this.dispatcher = new FileDispatcher({ pool: this.#pool, packs, nodes: this.nodes, limits: this.limits });
    this.copies = new CopyDispatcher({ pool: this.#pool, packs, files: this.dispatcher });
  }

  /** Whether a pack of an earlier session may be relied on. */
  readonly isAlive = (pack: PackId): boolean => this.#alive.has(pack);

  /** A pack of an earlier session that has the chunk and may be relied on. */
  packOf(name: Uint8Array): Promise<PackId | undefined> {
    return this.#index.find(name, 0, this.isAlive);
  }

  /** True when so much is new, or so much time has passed, that a loss of this process would hurt. */
  get checkpointIsDue(): boolean {
    if (this.#dryRun) return false;
    const { chunkTableRows, checkpointNewBytes, checkpointIntervalMs } = this.limits;
    const newBytes = this.dispatcher.counts.newBytes - this.#newBytesAtCheckpoint;
    if (this.#chunkTable.rows > chunkTableRows / 2) return true;
    return newBytes >= checkpointNewBytes || (newBytes > 0 && performance.now() - this.#lastCheckpoint >= checkpointIntervalMs);
  }

  /**
   * Makes everything that was stored so far findable: closes the open packs and stores an index table of them. Returns the number of the checkpoint and what its
   * snapshot says of its tree. Workers pause meanwhile; `partialTree` is called when they do.
   */
  checkpoint(
    partialTree: () => Promise<{ root: NodeReference | null; packs: ReadonlySet<PackId> }>,
  ): Promise<{ number: number } & StoredTree> {
    return this.#tracked(async () => {
      await this.#pool.pause();
      const { root, packs } = await partialTree();
      const lists = root === null ? { packs: null, listPacks: [] } : await this.#storePackList(packs);
      await this.#storeOpenPacks();
      if (await this.#writeTable({ isLast: false })) await this.#useTables();
      this.#newBytesAtCheckpoint = this.dispatcher.counts.newBytes;
      this.#lastCheckpoint = performance.now();
      this.#pool.resume();
      return { number: this.#checkpoints++, tree: root, ...lists };
    });
  }

  /** Stores what is open, the list of packs that the snapshot relies on, and the last index table. Only the commit is missing then. */
  finish(tree: NodeReference, packs: ReadonlySet<PackId>): Promise<StoredTree> {
    return this.#tracked(async () => {
      const lists = await this.#storePackList(packs);
      await this.#storeOpenPacks();
      await this.#writeTable({ isLast: true });
      return { tree, ...lists };
    });
  }

  /** Ends the workers; what they had open is thrown away. Nothing is written any more once this has resolved. */
  async end(): Promise<void> {
    this.dispatcher.abandon(new Error('the backup has ended'));
    await Promise.all([this.#pool.stop(), this.nodes.abort()]);
    await this.#storing.catch(() => undefined);
    this.dispatcher.close();
    this.#tables.close();
  }

  /** Remembers what is being stored: {@link end} waits for it. */
  #tracked<Result>(store: () => Promise<Result>): Promise<Result> {
    const storing = store();
    this.#storing = storing;
    return storing;
  }

  async #storePackList(packs: ReadonlySet<PackId>): Promise<Pick<StoredTree, 'packs' | 'listPacks'>> {
    const listPacks = new Set<PackId>();
    const list = new TreeBuilder(recordingPacks(this.nodes, listPacks), 'pack-list');
    for (const pack of [...packs].sort()) {
      const waiting = list.addPack(pack);
      if (waiting !== undefined) await waiting;
    }
    const root = (await list.finish())!;
    return { packs: { ...root.node, height: root.height, count: packs.size }, listPacks: [...listPacks] };
  }

  async #storeOpenPacks(): Promise<void> {
    await Promise.all([this.#pool.runOnAll({ type: 'flush' }), this.nodes.flush()]);
  }

  /** Stores an index table of the packs since the last one; false if there are none. */
  async #writeTable({ isLast }: { isLast: boolean }): Promise<boolean> {
    const packs = this.#newPacks;
    if (packs.length === 0 || this.#dryRun) return false;
    this.#newPacks = [];
    await this.#tables.write(this.#checkpoints, packs, { isLast });
    return true;
  }

  /** From now on the chunks of the stored tables are found there, and the table of chunks in flight can begin anew. */
  async #useTables(): Promise<void> {
    await this.#tables.merge();
    this.#index.replaceTables(this.#tables.all);
    this.#pool.update({ storedTables: this.#tables.all });
    await this.#pool.runOnAll({ type: 'tables', tables: this.#tables.all });
    if (this.#chunkTable.rows > this.limits.chunkTableRows / 4) this.#chunkTable.clear();
  }

  #remember(pack: StoredPack): void {
    this.#newPacks.push(pack);
    this.storedBytes += pack.sizeBytes;
  }
}

/** Tells of each object once, whoever has found it. */
function onceForEach(tell: ((error: LaganError) => void) | undefined): (error: LaganError) => void {
  const told = new Set<string | undefined>();
  return (error) => {
    if (!told.has(error.object)) tell?.(error);
    told.add(error.object);
  };
}

function isDamagedTable(error: unknown): boolean {
  return isDamage(error) && parseObjectName(error.object ?? '')?.type === 'session-index';
}

function isInMemory(repository: Repository | undefined): boolean {
  return repository?.storage.describe().kind === 'in-memory';
}

/** How many packs each worker may have on their way. Only on the way to a store that is far away they are in memory. */
function packsAhead({ storage, configuration }: Repository, workers: number): number {
  if (storage.describe().kind !== 'url') return 1;
  const packs = Math.floor(backupLimits.packMemoryBytes / (workers * configuration.packSizeBytes));
  return Math.min(Math.max(packs - 1, 0), backupLimits.packsAhead);
}
