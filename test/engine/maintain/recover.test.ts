/** A store that went back to an older root: everybody who would write, collect or delete stops; the owner recovers, and all that is there is there. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { backupStream, rewriteSnapshot } from '../../../engine/backup/mod.ts';
import { check } from '../../../engine/check/mod.ts';
import { maintain, recover } from '../../../engine/maintain/mod.ts';
import {
  beginSession,
  commitSnapshot,
  createRepository,
  isRecoveryRoot,
  listSnapshots,
  openRepository,
  readRoot,
  recoveryDistance,
} from '../../../engine/repository/mod.ts';
import { InMemory, LocalFolder } from '../../../engine/storage/mod.ts';
import { objectNames, type SnapshotId } from '../../../repo-format/mod.ts';
import { contentsOf, secret } from '../backup/_fixture.ts';
import { copyOf as copyOfStorage, namesIn, sampleSnapshot } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import {
  backUpOf,
  type Contents,
  expectContents,
  expectSound,
  files,
  forget,
  type History,
  latestContents,
  leaveLitter,
  maintainUntilIdle,
  newHistory,
  newHistoryOfSmallPacks,
  over,
  snapshotOf,
  snapshotOfExactly,
  someOf,
} from './_fixture.ts';

interface Folder {
  readonly history: History;
  readonly folder: string;
  /** A copy of the repository's folder, made earlier. */
  readonly copy: string;
}

