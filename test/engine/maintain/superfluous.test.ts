/** What is deleted beside packs, and what stays though it looks like it. */
import t from 'tap';
import { type Deleted, deleteSuperfluous } from '../../../engine/maintain/_deletion.ts';
import { maintainLimits } from '../../../engine/maintain/_limits.ts';
import { superfluousVerifications } from '../../../engine/maintain/_verifications.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { annotateSnapshot, idForSuccessor, type Repository, readRoot, storeVerification } from '../../../engine/repository/mod.ts';
import { objectNames, objectPrefixes, type PackId, type SessionId } from '../../../repo-format/mod.ts';
import { advanceRoot, backUp, makeRepository, markDeleted, namesIn, randomId, replaceObject, storePackList } from '../repository/sample.ts';
import { files, forget, leaveLitter, newHistory, snapshotOf, withLimits } from './_fixture.ts';

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
  const ofGeneration = (generation: number) => names.slice(3 * generation, 3 * generation + 3).sort();
  t.same((await deletedFrom(repository)).names.sort(), [objectNames.root(0), ...ofGeneration(0)].sort());
  await advanceRoot(repository, {});
  t.same((await deletedFrom(repository)).names.sort(), [objectNames.root(1), ...ofGeneration(1)].sort());
  t.same((await deletedFrom(repository)).names, []);
  t.equal((await namesIn(repository.storage, objectPrefixes.roots)).length, kept);
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
  const names = new Set(await superfluousVerifications(repository, {}));
  t.same(
    Object.keys(stored).filter((what) => names.has(stored[what]!)),
    ['all told later', 'gone', 'older than the others'],
  );
  const { deleted } = await deletedFrom(repository);
  t.match(deleted, { objects: 3 });
  t.same(await namesIn(repository.storage, objectPrefixes.verifications), [stored['only that']!, stored.b!].sort());
});
