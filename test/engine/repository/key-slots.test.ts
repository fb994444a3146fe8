import t from 'tap';
import { newIdentity, newKeyFileSecret } from '../../../engine/keys/mod.ts';
import {
  addKey,
  attachRepository,
  changeKey,
  createRepository,
  describeRepository,
  listKeys,
  openRepository,
  type Repository,
  relabelKey,
  removeKey,
} from '../../../engine/repository/mod.ts';
import { InMemory, type Storage } from '../../../engine/storage/mod.ts';
import { objectNames } from '../../../repo-format/mod.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { cheapCost, created, keyFile, makeRepository, namesIn, randomId } from './sample.ts';

const password = (text: string) => ({ kind: 'password' as const, password: text, cost: cheapCost });
const opens = (storage: Storage, secret: Parameters<typeof openRepository>[1]['secret']) =>
  openRepository(storage, { secret, mode: 'metadata' }).then(
    () => true,
    () => false,
  );
const over = (repository: Repository, storage: Storage): Repository => ({ ...repository, storage });
const later = { seconds: created.seconds + 1, nanoseconds: 0 };

t.test('listKeys: by time, the current one marked, damaged ones last', async (t) => {
  const repository = await makeRepository();
  const { publicKey } = newIdentity();
  const added = await addKey(repository, { secret: { kind: 'recipient', publicKey }, label: 'offline', grants: 'metadata', time: later });
  const torn = randomId();
  await repository.storage.create(objectNames.keySlot(torn), [Buffer.from('torn')]);
  const keys = await listKeys(repository);
  t.match(keys, [
    { id: repository.slotId, label: 'key file', kind: 'key-file', grants: 'full', created, isCurrent: true, damaged: undefined },
    { id: added.id, label: 'offline', kind: 'recipient', grants: 'metadata', created: later, isCurrent: false },
    { id: torn, kind: 'unknown', grants: 'none', damaged: /./ },
  ]);
  t.same(added, keys[1]);
});

t.test('addKey: what is added opens', async (t) => {
  const repository = await makeRepository();
  const { privateKey, publicKey } = newIdentity();
  const recovery = newKeyFileSecret();
  await addKey(repository, { secret: password('new'), label: 'new', time: later });
  await addKey(repository, { secret: { kind: 'recipient', publicKey }, label: 'offline' });
  await addKey(repository, { secret: recovery, label: 'recovery' });
  for (const secret of [keyFile, password('new'), { kind: 'identity' as const, privateKey }, recovery])
    t.ok(await opens(repository.storage, secret));
  const again = await openRepository(repository.storage, { secret: recovery, mode: 'write' });
  await addKey(again, { secret: password('newer'), label: 'newer' });
  t.ok(await opens(repository.storage, password('newer')), 'each full key can add others');
});

t.test('addKey and removeKey need a full key', async (t) => {
  const repository = await makeRepository();
  await addKey(repository, { secret: password('limited'), label: 'limited', grants: 'metadata' });
  const limited = await openRepository(repository.storage, { secret: password('limited'), mode: 'metadata' });
  const attached = { ...attachRepository(describeRepository(repository)) };
  for (const other of [limited, attached]) {
    await t.rejects(addKey(other, { secret: password('x'), label: 'x' }), { code: 'no-key' });
    await t.rejects(removeKey(other, 'limited'), { code: 'no-key' });
    await t.rejects(changeKey(other, { slot: { secret: password('x'), label: 'x' } }), { code: 'no-key' });
  }
  t.equal((await listKeys(limited)).length, 2, 'but all can list them');
});

t.test('removeKey: by id, by its beginning, by label; what is removed does not open', async (t) => {
  const repository = await makeRepository();
  const ids = new Map<string, string>();
  for (const label of ['one', 'two', 'three']) ids.set(label, (await addKey(repository, { secret: password(label), label })).id);
  const ways = { one: ids.get('one')!, two: ids.get('two')!.slice(0, 12).toUpperCase(), three: 'three' };
  for (const [label, way] of Object.entries(ways)) {
    t.match(await removeKey(repository, way), { id: ids.get(label), label });
    t.notOk(await opens(repository.storage, password(label)));
  }
  t.ok(await opens(repository.storage, keyFile));
  t.equal((await namesIn(repository.storage, 'owner/keys/')).length, 1);
});

t.test('removeKey: what does not fit one key', async (t) => {
  const repository = await makeRepository();
  await addKey(repository, { secret: password('a'), label: 'twice' });
  await addKey(repository, { secret: password('b'), label: 'twice' });
  await t.rejects(removeKey(repository, 'twice'), { code: 'ambiguous' });
  for (const text of ['absent', '', '0123', repository.slotId.slice(0, 3)])
    await t.rejects(removeKey(repository, text), { code: 'no-key' }, text);
  t.equal((await listKeys(repository)).length, 3);
});

t.test('removeKey: the last full key stays', async (t) => {
  const repository = await makeRepository();
  await addKey(repository, { secret: password('limited'), label: 'limited', grants: 'metadata' });
  const torn = randomId();
  await repository.storage.create(objectNames.keySlot(torn), [Buffer.from('torn')]);
  const storage = new FaultyStorage(repository.storage);
  await t.rejects(removeKey(over(repository, storage), 'key file'), { code: 'usage' });
  t.equal(storage.count('delete'), 0, 'not even for a moment');
  t.ok(await opens(repository.storage, keyFile));
  await removeKey(repository, 'limited');
  await removeKey(repository, torn);
  t.equal((await listKeys(repository)).length, 1);
});

