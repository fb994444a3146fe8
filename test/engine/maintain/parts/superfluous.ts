/** What is deleted beside packs, and what stays though it looks like it. */
import t from 'tap';
import { readBaseIndex, writeIndexTable } from '../../../../engine/index/mod.ts';
import { storeBaseIndex } from '../../../../engine/maintain/_base-index.ts';
import { type Deleted, deleteSuperfluous } from '../../../../engine/maintain/_deletion.ts';
import { maintainLimits } from '../../../../engine/maintain/_limits.ts';
import { noLosses } from '../../../../engine/maintain/_losses.ts';
import { superfluousVerifications } from '../../../../engine/maintain/_verifications.ts';
import { maintain } from '../../../../engine/maintain/mod.ts';
import {
  annotateSnapshot,
  idForSuccessor,
  type Repository,
  readRoot,
  type StoredReport,
  storeCatalogue,
  storeVerification,
} from '../../../../engine/repository/mod.ts';
import { type Storage, withOverrides } from '../../../../engine/storage/mod.ts';
import {
  LaganError,
  type ObjectReference,
  objectNames,
  objectPrefixes,
  type PackId,
  type Root,
  type SessionId,
} from '../../../../repo-format/mod.ts';
import { randomNames } from '../../random.ts';
import {
  advanceRoot,
  backUp,
  makeRepository,
  markDeleted,
  namesIn,
  randomId,
  replaceObject,
  storePackList,
} from '../../repository/sample.ts';
import { SignalWatch } from '../../storage/signal-watch.ts';
import { files, forget, leaveLitter, newHistory, snapshotOf, withLimits } from '../_fixture.ts';

const nothing = { tree: null, packs: null, listPacks: [] };
const bytes = new Uint8Array(10);

async function deletedFrom(repository: Repository): Promise<{ names: string[]; deleted: Deleted; told: number[][] }> {
  const before = await namesIn(repository.storage);
  const told: number[][] = [];
  const deleted = await deleteSuperfluous(repository, await readRoot(repository), {
    onDeleted: (objects, packBytes) => told.push([objects, packBytes]),
    signal: undefined,
  });
  const after = new Set(await namesIn(repository.storage));
  return { names: before.filter((name) => !after.has(name)), deleted, told };
}

t.test('deletion: names that nobody knows, among those of each kind, are left alone and hurt nothing', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const id = await snapshotOf(history, files('a', 1));
  await annotateSnapshot(repository, id, { addTags: ['kept'] });
  const strange = Object.values(objectPrefixes).map((prefix) => `${prefix}strange`);
  for (const name of strange) await repository.storage.create(name, [bytes]);
  await leaveLitter(repository);
  await forget(history, id);
  t.match(await maintain(repository), { outcome: 'collected', droppedSnapshots: 1, damage: [] });
  const left = new Set(await namesIn(repository.storage));
  t.same(
    strange.filter((name) => !left.has(name)),
    [],
  );
  t.match(await maintain(repository), { outcome: 'idle', deletedObjects: 0 });
});

t.test('deletion: what no root refers to goes, but not what a collector at work is about to refer to', async (t) => {
  const repository = await makeRepository();
  await backUp(repository, nothing);
  const root = await readRoot(repository);
  const idOf = (number: number) => idForSuccessor({ ...root, number: number - 1 });
  const made = (number: number) => [
    objectNames.catalogue(idOf(number)),
    objectNames.lostList(idOf(number)),
    objectNames.baseIndex(idOf(number)),
  ];
  const { number } = await advanceRoot(repository, {});
  const [old, coming] = [made(number), made(number + 1)];
  for (const name of [...old, ...coming]) await repository.storage.create(name, [bytes]);
  const { names, deleted, told } = await deletedFrom(repository);
  t.same(names, old.sort());
  t.same({ deleted, told }, { deleted: { packs: 0, packBytes: 0, objects: 3 }, told: [[3, 0]] });
});

