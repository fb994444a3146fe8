/** What can be mended is mended, whatever was damaged; what is lost is said, and the rest is kept. */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { openFile, walkSnapshot } from '../../../engine/look/mod.ts';
import { backup, holdSnapshots, maintain, originOf } from '../../../engine/mod.ts';
import { repair } from '../../../engine/repair/mod.ts';
import { listMarks, listSnapshots, type Repository, type SnapshotInfo } from '../../../engine/repository/mod.ts';
import { footerLayout, isLaganError, LaganError } from '../../../repo-format/mod.ts';
import { flip, makeSample, namesBelow, type Objects, openDamaged, packsOf, resize } from '../../corruption/sample-repository.ts';
import { isEveryMoment } from '../../reliability/_moments.ts';
import { copyOf } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';

const sample = await makeSample(t.testdir());
const whole = await openDamaged(sample);
const [data] = await packsOf(whole, 'pack');
const [metadata] = await packsOf(whole, 'metadata-pack');
const [older, newer] = await Promise.all(sample.snapshots.map((info) => contentsOf(whole, info)));

type Contents = Map<string, string>;

/** A hash of each file, or the code with which it cannot be read; other entries by their type. */
async function contentsOf(repository: Repository, info: SnapshotInfo): Promise<Contents> {
  const contents: Contents = new Map();
  try {
    for await (const { path, entry } of walkSnapshot(repository, info)) {
      const name = Buffer.from(path).toString('latin1');
      contents.set(name, entry.type);
      if (entry.type !== 'file') continue;
      const hash = createHash('sha256');
      try {
        for await (const piece of openFile(repository, entry).stream()) hash.update(piece);
        contents.set(name, `${entry.extensions.readError?.code ?? 'whole'} ${hash.digest('hex')}`);
      } catch (error) {
        contents.set(name, isLaganError(error) ? error.code : String(error));
      }
    }
  } catch (error) {
    contents.set('*', isLaganError(error) ? error.code : String(error));
  }
  return contents;
}

/** Paths that the second has otherwise than the first, or not at all. */
function differences(expected: Contents, found: Contents): string[] {
  return [...expected].filter(([path, content]) => found.get(path) !== content).map(([path]) => path);
}

async function newCopies(repository: Repository): Promise<SnapshotInfo[]> {
  return (await listSnapshots(repository)).filter(({ snapshot }) => originOf(snapshot) !== null);
}

async function namesIn({ storage }: Repository): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list('')) names.push(name);
  return names;
}

/** Both snapshots are as they were, the check finds nothing, and the next repair has nothing to do. */
async function expectMended(t: Test, repository: Repository, { readData = true } = {}): Promise<void> {
  const snapshots = (await listSnapshots(repository)).filter(({ snapshot }) => originOf(snapshot) === null);
  t.same(differences(older!, await contentsOf(repository, snapshots[0]!)), [], 'the older snapshot is whole');
  t.same(differences(newer!, await contentsOf(repository, snapshots[1]!)), [], 'and the newer one');
  t.same((await check(repository, { readData })).errors, [], 'the check finds no damage');
}

t.test('repair: in a sound repository there is nothing to do, and nothing is written', async (t) => {
  const repository = await openDamaged(sample);
  const before = await namesIn(repository);
  t.match(await repair(repository), { outcome: 'sound', listedPacks: 0, salvaged: [], snapshots: [], left: [] });
  t.same(await namesIn(repository), before);
  t.match(await repair(repository, { readData: true }), { outcome: 'sound', snapshots: [] });
  const added = (await namesIn(repository)).filter((name) => !before.includes(name));
  t.ok(added.length === 1 && added[0]!.startsWith('writer/verified/'), 'but what was verified is remembered');
});

t.test('repair: all index tables are lost', async (t) => {
  const repository = await openDamaged(sample, (objects) => {
    for (const name of namesBelow(objects, 'writer/index/')) objects.delete(name);
  });
  t.match((await check(repository)).errors, [{ code: 'object-missing', object: 'writer/index/' }]);
  const packs = namesBelow(sample.objects, 'writer/packs/').length;
  t.match(await repair(repository), { outcome: 'repaired', listedPacks: packs, salvaged: [], snapshots: [], left: [] });
  await expectMended(t, repository);
  t.match(await repair(repository), { outcome: 'sound' });
  const { statistics } = await backup(repository, { paths: [sample.source], force: true, workers: 1 });
  t.equal(statistics.newBytes, 0, 'the next backup finds all chunks');
});

