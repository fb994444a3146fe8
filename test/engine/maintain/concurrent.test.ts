/** Collections while others are at work: other collectors, backups that end within one, backups that span many. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { backupStreamWithin } from '../../../engine/backup/backup-stream.ts';
import { rewriteSnapshot } from '../../../engine/backup/mod.ts';
import { check } from '../../../engine/check/mod.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { listCheckpoints, listSnapshots, readRoot } from '../../../engine/repository/mod.ts';
import { objectNames } from '../../../repo-format/mod.ts';
import { contentsOf, smallSegments, write } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';
import { namesIn } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import {
  backUpOf,
  type Contents,
  copyOf,
  expectContents,
  expectMaintainable,
  expectSound,
  files,
  forget,
  type History,
  latestContents,
  leaveLitter,
  newHistory,
  over,
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

/** A collection that has a reason. */
async function collect({ repository }: History): Promise<void> {
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
    const copy = await copyOf(history);
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
  const counting = new FaultyStorage((await copyOf(history)).repository.storage);
  await maintain({ ...history.repository, storage: counting });
  for (let call = 1; call <= counting.calls.length; call += 6) {
    const copy = await copyOf(history);
    let calls = 0;
    const storage = new FaultyStorage(copy.repository.storage, {
      onCall: async () => {
        if (++calls !== call) return;
        await collect(copy);
        const { snapshotId } = await backUpOf(copy);
        copy.expected.set(snapshotId!, latestContents(copy));
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
  const counting = new FaultyStorage((await copyOf(history)).repository.storage);
  await backUpOf(over(history, counting));
  const contents = new Map([...latestContents(history), ...Object.entries(files('c', 4))]);
  for (let call = 1; call <= counting.calls.length; call++) {
    const copy = await copyOf(history);
    let calls = 0;
    const storage = new FaultyStorage(copy.repository.storage, {
      onCall: async () => {
        if (++calls === call) await collect(copy);
      },
    });
    const { snapshotId, errors } = await backUpOf(over(copy, storage));
    t.same(errors, [], `call ${call}`);
    copy.expected.set(snapshotId!, contents);
    await expectMaintainable(t, copy);
  }
});

t.test('maintain: a condemned pack that a late commit needs, and that no table lists, is listed from then on', async (t) => {
  const history = await newHistory(t);
  const { storage } = history.repository;
  await snapshotOf(history, files('a', 1));
  const copy = await copyOf(history);
  const late = await snapshotOf(copy, files('b', 2));
  const names = await namesIn(storage);
  const added = (await namesIn(copy.repository.storage)).filter((name) => !names.includes(name));
  const land = async (prefix: string) => {
    for (const name of added) if (name.startsWith(prefix)) await storage.create(name, [await copy.repository.storage.get(name)]);
  };
  await land('writer/packs/');
  const sleeping = new FaultyStorage(storage, {
    onCall: async (operation, name) => {
      if (operation === 'create' && name === objectNames.root(2)) await land('writer/snapshots/');
    },
  });
  const result = await maintain(over(history, sleeping).repository);
  t.match(result, { outcome: 'collected', rescuedPacks: added.filter((name) => name.startsWith('writer/packs/')).length, freedPacks: 0 });
  history.expected.set(late, copy.expected.get(late)!);
  await expectSound(t, history);
  t.equal((await backUpOf(history, { force: true })).statistics.newBytes, 0, 'the base index knows its chunks');
});

t.test('check and restore: a collection within them is no damage', async (t) => {
  const history = await newHistory(t);
  for (const seed of ['a', 'b', 'c']) await snapshotOf(history, files(seed, 2));
  const counting = new FaultyStorage((await copyOf(history)).repository.storage);
  await check(over(history, counting).repository, { readData: true, workers: 1 });
  for (let call = 1; call <= counting.calls.length; call += 5) {
    const copy = await copyOf(history);
    let calls = 0;
    const storage = new FaultyStorage(copy.repository.storage, {
      onCall: async () => {
        if (++calls === call) await collect(copy);
      },
    });
    const { errors } = await check(over(copy, storage).repository, { readData: true, workers: 1 });
    t.same(errors, [], `check, call ${call} of ${counting.calls.length}`);
    calls = 0;
    await expectContents(t, over(copy, storage));
  }
});

t.test('backup: one that spans ten collections ends, and stores little twice', async (t) => {
  const history = await unsaved(t, 24);
  const plain = await copyOf(history);
  const { statistics: once } = await backUpOf(plain, {}, frequent);
  let [checkpoints, collections] = [0, 0];
  const storage = new FaultyStorage(history.repository.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'create' || !name.startsWith('writer/checkpoints/') || ++checkpoints % 2 !== 0 || collections === 10) return;
      collections++;
      await collect(history);
    },
  });
  const { snapshotId, statistics, errors } = await backUpOf(over(history, storage), {}, frequent);
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
  const { snapshotId, errors } = await backUpOf(history, {}, frequent);
  isRunning = false;
  await Promise.all([collecting, ended.promise]);
  t.same(errors, []);
  history.expected.set(snapshotId!, history.contents);
  await expectMaintainable(t, history);
});

