/** The writer's side of the collector's protocol; the names in brackets are the seeded mistakes of the model that each test would let through. */
import t from 'tap';
import { writeIndexTable } from '../../../engine/index/mod.ts';
import { contextOf } from '../../../engine/repository/_context.ts';
import { createSealed } from '../../../engine/repository/_sealed-objects.ts';
import {
  beginSession,
  commitSnapshot,
  isSuperseded,
  listCheckpoints,
  listIndexTables,
  listSnapshots,
  type Repository,
  readRoot,
  type SessionIndexTable,
  writeCheckpoint,
} from '../../../engine/repository/mod.ts';
import { withoutSuperseded } from '../../../engine/repository/sessions.ts';
import { encodeSnapshot, type LaganError, objectNames, type PackId, type SessionId } from '../../../repo-format/mod.ts';
import { FaultyStorage, withFlippedBit } from '../storage/faulty-storage.ts';
import { advanceRoot, backUp, makeRepository, randomId, replaceObject, sampleSnapshot, storeCatalogue, storePackList } from './sample.ts';

const over = (repository: Repository, storage: Repository['storage']): Repository => ({ ...repository, storage });
const tableName = (generation: number, session: SessionId, from: number, to: number) =>
  objectNames.sessionIndex(generation, session, from, to);
const store = (repository: Repository, ...names: string[]) =>
  Promise.all(names.map((name) => repository.storage.create(name, [Buffer.from('table')])));
const session1 = '1'.repeat(32) as SessionId;
const session2 = '2'.repeat(32) as SessionId;

t.test('beginSession: generation and root of now, a new id each time', async (t) => {
  const repository = await makeRepository();
  await advanceRoot(repository, { generation: 5 });
  const [first, second] = [await beginSession(repository), await beginSession(repository)];
  t.match(first, { generation: 5, root: { number: 1 }, indexTables: [], excludedPacks: new Set() });
  t.not(first.id, second.id);
});

t.test('beginSession: index tables from floor on, without those that others contain', async (t) => {
  const repository = await makeRepository();
  await advanceRoot(repository, { generation: 0x20, floor: 0x10, pastFloor: 0x10 });
  const names = [
    tableName(0x10, session1, 0, 0),
    tableName(0x10, session1, 1, 3),
    tableName(0x11, session1, 0, 0),
    tableName(0x20, session2, 0, 5),
  ];
  const superseded = [tableName(0x10, session1, 2, 2), tableName(0x10, session1, 1, 1), tableName(0x20, session2, 5, 5)];
  const old = [tableName(0xf, session1, 0, 9), tableName(0, session2, 0, 0)];
  await store(repository, ...names, ...superseded, ...old, 'writer/index/0000000000000010/readme');
  const { indexTables } = await beginSession(repository);
  t.same(
    indexTables.map(({ name }) => name),
    names,
  );
  t.match(indexTables[1], { generation: 0x10, session: session1, from: 1, to: 3, sizeBytes: 5 });
});

t.test('beginSession: while the collector fences, a writer knows which tables it must list itself [pendingTables]', async (t) => {
  const repository = await makeRepository();
  await store(repository, tableName(0, session1, 0, 0), tableName(1, session1, 0, 0), tableName(2, session2, 0, 0));
  const root = await advanceRoot(repository, { generation: 2, floor: 2, pastFloor: 1, phase: 'fencing' });
  const generations = (tables: readonly SessionIndexTable[]) => tables.map(({ generation }) => generation);
  const { indexTables, pendingTables } = await beginSession(repository);
  t.same([generations(indexTables), generations(pendingTables)], [[2], [1]]);
  t.same(generations(await listIndexTables(repository, root)), [1, 2]);
});

t.test('beginSession: condemned and doomed packs are left out [dedupCondemned]', async (t) => {
  const repository = await makeRepository();
  const packs = [randomId<PackId>(), randomId<PackId>(), randomId<PackId>()];
  const [condemned, doomed] = [await storePackList(repository, packs.slice(0, 2)), await storePackList(repository, packs.slice(1))];
  await advanceRoot(repository, { generation: 1, phase: 'condemned', condemned, doomed });
  t.same((await beginSession(repository)).excludedPacks, new Set(packs));
  const name = objectNames.lostList(doomed.id);
  await replaceObject(repository.storage, name, await repository.storage.get(objectNames.lostList(condemned.id)));
  await t.rejects(beginSession(repository), { code: 'authentication-failed', object: name });
  await repository.storage.delete([name]);
  await t.rejects(beginSession(repository), { code: 'object-missing', object: name });
});