t.test('deletion: while a base index is damaged nobody knows what it has besides: no index goes, all else does', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  await snapshotOf(history, files('a', 1));
  await leaveLitter(repository);
  await maintain(repository);
  const root = await readRoot(repository);
  const unreferenced = [idForSuccessor({ ...root, number: root.number - 1 }), idForSuccessor({ ...root, number: root.number - 2 })];
  const [index, catalogue] = [objectNames.baseIndex(unreferenced[0]!), objectNames.catalogue(unreferenced[1]!)];
  for (const name of [index, catalogue]) await repository.storage.create(name, [bytes]);
  const name = objectNames.baseIndex(root.baseIndex!.id);
  const sound = await repository.storage.get(name);
  const damaged = sound.slice();
  damaged[damaged.length - 1]! ^= 1;
  await replaceObject(repository.storage, name, damaged);
  t.same((await deletedFrom(repository)).names, [catalogue]);
  await replaceObject(repository.storage, name, sound);
  t.same((await deletedFrom(repository)).names, [index]);
});

t.test('deletion: marks and annotations go with the last of their snapshots', async (t) => {
  const repository = await makeRepository();
  const { id } = await backUp(repository, nothing);
  const gone = randomId<SessionId>();
  const marks: string[] = [];
  for (const ids of [[gone], [gone, id], [id]]) marks.push(await markDeleted(repository, ids));
  const [ofGone, ...others] = marks;
  await annotateSnapshot(repository, id, { addTags: ['kept'] });
  const annotations = await namesIn(repository.storage, objectPrefixes.annotations);
  const ofNone = objectNames.annotation(gone, 0);
  await repository.storage.create(ofNone, [bytes]);
  t.same((await deletedFrom(repository)).names, [ofNone, ofGone!]);
  await advanceRoot(repository, { generation: 1, floor: 1 });
  t.same((await deletedFrom(repository)).names, [...annotations, ...others.sort()], 'below floor nothing stands that is in no catalogue');
});

t.test('deletion: so many roots are kept, and what is below the lowest that any of them looks at goes', async (t) => {
  const repository = await makeRepository();
  const kept = maintainLimits.keptRoots;
  const names = [0, 1, 2].flatMap((generation) => [
    objectNames.snapshot(generation, randomId<SessionId>()),
    objectNames.sessionIndex(generation, randomId<SessionId>(), 0, 0),
    objectNames.checkpoint(generation, randomId<SessionId>(), 0),
  ]);
  for (const name of names) await repository.storage.create(name, [bytes]);
  await advanceRoot(repository, { generation: 2, floor: 1 });
  for (let count = 1; count < kept; count++) await advanceRoot(repository, { floor: 2 });
  await repository.storage.create(`${objectPrefixes.roots}strange`, [bytes]);
  const ofGeneration = (generation: number) => names.slice(3 * generation, 3 * generation + 3).sort();
  t.same((await deletedFrom(repository)).names.sort(), [objectNames.root(0), ...ofGeneration(0)].sort());
  await advanceRoot(repository, {});
  t.same((await deletedFrom(repository)).names.sort(), [objectNames.root(1), ...ofGeneration(1)].sort());
  t.same((await deletedFrom(repository)).names, []);
  t.equal((await namesIn(repository.storage, objectPrefixes.roots)).length, kept + 1, 'beside a name that nobody knows');
});

t.test('deletion: many are deleted in calls of so many, each told', async (t) => {
  withLimits(t, maintainLimits, { namesPerDelete: 2 });
  const repository = await makeRepository();
  const packs = [1, 2, 3].map((first) => `${first}`.repeat(32) as PackId);
  for (const [index, pack] of packs.entries()) await repository.storage.create(objectNames.pack(pack), [new Uint8Array(10 ** index)]);
  await advanceRoot(repository, { doomed: await storePackList(repository, [...packs, 'f'.repeat(32) as PackId]) });
  const { deleted, told } = await deletedFrom(repository);
  t.same(deleted, { packs: 3, packBytes: 111, objects: 0 }, 'one of four has gone before');
  t.same(told, [
    [2, 11],
    [1, 100],
  ]);
});

