import t from 'tap';
import { contextOf } from '../../../engine/repository/_context.ts';
import { createSealed } from '../../../engine/repository/_sealed-objects.ts';
import {
  heldSnapshots,
  holdSnapshots,
  isHolding,
  listDroppable,
  listHolds,
  listMarks,
  listSnapshots,
  markSnapshots,
  type Repository,
  releaseSnapshots,
  removeHold,
  repositoryLimits,
  unmarkSnapshots,
} from '../../../engine/repository/mod.ts';
import { forgetSnapshots } from '../../../engine/retention/mod.ts';
import { encodeHold, type ObjectId, objectNames, type SnapshotId, type Time } from '../../../repo-format/mod.ts';
import { FaultyStorage, withFlippedBit } from '../storage/faulty-storage.ts';
import { advanceRoot, backUp, created, makeRepository, markDeleted, namesIn, randomId, replaceObject, storeCatalogue } from './sample.ts';

const at = (seconds: number): Time => ({ seconds, nanoseconds: 0 });
const margin = repositoryLimits.holdMarginSeconds;
const deletedIds = async (repository: Repository) =>
  (await listSnapshots(repository, { includeDeleted: true })).filter(({ deleted }) => deleted).map(({ id }) => id);
const forever = { until: null, reason: 'test' };

/** A hold of several snapshots, as another program may make. */
async function storeHold(repository: Repository, snapshots: readonly SnapshotId[], until: Time | null = null): Promise<string> {
  const name = objectNames.hold(randomId());
  await createSealed(contextOf(repository), name, { kind: 'hold', payload: encodeHold({ snapshots, until, reason: 'shared' }) });
  return name;
}

t.test('isHolding: a hold lasts a day longer than it says, whatever the clocks', async (t) => {
  const hold = { snapshots: [], reason: '', until: { seconds: 1000, nanoseconds: 5 } };
  t.ok(isHolding({ ...hold, until: null }, at(2 ** 50)));
  t.ok(isHolding(hold, at(1000 + margin)));
  t.ok(isHolding(hold, { seconds: 1000 + margin, nanoseconds: 4 }));
  t.notOk(isHolding(hold, { seconds: 1000 + margin, nanoseconds: 5 }));
  t.notOk(isHolding(hold, at(1001 + margin)));
});

t.test('heldSnapshots: holds add up, and the longest counts', async (t) => {
  const [a, b] = [randomId<SnapshotId>(), randomId<SnapshotId>()];
  const hold = (id: SnapshotId, until: Time | null) => ({ id: randomId(), name: '', value: { snapshots: [id], until, reason: '' } });
  const holds = [hold(a, at(50)), hold(a, at(90)), hold(a, at(70)), hold(b, null), hold(b, at(90))];
  t.same(heldSnapshots(holds, at(0)), new Map([[a, at(90)], [b, null]])); // biome-ignore format: a table
  t.same(heldSnapshots(holds, at(91 + margin)), new Map([[b, null]]));
});

t.test('listDroppable: marked and not held, whichever came first', async (t) => {
  const repository = await makeRepository();
  const [first, second, third] = [await backUp(repository), await backUp(repository), await backUp(repository)];
  await holdSnapshots(repository, [first.id], forever);
  await markSnapshots(repository, [first.id, second.id, third.id], { reason: 'test' });
  t.same(await listDroppable(repository), new Set([second.id, third.id]));
  t.same(await holdSnapshots(repository, [second.id], { until: at(1000), reason: '' }), new Map([[second.id, 'kept']]));
  t.same(await listDroppable(repository, { at: at(1000) }), new Set([third.id]));
  t.same(await listDroppable(repository, { at: at(1001 + margin) }), new Set([second.id, third.id]));
  t.same(await releaseSnapshots(repository, [first.id, third.id]), new Set([first.id]));
  t.same(await listDroppable(repository, { at: at(1000) }), new Set([first.id, third.id]));
});

t.test('listSnapshots: what is marked and held is there', async (t) => {
  const repository = await makeRepository();
  const { id } = await backUp(repository);
  await markSnapshots(repository, [id], { reason: 'test' });
  t.same(await deletedIds(repository), [id]);
  await holdSnapshots(repository, [id], forever);
  t.same(await deletedIds(repository), []);
  await releaseSnapshots(repository, [id]);
  t.same(await deletedIds(repository), [id]);
});