/** Two snapshots that were folded, a copy of the store, then a third; the first is forgotten and collected; a fourth. */
async function folderWithPast(t: Test): Promise<Folder & { lost: SnapshotId; lostContents: Contents }> {
  const base = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lagan-recover-'));
  t.teardown(() => rmSync(base, { recursive: true, force: true }));
  const [source, folder, copy] = ['source', 'repository', 'copy'].map((name) => path.join(base, name)) as [string, string, string];
  mkdirSync(source);
  const repository = await createRepository(new LocalFolder(folder), { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  const history: History = { source, repository, expected: new Map() };
  const lost = await snapshotOf(history, files('a', 2));
  const lostContents = latestContents(history);
  rmSync(path.join(source, 'a'), { recursive: true });
  history.expected.clear();
  await snapshotOf(history, files('b', 2));
  history.expected.set(lost, lostContents);
  await leaveLitter(repository);
  await maintain(repository);
  cpSync(folder, copy, { recursive: true });
  history.expected.delete(lost);
  await snapshotOf(history, files('c', 2));
  await forget(history, lost);
  await maintain(repository);
  await snapshotOf(history, files('d', 2));
  return { history, folder, copy, lost, lostContents };
}

/** What is below `name` in the repository's folder is as it was when the copy was made. */
function rollBack({ folder, copy }: Folder, name: string): void {
  rmSync(path.join(folder, name), { recursive: true });
  cpSync(path.join(copy, name), path.join(folder, name), { recursive: true });
}

async function reopened({ history, folder }: Folder): Promise<History> {
  return { ...history, repository: await openRepository(new LocalFolder(folder), { secret, mode: 'write' }) };
}

/** Whoever writes, collects or deletes says what is wrong and what to do. */
async function expectRefused(t: Test, history: History): Promise<void> {
  const { repository } = history;
  const before = await namesIn(repository.storage);
  const refusal = { code: 'rolled-back', hint: /lagan repository recover/ };
  await t.rejects(backUpOf(history), refusal, 'backup');
  await t.rejects(backUpOf(history, { dryRun: true }), refusal, 'backup, dry run');
  const stream = (async function* () {
    yield Buffer.from('stream');
  })();
  await t.rejects(backupStream(repository, { name: 'stream', stream }), refusal, 'backup of a stream');
  const [info] = await listSnapshots(repository);
  await t.rejects(rewriteSnapshot(repository, info!, { patterns: ['file-0'] }), refusal, 'rewrite');
  await t.rejects(maintain(repository), refusal, 'maintain');
  await t.rejects(maintain(repository, { dryRun: true }), refusal, 'maintain, dry run');
  t.same(await namesIn(repository.storage), before, 'nothing was written or deleted');
}

for (const rolledBack of ['collector/roots', 'collector']) {
  t.test(`recover: ${rolledBack} is as it was: everybody stops; afterwards all that is there stands`, async (t) => {
    const place = await folderWithPast(t);
    rollBack(place, rolledBack);
    const history = await reopened(place);
    const { repository, expected } = history;
    await expectRefused(t, history);

    const dry = await recover(repository, { dryRun: true });
    t.match(dry, { outcome: 'dry-run', root: { number: 3, generation: 1 }, newRoot: { generation: 2 + recoveryDistance }, damage: [] });
    t.match(dry.evidence, /writer\/snapshots\/0000000000000002/);
    t.equal((await readRoot(repository)).number, 3);
    const result = await recover(repository);
    t.match(result, { outcome: 'recovered', newRoot: dry.newRoot, snapshots: dry.snapshots });
    t.same(new Set(result.snapshots.map(({ id }) => id)), new Set([...expected.keys(), place.lost]));
    for (const { id, isWhole } of result.snapshots) t.equal(isWhole, id !== place.lost, `${id} is ${isWhole ? '' : 'not '}whole`);
    t.equal(result.snapshots.filter(({ comesBack }) => comesBack).length, 1, 'the fourth is of a generation that the root does not know');

    t.match(await readRoot(repository), { number: dry.newRoot!.number + 1, phase: 'open', floor: dry.newRoot!.generation });
    const snapshots = await listSnapshots(repository);
    t.same(new Set(snapshots.map(({ id }) => id)), new Set([...expected.keys(), place.lost]));
    for (const info of snapshots.filter(({ id }) => id !== place.lost)) {
      const contents = await contentsOf(repository, history.source, info);
      for (const [name, bytes] of expected.get(info.id)!) t.ok(contents.get(name)!.equals(bytes), name);
    }
    // What a snapshot of before the copy needed was collected under roots that are lost: it can only be forgotten.
    t.ok((await check(repository)).errors.length > 0);
    await forget(history, place.lost);
    const stored = await backUpOf(history);
    t.equal(stored.statistics.newBytes, 0, 'the index knows every chunk');
    expected.set(stored.snapshotId!, latestContents(history));
    await maintainUntilIdle(repository);
    await expectSound(t, history);
  });
}

t.test('recover: where all of the store is as it was nothing shows it, but to whoever saw more; --force makes that sure', async (t) => {
  const place = await folderWithPast(t);
  const { repository: before } = await reopened(place);
  const session = await beginSession(before);
  for (const name of readdirSync(place.copy)) rollBack(place, name);
  await t.rejects(maintain(before), { code: 'rolled-back' });
  await t.rejects(commitSnapshot(before, { session, snapshot: sampleSnapshot(session) }), { code: 'rolled-back' });
  rmSync(path.join(place.folder, objectNames.snapshot(session.generation, session.id)));
  rmSync(path.join(place.folder, path.dirname(objectNames.snapshot(session.generation, session.id))), { recursive: true });
  const history = await reopened(place);
  const old = {
    ...history,
    expected: new Map([...history.expected].filter((_, index) => index === 0).concat([[place.lost, place.lostContents]])),
  };
  t.match(await recover(old.repository), { outcome: 'sound', evidence: null, newRoot: null });
  t.equal((await readRoot(old.repository)).number, 3);
  await expectSound(t, old);
  t.match(await recover(old.repository, { force: true }), { outcome: 'recovered', evidence: null, missingPacks: 0 });
  await expectSound(t, old);
});

t.test('commitSnapshot: the root with which the session began is another one: it is not acknowledged', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('a', 1));
  const { repository } = history;
  await leaveLitter(repository);
  await maintain(repository);
  const session = await beginSession(repository);
  const { storage } = repository;
  const [older, other] = [await copyOfStorage(storage), await copyOfStorage(storage)];
  // Another line with a root of the same number.
  for (const name of [1, 2, 3].map(objectNames.root)) await other.delete([name]);
  await leaveLitter({ ...repository, storage: other });
  await maintain({ ...repository, root: (await readRoot({ ...repository, storage: other })) as typeof repository.root, storage: other });
  for (const name of [1, 2, 3].map(objectNames.root)) {
    await older.delete([name]);
    await older.create(name, [await other.get(name)]);
  }
  await t.rejects(commitSnapshot({ ...repository, storage: older }, { session, snapshot: sampleSnapshot(session) }), {
    code: 'rolled-back',
    object: objectNames.root(3),
  });
});

