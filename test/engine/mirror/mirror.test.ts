import t, { type Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { maintain, retireEpochs } from '../../../engine/maintain/mod.ts';
import type { MirrorOptions, MirrorProblem } from '../../../engine/mirror/mod.ts';
import { mirrorRepository } from '../../../engine/mirror/mod.ts';
import {
  addKey,
  createRepository,
  holdSnapshots,
  listIndexTables,
  listSnapshots,
  markSnapshots,
  openRepository,
  type Repository,
  readRoot,
  releaseSnapshots,
  removeKey,
  rotateMasterKey,
} from '../../../engine/repository/mod.ts';
import { InMemory, type Storage } from '../../../engine/storage/mod.ts';
import { LaganError } from '../../../repo-format/mod.ts';
import { contentsOf, secret, write } from '../backup/_fixture.ts';
import { backUpInto, newFolder, newSource, readAll } from '../copy/_fixture.ts';
import { randomBytesOf } from '../random.ts';
import { copyOf, namesIn, replaceObject } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';

const open = (storage: Storage, mode: 'read' | 'write' = 'read') => openRepository(storage, { secret, mode });
/** The objects of the repository, without what a mirror says of itself. */
const objectsIn = async (storage: Storage) => (await namesIn(storage)).filter((name) => !name.startsWith('mirror/'));

interface Bench {
  readonly folder: string;
  readonly source: Repository;
  readonly target: InMemory;
  mirror(options?: MirrorOptions): ReturnType<typeof mirrorRepository>;
  /** Some more snapshots, one of them forgotten, and a collection. */
  live(round: number): Promise<void>;
}

async function bench(t: Test): Promise<Bench> {
  const [folder, source, target] = [newFolder(t), await newSource(), new InMemory()];
  const mirror = (options: MirrorOptions = {}) => mirrorRepository(source.storage, target, { repository: source, ...options });
  const live = async (round: number) => {
    for (let index = 0; index < 6; index++) write(folder, `${round}/${index}`, randomBytesOf(`${round}/${index}`, 9_000));
    write(folder, 'changing', randomBytesOf(`${round}`, 30_000));
    await backUpInto(source, folder);
    write(folder, `${round}/0`, 'short');
    await backUpInto(source, folder);
    await markSnapshots(source, [(await listSnapshots(source))[0]!.id], { reason: 'test' });
    await maintain(source);
    await backUpInto(source, folder);
  };
  return { folder, source, target, mirror, live };
}

/** The mirror has the snapshots of the repository, each bit for bit, and is sound. */
async function expectMirror(t: Test, source: Repository, target: Storage): Promise<void> {
  const mirror = await open(target);
  const [expected, found] = [await listSnapshots(await open(source.storage)), await listSnapshots(mirror)];
  t.same(
    found.map(({ id }) => id),
    expected.map(({ id }) => id),
  );
  for (const info of found) t.strictSame(await readAll(mirror, info), await readAll(source, info));
  t.same((await check(mirror, { readData: true })).errors, []);
}

for (const key of [true, false]) {
  t.test(`mirrorRepository: again and again, while the source lives (${key ? 'with' : 'without'} a key)`, async (t) => {
    const { source, target, mirror, live } = await bench(t);
    const options = { repository: key ? source : undefined };
    for (let round = 0; round < 2; round++) {
      await live(round);
      t.match(await mirror(options), { outcome: 'complete', problems: 0, root: (await open(source.storage)).root.number });
      await expectMirror(t, source, target);
      t.match(await mirror({ ...options, verify: true }), { copiedObjects: 0 }, 'nothing is sent twice');
    }
    if (!key) return;
    const before = await objectsIn(target);
    const planned = await mirror({ deleteSuperfluous: true, dryRun: true });
    t.same(await objectsIn(target), before, 'a dry run deletes nothing');
    const result = await mirror({ deleteSuperfluous: true });
    t.ok(result.deletedObjects > 0);
    t.equal(planned.deletedObjects, result.deletedObjects);
    t.match(result, { extraObjects: 0, outcome: 'complete' });
    const standing = new Set((await listSnapshots(source, { includeDeleted: true })).map(({ name }) => name));
    const [theirs, ours] = [new Set(await objectsIn(target)), await objectsIn(source.storage)];
    t.same(
      [...theirs].filter((name) => !ours.includes(name)),
      [],
      'nothing too much',
    );
    const counting = new Set([...standing, ...(await listIndexTables(source, await readRoot(source))).map(({ name }) => name)]);
    const left = ours.filter((name) => !theirs.has(name) && (!/^writer\/(snapshots|index)\//.test(name) || counting.has(name)));
    t.same(left, [], 'nothing is missing but snapshots and index tables that do not count');
    await expectMirror(t, source, target);
  });
}

t.test('mirrorRepository: interrupted before or after any call, the mirror opens, has whole snapshots, and is completed', async (t) => {
  const { source, target, mirror, live } = await bench(t);
  await live(0);
  await mirror();
  const shown = (await listSnapshots(await open(target))).map(({ id }) => id);
  await live(1);
  const pristine = await copyOf(target);
  const counting = new FaultyStorage(await copyOf(pristine));
  await mirrorRepository(source.storage, counting, { repository: source, deleteSuperfluous: true });
  const every = process.env.LAGAN_EVERY_MOMENT ? 1 : 17;
  for (let call = 1; call <= counting.calls.length; call += every) {
    for (const when of ['before', 'after'] as const) {
      const storage = await copyOf(pristine);
      const error = () => new LaganError('unavailable', 'test');
      const faulty = new FaultyStorage(storage, { faults: [{ call, when, forever: true, error }] });
      await t.rejects(mirrorRepository(source.storage, faulty, { repository: source, deleteSuperfluous: true }), { code: 'unavailable' });
      const half = await open(storage);
      const found = await listSnapshots(half, { includeDeleted: true });
      for (const id of shown)
        if ((await listSnapshots(source)).some((info) => info.id === id))
          t.ok(
            found.some((info) => info.id === id),
            `${call} ${when}`,
          );
      // Between the newest root and the one before it, who writes is told so; who reads is not.
      const { errors } = await check(half, { readData: true });
      t.same(
        errors.filter(({ code }) => code !== 'rolled-back'),
        [],
        `stopped ${when} call ${call}: ${found.length} snapshots`,
      );
      t.match(await mirrorRepository(source.storage, storage, { repository: source }), { outcome: 'complete' });
    }
  }
  await mirror({ deleteSuperfluous: true });
  await expectMirror(t, source, target);
});

t.test(
  'mirrorRepository: index tables that a collection has passed, whose packs are gone, do not count in an interrupted mirror either',
  async (t) => {
    const { folder, source, target, mirror, live } = await bench(t);
    await live(0);
    await mirror();
    const before = new Set(await namesIn(source.storage, 'writer/'));
    write(folder, 'unfinished', randomBytesOf('unfinished', 50_000));
    const failing = new FaultyStorage(source.storage, {
      faults: [{ operation: 'create', name: /^writer\/snapshots/, call: 1, forever: true }],
    });
    await t.rejects(backUpInto({ ...source, storage: failing }, folder), { code: 'io' });
    write(folder, 'unfinished', 'nobody needs it any more');
    const unfinished = (await namesIn(source.storage, 'writer/')).filter((name) => !before.has(name));
    const tables = await Promise.all(
      unfinished.filter((name) => name.startsWith('writer/index/')).map(async (name) => ({ name, bytes: await source.storage.get(name) })),
    );
    const packs = unfinished.filter((name) => name.startsWith('writer/packs/'));
    for (let round = 1; (await namesIn(source.storage, 'writer/packs/')).some((name) => packs.includes(name)); round++) await live(round);
    // As if the collector had been killed between the packs and the tables that list them.
    for (const { name, bytes } of tables) if (!(await namesIn(source.storage)).includes(name)) await source.storage.create(name, [bytes]);
    t.ok(packs.length > 0 && tables.length > 0);
    const cut = new FaultyStorage(target, { faults: [{ operation: 'create', name: /^collector\/roots/, call: 1, forever: true }] });
    await t.rejects(mirrorRepository(source.storage, cut, { repository: source }), { code: 'io' });
    const { errors } = await check(await open(target), { readData: true });
    // Between the newest root and the one before it, who writes is told so.
    t.same(
      errors.filter(({ code }) => code !== 'rolled-back'),
      [],
    );
    t.match(await mirror(), { outcome: 'complete' });
    await expectMirror(t, source, target);
  },
);

t.test('mirrorRepository: without a key, too, an interrupted mirror has whole snapshots', async (t) => {
  const { source, target, live } = await bench(t);
  await live(0);
  await mirrorRepository(source.storage, target);
  await live(1);
  const pristine = await copyOf(target);
  const counting = new FaultyStorage(await copyOf(pristine));
  await mirrorRepository(source.storage, counting);
  for (let call = 2; call <= counting.calls.length; call += process.env.LAGAN_EVERY_MOMENT ? 1 : 41) {
    const storage = await copyOf(pristine);
    await t.rejects(mirrorRepository(source.storage, new FaultyStorage(storage, { faults: [{ call, forever: true }] })));
    const half = await open(storage);
    for (const info of await listSnapshots(half)) await readAll(half, info);
    const { errors } = await check(half, { readData: true });
    t.same(
      errors.filter(({ code }) => code !== 'rolled-back'),
      [],
      `stopped before call ${call}`,
    );
    t.match(await mirrorRepository(source.storage, storage), { outcome: 'complete' });
    await expectMirror(t, source, storage);
  }
});

t.test('mirrorRepository: a first mirror that was interrupted is no repository, says so, and is completed', async (t) => {
  const { source, live } = await bench(t);
  await live(0);
  const counting = new FaultyStorage(new InMemory());
  await mirrorRepository(source.storage, counting, { repository: source });
  const creations = counting.count('create') + counting.count('commit');
  for (let call = 2; call < creations; call += 3) {
    const storage = new InMemory();
    const faulty = new FaultyStorage(storage, {
      faults: [
        { operation: 'create', call, forever: true },
        { operation: 'commit', call, forever: true },
      ],
    });
    if (
      await mirrorRepository(source.storage, faulty, { repository: source }).then(
        () => true,
        () => false,
      )
    )
      break;
    await t.rejects(open(storage), { code: 'no-repository', message: /is a mirror that is not complete/ }, `${call}`);
    await t.rejects(createRepository(storage, { slots: [{ secret, label: 'a' }], patienceMs: 0 }), { code: 'exists' });
    t.match(await mirrorRepository(source.storage, storage, { repository: source }), { outcome: 'complete' });
    await open(storage);
  }
});

t.test('mirrorRepository: a collection of the source meanwhile is no harm', async (t) => {
  const { folder, source, target, live } = await bench(t);
  await live(0);
  let collections = 0;
  const faulty = new FaultyStorage(source.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'get' || !name.includes('packs/') || collections > 2) return;
      collections++;
      write(folder, 'changing', randomBytesOf(`during ${collections}`, 30_000));
      await backUpInto(source, folder);
      await markSnapshots(source, [(await listSnapshots(source))[0]!.id], { reason: 'test' });
      await maintain(source);
    },
  });
  t.match(await mirrorRepository(faulty, target, { repository: source }), { outcome: 'complete' });
  t.equal(collections, 3);
  await expectMirror(t, source, target);
});

