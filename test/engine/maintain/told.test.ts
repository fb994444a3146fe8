/** What a person is told of a maintenance: its result, a dry run's forecast, progress, damage and warnings. */
import t from 'tap';
import { writeIndexTable } from '../../../engine/index/mod.ts';
import { maintainLimits } from '../../../engine/maintain/_limits.ts';
import { repackLimits } from '../../../engine/maintain/_repack-limits.ts';
import { type MaintainProgress, maintain } from '../../../engine/maintain/mod.ts';
import {
  beginSession,
  createRepository,
  holdSnapshots,
  markSnapshots,
  type Repository,
  readCatalogueRecord,
  readRoot,
  storeLostPacks,
  writeCheckpoint,
} from '../../../engine/repository/mod.ts';
import { type Storage, withOverrides } from '../../../engine/storage/mod.ts';
import {
  LaganError,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type SessionId,
  type SnapshotId,
} from '../../../repo-format/mod.ts';
import { secret } from '../backup/_fixture.ts';
import {
  advanceRoot,
  backUp,
  makeRepository,
  namesIn,
  randomId,
  replaceObject,
  sampleSnapshot,
  storePackList,
} from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { VersionedStorage } from '../storage/versioned-storage.ts';
import {
  expectSound,
  files,
  forget,
  leaveLitter,
  newHistory,
  packBytes,
  packs,
  snapshotOf,
  snapshotOfExactly,
  someOf,
  withLimits,
} from './_fixture.ts';
import { StoppedClock } from './parts/_versions.ts';

const nothing = { tree: null, packs: null, listPacks: [] };

/** Backups of nothing. */
async function backedUp(repository: Repository, count: number): Promise<SnapshotId[]> {
  const ids: SnapshotId[] = [];
  for (let day = 0; day < count; day++) ids.push((await backUp(repository, nothing)).id);
  return ids;
}

/** What a maintenance does, with what it tells meanwhile, and what it has deleted. */
async function watched(repository: Repository, options: Parameters<typeof maintain>[1] = {}) {
  const progress: string[] = [];
  const deleted: string[] = [];
  const remove: Storage['delete'] = async (names, given) => {
    deleted.push(...names);
    await repository.storage.delete(names, given);
  };
  const onProgress = ({ phase, filesDone, bytesDone }: MaintainProgress) => progress.push(`${phase} ${filesDone} ${bytesDone}`);
  const storage = withOverrides(repository.storage, { delete: remove });
  return { result: await maintain({ ...repository, storage }, { ...options, onProgress }), progress, deleted };
}

t.test('maintain: tells each snapshot that it reads, and each that it reads again', async (t) => {
  const repository = await makeRepository();
  await backedUp(repository, 3);
  const looked = ['survey 0 0', 'survey 1 0', 'survey 2 0', 'survey 3 0'];
  t.same((await watched(repository, { dryRun: true })).progress, looked);
  await leaveLitter(repository);
  await leaveLitter(repository);
  const { result, progress } = await watched(repository);
  t.same(progress, [...looked, 'collect 3 0', 'survey 4 0', 'survey 5 0', 'survey 6 0', 'delete 2 2000']);
  t.match(result, { outcome: 'collected', freedPacks: 2, freedBytes: 2000, deletedObjects: 0, snapshots: 3 });
});

t.test('maintain: a dry run forecasts what is then done, and the result is what the store shows', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const contents = files('a', 8);
  const first = await snapshotOfExactly(history, contents);
  await snapshotOfExactly(history, someOf(contents, 2));
  await leaveLitter(repository);
  await forget(history, first);
  const before = await packBytes(history);
  const dry = await watched(repository, { dryRun: true });
  const { result, progress, deleted } = await watched(repository);
  const forecast = { snapshots: 1, droppedSnapshots: 1, repackedPacks: 1, freedPacks: 3, foldedTables: 2, foldedSnapshots: 1 };
  const reasons = { repackReasons: { unused: 1, epoch: 0, small: 0, scattered: 0 }, unusedBytes: 0, heldSnapshots: 0, isUnderWay: false };
  t.match(dry.result, { ...forecast, ...reasons, outcome: 'dry-run', collections: 0, deletedObjects: 0, locks: null });
  t.match(result, { ...forecast, ...reasons, outcome: 'collected', collections: 1, deletedObjects: deleted.length - 3, locks: null });
  t.equal(dry.result.freedBytes, result.freedBytes);
  const [copies, after] = [await namesIn(repository.storage, objectPrefixes.collectorPacks), await packBytes(history)];
  t.match(result, { neededPacks: 2, neededBytes: after, freedBytes: before - (after - result.repackedBytes) });
  t.equal(result.repackedBytes, (await repository.storage.get(copies[0]!)).length);
  t.ok(Math.abs(dry.result.neededBytes - after) < 0.5 * after, `about: ${dry.result.neededBytes} and ${after}`);
  t.ok(Math.abs(dry.result.repackedBytes - result.repackedBytes) < 0.5 * after, `about: ${dry.result.repackedBytes}`);
  const of = (phase: string) => progress.filter((line) => line.startsWith(phase));
  t.match(of('repack').at(-1), /^repack \d+ 160000$/, 'bytes that were copied');
  t.equal(of('delete').at(0), `delete 3 ${result.freedBytes}`, 'packs first');
  t.equal(of('delete').at(-1), `delete ${deleted.length} ${result.freedBytes}`);
  t.ok(result.durationMs > 0 && dry.result.durationMs > 0);
  await expectSound(t, history);
});

