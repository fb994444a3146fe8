import { LaganError, type NodeReference, type Snapshot, type SnapshotId, type Time } from '../../repo-format/mod.ts';
import {
  commitSnapshot,
  listCheckpoints,
  listSnapshots,
  type Repository,
  resolveSnapshot,
  type SnapshotInfo,
  writeCheckpoint,
} from '../repository/mod.ts';
import { closeDescriptor, openRoot, statPath } from '../system/mod.ts';
import { Assembler } from './_assembler.ts';
import { BackupRun } from './_backup-run.ts';
import { backupLimits } from './_limits.ts';
import { Scanner } from './_scanner.ts';
import { BackupSession } from './_session.ts';
import { type ResolvedSource, resolveSource, sourceIdentity, sourceTree } from './_source-paths.ts';
import { TokenQueue } from './_token-queue.ts';
import type { Token } from './_tokens.ts';
import type { BackupOptions, BackupResult } from './options.ts';

/**
 * Backs up files and folders into a new snapshot.
 *
 * Files that cannot be read are in `errors` and in the snapshot; the rest goes on. Errors that end it: those of the store (`no-space`, `forbidden`, …), `source-empty` if
 * no path could be backed up, `interrupted`.
 */
export async function backup(repository: Repository, options: BackupOptions): Promise<BackupResult> {
  const run = new BackupRun(options);
  const sources = resolvePaths(options.paths, run);
  const source = sourceIdentity(
    run.host,
    sources.map(({ absolute }) => absolute),
  );
  const parents = await findParents(repository, { source, parent: options.parent ?? 'auto', signal: options.signal });
  run.progress.expected = parents.parent?.snapshot.statistics;
  const session = await BackupSession.begin(repository, {
    workers: options.workers,
    compression: options.compression ?? 'auto',
    dryRun: options.dryRun ?? false,
    signal: options.signal,
  });
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
    const snapshotOf = (more: Partial<Snapshot>): Snapshot => ({
      ...run.snapshot(session, {
        paths: sources.map(({ absolute }) => new Uint8Array(Buffer.from(absolute, 'latin1'))),
        source,
        parent: parents.parent?.id ?? null,
        counts: assembler.counts,
      }),
      ...more,
    });
    const checkpoint = async () => {
      const { number, ...stored } = await session.checkpoint(() => assembler.partialTree());
      await writeCheckpoint(repository, {
        session: session.session,
        number,
        snapshot: snapshotOf({ ...stored, partial: true }),
        signal: options.signal,
      });
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
    const unchanged = tree !== null && comparable.length === 1 && parents.parent !== undefined && !assembler.changed && !run.hasFaults;
    if (tree === null && !options.dryRun)
      throw new LaganError('source-empty', 'nothing could be backed up: none of the paths is there', { found: options.paths.map(String) });
    const result = (snapshotId: SnapshotId | null): BackupResult =>
      run.result({ snapshotId, parent: parents.parent?.id ?? null, unchanged, session, counts: assembler.counts });
    if (tree === null || options.dryRun || (options.skipIfUnchanged && unchanged)) return result(null);
    const stored = await session.finish(tree, assembler.packs);
    await commitSnapshot(repository, { session: session.session, snapshot: snapshotOf(stored), signal: options.signal });
    return result(session.session.id);
  } finally {
    run.progress.end();
    await session.end();
    closeDescriptor(root);
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
  if (sources.length === 0)
    throw new LaganError(
      'source-empty',
      `nothing to back up: ${paths.map((path) => JSON.stringify(String(path))).join(', ')} ${paths.length === 1 ? 'is' : 'are'} not there`,
      { hint: 'give at least one path that exists' },
    );
  return sources;
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
  const checkpoints = (await listCheckpoints(repository, { signal, onDamage: () => undefined })).filter(
    ({ snapshot }) => snapshot.source === source && isAfter(snapshot.started, latest?.snapshot.started),
  );
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
