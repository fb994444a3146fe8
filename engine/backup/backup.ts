import {
  idToBytes,
  isLaganError,
  LaganError,
  type NodeReference,
  type SessionId,
  type Snapshot,
  type SnapshotId,
  type Time,
} from '../../repo-format/mod.ts';
import {
  commitSnapshot,
  isSameTopFolder,
  listCheckpoints,
  listSnapshots,
  type Repository,
  resolveSnapshot,
  type SnapshotInfo,
  topFolderExtension,
  withNewestKeys,
  writeCheckpoint,
} from '../repository/mod.ts';
import { closeDescriptor, type Descriptor, openRoot, statPath } from '../system/mod.ts';
import { Assembler, type AssemblyCounts } from './_assembler.ts';
import { BackupRun, type EarlierCounts } from './_backup-run.ts';
import { asRestored } from './_imported.ts';
import { type BackupLimits, backupLimits } from './_limits.ts';
import { isPassed } from './_passed.ts';
import { Scanner } from './_scanner.ts';
import { BackupSession } from './_session.ts';
import { errnoNameOf } from './_source-errors.ts';
import { absolutePath, type ResolvedSource, resolveSource, sourceIdentity, sourceTree } from './_source-paths.ts';
import { TokenQueue } from './_token-queue.ts';
import type { EntryFields, Token } from './_tokens.ts';
import type { BackupOptions, BackupResult } from './options.ts';

/**
 * Backs up files and folders into a new snapshot.
 *
 * Files that cannot be read are in `errors` and in the snapshot; the rest goes on. Errors that end it: those of the store (`no-space`, `forbidden`, …), `source-empty` if
 * no path could be backed up, `interrupted`, `usage`. If the collector passes the backup, it begins anew by itself and goes on from its last checkpoint. After an error there is no snapshot, and nothing is left over but what the next backup finds and uses.
 */
export function backup(repository: Repository, options: BackupOptions): Promise<BackupResult> {
  return backupWithin(repository, options, {});
}

/** The same with other limits: for tests. */
export async function backupWithin(repository: Repository, options: BackupOptions, limits: Partial<BackupLimits>): Promise<BackupResult> {
  const run = new BackupRun(options);
  try {
    const repositoryFolder = folderOf(repository);
    const sources = options.root === undefined ? resolvePaths(options.paths, { run, repositoryFolder }) : recordedPaths(options.paths);
    const paths = sources.map(({ absolute }) => absolute);
    const source = options.source ?? sourceIdentity(run.host, paths);
    let current = repository;
    for (const predecessors: Predecessor[] = []; ; ) {
      const attempt = { options, run, limits, sources, source, repositoryFolder, predecessors };
      const { outcome, repository: used } = await attemptWithNewestKeys(current, attempt);
      current = used;
      if ('result' in outcome) return outcome.result;
      predecessors.push(outcome.superseded);
      run.beginAnew(outcome.superseded);
      // Perhaps the collector has newer ones.
      current = await withNewestKeys(current, { signal: options.signal });
    }
  } finally {
    run.end();
  }
}

/** A session of this backup that the collector has passed. */
interface Predecessor extends EarlierCounts {
  readonly id: SessionId;
  /** What its last checkpoint has; undefined if there is none. */
  readonly tree: NodeReference | null | undefined;
}

interface Attempt {
  readonly options: BackupOptions;
  readonly run: BackupRun;
  readonly limits: Partial<BackupLimits>;
  readonly sources: readonly ResolvedSource[];
  readonly source: string;
  readonly repositoryFolder: FolderIdentity | undefined;
  readonly predecessors: readonly Predecessor[];
}

/** The keys may have been rotated since the repository was opened: then what is there cannot be read, until they are read again. */
async function attemptWithNewestKeys(repository: Repository, attempt: Attempt) {
  try {
    return { outcome: await attemptBackup(repository, attempt), repository };
  } catch (error) {
    const newest = isLaganError(error, 'authentication-failed')
      ? await withNewestKeys(repository, { signal: attempt.options.signal })
      : repository;
    if (newest === repository) throw error;
    return { outcome: await attemptBackup(newest, attempt), repository: newest };
  }
}

