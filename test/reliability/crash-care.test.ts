/** Repair, copy, mirror and rewrite, cut short at each of their requests to either store, and a server at each to its own: what was there stays whole, and the next one ends the work. */
import t, { type Test } from 'tap';
import { rewriteSnapshot } from '../../engine/backup/mod.ts';
import { copySnapshots } from '../../engine/copy/mod.ts';
import { mirrorRepository } from '../../engine/mirror/mod.ts';
import { repair } from '../../engine/repair/mod.ts';
import { listSnapshots, originOf } from '../../engine/repository/mod.ts';
import { InMemory, type Storage } from '../../engine/storage/mod.ts';
import { objectNames, type SnapshotId } from '../../repo-format/mod.ts';
import { randomBytesOf } from '../engine/random.ts';
import { copyOf, namesIn, replaceObject } from '../engine/repository/sample.ts';
import { collect, forget, readSnapshot } from '../simulation/engine-calls.ts';
import { differenceOf } from '../simulation/source-tree.ts';
import { backUp, faultsOf, fill, interruptions, lostOf, makeSample, open, runWith, type Sample, scratchFolder } from './_crash-points.ts';
import { dataPacks } from './_lost-packs.ts';
import { isEveryMoment, longestMs } from './_moments.ts';

// On a busy machine.
t.setTimeout(longestMs);

/** In `npm test`: so many interruptions of each, of all kinds. */
const sampled = 5;

type Operate = (storage: Storage, copy: Sample) => Promise<void>;

/** Cuts the operation short, at some of its calls unless every moment is asked for, and then does it again. `faultsThen`: what is wrong between the two. */
async function interruptEverywhere(
  t: Test,
  sample: Sample,
  { operate, faultsThen = async () => [] }: { operate: Operate; faultsThen?: (copy: Sample) => Promise<string[]> },
): Promise<void> {
  const whole = await runWith(sample, { plan: {}, operate });
  t.equal(whole.outcome, 'done');
  t.same(await faultsOf(whole.copy), []);
  const all = [...interruptions(whole.storage.calls.length)];
  // Three kinds of interruptions take turns: a step of three would meet one of them only.
  const step = isEveryMoment ? 1 : 3 * Math.ceil(all.length / sampled / 3) + 1;
  for (let index = 0; index < all.length; index += step) {
    const { title, plan } = all[index]!;
    const { copy, outcome } = await runWith(sample, { plan, operate });
    const faults = ['done', 'io', 'unavailable'].includes(outcome) ? [] : [`it ended with ${outcome}`];
    faults.push(...(await faultsThen(copy)));
    await operate(copy.storage, copy);
    faults.push(...(await faultsOf(copy)));
    if (faults.length > 0) t.fail(`${title} (${outcome}): ${faults}`);
  }
  t.comment(`${whole.storage.calls.length} calls, each ${step}th of ${all.length} interruptions`);
}

/** Two versions of a source that share most of their contents. */
function version(number: number): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  for (let file = 0; file < 6; file++)
    contents.set(`${file % 2 ? 'a/' : ''}file-${file}`, randomBytesOf(`content ${file + number * 2}`, 900 + file * 300));
  return contents;
}

/** A repository with a snapshot of each version. */
async function twoSnapshots(t: Test): Promise<Sample> {
  const sample = await makeSample(scratchFolder(t), new InMemory());
  for (const number of [0, 1]) await backUpVersion(sample, number);
  return sample;
}

async function backUpVersion(sample: Sample, number: number): Promise<SnapshotId> {
  fill(sample.source, version(number));
  const id = await backUp(await open(sample.storage), sample.source);
  sample.expected.set(id, version(number));
  return id;
}

t.test('rewriteSnapshot: cut short at every request, the old snapshot is there, or the new one', async (t) => {
  const sample = await twoSnapshots(t);
  const [id] = [...sample.expected.keys()];
  const left = version(0);
  left.delete('file-4');
  const rewritten = async (storage: Storage) =>
    (await listSnapshots(await open(storage))).filter(({ snapshot }) => originOf(snapshot) === id).map((info) => info.id);
  const operate: Operate = async (storage, copy) => {
    const repository = await open(storage);
    const others = await listSnapshots(repository);
    const info = others.find((candidate) => candidate.id === id);
    if (info !== undefined) await rewriteSnapshot(repository, info, { patterns: ['file-4'], others });
    copy.expected.delete(id!);
    const made = await rewritten(copy.storage);
    t.equal(made.length, 1, 'there is one that was made of it');
    for (const one of made) copy.expected.set(one, left);
  };
  const faultsThen = async (copy: Sample): Promise<string[]> => {
    const isThere = (await listSnapshots(await open(copy.storage))).some((info) => info.id === id);
    const made = await rewritten(copy.storage);
    if (!isThere && made.length === 0) return ['both are gone'];
    const expected = new Map([...copy.expected].filter(([one]) => one !== id));
    if (isThere) expected.set(id!, version(0));
    for (const one of made) expected.set(one, left);
    return faultsOf({ ...copy, expected });
  };
  await interruptEverywhere(t, sample, { operate, faultsThen });
});

