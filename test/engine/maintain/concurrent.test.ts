/** Collections while others are at work: other collectors, backups that end within one, backups that span many. */
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { backupWithin } from '../../../engine/backup/backup.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { listCheckpoints, openRepository, readRoot } from '../../../engine/repository/mod.ts';
import { LocalFolder } from '../../../engine/storage/mod.ts';
import { runChild } from '../backup/_backup-child.ts';
import { backUp, over, smallSegments, write } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import {
  type Contents,
  copyOf,
  expectMaintainable,
  expectSound,
  files,
  forget,
  type History,
  leaveLitter,
  newHistory,
  packs,
  snapshotOf,
} from './_fixture.ts';

const KiB = 1024;
const frequent = { ...smallSegments, batchFiles: 10, waitingTokens: 20, checkpointNewBytes: 512 * KiB } as const;

/** A source of so many megabytes that is not backed up yet. */
async function unsaved(t: Test, megabytes: number): Promise<History & { contents: Contents }> {
  const history = await newHistory(t);
  const contents = new Map<string, Uint8Array>();
  for (let index = 0; index < megabytes * 16; index++)
    contents.set(`folder-${index >> 5}/file-${index}`, randomBytesOf(`${index}`, 64 * KiB));
  for (const [name, bytes] of contents) write(history.source, name, bytes);
  return { ...history, contents };
}

const another = async ({ repositoryFolder, repository }: History) => ({ ...repository, storage: new LocalFolder(repositoryFolder) });

/** A collection that has a reason. */
async function collect(history: History): Promise<void> {
  const repository = await another(history);
  await leaveLitter(repository);
  const before = await readRoot(repository);
  await maintain(repository);
  if ((await readRoot(repository)).generation === before.generation) throw new Error('there was no collection');
}

t.test('maintain: two collectors at once, each in step with the other: one wins, both end, nothing is lost', async (t) => {
  const history = await newHistory(t);
  const first = await snapshotOf(history, files('a', 2));
  await snapshotOf(history, files('b', 2));
  await forget(history, first);
  await leaveLitter(history.repository);
  for (let seed = 0; seed < 8; seed++) {
    const copy = await copyOf(t, history);
    const collector = async (number: number) => {
      const storage = new FaultyStorage(copy.repository.storage, {
        onCall: async (_operation, name) => {
          for (let turn = (name.length * 7 + seed * 13 + number * 5) % 11; turn > 0; turn--) await setImmediate();
        },
      });
      return maintain({ ...copy.repository, storage });
    };
    const results = await Promise.all([collector(1), collector(2)]);
    t.ok(results.some(({ collections }) => collections > 0));
    await expectMaintainable(t, copy);
  }
});

t.test('maintain: a collector that sleeps before any of its operations while another collects twice does no harm', async (t) => {
  const history = await newHistory(t);
  const first = await snapshotOf(history, files('a', 2));
  await snapshotOf(history, files('b', 2));
  await forget(history, first);
  await leaveLitter(history.repository);
  const counting = new FaultyStorage((await copyOf(t, history)).repository.storage);
  await maintain({ ...history.repository, storage: counting });
  for (let call = 1; call <= counting.calls.length; call += 3) {
    const copy = await copyOf(t, history);
    let calls = 0;
    const storage = new FaultyStorage(copy.repository.storage, {
      onCall: async () => {
        if (++calls !== call) return;
        await collect(copy);
        const { snapshotId } = await backUp(copy);
        copy.expected.set(snapshotId!, [...copy.expected.values()].at(-1)!);
        await collect(copy);
      },
    });
    await maintain({ ...copy.repository, storage });
    await expectMaintainable(t, copy);
  }
});

t.test('maintain: a collection within a backup, at each of its operations: it ends, its snapshot is whole', async (t) => {
  const history = await newHistory(t);
  const first = await snapshotOf(history, files('a', 2));
  await snapshotOf(history, files('b', 2));
  await forget(history, first);
  for (const [name, bytes] of Object.entries(files('c', 4))) write(history.source, name, bytes);
  const counting = new FaultyStorage((await copyOf(t, history)).repository.storage);
  await backUp(over(history, counting));
  const contents = new Map([...[...history.expected.values()].at(-1)!, ...Object.entries(files('c', 4))]);
  for (let call = 1; call <= counting.calls.length; call++) {
    const copy = await copyOf(t, history);
    let calls = 0;
    const storage = new FaultyStorage(copy.repository.storage, {
      onCall: async () => {
        if (++calls === call) await collect(copy);
      },
    });
    const { snapshotId, errors } = await backUp(over(copy, storage));
    t.same(errors, [], `call ${call}`);
    copy.expected.set(snapshotId!, contents);
    await expectMaintainable(t, copy);
  }
});

