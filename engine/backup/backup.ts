import { hostname, userInfo } from 'node:os';
import { LaganError, type NodeReference, type Snapshot, type SnapshotId, type SnapshotStatistics, type Time } from '../../repo-format/mod.ts';
import type { Compression } from '../packs/mod.ts';
import { commitSnapshot, listCheckpoints, listSnapshots, type Repository, resolveSnapshot, type SnapshotInfo, writeCheckpoint } from '../repository/mod.ts';
import { program } from '../program/mod.ts';
import { closeDescriptor, openRoot, statPath } from '../system/mod.ts';
import { Assembler } from './_assembler.ts';
import { backupLimits } from './_limits.ts';
import { ProgressReporter } from './_progress.ts';
import { Scanner, type ScanFault } from './_scanner.ts';
import { BackupSession } from './_session.ts';
import { type ResolvedSource, resolveSource, sourceTree } from './_source-paths.ts';
import { TokenQueue } from './_token-queue.ts';
import type { Token } from './_tokens.ts';
import type { ExcludeRules } from './excludes.ts';
import type { BackupProgress } from './progress.ts';

/** A file or folder that could not be backed up, or not wholly. */
export interface ReadError {
  /** Absolute path, raw bytes. */
  readonly path: Uint8Array;
  /** `vanished`, `replaced`, `shorter`, `longer`, or the system's name (`EACCES`). */
  readonly code: string;
  readonly message: string;
}

/** What all backups have, whatever their source. */
export interface CommonBackupOptions {
  readonly tags?: readonly string[];
  readonly description?: string;
  /** Default: the machine's name. */
  readonly host?: string;
  readonly compression?: Compression;
  /** Nothing is written; what would be new is counted. */
  readonly dryRun?: boolean;
  /** The time that the snapshot says; default: now. */
  readonly time?: Date;
  /** Threads that read, compress and seal. Default: one for each processor. */
  readonly workers?: number;
  readonly onProgress?: (progress: BackupProgress) => void;
  /** Told of each file that could not be read, as it happens, and of what is left out for a reason. */
  readonly onWarning?: (warning: ReadError) => void;
  /** Ends the backup: nothing is committed, the next one finds what the last checkpoint had. */
  readonly signal?: AbortSignal;
}

export interface BackupOptions extends CommonBackupOptions {
  readonly paths: readonly (string | Uint8Array)[];
  readonly excludes?: ExcludeRules;
  readonly oneFileSystem?: boolean;
  /** What to compare with: the newest snapshot of the same host and paths (`auto`), nothing, or a snapshot by its id. */
  readonly parent?: 'auto' | 'none' | SnapshotId;
  /** A changed ctime alone does not make a file changed. */
  readonly ignoreCtime?: boolean;
  readonly ignoreInode?: boolean;
  /** Read every file again. */
  readonly force?: boolean;
  /** No snapshot if nothing at all changed since the parent. */
  readonly skipIfUnchanged?: boolean;
}

export interface BackupResult {
  /** Null after a dry run, or if it was skipped as unchanged. */
  readonly snapshotId: SnapshotId | null;
  readonly parent: SnapshotId | null;
  /** The tree is the parent's, to the byte. */
  readonly unchangedFromParent: boolean;
  readonly statistics: SnapshotStatistics & { readonly unchangedFiles: number };
  /** At most 1,000 (`statistics.errors` counts all). */
  readonly errors: readonly ReadError[];
  readonly durationMs: number;
}

/**
 * Backs up files and folders into a new snapshot.
 *
 * Files that cannot be read are in `errors` and in the snapshot; the rest goes on. Errors that end it: those of the store (`no-space`, `forbidden`, …), `source-empty` if
 * no path could be backed up, `interrupted`.
 */
