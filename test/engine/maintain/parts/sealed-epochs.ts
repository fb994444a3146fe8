/** Which objects are sealed with an old key, as their headers say. */
import t from 'tap';
import { SealedEpochs } from '../../../../engine/maintain/_sealed-epochs.ts';
import { annotateSnapshot, rotateMasterKey } from '../../../../engine/repository/mod.ts';
import { withOverrides } from '../../../../engine/storage/mod.ts';
import { LaganError, objectNames, objectPrefixes, type PackId, sealedLayout } from '../../../../repo-format/mod.ts';
import { backUp, makeRepository, namesIn, replaceObject } from '../../repository/sample.ts';
import { SignalWatch } from '../../storage/signal-watch.ts';

const nothing = { tree: null, packs: null, listPacks: [] };
const pack = (digit: string) => digit.repeat(32) as PackId;

/** What was sealed before and after the master key was changed, with packs whose headers are those of snapshots. */
async function rotated() {
  const before = await makeRepository();
  const old = await backUp(before, nothing);
  await annotateSnapshot(before, old.id, { addTags: ['old'] });
  const { repository } = await rotateMasterKey(before);
  const fresh = await backUp(repository, nothing);
  const { storage } = repository;
  const bytesOf = (info: typeof old) => storage.get(objectNames.snapshot(info.generation, info.id));
  await storage.create(objectNames.pack(pack('1')), [await bytesOf(old)]);
  await storage.create(objectNames.pack(pack('2')), [await bytesOf(fresh)]);
  await storage.create(objectNames.pack(pack('3')), [new Uint8Array(100)]);
  return { repository, old, fresh };
}

t.test('oldPacks: those that are sealed with an older key; not those that are new, damaged or gone', async (t) => {
  const { repository } = await rotated();
  const { signal, storage, withoutSignal, seen } = new SignalWatch(repository.storage);
  const epochs = new SealedEpochs({ ...repository, storage });
  const all = ['1', '2', '3', '4'].map(pack);
  t.same(await epochs.oldPacks(all, { signal }), new Set([pack('1')]));
  t.same([...withoutSignal], []);
  seen.clear();
  t.same(await epochs.oldPacks(all.slice(0, 3), { signal }), new Set([pack('1')]));
  t.same([...seen], [], 'each is looked at once, a damaged one, too');
});

t.test('oldObjects: all that has an older key, and what is damaged; not keys, nor names that nobody knows', async (t) => {
  const { repository, old } = await rotated();
  await repository.storage.create('owner/strange', [new Uint8Array(100)]);
  const { signal, storage, withoutSignal } = new SignalWatch(repository.storage);
  const found = await new SealedEpochs({ ...repository, storage }).oldObjects({ signal });
  t.same([...withoutSignal], []);
  const oldEpoch = repository.keys.newestEpoch - 1;
  const roots = await namesIn(repository.storage, objectPrefixes.roots);
  const wanted = [
    { name: objectNames.snapshot(old.generation, old.id), type: 'snapshot', epoch: oldEpoch },
    { name: objectNames.pack(pack('1')), type: 'pack', epoch: oldEpoch },
    { name: objectNames.pack(pack('3')), type: 'pack', epoch: null },
    ...(await namesIn(repository.storage, objectPrefixes.annotations)).map((name) => ({ name, type: 'annotation', epoch: oldEpoch })),
    ...(await namesIn(repository.storage, objectPrefixes.configurations)).map((name) => ({ name, type: 'configuration', epoch: oldEpoch })),
    { name: roots[0]!, type: 'root', epoch: oldEpoch },
  ];
  const byName = (left: { name: string }, right: { name: string }) => (left.name < right.name ? -1 : 1);
  t.same([...found].sort(byName), wanted.sort(byName));
});

t.test('SealedEpochs: what is gone has no epoch; no answer is an error, and is asked again', async (t) => {
  const { repository } = await rotated();
  const { storage } = repository;
  let error: Error | undefined = new LaganError('unavailable', 'away');
  const get: typeof storage.get = async (...given) => {
    if (error !== undefined) throw error;
    return storage.get(...given);
  };
  const epochs = new SealedEpochs({ ...repository, storage: withOverrides(storage, { get }) });
  await t.rejects(epochs.oldPacks([pack('1')], {}), { code: 'unavailable' });
  await t.rejects(epochs.oldObjects({}), { code: 'unavailable' });
  error = new LaganError('not-found', 'gone');
  t.same(await epochs.oldObjects({}), []);
  error = undefined;
  t.same(await epochs.oldPacks([pack('1')], {}), new Set([pack('1')]), 'it is there again');
  const bytes = await storage.get(objectNames.pack(pack('2')));
  bytes[sealedLayout.version] = 200;
  await replaceObject(storage, objectNames.pack(pack('2')), bytes);
  t.match(
    (await epochs.oldObjects({})).find(({ name }) => name === objectNames.pack(pack('2'))),
    { epoch: null },
    'of a format that is not known',
  );
});

t.test('oldObjects: where there is but one key, what is damaged is told, and nothing else', async (t) => {
  const repository = await makeRepository();
  await backUp(repository, nothing);
  const epochs = new SealedEpochs(repository);
  t.same(await epochs.oldObjects({}), []);
  const name = objectNames.pack(pack('1'));
  await repository.storage.create(name, [new Uint8Array(100)]);
  t.same(await epochs.oldObjects({}), [{ name, type: 'pack', epoch: null }]);
});
