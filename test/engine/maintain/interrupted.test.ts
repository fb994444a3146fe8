/** A collector that is killed at any moment: the repository is sound, and whoever comes next goes on. */
import t, { type Test } from 'tap';
import { maintain } from '../../../engine/maintain/mod.ts';
import { listCheckpoints } from '../../../engine/repository/mod.ts';
import { write } from '../backup/_fixture.ts';
import { FaultyStorage, type Operation } from '../storage/faulty-storage.ts';
import {
  backUpOf,
  copyOf,
  expectMaintainable,
  files,
  forget,
  type History,
  leaveLitter,
  maintainUntilIdle,
  newHistory,
  over,
  packs,
  snapshotOf,
} from './_fixture.ts';

/** Something of everything: a snapshot to drop, litter of a dead backup, base index and catalogue of an earlier collection, an unfinished backup. */
async function eventful(t: Test): Promise<History> {
  const history = await newHistory(t);
  const first = await snapshotOf(history, files('a', 2));
  await leaveLitter(history.repository);
  await maintain(history.repository);
  await snapshotOf(history, files('b', 2));
  await forget(history, first);
  await leaveLitter(history.repository);
  for (const [name, bytes] of Object.entries(unfinished)) write(history.source, name, bytes);
  const storage = new FaultyStorage(history.repository.storage, {
    faults: [{ operation: 'create', name: /^writer\/snapshots\//, call: 1 }],
  });
  await t.rejects(backUpOf(over(history, storage), {}, { batchFiles: 1, waitingTokens: 2, checkpointNewBytes: 1 }), { code: 'io' });
  t.equal((await listCheckpoints(history.repository)).length, 1);
  return history;
}

const unfinished = files('unfinished', 20);

const effects: readonly Operation[] = ['createWriter', 'append', 'commit', 'create', 'delete'];

// Between two operations that change something the store is the same: so these are all moments at which it can be killed.
t.test('maintain: killed after any of its operations that change something', async (t) => {
  const history = await eventful(t);
  const whole = await copyOf(history);
  const counting = new FaultyStorage(whole.repository.storage);
  await maintain({ ...whole.repository, storage: counting });
  const moments = [...counting.calls.keys()].filter((index) => effects.includes(counting.calls[index]!.operation));
  await maintainUntilIdle(whole.repository);
  const left = (await packs(whole)).length;
  t.ok(moments.length >= 15, `${moments.length} operations`);
  for (const index of moments) {
    const copy = await copyOf(history);
    const faults = [
      { call: index + 1, when: 'after' as const },
      { call: index + 1, forever: true },
    ];
    const storage = new FaultyStorage(copy.repository.storage, { faults });
    await t.rejects(maintain({ ...copy.repository, storage }), { code: 'io' }, JSON.stringify(counting.calls[index]));
    await expectMaintainable(t, copy, left);
  }
});

t.test(
  'maintain: killed between its replacements of the root: a backup goes on in each phase, and stores twice what came after the last checkpoint at most',
  async (t) => {
    const history = await eventful(t);
    for (const replacement of [1, 2, 3]) {
      const copy = await copyOf(history);
      const storage = new FaultyStorage(copy.repository.storage, {
        faults: [{ operation: 'create', name: /^collector\/roots\//, call: replacement + 1, forever: true }],
      });
      await maintain({ ...copy.repository, storage }).catch(() => undefined);
      const { statistics, snapshotId } = await backUpOf(copy);
      t.ok(statistics.newBytes <= 2 * 40_000, `after replacement ${replacement}: ${statistics.newBytes} bytes`);
      copy.expected.set(snapshotId!, new Map([...[...copy.expected.values()].at(-1)!, ...Object.entries(unfinished)]));
      await expectMaintainable(t, copy);
    }
  },
);
