/** Who opens what before and after the keys of a repository were rotated or revoked. */
import t from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { newIdentity, newKeyFileSecret, type Secret, sealNewSlot } from '../../../engine/keys/mod.ts';
import { retireEpochs } from '../../../engine/maintain/mod.ts';
import { contextOf } from '../../../engine/repository/_context.ts';
import { readSealed } from '../../../engine/repository/_sealed-objects.ts';
import {
  addKey,
  annotateSnapshot,
  holdSnapshots,
  listKeys,
  listSnapshots,
  markSnapshots,
  openRepository,
  planRevocation,
  type Repository,
  removeKey,
  revokeKeys,
  rotateMasterKey,
  storeVerification,
  writeDamageReport,
} from '../../../engine/repository/mod.ts';
import type { CallOptions, CreateOutcome, InMemory, Storage } from '../../../engine/storage/mod.ts';
import { isLaganError, LaganError, objectNames, type PackId, parseSealedHeader, type SnapshotId } from '../../../repo-format/mod.ts';
import { PassingStorage } from '../../simulation/spoiled-storage.ts';
import { backUp, cheapCost, copyOf, created, keyFile, makeRepository, markDeleted, namesIn, randomId } from './sample.ts';

const password = { kind: 'password', password: 'old', cost: cheapCost } as const;
const open = (storage: Storage, secret: Secret | readonly Secret[] = keyFile, mode: 'write' | 'metadata' = 'write') =>
  openRepository(storage, { secret, mode });

/** A repository with a password, a recipient and a monitor besides its key file. */
async function makeSample() {
  const repository = await makeRepository();
  const [laptop, escrow, monitor] = [newKeyFileSecret(), newIdentity(), newKeyFileSecret()];
  await addKey(repository, { secret: laptop, label: 'laptop' });
  await addKey(repository, { secret: password, label: 'admin' });
  await addKey(repository, { secret: { kind: 'recipient', publicKey: escrow.publicKey }, label: 'escrow' });
  await addKey(repository, { secret: monitor, label: 'monitor', grants: 'metadata' });
  const identity = { kind: 'identity', privateKey: escrow.privateKey } as const;
  return { repository, storage: repository.storage as InMemory, laptop, escrow, identity, monitor };
}

t.test('rotateMasterKey: every key opens old and new, and what is new is sealed with the new epoch', async (t) => {
  const { repository, storage, laptop, identity, monitor } = await makeSample();
  const before = await backUp(repository);
  const changed = await rotateMasterKey(repository);
  t.equal(changed.epoch, 1);
  t.same(changed.epochs, [0, 1]);
  t.ok(changed.oldKeyringsDeleted);
  const after = await backUp(changed.repository);
  for (const secret of [keyFile, laptop, identity, { kind: 'password', password: 'old' }] as const) {
    const opened = await open(storage, secret);
    t.equal(opened.keys.newestEpoch, 1);
    t.same((await listSnapshots(opened)).map(({ id }) => id).sort(), [before.id, after.id].sort());
  }
  t.equal((await listSnapshots(await open(storage, monitor, 'metadata'))).length, 2, 'a key for metadata reads both, too');
  t.same(await namesIn(storage, 'owner/keyring/'), ['owner/keyring/00000001-full', 'owner/keyring/00000001-metadata']);
});

// covers: KEY-16
t.test('rotateMasterKey: of several at once none loses what another one has made', async (t) => {
  const { repository, storage } = await makeSample();
  const rotations = await Promise.all(Array.from({ length: 5 }, () => rotateMasterKey(repository)));
  t.same(rotations.map(({ epoch }) => epoch).sort(), [1, 2, 3, 4, 5]);
  for (const { repository: rotated } of rotations) await markDeleted(rotated, [randomId()]);
  const opened = await open(storage);
  t.equal(opened.keys.newestEpoch, 5);
  for (const name of await namesIn(storage, 'owner/deletions/'))
    t.ok(await readSealed(contextOf(opened), name, { kind: 'deletion-mark' }), name);
});

