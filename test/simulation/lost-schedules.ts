/** Schedules with packs that are lost, or said to be: what is so afterwards must be right. Each is given a folder for scratch and returns what is wrong. */
import { type Repository, readLostPacks, readRoot, writeDamageReport } from '../../engine/repository/mod.ts';
import { InMemory, type Storage } from '../../engine/storage/mod.ts';
import { isLaganError, LaganError, objectNames, objectPrefixes, type PackId } from '../../repo-format/mod.ts';
import { copyOf, namesIn } from '../engine/repository/sample.ts';
import { FaultyStorage } from '../engine/storage/faulty-storage.ts';
import { backUp, faultsOf, fill, lostOf, makeSample, open, type Sample } from '../reliability/_crash-points.ts';
import { backUpVersion, forgetAll, version } from '../reliability/_incidents.ts';
import { checkAndReport, dataPacks, lose, lostNow } from '../reliability/_lost-packs.ts';
import { collectIn, faultsInTheEnd, foldIn, stopEverywhere } from '../reliability/_stops.ts';
import { collectorsObjects, collectUntilRoot, isCall, leaveLitter, once, setBack } from './_schedule-steps.ts';
import { forget } from './engine-calls.ts';

const { damageReports: reports } = objectPrefixes;

export const lostSchedules: Readonly<Record<string, (folder: string) => Promise<string[]>>> = {
  /** A request of the check had failed: nothing is lost by it, and the report goes. */
  'a wrong report': async (folder) => {
    const sample = await foldedSample(folder);
    const packs = await dataPacks(sample.storage);
    await reportAs(await open(sample.storage), packs);
    await backUpVersion(sample, 0);
    await collectIn(sample.storage);
    const { packs: lost, reported } = await lostNow(sample.storage);
    const faults = lost.length + reported.length === 0 ? [] : [`${lost.length} packs are called lost, ${reported.length} are reported`];
    return [...faults, ...(await faultsInTheEnd(sample))];
  },

  /** The disk cannot read the pack just now: it is not called lost, the report stays, and what has its chunks is kept. */
  'a store that does not answer for a pack': async (folder) => {
    const sample = await foldedSample(folder);
    const [pack] = await dataPacks(sample.storage);
    await reportAs(await open(sample.storage), [pack!]);
    await backAgain(sample);
    const broken = new FaultyStorage(sample.storage, {
      onCall: (operation, name) => {
        if (operation === 'get' && name === objectNames.pack(pack!)) throw new LaganError('io', 'the disk does not answer');
      },
    });
    await forgetNewest(sample);
    await collectIn(broken);
    const unsettled = await lostNow(sample.storage);
    const faults = unsettled.packs.length === 0 && unsettled.reported.length === 1 ? [] : ['a request that failed settled something'];
    // Now it is lost. What the collector kept is found.
    await sample.storage.delete([objectNames.pack(pack!)]);
    await collectIn(sample.storage);
    return [...faults, ...(await lostOf(sample))];
  },

  /** A session that began within a collection lists a pack that is lost when the collection ends: the base index does not list it, its table still does. */
  'a lost pack that a table still lists': async (folder) => {
    const { sample, pack } = await sampleWithLossBesideCollection(folder);
    await collectIn(sample.storage);
    const { packs, chunks, reported } = await lostNow(sample.storage);
    const isRight = packs.join() === pack && chunks > 0 && reported.length === 0;
    const faults = isRight ? [] : [`the root calls ${packs} lost, ${chunks} chunks are missing, ${reported} is reported`];
    await backAgain(sample);
    return [...faults, ...(await lostOf(sample))];
  },

  /** The same, when its chunks are back already: the backup that brought them is forgotten, and the next one must not rely on the lost pack. */
  'a lost pack that a table still lists, and that is back': async (folder) => {
    const { sample, pack } = await sampleWithLossBesideCollection(folder);
    await backAgain(sample);
    await collectIn(sample.storage);
    const { packs, chunks, reported } = await lostNow(sample.storage);
    const isRight = packs.join() === pack && chunks === 0 && reported.length === 0;
    const faults = isRight ? [] : [`the root calls ${packs} lost, ${chunks} chunks are missing, ${reported} is reported`];
    await forgetNewest(sample);
    await backAgain(sample);
    for (let collections = 0; collections < 3; collections++) {
      await leaveLitter(sample);
      await collectIn(sample.storage);
    }
    return [...faults, ...(await lostOf(sample))];
  },

  /** The collector names the pack and removes its report between two requests of a backup that begins. */
  'a report that is removed while a backup begins': async (folder) => {
    const { sample } = await sampleWithLossBesideCollection(folder);
    await collectUntilRoot(sample.storage, 1);
    const slow = new FaultyStorage(sample.storage, { onCall: once(isCall('list', reports), () => collectIn(sample.storage)) });
    const repository = { ...(await open(sample.storage)), storage: slow };
    const { size } = sample.expected;
    sample.expected.set(await backUp(repository, sample.source), version(0));
    return [...(sample.expected.size > size ? [] : ['nothing was backed up']), ...(await lostOf(sample))];
  },

  /** A check, and a backup that finds another copy of what is lost, of which the snapshot is forgotten at once: when the collector has read the reports, and before it lists what there is. */
  'a loss that is reported while a collection runs': async (folder) => {
    const { sample, pack } = await twiceStoredSample(folder);
    for (const listing of [1, 2, 3, 4]) {
      const copy: Sample = { ...sample, storage: await copyOf(sample.storage), expected: new Map(sample.expected) };
      const meanwhile = once(isCall('list', objectPrefixes.snapshots), () => loseAndBringBack(copy, pack), listing);
      await collectIn(new FaultyStorage(copy.storage, { onCall: meanwhile }));
      for (let collections = 0; collections < 2; collections++) await collectIn(copy.storage);
      const faults = await lostOf(copy);
      if (faults.length > 0) return faults.map((fault) => `at listing ${listing} of the commits: ${fault}`);
    }
    return [];
  },

  /** The report of what is lost comes first, and stops nothing: collections, and forgetting, at each moment of the backup that brings it back. */
  'a backup that brings back what was lost, beside a collection': async (folder) => {
    const sample = await foldedSample(folder);
    const [pack] = await dataPacks(sample.storage);
    await backUpVersion(sample, 5);
    await lose(sample.storage, pack!, 'gone');
    await checkAndReport(sample.storage);
    const [first] = sample.expected.keys();
    const operate = (storage: Storage, copy: Sample) => backUpVersion(copy, 0, storage);
    const meanwhile = async (copy: Sample): Promise<void> => {
      const other = [...copy.expected.keys()].filter((id) => id !== first);
      for (const id of other) copy.expected.delete(id);
      await forget(await open(copy.storage), other);
      await collectIn(copy.storage);
    };
    return (await stopEverywhere(sample, { operate, meanwhile, mayEnd: ['done'], faultsOf: lostOf })).faults;
  },

  /** As after a rollback across a collection that repacked, but a check reports the pack: what replaced it in the future that was lost is found. */
  'a store that was set back, where a missing pack is reported': async (folder) => {
    const sample = await makeSample(folder, new InMemory());
    await backUpVersion(sample, 0, sample.storage, { checkpoints: false });
    const [first] = sample.expected.keys();
    await backUpVersion(sample, 1, sample.storage, { checkpoints: false });
    await foldIn(sample.storage);
    const before = await collectorsObjects(sample.storage);
    const packs = await dataPacks(sample.storage);
    // Packs with what both need and what only the first needs are replaced and deleted.
    sample.expected.delete(first!);
    await forget(await open(sample.storage), [first!]);
    await collectIn(sample.storage);
    const there = await dataPacks(sample.storage);
    if (there.every((pack) => packs.includes(pack))) return ['nothing was replaced'];
    await setBack(sample.storage, before);
    await forget(await open(sample.storage), [first!]);
    const refused = await codeOf(collectIn(sample.storage));
    await checkAndReport(sample.storage);
    await collectIn(sample.storage);
    const faults = refused === 'rolled-back' ? [] : [`without reports the collector ends with ${refused}`];
    return [...faults, ...(await lostOf(sample))];
  },

  /** What is lost for good does not keep anything from being collected, once it is reported. */
  'collections beside a pack that is lost for good': async (folder) => {
    const sample = await foldedSample(folder);
    const [pack] = await dataPacks(sample.storage);
    await lose(sample.storage, pack!, 'gone');
    await leaveLitter(sample);
    const refused = await codeOf(collectIn(sample.storage));
    await checkAndReport(sample.storage);
    const count = (await namesIn(sample.storage, objectPrefixes.writerPacks)).length;
    await collectIn(sample.storage);
    const faults = refused === 'rolled-back' ? [] : [`without a report the collector ends with ${refused}`];
    if ((await namesIn(sample.storage, objectPrefixes.writerPacks)).length !== count - 1) faults.push('the litter is still there');
    const repository = await open(sample.storage);
    const lost = await readLostPacks(repository, await readRoot(repository));
    if ([...lost.values()].every(({ length }) => length === 0)) faults.push('no chunk is called lost');
    await forgetAll(sample);
    for (let collections = 0; collections < 2; collections++) await collectIn(sample.storage);
    if ((await readRoot(await open(sample.storage))).lost !== null) faults.push('it is called lost though no snapshot needs it');
    return [...faults, ...(await faultsOf(sample))];
  },
};

