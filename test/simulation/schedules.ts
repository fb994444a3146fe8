/**
 * Schedules that chance hits too seldom, each done step by step: what is so afterwards must be right. The protocol's mistakes that seeds of the simulation do not find soon are
 * found by these (mistakes.test.ts). Each is given a folder for scratch and returns what is wrong.
 */
import path from 'node:path';
import { backupWithin } from '../../engine/backup/backup.ts';
import { recover } from '../../engine/maintain/mod.ts';
import { holdSnapshots, listMarks, listSnapshots, markSnapshots, readRoot, unmarkSnapshots } from '../../engine/repository/mod.ts';
import { type CallOptions, type CreateOutcome, InMemory, type Storage } from '../../engine/storage/mod.ts';
import { isLaganError, LaganError, objectPrefixes, parseObjectName, type SnapshotId } from '../../repo-format/mod.ts';
import { copyOf, namesIn } from '../engine/repository/sample.ts';
import { FaultyStorage } from '../engine/storage/faulty-storage.ts';
import { faultsOf, lostOf, makeSample, open, runWith, type Sample } from '../reliability/_crash-points.ts';
import { backUpVersion, forgetAll, version, wornSample } from '../reliability/_incidents.ts';
import { collectIn, faultsInTheEnd, litterOf, stopEverywhere } from '../reliability/_stops.ts';
import { collectorsObjects, collectUntilRoot, expectCode, isCall, leaveLitter, once, setBack } from './_schedule-steps.ts';
import { readSnapshot } from './engine-calls.ts';
import { lostSchedules } from './lost-schedules.ts';
import { type Contents, differenceOf } from './source-tree.ts';
import { joined, PassingStorage } from './spoiled-storage.ts';

export type Schedule = (folder: string) => Promise<string[]>;

const { roots, sessionIndexes: tables, snapshots: commits, writerPacks } = objectPrefixes;