t.test('removeKey: of two that remove the last two at once, one key stays', async (t) => {
  const repository = await makeRepository();
  const { storage } = repository;
  const second = await addKey(repository, { secret: password('second'), label: 'second' });
  let deletions = 0;
  const racing = new FaultyStorage(storage, {
    onCall: async (operation) => {
      // The other process removes the other key just before.
      if (operation === 'delete' && ++deletions === 1) await storage.delete([objectNames.keySlot(repository.slotId)]);
    },
  });
  await t.rejects(removeKey(over(repository, racing), second.id), { code: 'usage' });
  t.same(
    (await listKeys(repository)).map(({ id }) => id),
    [second.id],
  );
  t.ok(await opens(storage, password('second')));
});

t.test('changeKey: the current one by default; the new one is there before the old one goes', async (t) => {
  const storage = new InMemory();
  const made = await createRepository(storage, { slots: [{ secret: password('old'), label: 'password' }], time: created });
  const calls = new FaultyStorage(storage);
  const added = await changeKey(over(made, calls), { slot: { secret: password('new'), label: 'password' }, time: later });
  t.notOk(await opens(storage, password('old')));
  t.ok(await opens(storage, password('new')));
  t.same(
    (await listKeys(made)).map(({ id }) => id),
    [added.id],
  );
  const order = calls.calls.filter(({ operation }) => operation === 'create' || operation === 'delete').map(({ operation }) => operation);
  t.same(order, ['create', 'delete']);
});

t.test('changeKey: another label for another slot; an error changes nothing', async (t) => {
  const repository = await makeRepository();
  await addKey(repository, { secret: password('a'), label: 'laptop' });
  await changeKey(repository, { id: 'laptop', slot: { secret: password('a'), label: 'old laptop' } });
  t.same((await listKeys(repository)).map(({ label }) => label).sort(), ['key file', 'old laptop']);
  await t.rejects(changeKey(repository, { id: 'absent', slot: { secret: password('a'), label: 'x' } }), { code: 'no-key' });
  await t.rejects(changeKey(repository, { slot: { secret: password(''), label: 'x' } }), { code: 'usage' });
  t.equal((await listKeys(repository)).length, 2);
  await removeKey(repository, 'old laptop');
  await t.rejects(
    changeKey(repository, { slot: { secret: password('a'), label: 'limited', grants: 'metadata' } }),
    { code: 'usage' },
    'the last full key',
  );
  t.same(
    (await listKeys(repository)).map(({ label }) => label),
    ['key file'],
  );
});

t.test('changeKey: an error at every call of the store leaves a key that opens', async (t) => {
  for (const when of ['before', 'after'] as const) {
    for (let call = 1; ; call++) {
      const repository = await makeRepository();
      const storage = new FaultyStorage(repository.storage, { faults: [{ call, when }] });
      const outcome = await changeKey(over(repository, storage), { slot: { secret: password('new'), label: 'new' } }).then(
        () => 'done',
        () => 'failed',
      );
      t.ok(
        (await opens(repository.storage, keyFile)) || (await opens(repository.storage, password('new'))),
        `${when} call ${call}: ${outcome}`,
      );
      if (storage.calls.length < call) break;
    }
  }
});

t.test('relabelKey: the same secret under another label', async (t) => {
  const repository = await makeRepository();
  const { publicKey, privateKey } = newIdentity();
  await addKey(repository, { secret: password('p'), label: 'laptop', grants: 'metadata' });
  await addKey(repository, { secret: { kind: 'recipient', publicKey }, label: 'offline' });
  await relabelKey(repository, { label: 'main', secret: keyFile });
  await relabelKey(repository, { id: 'offline', label: 'safe' });
  await t.rejects(relabelKey(repository, { id: 'laptop', label: 'x' }), { code: 'no-key', hint: /password/ });
  await t.rejects(relabelKey(repository, { id: 'laptop', label: 'x', secret: password('q') }), { code: 'wrong-key' });
  await t.rejects(relabelKey(repository, { id: 'laptop', label: 'x', secret: keyFile }), { code: 'no-key' });
  await relabelKey(repository, { id: 'laptop', label: 'old laptop', secret: password('p') });
  t.same((await listKeys(repository)).map(({ label, grants }) => [label, grants]).sort(), [
    ['main', 'full'],
    ['old laptop', 'metadata'],
    ['safe', 'full'],
  ]);
  for (const secret of [keyFile, password('p'), { kind: 'identity' as const, privateKey }]) t.ok(await opens(repository.storage, secret));
  const torn = randomId();
  await repository.storage.create(objectNames.keySlot(torn), [Buffer.from('torn')]);
  await t.rejects(relabelKey(repository, { id: torn, label: 'x' }), { code: 'no-key' });
});

t.test('openRepository: more slots than anybody makes are refused before they are tried', async (t) => {
  const repository = await makeRepository();
  for (let count = 1; count <= 256; count++) await repository.storage.create(objectNames.keySlot(randomId()), []);
  await t.rejects(openRepository(repository.storage, { secret: keyFile, mode: 'read' }), { code: 'limit-exceeded', expected: 256 });
});