t.test('beginSession begins anew if floor moves while it lists [the read that the first draft lacked]', async (t) => {
  const repository = await makeRepository();
  await store(repository, tableName(0, session1, 0, 0), tableName(1, session2, 0, 0));
  let listings = 0;
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'list' || name !== 'writer/index/' || ++listings > 1) return;
      await advanceRoot(repository, { generation: 1, phase: 'condemned' });
      await advanceRoot(repository, { floor: 1, pastFloor: 1, phase: 'open' });
    },
  });
  const session = await beginSession(over(repository, storage));
  t.ok(listings > 1);
  t.match(session, { generation: 1, root: { floor: 1 } });
  t.same(
    session.indexTables.map(({ generation }) => generation),
    [1],
  );
});

t.test('writeCheckpoint: stored, and told if the collector has passed the session', async (t) => {
  const repository = await makeRepository();
  const session = await beginSession(repository);
  const snapshot = sampleSnapshot(session, { partial: true });
  await writeCheckpoint(repository, { session, number: 0, snapshot });
  t.equal(await isSuperseded(repository, session), false);
  await advanceRoot(repository, { generation: 1, floor: 1, pastFloor: 0, phase: 'fencing' });
  await t.rejects(writeCheckpoint(repository, { session, number: 1, snapshot }), { code: 'superseded', found: 0 });
  t.match(await listCheckpoints(repository), [{ number: 1 }], 'it may still be catalogued');
  t.equal(await isSuperseded(repository, session), true);
  await advanceRoot(repository, { pastFloor: 1, phase: 'open', catalogue: null });
  t.same(await listCheckpoints(repository), []);
});

t.test('beginSession begins anew if the generation moves: the collector would pass it soon', async (t) => {
  const repository = await makeRepository();
  let moved = false;
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (moved || operation !== 'list' || name !== 'writer/index/') return;
      moved = true;
      await advanceRoot(repository, { generation: 1, phase: 'condemned' });
    },
  });
  t.equal((await beginSession(over(repository, storage))).generation, 1);
});

t.test('commitSnapshot: it stands as long as floor has not passed it', async (t) => {
  const repository = await makeRepository();
  const session = await beginSession(repository);
  await advanceRoot(repository, { generation: 3, phase: 'condemned' });
  const info = await commitSnapshot(repository, { session, snapshot: sampleSnapshot(session) });
  t.match(info, { id: session.id, generation: 0, standing: 'valid' });
  t.same(await listSnapshots(repository), [info]);
});

t.test('commitSnapshot: one that floor has passed is told so [noPostCheck]', async (t) => {
  const repository = await makeRepository();
  const session = await beginSession(repository);
  await advanceRoot(repository, { generation: 1, floor: 1, pastFloor: 1 });
  await t.rejects(commitSnapshot(repository, { session, snapshot: sampleSnapshot(session) }), { code: 'superseded' });
  t.same(await listSnapshots(repository), []);
});

t.test('commitSnapshot: the root is read after the commit is durable', async (t) => {
  const repository = await makeRepository();
  const session = await beginSession(repository);
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation) => {
      if (operation === 'list') await advanceRoot(repository, { generation: 1, floor: 1, pastFloor: 1 });
    },
  });
  await t.rejects(commitSnapshot(over(repository, storage), { session, snapshot: sampleSnapshot(session) }), { code: 'superseded' });
});

t.test('commitSnapshot: one that floor has passed stands if the catalogue lists it', async (t) => {
  const repository = await makeRepository();
  const session = await beginSession(repository);
  const catalogue = await storeCatalogue(repository, [{ id: session.id, generation: 0, object: new Uint8Array() }]);
  await advanceRoot(repository, { generation: 1, floor: 1, pastFloor: 1, catalogue });
  t.ok(await commitSnapshot(repository, { session, snapshot: sampleSnapshot(session) }));
  const other = { ...session, generation: 0, id: randomId<SessionId>() };
  await t.rejects(commitSnapshot(repository, { session: other, snapshot: sampleSnapshot(other) }), { code: 'superseded' });
});

t.test('commitSnapshot: while the collector fences, a pending one does not stand', async (t) => {
  const repository = await makeRepository();
  const session = await beginSession(repository);
  await advanceRoot(repository, { generation: 1, floor: 1, pastFloor: 0, phase: 'fencing' });
  await t.rejects(commitSnapshot(repository, { session, snapshot: sampleSnapshot(session) }), { code: 'superseded' });
  t.equal((await listSnapshots(repository))[0]!.standing, 'pending');
});

t.test('commitSnapshot: after a lost answer it is committed once', async (t) => {
  const repository = await makeRepository();
  const session = await beginSession(repository);
  const snapshot = sampleSnapshot(session);
  const storage = new FaultyStorage(repository.storage, { faults: [{ operation: 'create', call: 1, when: 'after' }] });
  await t.rejects(commitSnapshot(over(repository, storage), { session, snapshot }), { code: 'io' });
  t.ok(await commitSnapshot(over(repository, storage), { session, snapshot }));
  t.equal((await listSnapshots(repository)).length, 1);
  await t.rejects(commitSnapshot(repository, { session, snapshot: { ...snapshot, host: 'other' } }), { code: 'exists' });
  t.equal((await listSnapshots(repository))[0]!.snapshot.host, 'host');
});

