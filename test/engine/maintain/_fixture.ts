/** Repositories in memory with some history, and what must hold of them whatever a collector did. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { createRepository, listSnapshots, markSnapshots, type Repository, readRoot } from '../../../engine/repository/mod.ts';
import { InMemory, type Storage } from '../../../engine/storage/mod.ts';
import { idFromBytes, objectNames, objectPrefixes, type PackId, type SnapshotId } from '../../../repo-format/mod.ts';
import { backUp, contentsOf, secret, write } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';
import { copyOf as copyOfStorage, namesIn } from '../repository/sample.ts';

export type Contents = ReadonlyMap<string, Uint8Array>;

/** A repository, a folder to back up, and what each snapshot must hold. */
export interface History {
  readonly source: string;
  readonly repository: Repository;
  readonly expected: Map<SnapshotId, Contents>;
}

export async function newHistory(t: Test): Promise<History> {
  const folder = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lagan-maintain-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const source = path.join(folder, 'source');
  mkdirSync(source);
  const repository = await createRepository(new InMemory(), { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  return { source, repository, expected: new Map() };
}

/** The same repository over another storage. */
export const over = (history: History, storage: Storage): History => ({
  ...history,
  repository: { ...history.repository, storage },
});

/** Backs up as `backUp` does for a repository in a folder. */
export const backUpOf = ({ source, repository }: History, ...more: [Parameters<typeof backUp>[1]?, Parameters<typeof backUp>[2]?]) =>
  backUp({ folder: source, repositoryFolder: '', source, repository }, ...more);

/** Writes the files, backs up, and remembers what is in the snapshot. */
export async function snapshotOf(history: History, files: Record<string, Uint8Array>): Promise<SnapshotId> {
  for (const [name, bytes] of Object.entries(files)) write(history.source, name, bytes);
  const { snapshotId } = await backUpOf(history);
  history.expected.set(snapshotId!, new Map([...latestContents(history), ...Object.entries(files)]));
  return snapshotId!;
}

/** What the snapshot that was made last must hold. */
export function latestContents({ expected }: History): Contents {
  return [...expected.values()].at(-1) ?? new Map();
}

/** Other limits for a test. */
export function withLimits<Limits extends object>(t: Test, limits: Limits, changes: { readonly [Name in keyof Limits]?: number }): void {
  const before = { ...limits };
  Object.assign(limits, changes);
  t.teardown(() => Object.assign(limits, before));
}

/** A repository of small packs and blocks, so that a few files make many. */
export async function newHistoryOfSmallPacks(t: Test): Promise<History> {
  const repository = await createRepository(new InMemory(), {
    slots: [{ secret, label: 'test' }],
    patienceMs: 0,
    chunker: { kind: 'local-maximum-1', horizonBytes: 512, gridBytes: 1024 },
    blockSizeBytes: 4096,
    packSizeBytes: 16_384,
  });
  return { ...(await newHistory(t)), repository };
}

/** Replaces the files of the source by these, backs up, and remembers what is in the snapshot. */
export async function snapshotOfExactly(history: History, contents: Record<string, Uint8Array>): Promise<SnapshotId> {
  rmSync(history.source, { recursive: true });
  mkdirSync(history.source);
  for (const [name, bytes] of Object.entries(contents)) write(history.source, name, bytes);
  const { snapshotId, errors } = await backUpOf(history);
  if (errors.length > 0) throw new Error(errors[0]!.message);
  history.expected.set(snapshotId!, new Map(Object.entries(contents)));
  return snapshotId!;
}

/** Those of some files whose number divided by `divisor` leaves `rest`. */
export function someOf(contents: Record<string, Uint8Array>, divisor: number, rest = 0): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(contents).filter((_, index) => index % divisor === rest));
}

/** Size of all packs. */
export async function packBytes({ repository: { storage } }: History): Promise<number> {
  let sum = 0;
  for (const prefix of [objectPrefixes.writerPacks, objectPrefixes.collectorPacks])
    for await (const { sizeBytes } of storage.list(prefix)) sum += sizeBytes;
  return sum;
}

/** Some files that have nothing in common with those of other seeds. */
export function files(seed: string, count = 5, sizeBytes = 40_000): Record<string, Uint8Array> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`${seed}/file-${index}`, randomBytesOf(`${seed} ${index}`, sizeBytes)]),
  );
}

export async function forget(history: History, ...ids: SnapshotId[]): Promise<void> {
  await markSnapshots(history.repository, ids, { reason: 'test' });
  for (const id of ids) history.expected.delete(id);
}

/** The same repository at a place of its own. */
export async function copyOf(history: History): Promise<History> {
  const storage = await copyOfStorage(history.repository.storage);
  return { ...history, repository: { ...history.repository, storage }, expected: new Map(history.expected) };
}

/** Exactly the expected snapshots stand, and each has its files. */
export async function expectContents(t: Test, { repository, source, expected }: History): Promise<void> {
  const snapshots = await listSnapshots(repository);
  t.same(new Set(snapshots.map(({ id }) => id)), new Set(expected.keys()), 'the snapshots that should stand');
  for (const snapshot of snapshots) {
    const contents = await contentsOf(repository, source, snapshot);
    const wanted = expected.get(snapshot.id) ?? new Map();
    t.same([...contents.keys()].sort(), [...wanted.keys()].sort());
    for (const [name, bytes] of wanted) if (!contents.get(name)?.equals(bytes)) t.fail(`${name} is not what it was`);
  }
}

/** The same, and all data is sound: nothing that is needed is gone. */
export async function expectSound(t: Test, history: History): Promise<void> {
  await expectContents(t, history);
  const { errors, complete } = await check(history.repository, { readData: true, workers: 1 });
  t.same({ errors, complete }, { errors: [], complete: true });
}

/** After whatever happened: all is there; the next maintenance frees the rest; then all is sound, with nothing superfluous. */
export async function expectMaintainable(t: Test, history: History, packsAfter?: number): Promise<void> {
  await expectContents(t, history);
  await maintainUntilIdle(history.repository);
  t.equal((await readRoot(history.repository)).phase, 'open');
  await expectSound(t, history);
  if (packsAfter !== undefined) t.equal((await packs(history)).length, packsAfter, 'nothing is there that nobody needs');
}

/** A collection that another one had begun may have left something for the next. */
export async function maintainUntilIdle(repository: Repository): Promise<void> {
  for (let round = 0; round < 3; round++) if ((await maintain(repository)).outcome === 'idle') return;
  throw new Error('maintenance does not come to rest');
}

export const packs = ({ repository }: History): Promise<string[]> => namesIn(repository.storage, objectPrefixes.writerPacks);

/** A pack that a backup left which was killed before it stored an index table. */
export async function leaveLitter({ storage }: Repository): Promise<string> {
  const id = randomBytes(16);
  id[0]! &= 0x7f;
  const name = objectNames.pack(idFromBytes<PackId>(id));
  await storage.create(name, [randomBytes(1000)]);
  return name;
}