export const schedules: Readonly<Record<string, Schedule>> = {
  /** Packs are deleted and others are stored, many times. */
  'names of packs': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    for (let round = 0; round < 12; round++) {
      await backUpVersion(sample, round * 5);
      await collectIn(sample.storage);
      const faults = await faultsOf(sample);
      if (faults.length > 0) return faults.map((fault) => `round ${round}: ${fault}`);
      await forgetAll(sample);
      await collectIn(sample.storage);
    }
    return [];
  },

  'a collection beside a backup': async (folder) => {
    const operate = (storage: Storage, copy: Sample) => backUpVersion(copy, 0, storage);
    const stopped = { operate, meanwhile: ({ storage }: Sample) => collectIn(storage), mayEnd: ['done'] };
    return (await stopEverywhere(await wornSample(folder), stopped)).faults;
  },

  'a collection beside a backup that began within it': async (folder) => {
    const sample = await wornSample(folder);
    await collectUntilRoot(sample.storage, 1);
    const operate = (storage: Storage, copy: Sample) => backUpVersion(copy, 0, storage);
    const stopped = { operate, meanwhile: ({ storage }: Sample) => collectIn(storage), mayEnd: ['done'] };
    return (await stopEverywhere(sample, stopped)).faults;
  },

  /** A: a dying backup stores packs; B and C; its table lands; a backup that began after A has not listed the tables yet. */
  'a table that lands after the collector looked': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    await backUpVersion(sample, 1);
    await leaveLitter(sample);
    const late = await backUpWithLateTables(sample, () => collectUntilRoot(sample.storage, 1));
    const slow = new FaultyStorage(sample.storage, {
      onCall: once(isCall('list', tables), async () => {
        await collectUntilRoot(sample.storage, 2);
        await late.land();
      }),
    });
    await backUpVersion(sample, 0, slow);
    return faultsInTheEnd(sample);
  },

  /** The same, but the table lands, and the backup begins and ends, when C has listed all tables and not replaced the root. */
  'a table that lands while the collector decides': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    await backUpVersion(sample, 1);
    await leaveLitter(sample);
    const late = await backUpWithLateTables(sample, () => collectUntilRoot(sample.storage, 1));
    await collectUntilRoot(sample.storage, 1);
    const collector = new FaultyStorage(sample.storage, {
      onCall: once(isCall('create', roots), async () => {
        await late.land();
        await backUpVersion(sample, 0);
      }),
    });
    await collectIn(collector);
    return faultsInTheEnd(sample);
  },

  /** A backup that began before A stores packs after B, then its table and its commit when C begins to list commits, and dies. */
  'a backup that commits while the collector lists': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    await backUpVersion(sample, 1);
    await leaveLitter(sample);
    const [reached, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const collectAtFirstPack = once(isCall('createWriter', writerPacks), () => collectUntilRoot(sample.storage, 2));
    const waitAtTable = once(isCall('commit', tables), async () => {
      reached.resolve();
      await goOn.promise;
    });
    const dying = new FaultyStorage(sample.storage, {
      onCall: async (operation, name) => {
        await collectAtFirstPack?.(operation, name);
        await waitAtTable?.(operation, name);
      },
      faults: [{ operation: 'create', name: /^writer\/snapshots/, call: 1, when: 'after' }],
    });
    const ended = backUpVersion(sample, 0, dying, { checkpoints: false }).catch(expectCode('io'));
    await reached.promise;
    const finishBackup = async (): Promise<void> => {
      goOn.resolve();
      await ended;
    };
    await collectIn(new FaultyStorage(sample.storage, { onCall: once(isCall('list', commits), finishBackup, 2) }));
    return faultsInTheEnd(sample);
  },

  /** A hold that is confirmed must come true, whenever it is made. */
  'a hold at any moment of a collection': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    await backUpVersion(sample, 0);
    await backUpVersion(sample, 5);
    const [[id, contents]] = [...sample.expected] as [[SnapshotId, ReadonlyMap<string, Uint8Array>]];
    const forever = { until: null, reason: 'test' } as const;
    const hold = async ({ storage, expected }: Sample): Promise<void> => {
      const fate = (await holdSnapshots(await open(storage), [id], { ...forever, patienceMs: 0 })).get(id);
      if (fate === 'kept') expected.set(id, contents);
    };
    sample.expected.delete(id);
    await markSnapshots(await open(sample.storage), [id], { reason: 'test' });
    return (await stopEverywhere(sample, { operate: collectIn, meanwhile: hold, mayEnd: ['done'] })).faults;
  },

  /** Whatever is listed between must be listed. */
  'a reader across five collections': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    for (let number = 0; number < 3; number++) await backUpVersion(sample, number);
    const faults: string[] = [];
    const operate = async (storage: Storage, { expected }: Sample): Promise<void> => {
      const listed = new Set((await listSnapshots(await open(storage))).map(({ id }) => id));
      for (const id of expected.keys()) if (!listed.has(id)) faults.push(`a reader does not see ${id}`);
    };
    const meanwhile = async (copy: Sample): Promise<void> => {
      for (let collections = 0; collections < 5; collections++) {
        await leaveLitter(copy);
        await collectIn(copy.storage);
      }
    };
    const { faults: later } = await stopEverywhere(sample, { operate, meanwhile, mayEnd: ['done'] });
    return [...faults, ...later];
  },

  /** What a dead backup had stored up to its last checkpoint is not stored again. */
  'collections after a backup that died': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    const dead = { faults: [{ operation: 'create', name: /^writer\/checkpoints/, call: 1, when: 'after', forever: true }] } as const;
    await backUpVersion(sample, 0, new FaultyStorage(sample.storage, dead)).catch(expectCode('io'));
    return storedTwice(sample);
  },

  /** A commit arrives when the collector has passed it, and its writer is dead: the checkpoint before it is still of use. */
  'a commit that lands too late': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    const late = new LateStorage(sample.storage, commits);
    const dying = new FaultyStorage(late, {
      onCall: once(isCall('create', commits), async () => {
        await leaveLitter(sample);
        await collectIn(sample.storage);
      }),
    });
    await backUpVersion(sample, 0, dying).catch(expectCode('unavailable'));
    await late.land();
    return storedTwice(sample);
  },

  /** Packs that no table names go by one collection. */
  'litter of dead backups': async (folder) => {
    const sample = await wornSample(folder);
    await leaveLitter(sample);
    await collectIn(sample.storage);
    return [...(await litterOf(sample)), ...(await faultsOf(sample))];
  },

  /** Packs are replaced by copies of what is needed of them; their own entries lead to the copies, through later collections, too. */
  'packs that are replaced': async (folder) => {
    const sample = await sharingSample(folder);
    for (let round = 0; round < 3; round++) {
      await collectIn(sample.storage);
      const copies = await namesIn(sample.storage, objectPrefixes.collectorPacks);
      const faults = [...(copies.length === 0 ? ['nothing was replaced'] : []), ...(await faultsOf(sample))];
      if (faults.length > 0) return faults.map((fault) => `collection ${round}: ${fault}`);
      await leaveLitter(sample);
    }
    return [];
  },

  /** The copies were made for what stood then: what is brought back before the decision keeps the packs that it lists. */
  'a snapshot that is brought back while its packs are replaced': async (folder) => {
    for (const replacement of [1, 2]) {
      const sample = await sharingSample(path.join(folder, `${replacement}`));
      const bringBack = once(isCall('create', roots), () => unmarkAll(sample), replacement);
      await collectIn(new FaultyStorage(sample.storage, { onCall: bringBack }));
      const faults = await faultsOf(sample);
      if (faults.length > 0) return faults.map((fault) => `before replacement ${replacement}: ${fault}`);
    }
    return [];
  },

  /** The snapshot that a backup is compared with lists packs that were replaced, and goes while the backup runs: with it go the entries that lead to the copies. */
  'a backup whose parent is dropped': async (folder) => {
    const sample = await sharingSample(folder);
    await collectIn(sample.storage);
    await leaveLitter(sample);
    await collectUntilRoot(sample.storage, 1);
    const dropParent = once(isCall('createWriter', writerPacks), async () => {
      await forgetAll(sample);
      await collectIn(sample.storage);
    });
    await backUpVersion(sample, 1, new FaultyStorage(sample.storage, { onCall: dropParent }));
    return faultsInTheEnd(sample);
  },

  /** Packs that a reader wants are replaced when it has begun, and what replaced them once more at each of its later requests. */
  'a reader whose packs are replaced twice': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    for (let number = 0; number < 3; number++) await backUpVersion(sample, number, sample.storage, { checkpoints: false });
    const [first, second, [id, contents]] = [...sample.expected] as [Known, Known, Known];
    for (let call = 1, isOver = false; !isOver; call++) {
      const storage = await copyOf(sample.storage);
      let made = 0;
      const collectWithout = async (forgotten: SnapshotId): Promise<void> => {
        await markSnapshots(await open(storage), [forgotten], { reason: 'test' });
        await collectIn(storage);
      };
      const repository = await open(storage);
      const onCall = async (): Promise<void> => {
        if (++made === 3) await collectWithout(first[0]);
        if (made === 3 + call) await collectWithout(second[0]);
      };
      const reading = { ...repository, storage: new FaultyStorage(storage, { onCall }) };
      const difference = await readSnapshot(reading, { id, folder: sample.source }).then((found) => differenceOf(found, contents), String);
      if (difference !== undefined) return [`replaced once more at request ${call}: ${difference}`];
      isOver = made < 3 + call;
    }
    return [];
  },

  /** What the collector stored is as it was before, everything else as it is now: some replacements of the root later, or whole collections, with a backup before each. */
  'a store that was set back': async (folder) => {
    const steps = {
      replacement: (sample: Sample) => collectUntilRoot(sample.storage, 1),
      collection: ({ storage }: Sample) => collectIn(storage),
    };
    for (const [kind, step] of Object.entries(steps)) {
      for (let count = 1; count <= (kind === 'collection' ? 2 : 5); count++) {
        const sample = await wornSample(path.join(folder, `${kind}-${count}`));
        await collectIn(sample.storage);
        const before = await collectorsObjects(sample.storage);
        for (let number = 0; number < count; number++) {
          await backUpVersion(sample, number % 3);
          await leaveLitter(sample);
          await step(sample);
        }
        await setBack(sample.storage, before);
        const faults = await faultsAfterSetBack(sample);
        if (faults.length > 0) return faults.map((fault) => `set back by ${count} times a ${kind}: ${fault}`);
      }
    }
    return [];
  },

  /** As after a rollback across a collection that repacked: nothing is collected (ROOT-20). */
  'a pack of the index that is gone': async (folder) => {
    const sample = await wornSample(folder);
    await collectIn(sample.storage);
    const faults: string[] = [];
    // Without one that has lists of packs nothing is collected anyway.
    for (const pack of [...(await namesIn(sample.storage, writerPacks)), ...(await namesIn(sample.storage, 'collector/packs/'))]) {
      const { copy } = await runWith(sample, { plan: {}, operate: async () => undefined });
      await copy.storage.delete([pack]);
      await leaveLitter(copy);
      const before = await namesIn(copy.storage);
      await collectIn(copy.storage).catch(expectCode('rolled-back'));
      if ((await namesIn(copy.storage)).join() !== before.join()) faults.push(`something was changed though ${pack} is gone`);
    }
    return faults;
  },

  /** A backup relies on what stood under its root; the store is set back meanwhile, and in the other line of roots that is doomed. */
  'a backup while the store is set back': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    await backUpVersion(sample, 0);
    const before = await collectorsObjects(sample.storage);
    await leaveLitter(sample);
    await collectIn(sample.storage);
    for (let call = 1, isOver = false; !isOver; call++) {
      let made = 0;
      const onCall = async (): Promise<void> => {
        if (++made !== call) return;
        await setBack(copies[0]!.storage, before);
        await forgetAll(copies[0]!);
        await collectIn(copies[0]!.storage).catch(expectCode('rolled-back'));
      };
      const copies: Sample[] = [];
      const operate = (storage: Storage, copy: Sample): Promise<void> => {
        copies.push(copy);
        return backUpVersion(copy, 0, storage);
      };
      const { copy, outcome } = await runWith(sample, { plan: { onCall }, operate });
      isOver = made < call;
      const faults = outcome === 'done' && !isOver ? await lostOf(copy) : [];
      if (faults.length > 0) return faults.map((fault) => `set back at call ${call}: ${fault}`);
    }
    return [];
  },

  /** Its list is of a root that is not there any more; its owner has brought the snapshot back that the list's packs belong to. */
  'a deleter that slept while the store was set back': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    for (const number of [0, 5]) await backUpVersion(sample, number);
    const [first] = sample.expected.keys();
    await markSnapshots(await open(sample.storage), [first!], { reason: 'test' });
    const before = await collectorsObjects(sample.storage);
    const beforeDeletion = once(
      isCall('list', writerPacks),
      async () => {
        await setBack(sample.storage, before);
        await unmarkSnapshots(await open(sample.storage), [first!]);
      },
      2,
    );
    const outcome = await collectIn(new FaultyStorage(sample.storage, { onCall: beforeDeletion })).then(
      () => 'done',
      (error: unknown) => (isLaganError(error) ? error.code : String(error)),
    );
    const faults = ['done', 'rolled-back', 'object-missing'].includes(outcome) ? [] : [`the deleter ends with ${outcome}`];
    return [...faults, ...(await lostOf(sample))];
  },

  /** It creates the root after the one that it has read, though that one is gone; then it dies. */
  'a collector that slept while the store was set back': async (folder) => {
    const sample = await wornSample(folder);
    const before = await rootsIn(sample.storage);
    await collectIn(sample.storage);
    await leaveLitter(sample);
    const collector = new FaultyStorage(sample.storage, {
      onCall: once(isCall('create', roots), () => setRootsBack(sample.storage, before)),
      faults: [{ operation: 'create', name: /^collector\/roots/, call: 1, when: 'after' }],
    });
    await collectIn(collector).catch(expectCode('io'));
    return faultsAfterSetBack(sample);
  },

  /** The same, but it goes on: it must not make roots upon roots, after which nobody sees the gap. */
  'a collector that slept while the store was set back, and goes on': async (folder) => {
    const sample = await wornSample(folder);
    const before = await rootsIn(sample.storage);
    await collectIn(sample.storage);
    await leaveLitter(sample);
    const onCall = once(isCall('create', roots), () => setRootsBack(sample.storage, before));
    await collectIn(new FaultyStorage(sample.storage, { onCall })).then(() => {
      throw new Error('it collects though the root that it has read is gone');
    }, expectCode('rolled-back'));
    return faultsAfterSetBack(sample);
  },

  ...lostSchedules,
};