t.test('recover: packs that no table lists are listed by what they hold; a pack that is damaged is told of', async (t) => {
  const history = await newHistory(t);
  const { storage } = history.repository;
  await snapshotOf(history, files('a', 3));
  await leaveLitter(history.repository);
  await maintain(history.repository);
  // All tables are gone: the base index, and those of sessions.
  await storage.delete([...(await namesIn(storage, 'collector/index/')), ...(await namesIn(storage, 'writer/index/'))]);
  await t.rejects(backUpOf(history));
  await t.rejects(maintain(history.repository), { code: 'rolled-back', object: /^collector\/index\// });
  const litter = await leaveLitter(history.repository);
  const result = await recover(history.repository);
  t.match(result, { outcome: 'recovered', unlistedPacks: 3, packs: 3 });
  t.ok(result.damage.some(({ object }) => object === litter));
  t.equal((await backUpOf(history, { force: true })).statistics.newBytes, 0);
  const [, second] = await listSnapshots(history.repository);
  history.expected.set(second!.id, latestContents(history));
  await maintainUntilIdle(history.repository);
  t.notOk((await namesIn(storage)).includes(litter));
  await expectSound(t, history);
});

t.test('recover: packs that were replaced under roots that are lost: their snapshots are whole', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const all = files('a', 40, 3000);
  const first = await snapshotOfExactly(history, all);
  await snapshotOfExactly(history, someOf(all, 2));
  const { storage } = history.repository;
  const before = await namesIn(storage, 'collector/roots/');
  await forget(history, first);
  const { repackedPacks } = await maintain(history.repository);
  t.ok(repackedPacks > 0);
  await snapshotOfExactly(history, someOf(all, 3));
  for (const name of await namesIn(storage, 'collector/roots/')) if (!before.includes(name)) await storage.delete([name]);
  await t.rejects(backUpOf(history), { code: 'rolled-back' });
  const { snapshots, missingPacks } = await recover(history.repository);
  t.equal(missingPacks, 0);
  for (const { id, isWhole } of snapshots) t.equal(isWhole, id !== first, id);
  await forget(history, first);
  await maintainUntilIdle(history.repository);
  await expectSound(t, history);
});

t.test('recover: killed after any of its operations that change something; a maintenance, or another recovery, ends it', async (t) => {
  const place = await folderWithPast(t);
  rollBack(place, 'collector/roots');
  const stored = new InMemory();
  const folder = new LocalFolder(place.folder);
  for await (const { name } of folder.list('')) await stored.create(name, [await folder.get(name)]);
  const { repository } = await reopened(place);
  const counting = new FaultyStorage(await copyOfStorage(stored));
  await recover({ ...repository, storage: counting });
  let finished = 0;
  for (let call = 1; call <= counting.calls.length; call += 4) {
    const copy = {
      ...place.history,
      expected: new Map(place.history.expected),
      repository: { ...repository, storage: await copyOfStorage(stored) },
    };
    let calls = 0;
    const storage = new FaultyStorage(copy.repository.storage, {
      onCall: () => {
        if (++calls >= call) throw new Error('killed');
      },
    });
    await t.rejects(recover(over(copy, storage).repository), { message: 'killed' });
    const root = await readRoot(copy.repository);
    if (isRecoveryRoot(root)) {
      finished++;
      await maintain(copy.repository);
    } else if (root.number === 3) await recover(copy.repository);
    const [found] = (await listSnapshots(copy.repository)).filter(({ id }) => id === place.lost);
    t.ok(found, 'all snapshots stand');
    await forget(copy, place.lost);
    await expectContents(t, copy);
    await maintainUntilIdle(copy.repository);
    await expectSound(t, copy);
  }
  t.ok(finished > 0);
});

t.test('recover: two owners at once, and the writers and collectors of what the store lost, are ignored', async (t) => {
  const place = await folderWithPast(t);
  const { repository: late } = await reopened(place);
  const session = await beginSession(late);
  rollBack(place, 'collector/roots');
  const [first, second] = [await reopened(place), await reopened(place)];
  await Promise.allSettled([recover(first.repository), recover(second.repository)]);
  const history = await reopened(place);
  if ((await readRoot(history.repository)).phase === 'fencing') await maintain(history.repository);
  // One that began before the store went back commits now: its generation is passed.
  await t.rejects(commitSnapshot(late, { session, snapshot: sampleSnapshot(session) }), { code: 'superseded' });
  await forget(history, place.lost);
  await maintainUntilIdle(history.repository);
  await expectSound(t, history);
});
