/** An operation on a small repository that is cut short at each of its requests to the store, one after another, and what must hold after each. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { backupWithin } from '../../engine/backup/backup.ts';
import { check } from '../../engine/check/mod.ts';
import { createRepository, listSnapshots, openRepository, type Repository } from '../../engine/repository/mod.ts';
import { restore } from '../../engine/restore/mod.ts';
import type { InMemory, Storage } from '../../engine/storage/mod.ts';
import { isLaganError, LaganError, type SnapshotId } from '../../repo-format/mod.ts';
import { copyOf } from '../engine/repository/sample.ts';
import { type FaultPlan, FaultyStorage } from '../engine/storage/faulty-storage.ts';
import { readSnapshot } from '../simulation/engine-calls.ts';
import { type Contents, contentsBelow, differenceOf } from '../simulation/source-tree.ts';

export const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(9) } as const;
/** So small that a few files make several chunks, blocks, packs and checkpoints. */
const smallSizes = {
  chunker: { kind: 'local-maximum-1', horizonBytes: 512, gridBytes: 1024 },
  blockSizeBytes: 1024,
  packSizeBytes: 2048,
} as const;
const fewRows = { chunkTableRows: 4096 } as const;

/** A repository in memory, a source, and what the snapshots must have. */
export interface Sample {
  readonly folder: string;
  readonly source: string;
  readonly storage: InMemory;
  /** Acknowledged and not forgotten. */
  readonly expected: Map<SnapshotId, Contents>;
}

/** How a run ended: `done`, or the code of its error. */
export type Outcome = 'done' | string;

export function scratchFolder(t: { teardown(end: () => void): void }): string {
  const base = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
  const folder = fs.mkdtempSync(path.join(base, 'lagan-reliability-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function makeSample(folder: string, storage: InMemory): Promise<Sample> {
  await createRepository(storage, { slots: [{ secret, label: 'key' }], ...smallSizes, patienceMs: 0 });
  const source = path.join(folder, 'source');
  fs.mkdirSync(source, { recursive: true });
  return { folder, source, storage, expected: new Map() };
}

export function open(storage: Storage): Promise<Repository> {
  return openRepository(storage, { secret, mode: 'write' });
}

/** Replaces the source's files; each gets a new inode, so that times need not tell the change. */
export function fill(source: string, contents: Contents): void {
  fs.rmSync(source, { recursive: true, force: true });
  fs.mkdirSync(source);
  for (const [name, bytes] of contents) {
    fs.mkdirSync(path.dirname(path.join(source, name)), { recursive: true });
    fs.writeFileSync(path.join(source, name), bytes);
  }
}

/** Backs the source up, with a checkpoint on the way unless told otherwise. */
export async function backUp(
  repository: Repository,
  source: string,
  { checkpoints = true, force = false }: { checkpoints?: boolean; force?: boolean } = {},
): Promise<SnapshotId> {
  const limits = { ...fewRows, ...(checkpoints && { checkpointNewBytes: 3000 }), batchFiles: 1, waitingTokens: 2 };
  const { snapshotId } = await backupWithin(repository, { paths: [source], host: 'host', workers: 1, force }, limits);
  return snapshotId!;
}

/** Runs the operation on a copy of the sample whose store has the plan. Returns the copy, the storage, and how it ended. */
export async function runWith(
  sample: Sample,
  { plan, operate }: { plan: FaultPlan; operate: (storage: Storage, copy: Sample) => Promise<void> },
): Promise<{ copy: Sample; storage: FaultyStorage; outcome: Outcome }> {
  const copy: Sample = { ...sample, storage: await copyOf(sample.storage), expected: new Map(sample.expected) };
  const storage = new FaultyStorage(copy.storage, plan);
  try {
    await operate(storage, copy);
    return { copy, storage, outcome: 'done' };
  } catch (error) {
    if (!isLaganError(error)) throw error;
    return { copy, storage, outcome: error.code };
  }
}

/** The plans that cut an operation of so many calls short: it dies before a call (and so after the one before), or one call fails and the next do not. */
export function* interruptions(
  calls: number,
  { onlyDeaths = false }: { onlyDeaths?: boolean } = {},
): Generator<{ title: string; plan: FaultPlan }> {
  for (let call = 1; call <= calls; call++) {
    yield { title: `dies before call ${call}`, plan: { faults: [{ call, forever: true, error: diedError }] } };
    if (onlyDeaths) continue;
    yield { title: `call ${call} fails`, plan: { faults: [{ call }] } };
    yield { title: `call ${call} fails after its effect`, plan: { faults: [{ call, when: 'after' }] } };
  }
}

function diedError(): Error {
  return new LaganError('unavailable', 'the process has died');
}

/** What is wrong with a repository: snapshots that are gone or have other bytes, and what a check finds. Empty if all is well. */
export async function faultsOf(sample: Sample): Promise<string[]> {
  const faults = await lostOf(sample);
  const { errors, complete } = await check(await open(sample.storage), { workers: 1 });
  faults.push(...errors.map(({ code, message }) => `${code}: ${message}`));
  if (!complete) faults.push('the check is not complete');
  return faults;
}

/** Snapshots that are gone or have other bytes. */
export async function lostOf({ source, storage, expected }: Sample): Promise<string[]> {
  const faults: string[] = [];
  const repository = await open(storage);
  for (const [id, contents] of expected) {
    const difference = await readSnapshot(repository, { id, folder: source }).then((found) => differenceOf(found, contents), String);
    if (difference !== undefined) faults.push(`${id}: ${difference}`);
  }
  return faults;
}

/** The same as {@link faultsOf}, slower: snapshots are restored as a user restores them, and the check reads all data. */
export async function faultsOfRestores(sample: Sample): Promise<string[]> {
  const faults: string[] = [];
  const repository = await open(sample.storage);
  const target = path.join(sample.folder, 'target');
  for (const info of await listSnapshots(repository)) {
    const contents = sample.expected.get(info.id);
    if (contents === undefined) continue;
    fs.rmSync(target, { recursive: true, force: true });
    const { errors } = await restore(repository, info, { target, from: sample.source, workers: 1 });
    const difference = errors[0]?.message ?? differenceOf(contentsBelow(target), contents);
    if (difference !== undefined) faults.push(`${info.id}: ${difference}`);
  }
  const { errors } = await check(repository, { readData: true, workers: 1 });
  return [...faults, ...errors.map(({ code, message }) => `${code}: ${message}`)];
}