/** One session. If the collector passes it, it says how far it came: the next one compares with that, so that little is stored twice. */
async function attemptBackup(
  repository: Repository,
  { options, run, limits, sources, source, repositoryFolder, predecessors }: Attempt,
): Promise<{ result: BackupResult } | { superseded: Predecessor }> {
  const { workers, compression = 'auto', dryRun = false, verifyAll, signal } = options;
  const finding = findParents(repository, { source, parent: options.parent ?? 'auto', predecessors, signal });
  finding.catch(() => undefined); // Whoever waits for it is told.
  const session = await BackupSession.begin(repository, {
    workers,
    compression,
    dryRun,
    verifyAll,
    onIndexDamage: run.indexDamaged,
    limits,
    signal,
  });
  const reached: { tree: NodeReference | null | undefined } = { tree: undefined };
  try {
    const parents = await finding;
    run.progress.expected = parents.parent?.snapshot.statistics;
    const previous = options.force && predecessors.length === 0 ? [] : parents.trees;
    const top = { fields: undefined };
    const plan = { options, run, session, sources, source, parents, previous, repositoryFolder, reached, top };
    return { result: await storeSnapshot(repository, plan) };
  } catch (error) {
    if (predecessors.length >= session.limits.sessions || !(await isPassed(repository, session, { error, signal }))) throw error;
    const { newBytes, newChunks } = session.dispatcher.counts;
    // The chunks are counted again.
    const counts = { newBytes, newChunks, chunks: 0, storedBytes: session.storedBytes };
    return { superseded: { id: session.session.id, tree: reached.tree, ...counts } };
  } finally {
    await session.end();
  }
}

/** All that is known when the scan begins. */
interface Plan {
  readonly options: BackupOptions;
  readonly run: BackupRun;
  readonly session: BackupSession;
  readonly sources: readonly ResolvedSource[];
  readonly source: string;
  readonly parents: Parents;
  /** Root nodes of the snapshots to compare with, the one to prefer first. */
  readonly previous: readonly (NodeReference | null)[];
  readonly repositoryFolder: FolderIdentity | undefined;
  /** Where it is written down how far the session came. */
  readonly reached: { tree: NodeReference | null | undefined };
  /** Where it is written down what `/` itself is like, if all of it is backed up. */
  readonly top: { fields: EntryFields | undefined };
}

async function storeSnapshot(repository: Repository, plan: Plan): Promise<BackupResult> {
  const { options, run, session, sources, source, parents } = plan;
  const parent = parents.parent?.id ?? null;
  const paths = sources.map(({ absolute }) => new Uint8Array(Buffer.from(absolute, 'latin1')));
  const snapshotOf = (counts: AssemblyCounts, more: Partial<Snapshot>): Snapshot => {
    const plain = run.snapshot(session, { paths, source, parent, counts });
    const continues = parents.continues.length === 0 ? {} : { continues: parents.continues.map(idToBytes) };
    const top = plan.top.fields === undefined ? {} : topFolderExtension(plan.top.fields);
    return { ...plain, extensions: { ...plain.extensions, ...continues, ...top }, ...more };
  };
  const checkpoint = async (assembler: Assembler): Promise<void> => {
    const { number, ...stored } = await session.checkpoint(() => assembler.partialTree());
    const snapshot = snapshotOf(assembler.counts, { ...stored, partial: true });
    plan.reached.tree = stored.tree;
    await writeCheckpoint(repository, { session: session.session, number, snapshot, signal: options.signal });
  };
  const { tree, assembler } = await scanAndAssemble(plan, checkpoint);
  // An empty folder that stands for / has something to tell: itself.
  const isEmpty = tree === null && plan.top.fields === undefined;
  if (isEmpty && !options.dryRun)
    throw new LaganError('source-empty', 'nothing could be backed up: none of the paths is there', { found: options.paths.map(String) });
  const isLikeParent =
    plan.previous.length === 1 && parents.parent !== undefined && isSameTopFolder(plan.top.fields, parents.parent.snapshot);
  const unchanged = !isEmpty && isLikeParent && !assembler.changed && !run.hasFaults;
  const result = (snapshotId: SnapshotId | null): BackupResult =>
    run.result({ snapshotId, parent, unchanged, session, counts: assembler.counts });
  if (isEmpty || options.dryRun || (options.skipIfUnchanged && unchanged)) return result(null);
  const stored = tree === null ? withoutTree : await run.untilAborted(session.finish(tree, assembler.packs));
  plan.reached.tree = stored.tree;
  await commitSnapshot(repository, {
    session: session.session,
    snapshot: snapshotOf(assembler.counts, stored),
    signal: options.signal,
  });
  return result(session.session.id);
}