t.test('mirrorRepository: places that hold something else', async (t) => {
  const { source, mirror, target, live } = await bench(t);
  await live(0);
  const other = await newSource();
  await t.rejects(mirrorRepository(source.storage, other.storage), { code: 'exists', message: /holds another repository/ });
  await t.rejects(mirrorRepository(source.storage, source.storage), { code: 'usage' });
  const foreign = new InMemory();
  await foreign.create('something', [new Uint8Array(1)]);
  await t.rejects(mirrorRepository(source.storage, foreign), { code: 'exists', message: /other things/ });
  const begun = new InMemory();
  const faulty = new FaultyStorage(begun, { faults: [{ operation: 'create', call: 3, forever: true }] });
  await t.rejects(mirrorRepository(other.storage, faulty));
  await t.rejects(mirrorRepository(source.storage, begun), { code: 'exists', message: /unfinished mirror of another/ });
  await t.rejects(mirrorRepository(new InMemory(), target), { code: 'no-repository' });
  await t.rejects(mirror({ repository: undefined, deleteSuperfluous: true }), { code: 'usage' });
});

t.test('mirrorRepository: a mirror that somebody wrote to is left alone', async (t) => {
  const { folder, source, target, mirror, live } = await bench(t);
  await live(0);
  await mirror();
  const pristine = await copyOf(target);
  await t.test('collected in', async (t) => {
    const storage = await copyOf(pristine);
    const forked = await open(storage, 'write');
    await markSnapshots(forked, [(await listSnapshots(forked))[0]!.id], { reason: 'test' });
    await maintain(forked);
    const before = await namesIn(storage);
    for (const repository of [source, undefined])
      await t.rejects(mirrorRepository(source.storage, storage, { repository, ...(repository && { deleteSuperfluous: true }) }), {
        code: 'rolled-back',
      });
    for (let round = 1; round < 4; round++) await live(round);
    for (const repository of [source, undefined])
      await t.rejects(mirrorRepository(source.storage, storage, { repository }), { code: 'rolled-back' }, 'though the source is far ahead');
    t.same(await namesIn(storage), before, 'nothing was written');
  });
  await t.test('backed up into', async (t) => {
    await mirror();
    const storage = await copyOf(target);
    await backUpInto(await open(storage, 'write'), folder);
    await t.rejects(mirrorRepository(source.storage, storage, { repository: source }), { code: 'rolled-back', message: /backed up into/ });
  });
  await t.test('ahead of a source that was set back', async (t) => {
    await mirror();
    await t.rejects(mirrorRepository(pristine, target), { code: 'rolled-back' });
  });
});

