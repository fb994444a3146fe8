/** Repositories with some history, and what must hold of them whatever a collector did. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { listSnapshots, markSnapshots, openRepository, type Repository, readRoot } from '../../../engine/repository/mod.ts';
import { LocalFolder } from '../../../engine/storage/mod.ts';
import { idFromBytes, objectNames, type PackId, type SnapshotId } from '../../../repo-format/mod.ts';
import { backUp, contentsOf, makePlace, objectsOf, type Place, secret, write } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';

export type Contents = ReadonlyMap<string, Uint8Array>;

/** A repository, and what each of its snapshots must hold. */
export interface History extends Place {
  readonly expected: Map<SnapshotId, Contents>;
}

export async function newHistory(t: Test): Promise<History> {
  return { ...(await makePlace(t)), expected: new Map() };
}

/** Writes the files, backs up, and remembers what is in the snapshot. */
export async function snapshotOf(history: History, files: Record<string, string | Uint8Array>): Promise<SnapshotId> {
  const before = [...history.expected.values()].at(-1) ?? new Map();
  const contents = new Map(before);
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    write(history.source, name, bytes);
    contents.set(name, bytes);
  }
  const { snapshotId } = await backUp(history);
  history.expected.set(snapshotId!, contents);
  return snapshotId!;
}

/** Some folders of files that have nothing in common with those of other seeds. */
export function files(seed: string, count = 5, sizeBytes = 40_000): Record<string, Uint8Array> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`${seed}/file-${index}`, randomBytesOf(`${seed} ${index}`, sizeBytes)]),
  );
}

export async function forget(history: History, ...ids: SnapshotId[]): Promise<void> {
  await markSnapshots(history.repository, ids, { reason: 'test' });
  for (const id of ids) history.expected.delete(id);
}

/** The same repository in a folder of its own, opened anew. */
export async function copyOf(t: Test, history: History): Promise<History> {
  const folder = mkdtempSync(path.join(path.dirname(history.folder), 'lagan-copy-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const repositoryFolder = path.join(folder, 'repository');
  cpSync(history.repositoryFolder, repositoryFolder, { recursive: true });
  const repository = await openRepository(new LocalFolder(repositoryFolder), { secret, mode: 'write' });
  return { ...history, folder, repositoryFolder, repository, expected: new Map(history.expected) };
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
  if (packsAfter !== undefined) t.equal(packs(history).length, packsAfter, 'nothing is there that nobody needs');
}

/** What an unfinished backup stored since its last checkpoint is kept by one collection, and freed by the next. */
export async function maintainUntilIdle(repository: Repository): Promise<void> {
  for (let round = 0; round < 3; round++) if ((await maintain(repository)).outcome === 'idle') return;
  throw new Error('maintenance does not come to rest');
}

export const packs = (place: Place): string[] => objectsOf(place).filter((name) => name.startsWith('packs/'));

/** A pack that a backup left which was killed before it stored an index table. */
export async function leaveLitter({ storage }: Repository): Promise<string> {
  const id = randomBytes(16);
  id[0]! &= 0x7f;
  const name = objectNames.pack(idFromBytes<PackId>(id));
  await storage.create(name, [randomBytes(1000)]);
  return name;
}