t.test('maintain: how long it took', async (t) => {
  new StoppedClock(t);
  t.equal((await maintain(await makeRepository())).durationMs, 0);
});

t.test('maintain: nodes of trees that it reads count as snapshots do', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('a', 1));
  const { progress, result } = await watched(history.repository, { dryRun: true, maxUnused: 0 });
  t.same(progress.slice(0, 2), ['survey 0 0', 'survey 1 0']);
  t.match(progress.at(-1), /^survey [2-9] 0$/);
  t.equal(result.unusedBytes, 0);
  t.equal((await maintain(history.repository, { dryRun: true, maxRepackBytes: 0 })).unusedBytes, 0);
  t.equal((await maintain(history.repository, { dryRun: true })).unusedBytes, null, 'it was not looked');
});

t.test('maintain: held snapshots, unfinished backups, and those that ended, are counted', async (t) => {
  const repository = await makeRepository();
  const [held, forgotten] = await backedUp(repository, 4);
  await markSnapshots(repository, [held!, forgotten!], { reason: 'test' });
  await holdSnapshots(repository, [held!], { until: null, reason: 'test' });
  const now = Math.floor(Date.now() / 1000);
  for (const age of [0, maintainLimits.checkpointSeconds - 60, maintainLimits.checkpointSeconds + 60]) {
    const session = await beginSession(repository);
    const ended = { seconds: now - age, nanoseconds: 0 };
    await writeCheckpoint(repository, { session, number: 0, snapshot: sampleSnapshot(session, { ...nothing, ended, partial: true }) });
  }
  const counts = { snapshots: 3, droppedSnapshots: 1, heldSnapshots: 1, unfinishedSessions: 2, endedCheckpoints: 1 };
  t.match(await maintain(repository, { dryRun: true }), { ...counts, outcome: 'dry-run', foldedSnapshots: 3 });
  t.match(await maintain(repository), { ...counts, outcome: 'collected', foldedSnapshots: 3, rescuedPacks: 0 });
  const later = { snapshots: 3, droppedSnapshots: 0, heldSnapshots: 1, unfinishedSessions: 2, endedCheckpoints: 0, foldedSnapshots: 0 };
  t.match(await maintain(repository, { dryRun: true }), { ...later, outcome: 'dry-run' });
  t.match(await maintain(repository), { ...later, outcome: 'idle' });
});

t.test('maintain: so many snapshots beside the catalogue are a reason to fold them, and once folded no more', async (t) => {
  const repository = await makeRepository();
  await backedUp(repository, maintainLimits.foldedObjects - 1);
  t.match(await maintain(repository), { outcome: 'idle', collections: 0, foldedSnapshots: 0 });
  t.match(await maintain(repository, { dryRun: true }), { foldedSnapshots: 0 });
  await backedUp(repository, 1);
  const folded = { foldedSnapshots: maintainLimits.foldedObjects, snapshots: maintainLimits.foldedObjects };
  t.match(await maintain(repository, { dryRun: true }), { outcome: 'dry-run', collections: 0, ...folded });
  t.match(await maintain(repository), { outcome: 'collected', collections: 1, ...folded });
  t.match(await maintain(repository), { outcome: 'idle', collections: 0, foldedSnapshots: 0 });
  await leaveLitter(repository);
  t.match(await maintain(repository, { dryRun: true }), { foldedSnapshots: 0, freedPacks: 1 }, 'they are in the catalogue');
  t.match(await maintain(repository), { foldedSnapshots: 0, freedPacks: 1 });
});