t.test('mirrorRepository: what the source has lost stays in the mirror, and comes back from there', async (t) => {
  const { source, target, mirror, live } = await bench(t);
  await live(0);
  await mirror();
  const lost = (await namesIn(source.storage, 'writer/packs/')).at(-1)!;
  await source.storage.delete([lost]);
  const problems: MirrorProblem[] = [];
  const result = await mirror({ deleteSuperfluous: true, onProblem: (problem) => problems.push(problem) });
  t.match(result, { outcome: 'partial', problems: 1 });
  t.match(problems, [{ kind: 'kept', object: lost }]);
  t.ok((await namesIn(target)).includes(lost));
  t.match(await mirrorRepository(target, source.storage, { repository: await open(target) }), { outcome: 'complete', copiedObjects: 1 });
  t.same((await check(source, { readData: true })).errors, []);
});

t.test('mirrorRepository: keys, pins and deletions that were taken back are told of, and go with --delete', async (t) => {
  const { source, target, mirror, live } = await bench(t);
  await live(0);
  const [snapshot] = await listSnapshots(source);
  const slot = await addKey(source, { secret: { kind: 'key-file', secret: new Uint8Array(32).fill(77) }, label: 'leaked' });
  await holdSnapshots(source, [snapshot!.id], { until: null, reason: 'test' });
  await mirror();
  await removeKey(source, slot.id);
  await releaseSnapshots(source, [snapshot!.id]);
  t.match(await mirror(), { extraKeySlots: 1, extraRecords: 1 });
  t.match(await mirror({ deleteSuperfluous: true }), { extraKeySlots: 0, extraRecords: 0 });
  await t.rejects(openRepository(target, { secret: { kind: 'key-file', secret: new Uint8Array(32).fill(77) }, mode: 'read' }), {
    code: 'wrong-key',
  });
});

