/** Repacking: space that is unused in packs which something needs comes back, and nothing is lost. */
import t from 'tap';
import { rewriteSnapshot } from '../../../engine/backup/mod.ts';
import { check } from '../../../engine/check/mod.ts';
import { movedChunks, openBaseIndex } from '../../../engine/index/mod.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { listSnapshots, readRoot, unmarkSnapshots } from '../../../engine/repository/mod.ts';
import { type FileEntry, isCollectorPack, objectNames, type SnapshotId } from '../../../repo-format/mod.ts';
import { entriesOf, extentsOf } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';
import { namesIn, replaceObject } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import {
  backUpOf,
  expectSound,
  files,
  forget,
  type History,
  latestContents,
  maintainUntilIdle,
  newHistoryOfSmallPacks,
  over,
  packBytes,
  packs,
  snapshotOf,
  snapshotOfExactly,
  someOf,
} from './_fixture.ts';

const thorough = { maxUnused: 0 } as const;

/** A snapshot of many files, and one of every second of them. */
async function halved(history: History) {
  const all = files('a', 40, 3000);
  const first = await snapshotOfExactly(history, all);
  const second = await snapshotOfExactly(history, someOf(all, 2));
  return { all, first, second };
}

const collectorPacks = ({ repository }: History) => namesIn(repository.storage, 'collector/packs/');

t.test('maintain: what only a forgotten snapshot had of shared packs is freed, in one run', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const { all, first } = await halved(history);
  const before = await packBytes(history);
  await forget(history, first);
  const dry = await maintain(history.repository, { dryRun: true });
  t.ok(dry.repackedPacks > 0 && dry.freedBytes > 0.9 * before, `${dry.repackedPacks} packs would be repacked`);
  t.equal(await packBytes(history), before, 'a dry run copies nothing');
  const result = await maintain(history.repository);
  const after = await packBytes(history);
  t.match(result, { outcome: 'collected', collections: 1, repackedPacks: dry.repackedPacks, freedPacks: dry.freedPacks });
  t.ok(after < 0.62 * before, `${after} of ${before} bytes are left`);
  t.equal(result.neededBytes, after);
  t.ok(Math.abs(dry.repackedBytes - result.repackedBytes) < 0.2 * before, `${dry.repackedBytes} said, ${result.repackedBytes} copied`);
  await expectSound(t, history);
  t.match(await maintain(history.repository), { outcome: 'idle', unusedBytes: null });
  await snapshotOfExactly(history, someOf(all, 2));
  t.ok((await packBytes(history)) - after < 0.1 * before, 'the next backup finds the copies');
  await expectSound(t, history);
});

t.test('maintain: what little is unused stays, until somebody asks for it', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const all = files('a', 100, 3000);
  const first = await snapshotOfExactly(history, all);
  // Of the middle: of packs that keep others.
  await snapshotOfExactly(history, Object.fromEntries(Object.entries(all).toSpliced(50, 3)));
  await forget(history, first);
  const lenient = await maintain(history.repository, { maxUnused: 0.3 });
  t.match(lenient, { outcome: 'collected', repackedPacks: 0 });
  t.ok(lenient.unusedBytes! > 7000, `${lenient.unusedBytes} bytes`);
  t.match(await maintain(history.repository, { maxRepackBytes: 0, maxUnused: 0 }), { outcome: 'idle', repackedPacks: 0 });
  const before = await packBytes(history);
  const asked = await maintain(history.repository, thorough);
  t.ok(asked.repackedPacks > 0 && asked.unusedBytes! < 100, `${asked.unusedBytes} bytes stay unused`);
  t.ok(before - (await packBytes(history)) > 9000);
  t.match(await maintain(history.repository, thorough), { outcome: 'idle', repackedPacks: 0 });
  await expectSound(t, history);
});

t.test('maintain: after a rewrite all that was left out is gone, however little it was', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const all = { ...files('a', 60, 3000), ...files('secret', 1, 2000) };
  const id = await snapshotOfExactly(history, all);
  const [info] = await listSnapshots(history.repository);
  const { snapshotId } = await rewriteSnapshot(history.repository, info!, { patterns: ['secret'] });
  history.expected.delete(id);
  history.expected.set(snapshotId!, new Map(Object.entries(all).filter(([name]) => !name.startsWith('secret'))));
  const before = await packBytes(history);
  t.match(await maintain(history.repository), { outcome: 'collected', droppedSnapshots: 1, unusedBytes: 0 });
  t.ok(before - (await packBytes(history)) > 2000);
  await expectSound(t, history);
  const told = await backUpOf(history, { force: true });
  t.ok(told.statistics.newBytes >= 2000, 'a backup that finds it again must store it again');
});