/** A backup that dies after so many checkpoints. */
async function killedAfter(t: Test, history: History, checkpoints: number): Promise<void> {
  const fault = { operation: 'create', name: /^writer\/checkpoints\//, call: checkpoints, when: 'after' } as const;
  const storage = new FaultyStorage(history.repository.storage, { faults: [fault] });
  await t.rejects(backUpOf(over(history, storage), {}, frequent), { code: 'io' });
}

t.test(
  'maintain: what a dead backup stored up to its last checkpoint stays through collections, until another goes on from it',
  async (t) => {
    const history = await unsaved(t, 8);
    await killedAfter(t, history, 3);
    const [checkpoint] = await listCheckpoints(history.repository);
    const reached = checkpoint!.snapshot.statistics;
    for (let round = 0; round < 3; round++) await collect(history);
    t.match(await listCheckpoints(history.repository), [{ id: checkpoint!.id }], 'the catalogue has it');
    await expectSound(t, history);
    const { statistics, snapshotId } = await backUpOf(history);
    t.ok(
      statistics.newBytes <= statistics.bytes - reached.bytes,
      `${statistics.newBytes} of ${statistics.bytes} are stored again, ${reached.bytes} were there`,
    );
    history.expected.set(snapshotId!, history.contents);
    t.match(await maintain(history.repository), { unfinishedSessions: 0, endedCheckpoints: 1 });
    await expectMaintainable(t, history);
  },
);

t.test('maintain: an abandoned checkpoint ends after seven collections, and its packs are freed', async (t) => {
  const history = await unsaved(t, 4);
  await killedAfter(t, history, 2);
  for (let round = 0; round < 7; round++) await collect(history);
  t.equal((await listCheckpoints(history.repository)).length, 1);
  t.not((await packs(history)).length, 0);
  for (let round = 0; round < 2; round++) await collect(history);
  t.same(await listCheckpoints(history.repository), []);
  t.same(await packs(history), []);
});

/** A stream of some megabytes, which can be read once. */
function streamOf(megabytes: number, seed = 'piece'): { stream: AsyncGenerator<Uint8Array>; bytes: Buffer } {
  const pieces = Array.from({ length: megabytes }, (_, index) => randomBytesOf(`${seed} ${index}`, 1024 * KiB));
  const stream = (async function* () {
    yield* pieces;
  })();
  return { stream, bytes: Buffer.concat(pieces) };
}

async function expectStream(t: Test, { repository }: History, bytes: Buffer): Promise<void> {
  const info = (await listSnapshots(repository)).at(-1)!;
  t.ok((await contentsOf(repository, '/', info)).get('dump')!.equals(bytes), 'the stream is whole');
  const { errors, complete } = await check(repository, { readData: true, workers: 1 });
  t.same({ errors, complete }, { errors: [], complete: true });
}

t.test('backupStream: one that spans several collections goes on from its last checkpoint, and reads its source once', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('before', 2));
  const { stream, bytes } = streamOf(16);
  let checkpoints = 0;
  const storage = new FaultyStorage(history.repository.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'create' || !name.startsWith('writer/checkpoints/')) return;
      if ([3, 8, 13, 14].includes(++checkpoints)) await collect(history);
    },
  });
  const limits = { ...frequent, retainedStreamBytes: 1024 * KiB };
  const { statistics, snapshotId } = await backupStreamWithin(over(history, storage).repository, { name: 'dump', stream }, limits);
  t.ok(checkpoints > 14, `${checkpoints} checkpoints`);
  t.match(statistics, { files: 1, bytes: bytes.length });
  t.ok(statistics.newBytes < bytes.length * 1.4, `${statistics.newBytes} of ${bytes.length} were stored`);
  await expectStream(t, history, bytes);
  const [snapshot] = (await listSnapshots(history.repository)).filter(({ id }) => id === snapshotId);
  t.equal((snapshot!.snapshot.extensions.continues as unknown[]).length, 4);
  await collect(history);
  t.match(await maintain(history.repository), { unfinishedSessions: 0 }, 'its checkpoints have ended');
  await expectStream(t, history, bytes);
});