/** A snapshot of version 0, in the base index. */
async function foldedSample(folder: string): Promise<Sample> {
  const sample = await makeSample(folder, new InMemory());
  await backUpVersion(sample, 0, sample.storage, { checkpoints: false });
  await foldIn(sample.storage);
  return sample;
}

/**
 * Two backups of the same version at once have stored all of it twice, and one of them is forgotten: a collection condemns what only that one has. The pack is one of the other's.
 */
async function twiceStoredSample(folder: string): Promise<{ sample: Sample; pack: PackId }> {
  const sample = await makeSample(folder, new InMemory());
  let packs: readonly PackId[] = [];
  const onCall = once(isCall('createWriter', objectPrefixes.writerPacks), async () => {
    await backUpVersion(sample, 0, sample.storage, { checkpoints: false });
    packs = await dataPacks(sample.storage);
  });
  fill(sample.source, version(0));
  const repository = await open(new FaultyStorage(sample.storage, { onCall }));
  await forget(await open(sample.storage), [await backUp(repository, sample.source, { checkpoints: false })]);
  return { sample, pack: packs[0]! };
}

async function loseAndBringBack(sample: Sample, pack: PackId): Promise<void> {
  // The collection may have put the pack together with others by then.
  const there = await dataPacks(sample.storage);
  await lose(sample.storage, there.includes(pack) ? pack : there[0]!, 'damaged');
  await checkAndReport(sample.storage);
  await backAgain(sample);
  await forgetNewest(sample);
}

