/**
 * What happened to the users of other programs, done to Lagan: each incident stops a program at each of its requests in turn, lets others do what they did then, and
 * goes on, so that there is no moment that it does not try. Each is given a folder for scratch and returns what is wrong afterwards.
 */
import path from 'node:path';
import { withCache } from '../../engine/cache/mod.ts';
import { type Repository, readRoot } from '../../engine/repository/mod.ts';
import { systemFileCalls } from '../../engine/storage/_file-calls.ts';
import { InMemory, LocalFolder, type Storage } from '../../engine/storage/mod.ts';
import { LaganError } from '../../repo-format/mod.ts';
import { randomBytesOf } from '../engine/random.ts';
import { copyOf } from '../engine/repository/sample.ts';
import { collectUntilRoot } from '../simulation/_schedule-steps.ts';
import { forget } from '../simulation/engine-calls.ts';
import { backUp, faultsOf, fill, makeSample, open, runWith, type Sample } from './_crash-points.ts';
import { cacheOf, loseEachPack } from './_lost-packs.ts';
import { momentStep } from './_moments.ts';
import { collectIn, faultsInTheEnd, foldIn, stopEverywhere } from './_stops.ts';

export interface Incident {
  readonly words: string;
  readonly faults: (folder: string) => Promise<string[]>;
}

/** What the source holds: versions share files, and each has some of its own. */
export function version(number: number): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  for (let file = 0; file < 5; file++) contents.set(`file-${file}`, randomBytesOf(`content ${file + number * 2}`, 700 + file * 300));
  return contents;
}

export async function backUpVersion(
  sample: Sample,
  number: number,
  storage: Storage = sample.storage,
  options: { checkpoints?: boolean } = {},
): Promise<void> {
  fill(sample.source, version(number));
  sample.expected.set(await backUp(await open(storage), sample.source, options), version(number));
}

export async function forgetAll(sample: Sample): Promise<void> {
  const ids = [...sample.expected.keys()];
  sample.expected.clear();
  await forget(await open(sample.storage), ids);
}

/** Version 0 was backed up and forgotten, version 1 is there: what only version 0 had is garbage. */
export async function wornSample(folder: string): Promise<Sample> {
  const sample = await makeSample(folder, new InMemory());
  await backUpVersion(sample, 0);
  await forgetAll(sample);
  await backUpVersion(sample, 1);
  return sample;
}