t.test('backupStream: collections as fast as they go, at any time: it ends, its snapshot is whole', async (t) => {
  for (let seed = 0; seed < 4; seed++) {
    const history = await newHistory(t);
    // What it relies on besides may be forgotten meanwhile.
    const { stream: earlier } = streamOf(3);
    const { snapshotId } = await backupStreamWithin(history.repository, { name: 'earlier', stream: earlier }, frequent);
    const { stream, bytes } = streamOf(8);
    let calls = 0;
    const storage = new FaultyStorage(history.repository.storage, {
      onCall: async () => {
        calls++;
        if (calls === 40) await forget(history, snapshotId!);
        if (calls % 97 === seed * 23) await collect(history);
      },
    });
    await backupStreamWithin(over(history, storage).repository, { name: 'dump', stream }, { ...frequent, retainedStreamBytes: 1024 * KiB });
    await expectStream(t, history, bytes);
    await collect(history);
    await maintain(history.repository);
    await expectStream(t, history, bytes);
  }
});

t.test('backupStream: one that sleeps through more collections than a checkpoint is kept says so', async (t) => {
  const history = await newHistory(t);
  const { stream } = streamOf(6);
  let checkpoints = 0;
  const storage = new FaultyStorage(history.repository.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'create' || !name.startsWith('writer/checkpoints/') || ++checkpoints !== 3) return;
      for (let collections = 0; collections < 9; collections++) await collect(history);
    },
  });
  const limits = { ...frequent, retainedStreamBytes: 1024 * KiB };
  const backing = backupStreamWithin(over(history, storage).repository, { name: 'dump', stream }, limits);
  await t.rejects(backing, { code: 'superseded', hint: /run it again/ });
});

t.test('backupStream: passed by a collection that is deciding, it waits; if nobody decides, it says so', async (t) => {
  for (const isDecided of [true, false]) {
    const history = await newHistory(t);
    const { stream, bytes } = streamOf(6);
    let checkpoints = 0;
    const storage = new FaultyStorage(history.repository.storage, {
      onCall: async (operation, name) => {
        if (operation === 'createWriter' && name.startsWith('writer/index/') && ++checkpoints === 3) {
          // A collector condemns what no table lists yet, and is killed before it decides; its next run comes later.
          const killed = new FaultyStorage(history.repository.storage, {
            onCall: (called, root) => {
              if (called === 'create' && root === objectNames.root(2)) throw new Error('killed');
            },
          });
          await t.rejects(maintain(over(history, killed).repository), { message: 'killed' });
        }
        if (operation !== 'create' || !name.startsWith('writer/checkpoints/') || checkpoints !== 3) return;
        // The checkpoint stands; after it floor is raised.
        const fencing = new FaultyStorage(history.repository.storage, {
          onCall: (called, root) => {
            if (called === 'create' && root === objectNames.root(3)) throw new Error('killed');
          },
        });
        void setTimeout(50).then(async () => {
          await maintain(over(history, fencing).repository).catch(() => undefined);
          await setTimeout(200);
          if (isDecided) await maintain(history.repository);
        });
      },
    });
    const slowly = (async function* () {
      for await (const piece of stream) {
        yield piece;
        await setTimeout(30);
      }
    })();
    const backing = backupStreamWithin(
      over(history, storage).repository,
      { name: 'dump', stream: slowly },
      { ...frequent, retainedStreamBytes: 1024 * KiB, decisionPatienceMs: isDecided ? 60_000 : 300 },
    );
    if (isDecided) {
      await backing;
      await expectStream(t, history, bytes);
    } else await t.rejects(backing, { code: 'superseded', hint: /run it again/ });
  }
});

t.test('rewriteSnapshot: a collection within it, at each of its operations: it begins anew, and tells of each entry once', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('a', 4));
  await collect(history);
  const [info] = await listSnapshots(history.repository);
  const counting = new FaultyStorage((await copyOf(history)).repository.storage);
  await rewriteSnapshot(over(history, counting).repository, info!, { patterns: ['file-1', 'file-3'] });
  for (let call = 1; call <= counting.calls.length; call++) {
    const copy = await copyOf(history);
    let calls = 0;
    const storage = new FaultyStorage(copy.repository.storage, {
      onCall: async () => {
        if (++calls === call) await collect(copy);
      },
    });
    const told: string[] = [];
    const onRemoved = ({ path }: { path: Uint8Array }) => void told.push(Buffer.from(path).toString());
    const result = await rewriteSnapshot(over(copy, storage).repository, info!, { patterns: ['file-1', 'file-3'], onRemoved });
    t.match(result, { outcome: 'rewritten', removed: { files: 2 } });
    t.equal(new Set(told).size, told.length);
    t.equal(told.length, 2);
    copy.expected.clear();
    copy.expected.set(result.snapshotId!, new Map([...latestContents(history)].filter(([name]) => !/file-[13]/.test(name))));
    await expectMaintainable(t, copy);
  }
});