export async function backup(repository: Repository, options: BackupOptions): Promise<BackupResult> {
  const run = new BackupRun(options);
  const sources = resolvePaths(options.paths, run);
  const source = sourceIdentity(run.host, sources.map(({ absolute }) => absolute));
  const parents = await findParents(repository, { source, parent: options.parent ?? 'auto', signal: options.signal });
  const session = await BackupSession.begin(repository, { workers: options.workers, compression: options.compression ?? 'auto', dryRun: options.dryRun ?? false, signal: options.signal });
  const root = openRoot('/');
  try {
    const queue = new TokenQueue<Token>(backupLimits.waitingTokens);
    const comparable = options.force ? [] : parents.trees;
    const assembler = new Assembler({
      nodes: session.nodes,
      queue,
      previousRoot: comparable[0],
      betweenTokens: () => run.betweenTokens(session, () => checkpoint()),
      onFault: (path, { code, message }) => run.fault({ path, code, message }),
      onFile: (size) => run.progress.fileDone(size),
    });
    const snapshotOf = (tree: NodeReference | null, more: Partial<Snapshot>): Snapshot => ({ ...run.snapshot(session, { sources, source, parent: parents.parent?.id ?? null, counts: assembler.counts }), tree, ...more });
    const checkpoint = async () => {
      const { number, root: tree } = await session.checkpoint(() => assembler.partialRoot());
      await writeCheckpoint(repository, { session: session.session, number, snapshot: snapshotOf(tree, { partial: true }), signal: options.signal });
    };
    const scanner = new Scanner({
      root,
      sources: sourceTree(sources),
      previous: comparable,
      reader: session.reader,
      dispatcher: session.dispatcher,
      queue,
      excludes: options.excludes ?? {},
      oneFileSystem: options.oneFileSystem ?? false,
      ignoreCtime: options.ignoreCtime ?? false,
      ignoreInode: options.ignoreInode ?? false,
      isAlive: session.isAlive,
      repositoryFolder: repositoryFolder(repository),
      onFault: (fault) => run.fault(fault),
      onNote: (note) => run.note(note),
      onEntry: (folder, name) => run.progress.scanned(folder, name),
      signal: options.signal,
    });
    const scanning = scanner.run().catch((error: unknown) => queue.end({ error }));
    const tree = await run.untilAborted(assembler.run());
    await scanning;
    const unchanged = isSameTree(tree, parents.parent?.snapshot.tree ?? null);
    if (tree === null && !options.dryRun) throw new LaganError('source-empty', 'nothing could be backed up: none of the paths is there', { found: options.paths.map(String) });
    const result = (snapshotId: SnapshotId | null): BackupResult => run.result({ snapshotId, parent: parents.parent?.id ?? null, unchanged, session, counts: assembler.counts });
    if (options.dryRun || (options.skipIfUnchanged && unchanged)) return result(null);
    const lists = await session.finish(assembler.packs);
    await commitSnapshot(repository, { session: session.session, snapshot: snapshotOf(tree, lists), signal: options.signal });
    return result(session.session.id);
  } finally {
    run.progress.end();
    await session.end();
    closeDescriptor(root);
  }
}

/** What a run counts and collects beside the tree. */
export class BackupRun {
  readonly host: string;
  readonly progress: ProgressReporter;
  readonly #options: CommonBackupOptions;
  readonly #started = new Date();
  readonly #startedAt = performance.now();
  readonly #errors: ReadError[] = [];
  #errorCount = 0;

  constructor(options: CommonBackupOptions) {
    this.#options = options;
    this.host = options.host ?? hostname();
    this.progress = new ProgressReporter(options.onProgress);
  }

