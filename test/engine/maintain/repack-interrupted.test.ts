/** Repacking that is killed, sleeps, or meets others at work, at any of its operations. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { listSnapshots } from '../../../engine/repository/mod.ts';
import { restore } from '../../../engine/restore/mod.ts';
import { write } from '../backup/_fixture.ts';
import { FaultyStorage, type Operation } from '../storage/faulty-storage.ts';
import {
  backUpOf,
  copyOf,
  expectContents,
  expectSound,
  files,
  forget,
  type History,
  latestContents,
  newHistoryOfSmallPacks,
  over,
  packBytes,
  snapshotOfExactly,
  someOf,
} from './_fixture.ts';

const thorough = { maxUnused: 0 } as const;
const effects: readonly Operation[] = ['createWriter', 'commit', 'create', 'delete'];

/** A snapshot that shared packs with others, which are gone; an earlier collection has repacked already, the last one has not. */
async function repackable(t: Test): Promise<History> {
  const history = await newHistoryOfSmallPacks(t);
  const all = files('a', 24, 3000);
  const first = await snapshotOfExactly(history, all);
  const second = await snapshotOfExactly(history, someOf(all, 2));
  await snapshotOfExactly(history, someOf(all, 3));
  await forget(history, first);
  await maintain(history.repository, thorough);
  await forget(history, second);
  await maintain(history.repository, { maxUnused: 1 });
  return history;
}

/** All is there; two collections leave what one would have left that was not disturbed. */
async function expectRepacked(t: Test, history: History, bytes: number): Promise<void> {
  await expectContents(t, history);
  for (let round = 0; round < 3; round++) if ((await maintain(history.repository, thorough)).outcome === 'idle') break;
  await expectSound(t, history);
  const left = await packBytes(history);
  t.ok(left <= 1.1 * bytes, `${left} bytes are left, ${bytes} would be`);
}

async function undisturbed(history: History): Promise<{ counting: FaultyStorage; bytes: number }> {
  const whole = await copyOf(history);
  const counting = new FaultyStorage(whole.repository.storage);
  await maintain({ ...whole.repository, storage: counting }, thorough);
  return { counting, bytes: await packBytes(whole) };
}

t.test('maintain: killed after any of the operations of repacking that change something', async (t) => {
  const history = await repackable(t);
  const { counting, bytes } = await undisturbed(history);
  const moments = [...counting.calls.keys()].filter((index) => effects.includes(counting.calls[index]!.operation));
  t.ok(moments.length >= 12, `${moments.length} operations`);
  for (const index of moments) {
    const copy = await copyOf(history);
    const faults = [
      { call: index + 1, when: 'after' as const },
      { call: index + 1, forever: true },
    ];
    const storage = new FaultyStorage(copy.repository.storage, { faults });
    await t.rejects(maintain({ ...copy.repository, storage }, thorough), { code: 'io' }, JSON.stringify(counting.calls[index]));
    await expectRepacked(t, copy, bytes);
  }
});

t.test('maintain: one that repacks sleeps before any of its operations while another repacks twice and a backup is made', async (t) => {
  const history = await repackable(t);
  const { counting, bytes } = await undisturbed(history);
  for (let call = 1; call <= counting.calls.length; call += 7) {
    const copy = await copyOf(history);
    let calls = 0;
    const storage = new FaultyStorage(copy.repository.storage, {
      onCall: async () => {
        if (++calls !== call) return;
        await maintain(copy.repository, thorough);
        const { snapshotId } = await backUpOf(copy);
        copy.expected.set(snapshotId!, latestContents(copy));
        await maintain(copy.repository, thorough);
      },
    });
    await maintain({ ...copy.repository, storage }, thorough);
    await expectRepacked(t, copy, bytes + 6000);
  }
});

t.test('backup: packs are repacked within it, at each of its operations: it ends, its snapshot is whole', async (t) => {
  const history = await repackable(t);
  // What is in the packs that are repacked is what this backup relies on.
  for (const [name, bytes] of Object.entries(someOf(files('a', 24, 3000), 2))) write(history.source, name, bytes);
  const contents = new Map([...latestContents(history), ...Object.entries(someOf(files('a', 24, 3000), 2))]);
  const counting = new FaultyStorage((await copyOf(history)).repository.storage);
  await backUpOf(over(history, counting));
  for (let call = 1; call <= counting.calls.length; call += 5) {
    const copy = await copyOf(history);
    let calls = 0;
    const storage = new FaultyStorage(copy.repository.storage, {
      onCall: async () => {
        if (++calls === call) await maintain(copy.repository, thorough);
      },
    });
    const { snapshotId, errors } = await backUpOf(over(copy, storage));
    t.same(errors, [], `call ${call} of ${counting.calls.length}`);
    copy.expected.set(snapshotId!, contents);
    await expectContents(t, copy);
    await maintain(copy.repository, thorough);
    await expectSound(t, copy);
  }
});

t.test(
  'check, restore and reading: what they read is repacked meanwhile, for a restore and a reader twice: no damage, all is there',
  async (t) => {
    const history = await repackable(t);
    const target = mkdtempSync(path.join(tmpdir(), 'lagan-repack-'));
    t.teardown(() => rmSync(target, { recursive: true, force: true }));
    const works: Record<string, (during: History, folder: string) => Promise<void>> = {
      check: async ({ repository }) => {
        const { errors } = await check(repository, { readData: true, workers: 1 });
        t.same(errors, []);
      },
      restore: async ({ repository, source, expected }, folder) => {
        const [snapshot] = (await listSnapshots(repository)).filter(({ id }) => expected.has(id));
        const { errors } = await restore(repository, snapshot!, { target: folder, from: source, workers: 1 });
        t.same(errors, []);
        for (const [name, bytes] of expected.get(snapshot!.id)!) t.ok(readFileSync(path.join(folder, name)).equals(bytes));
      },
      read: (during) => expectContents(t, during),
    };
    for (const [name, work] of Object.entries(works)) {
      const counting = new FaultyStorage((await copyOf(history)).repository.storage);
      await work(over(history, counting), path.join(target, name));
      for (let call = 1; call <= counting.calls.length; call += Math.ceil(counting.calls.length / 12)) {
        const copy = await copyOf(history);
        const [first, second] = [call, call + 4];
        let calls = 0;
        const storage = new FaultyStorage(copy.repository.storage, {
          onCall: async () => {
            calls++;
            if (calls === first) await maintain(copy.repository, thorough);
            if (calls === second && name !== 'check') {
              // What was replaced is replaced again.
              const kept = [...copy.expected];
              const more = await snapshotOfExactly(copy, files('b', 2, 3000));
              await forget(copy, more);
              copy.expected.clear();
              for (const [id, contents] of kept) copy.expected.set(id, contents);
              await maintain(copy.repository, thorough);
            }
          },
        });
        await work(over(copy, storage), path.join(target, `${name}-${call}`));
      }
    }
  },
);