t.test('repair: one index table is damaged', async (t) => {
  const repository = await openDamaged(sample, (objects) => flip(objects, namesBelow(objects, 'writer/index/')[0]!, 90));
  const [table] = namesBelow(sample.objects, 'writer/index/');
  const result = await repair(repository);
  t.ok(result.listedPacks > 0);
  t.match(result.check.errors, [{ code: 'authentication-failed', object: table }]);
  t.same(result.left, [], 'nothing is left to be mended by hand');
  t.match(await maintain(repository), { outcome: 'collected' });
  await expectMended(t, repository);
  for (let collection = 0; collection < 3 && (await namesIn(repository)).includes(table!); collection++) {
    for (let number = 0; number < 16; number++) await backup(repository, { paths: [sample.source], workers: 1 });
    await maintain(repository);
  }
  t.notOk((await namesIn(repository)).includes(table!), 'the damaged object goes with those that were folded');
});

const footers: Record<string, (objects: Objects, pack: { name: string }) => void> = {
  'the footer is damaged': (objects, { name }) => flip(objects, name, objects.get(name)!.length - 3),
  'the contents are damaged': (objects, { name }) => flip(objects, name, objects.get(name)!.length - footerLayout.sizeBytes - 40),
  'the footer is cut off': (objects, { name }) => resize(objects, name, objects.get(name)!.length - footerLayout.sizeBytes),
};

t.test('repair: a pack of data of which every block can be opened, though not its contents', async (t) => {
  for (const [what, damage] of Object.entries(footers)) {
    const repository = await openDamaged(sample, (objects) => damage(objects, data!));
    t.ok(
      (await check(repository, { readData: true })).errors.some(({ pathCount }) => pathCount > 0),
      `${what}: files are hurt`,
    );
    const result = await repair(repository, { readData: true });
    const chunks = data!.blocks.reduce((sum, { chunkLengths }) => sum + chunkLengths.length, 0);
    const salvaged = { pack: data!.id, isReadable: true, savedBlocks: data!.blocks.length, savedChunks: chunks, lostBlocks: 0 };
    t.match(result, { outcome: 'repaired', salvaged: [salvaged], missingPacks: 0 }, what);
    t.ok(result.snapshots.length > 0 && result.snapshots.every(({ lossCount }) => lossCount === 0), 'nothing is lost');
    await expectMended(t, repository, { readData: false });
    if (what !== 'the footer is damaged') continue;
    for (const copy of await newCopies(repository)) {
      const original = originOf(copy.snapshot) === sample.snapshots[0]!.id ? older! : newer!;
      t.same(differences(original, await contentsOf(repository, copy)), [], 'the copy is whole, too');
    }
    const again = await repair(repository, { readData: true });
    t.match(again.salvaged, [{ savedBlocks: 0, newPack: null }], 'the next one has nothing more to save');
    t.ok(again.snapshots.every(({ outcome }) => outcome === 'known'));
  }
});

t.test('repair: a pack of folders of which every block can be opened, though not its contents', async (t) => {
  for (const [what, damage] of Object.entries(footers)) {
    const repository = await openDamaged(sample, (objects) => damage(objects, metadata!));
    const result = await repair(repository);
    t.match(result, { outcome: 'repaired', salvaged: [{ pack: metadata!.id, lostBlocks: 0 }] }, what);
    await expectMended(t, repository, { readData: false });
  }
});

