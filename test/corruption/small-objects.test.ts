/** Damage to the small objects: what a check says, and what opening the repository says. */
import t from 'tap';
import { annotateSnapshot, check, LaganError, openRepository } from '../../engine/mod.ts';
import { InMemory } from '../../engine/storage/mod.ts';
import { sealedLayout } from '../../repo-format/mod.ts';
import { flip, makeSample, namesBelow, type Objects, openDamaged, resize, secret, swap } from './sample-repository.ts';

const sample = await makeSample(t.testdir());
const [firstSnapshot, secondSnapshot] = namesBelow(sample.objects, 'writer/snapshots/') as [string, string];
const snapshotOf = (name: string) => name.slice(-32);

const layout = sealedLayout;
/** Every part of a small sealed object. */
const sealedFlips = (sizeBytes: number): readonly (readonly [place: string, offset: number, bit: number, code: string])[] => [
  ['magic', layout.magic, 0, 'malformed'],
  ['kind that is none', layout.kind, 7, 'malformed'],
  ['version of the future', layout.version, 1, 'repository-too-new'],
  ['key epoch', layout.epoch, 3, 'authentication-failed'],
  ['reserved', layout.reserved, 0, 'malformed'],
  ['repository id', layout.repositoryId, 0, 'name-mismatch'],
  ['object id', layout.objectId, 0, 'name-mismatch'],
  ['salt', layout.salt, 0, 'authentication-failed'],
  ['length field', layout.headerSizeBytes, 0, 'malformed'],
  ['ciphertext', layout.headerSizeBytes + 4, 0, 'authentication-failed'],
  ['tag', sizeBytes - 1, 0, 'authentication-failed'],
];

t.test('check: a flipped bit in a snapshot', async (t) => {
  for (const [place, offset, bit, code] of sealedFlips(sample.objects.get(firstSnapshot)!.length)) {
    const result = await check(await openDamaged(sample, (objects) => flip(objects, firstSnapshot, offset, bit)));
    t.match(result.errors, [{ code, object: firstSnapshot, snapshots: [snapshotOf(firstSnapshot)] }], `${place}: ${code}`);
    t.equal(result.errors.length, 1);
    t.match(result, { complete: false, snapshots: 1 }, 'the other snapshot is looked at, and what is hidden is said');
  }
});

t.test('check: a snapshot that was cut or continued', async (t) => {
  const sizeBytes = sample.objects.get(firstSnapshot)!.length;
  for (const size of [0, 1, 79, 80, 83, 84, 100, sizeBytes - 1, sizeBytes + 1]) {
    const { errors } = await check(await openDamaged(sample, (objects) => resize(objects, firstSnapshot, size)));
    t.match(errors, [{ code: 'malformed', object: firstSnapshot }], `${size} of ${sizeBytes} bytes`);
    t.equal(errors.length, 1);
  }
});

t.test('check: snapshots under the names of others', async (t) => {
  const { errors } = await check(await openDamaged(sample, (objects) => swap(objects, firstSnapshot, secondSnapshot)));
  t.same(errors.map(({ code, object }) => [code, object]).sort(), [
    ['name-mismatch', firstSnapshot],
    ['name-mismatch', secondSnapshot],
  ]);
});

t.test('check: a snapshot that is gone is no damage: nothing refers to it', async (t) => {
  t.match(await check(await openDamaged(sample, (objects) => objects.delete(firstSnapshot))), { errors: [], snapshots: 1 });
});

t.test('check: every kind of small object that can be damaged once the repository is open', async (t) => {
  const names = ['owner/config/', 'owner/keyring/', 'collector/roots/'].flatMap((prefix) => namesBelow(sample.objects, prefix));
  t.equal(names.length, 4);
  for (const name of names) {
    const last = sample.objects.get(name)!.length - 1;
    const { errors } = await check(await openDamaged(sample, (objects) => flip(objects, name, last)));
    t.match(errors, [{ code: 'authentication-failed', object: name }], name);
  }
});

t.test('check: an annotation', async (t) => {
  const repository = await openDamaged(sample);
  await annotateSnapshot(repository, sample.snapshots[0]!.id, { addTags: ['kept'] });
  const name = `owner/annotations/${sample.snapshots[0]!.id}/00000000`;
  const bytes = (await repository.storage.get(name)).slice();
  t.match(await check(repository), { errors: [] });
  bytes[90]! ^= 1;
  await repository.storage.delete([name]);
  await repository.storage.create(name, [bytes]);
  t.match((await check(repository)).errors, [{ code: 'authentication-failed', object: name }]);
});

t.test('openRepository: damage that nothing can be read behind', async (t) => {
  const [slot] = namesBelow(sample.objects, 'owner/keys/');
  const cases: readonly (readonly [what: string, damage: (objects: Objects) => void, code: string])[] = [
    ['no format file', (objects) => objects.delete('owner/format'), 'malformed'],
    ['format file cut', (objects) => resize(objects, 'owner/format', 20), 'malformed'],
    ['format file empty', (objects) => resize(objects, 'owner/format', 0), 'malformed'],
    ['slot cut', (objects) => resize(objects, slot!, sample.objects.get(slot!)!.length - 1), 'malformed'],
    ['slot: sealed key', (objects) => flip(objects, slot!, Buffer.from(sample.objects.get(slot!)!).indexOf('sealed') + 20), 'wrong-key'],
    ['no slot', (objects) => objects.delete(slot!), 'object-missing'],
    ['keyring', (objects) => flip(objects, 'owner/keyring/00000000-full', 40), 'authentication-failed'],
    ['no keyring', (objects) => objects.delete('owner/keyring/00000000-full'), 'object-missing'],
    ['configuration', (objects) => flip(objects, 'owner/config/00000000', 100), 'authentication-failed'],
    ['no configuration', (objects) => objects.delete('owner/config/00000000'), 'object-missing'],
  ];
  for (const [what, damage, code] of cases) {
    const storage = await damagedStorage(damage);
    const error = await openRepository(storage, { secret, mode: 'read' }).catch((reason: unknown) => reason);
    t.ok(error instanceof LaganError, what);
    t.match(error, { code }, `${what}: ${code}`);
  }
});

t.test('openRepository: without a root that opens, who only reads is warned, and nobody writes', async (t) => {
  const name = 'collector/roots/0000000000000000';
  const cases: readonly (readonly [damage: (objects: Objects) => void, code: string])[] = [
    [(objects) => flip(objects, name, 100), 'authentication-failed'],
    [(objects) => objects.delete(name), 'object-missing'],
  ];
  for (const [damage, code] of cases) {
    const storage = await damagedStorage(damage);
    await t.rejects(openRepository(storage, { secret, mode: 'write' }), { code, hint: /lagan repository recover/ });
    const { warnings } = await openRepository(storage, { secret, mode: 'read' });
    t.ok(warnings.some((warning) => warning.code === code));
  }
});

async function damagedStorage(damage: (objects: Objects) => void): Promise<InMemory> {
  const objects = new Map(sample.objects);
  damage(objects);
  const storage = new InMemory();
  for (const [name, bytes] of objects) await storage.create(name, [bytes]);
  return storage;
}
