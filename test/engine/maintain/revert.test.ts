/** What becomes of each name when a store is made what it was at a time. */
import t from 'tap';
import { lockStatus, maintain, revert } from '../../../engine/maintain/mod.ts';
import { createRepository, holdSnapshots, openRepository, readRoot } from '../../../engine/repository/mod.ts';
import { InMemory, pastOf } from '../../../engine/storage/mod.ts';
import { objectNames, objectPrefixes, type PackId, parseObjectName, type SessionId } from '../../../repo-format/mod.ts';
import { secret } from '../backup/_fixture.ts';
import { VersionedStorage } from '../storage/versioned-storage.ts';
import { files, forget, type History, leaveLitter, newHistory, snapshotOf } from './_fixture.ts';

const bytes = Buffer.from('of the attacker');
const id = 'f'.repeat(32);

t.test(
  'revert: what was there comes back; what the owner or a collector made since is hidden; what backups made since stays as it was made',
  async (t) => {
    const store = new VersionedStorage();
    const repository = await createRepository(store.storage, { slots: [{ secret, label: 'test' }], patienceMs: 0 });
    const history: History = { ...(await newHistory(t)), repository };
    const first = await snapshotOf(history, files('a', 1));
    const before = store.names();
    const packs = store.names(objectPrefixes.writerPacks);
    store.advance(1);
    const timeMs = store.nowMs;
    store.advance(1);
    // Since then: a backup, a hold, a collection; somebody deletes and overwrites.
    const second = await snapshotOf(history, files('b', 1));
    await holdSnapshots(repository, [second], { until: null, reason: 'test' });
    const [hold] = store.names(objectPrefixes.holds);
    const [secondCommit] = store.names(objectPrefixes.snapshots).filter((name) => name.endsWith(second));
    const [newPack, deletedPack] = store.names(objectPrefixes.writerPacks).filter((name) => !packs.includes(name));
    await leaveLitter(repository);
    await maintain(repository);
    const { number, generation } = await readRoot(repository);
    t.ok(generation > 0, 'a collection was made');
    await store.delete([packs[0]!, deletedPack!]);
    await store.overwrite(packs[1]!, bytes);
    await store.overwrite(newPack!, bytes);
    const beyond = {
      collectors: [
        objectNames.root(number + 7),
        `${objectPrefixes.catalogues}${id}`,
        `${objectPrefixes.baseIndexes}${id}`,
        `${objectPrefixes.lostLists}${id}`,
      ],
      writers: [objectNames.snapshot(generation + 1, id as SessionId), objectNames.checkpoint(generation + 1, id as SessionId, 0)],
      reached: objectNames.snapshot(generation, id as SessionId),
      pack: objectNames.pack(id as PackId),
      strange: 'something/of-somebody-else',
    };
    for (const name of [...beyond.collectors, ...beyond.writers, beyond.reached, beyond.pack, beyond.strange])
      await store.overwrite(name, bytes);

    const past = await openRepository(pastOf(store.storage, timeMs), { secret, mode: 'read' });
    const { objects, highest } = await revert(past, store.storage, { timeMs });
    t.same(highest, { number, generation }, 'those that the collection reached, and no made-up one');
    const changes = new Map(objects.map(({ name, change }) => [name, change]));
    t.equal(changes.get(packs[0]!), 'undeleted');
    t.equal(changes.get(packs[1]!), 'replaced');
    t.equal(changes.get(newPack!), 'replaced', 'by what it was first');
    t.equal(changes.get(deletedPack!), undefined, 'perhaps it was collected');
    t.equal(changes.get(secondCommit!), undefined, 'a backup that was made since stays');
    for (const name of [hold!, ...beyond.collectors, ...beyond.writers]) t.equal(changes.get(name), 'hidden', name);
    for (const name of [beyond.reached, beyond.pack, beyond.strange]) t.equal(changes.get(name), undefined, name);
    const isThere = (name: string) => store.versionsOf(name)[0]?.bytes !== undefined;
    for (const name of before) t.ok(isThere(name), `${name} is there`);
    for (const [name, change] of changes) t.equal(isThere(name), change !== 'hidden', name);
    t.notSame(store.versionsOf(newPack!)[0]!.bytes, new Uint8Array(bytes));
    const hidden = objects.filter(({ change }) => change === 'hidden').map(({ name }) => parseObjectName(name)!.type);
    t.ok(hidden.includes('root') && hidden.includes('hold'));
    t.same((await openRepository(store.storage, { secret, mode: 'read' })).root.number, past.root.number);
    t.ok(store.names(objectPrefixes.snapshots).some((name) => name.endsWith(first)));
    await t.rejects(revert(past, new InMemory(), { timeMs }), { code: 'unsupported' });
  },
);

t.test('lockStatus: how many objects of each kind, of what size, and until when they are locked', async (t) => {
  const period = 30 * 86_400;
  const store = new VersionedStorage({ mode: 'governance', periodSeconds: period });
  const repository = await createRepository(store.storage, { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  const history: History = { ...(await newHistory(t)), repository };
  const first = await snapshotOf(history, files('a', 2));
  const begunMs = store.nowMs;
  const kindOf = (name: string): string => {
    if (name.startsWith('owner/')) return 'owner';
    if (name.includes('/packs/')) return 'packs';
    return /\/index\/|\/base-index\//.test(name) ? 'index' : /\/roots\/|\/lost\//.test(name) ? 'roots' : 'snapshots';
  };
  const wanted = (): Record<string, { objects: number; bytes: number }> => {
    const sums: Record<string, { objects: number; bytes: number }> = {};
    for (const name of store.names()) {
      const sizeBytes = store.versionsOf(name)[0]?.bytes?.length;
      if (sizeBytes === undefined || name.startsWith(objectPrefixes.deletionMarks)) continue;
      const { objects, bytes } = sums[kindOf(name)] ?? { objects: 0, bytes: 0 };
      sums[kindOf(name)] = { objects: objects + 1, bytes: bytes + sizeBytes };
    }
    return sums;
  };
  const found = async () => {
    const { locked } = await lockStatus(await openRepository(store.storage, { secret, mode: 'write' }));
    return Object.fromEntries(locked.map(({ kind, objects, bytes }) => [kind, { objects, bytes }]));
  };
  t.same(await found(), wanted());
  const { locked } = await lockStatus(repository);
  for (const { kind, holdUntil } of locked) t.equal(holdUntil.seconds, begunMs / 1000 + period, kind);
  // With a catalogue, a base index, and packs that are condemned: those leave, and are not extended.
  await snapshotOf(history, files('b', 1));
  await forget(history, first);
  await maintain(await openRepository(store.storage, { secret, mode: 'write' }));
  t.same(await found(), wanted());
  t.same(Object.keys(wanted()).sort(), ['index', 'owner', 'packs', 'roots', 'snapshots']);
});