t.test('superfluousVerifications: those of which each pack is gone, or in a later one; where there are few all stay', async (t) => {
  withLimits(t, maintainLimits, { keptVerifications: 4 });
  const repository = await makeRepository();
  const [a, b, gone] = ['1', '2', '3'].map((digit) => digit.repeat(32) as PackId) as [PackId, PackId, PackId];
  for (const pack of [a, b]) await repository.storage.create(objectNames.pack(pack), [bytes]);
  const stored: Record<string, string> = {};
  let seconds = 1_700_000_000;
  const verified = async (what: string, packs: PackId[], at = seconds++) => {
    const before = await namesIn(repository.storage, objectPrefixes.verifications);
    await storeVerification(repository, packs, { time: { seconds: at, nanoseconds: 0 } });
    stored[what] = (await namesIn(repository.storage, objectPrefixes.verifications)).find((name) => !before.includes(name))!;
  };
  await verified('all told later', [a, b]);
  await verified('only that', [a]);
  await verified('b', [b]);
  await verified('gone', [gone]);
  t.same(await superfluousVerifications(repository, {}), []);
  await verified('older than the others', [b], 1_600_000_000);
  const damaged = objectNames.verification(randomId());
  await repository.storage.create(damaged, [bytes]);
  const { signal, storage, withoutSignal } = new SignalWatch(repository.storage);
  const names = new Set(await superfluousVerifications({ ...repository, storage }, { signal }));
  t.same([...withoutSignal], []);
  t.same(
    Object.keys(stored).filter((what) => names.has(stored[what]!)),
    ['all told later', 'gone', 'older than the others'],
  );
  const { deleted } = await deletedFrom(repository);
  t.match(deleted, { objects: 3 });
  t.same(await namesIn(repository.storage, objectPrefixes.verifications), [stored['only that']!, stored.b!, damaged].sort());
});

/** A root of that floor, and no other one. */
async function alone(repository: Repository, changes: Partial<Root>): Promise<void> {
  const before = await namesIn(repository.storage, objectPrefixes.roots);
  await advanceRoot(repository, changes);
  await repository.storage.delete(before);
}

t.test('deletion: what the catalogue does not hold itself keeps its own objects', async (t) => {
  const repository = await makeRepository();
  const [inside, outside, unfinished] = [randomId<SessionId>(), randomId<SessionId>(), randomId<SessionId>()];
  const [late, uncounted] = [randomId<SessionId>(), randomId<SessionId>()];
  const stay = [
    objectNames.snapshot(0, outside),
    objectNames.sessionIndex(0, unfinished, 0, 0),
    objectNames.checkpoint(0, unfinished, 3),
    objectNames.checkpoint(2, uncounted, 0),
  ];
  const go = [
    objectNames.snapshot(0, inside),
    objectNames.snapshot(0, uncounted),
    objectNames.sessionIndex(0, inside, 0, 0),
    objectNames.checkpoint(0, unfinished, 2),
    objectNames.checkpoint(2, inside, 0),
    objectNames.checkpoint(2, late, 0),
  ];
  for (const name of [...stay, ...go, objectNames.snapshot(2, late)]) await repository.storage.create(name, [bytes]);
  const snapshots = [
    { id: inside, generation: 0, object: bytes },
    { id: outside, generation: 0, object: new Uint8Array(0) },
  ];
  const checkpoints = [{ session: unfinished, generation: 0, number: 3 }];
  const catalogue = await storeCatalogue(repository, await readRoot(repository), { catalogue: { snapshots, checkpoints } });
  await alone(repository, { catalogue, generation: 2, floor: 2 });
  t.same((await deletedFrom(repository)).names.sort(), go.sort());
});

