/**
 * What happened to the users of other programs, and that it cannot happen here. Each test stops a program at each of its requests in turn, lets others do what
 * they did then, and goes on: there is no moment that it does not try.
 */
import path from 'node:path';
import t, { type Test } from 'tap';
import { withCache } from '../../engine/cache/mod.ts';
import { type Repository, readRoot } from '../../engine/repository/mod.ts';
import { systemFileCalls } from '../../engine/storage/_file-calls.ts';
import { InMemory, LocalFolder, type Storage } from '../../engine/storage/mod.ts';
import { LaganError } from '../../repo-format/mod.ts';
import { randomBytesOf } from '../engine/random.ts';
import { collect, forget } from '../simulation/engine-calls.ts';
import { backUp, faultsOf, fill, makeSample, open, runWith, type Sample, scratchFolder } from './_crash-points.ts';

/** What the source holds: versions share files, and each has some of its own. */
function version(number: number): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  for (let file = 0; file < 5; file++) contents.set(`file-${file}`, randomBytesOf(`content ${file + number * 2}`, 700 + file * 300));
  return contents;
}

async function backUpVersion(sample: Sample, number: number, storage: Storage = sample.storage): Promise<void> {
  fill(sample.source, version(number));
  sample.expected.set(await backUp(await open(storage), sample.source), version(number));
}

async function forgetAll(sample: Sample): Promise<void> {
  const ids = [...sample.expected.keys()];
  sample.expected.clear();
  await forget(await open(sample.storage), ids);
}

async function collectIn(storage: Storage): Promise<void> {
  await collect(await open(storage));
}

/** Version 0 was backed up and forgotten, version 1 is there: what only version 0 had is garbage. */
async function wornSample(t: Test): Promise<Sample> {
  const sample = await makeSample(scratchFolder(t), new InMemory());
  await backUpVersion(sample, 0);
  await forgetAll(sample);
  await backUpVersion(sample, 1);
  return sample;
}

interface Stopped {
  /** What is stopped. */
  readonly operate: (storage: Storage, copy: Sample) => Promise<void>;
  /** What others do while it is. */
  readonly meanwhile: (copy: Sample) => Promise<void>;
  /** What is done after all have ended. */
  readonly afterwards?: (copy: Sample) => Promise<void>;
  /** Codes with which the stopped program may end. */
  readonly mayEnd: readonly string[];
  /** Every so many requests. Default: each. */
  readonly step?: number;
}

/** Stops the operation at each of its requests. Whatever was acknowledged must be there after two more collections. */
async function stopEverywhere(t: Test, sample: Sample, { operate, meanwhile, afterwards, mayEnd, step = 1 }: Stopped): Promise<void> {
  for (let call = 1; ; call += step) {
    let wasStopped = false;
    const copies: Sample[] = [];
    let made = 0;
    const plan = {
      onCall: async () => {
        if (++made !== call) return;
        wasStopped = true;
        await meanwhile(copies[0]!);
      },
    };
    const start = (storage: Storage, copy: Sample): Promise<void> => {
      copies.push(copy);
      return operate(storage, copy);
    };
    const { copy, outcome } = await runWith(sample, { plan, operate: start });
    if (!mayEnd.includes(outcome)) t.fail(`stopped at call ${call}: ${outcome}`);
    await afterwards?.(copy);
    for (let collections = 0; collections < 2; collections++) await collectIn(copy.storage);
    const faults = await faultsOf(copy);
    if (faults.length > 0) t.fail(`stopped at call ${call} (${outcome}): ${faults}`);
    if (wasStopped) continue;
    t.ok(call > 10, `${call - 1} moments`);
    return;
  }
}

t.test(
  'kopia 1949: a maintenance that sleeps for hours (the lid was closed) and goes on deletes nothing that was backed up meanwhile',
  async (t) => {
    // There: maintenance decided what was unused, was suspended, and later deleted packs that a new snapshot had come to use.
    await stopEverywhere(t, await wornSample(t), {
      operate: collectIn,
      meanwhile: (copy) => backUpVersion(copy, 0),
      mayEnd: ['done'],
    });
  },
);

t.test('rustic, parallel prune: two collections and a backup at once, one stopped at any moment', async (t) => {
  // There: two prunes, or a prune beside a backup, each trusted its own view of the index; packs that were needed went (fixed in 0.12.0).
  await stopEverywhere(t, await wornSample(t), {
    operate: collectIn,
    meanwhile: async (copy) => {
      await collectIn(copy.storage);
      await backUpVersion(copy, 0);
      await collectIn(copy.storage);
    },
    mayEnd: ['done'],
  });
});

t.test('restic 2715: a backup that sleeps while others forget and collect is whole or begins anew', async (t) => {
  // There: a laptop slept in the middle of a backup, its lock became stale and was removed, a prune ran; the backup went on and its snapshot lacked data.
  await stopEverywhere(t, await wornSample(t), {
    operate: (storage, copy) => backUpVersion(copy, 0, storage),
    meanwhile: async (copy) => {
      for (let collections = 0; collections < 3; collections++) await collectIn(copy.storage);
    },
    mayEnd: ['done'],
  });
});