t.test('maintain: packs that were replaced by packs that are replaced: old snapshots lead to the last ones', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const all = files('a', 48, 3000);
  const kept = await snapshotOfExactly(history, someOf(all, 6));
  const dropped = [
    await snapshotOfExactly(history, all),
    await snapshotOfExactly(history, someOf(all, 3)),
    await snapshotOfExactly(history, someOf(all, 2)),
  ];
  let bytes = await packBytes(history);
  for (const id of dropped) {
    await forget(history, id);
    t.match(await maintain(history.repository, thorough), { outcome: 'collected' });
    const left = await packBytes(history);
    t.ok(left <= bytes);
    bytes = left;
    await expectSound(t, history);
  }
  t.same([...history.expected.keys()], [kept]);
  t.same((await packs(history)).length === 0 || bytes < 12 * 3000, true, `${bytes} bytes are left of 8 files`);
});

t.test('maintain: a pack that is damaged is told of and left alone', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const { first } = await halved(history);
  await forget(history, first);
  const { storage } = history.repository;
  const sizes = await Promise.all((await packs(history)).map(async (pack) => ({ pack, sizeBytes: await storage.size(pack) })));
  // Packs of data are the largest.
  const name = sizes.reduce((largest, one) => (one.sizeBytes > largest.sizeBytes ? one : largest)).pack;
  const bytes = await storage.get(name);
  bytes[200]! ^= 1;
  await replaceObject(storage, name, bytes);
  const told: string[] = [];
  const result = await maintain(history.repository, { ...thorough, onDamage: ({ object }) => told.push(object!) });
  t.ok(result.repackedPacks > 0);
  t.same(told, [name]);
  t.ok((await packs(history)).includes(name));
});

t.test('maintain: a snapshot that comes to need a pack while it is repacked keeps it, in every order', async (t) => {
  for (const replacement of [1, 2, 3]) {
    const history = await newHistoryOfSmallPacks(t);
    const { all, first } = await halved(history);
    await forget(history, first);
    let calls = 0;
    const storage = new FaultyStorage(history.repository.storage, {
      onCall: async (operation, name) => {
        if (operation !== 'create' || !name.startsWith('collector/roots/') || ++calls !== replacement) return;
        await snapshotOfExactly(history, all);
      },
    });
    const result = await maintain(over(history, storage).repository, thorough);
    if (replacement === 1) t.ok(result.rescuedPacks > 0, `${result.rescuedPacks} packs stay`);
    await expectSound(t, history);
    await maintainUntilIdle(history.repository);
    await expectSound(t, history);
    t.match(await backUpOf(history, { force: true }), { statistics: { newBytes: 0 } }, 'the index knows all chunks');
  }
});

t.test('maintain: a snapshot that is brought back while what it does not share is being replaced is whole', async (t) => {
  for (const replacement of [1, 2]) {
    const history = await newHistoryOfSmallPacks(t);
    const { all, first } = await halved(history);
    await forget(history, first);
    let calls = 0;
    const storage = new FaultyStorage(history.repository.storage, {
      onCall: async (operation, name) => {
        if (operation !== 'create' || !name.startsWith('collector/roots/') || ++calls !== replacement) return;
        await unmarkSnapshots(history.repository, [first]);
        history.expected.set(first, new Map(Object.entries(all)));
      },
    });
    const result = await maintain(over(history, storage).repository, thorough);
    t.ok(result.rescuedPacks > 0);
    await expectSound(t, history);
    await maintainUntilIdle(history.repository);
    await expectSound(t, history);
  }
});

t.test('maintain: what a repository has that was stored by two at once is kept once', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const all = files('a', 30, 3000);
  await snapshotOfExactly(history, all);
  // A client that does not see the tables of the first stores all again.
  const { storage } = history.repository;
  const tables = await namesIn(storage, 'writer/index/');
  const kept = await Promise.all(tables.map((name) => storage.get(name)));
  await storage.delete(tables);
  await snapshotOfExactly(history, all);
  for (const [index, name] of tables.entries()) await storage.create(name, [kept[index]!]);
  const before = await packBytes(history);
  await maintain(history.repository, thorough);
  const after = await packBytes(history);
  t.ok(after < 0.6 * before, `${after} of ${before} bytes are left`);
  await expectSound(t, history);
  t.match(await maintain(history.repository, thorough), { repackedPacks: 0 });
});