/** Of a folder in which nothing is. */
const withoutTree = { tree: null, packs: null, listPacks: [] };

/** Runs scan and assembly. When this resolves or rejects, both have ended: when one of them fails, the other is stopped. */
async function scanAndAssemble(
  plan: Plan,
  checkpoint: (assembler: Assembler) => Promise<void>,
): Promise<{ tree: NodeReference | null; assembler: Assembler }> {
  const { run, session, previous } = plan;
  const queue = new TokenQueue<Token>(session.limits.waitingTokens);
  const assembler = new Assembler({
    nodes: session.nodes,
    queue,
    previousRoot: previous[0],
    betweenTokens: () => run.betweenTokens(session, () => checkpoint(assembler)),
    onFault: (path, { code, message }) => run.fault({ path, code, message }),
    onFile: (size) => run.progress.fileDone(size),
    ...(plan.options.imported !== undefined && { asKept: asRestored }),
    limits: session.limits,
  });
  const root = openRoot(plan.options.root ?? '/');
  const scanning = scannerOf(plan, { root, queue })
    .run()
    .catch((error: unknown) => {
      session.dispatcher.abandon(error);
      queue.end({ error });
    });
  const assembling = assembler.run();
  try {
    const tree = await run.untilAborted(assembling);
    await scanning;
    return { tree, assembler };
  } catch (error) {
    queue.abandon();
    await session.end();
    throw error;
  } finally {
    await Promise.allSettled([scanning, assembling]);
    closeDescriptor(root);
  }
}

function scannerOf(
  { options, run, session, sources, previous, repositoryFolder, top }: Plan,
  { root, queue }: { root: Descriptor; queue: TokenQueue<Token> },
): Scanner {
  const { excludes = {}, oneFileSystem = false, ignoreCtime = false, ignoreInode = false } = options;
  const isRestored = options.imported !== undefined && options.root !== undefined;
  return new Scanner({
    root,
    sources: isRestored ? { isSource: true, children: new Map() } : sourceTree(sources),
    previous,
    reader: session.reader,
    dispatcher: session.dispatcher,
    queue,
    excludes,
    oneFileSystem,
    ignoreCtime,
    ignoreInode,
    isAlive: session.isAlive,
    repositoryFolder,
    onFault: (fault) => run.fault(fault),
    onNote: (note) => run.note(note),
    // Of another backup it is not known.
    onTop: isRestored ? () => undefined : (fields) => (top.fields = fields),
    onEntry: (folder, name) => run.progress.scanned(folder, name),
    throwIfInterrupted: () => {
      run.throwIfInterrupted();
      queue.throwIfAbandoned();
    },
    limits: session.limits,
  });
}

