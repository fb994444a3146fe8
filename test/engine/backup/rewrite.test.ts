import { appendFileSync, linkSync, symlinkSync, truncateSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type RemovedEntry, type RewriteOptions, rewriteSnapshot } from '../../../engine/backup/mod.ts';
import { check } from '../../../engine/check/mod.ts';
import { contextOf } from '../../../engine/repository/_context.ts';
import { createSealed } from '../../../engine/repository/_sealed-objects.ts';
import {
  annotateSnapshot,
  createRepository,
  holdSnapshots,
  listSnapshots,
  originOf,
  readRoot,
  type SnapshotInfo,
} from '../../../engine/repository/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { encodeRoot, type FileEntry, objectNames, type PackId } from '../../../repo-format/mod.ts';
import { advanceRoot, storePackList } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { backUp, contentsOf, entriesOf, makePlace, newest, type Place, secret, write } from './_fixture.ts';

async function placeWithSnapshot(t: Test): Promise<Place & { info: SnapshotInfo }> {
  // In memory all is done in one thread, which is faster.
  const repository = await createRepository(new InMemory(), { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  const place = { ...(await makePlace(t)), repository };
  write(place.source, 'a.txt', 'hello');
  write(place.source, 'secret.txt', 'password');
  write(place.source, 'deep/er/secret.txt', 'another');
  write(place.source, 'deep/er/kept.bin', Buffer.alloc(400_000, 'some content. '));
  write(place.source, 'big/zeros', Buffer.concat([Buffer.alloc(600_000), Buffer.from('end')]));
  const sparse = write(place.source, 'sparse', 'start');
  truncateSync(sparse, 1_000_000);
  appendFileSync(sparse, 'end');
  write(place.source, 'gone/one', '1');
  write(place.source, 'gone/two/three', '333');
  symlinkSync('a.txt', path.join(place.source, 'link'));
  linkSync(path.join(place.source, 'a.txt'), path.join(place.source, 'hard'));
  await backUp(place, { tags: ['daily'], description: 'as it was', time: new Date('2026-01-02T03:04:05.678Z') });
  return { ...place, info: await newest(place.repository) };
}

const rewrite = ({ repository }: Place, info: SnapshotInfo, options: Partial<RewriteOptions> = {}) =>
  rewriteSnapshot(repository, info, { patterns: ['secret.txt', 'gone/'], ...options });

async function expectSound(t: Test, { repository }: Place): Promise<void> {
  const { errors } = await check(repository, { readData: true, workers: 1 });
  t.same(errors, []);
}

t.test('rewriteSnapshot: the same snapshot without the paths; the old one is marked', async (t) => {
  const place = await placeWithSnapshot(t);
  const { repository, source, info } = place;
  await annotateSnapshot(repository, info.id, { addTags: ['kept'], description: 'changed' });
  const [annotated] = await listSnapshots(repository);
  const before = await entriesOf(repository, source, info);
  const contents = await contentsOf(repository, source, info);
  const removed: string[] = [];
  const onRemoved = ({ path: place }: RemovedEntry) => void removed.push(path.relative(source, Buffer.from(place).toString()));
  const result = await rewrite(place, annotated!, { onRemoved });
  t.match(result, { outcome: 'rewritten', removed: { files: 4, bytes: 8 + 7 + 4, entries: 3 } });
  t.same(removed.sort(), ['deep/er/secret.txt', 'gone', 'secret.txt']);

  const [made, ...others] = await listSnapshots(repository);
  t.same(others, []);
  t.equal(made!.id, result.snapshotId);
  const { started, ended, host, user, paths, source: identity, parent, partial } = info.snapshot;
  t.match(made!.snapshot, { started, ended, host, user, paths, source: identity, parent, partial });
  t.same([made!.tags, made!.description], [['daily', 'kept'], 'changed']);
  t.equal(originOf(made!.snapshot), info.id);
  t.equal(originOf(info.snapshot), null);
  const { statistics } = made!.snapshot;
  t.match(statistics, { files: 5, newBytes: 0, errors: 0, bytes: info.snapshot.statistics.bytes - 19 });
  t.equal(statistics.directories, info.snapshot.statistics.directories - 2);

  const after = await entriesOf(repository, source, made);
  for (const name of ['secret.txt', 'deep/er/secret.txt', 'gone', 'gone/one', 'gone/two', 'gone/two/three']) before.delete(name);
  t.same([...after.keys()], [...before.keys()]);
  for (const [name, entry] of after) {
    const { node: _, filesBelow: _files, bytesBelow: _bytes, ...rest } = { node: 0, filesBelow: 0, bytesBelow: 0, ...entry };
    t.match(before.get(name), rest, name);
  }
  t.match(after.get('deep'), { filesBelow: 1, bytesBelow: 400_000 });
  const left = await contentsOf(repository, source, made);
  for (const [name, bytes] of left) t.ok(bytes.equals(contents.get(name)!), name);
  await expectSound(t, place);
});

t.test('rewriteSnapshot: nothing to leave out makes nothing; a dry run neither', async (t) => {
  const place = await placeWithSnapshot(t);
  t.match(await rewrite(place, place.info, { patterns: ['nothing', '/secret.txt'] }), { outcome: 'unchanged', snapshotId: null });
  t.match(await rewrite(place, place.info, { dryRun: true }), { outcome: 'dry-run', snapshotId: null, removed: { files: 4 } });
  t.same(await listSnapshots(place.repository, { includeDeleted: true }), [place.info]);
});

t.test('rewriteSnapshot: patterns are those of the backup: paths from the top, and what is taken back', async (t) => {
  const place = await placeWithSnapshot(t);
  const removed: string[] = [];
  const onRemoved = ({ path: found }: RemovedEntry) => void removed.push(path.relative(place.source, Buffer.from(found).toString()));
  const patterns = [`${place.source}/deep/**`, '!*.bin', '!er/'];
  await rewrite(place, place.info, { patterns, dryRun: true, onRemoved });
  t.same(removed, ['deep/er/secret.txt']);
});

t.test('rewriteSnapshot: all can be left out, and a snapshot without a tree stays as it is', async (t) => {
  const place = await placeWithSnapshot(t);
  t.match(await rewrite(place, place.info, { patterns: ['*'] }), { outcome: 'rewritten' });
  const empty = await newest(place.repository);
  t.match(empty.snapshot, { tree: null, packs: null, listPacks: [], statistics: { files: 0, directories: 0, bytes: 0 } });
  t.same((await entriesOf(place.repository, '/', empty)).size, 0);
  t.match(await rewrite(place, empty), { outcome: 'unchanged' });
  await expectSound(t, place);
});

t.test('rewriteSnapshot: the old one stays if asked, and a pinned one is refused', async (t) => {
  const place = await placeWithSnapshot(t);
  await holdSnapshots(place.repository, [place.info.id], { until: null, reason: '' });
  await t.rejects(rewrite(place, place.info), { code: 'held', object: place.info.id });
  t.match(await rewrite(place, place.info, { keepOriginal: true }), { outcome: 'rewritten' });
  t.equal((await listSnapshots(place.repository)).length, 2);
});

t.test('rewriteSnapshot: what an interrupted one has made is not made again', async (t) => {
  const place = await placeWithSnapshot(t);
  const first = await rewrite(place, place.info, { keepOriginal: true });
  const others = await listSnapshots(place.repository);
  t.equal((await rewrite(place, place.info, { others })).snapshotId, first.snapshotId);
  t.match(await listSnapshots(place.repository), [{ id: first.snapshotId }]);
  t.not((await rewrite(place, place.info, { others, patterns: ['a.txt'] })).snapshotId, first.snapshotId);
});

t.test('rewriteSnapshot: errors about what is left out go, too', async (t) => {
  const place = await placeWithSnapshot(t);
  const errorAt = (name: string) => ({ path: Buffer.from(path.join(place.source, name)), code: 'EACCES', message: 'not allowed' });
  const { snapshot } = place.info;
  const errors = ['gone/one', 'secret.txt', 'a.txt', 'gone'].map(errorAt);
  const info = { ...place.info, snapshot: { ...snapshot, errors, statistics: { ...snapshot.statistics, errors: 5 } } };
  await rewrite(place, info);
  t.match((await newest(place.repository)).snapshot, { errors: [errorAt('a.txt')], statistics: { errors: 2 } });
});

t.test('rewriteSnapshot: what is in packs that are going away is stored again', async (t) => {
  const place = await placeWithSnapshot(t);
  const { repository, source, info } = place;
  const contents = await contentsOf(repository, source, info);
  const kindsOf = async (snapshot: SnapshotInfo) => {
    const entry = (await entriesOf(repository, source, snapshot)).get('sparse') as FileEntry;
    return entry.content.form === 'inline' ? entry.content.extents.map(({ kind, length }) => ({ kind, length })) : [];
  };
  const kinds = await kindsOf(info);
  const packs: PackId[] = [];
  for await (const { name } of repository.storage.list('writer/packs/')) packs.push(name.slice(-32) as PackId);
  await advanceRoot(repository, { generation: 1, phase: 'condemned', condemned: await storePackList(repository, packs) });
  t.match(await rewrite(place, info), { outcome: 'rewritten' });
  const made = await newest(repository);
  await repository.storage.delete(packs.map((pack) => objectNames.pack(pack)));
  const left = await contentsOf(repository, source, made);
  t.equal(left.size, contents.size - 4);
  t.same(await kindsOf(made), kinds);
  t.match(kinds, [{ kind: 'data' }, { kind: 'hole' }, { kind: 'data' }]);
  for (const [name, bytes] of left) t.ok(bytes.equals(contents.get(name)!), name);
});

t.test('rewriteSnapshot: it begins anew if the collector passes it', async (t) => {
  const place = await placeWithSnapshot(t);
  const { repository } = place;
  let passed = 0;
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'create' || !name.startsWith('writer/snapshots/') || passed++ > 0) return;
      const root = await readRoot(repository);
      const next = {
        ...root,
        number: root.number + 1,
        generation: 1,
        floor: 1,
        phase: 'fencing' as const,
        pastFloor: 0,
        previous: root.nonce,
      };
      await createSealed(contextOf(repository), objectNames.root(next.number), { kind: 'root', payload: encodeRoot(next) });
    },
  });
  t.match(await rewriteSnapshot({ ...repository, storage }, place.info, { patterns: ['secret.txt'] }), { outcome: 'rewritten' });
  t.equal(passed, 2);
});

