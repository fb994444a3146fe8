/** The master key of a repository: a new one for what comes, then for all, then the old one forgotten, beside everything else that goes on. */
import t from 'tap';
import { backupWithin } from '../../../engine/backup/backup.ts';
import { maintain, oldEpochUse, retireEpochs, rewriteEpochs } from '../../../engine/maintain/mod.ts';
import {
  annotateSnapshot,
  beginSession,
  commitSnapshot,
  holdSnapshots,
  listHolds,
  listMarks,
  listSnapshots,
  markSnapshots,
  openRepository,
  type Repository,
  rotateMasterKey,
  unmarkSnapshots,
} from '../../../engine/repository/mod.ts';
import { type CallOptions, type CreateOutcome, LocalFolder, type Storage } from '../../../engine/storage/mod.ts';
import { parseObjectName, parseSealedHeader, type SnapshotId } from '../../../repo-format/mod.ts';
import { isEveryMoment } from '../../reliability/_moments.ts';
import { PassingStorage } from '../../simulation/spoiled-storage.ts';
import { backUp, contentsOf, makePlace, secret, write } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';
import { namesIn } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import {
  expectContents,
  expectSound,
  files,
  forget,
  type History,
  latestContents,
  newHistory,
  newHistoryOfSmallPacks,
  over,
  snapshotOf,
} from './_fixture.ts';

const reopen = (storage: Storage): Promise<Repository> => openRepository(storage, { secret, mode: 'write' });

async function rotated(history: History): Promise<History> {
  return { ...history, repository: (await rotateMasterKey(history.repository)).repository };
}

/** How many sealed objects there are of each epoch, by their headers. */
async function epochsIn(storage: Storage): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (const name of await namesIn(storage)) {
    const type = parseObjectName(name)!.type;
    if (type === 'format' || type === 'key-slot' || type === 'keyring') continue;
    const { epoch } = parseSealedHeader(await storage.get(name));
    counts.set(epoch, (counts.get(epoch) ?? 0) + 1);
  }
  return counts;
}

// covers: KEY-17
t.test('retireEpochs: nothing in the store is sealed with the old epoch, all is whole, and the keyring has the new one only', async (t) => {
  const before = await newHistoryOfSmallPacks(t);
  const first = await snapshotOf(before, files('a'));
  const second = await snapshotOf(before, files('b'));
  await annotateSnapshot(before.repository, first, { addTags: ['kept'] });
  await holdSnapshots(before.repository, [second], { until: null, reason: 'test' });
  await markSnapshots(before.repository, [second], { reason: 'test' });
  const history = await rotated(before);
  await snapshotOf(history, files('c'));
  t.same([...(await epochsIn(history.repository.storage)).keys()].sort(), [0, 1], 'both are in use');
  const use = await oldEpochUse(history.repository);
  t.ok(use.byType.pack! > 0 && use.byType.root === 1 && use.byType.annotation === 1 && use.byType.hold === 1);

  const retired = await retireEpochs(history.repository);
  t.same(retired.epochs, [1]);
  t.equal(retired.rewritten.remaining.objects, 0);
  t.ok(retired.rewritten.repackedPacks > 0);
  t.same([...(await epochsIn(history.repository.storage)).keys()], [1]);
  t.same(await namesIn(history.repository.storage, 'owner/keyring/'), ['owner/keyring/00000002-full', 'owner/keyring/00000002-metadata']);

  const repository = await reopen(history.repository.storage);
  await expectSound(t, { ...history, repository });
  const listed = await listSnapshots(repository, { includeDeleted: true });
  t.same(listed.find(({ id }) => id === first)?.tags, ['kept']);
  t.equal((await listHolds(repository)).length, 1, 'the hold is there');
  t.same(
    (await listMarks(repository)).flatMap(({ value }) => value.snapshots),
    [second],
    'the mark is there',
  );
  const { statistics } = await backUpAgain({ ...history, repository });
  t.equal(statistics.newBytes, 0, 'names have stayed: what is there is known');
});

function backUpAgain({ source, repository }: History) {
  return backupWithin(repository, { paths: [source], workers: 1, force: true }, {});
}