t.test('deletion: the older tables of a base index stay as long as it', async (t) => {
  withLimits(t, maintainLimits, { smallTableRows: 0, baseTableRatio: 0 });
  const repository = await makeRepository();
  const { storage, keys } = repository;
  const stored = async (baseIndex: ObjectReference | null) => {
    const root = { ...(await readRoot(repository)), baseIndex };
    const table = objectNames.sessionIndex(0, randomId<SessionId>(), 0, 0);
    await writeIndexTable(storage, {
      name: table,
      keys,
      packs: [{ pack: randomId<PackId>(), kind: 'pack', names: randomNames(table, 2), sizeBytes: 1 }],
    });
    const reference = await storeBaseIndex(repository, root, { tables: [table], without: new Set() });
    await advanceRoot(repository, { baseIndex: reference });
    return reference;
  };
  const second = await stored(await stored(null));
  t.equal((await readBaseIndex(storage, { reference: second, keys })).tables.length, 2);
  await alone(repository, {});
  t.same((await deletedFrom(repository)).names, []);
  await alone(repository, { baseIndex: null });
  t.equal((await deletedFrom(repository)).names.length, 2);
});

t.test('deletion: a base index of an older root that is gone keeps none; no answer is an error', async (t) => {
  const repository = await makeRepository();
  const gone = idForSuccessor(repository.root);
  const unreferenced = objectNames.baseIndex(idForSuccessor(repository.root));
  await advanceRoot(repository, { baseIndex: { id: gone, hash: new Uint8Array(32) } });
  await advanceRoot(repository, { baseIndex: null });
  await repository.storage.create(unreferenced, [bytes]);
  const failing = (code: 'unavailable' | 'not-found') => {
    const getEnd: Storage['getEnd'] = async (name, ...given) => {
      if (name === objectNames.baseIndex(gone)) throw new LaganError(code, 'no', { object: name });
      return repository.storage.getEnd(name, ...given);
    };
    return { ...repository, storage: withOverrides(repository.storage, { getEnd }) };
  };
  await t.rejects(deletedFrom(failing('unavailable')), { code: 'unavailable' });
  t.same((await deletedFrom(failing('not-found'))).names, [unreferenced]);
});

t.test('deletion: damage reports go when the root names all their packs, or these are good', async (t) => {
  const repository = await makeRepository();
  const [named, sound, unknown] = ['1', '2', '3'].map((digit) => digit.repeat(32) as PackId) as [PackId, PackId, PackId];
  await advanceRoot(repository, { lost: await storePackList(repository, [named]) });
  const report = async (...packs: PackId[]): Promise<StoredReport> => {
    const id = randomId();
    const name = objectNames.damageReport(id);
    await repository.storage.create(name, [bytes]);
    const findings = packs.map((pack) => ({ pack })) as unknown as StoredReport['value']['findings'];
    return { id, name, value: { findings } as StoredReport['value'] };
  };
  const go = [await report(named), await report(sound), await report(sound, named), await report()];
  const stay = [await report(unknown), await report(sound, unknown), await report(unknown, named)];
  const losses = { ...noLosses, reports: [...stay, ...go], sound: new Set([sound]) };
  const { signal, storage, withoutSignal } = new SignalWatch(repository.storage);
  const root = await readRoot(repository);
  const deleted = await deleteSuperfluous({ ...repository, storage }, root, { losses, onDeleted: () => undefined, signal });
  t.equal(deleted.objects, go.length);
  t.same(await namesIn(repository.storage, objectPrefixes.damageReports), stay.map(({ name }) => name).sort());
  t.same([...withoutSignal], []);
  await deleteSuperfluous(repository, root, { onDeleted: () => undefined, signal: undefined });
  t.equal((await namesIn(repository.storage, objectPrefixes.damageReports)).length, stay.length, 'who has not asked removes none');
});