t.test('maintain: a collection that somebody has begun is told by a dry run, and finished by the next', async (t) => {
  const repository = await makeRepository();
  await backedUp(repository, 1);
  t.equal((await maintain(repository, { dryRun: true })).isUnderWay, false);
  await advanceRoot(repository, { generation: 1, phase: 'condemned' });
  t.match(await maintain(repository, { dryRun: true }), { outcome: 'dry-run', isUnderWay: true });
  t.match(await maintain(repository), { outcome: 'collected', isUnderWay: false, collections: 1, foldedSnapshots: 1 });
  t.equal((await readRoot(repository)).phase, 'open');
});

t.test('maintain: damage is told once, however often it is met', async (t) => {
  const repository = await makeRepository();
  const ids = await backedUp(repository, 2);
  await leaveLitter(repository);
  for (const id of ids) await holdSnapshots(repository, [id], { until: null, reason: 'test' });
  const holds = await namesIn(repository.storage, objectPrefixes.holds);
  for (const name of holds) {
    const bytes = await repository.storage.get(name);
    bytes[bytes.length - 1]! ^= 1;
    await replaceObject(repository.storage, name, bytes);
  }
  const dry: string[] = [];
  await maintain(repository, { dryRun: true, onDamage: ({ object }) => dry.push(object!) });
  t.same(dry.sort(), holds, 'as soon as it is met');
  const told: string[] = [];
  const result = await maintain(repository, { onDamage: ({ object }) => told.push(object!) });
  t.match(result, { outcome: 'collected', freedPacks: 1, damage: [] });
  t.same(told.sort(), holds);
  t.match(await maintain(repository), { outcome: 'idle' }, 'who does not want to be told is not');
});

t.test('maintain: what is looked at again, once it is in the base index, is counted with the rest', async (t) => {
  withLimits(t, repackLimits, { tables: 1 });
  const history = await newHistory(t);
  const { repository } = history;
  const [a, b] = [files('a', 8), files('b', 8)];
  const gone = [await snapshotOfExactly(history, a), await snapshotOfExactly(history, { ...someOf(a, 2), ...b })];
  await snapshotOfExactly(history, { ...someOf(a, 2), ...someOf(b, 2) });
  await forget(history, ...gone);
  const { result } = await watched(repository);
  const copies = await Promise.all(
    (await namesIn(repository.storage, objectPrefixes.collectorPacks)).map((name) => repository.storage.get(name)),
  );
  const bytes = copies.reduce((sum, { length }) => sum + length, 0);
  t.match(result, { collections: 2, repackedPacks: 2, repackReasons: { unused: 2 }, repackedBytes: bytes, droppedSnapshots: 2 });
  t.equal(result.neededBytes, await packBytes(history));
  await expectSound(t, history);
});

t.test('maintain: many tables alone are no reason to look at all trees again', async (t) => {
  withLimits(t, repackLimits, { tables: 1 });
  const history = await newHistory(t);
  const { repository } = history;
  for (const seed of ['a', 'b']) await snapshotOf(history, files(seed, 1));
  await leaveLitter(repository);
  t.match(await maintain(repository), { collections: 1, unusedBytes: null, foldedTables: 2 });
});

t.test('maintain: little that is unused stays unless it is said otherwise', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const contents = files('a', 50, 4000);
  const first = await snapshotOfExactly(history, contents);
  await snapshotOfExactly(history, Object.fromEntries(Object.entries(contents).slice(2)));
  await forget(history, first);
  const planned = async (options: Parameters<typeof maintain>[1]) =>
    (await maintain(repository, { ...options, dryRun: true })).repackedPacks;
  t.equal(await planned({}), 0, 'four of a hundred');
  t.equal(await planned({ maxUnused: 0.01 }), 1);
  t.equal(await planned({ maxUnused: 0.01, maxRepackBytes: 1000 }), 0);
  t.equal(await planned({ maxUnused: 1 }), 0);
  await snapshotOfExactly(history, someOf(contents, 2));
  const [second] = [...history.expected.keys()];
  await forget(history, second!);
  t.equal(await planned({}), 1, 'half');
  t.equal(await planned({ maxUnused: 0.9 }), 0);
});

