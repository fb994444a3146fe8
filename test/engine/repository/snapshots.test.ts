import t from 'tap';
import {
  annotateSnapshot,
  listSnapshots,
  type Repository,
  readRoot,
  resolveSnapshot,
  type SnapshotInfo,
} from '../../../engine/repository/mod.ts';
import { LocalFolder } from '../../../engine/storage/mod.ts';
import { type LaganError, objectNames, type SnapshotId } from '../../../repo-format/mod.ts';
import { FaultyStorage, withFlippedBit } from '../storage/faulty-storage.ts';
import {
  advanceRoot,
  backUp,
  makeRepository,
  markDeleted,
  namesIn,
  randomId,
  replaceObject,
  sampleSnapshot,
  storeCatalogue,
} from './sample.ts';

const at = (seconds: number) => ({ started: { seconds, nanoseconds: 0 } });
const idsOf = (infos: readonly SnapshotInfo[]) => infos.map(({ id }) => id);
const path = (text: string) => Uint8Array.from(Buffer.from(text));
/** The same repository over another storage. */
const over = (repository: Repository, storage: Repository['storage']): Repository => ({ ...repository, storage });

t.test('listSnapshots: ascending by the time of beginning, whatever the ids', async (t) => {
  const repository = await makeRepository();
  t.same(await listSnapshots(repository), []);
  const times = [5, -7, 3, 2 ** 40, 0, 3];
  const made = [];
  for (const [index, seconds] of times.entries()) made.push(await backUp(repository, { started: { seconds, nanoseconds: index } }));
  const listed = await listSnapshots(repository);
  t.same(
    listed.map(({ snapshot }) => snapshot.started.seconds),
    times.toSorted((left, right) => left - right),
  );
  t.same(listed[2], made[2], 'what is listed is what the commit gave');
  t.match(listed[0], { tags: ['daily'], description: 'as written', deleted: false, standing: 'valid', generation: 0 });
});

t.test('listSnapshots: every part of the filter must fit', async (t) => {
  const repository = await makeRepository();
  const first = await backUp(repository, {
    ...at(1),
    host: 'a',
    user: 'u',
    tags: ['x', 'y'],
    paths: [path('/p'), path('/q')],
    source: 's1',
  });
  const second = await backUp(repository, { ...at(2), host: 'b', user: 'u', tags: ['x'], paths: [path('/p')], source: 's2' });
  const cases = [
    [{}, [first, second]],
    [{ host: 'a' }, [first]],
    [{ host: 'c' }, []],
    [{ user: 'u', host: 'b' }, [second]],
    [{ source: 's1' }, [first]],
    [{ tags: ['x'] }, [first, second]],
    [{ tags: ['y', 'x'] }, [first]],
    [{ tags: ['x', 'z'] }, []],
    [{ paths: [path('/p')] }, [first, second]],
    [{ paths: [path('/q'), path('/p')] }, [first]],
    [{ paths: [path('/')] }, []],
    [{ host: undefined, tags: undefined }, [first, second]],
  ] as const;
  for (const [filter, expected] of cases)
    t.same(idsOf(await listSnapshots(repository, { filter })), idsOf(expected), JSON.stringify(filter));
});

t.test('listSnapshots: below floor only what the catalogue lists counts', async (t) => {
  const repository = await makeRepository();
  const [kept, embedded, dropped] = [await backUp(repository, at(1)), await backUp(repository, at(2)), await backUp(repository, at(3))];
  await advanceRoot(repository, { generation: 1, phase: 'condemned' });
  const fresh = await backUp(repository, at(4));
  t.equal(fresh.generation, 1);
  const bytes = await repository.storage.get(embedded.name);
  const catalogue = await storeCatalogue(repository, [
    { id: kept.id, generation: 0, object: new Uint8Array() },
    { id: embedded.id, generation: 0, object: bytes },
  ]);
  await advanceRoot(repository, { floor: 1, pastFloor: 1, phase: 'open', catalogue });
  t.same(idsOf(await listSnapshots(repository)), idsOf([kept, embedded, fresh]));
  await repository.storage.delete([embedded.name, dropped.name]);
  const listed = await listSnapshots(repository);
  t.same(idsOf(listed), idsOf([kept, embedded, fresh]), 'a folded commit may be deleted');
  t.same(listed[1], embedded);
  t.ok(listed.every(({ standing }) => standing === 'valid'));
});