t.test('repair: a block of data is lost: the copies have zeros in its place, and say so', async (t) => {
  const block = data!.blocks[1]!;
  const repository = await openDamaged(sample, (objects) => flip(objects, data!.name, block.offset + 50));
  const { errors } = await check(repository, { readData: true });
  const hurt = new Set(errors.flatMap(({ paths }) => paths.map((path) => Buffer.from(path).toString('latin1'))));
  t.ok(hurt.size > 0);
  const result = await repair(repository, { readData: true });
  t.match(result.salvaged, [{ lostBlocks: 1, lostChunks: block.chunkLengths.length, savedBlocks: data!.blocks.length - 1 }]);
  const copies = await newCopies(repository);
  t.equal(copies.length, result.snapshots.length);
  for (const copy of copies) {
    const isOlder = originOf(copy.snapshot) === sample.snapshots[0]!.id;
    const found = await contentsOf(repository, copy);
    const different = differences(isOlder ? older! : newer!, found);
    t.ok(different.length > 0 && different.every((path) => hurt.has(path)), 'only files that the check named differ');
    for (const path of different) t.match(found.get(path), /^chunk-missing /, `${path} can be read, and says that something is lost`);
    t.ok(different.every((path) => copy.snapshot.errors.some((error) => Buffer.from(error.path).toString('latin1') === path)));
    t.ok(copy.snapshot.statistics.errors >= different.length);
  }
  const { lostBytes, losses } = result.snapshots[0]!;
  t.equal(
    losses.reduce((sum, loss) => sum + loss.lostBytes, 0),
    lostBytes,
  );
  const after = await check(repository, { readData: true });
  t.ok(
    after.errors.every(({ snapshots }) => snapshots.every((id) => sample.snapshots.some((original) => original.id === id))),
    'the copies need nothing that is damaged',
  );
});

t.test('repair: a pack of data is gone, and comes back with the next backup', async (t) => {
  const repository = await openDamaged(sample, (objects) => objects.delete(data!.name));
  const result = await repair(repository);
  t.match(result, { outcome: 'repaired', salvaged: [], missingPacks: 1 });
  t.ok(result.snapshots.every(({ lossCount, outcome }) => lossCount > 0 && outcome === 'copied'));
  await backup(repository, { paths: [sample.source], force: true, workers: 1 });
  const again = await repair(repository);
  t.ok(
    again.snapshots.some(({ outcome, lossCount }) => outcome === 'copied' && lossCount === 0),
    'what the source has still is in the new copies',
  );
});

t.test('repair: a block of folders is lost: the rest of the tree is kept', async (t) => {
  const repository = await openDamaged(sample, (objects) => flip(objects, metadata!.name, metadata!.blocks[0]!.offset + 30));
  const { errors } = await check(repository);
  t.ok(errors.length > 0);
  const result = await repair(repository);
  t.match(result.salvaged, [{ pack: metadata!.id, lostBlocks: 1 }]);
  for (const { outcome, lossCount } of result.snapshots) t.ok(outcome === 'lost' || lossCount > 0);
  for (const copy of await newCopies(repository)) t.notOk((await contentsOf(repository, copy)).has('*'), 'the copy can be walked');
});

t.test('repair: a pack whose header is damaged gives nothing', async (t) => {
  const repository = await openDamaged(sample, (objects) => flip(objects, data!.name, 60));
  const result = await repair(repository, { readData: true });
  t.match(result.salvaged, [{ pack: data!.id, newPack: null, savedBlocks: 0 }]);
  t.ok(result.snapshots.length > 0);
});

t.test('repair: a dry run says the same, and writes nothing', async (t) => {
  const block = data!.blocks[1]!;
  const damages: ((objects: Objects) => void)[] = [
    (objects) => flip(objects, data!.name, block.offset + 50),
    (objects) => footers['the footer is damaged']!(objects, metadata!),
    (objects) => objects.delete(data!.name),
    (objects) => {
      for (const name of namesBelow(objects, 'writer/index/')) objects.delete(name);
    },
  ];
  for (const damage of damages) {
    const repository = await openDamaged(sample, damage);
    const before = await namesIn(repository);
    const dry = await repair(repository, { readData: true, dryRun: true, markOriginals: 'all' });
    t.same(await namesIn(repository), before, 'nothing is written');
    t.equal(dry.outcome, 'dry-run');
    const real = await repair(repository, { readData: true, markOriginals: 'all' });
    const facts = ({ snapshots, salvaged, listedPacks, missingPacks }: typeof dry) => ({
      snapshots: snapshots.map(({ original, outcome, lossCount, lostBytes, isMarked }) => [
        original.id,
        outcome,
        lossCount,
        lostBytes,
        isMarked,
      ]),
      salvaged: salvaged.map(({ newPack, ...counts }) => ({ ...counts, isNew: newPack !== null })),
      listedPacks,
      missingPacks,
    });
    t.same(facts(dry), facts(real));
  }
});