t.test('repair: cut short at every request, nothing more is lost; a request that fails is no damage', async (t) => {
  const sample = await makeSample(scratchFolder(t), new InMemory());
  await backUpVersion(sample, 0);
  const [table] = await namesIn(sample.storage, 'writer/index/');
  const before = await dataPacks(sample.storage);
  await backUpVersion(sample, 1);
  await sample.storage.delete([table!]);
  // One that another table lists.
  const pack = objectNames.pack((await dataPacks(sample.storage)).find((one) => !before.includes(one))!);
  const bytes = await sample.storage.get(pack);
  bytes[bytes.length - 3]! ^= 1;
  await replaceObject(sample.storage, pack, bytes);
  /** What a repair has made of snapshots: whole, as only a footer is damaged. */
  const expectCopies = async (copy: Sample): Promise<void> => {
    for (const { id, snapshot } of await listSnapshots(await open(copy.storage))) {
      const origin = originOf(snapshot);
      if (origin !== null) copy.expected.set(id, copy.expected.get(origin)!);
    }
  };
  const operate: Operate = async (storage, copy) => {
    await repair(await open(storage), { readData: true, workers: 1 });
    await expectCopies(copy);
  };
  const faultsThen = async (copy: Sample): Promise<string[]> => {
    const repository = await open(copy.storage);
    const faults: string[] = [];
    for (const { id, snapshot } of await listSnapshots(repository)) {
      const origin = originOf(snapshot);
      if (origin === null) continue;
      const found = await readSnapshot(repository, { id, folder: copy.source });
      const difference = differenceOf(found, copy.expected.get(origin)!);
      if (difference !== undefined) faults.push(`copy ${id}: ${difference}`);
    }
    return faults;
  };
  await interruptEverywhere(t, sample, { operate, faultsThen });
});

/** So small that a copy makes checkpoints. */
const limits = { chunkTableRows: 4096, checkpointNewBytes: 3000, windowChunks: 10, batchBytes: 2000, pieceBytes: 1000 };

/** Copies into the target all that the source has. */
async function copyAll(source: Storage, target: Storage, copy: Sample, expected: Sample['expected']): Promise<void> {
  const [from, to] = [await open(source), await open(target)];
  const { snapshots } = await copySnapshots(from, to, { snapshots: await listSnapshots(from), limits, workers: 1 });
  for (const { source: original, outcome, snapshotId } of snapshots) {
    if (outcome === 'failed') throw new Error(`${original.id} could not be copied`);
    copy.expected.set(snapshotId!, expected.get(original.id)!);
  }
}

t.test('copySnapshots: cut short at every request to either repository, the copies are whole, and the next one ends it', async (t) => {
  const source = await twoSnapshots(t);
  const target = { ...(await makeSample(scratchFolder(t), new InMemory())), source: source.source };
  const pristine = await copyOf(source.storage);
  await t.test('to the target', (t) =>
    interruptEverywhere(t, target, {
      operate: (storage, copy) => copyAll(pristine, storage, copy, source.expected),
      faultsThen: faultsOf,
    }),
  );
  await t.test('to the source', async (t) => {
    const targets = new Map<Storage, Storage>();
    const operate: Operate = async (storage, copy) => {
      const into = targets.get(copy.storage) ?? (await copyOf(target.storage));
      targets.set(copy.storage, into);
      const copied: Sample = { ...target, storage: into as InMemory, expected: new Map() };
      await copyAll(storage, into, copied, source.expected);
      t.same(await faultsOf(copied), []);
      t.equal((await listSnapshots(await open(into))).length, 2);
    };
    await interruptEverywhere(t, source, { operate });
  });
});

t.test('mirrorRepository: cut short at every request to either store, the mirror is a repository, and the next one ends it', async (t) => {
  const source = await twoSnapshots(t);
  const mirror = new InMemory();
  await mirrorRepository(source.storage, mirror, { repository: await open(source.storage) });
  const [first, second] = [...source.expected.keys()];
  await forget(await open(source.storage), [first!]);
  source.expected.delete(first!);
  await collect(await open(source.storage));
  await backUpVersion(source, 2);
  const bring = async (from: Storage, to: Storage): Promise<void> => {
    const { outcome } = await mirrorRepository(from, to, { repository: await open(from), deleteSuperfluous: true });
    t.equal(outcome, 'complete');
  };
  /** The snapshot that both states of the repository have is whole in between; who would write may be told to wait for the next one. */
  const faultsThen = async (copy: Sample): Promise<string[]> => {
    const expected = new Map([[second!, version(1)]]);
    const faults = await faultsOf({ ...copy, expected });
    return faults.some((fault) => fault.startsWith('rolled-back')) ? lostOf({ ...copy, expected }) : faults;
  };
  const sample = { ...source, storage: mirror };
  await t.test('to the mirror', (t) =>
    interruptEverywhere(t, sample, { operate: (storage) => bring(source.storage, storage), faultsThen }),
  );
  await t.test('to the source', async (t) => {
    const mirrors = new Map<Storage, InMemory>();
    const operate: Operate = async (storage, copy) => {
      const into = mirrors.get(copy.storage) ?? (await copyOf(mirror));
      mirrors.set(copy.storage, into);
      await bring(storage, into);
      t.same(await faultsOf({ ...sample, storage: into }), []);
    };
    await interruptEverywhere(t, source, {
      operate,
      faultsThen: async (copy) => faultsThen({ ...copy, storage: mirrors.get(copy.storage) ?? mirror }),
    });
  });
});