  /** Something of the source could not be read. */
  fault(fault: ScanFault): void {
    const error = { ...fault, path: absolutePath(fault.path) };
    this.#errorCount++;
    this.progress.errors = this.#errorCount;
    if (this.#errors.length < backupLimits.listedErrors) this.#errors.push(error);
    this.#options.onWarning?.(error);
  }

  /** Something worth knowing that is no error. */
  note(note: ScanFault): void {
    this.#options.onWarning?.({ ...note, path: absolutePath(note.path) });
  }

  betweenTokens(session: BackupSession, checkpoint: () => Promise<void>): Promise<void> | undefined {
    this.#options.signal?.throwIfAborted();
    this.progress.stored(session.dispatcher.counts, session.storedBytes);
    return session.checkpointIsDue ? checkpoint() : undefined;
  }

  /** The promise, or the reason of the abort as soon as it comes. */
  async untilAborted<Result>(promise: Promise<Result>): Promise<Result> {
    const { signal } = this.#options;
    if (signal === undefined) return promise;
    signal.throwIfAborted();
    let abort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(new LaganError('interrupted', 'the backup was interrupted; what was stored since the last checkpoint is stored again next time', { cause: signal.reason }));
      signal.addEventListener('abort', abort, { once: true });
    });
    promise.catch(() => undefined);
    return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', abort));
  }

  /** The snapshot without its tree. */
  snapshot(
    session: BackupSession,
    { sources, source, parent, counts }: { sources: readonly ResolvedSource[]; source: string; parent: SnapshotId | null; counts: Assembler['counts'] },
  ): Snapshot {
    const { tags = [], description = '', time } = this.#options;
    return {
      session: session.session.id,
      generation: session.session.generation,
      started: timeOf(time ?? this.#started),
      ended: timeOf(time ?? new Date()),
      host: this.host,
      user: userInfo().username,
      paths: sources.map(({ absolute }) => new Uint8Array(Buffer.from(absolute, 'latin1'))),
      tags,
      description,
      program,
      tree: null,
      packs: null,
      listPacks: [],
      parent,
      source,
      partial: false,
      statistics: this.#statistics(session, counts),
      errors: this.#errors,
      extensions: {},
    };
  }

  result(parts: { snapshotId: SnapshotId | null; parent: SnapshotId | null; unchanged: boolean; session: BackupSession; counts: Assembler['counts'] }): BackupResult {
    const { snapshotId, parent, unchanged, session, counts } = parts;
    return {
      snapshotId,
      parent,
      unchangedFromParent: unchanged,
      statistics: { ...this.#statistics(session, counts), unchangedFiles: counts.unchangedFiles },
      errors: this.#errors,
      durationMs: performance.now() - this.#startedAt,
    };
  }

  #statistics(session: BackupSession, { files, directories, others, bytes }: Assembler['counts']): SnapshotStatistics {
    const { chunks, newChunks, newBytes } = session.dispatcher.counts;
    return { files, directories, others, bytes, newBytes, storedBytes: session.storedBytes, chunks, newChunks, errors: this.#errorCount };
  }
}

/** Resolves the given paths; one that does not exist is a fault, the others still go in. */
function resolvePaths(paths: readonly (string | Uint8Array)[], run: BackupRun): ResolvedSource[] {
  const sources: ResolvedSource[] = [];
  for (const path of paths) {
    try {
      const source = resolveSource(path);
      statPath(new Uint8Array(Buffer.from(source.absolute, 'latin1')), { symlink: 'keep' });
      sources.push(source);
    } catch (error) {
      const given = typeof path === 'string' ? Buffer.from(path) : path;
      run.fault({ path: given, code: 'ENOENT', message: `could not be found: ${(error as Error).message}` });
    }
  }
  if (sources.length === 0) throw new LaganError('source-empty', `nothing to back up: ${paths.map((path) => JSON.stringify(String(path))).join(', ')} ${paths.length === 1 ? 'is' : 'are'} not there`, { hint: 'give at least one path that exists' });
  return sources;
}

/** What makes two backups backups of the same thing. */
export function sourceIdentity(host: string, paths: readonly string[]): string {
  return JSON.stringify([host, ...[...paths].sort()]);
}

/** The snapshot to compare with, and before it what an interrupted backup of the same source left since. */
async function findParents(
  repository: Repository,
  { source, parent, signal }: { source: string; parent: 'auto' | 'none' | SnapshotId; signal: AbortSignal | undefined },
): Promise<{ parent: SnapshotInfo | undefined; trees: (NodeReference | null)[] }> {
  if (parent === 'none') return { parent: undefined, trees: [] };
  if (parent !== 'auto') {
    const given = await resolveSnapshot(repository, parent, { signal });
    return { parent: given, trees: [given.snapshot.tree] };
  }
  const latest = (await listSnapshots(repository, { filter: { source }, signal, onDamage: () => undefined })).at(-1);
  const checkpoints = (await listCheckpoints(repository, { signal, onDamage: () => undefined })).filter(({ snapshot }) => snapshot.source === source && isAfter(snapshot.started, latest?.snapshot.started));
  const newest = checkpoints.toSorted((a, b) => a.snapshot.started.seconds - b.snapshot.started.seconds).at(-1);
  return { parent: latest, trees: [newest?.snapshot.tree, latest?.snapshot.tree].filter((tree) => tree !== undefined) };
}

function isAfter(time: Time, other: Time | undefined): boolean {
  if (other === undefined) return true;
  return time.seconds > other.seconds || (time.seconds === other.seconds && time.nanoseconds > other.nanoseconds);
}

/** The repository's own folder is never part of a backup. */
function repositoryFolder({ storage }: Repository): { device: number; inode: number | bigint } | undefined {
  const description = storage.describe();
  if (description.kind !== 'local-folder') return undefined;
  const { device, inode } = statPath(description.path, { symlink: 'follow' });
  return { device, inode };
}

function isSameTree(a: NodeReference | null, b: NodeReference | null): boolean {
  return a !== null && b !== null && a.pack === b.pack && Buffer.compare(a.name, b.name) === 0;
}

function timeOf(date: Date): Time {
  const milliseconds = date.getTime();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

function absolutePath(path: Uint8Array): Uint8Array {
  return path[0] === 0x2f ? path : new Uint8Array(Buffer.concat([Buffer.from('/'), path]));
}
