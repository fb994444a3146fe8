/**
 * The process that a hostile repository is given to. It does all that a person does with one that is not trusted, and tells what came of it: codes of errors,
 * errors that are none of ours, the most memory that it ever had, how many reads it needed.
 */
import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import {
  check,
  diffSnapshots,
  findEntries,
  isLaganError,
  listHolds,
  listSnapshots,
  lookup,
  maintain,
  openFile,
  openRepository,
  openStorage,
  planRetention,
  type Repository,
  restore,
  retentionSnapshotOf,
  type Secret,
  type SnapshotInfo,
  statistics,
  walkSnapshot,
} from '../../engine/mod.ts';

export interface HostileTask {
  /** Folder of the repository. */
  readonly place: string;
  readonly target: string;
  readonly secret: Secret;
  /** A walk to its end would take for ever: it is cut. */
  readonly unfolds: boolean;
}

export interface HostileOutcome {
  /** Of each operation that failed or told of damage. */
  readonly codes: readonly (readonly [operation: string, code: string])[];
  /** Errors of any other class, with their stack: each is a fault of ours. */
  readonly strange: readonly string[];
  readonly peakMiB: number;
  /** System calls that read. */
  readonly reads: number;
}

const limits = { entries: 30_000, snapshots: 3, files: 20, contentBytes: 40 * 1024 * 1024 } as const;

class Trial {
  readonly codes: [string, string][] = [];
  readonly strange: string[] = [];

  async step<T>(operation: string, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (isLaganError(error)) this.codes.push([operation, error.code]);
      else this.strange.push(`${operation}: ${error instanceof Error ? error.stack : error}`);
      return undefined;
    }
  }

  found(operation: string, faults: readonly { readonly code: string }[]): void {
    for (const { code } of faults) this.codes.push([operation, code]);
  }
}

async function tryAll({ place, target, secret, unfolds }: HostileTask): Promise<Trial> {
  const trial = new Trial();
  const repository = await trial.step('open', () => openRepository(openStorage(place), { secret, mode: 'read' }));
  if (repository === undefined) return trial;
  trial.found('open', repository.warnings);
  const snapshots = (await trial.step('list', () => listSnapshots(repository))) ?? [];
  await trial.step('holds', () => listHolds(repository));
  await trial.step('plan', async () => plan(snapshots));
  const few = snapshots.slice(0, limits.snapshots);
  for (const snapshot of few) await trial.step('walk', () => walk(repository, snapshot));
  for (const snapshot of few) if (!unfolds) await trial.step('find', () => find(repository, snapshot));
  if (few.length > 1) await trial.step('diff', () => diff(repository, few));
  await trial.step('statistics', () => statistics(repository));
  for (const readData of [false, true]) {
    const result = await trial.step('check', () => check(repository, { readData, workers: 1 }));
    trial.found('check', result?.errors ?? []);
  }
  for (const snapshot of few) {
    if (unfolds) continue;
    const options = { target, overwrite: 'always', delete: true, workers: 1 } as const;
    const result = await trial.step('restore', () => restore(repository, snapshot, options));
    trial.found('restore', result?.errors ?? []);
  }
  await trial.step('maintain', async () => {
    const writable = await openRepository(openStorage(place), { secret, mode: 'write' });
    await maintain(writable, { dryRun: true, maxUnused: 0 });
  });
  return trial;
}

function plan(snapshots: readonly SnapshotInfo[]): void {
  planRetention(
    snapshots.map((snapshot) => retentionSnapshotOf(snapshot)),
    { policy: { last: 2, counts: { daily: 3, monthly: 2 } }, now: { seconds: 1_700_000_000, nanoseconds: 0 }, timeZone: 'UTC' },
  );
}

/** Everything by its path, and the content of the first files. */
async function walk(repository: Repository, snapshot: SnapshotInfo): Promise<void> {
  let [entries, files, contentBytes] = [0, 0, 0];
  for await (const { path, entry } of walkSnapshot(repository, snapshot)) {
    if (++entries > limits.entries) return;
    if (entry.type !== 'file' || ++files > limits.files) continue;
    await lookup(repository, snapshot, path);
    for await (const piece of openFile(repository, entry).stream()) {
      contentBytes += piece.length;
      if (contentBytes > limits.contentBytes) break;
    }
  }
}

async function find(repository: Repository, snapshot: SnapshotInfo): Promise<void> {
  let found = 0;
  for await (const _ of findEntries(repository, [snapshot], { patterns: ['*f*'] })) if (++found > limits.entries) return;
}

async function diff(repository: Repository, [before, after]: readonly SnapshotInfo[]): Promise<void> {
  let differences = 0;
  for await (const _ of diffSnapshots(repository, before!, after!)) if (++differences > limits.entries) return;
}

/** Reads of the process up to now; 0 where the system does not say. */
function readCalls(): number {
  try {
    return Number(/^syscr: (\d+)/m.exec(fs.readFileSync('/proc/self/io', 'latin1'))![1]);
  } catch {
    return 0;
  }
}

function forgetPeak(): void {
  (globalThis as { gc?: () => void }).gc?.();
  fs.writeFileSync('/proc/self/clear_refs', '5');
}

function peakMiB(): number {
  return Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))![1]) / 1024);
}

process.on('message', async (task: HostileTask) => {
  forgetPeak();
  const before = readCalls();
  const { codes, strange } = await tryAll(task);
  await setImmediate();
  const outcome: HostileOutcome = { codes, strange, peakMiB: peakMiB(), reads: readCalls() - before };
  process.send!(outcome);
});