t.test('listSnapshots: until when each is held', async (t) => {
  const repository = await makeRepository();
  const [free, held, forEver] = [await backUp(repository), await backUp(repository), await backUp(repository)];
  const until = { seconds: Math.floor(Date.now() / 1000) + 3600, nanoseconds: 0 };
  await holdSnapshots(repository, [held.id, forEver.id], { until, reason: '' });
  await holdSnapshots(repository, [forEver.id], { until: null, reason: '' });
  const ends = new Map((await listSnapshots(repository)).map(({ id, heldUntil }) => [id, heldUntil]));
  t.same([ends.get(free.id), ends.get(held.id), ends.get(forEver.id)], [undefined, until, null]);
});

t.test('listDroppable: a damaged hold may hold anything, so nothing may be dropped; a damaged mark marks nothing', async (t) => {
  const repository = await makeRepository();
  const [first, second] = [await backUp(repository), await backUp(repository)];
  const mark = await markDeleted(repository, [first.id]);
  await markSnapshots(repository, [second.id], { reason: 'test' });
  const hold = await storeHold(repository, [second.id]);
  const { storage } = repository;
  await replaceObject(storage, mark, withFlippedBit(await storage.get(mark), 700));
  t.same(await listDroppable(repository, { onDamage: () => undefined }), new Set());
  await replaceObject(storage, hold, withFlippedBit(await storage.get(hold), 700));
  const damaged: string[] = [];
  t.same(await listDroppable(repository, { onDamage: (_error, name) => damaged.push(name) }), new Set());
  t.same(new Set(damaged), new Set([mark, hold]));
  await storage.delete([mark]);
  await t.rejects(listDroppable(repository), { code: 'authentication-failed', object: hold });
  await t.rejects(forgetSnapshots(repository, [first.id], { now: created, reason: 'test' }), { code: 'authentication-failed' });
  await removeHold(repository, hold.slice(hold.lastIndexOf('/') + 1) as ObjectId);
  t.same(await listDroppable(repository), new Set([second.id]));
});

t.test('unmarkSnapshots: all marks of a snapshot go; those of several as a whole', async (t) => {
  const repository = await makeRepository();
  const [first, second, third] = [await backUp(repository), await backUp(repository), await backUp(repository)];
  await markSnapshots(repository, [first.id, second.id], { reason: 'test' });
  await markSnapshots(repository, [first.id], { reason: 'again' });
  await markDeleted(repository, [first.id, third.id]);
  t.same(await unmarkSnapshots(repository, [first.id]), new Map([[first.id, 'kept'], [third.id, 'kept']])); // biome-ignore format: a table
  t.same(await deletedIds(repository), [second.id]);
  t.same(await unmarkSnapshots(repository, [first.id]), new Map([[first.id, 'kept']]));
  const unknown = randomId<SnapshotId>();
  t.same(await unmarkSnapshots(repository, [unknown]), new Map([[unknown, 'dropped']]));
});

t.test('releaseSnapshots: the other snapshots of a hold of several stay held, as long as they were', async (t) => {
  const repository = await makeRepository();
  const [first, second] = [await backUp(repository), await backUp(repository)];
  await storeHold(repository, [first.id, second.id], at(5000));
  t.same(await releaseSnapshots(repository, [first.id]), new Set([first.id]));
  t.match(await listHolds(repository), [{ value: { snapshots: [second.id], until: at(5000), reason: 'shared' } }]);
});

t.test('releaseSnapshots: killed at any call, the others are held at every moment', async (t) => {
  for (let call = 1; call <= 8; call++) {
    const repository = await makeRepository();
    const [first, second] = [await backUp(repository), await backUp(repository)];
    await storeHold(repository, [first.id, second.id]);
    const storage = new FaultyStorage(repository.storage, { faults: [{ call, forever: true }] });
    await releaseSnapshots({ ...repository, storage }, [first.id]).catch(() => undefined);
    t.ok(heldSnapshots(await listHolds(repository), at(0)).has(second.id), `call ${call}`);
  }
});

t.test('forgetSnapshots: two at once do no harm, and what was pinned meanwhile stays', async (t) => {
  const repository = await makeRepository();
  const snapshots = [await backUp(repository), await backUp(repository), await backUp(repository)];
  const ids = snapshots.map(({ id }) => id);
  await holdSnapshots(repository, [ids[0]!], forever);
  const forget = () => forgetSnapshots(repository, ids, { now: created, reason: 'test' });
  const results = await Promise.all([forget(), forget(), unmarkSnapshots(repository, [ids[2]!])]);
  for (const result of results.slice(0, 2)) t.match(result, { marked: ids.slice(1), held: new Map([[ids[0], null]]) });
  t.same(new Set(await deletedIds(repository)), new Set(ids.slice(1)));
  await unmarkSnapshots(repository, ids);
  t.same(await deletedIds(repository), []);
  t.same(await listMarks(repository), []);
});