t.test('mirrorRepository: commits that the catalogue holds since a rotation are not missed', async (t) => {
  const { source, target, mirror, live } = await bench(t);
  await live(0);
  await mirror();
  const { repository } = await retireEpochs((await rotateMasterKey(source)).repository);
  t.match(await mirrorRepository(source.storage, target, { repository }), { outcome: 'complete' });
  t.same((await check(await open(target))).errors, [], 'what is left of before is no damage');
  const problems: MirrorProblem[] = [];
  const onProblem = (problem: MirrorProblem) => problems.push(problem);
  const result = await mirrorRepository(source.storage, target, { repository, deleteSuperfluous: true, onProblem });
  t.match(result, { outcome: 'complete', extraObjects: 0 });
  t.same(problems, []);
  await expectMirror(t, repository, target);
});

t.test('mirrorRepository: damaged objects of the source are not copied, the others are', async (t) => {
  const { source, live } = await bench(t);
  await live(0);
  const packs = await namesIn(source.storage, 'writer/packs/');
  const damage = async (name: string, at: (size: number) => number) => {
    const bytes = await source.storage.get(name);
    bytes[at(bytes.length)]! ^= 1;
    await replaceObject(source.storage, name, bytes);
  };
  await damage(packs[0]!, () => 20);
  await damage(packs[1]!, (size) => size - 1);
  await damage(packs[2]!, (size) => size - 30);
  await damage(packs[3]!, () => 100);
  for (const [options, expected] of [
    [{ repository: undefined }, 2],
    [{ repository: source }, 3],
    [{ repository: source, verify: true }, 4],
  ] as const) {
    const target = new InMemory();
    t.match(await mirrorRepository(source.storage, target, options), { outcome: 'partial', problems: expected });
    const found = await namesIn(target, 'writer/packs/');
    t.same(found, packs.slice(expected), `${expected} were left out`);
  }
});

t.test('mirrorRepository: a target that does not keep what it is sent, and objects of another length', async (t) => {
  const { source, target, mirror, live } = await bench(t);
  await live(0);
  const faulty = new FaultyStorage(new InMemory(), {
    corrupt: (name, bytes) => (name.includes('packs/') ? bytes.map((byte) => byte ^ 1) : bytes),
  });
  await t.rejects(mirrorRepository(source.storage, faulty), { code: 'io', message: /does not have what it was sent/ });
  await mirror();
  const [pack] = await namesIn(target, 'writer/packs/');
  await replaceObject(target, pack!, (await target.get(pack!)).subarray(0, -1));
  t.match(await mirror(), { outcome: 'partial', problems: 1 });
  await mirror({ deleteSuperfluous: true });
  t.match(await mirror(), { outcome: 'complete', problems: 0 });
  t.same((await contentsOf(await open(target), '/')).size > 0, true);
});
