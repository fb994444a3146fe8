/** What maintenance frees and folds, and what it leaves alone. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { maintainLimits } from '../../../engine/maintain/_limits.ts';
import { maintain, maintenanceIsDue } from '../../../engine/maintain/mod.ts';
import {
  annotateSnapshot,
  beginSession,
  commitSnapshot,
  holdSnapshots,
  listSnapshots,
  markSnapshots,
  readRoot,
  releaseSnapshots,
  writeCheckpoint,
} from '../../../engine/repository/mod.ts';
import { objectNames, objectPrefixes } from '../../../repo-format/mod.ts';
import { advanceRoot, namesIn, replaceObject, sampleSnapshot } from '../repository/sample.ts';
import {
  backUpOf,
  copyOf,
  expectMaintainable,
  expectSound,
  files,
  forget,
  latestContents,
  leaveLitter,
  newHistory,
  packs,
  snapshotOf,
} from './_fixture.ts';

const nothing = { tree: null, packs: null, listPacks: [] };

t.test('maintain: an empty repository and one of a single snapshot: there is nothing to do, and nothing is done', async (t) => {
  const history = await newHistory(t);
  t.match(await maintain(history.repository), { outcome: 'idle', collections: 0, freedPacks: 0, deletedObjects: 0 });
  await snapshotOf(history, files('a'));
  const before = await namesIn(history.repository.storage);
  t.match(await maintain(history.repository), { outcome: 'idle', snapshots: 1, neededPacks: (await packs(history)).length });
  t.same(await namesIn(history.repository.storage), before);
});

t.test('maintain: frees what only a forgotten snapshot had', async (t) => {
  const history = await newHistory(t);
  const first = await snapshotOf(history, files('a'));
  const contents = latestContents(history);
  fs.rmSync(path.join(history.source, 'a'), { recursive: true });
  history.expected.clear();
  const second = await snapshotOf(history, files('b'));
  history.expected.set(first, contents);
  await maintain(history.repository);
  t.equal((await packs(history)).length, 4, 'both are needed');
  await forget(history, first);
  const dry = await maintain(history.repository, { dryRun: true });
  t.match(dry, { outcome: 'dry-run', droppedSnapshots: 1, snapshots: 1, collections: 0 });
  t.equal((await packs(history)).length, 4, 'a dry run frees nothing');
  const result = await maintain(history.repository);
  t.match(result, { outcome: 'collected', collections: 1, droppedSnapshots: 1, freedPacks: dry.freedPacks, freedBytes: dry.freedBytes });
  t.ok(result.freedPacks >= 1 && result.freedBytes > 200_000, `${result.freedBytes} bytes`);
  t.same([...history.expected.keys()], [second]);
  t.match(await maintain(history.repository), { outcome: 'idle', freedPacks: 0 });
  await expectSound(t, history);
  t.same(await namesIn(history.repository.storage, 'owner/deletions/'), [], 'the mark has done its work');
});

t.test('maintain: many backups are folded into a catalogue and a base index, which do without them', async (t) => {
  const history = await newHistory(t);
  for (let day = 0; day < 17; day++) await snapshotOf(history, files(`day ${day}`, 1));
  const result = await maintain(history.repository, { maxRepackBytes: 0 });
  t.match(result, { outcome: 'collected', foldedTables: 17, foldedSnapshots: 17, freedPacks: 0, snapshots: 17 });
  const { storage } = history.repository;
  await storage.delete([...(await namesIn(storage, 'writer/snapshots/')), ...(await namesIn(storage, 'writer/index/'))]);
  await expectSound(t, history);
  t.match((await backUpOf(history)).statistics, { newBytes: 0, newChunks: 0 }, 'the base index knows all chunks');
  fs.writeFileSync(path.join(history.source, 'copy'), fs.readFileSync(path.join(history.source, 'day 3/file-0')));
  t.equal((await backUpOf(history, { force: true })).statistics.newBytes, 0, 'also where there is no parent');
});

t.test('maintain: what was folded stays as long as a kept root looks at it; roots are pruned', async (t) => {
  const history = await newHistory(t);
  const { storage } = history.repository;
  await snapshotOf(history, files('a'));
  const left: number[] = [];
  for (let round = 1; round <= 4; round++) {
    await leaveLitter(history.repository);
    t.match(await maintain(history.repository), { collections: 1, freedPacks: 1 });
    left.push((await namesIn(storage, 'writer/index/')).length + (await namesIn(storage, 'writer/snapshots/')).length);
  }
  t.same(left, [2, 2, 2, 0]);
  t.equal((await namesIn(storage, 'collector/roots/')).length, 8);
  t.ok((await namesIn(storage, 'collector/index/')).length <= 4);
  await expectSound(t, history);
});

t.test('maintain: a forgotten snapshot that is held stays until it is released; annotations of a gone one go', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const id = await snapshotOf(history, files('a'));
  const contents = latestContents(history);
  await annotateSnapshot(repository, id, { addTags: ['kept'] });
  await holdSnapshots(repository, [id], { until: null, reason: 'audit' });
  await forget(history, id);
  history.expected.set(id, contents);
  await leaveLitter(repository);
  t.match(await maintain(repository), { outcome: 'collected', heldSnapshots: 1, droppedSnapshots: 0, freedPacks: 1 });
  await expectSound(t, history);
  await releaseSnapshots(repository, [id]);
  history.expected.delete(id);
  t.match(await maintain(repository), { outcome: 'collected', heldSnapshots: 0, droppedSnapshots: 1 });
  t.same(await packs(history), []);
  t.same(await namesIn(repository.storage, 'owner/annotations/'), []);
  await expectSound(t, history);
});

t.test('maintain: as long as it is not known what a damaged snapshot needs nothing is freed; once it is forgotten, all is', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const damaged = await snapshotOf(history, files('a'));
  const { snapshot } = (await listSnapshots(repository)).find(({ id }) => id === damaged)!;
  fs.rmSync(path.join(history.source, 'a'), { recursive: true });
  await snapshotOf(history, files('b'));
  await leaveLitter(repository);
  const name = objectNames.pack(snapshot.packs!.pack);
  const bytes = await repository.storage.get(name);
  bytes[bytes.length - 40]! ^= 1;
  await replaceObject(repository.storage, name, bytes);
  const told: string[] = [];
  const result = await maintain(repository, { onDamage: ({ object }) => told.push(object!) });
  t.match(result, { freedPacks: 0, damage: [{ object: name }] });
  t.same(told, [name]);
  await forget(history, damaged);
  t.match(await maintain(repository), { outcome: 'collected', damage: [] });
  t.notOk((await packs(history)).includes(name));
});

t.test('maintain: where only one may collect, others are told', async (t) => {
  const history = await newHistory(t);
  const repository = { ...history.repository, configuration: { ...history.repository.configuration, collector: 'backup-server' } };
  await t.rejects(maintain(repository, { collector: 'laptop' }), { code: 'forbidden', expected: 'backup-server' });
  t.match(await maintain(repository, { collector: 'laptop', dryRun: true }), { outcome: 'dry-run' });
  t.match(await maintain(repository, { collector: 'backup-server' }), { outcome: 'idle' });
  t.equal((await readRoot(repository)).number, 0);
});

t.test('maintain: in a store that was set back to an older root nothing is collected', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('a', 1));
  await leaveLitter(history.repository);
  await maintain(history.repository);
  const [set, line] = [await copyOf(history), await copyOf(history)];
  await leaveLitter(history.repository);
  await maintain(history.repository);
  await snapshotOf(history, files('b', 1));
  const { storage } = history.repository;
  // What came later is there, the roots are those of before.
  for (const name of await namesIn(storage, 'writer/'))
    if (!(await namesIn(set.repository.storage)).includes(name)) await set.repository.storage.create(name, [await storage.get(name)]);
  const [later] = (await namesIn(storage, 'writer/snapshots/')).slice(-1);
  for (const dryRun of [true, false]) await t.rejects(maintain(set.repository, { dryRun }), { code: 'rolled-back', object: later });
  t.same((await packs(set)).length, (await packs(history)).length, 'nothing was deleted');
  await line.repository.storage.delete([objectNames.root(2)]);
  await t.rejects(maintain(line.repository), { code: 'rolled-back', object: objectNames.root(2) });
});

t.test('check: a base index that is not the one that the root refers to', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  await snapshotOf(history, files('a', 1));
  await leaveLitter(repository);
  await maintain(repository);
  const { baseIndex } = await readRoot(repository);
  t.match(await check(repository), { errors: [] });
  await advanceRoot(repository, { baseIndex: { id: baseIndex!.id, hash: baseIndex!.hash.map((byte) => byte ^ 1) } });
  t.match((await check(repository)).errors, [{ code: 'authentication-failed', object: objectNames.baseIndex(baseIndex!.id) }]);
});

t.test('maintenanceIsDue: not while a backup seems to run, nor for what is held, or may be', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const id = await snapshotOf(history, files('a', 1));
  const now = Math.floor(Date.now() / 1000);
  const day = 24 * 3600;
  const session = await beginSession(repository);
  const checkpoint = (number: number, seconds: number) => {
    const ended = { seconds, nanoseconds: 0 };
    return writeCheckpoint(repository, { session, number, snapshot: sampleSnapshot(session, { ...nothing, ended, partial: true }) });
  };
  await checkpoint(0, now - day);
  t.equal(await maintenanceIsDue(repository), false, 'there is nothing to do');
  await markSnapshots(repository, [id], { reason: 'test', time: { seconds: now - day, nanoseconds: 0 } });
  t.equal(await maintenanceIsDue(repository), true, 'a day later, and that backup has ended long ago');
  await holdSnapshots(repository, [id], { until: null, reason: 'test' });
  t.equal(await maintenanceIsDue(repository), false, 'it is held');
  const [hold] = await namesIn(repository.storage, objectPrefixes.holds);
  const bytes = await repository.storage.get(hold!);
  bytes[bytes.length - 1]! ^= 1;
  await replaceObject(repository.storage, hold!, bytes);
  t.equal(await maintenanceIsDue(repository), false, 'it may be held');
  await repository.storage.delete([hold!]);
  t.equal(await maintenanceIsDue(repository), true);
  await checkpoint(1, now);
  t.equal(await maintenanceIsDue(repository), false, 'a backup runs');
});

t.test('maintenanceIsDue: for a snapshot that was forgotten long ago, and for much that has gathered', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const id = await snapshotOf(history, files('a', 1));
  t.equal(await maintenanceIsDue(repository), false);
  await markSnapshots(repository, [id], { reason: 'test' });
  t.equal(await maintenanceIsDue(repository), false, 'it may still be brought back');
  await markSnapshots(repository, [id], { reason: 'test', time: { seconds: Math.floor(Date.now() / 1000) - 25 * 3600, nanoseconds: 0 } });
  t.equal(await maintenanceIsDue(repository), true);
  history.expected.delete(id);
  await expectMaintainable(t, history, 0);
  t.equal(await maintenanceIsDue(repository), false);
  for (let day = 0; day < maintainLimits.dueObjects; day++) {
    t.equal(await maintenanceIsDue(repository), false);
    const session = await beginSession(repository);
    await commitSnapshot(repository, { session, snapshot: sampleSnapshot(session, nothing) });
  }
  t.equal(await maintenanceIsDue(repository), true);
});