t.test('forgetSnapshots: killed at any call, it has marked nothing but what it was to, and nothing that is held', async (t) => {
  for (let call = 1; ; call++) {
    const repository = await makeRepository();
    const [first, second, third] = [await backUp(repository), await backUp(repository), await backUp(repository)];
    await holdSnapshots(repository, [first.id], forever);
    const storage = new FaultyStorage(repository.storage, { faults: [{ call, forever: true, when: 'after' }] });
    const settings = { now: created, reason: 'test' };
    const outcome = await forgetSnapshots({ ...repository, storage }, [first.id, second.id], settings).catch(() => 'failed');
    const deleted = await deletedIds(repository);
    t.same(
      deleted.filter((id) => id !== second.id),
      [],
      `call ${call}`,
    );
    t.ok((await listMarks(repository)).every(({ value }) => !value.snapshots.includes(third.id) && !value.snapshots.includes(first.id)));
    if (outcome !== 'failed') break;
  }
});

t.test('forgetSnapshots: a pin that is made between the reading of the holds and the mark wins', async (t) => {
  const repository = await makeRepository();
  const { id } = await backUp(repository);
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (operation === 'create' && name.startsWith('owner/deletions/')) await holdSnapshots(repository, [id], forever);
    },
  });
  t.match(await forgetSnapshots({ ...repository, storage }, [id], { now: created, reason: 'test' }), { marked: [id] });
  t.same(await deletedIds(repository), []);
  t.same(await listDroppable(repository), new Set());
});

t.test('holdSnapshots and unmarkSnapshots: while a collection decides they wait for it, and then say what came of it', async (t) => {
  for (const isKept of [true, false]) {
    const repository = await makeRepository();
    const { id, generation } = await backUp(repository);
    await markSnapshots(repository, [id], { reason: 'test' });
    const before = await advanceRoot(repository, { generation: 1, floor: 1, phase: 'fencing', pastFloor: 0 });
    t.same(await holdSnapshots(repository, [id], { ...forever, patienceMs: 0 }), new Map([[id, 'undecided']]));
    const waiting = unmarkSnapshots(repository, [id]);
    const catalogue = await storeCatalogue(repository, isKept ? [{ id, generation, object: new Uint8Array(0) }] : []);
    await advanceRoot(repository, { generation: before.generation, phase: 'open', pastFloor: 1, catalogue });
    t.same(await waiting, new Map([[id, isKept ? 'kept' : 'dropped']]));
    t.same(await holdSnapshots(repository, [id], forever), new Map([[id, isKept ? 'kept' : 'dropped']]));
  }
});

t.test('holdSnapshots: what was committed after the fence is not what the collection decides about', async (t) => {
  const repository = await makeRepository();
  await advanceRoot(repository, { generation: 1, floor: 1, phase: 'fencing', pastFloor: 0 });
  const { id } = await backUp(repository);
  t.same(await holdSnapshots(repository, [id], { ...forever, patienceMs: 0 }), new Map([[id, 'kept']]));
});

t.test('unmarkSnapshots: ends at once when it is interrupted', async (t) => {
  const repository = await makeRepository();
  const { id } = await backUp(repository);
  await markSnapshots(repository, [id], { reason: 'test' });
  await advanceRoot(repository, { generation: 1, floor: 1, phase: 'fencing', pastFloor: 0 });
  const controller = new AbortController();
  const waiting = unmarkSnapshots(repository, [id], { signal: controller.signal, patienceMs: 60_000 });
  setTimeout(() => controller.abort(), 20);
  await t.rejects(waiting, { code: 'interrupted' });
});

t.test('marks and holds: each object is about one snapshot', async (t) => {
  const repository = await makeRepository();
  const ids = [(await backUp(repository)).id, (await backUp(repository)).id];
  await markSnapshots(repository, ids, { reason: 'why', time: created });
  await holdSnapshots(repository, ids, { until: created, reason: 'because' });
  t.equal((await namesIn(repository.storage, 'owner/deletions/')).length, 2);
  t.equal((await namesIn(repository.storage, 'owner/holds/')).length, 2);
  t.match(await listMarks(repository), [{ value: { time: created, reason: 'why', snapshots: { length: 1 } } }, {}]);
});