/** A snapshot of version 0 whose session has begun after a collection has condemned; then a pack of it is damaged, and reported. */
async function sampleWithLossBesideCollection(folder: string): Promise<{ sample: Sample; pack: PackId }> {
  const sample = await makeSample(folder, new InMemory());
  await leaveLitter(sample);
  await collectUntilRoot(sample.storage, 1);
  await backUpVersion(sample, 0, sample.storage, { checkpoints: false });
  const [pack] = await dataPacks(sample.storage);
  await lose(sample.storage, pack!, 'damaged');
  await checkAndReport(sample.storage);
  return { sample, pack: pack! };
}

/** The same source, unchanged, by a machine that has the snapshot before to compare with. */
async function backAgain(sample: Sample): Promise<void> {
  const [contents] = [...sample.expected.values()].slice(-1);
  sample.expected.set(await backUp(await open(sample.storage), sample.source), contents!);
}

async function forgetNewest(sample: Sample): Promise<void> {
  const newest = [...sample.expected.keys()].at(-1)!;
  sample.expected.delete(newest);
  await forget(await open(sample.storage), [newest]);
}

/** How it ends: `done`, or the code of its error. */
function codeOf(ending: Promise<unknown>): Promise<string> {
  return ending.then(
    () => 'done',
    (error: unknown) => (isLaganError(error) ? error.code : String(error)),
  );
}

function reportAs(repository: Repository, packs: readonly PackId[]): Promise<unknown> {
  const findings = packs.map((pack) => ({ object: objectNames.pack(pack), pack, chunks: [], kind: 'pack-missing' }));
  return writeDamageReport(repository, findings);
}