t.test('maintain: where another collector is always faster it gives up', async (t) => {
  withLimits(t, maintainLimits, { attempts: 3 });
  const repository = await makeRepository();
  await advanceRoot(repository, { generation: 1, phase: 'condemned' });
  let attempts = 0;
  const create: Storage['create'] = async (name, ...given) => {
    if (!name.startsWith(objectPrefixes.roots)) return repository.storage.create(name, ...given);
    attempts++;
    await advanceRoot(repository, { generation: 1 + attempts });
    return repository.storage.create(name, ...given);
  };
  const disturbed = { ...repository, storage: withOverrides(repository.storage, { create }) };
  await t.rejects(maintain(disturbed), { code: 'unavailable', hint: /try again/ });
  t.equal(attempts, 3);
});

/** A maintenance before or after whose n-th root something else happens. */
async function besides(
  repository: Repository,
  nth: number,
  { before, after }: { before?: () => Promise<unknown>; after?: () => Promise<unknown> },
) {
  let roots = 0;
  const create: Storage['create'] = async (name, ...given) => {
    const isIt = name.startsWith(objectPrefixes.roots) && ++roots === nth;
    if (isIt) await before?.();
    const outcome = await repository.storage.create(name, ...given);
    if (isIt) await after?.();
    return outcome;
  };
  return maintain({ ...repository, storage: withOverrides(repository.storage, { create }) });
}

t.test('maintain: what another collector has finished is not counted, and what it left is collected', async (t) => {
  for (const nth of [1, 2, 3]) {
    const repository = await makeRepository();
    await backedUp(repository, 1);
    await leaveLitter(repository);
    const other = async () => {
      t.match(await maintain(repository), { collections: 1, freedPacks: 1 });
      await leaveLitter(repository);
    };
    const result = await besides(repository, nth, { before: other });
    // One that had begun a collection itself ends with that.
    t.match(
      result,
      {
        collections: nth === 1 ? 1 : 0,
        freedPacks: nth === 1 ? 1 : 0,
        freedBytes: nth === 1 ? 1000 : 0,
        outcome: nth === 1 ? 'collected' : 'idle',
      },
      `root ${nth}`,
    );
    t.equal((await readRoot(repository)).phase, 'open');
    await maintain(repository);
    t.same(await namesIn(repository.storage, objectPrefixes.writerPacks), []);
  }
});

t.test('maintain: a backup that begins while a collection runs is not its business', async (t) => {
  const repository = await makeRepository();
  await backedUp(repository, 1);
  await leaveLitter(repository);
  const result = await besides(repository, 2, { after: () => backUp(repository, nothing) });
  t.match(result, { collections: 1, foldedSnapshots: 1, freedPacks: 1 });
  t.match(await maintain(repository), { outcome: 'idle', snapshots: 2 });
  const { snapshots } = await readCatalogueRecord(repository, await readRoot(repository));
  t.equal(snapshots.length, 1);
});