t.test('backup: one that spans ten collections ends, and stores little twice', async (t) => {
  const history = await unsaved(t, 24);
  const plain = await copyOf(t, history);
  const { statistics: once } = await backUp(plain, { workers: 2 }, frequent);
  let [checkpoints, collections] = [0, 0];
  const storage = new FaultyStorage(history.repository.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'create' || !name.startsWith('writer/checkpoints/') || ++checkpoints % 3 !== 0 || collections === 10) return;
      collections++;
      await collect(history);
    },
  });
  const { snapshotId, statistics, errors } = await backUp(over(history, storage), { workers: 2 }, frequent);
  t.same(errors, []);
  t.equal(collections, 10);
  t.ok(statistics.storedBytes <= once.storedBytes * 1.05, `${statistics.storedBytes} instead of ${once.storedBytes}`);
  t.equal(statistics.bytes, once.bytes);
  history.expected.set(snapshotId!, history.contents);
  await expectMaintainable(t, history);
  t.same(await listCheckpoints(history.repository), [], 'the commit supersedes all checkpoints');
});

t.test('backup: collections as fast as they go, at any time: it ends, its snapshot is whole', async (t) => {
  const history = await unsaved(t, 8);
  const ended = Promise.withResolvers<void>();
  let isRunning = true;
  const collecting = (async () => {
    for (let round = 0; round < 12 && isRunning; round++) {
      await collect(history);
      await setImmediate();
    }
    ended.resolve();
  })();
  const { snapshotId, errors } = await backupWithin(await another(history), { paths: [history.source], workers: 2 }, frequent);
  isRunning = false;
  await Promise.all([collecting, ended.promise]);
  t.same(errors, []);
  history.expected.set(snapshotId!, history.contents);
  await expectMaintainable(t, history);
});

t.test(
  'maintain: what a killed backup stored up to its last checkpoint stays through collections, until another goes on from it',
  async (t) => {
    const history = await unsaved(t, 8);
    const task = { repository: history.repositoryFolder, source: history.source, limits: frequent, options: { workers: 1 } };
    const killed = runChild({ ...task, killAfter: { name: '^writer/checkpoints/', count: 8 } });
    t.equal(killed.signal, 'SIGKILL', killed.stderr);
    const repository = await openRepository(new LocalFolder(history.repositoryFolder), {
      secret: { kind: 'key-file', secret: new Uint8Array(32).fill(9) },
      mode: 'write',
    });
    const [checkpoint] = await listCheckpoints(repository);
    const reached = checkpoint!.snapshot.statistics;
    for (let round = 0; round < 3; round++) await collect(history);
    t.match(await listCheckpoints(repository), [{ id: checkpoint!.id }], 'the catalogue has it');
    await expectSound(t, history);
    const { statistics, snapshotId } = await backUp({ ...history, repository });
    t.ok(
      statistics.newBytes <= statistics.bytes - reached.bytes,
      `${statistics.newBytes} of ${statistics.bytes} are stored again, ${reached.bytes} were there`,
    );
    history.expected.set(snapshotId!, history.contents);
    t.match(await maintain(repository), { unfinishedSessions: 0, endedCheckpoints: 1 });
    await expectMaintainable(t, { ...history, repository });
  },
);

t.test('maintain: an abandoned checkpoint ends after seven collections, and its packs are freed', async (t) => {
  const history = await unsaved(t, 4);
  const task = { repository: history.repositoryFolder, source: history.source, limits: frequent, options: { workers: 1 } };
  t.equal(runChild({ ...task, killAfter: { name: '^writer/checkpoints/', count: 2 } }).signal, 'SIGKILL');
  for (let round = 0; round < 7; round++) await collect(history);
  t.equal((await listCheckpoints(history.repository)).length, 1);
  t.not(packs(history).length, 0);
  for (let round = 0; round < 2; round++) await collect(history);
  t.same(await listCheckpoints(history.repository), []);
  t.same(packs(history), []);
});