export const incidents: Readonly<Record<string, Incident>> = {
  'kopia 1949': {
    words: 'a maintenance that sleeps for hours (the lid was closed) and goes on deletes nothing that was backed up meanwhile',
    // There: maintenance decided what was unused, was suspended, and later deleted packs that a new snapshot had come to use.
    faults: async (folder) => {
      const meanwhile = (copy: Sample) => backUpVersion(copy, 0);
      return (await stopEverywhere(await wornSample(folder), { operate: collectIn, meanwhile, mayEnd: ['done'] })).faults;
    },
  },
  'rustic, parallel prune': {
    words: 'two collections and a backup at once, one stopped at any moment',
    // There: two prunes, or a prune beside a backup, each trusted its own view of the index; packs that were needed went (fixed in 0.12.0).
    faults: async (folder) => {
      const whole = async (copy: Sample) => {
        await collectIn(copy.storage);
        await backUpVersion(copy, 0);
        await collectIn(copy.storage);
      };
      // The root that the stopped one is about to make is there, and a backup relies on it.
      const begun = async (copy: Sample) => {
        await collectUntilRoot(copy.storage, 1);
        await backUpVersion(copy, 0);
      };
      const sample = await wornSample(folder);
      for (const meanwhile of [whole, begun]) {
        const { faults } = await stopEverywhere(sample, { operate: collectIn, meanwhile, mayEnd: ['done'] });
        if (faults.length > 0) return faults;
      }
      return [];
    },
  },
  'restic 2715': {
    words: 'a backup that sleeps while others forget and collect is whole or begins anew',
    // There: a laptop slept in the middle of a backup, its lock became stale and was removed, a prune ran; the backup went on and its snapshot lacked data.
    faults: async (folder) => {
      const operate = (storage: Storage, copy: Sample) => backUpVersion(copy, 0, storage);
      const meanwhile = async (copy: Sample) => {
        for (let collections = 0; collections < 3; collections++) await collectIn(copy.storage);
      };
      return (await stopEverywhere(await wornSample(folder), { operate, meanwhile, mayEnd: ['done'] })).faults;
    },
  },
  'restic 2715, longer': {
    words: 'a backup that sleeps across ten collections is whole',
    faults: async (folder) => {
      const faults: string[] = [];
      const operate = (storage: Storage, copy: Sample) => backUpVersion(copy, 0, storage);
      const meanwhile = async (copy: Sample) => {
        const other = path.join(copy.folder, 'other');
        const { generation } = await readRoot(await open(copy.storage));
        for (let round = 0; round < 10; round++) {
          fill(other, version(round + 3));
          await forget(await open(copy.storage), [await backUp(await open(copy.storage), other)]);
          await collectIn(copy.storage);
        }
        if ((await readRoot(await open(copy.storage))).generation < generation + 10) faults.push('there were not ten collections');
      };
      return [...faults, ...(await stopEverywhere(await wornSample(folder), { operate, meanwhile, mayEnd: ['done'], step: 8 })).faults];
    },
  },
  'PBS PSA-2025-00019-1': {
    words: 'a snapshot that is made while the marking runs keeps its chunks though the one that it is based on is pruned',
    // There: the list of snapshots was made, then a new one based on an old one, then the old one was pruned before it was marked: the chunks of both went.
    faults: async (folder) => {
      const meanwhile = async (copy: Sample) => {
        const old = [...copy.expected.keys()];
        await backUpVersion(copy, 1);
        for (const id of old) copy.expected.delete(id);
        await forget(await open(copy.storage), old);
      };
      return (await stopEverywhere(await wornSample(folder), { operate: collectIn, meanwhile, mayEnd: ['done'] })).faults;
    },
  },
  'borg 9748': {
    words: 'after an interrupted collection no index, stored or cached, makes a backup rely on what was deleted',
    // There: compact deleted chunks, was interrupted before it stored the new index, and later backups took the deleted chunks for present.
    faults: async (folder) => {
      const sample = await wornSample(folder);
      const whole = await runWith(sample, { plan: {}, operate: collectIn });
      const last = whole.storage.calls.length;
      for (let call = 1; call <= last; call += momentStep) {
        // After a call is before the next one.
        const faults = await afterInterruptedCollection(sample, { call, when: 'before' });
        if (faults.length > 0) return faults.map((fault) => `killed before call ${call}: ${fault}`);
      }
      return afterInterruptedCollection(sample, { call: last, when: 'after' });
    },
  },
  'restic 4612': {
    words: 'a listing that fails, whatever the store calls it, is never taken for "nothing there"',
    // There: the store said "not found" when listing the snapshots failed, which was taken for an empty folder, and prune deleted everything.
    faults: async (folder) => {
      const sample = await wornSample(folder);
      const listings = (await runWith(sample, { plan: {}, operate: collectIn })).storage.count('list');
      for (let call = 1; call <= listings; call++) {
        for (const code of ['io', 'unavailable', 'forbidden', 'not-found'] as const) {
          const error = () => new LaganError(code, 'the listing fails');
          const { copy, outcome } = await runWith(sample, { plan: { faults: [{ operation: 'list', call, error }] }, operate: collectIn });
          const faults = await faultsOf(copy);
          // What vanished while another collector moved the root is looked for again: that may go well.
          if (outcome === 'done' && code !== 'not-found') faults.push('it was taken for success');
          if (faults.length > 0) return faults.map((fault) => `listing ${call} fails with ${code}: ${fault}`);
        }
      }
      return listings > 3 ? [] : ['there were no listings'];
    },
  },
  'kopia 3492': {
    words:
      'after a check a backup of the same source from a machine with a warm cache brings back what was lost, and old snapshots are restored again',
    // There: a pack was gone; backups of the unchanged source found its chunks in index and cache, and never stored them again. Users were left with snapshots that could not be restored.
    faults: async (folder) => {
      const sample = await makeSample(folder, new InMemory());
      const cache = cacheOf(sample);
      fill(sample.source, version(0));
      sample.expected.set(await backUp(withCache(await open(sample.storage), { folder: cache }), sample.source), version(0));
      const folded = { ...sample, storage: await copyOf(sample.storage) };
      await foldIn(folded.storage);
      for (const before of [sample, folded])
        for (const how of ['gone', 'damaged'] as const)
          for (const collect of [false, true]) {
            const faults = await loseEachPack(before, { how, collect, cache });
            if (faults.length > 0) return faults;
          }
      return [];
    },
  },
  'kopia 4455': {
    words: 'no crash leaves an empty or partial object that counts',
    // There: after a crash the repository had an index blob of zero bytes, and could not be opened any more until it was deleted by hand.
    faults: async (folder) => {
      const bytes = randomBytesOf('object', 3000);
      const name = 'writer/index/0000000000000000/00000000000000000000000000000001.00000000-00000000';
      for (let call = 1, isOver = false; !isOver && call < 100; call++) {
        const place = path.join(folder, `place-${call}`);
        await new LocalFolder(place).prepare();
        const parts = [bytes.subarray(0, 1000), bytes.subarray(1000)];
        const outcome = await new LocalFolder(place, { fileCalls: dyingAt(call) }).create(name, parts).catch(() => 'failed');
        isOver = outcome === 'created';
        for await (const object of new LocalFolder(place).list(''))
          if (object.sizeBytes !== bytes.length) return [`killed at system call ${call}: ${object.name} has ${object.sizeBytes} bytes`];
      }
      return [];
    },
  },
  'kopia 4769': {
    words: 'after months of daily backups, forgetting and maintenance everything is there',
    // There: after some months of daily maintenance a repository could not be opened: a blob that its manifests were in had been deleted.
    faults: async (folder) => {
      const sample = await makeSample(folder, new InMemory());
      for (let day = 0; day < 60; day++) {
        await backUpVersion(sample, day % 11);
        const [oldest] = sample.expected.keys();
        if (sample.expected.size > 4) {
          sample.expected.delete(oldest!);
          await forget(await open(sample.storage), [oldest!]);
        }
        if (day % 2 === 0) await collectIn(sample.storage);
        const faults = day % 10 === 9 ? await faultsOf(sample) : [];
        if (faults.length > 0) return faults.map((fault) => `day ${day}: ${fault}`);
      }
      return faultsInTheEnd(sample);
    },
  },
};

/** A backup with a cache, a collection that dies, and a backup with the cache as it was before. */
async function afterInterruptedCollection(sample: Sample, { call, when }: { call: number; when: 'before' | 'after' }): Promise<string[]> {
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
  return faultsOf(copy);
}

/** The system calls of a process that dies at one of them. */
function dyingAt(call: number): typeof systemFileCalls {
  let made = 0;
  const dying = Object.entries(systemFileCalls).map(([key, perform]) => [
    key,
    (...given: unknown[]) => {
      if (++made >= call) throw Object.assign(new Error('the process has died'), { code: 'EIO' });
      return (perform as (...given: unknown[]) => unknown)(...given);
    },
  ]);
  return Object.fromEntries(dying) as unknown as typeof systemFileCalls;
}