t.test('rotateMasterKey: one that was cut short between its two keyrings is made up for', async (t) => {
  const { repository, storage, monitor } = await makeSample();
  class FullOnly extends PassingStorage {
    override create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
      if (name.endsWith('-metadata')) throw new LaganError('unavailable', 'the process has died');
      return super.create(name, parts, options);
    }
  }
  await t.rejects(rotateMasterKey({ ...repository, storage: new FullOnly(storage) }), { code: 'unavailable' });
  t.equal((await open(storage, monitor, 'metadata')).keys.newestEpoch, 0, 'who reads metadata has the keyring before');
  t.equal((await rotateMasterKey(await open(storage))).epoch, 2);
  t.equal((await open(storage, monitor, 'metadata')).keys.newestEpoch, 2);
});

t.test('openRepository: keys and configuration that are replaced while it reads are read again', async (t) => {
  const { repository, storage } = await makeSample();
  class ReplacedMeanwhile extends PassingStorage {
    #isDone = false;
    override async get(...call: Parameters<Storage['get']>): Promise<Uint8Array> {
      if (call[0].startsWith('owner/keyring/') && !this.#isDone) {
        this.#isDone = true;
        await rotateMasterKey(repository);
      }
      return super.get(...call);
    }
  }
  t.equal((await open(new ReplacedMeanwhile(storage))).keys.newestEpoch, 1);
});

t.test('revokeKeys: who has the stolen key, and copies of slots and keyring, opens nothing that was written afterwards', async (t) => {
  const { repository, storage, laptop, identity, monitor } = await makeSample();
  await backUp(repository);
  const stolen = await copyOf(storage);
  const secrets = [keyFile, password, monitor];
  const { plan, repository: changed, epochs } = await revokeKeys(repository, { slots: ['laptop'], secrets });
  t.same(
    plan.revoked.map(({ label }) => label),
    ['laptop'],
  );
  t.same(plan.kept.map(({ label }) => label).sort(), ['admin', 'escrow', 'key file', 'monitor']);
  t.same(plan.lost, []);
  t.same(epochs, [0, 1]);
  const after = await backUp(changed);

  for (const secret of [keyFile, identity, { kind: 'password', password: 'old' }] as const)
    t.equal((await listSnapshots(await open(storage, secret))).length, 2, `${secret.kind} opens it`);
  t.equal((await listSnapshots(await open(storage, monitor, 'metadata'))).length, 2);
  await t.rejects(open(storage, laptop), { code: 'wrong-key' });

  // The thief has his slot and his keyring under their old names beside what is new.
  const thief = await open(stolen, laptop);
  await t.rejects(readSealed(contextOf({ ...thief, storage }), after.name, { kind: 'snapshot' }), { code: 'authentication-failed' });
  for (const name of await namesIn(stolen, 'owner/k'))
    if (!(await namesIn(storage, name)).includes(name)) await storage.create(name, [await stolen.get(name)]);
  await t.rejects(open(storage, laptop), { code: 'authentication-failed' }, 'his slot opens, and no keyring that counts');
  t.equal((await open(storage)).keys.newestEpoch, 1, 'the others are not kept out by what he puts there');
  const stale = (await listKeys(await open(storage))).filter(({ standing }) => standing === 'stale');
  t.equal(stale.length, 5, 'what he puts there is known to be stale');
});

t.test('revokeKeys and retireEpochs: what the old master key sealed is in the store no more', async (t) => {
  const { repository, storage, laptop } = await makeSample();
  const stolen = await copyOf(storage);
  const thief = await open(stolen, laptop);
  const { repository: changed } = await revokeKeys(repository, { slots: ['laptop', 'admin', 'monitor'], secrets: [keyFile] });
  await retireEpochs(changed);
  for (const name of await namesIn(storage)) {
    if (/^owner\/(format|keys|keyring)/.test(name)) continue;
    const error = await readSealed(contextOf({ ...thief, storage }), name, { kind: 'root' }).catch((cause: unknown) => cause);
    const code = isLaganError(error) ? error.code : 'opened';
    t.ok(name.startsWith('collector/roots/') ? code === 'authentication-failed' : code === 'malformed', name);
  }
});

t.test('planRevocation: keys whose secrets are not given are lost, and the last full one stays', async (t) => {
  const { repository } = await makeSample();
  const plan = await planRevocation(repository, { slots: ['laptop'], secrets: [keyFile] });
  t.same(plan.lost.map(({ key, reason }) => [key.label, reason]).sort(), [
    ['admin', 'secret'],
    ['monitor', 'secret'],
  ]);
  t.same(plan.kept.map(({ label }) => label).sort(), ['escrow', 'key file']);
  await t.rejects(planRevocation(repository, { slots: ['key file', 'escrow', 'laptop', 'admin'], secrets: [keyFile] }), { code: 'usage' });
  await t.rejects(planRevocation(repository, { slots: ['nobody'], secrets: [keyFile] }), { code: 'no-key' });
  t.same((await listKeys(repository)).length, 5, 'nothing has changed');
});