t.test('maintain: base index and packs of a repacked repository: each chunk is found, none is doomed that is needed', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const { first } = await halved(history);
  await forget(history, first);
  await maintain(history.repository, thorough);
  t.ok((await collectorPacks(history)).length > 0);
  t.equal((await readRoot(history.repository)).phase, 'open');
  const { notes } = await check(history.repository, { readData: true, workers: 1 });
  t.same(notes, [], 'nothing is litter');
  t.equal(latestContents(history).size, 20);
});

/** How often the pack changes from chunk to chunk of a file, where each chunk is now. */
async function packChanges(history: History, name: string): Promise<number> {
  const { repository, source } = history;
  const moved = movedChunks(repository);
  const present = new Set([...(await packs(history)), ...(await collectorPacks(history))]);
  const packsInOrder: string[] = [];
  for (const extent of await extentsOf(repository, (await entriesOf(repository, source)).get(name) as FileEntry)) {
    if (extent.kind !== 'data') continue;
    const { name: chunk, pack } = extent;
    if (present.has(objectNames.pack(pack))) packsInOrder.push(pack);
    else
      for await (const now of moved.packsOf(chunk, pack)) {
        packsInOrder.push(now);
        break;
      }
  }
  return packsInOrder.filter((pack, index) => index > 0 && pack !== packsInOrder[index - 1]).length;
}

t.test('maintain: what the newest snapshot uses of packs that it uses little of is put in its order; older ones are whole', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const bytes = randomBytesOf('database', 400_000);
  for (let day = 0; day < 10; day++) {
    const page = (number: number) => ((number * 37 + day * 11) % 400) * 1000;
    for (let number = 0; number < 40; number++) bytes.set(randomBytesOf(`${day} ${number}`, 1000), page(number));
    await snapshotOfExactly(history, { database: Uint8Array.from(bytes) });
  }
  const scattered = await packChanges(history, 'database');
  const { repackedPacks, repackReasons, outcome } = await maintain(history.repository);
  t.equal(outcome, 'collected');
  t.ok(repackedPacks > 10, `${repackedPacks} packs were repacked`);
  t.equal(repackReasons.scattered, repackedPacks);
  const grouped = await packChanges(history, 'database');
  t.ok(grouped < 0.6 * scattered, `the pack changes ${grouped} times, before it was ${scattered}`);
  await expectSound(t, history);
  t.match(await maintain(history.repository), { outcome: 'idle', repackedPacks: 0 });
  const { statistics } = await backUpOf(history, { force: true });
  t.equal(statistics.newBytes, 0, 'the next backup finds all chunks in their new packs');
});

t.test('maintain: nodes of trees are repacked like chunks of files; backups and readers go on from them', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const ids: SnapshotId[] = [];
  // Each day adds folders, which all later snapshots share, and changes one that none shares.
  for (let day = 0; day < 5; day++) {
    const added = [0, 1, 2, 3].map((folder) => files(`day-${day}/folder-${folder}`, 8, 100));
    const changed = Object.entries(files(`${day}`, 20, 100)).map(([, bytes], file) => [`changing/${file}`, bytes] as const);
    ids.push(await snapshotOf(history, Object.assign({}, ...added, Object.fromEntries(changed))));
  }
  await forget(history, ...ids.slice(0, -1));
  t.ok((await maintain(history.repository, thorough)).repackedPacks > 0);
  const { baseIndex } = await readRoot(history.repository);
  const { storage, keys } = history.repository;
  const [newest] = await openBaseIndex(storage, { reference: baseIndex, keys, memory: undefined });
  const nodes = newest!.packs.filter(({ id, kind }) => kind === 'metadata-pack' && isCollectorPack(id));
  t.ok(nodes.length > 0, `${nodes.length} packs of nodes`);
  await expectSound(t, history);
  const { statistics, errors } = await backUpOf(history);
  t.same(errors, []);
  t.equal(statistics.newBytes, 0);
});

t.test('check: damage in a pack that replaced others is told with the files of old snapshots that it hurts', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const { first, second } = await halved(history);
  await forget(history, first);
  await maintain(history.repository, thorough);
  const { storage } = history.repository;
  const [name] = await collectorPacks(history);
  const bytes = await storage.get(name!);
  bytes[200]! ^= 1;
  await replaceObject(storage, name!, bytes);
  const { errors } = await check(history.repository, { readData: true, workers: 1 });
  t.match(errors, [{ object: name, snapshots: [second] }]);
  t.ok(errors[0]!.pathCount > 0 && errors[0]!.pathCount < 20, `${errors[0]!.pathCount} of 20 files`);
  await storage.delete([name!]);
  const missing = await check(history.repository, { workers: 1 });
  t.match(missing.errors, [{ code: 'pack-missing', object: name, snapshots: [second] }]);
});