t.test('listSnapshots: what the collector is about to confirm is pending', async (t) => {
  const repository = await makeRepository();
  const old = await backUp(repository, at(1));
  await advanceRoot(repository, { generation: 1, phase: 'condemned' });
  const recent = await backUp(repository, at(2));
  const catalogue = await storeCatalogue(repository, []);
  await advanceRoot(repository, { generation: 2, floor: 2, pastFloor: 1, phase: 'fencing', catalogue });
  t.same(
    (await listSnapshots(repository)).map(({ id, standing }) => [id, standing]),
    [[recent.id, 'pending']],
  );
  await advanceRoot(repository, { phase: 'open', pastFloor: 2 });
  t.same(await listSnapshots(repository), [], 'and if it does not, it does not count');
  t.ok(old);
});

t.test('listSnapshots begins anew if the collector moves meanwhile', async (t) => {
  const repository = await makeRepository();
  const [kept, dropped] = [await backUp(repository, at(1)), await backUp(repository, at(2))];
  let collected = false;
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (collected || operation !== 'get' || name !== dropped.name) return;
      collected = true;
      const object = await repository.storage.get(kept.name);
      const catalogue = await storeCatalogue(repository, [{ id: kept.id, generation: 0, object }]);
      await advanceRoot(repository, { generation: 1, floor: 1, pastFloor: 1, catalogue });
      await repository.storage.delete([kept.name, dropped.name]);
    },
  });
  t.same(idsOf(await listSnapshots(over(repository, storage))), [kept.id]);
  t.ok(collected);
});

t.test('listSnapshots gives up on a collector that never rests', async (t) => {
  const repository = await makeRepository();
  await backUp(repository);
  let floor = 0;
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (operation === 'list' && name === 'writer/snapshots/')
        await advanceRoot(repository, { generation: ++floor, floor, pastFloor: floor });
    },
  });
  await t.rejects(listSnapshots(over(repository, storage)), { code: 'unavailable' });
});

t.test('listSnapshots: a damaged snapshot is told, and the others are listed', async (t) => {
  const repository = await makeRepository();
  const { storage } = repository;
  const [first, second, third] = [await backUp(repository, at(1)), await backUp(repository, at(2)), await backUp(repository, at(3))];
  await replaceObject(storage, second.name, withFlippedBit(await storage.get(second.name), 2000));
  await annotateSnapshot(repository, third.id, { addTags: ['new'] });
  const annotation = objectNames.annotation(third.id, 0);
  await replaceObject(storage, annotation, Buffer.from('torn'));
  const mark = await markDeleted(repository, [first.id]);
  await replaceObject(storage, mark, withFlippedBit(await storage.get(mark), 900));
  const damage: LaganError[] = [];
  const listed = await listSnapshots(repository, { onDamage: (error) => damage.push(error) });
  t.same(idsOf(listed), idsOf([first, third]), 'a damaged mark deletes nothing');
  t.same(listed[1]!.tags, ['daily'], 'under a damaged annotation it is as written');
  t.same(
    new Map(damage.map(({ object, code }) => [object, code])),
    new Map([
      [second.name, 'authentication-failed'],
      [annotation, 'malformed'],
      [mark, 'authentication-failed'],
    ]),
  );
  await t.rejects(listSnapshots(repository), { code: /authentication-failed|malformed/ });
});

t.test('listSnapshots: a catalogue that is not the one of the root, or is missing', async (t) => {
  const repository = await makeRepository();
  const [right, other] = [
    await storeCatalogue(repository, []),
    await storeCatalogue(repository, [{ id: randomId<SnapshotId>(), generation: 0, object: new Uint8Array() }]),
  ];
  await advanceRoot(repository, { generation: 1, floor: 1, pastFloor: 1, catalogue: right });
  t.same(await listSnapshots(repository), []);
  await advanceRoot(repository, { catalogue: other });
  await t.rejects(
    listSnapshots(repository),
    { code: 'object-missing', object: /writer\/snapshots/ },
    'a commit that is listed, but missing',
  );
  await replaceObject(repository.storage, objectNames.catalogue(other.id), await repository.storage.get(objectNames.catalogue(right.id)));
  await t.rejects(listSnapshots(repository), { code: 'authentication-failed', object: objectNames.catalogue(other.id) });
  await repository.storage.delete([objectNames.catalogue(other.id)]);
  await t.rejects(listSnapshots(repository), { code: 'object-missing', object: objectNames.catalogue(other.id) });
});