t.test('commitSnapshot: a snapshot of another session or generation is a mistake', async (t) => {
  const repository = await makeRepository();
  const session = await beginSession(repository);
  await t.rejects(commitSnapshot(repository, { session, snapshot: sampleSnapshot({ ...session, id: session1 }) }), RangeError);
  await t.rejects(commitSnapshot(repository, { session, snapshot: sampleSnapshot({ ...session, generation: 1 }) }), RangeError);
  await t.rejects(writeCheckpoint(repository, { session, number: 0, snapshot: sampleSnapshot({ ...session, id: session1 }) }), RangeError);
});

t.test('two sessions at once both commit', async (t) => {
  const repository = await makeRepository();
  const sessions = await Promise.all([beginSession(repository), beginSession(repository)]);
  await Promise.all(sessions.map((session) => commitSnapshot(repository, { session, snapshot: sampleSnapshot(session) })));
  t.same((await listSnapshots(repository)).map(({ id }) => id).sort(), sessions.map(({ id }) => id).sort());
});

t.test('listCheckpoints: the newest of each session that has not committed', async (t) => {
  const repository = await makeRepository();
  const [open, committed, old] = [await beginSession(repository), await beginSession(repository), await beginSession(repository)];
  for (const session of [open, committed]) {
    for (const number of [0, 1, 2])
      await writeCheckpoint(repository, {
        session,
        number,
        snapshot: sampleSnapshot(session, { partial: true, description: `${number}` }),
      });
  }
  await commitSnapshot(repository, { session: committed, snapshot: sampleSnapshot(committed) });
  t.match(await listCheckpoints(repository), [{ id: open.id, generation: 0, number: 2, snapshot: { description: '2', partial: true } }]);
  t.same(await listSnapshots(repository).then((list) => list.map(({ id }) => id)), [committed.id], 'checkpoints are no snapshots');
  await advanceRoot(repository, { generation: 1, floor: 1, pastFloor: 1 });
  t.same(await listCheckpoints(repository), [], 'what the collector has passed does not count');
  t.ok(old);
});

t.test('listCheckpoints: damaged ones are told, vanished ones are not there', async (t) => {
  const repository = await makeRepository();
  const sessions = [await beginSession(repository), await beginSession(repository), await beginSession(repository)];
  for (const session of sessions) await writeCheckpoint(repository, { session, number: 0, snapshot: sampleSnapshot(session) });
  const names = sessions.map(({ id }) => objectNames.checkpoint(0, id, 0));
  await replaceObject(repository.storage, names[0]!, withFlippedBit(await repository.storage.get(names[0]!), 1000));
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (operation === 'get' && name === names[1]) await repository.storage.delete([name]);
    },
  });
  const damage: LaganError[] = [];
  const found = await listCheckpoints(over(repository, storage), { onDamage: (error) => damage.push(error) });
  t.same(
    found.map(({ id }) => id),
    [sessions[2]!.id],
  );
  t.match(damage, [{ code: 'authentication-failed', object: names[0] }]);
  await t.rejects(listCheckpoints(repository), { code: 'authentication-failed' });
});

t.test('readRoot: the highest number counts, in numeric order', async (t) => {
  const repository = await makeRepository();
  for (let number = 1; number <= 17; number++) await advanceRoot(repository, { generation: number });
  t.match(await readRoot(repository), { number: 17, generation: 17 });
});

t.test('readRoot: a store that has gone back is noticed', async (t) => {
  const repository = await makeRepository();
  const root = await advanceRoot(repository, { generation: 1 });
  const later = { ...repository, root };
  t.equal((await readRoot(later)).number, 1);
  await repository.storage.delete([objectNames.root(1)]);
  await t.rejects(readRoot(later), { code: 'rolled-back', object: objectNames.root(1) });
  await t.rejects(beginSession(later), { code: 'rolled-back' });
});

