import { availableParallelism } from 'node:os';
import { LaganError } from '../../repo-format/mod.ts';
import { withReadAhead } from '../cache/mod.ts';
import { movedChunks } from '../index/mod.ts';
import { compileKernel } from '../kernel/mod.ts';
import { PackReader } from '../packs/mod.ts';
import { threadModule } from '../program/mod.ts';
import { describeRepository, type Repository, type SnapshotInfo } from '../repository/mod.ts';
import { joinPath, splitPath } from '../system/mod.ts';
import { TreeReader } from '../trees/mod.ts';
import { WorkerPool } from '../workers/mod.ts';
import { DirectoryLeaves } from './_directory-leaves.ts';
import type { RestorePool } from './_dispatcher.ts';
import { restoreLimits } from './_limits.ts';
import type { RestoreRules } from './_messages.ts';
import { RestoreReport } from './_report.ts';
import { expectTargetOutside, protectedFolders } from './_repository-place.ts';
import { beginRestoreWorker } from './_restore-worker.ts';
import { Selection } from './_selection.ts';
import { findStart, type StartingPoint } from './_snapshot-paths.ts';
import { RestoreWalk } from './_walk.ts';
import type { RestoreOptions, RestoreResult } from './options.ts';

/** The same file for `.ts` (run from source) and `.js` (compiled). */
const workerModule = threadModule('engine/restore/worker');

/**
 * Restores a snapshot, or a part of it, into a folder, and never outside of it.
 *
 * What cannot be restored, wholly or in part, is in `errors` and `notRestored`; the rest goes on. Nothing of a chunk that is not what its name says gets into a file, and
 * no file that lacks something stays. Errors that end it: `no-space`, `read-only` (of the target), those of a repository that cannot be read at all, `path-not-found` if none
 * of the paths is in the snapshot, `usage`, `interrupted`.
 */
export async function restore(repository: Repository, { snapshot }: SnapshotInfo, options: RestoreOptions): Promise<RestoreResult> {
  const { target, signal, include, exclude } = options;
  throwIfInterrupted(signal);
  expectTargetOutside(repository, target);
  const reading = withReadAhead(repository);
  const { storage, keys } = reading;
  const packs = new PackReader({ storage, keys, moved: movedChunks(reading), contentsLimit: restoreLimits.openPacks });
  const leaves = new DirectoryLeaves(packs);
  const start = await findStart(leaves, snapshot, { from: options.from, paths: options.paths ?? [] });
  const rules = rulesOf(repository, options);
  const pool = poolFor(repository, { rules, workers: options.workers });
  const report = new RestoreReport(options);
  const stop = () => void pool.stop();
  signal?.addEventListener('abort', stop, { once: true });
  const wholePaths = snapshot.paths.map((path) => joinPath(splitPath(path)));
  const selection = new Selection({ paths: start.paths, include, exclude });
  const shared = { ...start, target, selection, wholePaths, rules, leaves, trees: new TreeReader(packs), pool, report, signal };
  try {
    expectFound(start, await runWalk(new RestoreWalk({ ...shared, purpose: 'restore' }), pool));
    if (options.verify && !rules.dryRun) {
      report.beginPhase('verify');
      await runWalk(new RestoreWalk({ ...shared, purpose: 'verify' }), pool);
    }
    return report.result();
  } catch (error) {
    throwIfInterrupted(signal);
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    report.end();
    await pool.stop();
  }
}

function poolFor(
  repository: Repository,
  { rules, workers = Math.min(availableParallelism(), restoreLimits.workers) }: { rules: RestoreRules; workers: number | undefined },
): RestorePool {
  const { blockArenasBytes, smallestArenaBytes, largestArenaBytes } = restoreLimits;
  const arenaBytes = Math.min(largestArenaBytes, Math.max(smallestArenaBytes, Math.floor(blockArenasBytes / workers)));
  return new WorkerPool({
    module: workerModule,
    here: beginRestoreWorker,
    setup: { repository: describeRepository(repository), kernelModule: compileKernel(), rules, arenaBytes },
    workers,
    jobsPerWorker: restoreLimits.batchesPerWorker,
  });
}

/** Returns how many of the paths were found. Descriptors are closed only when no worker can use them any more. */
async function runWalk(walk: RestoreWalk, pool: RestorePool): Promise<number> {
  try {
    await walk.run();
    return walk.foundPaths;
  } catch (error) {
    await pool.stop();
    throw error;
  } finally {
    await walk.close();
  }
}

function rulesOf(repository: Repository, options: RestoreOptions): RestoreRules {
  return {
    overwrite: options.overwrite ?? 'never',
    delete: options.delete ?? false,
    emptiness: options.sparse === undefined ? 'as-stored' : options.sparse ? 'holes' : 'written',
    numericOwner: options.numericOwner ?? false,
    dryRun: options.dryRun ?? false,
    umask: process.umask(),
    protectedFolders: protectedFolders(repository),
  };
}

/** A path that is not there is reported; if none is, there was nothing to do. */
function expectFound({ from, paths }: StartingPoint, found: number): void {
  if (paths.length === 0 || found > 0) return;
  const absolute = (path: Uint8Array): string =>
    `/${[from, path]
      .filter(({ length }) => length > 0)
      .map((part) => Buffer.from(part).toString())
      .join('/')}`;
  const words = paths.map((path) => JSON.stringify(absolute(path))).join(', ');
  throw new LaganError('path-not-found', `the snapshot has none of the paths: ${words}`);
}

function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new LaganError(
    'interrupted',
    'the restore was interrupted; what is restored stays, and overwriting only what changed goes on from there',
    { cause: signal.reason },
  );
}