t.test(
  'retireEpochs: cut short when the successors of numbered objects are there and what was before them is not deleted, it ends the next time',
  async (t) => {
    const before = await newHistory(t);
    const snapshot = await snapshotOf(before, files('a', 1));
    await annotateSnapshot(before.repository, snapshot, { addTags: ['kept'] });
    const history = await rotated(before);
    const dying = new FaultyStorage(history.repository.storage, {
      onCall: (operation) => {
        if (operation === 'delete') throw new Error('killed');
      },
    });
    await t.rejects(retireEpochs(over(history, dying).repository), { message: 'killed' });
    const { storage } = history.repository;
    t.same([...(await epochsIn(storage)).keys()].sort(), [0, 1], 'it began');
    const { epochs } = await retireEpochs(history.repository);
    t.same(epochs, [1]);
    t.same([...(await epochsIn(storage)).keys()], [1]);
    const [info] = await listSnapshots(await reopen(storage));
    t.same(info!.tags, ['kept']);
  },
);

t.test('rewriteEpochs: a small limit takes several collections, and the next run goes on from there', async (t) => {
  const history = await rotated(await manySnapshots(t));
  const { collections, remaining } = await rewriteEpochs(history.repository, { maxRepackBytes: 30_000 });
  t.ok(collections > 4, `${collections} collections`);
  t.equal(remaining.objects, 0);
  const again = await rewriteEpochs(history.repository);
  t.equal(again.repackedPacks, 0);
  t.equal(again.collections, 1);
  await expectSound(t, history);
});

async function manySnapshots(t: Parameters<typeof newHistoryOfSmallPacks>[0]): Promise<History> {
  const history = await newHistoryOfSmallPacks(t);
  for (const seed of ['a', 'b', 'c']) await snapshotOf(history, files(seed, 3, 15_000));
  return history;
}

/** A snapshot of about so many bytes, like the newest but for its tags. */
async function commitLarge(history: History, sizeBytes: number): Promise<SnapshotId> {
  const { repository, expected } = history;
  const newest = (await listSnapshots(repository)).at(-1)!;
  const session = await beginSession(repository);
  const tags = Array.from({ length: Math.ceil(sizeBytes / 60_000) }, (_, index) => `${index}`.padEnd(60_000, 'x'));
  const snapshot = { ...newest.snapshot, session: session.id, generation: session.generation, tags };
  await commitSnapshot(repository, { session, snapshot });
  expected.set(session.id, latestContents(history));
  return session.id;
}

t.test('retireEpochs: snapshots for which the catalogue has no room otherwise are sealed anew, too', async (t) => {
  const larger = [{ count: 6, sizeBytes: 6_000_000 }];
  for (const { count, sizeBytes } of [{ count: 1, sizeBytes: 400_000 }, ...(isEveryMoment ? larger : [])]) {
    const old = await newHistoryOfSmallPacks(t);
    await snapshotOf(old, files('a', 2));
    for (let number = 0; number < count; number++) await commitLarge(old, sizeBytes);
    const { repository } = await rotated(old);
    await maintain(repository);
    const { rewritten } = await retireEpochs(repository);
    t.equal(rewritten.remaining.objects, 0, `${count} of ${sizeBytes} bytes`);
    const reopened = await reopen(repository.storage);
    t.equal(reopened.keys.toPlain().epochs.length, 1);
    await expectContents(t, { ...old, repository: reopened });
  }
});

t.test('retireEpochs: where there are too many snapshots for the catalogue it says what to do', async (t) => {
  const old = await newHistoryOfSmallPacks(t);
  await snapshotOf(old, files('a', 2));
  await commitLarge(old, 8_500_000);
  const { repository } = await rotated(old);
  await t.rejects(retireEpochs(repository), { code: 'usage', found: { snapshot: 1 }, hint: /lagan copy/ });
  await expectContents(t, { ...old, repository });
});

t.test('retireEpochs: what an unfinished backup needs keeps the old epoch', async (t) => {
  const old = await newHistoryOfSmallPacks(t);
  await snapshotOf(old, files('a'));
  for (const name of ['more', 'and-more', 'most']) write(old.source, name, randomBytesOf(name, 30_000));
  await t.rejects(backUpBroken(old), { code: 'EIO' });
  const again = await rotated(old);
  await t.rejects(retireEpochs(again.repository), { code: 'usage', found: { checkpoint: Number } });
  t.same((await reopen(again.repository.storage)).keys.toPlain().epochs.length, 2, 'both epochs are there');
  await expectSound(t, again);
});