t.test('revokeKeys: a recipient that somebody planted in the store is not let in', async (t) => {
  const { repository, storage } = await makeSample();
  const planted = newIdentity();
  const repositoryId = repository.keys.repositoryId;
  // Without the access key: the slot opens nothing, but it looks like the others.
  const slot = await sealNewSlot(
    { secret: { kind: 'recipient', publicKey: planted.publicKey }, label: 'escrow of the operator' },
    { repositoryId, fullAccessKey: new Uint8Array(32).fill(1), created },
  );
  await storage.create(slot.name, [slot.bytes]);
  const { plan } = await revokeKeys(repository, { slots: ['laptop'], secrets: [keyFile, password] });
  t.same(
    plan.stale.map(({ label }) => label),
    ['escrow of the operator'],
  );
  await t.rejects(open(storage, { kind: 'identity', privateKey: planted.privateKey }), { code: 'no-key' });
});

t.test('removeKey: a stale slot does not count as the last that opens everything', async (t) => {
  const repository: Repository = await makeRepository();
  const slot = await sealNewSlot(
    { secret: newKeyFileSecret(), label: 'stale' },
    { repositoryId: repository.keys.repositoryId, fullAccessKey: new Uint8Array(32).fill(1), created },
  );
  await repository.storage.create(slot.name, [slot.bytes]);
  await t.rejects(removeKey(repository, 'key file'), { code: 'usage' });
  t.equal((await removeKey(repository, 'stale')).id, slot.id);
  t.same((await namesIn(repository.storage, 'owner/keys/')).length, 1);
});

// covers: KEY-14
t.test('openRepository: a slot that opens but does not fit the keyring does not keep others from being tried', async (t) => {
  const { repository, storage } = await makeSample();
  for (let count = 0; count < 4; count++) {
    const slot = await sealNewSlot(
      { secret: keyFile, label: 'old' },
      { repositoryId: repository.keys.repositoryId, fullAccessKey: new Uint8Array(32).fill(count), created },
    );
    await storage.create(slot.name, [slot.bytes]);
  }
  t.equal((await open(storage)).id, repository.id);
});

// covers: KEY-15
t.test('openRepository: a keyring without the epoch that names chunks, and without the keys themselves, is refused', async (t) => {
  const { repository, storage, monitor } = await makeSample();
  const name = repository.keys.nameKey;
  const { repository: retired } = await retireEpochs((await rotateMasterKey(repository)).repository);
  const opened = await open(storage);
  t.same([...opened.keys.nameKey], [...name], 'names stay');
  t.same([...opened.keys.cutKey], [...repository.keys.cutKey]);
  t.same([...(await open(storage, monitor, 'metadata')).keys.metadataNameKey], [...repository.keys.metadataNameKey]);
  t.equal((await rotateMasterKey(retired)).epoch, 2, 'it can be rotated again');
  t.same([...(await open(storage)).keys.nameKey], [...name]);
});

t.test('addKey: a key that is added while all are replaced is no key that opens nothing', async (t) => {
  const { repository, storage } = await makeSample();
  class RevokedMeanwhile extends PassingStorage {
    override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
      if (name.startsWith('owner/keys/')) await revokeKeys(repository, { slots: ['laptop'], secrets: [keyFile] });
      return super.create(name, parts, options);
    }
  }
  const racing = { ...repository, storage: new RevokedMeanwhile(storage) };
  await t.rejects(addKey(racing, { secret: newKeyFileSecret(), label: 'new' }), { code: 'unavailable' });
  t.notOk((await listKeys(await open(storage))).some(({ label }) => label === 'new'));
  t.ok(objectNames.keySlot(repository.slotId));
});

// covers: KEY-17
t.test('rotateMasterKey: a store that lets nobody delete is told of', async (t) => {
  const { repository, storage } = await makeSample();
  class Locked extends PassingStorage {
    override async delete(): Promise<void> {
      throw new LaganError('forbidden', 'the object is locked');
    }
  }
  const locked = await rotateMasterKey({ ...repository, storage: new Locked(storage) });
  t.equal(locked.oldKeyringsDeleted, false);
  t.equal((await open(storage)).keys.newestEpoch, 1);
});