t.test('repair: originals are marked if that is asked for, unless they are pinned; then all that is left is sound', async (t) => {
  const repository = await openDamaged(sample, (objects) => flip(objects, data!.name, data!.blocks[1]!.offset + 50));
  const [first] = sample.snapshots;
  await holdSnapshots(repository, [first!.id], { until: null, reason: 'test' });
  const { snapshots } = await repair(repository, { readData: true, markOriginals: 'all' });
  const held = snapshots.filter(({ original }) => original.id === first!.id);
  t.ok(held.every(({ outcome, isMarked }) => outcome === 'held' && !isMarked));
  const marked = (await listMarks(repository)).flatMap(({ value }) => value.snapshots);
  t.same(
    marked.sort(),
    snapshots
      .filter(({ isMarked }) => isMarked)
      .map(({ original }) => original.id)
      .sort(),
  );
});

t.test('repair: after it a collection keeps what the copies need', async (t) => {
  const repository = await openDamaged(sample, (objects) => footers['the footer is damaged']!(objects, data!));
  await repair(repository, { readData: true, markOriginals: 'all' });
  const copies = await newCopies(repository);
  for (let run = 0; run < 3; run++) await maintain(repository);
  const now = await newCopies(repository);
  t.same(
    now.map(({ id }) => id),
    copies.map(({ id }) => id),
  );
  for (const copy of now)
    t.same(differences(originOf(copy.snapshot) === sample.snapshots[0]!.id ? older! : newer!, await contentsOf(repository, copy)), []);
  t.same((await check(repository, { readData: true })).errors, []);
});

t.test('repair: killed at any of its requests it has harmed nothing, and the next one does the rest', async (t) => {
  const damaged = await openDamaged(sample, (objects) => {
    footers['the footer is damaged']!(objects, data!);
    objects.delete(namesBelow(objects, 'writer/index/')[0]!);
  });
  const counting = new FaultyStorage(await copyOf(damaged.storage));
  await repair({ ...damaged, storage: counting }, { readData: true });
  const writes = counting.calls.flatMap(({ operation }, index) => (['create', 'append', 'commit'].includes(operation) ? [index + 1] : []));
  const step = isEveryMoment ? 1 : Math.ceil(writes.length / 3);
  for (let moment = 0; moment < writes.length; moment += step) {
    const storage = await copyOf(damaged.storage);
    const killed = new FaultyStorage(storage, { faults: [{ call: writes[moment]!, forever: true, error: () => new Error('killed') }] });
    await t.rejects(repair({ ...damaged, storage: killed }, { readData: true }), { message: 'killed' });
    const repository = { ...damaged, storage };
    await repair(repository, { readData: true });
    await expectMended(t, repository);
  }
});

t.test('repair: what cannot be read once is not lost; what cannot be read again and again is', async (t) => {
  for (const isForever of [false, true]) {
    const repository = await openDamaged(sample, (objects) => footers['the footer is damaged']!(objects, data!));
    let reads = 0;
    const onCall = (operation: string, name: string): void => {
      if (operation === 'get' && name === data!.name && (isForever || reads++ % 2 === 0)) throw new LaganError('io', 'a bad sector');
    };
    const storage = new FaultyStorage(repository.storage, { onCall });
    const { salvaged, snapshots } = await repair({ ...repository, storage }, { readData: true, workers: 1 });
    t.match(salvaged, [{ pack: data!.id, isReadable: !isForever, lostBlocks: 0 }]);
    t.ok(snapshots.length > 0 && snapshots.every(({ lossCount }) => lossCount > 0 === isForever));
    if (!isForever) await expectMended(t, repository, { readData: false });
  }
});

t.test('repair: beside backups and collections', async (t) => {
  const repository = await openDamaged(sample, (objects) => footers['the footer is damaged']!(objects, data!));
  const busy = new FaultyStorage(repository.storage);
  let collections = 0;
  busy.plan = {
    onCall: async (operation, name) => {
      if (operation !== 'commit' && !(operation === 'create' && name.startsWith('writer/snapshots/'))) return;
      if (collections++ >= 3) return;
      await backup(repository, { paths: [sample.source], force: true, workers: 1 });
      await maintain(repository);
    },
  };
  await repair({ ...repository, storage: busy }, { readData: true });
  t.ok(collections > 2);
  const snapshots = await listSnapshots(repository);
  for (const info of snapshots.filter(({ snapshot }) => originOf(snapshot) !== null)) {
    const original = originOf(info.snapshot) === sample.snapshots[0]!.id ? older! : newer!;
    t.same(differences(original, await contentsOf(repository, info)), []);
  }
});
