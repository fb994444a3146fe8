/** What maintenance frees and folds, and what it leaves alone. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { maintain } from '../../../engine/maintain/mod.ts';
import { annotateSnapshot, holdSnapshots, listSnapshots, openRepository, releaseSnapshots } from '../../../engine/repository/mod.ts';
import { LocalFolder } from '../../../engine/storage/mod.ts';
import { backUp, objectsOf, secret } from '../backup/_fixture.ts';
import { namesIn } from '../repository/sample.ts';
import { expectMaintainable, expectSound, files, forget, leaveLitter, newHistory, packs, snapshotOf } from './_fixture.ts';

t.test('maintain: an empty repository and one of a single snapshot: there is nothing to do, and nothing is done', async (t) => {
  const history = await newHistory(t);
  t.match(await maintain(history.repository), { outcome: 'idle', collections: 0, freedPacks: 0, deletedObjects: 0 });
  await snapshotOf(history, files('a'));
  const before = await namesIn(history.repository.storage);
  t.match(await maintain(history.repository), { outcome: 'idle', snapshots: 1, neededPacks: packs(history).length });
  t.same(await namesIn(history.repository.storage), before);
});

t.test('maintain: frees what only a forgotten snapshot had', async (t) => {
  const history = await newHistory(t);
  const first = await snapshotOf(history, files('a'));
  const held = history.expected.get(first)!;
  fs.rmSync(path.join(history.source, 'a'), { recursive: true });
  history.expected.clear();
  const second = await snapshotOf(history, files('b'));
  history.expected.set(first, held);
  t.equal(packs(history).length, 4);
  await maintain(history.repository);
  t.equal(packs(history).length, 4, 'both are needed');
  await forget(history, first);
  const dry = await maintain(history.repository, { dryRun: true });
  t.match(dry, { outcome: 'dry-run', droppedSnapshots: 1, snapshots: 1, collections: 0 });
  t.equal(packs(history).length, 4, 'a dry run frees nothing');
  const result = await maintain(history.repository);
  t.match(result, { outcome: 'collected', collections: 1, droppedSnapshots: 1, freedPacks: dry.freedPacks, freedBytes: dry.freedBytes });
  t.ok(result.freedPacks >= 1 && result.freedBytes > 200_000, `${result.freedBytes} bytes`);
  t.same([...history.expected.keys()], [second]);
  await expectMaintainable(t, history, packs(history).length);
  t.same(await namesIn(history.repository.storage, 'owner/deletions/'), [], 'the mark has done its work');
});

t.test('maintain: many backups are folded into a catalogue and a base index, which do without them', async (t) => {
  const history = await newHistory(t);
  for (let day = 0; day < 17; day++) await snapshotOf(history, files(`day ${day}`, 1));
  const result = await maintain(history.repository);
  t.match(result, { outcome: 'collected', foldedTables: 17, foldedSnapshots: 17, freedPacks: 0, snapshots: 17 });
  await history.repository.storage.delete(await namesIn(history.repository.storage, 'writer/snapshots/'));
  await history.repository.storage.delete(await namesIn(history.repository.storage, 'writer/index/'));
  await expectSound(t, history);
  t.match((await backUp(history)).statistics, { newBytes: 0, newChunks: 0 }, 'the base index knows all chunks');
  const [latest] = (await listSnapshots(history.repository)).slice(-1);
  history.expected.set(latest!.id, [...history.expected.values()].at(-1)!);
  fs.writeFileSync(path.join(history.source, 'copy'), fs.readFileSync(path.join(history.source, 'day 3/file-0')));
  t.equal(
    (
      await backUp(
        { ...history, repository: await openRepository(new LocalFolder(history.repositoryFolder), { secret, mode: 'write' }) },
        { force: true },
      )
    ).statistics.newBytes,
    0,
    'also where there is no parent',
  );
});

t.test('maintain: what was folded stays as long as a kept root looks at it; roots are pruned', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('a'));
  const left: number[] = [];
  for (let round = 1; round <= 4; round++) {
    await leaveLitter(history.repository);
    t.match(await maintain(history.repository), { collections: 1, freedPacks: 1 });
    left.push(objectsOf(history).filter((name) => /^(index|snapshots)/.test(name)).length);
  }
  t.same(left, [2, 2, 2, 0]);
  const names = await namesIn(history.repository.storage, 'collector/');
  t.equal(names.filter((name) => name.startsWith('collector/roots/')).length, 8);
  t.ok(names.filter((name) => name.startsWith('collector/index/')).length <= 4, names.join(' '));
  await expectSound(t, history);
});

t.test('maintain: a forgotten snapshot that is held stays until it is released; annotations of a gone one go', async (t) => {
  const history = await newHistory(t);
  const id = await snapshotOf(history, files('a'));
  const contents = history.expected.get(id)!;
  await annotateSnapshot(history.repository, id, { addTags: ['kept'] });
  await holdSnapshots(history.repository, [id], { until: null, reason: 'audit' });
  await forget(history, id);
  history.expected.set(id, contents);
  await leaveLitter(history.repository);
  t.match(await maintain(history.repository), { outcome: 'collected', heldSnapshots: 1, droppedSnapshots: 0, freedPacks: 1 });
  await expectSound(t, history);
  await releaseSnapshots(history.repository, [id]);
  history.expected.delete(id);
  t.match(await maintain(history.repository), { outcome: 'collected', heldSnapshots: 0, droppedSnapshots: 1 });
  t.same(packs(history), []);
  t.same(await namesIn(history.repository.storage, 'owner/annotations/'), []);
  await expectSound(t, history);
});

t.test('maintain: as long as it is not known what a damaged snapshot needs nothing is freed; once it is forgotten, all is', async (t) => {
  const history = await newHistory(t);
  const damaged = await snapshotOf(history, files('a'));
  const { snapshot } = (await listSnapshots(history.repository)).find(({ id }) => id === damaged)!;
  fs.rmSync(path.join(history.source, 'a'), { recursive: true });
  await snapshotOf(history, files('b'));
  await leaveLitter(history.repository);
  const name = `writer/packs/${snapshot.packs!.pack.slice(0, 2)}/${snapshot.packs!.pack}`;
  const file = path.join(history.repositoryFolder, name);
  const bytes = fs.readFileSync(file);
  bytes[bytes.length - 40]! ^= 1;
  fs.writeFileSync(file, bytes);
  const told: string[] = [];
  const result = await maintain(history.repository, { onDamage: ({ object }) => told.push(object!) });
  t.match(result, { freedPacks: 0, damage: [{ object: name }] });
  t.same(told, [name]);
  await forget(history, damaged);
  t.match(await maintain(history.repository), { outcome: 'collected', damage: [] });
  t.ok(!fs.existsSync(file));
});