/** Resolves the given paths; one that does not exist is a fault, and the repository itself is left out: the others still go in. */
function resolvePaths(
  paths: readonly (string | Uint8Array)[],
  { run, repositoryFolder }: { run: BackupRun; repositoryFolder: FolderIdentity | undefined },
): ResolvedSource[] {
  const sources: ResolvedSource[] = [];
  for (const path of paths) {
    try {
      const source = resolveSource(path);
      const absolute = new Uint8Array(Buffer.from(source.absolute, 'latin1'));
      const { device, inode } = statPath(absolute, { symlink: 'keep' });
      if (device === repositoryFolder?.device && inode === repositoryFolder.inode)
        run.note({ path: absolute, code: 'repository', message: 'is the repository itself and is left out' });
      else sources.push(source);
    } catch (error) {
      run.fault({
        path: absolutePath(path),
        code: errnoNameOf(error) ?? 'ENOENT',
        message: `could not be found: ${(error as Error).message}`,
      });
    }
  }
  if (sources.length === 0)
    throw new LaganError(
      'source-empty',
      `nothing to back up: ${paths.map((path) => JSON.stringify(Buffer.from(path).toString())).join(', ')} ${paths.length === 1 ? 'is' : 'are'} not there`,
      { hint: 'give at least one path that exists' },
    );
  return sources;
}

/** Paths below a folder that stands for `/`: nothing is looked for, the scan tells what is not there. */
function recordedPaths(paths: readonly (string | Uint8Array)[]): ResolvedSource[] {
  return paths.map((path) => ({ given: Buffer.from(path), absolute: Buffer.from(path).toString('latin1') }));
}

interface Parents {
  readonly parent: SnapshotInfo | undefined;
  /** What is compared with, the one to prefer first. */
  readonly trees: readonly (NodeReference | null)[];
  /** The sessions whose checkpoints are among them, or that this one is the successor of: once it has come as far, their checkpoints are of no more use. */
  readonly continues: readonly SessionId[];
}

/**
 * The snapshot to compare with; and before it what earlier sessions of this backup have, and what interrupted backups of the same source left since. It is looked for while the
 * session begins: should a collector just then drop it, what it needs of that is not found any more, and stored again.
 */
async function findParents(
  repository: Repository,
  {
    source,
    parent,
    predecessors,
    signal,
  }: {
    source: string;
    parent: NonNullable<BackupOptions['parent']>;
    predecessors: readonly Predecessor[];
    signal: AbortSignal | undefined;
  },
): Promise<Parents> {
  const own = predecessors.map(({ id }) => id);
  // The last one that had a checkpoint compared with those before it.
  const ownTrees = predecessors.flatMap(({ tree }) => (tree === undefined ? [] : [tree])).slice(-1);
  if (parent === 'none') return { parent: undefined, trees: ownTrees, continues: own };
  if (parent !== 'auto' && typeof parent !== 'function') {
    const given = await resolveSnapshot(repository, parent, { signal });
    return { parent: given, trees: [...ownTrees, given.snapshot.tree], continues: own };
  }
  const reading = { signal, onDamage: () => undefined };
  const [snapshots, unfinished] = await Promise.all([
    listSnapshots(repository, { ...(parent === 'auto' && { filter: { source } }), ...reading }),
    listCheckpoints(repository, reading),
  ]);
  const latest = typeof parent === 'function' ? parent(snapshots) : snapshots.at(-1);
  const checkpoints = unfinished.filter(
    ({ id, snapshot }) => snapshot.source === source && isAfter(snapshot.started, latest?.snapshot.started) && !own.includes(id),
  );
  const furthest = checkpoints
    .toSorted((a, b) => b.snapshot.statistics.bytes - a.snapshot.statistics.bytes)
    .slice(0, backupLimits.comparedCheckpoints);
  const trees = [...ownTrees, ...furthest.map(({ snapshot }) => snapshot.tree), latest?.snapshot.tree];
  return {
    parent: latest,
    trees: trees.filter((tree) => tree !== undefined),
    continues: [...own, ...furthest.map(({ id }) => id)],
  };
}

function isAfter(time: Time, other: Time | undefined): boolean {
  if (other === undefined) return true;
  return time.seconds > other.seconds || (time.seconds === other.seconds && time.nanoseconds > other.nanoseconds);
}

interface FolderIdentity {
  readonly device: number;
  readonly inode: number | bigint;
}

/** The repository's own folder is never part of a backup. */
function folderOf({ storage }: Repository): FolderIdentity | undefined {
  const description = storage.describe();
  if (description.kind !== 'local-folder') return undefined;
  const { device, inode } = statPath(description.path, { symlink: 'follow' });
  return { device, inode };
}