/** Leaves a checkpoint and nothing after it. */
function backUpBroken(history: History) {
  class NoCommit extends PassingStorage {
    override create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
      if (name.startsWith('writer/snapshots/')) throw Object.assign(new Error('the disk is gone'), { code: 'EIO' });
      return super.create(name, parts, options);
    }
  }
  const { repository, source } = over(history, new NoCommit(history.repository.storage));
  return backupWithin(repository, { paths: [source], workers: 1 }, { checkpointNewBytes: 3000, batchFiles: 1, waitingTokens: 2 });
}

t.test('backup: one that was opened before a rotation reads the keys again, at its beginning and on its way', async (t) => {
  const place = await makePlace(t);
  const bytes = randomBytesOf('x', 300_000);
  write(place.source, 'one', bytes);
  await backUp(place);
  const opened = await reopen(new LocalFolder(place.repositoryFolder));
  await retireEpochs((await rotateMasterKey(place.repository)).repository);
  write(place.source, 'two', bytes.subarray(0, 100_000));
  const { snapshotId } = await backUp({ ...place, repository: opened });
  const repository = await reopen(new LocalFolder(place.repositoryFolder));
  t.same([...(await epochsIn(repository.storage)).keys()], [1], 'it has stored nothing with the old key that counts');
  const found = (await listSnapshots(repository)).find(({ id }) => id === snapshotId)!;
  t.ok((await contentsOf(repository, place.source, found)).get('two')?.equals(bytes.subarray(0, 100_000)));

  // Now while it runs: the rotation comes between its packs and its commit.
  write(place.source, 'three', randomBytesOf('y', 300_000));
  const passed = new PassedAtCommit(repository.storage, async () => {
    const { repository: newest } = await rotateMasterKey(await reopen(new LocalFolder(place.repositoryFolder)));
    await rewriteEpochs(newest);
  });
  const late = await backUp({ ...place, repository: { ...repository, storage: passed } });
  const after = await reopen(new LocalFolder(place.repositoryFolder));
  t.equal(after.keys.newestEpoch, 2);
  const { repository: last } = await retireEpochs(after);
  const snapshot = (await listSnapshots(last)).find(({ id }) => id === late.snapshotId)!;
  t.ok((await contentsOf(last, place.source, snapshot)).has('three'));
  t.equal((await maintain(last)).damage.length, 0);
});

/** Calls something once, when the first snapshot is about to be created. */
class PassedAtCommit extends PassingStorage {
  readonly #act: () => Promise<void>;
  #isDone = false;

  constructor(storage: Storage, act: () => Promise<void>) {
    super(storage);
    this.#act = act;
  }

  override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    if (name.startsWith('writer/snapshots/') && !this.#isDone) {
      this.#isDone = true;
      await this.#act();
    }
    return super.create(name, parts, options);
  }
}

t.test('rewriteEpochs: what is taken back while it is sealed anew stays taken back', async (t) => {
  const history = await manySnapshots(t);
  const [id] = history.expected.keys();
  await holdSnapshots(history.repository, [id!], { until: null, reason: 'test' });
  await markSnapshots(history.repository, [id!], { reason: 'test' });
  const { repository } = await rotated(history);
  // Right after the copy was made the mark is taken back by somebody else.
  class TakesBack extends PassingStorage {
    #isDone = false;
    override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
      const outcome = await super.create(name, parts, options);
      if (name.startsWith('owner/deletions/') && !this.#isDone) {
        this.#isDone = true;
        await unmarkSnapshots(repository, [id!]);
      }
      return outcome;
    }
  }
  await rewriteEpochs({ ...repository, storage: new TakesBack(repository.storage) });
  t.same(await listMarks(repository), []);
  await expectSound(t, { ...history, repository });
});

t.test('forget: what is dropped goes with a rotation, too', async (t) => {
  const before = await manySnapshots(t);
  const [id] = before.expected.keys();
  await forget(before, id!);
  const history = await rotated(before);
  t.same((await retireEpochs(history.repository)).epochs, [1]);
  await expectSound(t, history);
});