t.test('listSnapshots: an object under the name of another one does not count as it', async (t) => {
  const repository = await makeRepository();
  const [first, second] = [await backUp(repository, at(1)), await backUp(repository, at(2))];
  await replaceObject(repository.storage, second.name, await repository.storage.get(first.name));
  await t.rejects(listSnapshots(repository), { code: 'name-mismatch', object: second.name });
  const elsewhere = objectNames.snapshot(7, first.id);
  await repository.storage.delete([second.name]);
  await repository.storage.create(elsewhere, [await repository.storage.get(first.name)]);
  const damage: LaganError[] = [];
  await listSnapshots(repository, { onDamage: (error) => damage.push(error) });
  t.match(damage, [{ code: 'name-mismatch', object: elsewhere }], 'nor in another generation');
});

t.test('listSnapshots: names that are none of ours are left alone', async (t) => {
  const repository = await makeRepository();
  const { id } = await backUp(repository);
  for (const name of [
    'writer/snapshots/readme',
    'writer/snapshots/0000000000000000/x',
    'owner/annotations/x/00000000',
    'owner/deletions/x',
  ])
    await repository.storage.create(name, []);
  t.same(idsOf(await listSnapshots(repository)), [id]);
});

t.test('listSnapshots: deleted ones are left out, unless asked for', async (t) => {
  const repository = await makeRepository();
  const [first, second] = [await backUp(repository, at(1)), await backUp(repository, at(2))];
  const mark = await markDeleted(repository, [first.id, randomId<SnapshotId>()]);
  t.same(idsOf(await listSnapshots(repository)), [second.id]);
  t.same(
    (await listSnapshots(repository, { includeDeleted: true })).map(({ deleted }) => deleted),
    [true, false],
  );
  await t.rejects(resolveSnapshot(repository, first.id), { code: 'snapshot-not-found', hint: /deleted/ });
  t.equal((await resolveSnapshot(repository, first.id, { includeDeleted: true })).id, first.id);
  await repository.storage.delete([mark]);
  t.same(idsOf(await listSnapshots(repository)), idsOf([first, second]), 'until the mark is removed');
});

t.test('resolveSnapshot: latest and those before it, among those that fit', async (t) => {
  const repository = await makeRepository();
  await t.rejects(resolveSnapshot(repository, 'latest'), { code: 'snapshot-not-found', found: 0 });
  const made = [];
  for (let index = 0; index < 4; index++) made.push(await backUp(repository, { ...at(index), host: index % 2 === 0 ? 'even' : 'odd' }));
  const [zero, one, two, three] = idsOf(made);
  const resolve = async (text: string, host?: string) => (await resolveSnapshot(repository, text, { filter: { host } })).id;
  t.equal(await resolve('latest'), three);
  t.equal(await resolve('latest~0'), three);
  t.equal(await resolve('latest~3'), zero);
  t.equal(await resolve('latest', 'even'), two);
  t.equal(await resolve('latest~1', 'even'), zero);
  t.equal(await resolve(one!, 'even'), one, 'an id says all');
  await t.rejects(resolve('latest~4'), { code: 'snapshot-not-found', found: 4 });
  await t.rejects(resolve('latest~2', 'even'), { code: 'snapshot-not-found', found: 2 });
  await t.rejects(resolve('latest', 'other'), { code: 'snapshot-not-found', found: 0 });
});

t.test('resolveSnapshot: ids may be shortened as long as they fit one', async (t) => {
  const repository = await makeRepository();
  const ids = ['abcd1111', 'abcd2222', 'abce0000'].map((start) => start.padEnd(32, '0') as SnapshotId);
  const { commitSnapshot, beginSession } = await import('../../../engine/repository/mod.ts');
  for (const id of ids) {
    const session = { ...(await beginSession(repository)), id };
    await commitSnapshot(repository, { session, snapshot: sampleSnapshot(session) });
  }
  t.equal((await resolveSnapshot(repository, 'abce')).id, ids[2]);
  t.equal((await resolveSnapshot(repository, 'ABCD1')).id, ids[0]);
  t.equal((await resolveSnapshot(repository, ids[1]!)).id, ids[1]);
  await t.rejects(resolveSnapshot(repository, 'abcd'), { code: 'ambiguous', found: ids.slice(0, 2) });
  await t.rejects(resolveSnapshot(repository, 'abcf'), { code: 'snapshot-not-found' });
  for (const text of ['', 'abc', 'latest~', 'latest~-1', 'latest~x', 'newest', 'xyz12345', `${ids[0]}0`, 'latest ']) {
    await t.rejects(resolveSnapshot(repository, text), { code: 'usage', found: text });
  }
});