t.test(
  'beginSession: not in a store that went back: a root of the line is missing or another one, or something is of a later generation',
  async (t) => {
    for (const [number, spoil] of [
      [1, (repository: Repository) => repository.storage.delete([objectNames.root(1)])],
      [1, async ({ storage }: Repository) => replaceObject(storage, objectNames.root(1), await storage.get(objectNames.root(0)))],
    ] as const) {
      const repository = await makeRepository();
      for (const generation of [1, 2]) await advanceRoot(repository, { generation });
      await spoil(repository);
      await t.rejects(beginSession(repository), { code: 'rolled-back', object: objectNames.root(number) });
    }
    const payload = encodeSnapshot(sampleSnapshot({ id: session1, generation: 3 }));
    for (const [name, make] of [
      [objectNames.snapshot(3, session1), (repository, name) => createSealed(contextOf(repository), name, { kind: 'snapshot', payload })],
      [
        objectNames.checkpoint(3, session1, 0),
        (repository, name) => createSealed(contextOf(repository), name, { kind: 'checkpoint', payload }),
      ],
      [tableName(3, session1, 0, 0), ({ storage, keys }, name) => writeIndexTable(storage, { name, keys, packs: [] })],
    ] as [string, (repository: Repository, name: string) => Promise<unknown>][]) {
      const repository = await makeRepository();
      for (const generation of [1, 2]) await advanceRoot(repository, { generation });
      await store(repository, name);
      t.match(await beginSession(repository), { generation: 2 }, 'a name that anybody can make up shows nothing');
      await repository.storage.delete([name]);
      await make(repository, name);
      await t.rejects(beginSession(repository), { code: 'rolled-back', object: name });
      await advanceRoot(repository, { generation: 3 });
      t.match(await beginSession(repository), { generation: 3 }, 'a generation that the root has reached');
    }
  },
);

t.test('beginSession, commitSnapshot: a collector that prunes meanwhile is no rollback', async (t) => {
  const repository = await makeRepository();
  const prune = async () => {
    for (let generation = 1; generation <= 3; generation++) {
      const { number } = await advanceRoot(repository, { generation });
      await store(repository, objectNames.snapshot(generation, session1)).catch(() => undefined);
      await repository.storage.delete([objectNames.root(number - 1)]);
    }
    await advanceRoot(repository, { floor: 3 });
  };
  let isFirst = true;
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation) => {
      if (operation !== 'list' || !isFirst) return;
      isFirst = false;
      await prune();
    },
  });
  const session = await beginSession(over(repository, storage));
  t.match(session, { generation: 3 });
  await advanceRoot(repository, { generation: 4 });
  for (let number = 0; number <= session.root.number; number++) await repository.storage.delete([objectNames.root(number)]);
  const snapshot = sampleSnapshot(session);
  await t.rejects(
    commitSnapshot(repository, { session, snapshot }),
    { code: 'rolled-back' },
    'none is pruned before floor passes its sessions',
  );
  await advanceRoot(repository, { floor: 4 });
  await t.rejects(commitSnapshot(repository, { session, snapshot }), { code: 'superseded' });
});

t.test('readRoot: a root that is pruned while it is read has a newer one', async (t) => {
  const repository = await makeRepository();
  await advanceRoot(repository, { generation: 1 });
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'get' || name !== objectNames.root(1)) return;
      await advanceRoot(repository, { generation: 2 });
      await repository.storage.delete([objectNames.root(0), objectNames.root(1)]);
    },
  });
  t.match(await readRoot(over(repository, storage)), { number: 2, generation: 2 });
});

t.test('readRoot: a root under another number is not that root', async (t) => {
  const repository = await makeRepository();
  await repository.storage.create(objectNames.root(9), [await repository.storage.get(objectNames.root(0))]);
  await t.rejects(readRoot(repository), { code: 'name-mismatch', object: objectNames.root(9) });
});

t.test('withoutSuperseded: only a table of the same session and generation that contains it supersedes one', async (t) => {
  const table = (generation: number, session: SessionId, from: number, to: number): SessionIndexTable => ({
    name: tableName(generation, session, from, to),
    generation,
    session,
    from,
    to,
    sizeBytes: 1,
  });
  const kept = (tables: SessionIndexTable[]) =>
    withoutSuperseded(tables).map(({ session, generation, from, to }) => `${generation}${session[0]}:${from}-${to}`);
  t.same(kept([]), []);
  t.same(kept([table(0, session1, 0, 0), table(0, session1, 0, 1)]), ['01:0-1']);
  t.same(kept([table(0, session1, 0, 3), table(0, session1, 1, 2), table(0, session1, 3, 3), table(0, session1, 4, 4)]), [
    '01:0-3',
    '01:4-4',
  ]);
  t.same(kept([table(0, session1, 0, 2), table(0, session1, 1, 3)]), ['01:0-2', '01:1-3'], 'neither contains the other');
  t.same(kept([table(0, session1, 0, 2), table(0, session2, 1, 1), table(1, session1, 1, 1)]), ['01:0-2', '02:1-1', '11:1-1']);
  t.same(kept([table(0, session1, 0, 5), table(0, session1, 1, 3), table(0, session1, 2, 4)]), ['01:0-5']);
});

t.test('backUp of the sample is what the tests think it is', async (t) => {
  const repository = await makeRepository();
  t.equal((await backUp(repository)).snapshot.host, 'host');
});
