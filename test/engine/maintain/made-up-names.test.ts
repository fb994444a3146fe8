/** Names of roots, snapshots, checkpoints and tables that somebody without a key has made up, and roots that were damaged: nobody relies on what does not open. */
import t, { type Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { maintain, recover } from '../../../engine/maintain/mod.ts';
import { markSnapshots, openRepository, readRoot, recoveryDistance, rollbackWarning } from '../../../engine/repository/mod.ts';
import { type LaganError, objectNames, type SessionId, type SnapshotId, sealedLayout } from '../../../repo-format/mod.ts';
import { secret } from '../backup/_fixture.ts';
import { namesIn, randomId, replaceObject } from '../repository/sample.ts';
import {
  backUpOf,
  copyOf,
  expectContents,
  expectSound,
  files,
  type History,
  latestContents,
  leaveLitter,
  newHistory,
  over,
  snapshotOf,
} from './_fixture.ts';

const garbage = Buffer.from('what anybody can write who has no key');
const highest = Number.MAX_SAFE_INTEGER;

/** Two snapshots, one of them folded. */
async function folded(t: Test): Promise<History> {
  const history = await newHistory(t);
  await snapshotOf(history, files('a', 2));
  await leaveLitter(history.repository);
  await maintain(history.repository);
  await snapshotOf(history, files('b', 2));
  return history;
}

const opened = async (history: History, mode: 'read' | 'write', unreadableRoots?: 'passed-over'): Promise<History> => ({
  ...history,
  repository: await openRepository(history.repository.storage, { secret, mode, unreadableRoots }),
});

async function expectUsable(t: Test, history: History): Promise<void> {
  const { repository } = await opened(history, 'write');
  const current = over(history, repository.storage);
  const { snapshotId } = await backUpOf(current, { force: true });
  current.expected.set(snapshotId!, latestContents(current));
  await maintain(repository);
  await expectContents(t, current);
}

t.test('a root that does not open: who writes is refused, who reads goes by the one before, the owner recovers', async (t) => {
  const whole = await folded(t);
  const { root } = await openRepository(whole.repository.storage, { secret, mode: 'read' });
  const newest = objectNames.root(root.number);
  const damaged = (await whole.repository.storage.get(newest)).slice();
  damaged[damaged.length >> 1]! ^= 1;
  const cases = [
    { what: 'of the highest number', name: objectNames.root(highest), bytes: garbage, from: root.number, counts: root.number },
    { what: 'of the next number', name: objectNames.root(root.number + 1), bytes: garbage, from: root.number, counts: root.number + 1 },
    { what: 'that is empty', name: objectNames.root(root.number + 1), bytes: Buffer.alloc(0), from: root.number, counts: root.number + 1 },
    { what: 'the newest, damaged', name: newest, bytes: damaged, from: root.number - 1, counts: root.number },
  ];
  for (const { what, name, bytes, from, counts } of cases) {
    const history = await copyOf(whole);
    const { storage } = history.repository;
    await replaceObject(storage, name, bytes);
    const refused = await opened(history, 'write').then(
      () => null,
      (error: LaganError) => error,
    );
    t.match(refused, { object: name, hint: /lagan repository recover/ }, what);
    const reading = await opened(history, 'read');
    t.match(
      reading.repository,
      { root: { number: from }, warnings: [{ object: name }] },
      `${what}: reading goes by the one before, and says so`,
    );
    await expectContents(t, reading);
    t.ok(
      (await check(reading.repository)).errors.some(({ code }) => code === 'rolled-back'),
      `${what}: the check says what is wrong`,
    );
    await t.rejects(maintain(reading.repository, { dryRun: true }), { code: 'rolled-back', object: name });

    const { repository } = await opened(history, 'write', 'passed-over');
    await t.rejects(backUpOf({ ...history, repository }), { code: 'rolled-back' });
    const expected = { newRoot: { number: counts + recoveryDistance }, passedOver: [name], passedOverObjects: 1 };
    t.match(await recover(repository, { dryRun: true }), { outcome: 'dry-run', ...expected }, what);
    t.ok((await namesIn(storage)).includes(name));
    t.match(await recover(repository), { outcome: 'recovered', ...expected }, what);
    t.equal(
      (await namesIn(storage)).includes(name),
      counts !== root.number || name === newest,
      'only what would count for ever is deleted',
    );
    t.match(await readRoot((await opened(history, 'write')).repository), { number: counts + recoveryDistance + 1, phase: 'open' });
    await expectUsable(t, history);
  }
});

t.test('a root that says that a later version has made it is not passed over, unless its number is made up', async (t) => {
  const history = await folded(t);
  const { storage } = history.repository;
  const { number } = await readRoot(history.repository);
  const newer = (await storage.get(objectNames.root(number))).slice();
  newer[sealedLayout.version] = 0xff;
  await replaceObject(storage, objectNames.root(number + 1), newer);
  for (const mode of ['read', 'write'] as const) await t.rejects(opened(history, mode, 'passed-over'), { code: 'repository-too-new' });
  await storage.delete([objectNames.root(number + 1)]);
  await replaceObject(storage, objectNames.root(highest), newer);
  t.match(await recover((await opened(history, 'write', 'passed-over')).repository), { outcome: 'recovered' });
  await expectUsable(t, history);
});

t.test('objects of generations that were never reached: what does not open stops nobody, and a recovery does not count it', async (t) => {
  for (const generation of [2, highest]) {
    const history = await folded(t);
    const { repository } = history;
    const root = await readRoot(repository);
    t.ok(root.generation < generation);
    const id = randomId<SnapshotId>();
    const names = [
      objectNames.snapshot(generation, id),
      objectNames.checkpoint(generation, randomId<SessionId>(), 1),
      objectNames.sessionIndex(generation, randomId<SessionId>(), 1, 1),
    ];
    for (const name of names) await repository.storage.create(name, [garbage]);
    await t.resolves(backUpOf(history, { dryRun: true }), 'a backup goes on');
    t.match(await maintain(repository), { damage: [] }, 'and so does a maintenance, which still frees');
    t.same(
      new Set((await check(repository)).errors.map(({ object }) => object)),
      new Set(names),
      'the check names what is not to be there',
    );
    const result = await recover(repository, { force: true });
    const counted = generation === highest ? root.generation : generation;
    t.match(result, { outcome: 'recovered', newRoot: { generation: counted + recoveryDistance } });
    t.same(new Set(result.passedOver), new Set(generation === highest ? names : []));
    // Of a generation that may have been it is a snapshot like any other that is damaged.
    if (generation !== highest) await markSnapshots(repository, [id], { reason: 'made up' });
    await repository.storage.delete(generation === highest ? names : names.slice(1));
    await expectUsable(t, history);
    if (generation === highest) await expectSound(t, await opened(history, 'write'));
  }
});

t.test('numbers in the names of what the collector stores: those that no root can have had count for nothing', async (t) => {
  const history = await folded(t);
  const { repository } = history;
  const { number } = await readRoot(repository);
  const id = `001fffffffffffff${'0'.repeat(16)}` as never;
  const names = [objectNames.catalogue(id), objectNames.baseIndex(id), objectNames.lostList(id)];
  for (const name of names) await repository.storage.create(name, [garbage]);
  const result = await recover(repository, { force: true });
  t.match(result, { outcome: 'recovered', newRoot: { number: number + recoveryDistance }, passedOverObjects: 3 });
  t.same(new Set(result.passedOver), new Set(names));
  await expectUsable(t, history);
});

t.test(
  'the newest roots are gone: what is there is restored, with a warning wherever the check finds it; without any root, too',
  async (t) => {
    const whole = await folded(t);
    await snapshotOf(whole, files('c', 2));
    const { number } = await readRoot(whole.repository);
    for (let left = number; left >= 0; left--) {
      const history = await copyOf(whole);
      const { storage } = history.repository;
      await storage.delete(Array.from({ length: number + 1 - left }, (_, index) => objectNames.root(left + index)));
      const reading = await opened(history, 'read');
      await expectContents(t, reading);
      const { errors } = await check(reading.repository, { readData: true, workers: 1 });
      const warning = reading.repository.warnings[0] ?? (await rollbackWarning(reading.repository));
      const isFound = errors.some(({ code }) => code === 'rolled-back');
      t.equal(warning !== null, isFound, `of ${number + 1} roots ${left} are left: ${warning?.message ?? 'nothing shows it'}`);
      if (left > 0) continue;
      t.match(warning, { code: 'object-missing' });
      const refused = await opened(history, 'write').catch((error: LaganError) => error);
      t.match(refused, { code: 'object-missing', hint: /lagan repository recover/ }, 'who writes is refused');
      const { repository } = await opened(history, 'write', 'passed-over');
      await t.rejects(maintain(repository), { code: 'rolled-back' });
      t.match(await recover(repository), { outcome: 'recovered', newRoot: { generation: 1 + recoveryDistance } });
      await expectUsable(t, history);
      await expectSound(t, await opened(history, 'write'));
    }
  },
);