type Known = [SnapshotId, Contents];

/** Keeps objects whose names have a prefix back, and tells their creator that there is no answer. */
class LateStorage extends PassingStorage {
  readonly #prefix: string;
  readonly #kept: { name: string; bytes: Uint8Array }[] = [];

  constructor(inner: Storage, prefix: string) {
    super(inner);
    this.#prefix = prefix;
  }

  override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    if (!name.startsWith(this.#prefix)) return super.create(name, parts, options);
    this.#kept.push({ name, bytes: joined(parts) });
    throw new LaganError('unavailable', `${name}: no answer`);
  }

  async land(): Promise<void> {
    for (const { name, bytes } of this.#kept) await this.inner.create(name, [bytes]);
  }
}

/** A backup of version 0 that ends without an answer to the request that stores its index table. `atFirstPack` is done before it has stored anything. */
async function backUpWithLateTables(sample: Sample, atFirstPack: () => Promise<void>): Promise<LateStorage> {
  const late = new LateStorage(sample.storage, tables);
  const storage = new FaultyStorage(late, { onCall: once(isCall('createWriter', writerPacks), atFirstPack) });
  await backUpVersion(sample, 0, storage).catch(expectCode('unavailable'));
  return late;
}

/** Two versions that share files and packs, of which the first is forgotten: what the second needs is in packs with garbage. */
async function sharingSample(folder: string): Promise<Sample> {
  const sample = await makeSample(folder, new InMemory());
  await backUpVersion(sample, 0, sample.storage, { checkpoints: false });
  const [first] = sample.expected.keys();
  await backUpVersion(sample, 1);
  await markSnapshots(await open(sample.storage), [first!], { reason: 'test' });
  sample.expected.delete(first!);
  return sample;
}

/** Brings all back that is marked: version 0. */
async function unmarkAll(sample: Sample): Promise<void> {
  const repository = await open(sample.storage);
  const marked = (await listMarks(repository)).flatMap(({ value }) => value.snapshots);
  for (const [id, fate] of await unmarkSnapshots(repository, marked, { patienceMs: 0 }))
    if (fate === 'kept') sample.expected.set(id, version(0));
}

/** Backs version 0 up after three collections: how much is stored though an interrupted backup had stored it. */
async function storedTwice(sample: Sample): Promise<string[]> {
  for (let collections = 0; collections < 3; collections++) {
    await leaveLitter(sample);
    await collectIn(sample.storage);
  }
  const { statistics } = await backupWithin(
    await open(sample.storage),
    { paths: [sample.source], host: 'host', workers: 1 },
    { chunkTableRows: 4096 },
  );
  const share = statistics.newBytes / statistics.bytes;
  return share < 0.6 ? [] : [`${Math.round(share * 100)} % of the data is stored once more`];
}

async function rootsIn(storage: Storage): Promise<Map<string, Uint8Array>> {
  return new Map([...(await collectorsObjects(storage))].filter(([name]) => name.startsWith(roots)));
}

/** The other objects of the collector stay. */
async function setRootsBack(storage: Storage, before: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await storage.delete([...(await rootsIn(storage)).keys()]);
  for (const [name, bytes] of before) await storage.create(name, [bytes]);
}

/** Where it can be seen that the store was set back a collector refuses and changes nothing; after a recovery, or if it cannot be seen, all that was acknowledged is there. */
async function faultsAfterSetBack(sample: Sample): Promise<string[]> {
  const before = await namesIn(sample.storage);
  const evidence = await evidenceOf(sample.storage);
  const outcome = await collectIn(sample.storage).then(
    () => 'done',
    (error: unknown) => (isLaganError(error) ? error.code : String(error)),
  );
  if (outcome === 'done') return evidence === undefined ? lostOf(sample) : [`it collects, though ${evidence}`];
  if (outcome !== 'rolled-back') return [`the collector ends with ${outcome}`];
  if ((await namesIn(sample.storage)).join() !== before.join()) return ['the collector refuses, and has changed something'];
  // What was forgotten and deleted before comes back as a snapshot without its data: that is no loss.
  await recover(await open(sample.storage));
  await collectIn(sample.storage);
  return lostOf(sample);
}

/** What shows that the store was set back, by the names of its objects (ROOT-19, ROOT-20). */
async function evidenceOf(storage: Storage): Promise<string | undefined> {
  const { number, generation } = await readRoot(await open(storage));
  const numbers = (await namesIn(storage, roots))
    .map((name) => parseObjectName(name))
    .map((parsed) => parsed?.type === 'root' && parsed.number);
  if (number > 0 && !numbers.includes(number - 1)) return `root ${number - 1} is missing`;
  for (const prefix of [commits, tables, objectPrefixes.checkpoints]) {
    for (const name of await namesIn(storage, prefix)) {
      const parsed = parseObjectName(name);
      if (parsed !== null && 'generation' in parsed && parsed.generation > generation)
        return `${name} is of a later generation than ${generation}`;
    }
  }
  return undefined;
}