t.test('resolveSnapshot reads no snapshot whose id does not fit', async (t) => {
  const repository = await makeRepository();
  const made = [];
  for (let index = 0; index < 20; index++) made.push(await backUp(repository, at(index)));
  const storage = new FaultyStorage(repository.storage);
  await resolveSnapshot(over(repository, storage), made[7]!.id);
  t.same(
    storage.calls.filter(({ operation }) => operation === 'get').map(({ name }) => name),
    [made[7]!.name],
  );
});

t.test('annotateSnapshot: tags and description change, the snapshot does not', async (t) => {
  const repository = await makeRepository();
  const { id, name } = await backUp(repository, { tags: ['a', 'b'], description: 'old' });
  const before = await repository.storage.get(name);
  const look = async () => {
    const { tags, description } = (await listSnapshots(repository))[0]!;
    return { tags, description };
  };
  t.same(await annotateSnapshot(repository, id, { addTags: ['c', 'a'], removeTags: ['b'] }), { tags: ['a', 'c'], description: 'old' });
  t.same(await look(), { tags: ['a', 'c'], description: 'old' });
  await annotateSnapshot(repository, id, { description: 'new' });
  t.same(await look(), { tags: ['a', 'c'], description: 'new' });
  await annotateSnapshot(repository, id, { setTags: [], description: '' });
  t.same(await look(), { tags: [], description: '' });
  await annotateSnapshot(repository, id, { setTags: ['x', 'y'], removeTags: ['x'], addTags: ['z'] });
  t.same(await look(), { tags: ['y', 'z'], description: '' });
  t.same(await repository.storage.get(name), before);
  t.same((await listSnapshots(repository))[0]!.snapshot.tags, ['a', 'b'], 'what was written can still be seen');
  t.equal((await listSnapshots(repository, { filter: { tags: ['z'] } })).length, 1, 'filters see tags as they are now');
  t.equal((await listSnapshots(repository, { filter: { tags: ['a'] } })).length, 0);
});

t.test('annotateSnapshot: of many at once none is lost', async (t) => {
  for (const storage of [undefined, new LocalFolder(`${t.testdir()}/repository`)]) {
    const repository = await makeRepository(storage);
    const { id } = await backUp(repository, { tags: [] });
    const tags = Array.from({ length: 12 }, (_, index) => `tag-${index}`);
    await Promise.all(tags.map((tag) => annotateSnapshot(repository, id, { addTags: [tag] })));
    t.same((await listSnapshots(repository))[0]!.tags.toSorted(), tags.toSorted());
    t.equal((await namesIn(repository.storage, 'owner/annotations/')).length, 12);
  }
});

t.test('annotateSnapshot: damage elsewhere is not in the way, damage of the snapshot is', async (t) => {
  const repository = await makeRepository();
  const [first, second] = [await backUp(repository, at(1)), await backUp(repository, at(2))];
  const mark = await markDeleted(repository, [first.id]);
  await replaceObject(repository.storage, mark, Buffer.from('torn'));
  await replaceObject(repository.storage, first.name, Buffer.from('torn'));
  t.same((await annotateSnapshot(repository, second.id, { addTags: ['x'] })).tags, ['daily', 'x']);
  await t.rejects(annotateSnapshot(repository, first.id, { addTags: ['x'] }), { code: 'malformed', object: first.name });
});

t.test('annotateSnapshot gives up on others that change it all the time', async (t) => {
  const repository = await makeRepository();
  const { id } = await backUp(repository);
  const racing = new FaultyStorage(repository.storage, {
    onCall: async (operation) => {
      if (operation === 'create') await annotateSnapshot(repository, id, { description: 'mine' });
    },
  });
  await t.rejects(annotateSnapshot(over(repository, racing), id, { description: 'yours' }), { code: 'unavailable' });
});

t.test('annotateSnapshot: what is refused', async (t) => {
  const repository = await makeRepository();
  const { id } = await backUp(repository);
  for (const tag of ['', 'a,b', 'a\nb'])
    await t.rejects(annotateSnapshot(repository, id, { addTags: [tag] }), { code: 'usage', found: tag });
  await t.rejects(annotateSnapshot(repository, id, { setTags: Array.from({ length: 1025 }, (_, index) => `t${index}`) }), {
    code: 'limit-exceeded',
  });
  await t.rejects(annotateSnapshot(repository, randomId<SnapshotId>(), { addTags: ['x'] }), { code: 'snapshot-not-found' });
  t.same(await namesIn(repository.storage, 'owner/annotations/'), []);
  t.equal((await readRoot(repository)).number, 0);
});