t.test('restic 2715, longer: a backup that sleeps across ten collections is whole', async (t) => {
  await stopEverywhere(t, await wornSample(t), {
    operate: (storage, copy) => backUpVersion(copy, 0, storage),
    meanwhile: async (copy) => {
      const other = path.join(copy.folder, 'other');
      const { generation } = await readRoot(await open(copy.storage));
      for (let round = 0; round < 10; round++) {
        fill(other, version(round + 3));
        await forget(await open(copy.storage), [await backUp(await open(copy.storage), other)]);
        await collectIn(copy.storage);
      }
      if ((await readRoot(await open(copy.storage))).generation < generation + 10) t.fail('there were not ten collections');
    },
    mayEnd: ['done'],
    step: 8,
  });
});

t.test(
  'PBS PSA-2025-00019-1: a snapshot that is made while the marking runs keeps its chunks though the one that it is based on is pruned',
  async (t) => {
    // There: the list of snapshots was made, then a new one based on an old one, then the old one was pruned before it was marked: the chunks of both went.
    await stopEverywhere(t, await wornSample(t), {
      operate: collectIn,
      meanwhile: async (copy) => {
        const old = [...copy.expected.keys()];
        await backUpVersion(copy, 1);
        for (const id of old) copy.expected.delete(id);
        await forget(await open(copy.storage), old);
      },
      mayEnd: ['done'],
    });
  },
);

t.test('borg 9748: after an interrupted collection no index, stored or cached, makes a backup rely on what was deleted', async (t) => {
  // There: compact deleted chunks, was interrupted before it stored the new index, and later backups took the deleted chunks for present.
  const sample = await wornSample(t);
  const whole = await runWith(sample, { plan: {}, operate: collectIn });
  for (let call = 1; call <= whole.storage.calls.length; call++) {
    for (const when of ['before', 'after'] as const) {
      const folder = path.join(sample.folder, `cache-${call}-${when}`);
      const cached = async (copy: Sample): Promise<Repository> => withCache(await open(copy.storage), { folder });
      const fault = { call, when, forever: true, error: () => new LaganError('unavailable', 'the process was killed') } as const;
      const { copy } = await runWith(sample, {
        plan: { faults: [fault] },
        operate: async (storage, made) => {
          fill(made.source, version(1));
          // The cache knows the packs and tables as they were before.
          await backUp(await cached(made), made.source, { force: true }).then((id) => made.expected.set(id, version(1)));
          await collectIn(storage);
        },
      });
      fill(copy.source, version(0));
      copy.expected.set(await backUp(await cached(copy), copy.source), version(0));
      const faults = await faultsOf(copy);
      if (faults.length > 0) t.fail(`killed ${when} call ${call}: ${faults}`);
    }
  }
  t.ok(whole.storage.calls.length > 10);
});

t.test('restic 4612: a listing that fails, whatever the store calls it, is never taken for "nothing there"', async (t) => {
  // There: the store said "not found" when listing the snapshots failed, which was taken for an empty folder, and prune deleted everything.
  const sample = await wornSample(t);
  const whole = await runWith(sample, { plan: {}, operate: collectIn });
  const listings = whole.storage.count('list');
  for (let call = 1; call <= listings; call++) {
    for (const code of ['io', 'unavailable', 'forbidden', 'not-found'] as const) {
      const error = () => new LaganError(code, 'the listing fails');
      const { copy, outcome } = await runWith(sample, { plan: { faults: [{ operation: 'list', call, error }] }, operate: collectIn });
      const faults = await faultsOf(copy);
      // What vanished while another collector moved the root is looked for again: that may go well.
      if ((outcome === 'done' && code !== 'not-found') || faults.length > 0)
        t.fail(`listing ${call} fails with ${code}: ${outcome} ${faults}`);
    }
  }
  t.ok(listings > 3, `${listings} listings`);
});

t.test('kopia 4455: no crash leaves an empty or partial object that counts', async (t) => {
  // There: after a crash the repository had an index blob of zero bytes, and could not be opened any more until it was deleted by hand.
  const bytes = randomBytesOf('object', 3000);
  const name = 'writer/index/0000000000000000/00000000000000000000000000000001.00000000-00000000';
  for (let call = 1, isOver = false; !isOver; call++) {
    const folder = scratchFolder(t);
    let made = 0;
    const dying = Object.fromEntries(
      Object.entries(systemFileCalls).map(([key, perform]) => [
        key,
        (...given: unknown[]) => {
          if (++made >= call) throw Object.assign(new Error('the process has died'), { code: 'EIO' });
          return (perform as (...given: unknown[]) => unknown)(...given);
        },
      ]),
    ) as unknown as typeof systemFileCalls;
    const outcome = await new LocalFolder(folder, { fileCalls: dying })
      .create(name, [bytes.subarray(0, 1000), bytes.subarray(1000)])
      .catch(() => 'failed');
    isOver = outcome === 'created';
    for await (const object of new LocalFolder(folder).list(''))
      if (object.sizeBytes !== bytes.length) t.fail(`call ${call}: ${object.sizeBytes} bytes`);
  }
});

t.test('kopia 4769: after months of daily backups, forgetting and maintenance everything is there', async (t) => {
  // There: after some months of daily maintenance a repository could not be opened: a blob that its manifests were in had been deleted.
  const sample = await makeSample(scratchFolder(t), new InMemory());
  for (let day = 0; day < 60; day++) {
    await backUpVersion(sample, day % 11);
    const [oldest] = sample.expected.keys();
    if (sample.expected.size > 4) {
      sample.expected.delete(oldest!);
      await forget(await open(sample.storage), [oldest!]);
    }
    if (day % 2 === 0) await collectIn(sample.storage);
    if (day % 10 === 9) t.same(await faultsOf(sample), [], `day ${day}`);
  }
});