t.test('rewriteSnapshot: after an error at any call of the store the old snapshot is there, whole, or the new one is', async (t) => {
  const place = await placeWithSnapshot(t);
  const { repository } = place;
  const original = (await listSnapshots(repository)).map(({ id }) => id);
  for (let call = 1; ; call += 5) {
    const storage = new FaultyStorage(repository.storage, { faults: [{ call, forever: true, when: 'after' }] });
    const outcome = await rewriteSnapshot({ ...repository, storage }, place.info, { patterns: ['secret.txt'] }).catch(() => 'failed');
    if (outcome !== 'failed') break;
    const ids = (await listSnapshots(repository)).map(({ id, snapshot }) => originOf(snapshot) ?? id);
    t.same(new Set(ids), new Set(original), `call ${call}`);
  }
  await expectSound(t, place);
});

t.test('rewriteSnapshot: an interruption ends it', async (t) => {
  const place = await placeWithSnapshot(t);
  await t.rejects(rewrite(place, place.info, { signal: AbortSignal.abort() }), { code: 'interrupted' });
  const controller = new AbortController();
  const onRemoved = async () => controller.abort();
  await t.rejects(rewrite(place, place.info, { signal: controller.signal, onRemoved }), { code: 'interrupted' });
  t.equal((await listSnapshots(place.repository, { includeDeleted: true })).length, 1);
});