t.test('maintain: locks that are extended are told one by one, and warnings are passed on', async (t) => {
  const store = new VersionedStorage({ mode: 'governance', periodSeconds: 86_400 });
  const repository = await createRepository(store.storage, { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  await backedUp(repository, 1);
  const dry = await watched(repository, { dryRun: true });
  const { result, progress } = await watched(repository);
  const { extended } = result.locks!;
  t.equal(store.extensions, extended);
  t.same(
    progress.filter((line) => line.startsWith('lock')),
    Array.from({ length: extended }, (_, index) => `lock ${index + 1} 0`),
  );
  t.equal(dry.result.locks!.extended, extended);
  t.equal((await watched(repository)).progress.filter((line) => line.startsWith('lock')).length, 0, 'not due');
  const policy = async () => {
    throw new LaganError('forbidden', 'you may not ask');
  };
  const forbidden = withOverrides(store.storage, { locks: { ...store.storage.locks!, policy } });
  const warnings: string[] = [];
  const given = { ...repository, root: await readRoot(repository), storage: forbidden };
  t.equal((await maintain(given, { onWarning: ({ code }) => warnings.push(code) })).locks, null);
  t.same(warnings, ['forbidden']);
  t.equal((await maintain(given)).locks, null);
});

t.test('maintain: so many index tables are a reason to fold them', async (t) => {
  const repository = await makeRepository();
  const { storage, keys } = repository;
  const table = async () => {
    const name = objectNames.sessionIndex(0, randomId<SessionId>(), 0, 0);
    await writeIndexTable(storage, {
      name,
      keys,
      packs: [{ pack: randomId<PackId>(), kind: 'pack', names: new Uint8Array(0), sizeBytes: 1 }],
    });
  };
  for (let count = 1; count < maintainLimits.foldedObjects; count++) await table();
  t.match(await maintain(repository), { outcome: 'idle', foldedTables: 0 });
  await table();
  const folded = { foldedTables: maintainLimits.foldedObjects, foldedSnapshots: 0 };
  t.match(await maintain(repository, { dryRun: true }), { outcome: 'dry-run', ...folded });
  t.match(await maintain(repository), { outcome: 'collected', ...folded });
});

t.test('maintain: packs that another collector has doomed and not deleted are freed, without a collection', async (t) => {
  const repository = await makeRepository();
  const [there, gone] = ['1', '2'].map((digit) => digit.repeat(32) as PackId) as [PackId, PackId];
  await repository.storage.create(objectNames.pack(there), [new Uint8Array(70)]);
  await advanceRoot(repository, { doomed: await storePackList(repository, [there, gone]) });
  const freed = { collections: 0, freedPacks: 1, freedBytes: 70, neededPacks: 0, neededBytes: 0 };
  t.match(await maintain(repository, { dryRun: true }), { ...freed, outcome: 'dry-run' });
  t.match(await maintain(repository), { ...freed, outcome: 'collected' });
  t.match(await maintain(repository), { outcome: 'idle', freedPacks: 0, freedBytes: 0 });
});

t.test('maintain: condemned packs that something needs by now are rescued, and counted', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  await snapshotOf(history, files('a', 1));
  const litter = await leaveLitter(repository);
  const ids = (await packs(history)).map((name) => (parseObjectName(name) as { id: PackId }).id);
  await advanceRoot(repository, { generation: 1, phase: 'condemned', condemned: await storePackList(repository, ids) });
  t.match(await maintain(repository), { outcome: 'collected', rescuedPacks: ids.length - 1, freedPacks: 1, neededPacks: ids.length - 1 });
  t.notOk((await packs(history)).includes(litter));
  await expectSound(t, history);
});

t.test('maintain: what the root calls lost is told', async (t) => {
  const repository = await makeRepository();
  const [first, second] = ['1', '2'].map((digit) => digit.repeat(32) as PackId) as [PackId, PackId];
  const lost = new Map([
    [first, [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]],
    [second, [new Uint8Array(32).fill(3)]],
  ]);
  await advanceRoot(repository, { lost: await storeLostPacks(repository, await readRoot(repository), { lost }) });
  for (const dryRun of [true, false]) t.match(await maintain(repository, { dryRun }), { lostPacks: 2, lostChunks: 3, damage: [] });
});

t.test('maintain: it lists the packs once to know what there is, and once to delete', async (t) => {
  const repository = await makeRepository();
  const counting = new FaultyStorage(repository.storage);
  const listings = () => counting.calls.filter(({ operation, name }) => operation === 'list' && name === objectPrefixes.writerPacks).length;
  await maintain({ ...repository, storage: counting });
  t.equal(listings(), 1, 'nothing is to be deleted');
  await leaveLitter(repository);
  t.match(await maintain({ ...repository, storage: counting }), { freedPacks: 1 });
  t.equal(listings(), 3);
});

t.test('maintain: what vanishes while another collector is at work is looked for again; any other error is one', async (t) => {
  withLimits(t, maintainLimits, { attempts: 3 });
  /** How often it came to the end of a deletion, where that fails so often. */
  const ends = async (code: 'not-found' | 'object-missing' | 'io', { failures, isMoving }: { failures: number; isMoving: boolean }) => {
    const repository = await makeRepository();
    let count = 0;
    const removeLitter = async () => {
      if (++count > failures) return 0;
      if (isMoving) await advanceRoot(repository, {});
      throw new LaganError(code, 'no');
    };
    const disturbed = { ...repository, storage: withOverrides(repository.storage, { removeLitter }) };
    const outcome = await maintain(disturbed).then(
      (result) => result.outcome,
      (error: LaganError) => error.code,
    );
    return `${outcome} ${count}`;
  };
  t.equal(await ends('not-found', { failures: 1, isMoving: true }), 'idle 2');
  t.equal(await ends('object-missing', { failures: 2, isMoving: true }), 'idle 3');
  t.equal(await ends('not-found', { failures: 3, isMoving: true }), 'not-found 3');
  t.equal(await ends('not-found', { failures: 1, isMoving: false }), 'not-found 1');
  t.equal(await ends('object-missing', { failures: 1, isMoving: false }), 'object-missing 1');
  t.equal(await ends('io', { failures: 1, isMoving: true }), 'io 1');
});