/** Calls something once, when an object below a prefix is about to be created. */
class BeforeCreation extends PassingStorage {
  readonly #prefix: string;
  readonly #act: () => Promise<void>;
  #isDone = false;

  constructor(storage: Storage, { prefix, act }: { prefix: string; act: () => Promise<void> }) {
    super(storage);
    this.#prefix = prefix;
    this.#act = act;
  }

  override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    if (name.startsWith(this.#prefix) && !this.#isDone) {
      this.#isDone = true;
      await this.#act();
    }
    return super.create(name, parts, options);
  }
}

const pack = '0123456789abcdef0123456789abcdef' as PackId;
const lateChanges: Record<string, (repository: Repository, id: SnapshotId) => Promise<unknown>> = {
  'owner/deletions/': (repository, id) => markSnapshots(repository, [id], { reason: 'late' }),
  'owner/holds/': (repository, id) => holdSnapshots(repository, [id], { until: null, reason: 'late' }),
  'owner/annotations/': (repository, id) => annotateSnapshot(repository, id, { addTags: ['late'] }),
  'writer/reports/': (repository) =>
    writeDamageReport(repository, [{ object: objectNames.pack(pack), pack, chunks: [], kind: 'object-missing' }]),
  'writer/verified/': (repository) => storeVerification(repository, [pack]),
};

// covers: KEY-20
for (const [prefix, change] of Object.entries(lateChanges)) {
  t.test(`${prefix}: what is stored with a key that was forgotten just then is stored again, so that it can be read`, async (t) => {
    const { repository, storage } = await makeSample();
    const { id } = await backUp(repository);
    const act = async () => void (await retireEpochs((await rotateMasterKey(await open(storage))).repository));
    // Whoever looks at what others have sealed anew may be told to open the repository again.
    await change({ ...repository, storage: new BeforeCreation(storage, { prefix, act }) }, id).catch((error) => {
      t.match(error, { code: 'authentication-failed', object: /^collector\// });
    });
    const opened = await open(storage);
    const names = await namesIn(storage, prefix);
    t.ok(names.length > 0);
    for (const name of names) t.equal(parseSealedHeader(await storage.get(name)).epoch, 1, name);
    t.equal((await listSnapshots(opened, { includeDeleted: true })).length, 1);
  });
}

t.test('markSnapshots: a mark that is made when all keys were replaced is taken back, and its maker is told', async (t) => {
  const { repository, storage } = await makeSample();
  const { id } = await backUp(repository);
  const secrets = [keyFile];
  const act = async () => void (await revokeKeys(await open(storage), { slots: [], secrets }));
  const late = { ...repository, storage: new BeforeCreation(storage, { prefix: 'owner/deletions/', act }) };
  await t.rejects(markSnapshots(late, [id], { reason: 'late' }), { code: 'authentication-failed' });
  t.same(await namesIn(storage, 'owner/deletions/'), []);
});

// covers: KEY-21
t.test(
  'rotateMasterKey: what somebody stored with a forgotten key, and died, is not there for anybody, and goes with the next rotation',
  async (t) => {
    for (const [prefix, change] of Object.entries(lateChanges)) {
      const { repository, storage } = await makeSample();
      const { id } = await backUp(repository);
      const act = async () => void (await retireEpochs((await rotateMasterKey(await open(storage))).repository));
      const dying = new BeforeCreation(storage, { prefix, act });
      const list = dying.list.bind(dying);
      // He dies before he looks at the keyring.
      dying.list = (name, options) => {
        if (name === 'owner/keyring/') throw new LaganError('unavailable', 'the process has died');
        return list(name, options);
      };
      await t.rejects(change({ ...repository, storage: dying }, id), { code: 'unavailable' });
      t.equal((await namesIn(storage, prefix)).length, 1, `there is one in ${prefix}`);
      const opened = await open(storage);
      t.match(await listSnapshots(opened), [{ id, tags: [] }], prefix);
      // The packs of the sample are none.
      t.same(
        (await check(opened)).errors.filter(({ code }) => code !== 'pack-missing'),
        [],
      );
      await retireEpochs((await rotateMasterKey(opened)).repository);
      t.same(await namesIn(storage, prefix), []);
    }
  },
);
