/** Every operation that writes, cut short at each of its requests to the store: what was there stays whole, and the operation succeeds when it is run again. */
import t, { type Test } from 'tap';
import { check } from '../../engine/check/mod.ts';
import { retireEpochs } from '../../engine/maintain/mod.ts';
import {
  addKey,
  changeKey,
  createRepository,
  listKeys,
  listSnapshots,
  openRepository,
  revokeKeys,
  rotateMasterKey,
} from '../../engine/repository/mod.ts';
import { type CallOptions, type CreateOutcome, InMemory, type Storage } from '../../engine/storage/mod.ts';
import { isLaganError, type SnapshotId } from '../../repo-format/mod.ts';
import { randomBytesOf } from '../engine/random.ts';
import { cheapCost, namesIn } from '../engine/repository/sample.ts';
import { FaultyStorage } from '../engine/storage/faulty-storage.ts';
import { collect, forget } from '../simulation/engine-calls.ts';
import { PassingStorage } from '../simulation/spoiled-storage.ts';
import {
  backUp,
  faultsOf,
  faultsOfRestores,
  fill,
  interruptions,
  makeSample,
  open,
  runWith,
  type Sample,
  scratchFolder,
  secret,
} from './_crash-points.ts';
import { isEveryMoment, longestMs, momentStep, shortStep } from './_moments.ts';

/** Two versions of a source that share most of their contents. */
function version(number: number): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  for (let file = 0; file < 6; file++)
    contents.set(`${file % 2 ? 'a/' : ''}file-${file}`, randomBytesOf(`content ${file + number * 2}`, 900 + file * 300));
  return contents;
}

/** A repository with one snapshot, and a source that has changed since. */
async function changedSample(t: Test): Promise<Sample> {
  const sample = await makeSample(scratchFolder(t), new InMemory());
  fill(sample.source, version(0));
  sample.expected.set(await backUp(await open(sample.storage), sample.source), version(0));
  fill(sample.source, version(1));
  return sample;
}

async function backUpOnce(storage: Storage, copy: Sample): Promise<void> {
  copy.expected.set(await backUp(await open(storage), copy.source), version(1));
}

// On a busy machine.
t.setTimeout(longestMs);

t.test('backup: cut short at every request it harms nothing, and the next one is whole', async (t) => {
  const sample = await changedSample(t);
  const whole = await runWith(sample, { plan: {}, operate: backUpOnce });
  t.same(await faultsOf(whole.copy), []);
  let failed = 0;
  const moments = [...interruptions(whole.storage.calls.length, { onlyDeaths: true })].filter((_, index) => index % shortStep === 0);
  for (const { title, plan } of moments) {
    const { copy, outcome } = await runWith(sample, { plan, operate: backUpOnce });
    if (outcome !== 'done') failed++;
    await backUpOnce(copy.storage, copy);
    const faults = await faultsOf(copy);
    if (failed % 10 === 0) faults.push(...(await faultsOfRestores(copy)));
    if (faults.length > 0) t.fail(`${title} (${outcome}): ${faults}`);
  }
  t.ok(failed > moments.length / 2, `${failed} of ${moments.length} runs failed`);
});

t.test('backup: a request that fails, before or after its effect, ends it with its code, and the next one is whole', async (t) => {
  const sample = await changedSample(t);
  const whole = await runWith(sample, { plan: {}, operate: backUpOnce });
  for (let call = 1; call <= whole.storage.calls.length; call += shortStep) {
    const { copy, outcome } = await runWith(sample, {
      plan: { faults: [{ call, when: call % 2 === 0 ? 'before' : 'after' }] },
      operate: backUpOnce,
    });
    await backUpOnce(copy.storage, copy);
    const faults = await faultsOf(copy);
    if (!['io', 'done'].includes(outcome) || faults.length > 0) t.fail(`call ${call} fails (${outcome}): ${faults}`);
  }
});

t.test('backup: a disk that is full at any write ends it with no-space and harms nothing', async (t) => {
  const sample = await changedSample(t);
  const whole = await runWith(sample, { plan: {}, operate: backUpOnce });
  const places = whole.storage.writtenBytes.filter((_, index) => index % shortStep === 0);
  for (const capacityBytes of places.map((bytes) => bytes - 32)) {
    const { copy, outcome, storage } = await runWith(sample, { plan: { capacityBytes }, operate: backUpOnce });
    // Times in what is stored make it a few bytes shorter or longer: the last write may just fit.
    const expected = storage.writtenBytes.at(-1)! <= capacityBytes ? 'done' : 'no-space';
    await backUpOnce(copy.storage, copy);
    const faults = await faultsOf(copy);
    if (outcome !== expected || faults.length > 0) t.fail(`full at ${capacityBytes}: ${outcome} ${faults}`);
  }
  t.ok(whole.storage.writtenBytes.length > 20, `${whole.storage.writtenBytes.length} writes`);
});

/** Two snapshots, of which the first is forgotten or about to be. */
async function twoSnapshots(t: Test, { forgetFirst }: { forgetFirst: boolean }): Promise<Sample & { first: SnapshotId }> {
  const sample = await changedSample(t);
  const [first] = sample.expected.keys();
  await backUpOnce(sample.storage, sample);
  if (forgetFirst) {
    await forget(await open(sample.storage), [first!]);
    sample.expected.delete(first!);
  }
  return { ...sample, first: first! };
}

t.test('forget: cut short at every request, the snapshot is there or forgotten, and the others are whole', async (t) => {
  const { first, ...sample } = await twoSnapshots(t, { forgetFirst: false });
  const operate = async (storage: Storage, copy: Sample): Promise<void> => {
    copy.expected.delete(first);
    await forget(await open(storage), [first]);
  };
  const whole = await runWith(sample, { plan: {}, operate });
  for (const { title, plan } of interruptions(whole.storage.calls.length)) {
    const { copy, outcome } = await runWith(sample, { plan, operate });
    await operate(copy.storage, copy);
    await collect(await open(copy.storage));
    const faults = await faultsOf(copy);
    if (faults.length > 0) t.fail(`${title} (${outcome}): ${faults}`);
    if ((await listSnapshots(await open(copy.storage))).some(({ id }) => id === first)) t.fail(`${title}: it is still there`);
  }
  t.ok(whole.storage.calls.length > 10);
});

t.test(
  'maintain: cut short at every request it harms nothing; the next one frees what the first would have, and leaves no litter',
  async (t) => {
    const sample = await twoSnapshots(t, { forgetFirst: true });
    const operate = async (storage: Storage): Promise<void> => void (await collect(await open(storage)));
    const whole = await runWith(sample, { plan: {}, operate });
    const remaining = await namesIn(whole.copy.storage, 'writer/packs/');
    t.ok(remaining.length < (await namesIn(sample.storage, 'writer/packs/')).length, 'packs were freed');
    for (const [index, { title, plan }] of [...interruptions(whole.storage.calls.length)].entries()) {
      if (index % momentStep !== 0) continue;
      const { copy, outcome } = await runWith(sample, { plan, operate });
      const before = await faultsOf(copy);
      await backUpOnce(copy.storage, copy);
      for (let collections = 0; collections < 2; collections++) await operate(copy.storage);
      const after = await faultsOf(copy);
      const { notes } = await check(await open(copy.storage));
      if (before.length + after.length + notes.length > 0)
        t.fail(`${title} (${outcome}): ${before} / ${after} / ${notes.map(({ message }) => message)}`);
    }
    t.ok(whole.storage.calls.length > 10);
  },
);

/** Each creation arrives twice, and the answer is that to the second one: there is such an object already. */
class DeliveredTwice extends PassingStorage {
  override async create(name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> {
    await super.create(name, parts, options);
    return super.create(name, parts, options);
  }
}

t.test('backup, forget, maintain: creations that are delivered twice are known to be ours', async (t) => {
  const sample = await changedSample(t);
  const storage = new DeliveredTwice(sample.storage);
  const [first] = sample.expected.keys();
  await backUpOnce(storage, sample);
  await forget(await open(storage), [first!]);
  sample.expected.delete(first!);
  const { droppedSnapshots } = await collect(await open(storage));
  t.equal(droppedSnapshots, 1);
  t.same(await faultsOf(sample), []);
});

t.test('changeKey: cut short at every request, the old key or the new one opens, and it can be run again', async (t) => {
  const sample = await changedSample(t);
  const password = { kind: 'password', password: 'new' } as const;
  const slot = { secret: { ...password, cost: cheapCost }, label: 'new' };
  const change = async (storage: Storage): Promise<void> => {
    await changeKey(await openRepository(storage, { secret: [secret, password], mode: 'write' }), { slot });
  };
  const whole = await runWith(sample, { plan: {}, operate: change });
  for (const { title, plan } of interruptions(whole.storage.calls.length)) {
    const { copy, outcome } = await runWith(sample, { plan, operate: change });
    await change(copy.storage);
    const repository = await openRepository(copy.storage, { secret: password, mode: 'write' });
    const keys = await listKeys(repository);
    if (keys.length === 0 || keys.length > 2) t.fail(`${title} (${outcome}): ${keys.length} keys`);
  }
  t.ok(whole.storage.calls.length > 10);
});

t.test('rotateMasterKey, retireEpochs: cut short at every request nothing is lost, and the next one forgets the old key', async (t) => {
  const sample = await twoSnapshots(t, { forgetFirst: false });
  const operate = async (storage: Storage): Promise<void> => {
    const opened = await open(storage);
    // As somebody does who does not know how far the last one came.
    const { repository } = opened.keys.newestEpoch === 0 ? await rotateMasterKey(opened) : { repository: opened };
    await retireEpochs(repository);
  };
  const whole = await runWith(sample, { plan: {}, operate });
  t.same(await faultsOf(whole.copy), []);
  for (const [index, { title, plan }] of [...interruptions(whole.storage.calls.length)].entries()) {
    if (index % (8 * momentStep) !== 0 && !isEveryMoment) continue;
    const { copy, outcome } = await runWith(sample, { plan, operate });
    const before = await faultsOf(copy);
    await backUpOnce(copy.storage, copy);
    await operate(copy.storage);
    const after = await faultsOf(copy);
    const { epochs } = (await open(copy.storage)).keys.toPlain();
    if (before.length + after.length > 0 || epochs.length !== 1)
      t.fail(`${title} (${outcome}): ${before} / ${after} / ${epochs.length} epochs`);
  }
  t.ok(whole.storage.calls.length > 100, `${whole.storage.calls.length} calls`);
});

t.test('revokeKeys: cut short at every request, the keys that stay open it, and it can be run again', async (t) => {
  const sample = await changedSample(t);
  const stolen = { kind: 'key-file', secret: new Uint8Array(32).fill(1) } as const;
  const password = { kind: 'password', password: 'kept' } as const;
  const before = await open(sample.storage);
  await addKey(before, { secret: stolen, label: 'stolen' });
  await addKey(before, { secret: { ...password, cost: cheapCost }, label: 'kept' });
  const revoke = async (storage: Storage): Promise<void> => {
    const repository = await open(storage);
    const slots = (await listKeys(repository))
      .filter(({ label, standing }) => label === 'stolen' && standing === 'proven')
      .map(({ id }) => id);
    await revokeKeys(repository, { slots, secrets: [secret, password] });
  };
  const whole = await runWith(sample, { plan: {}, operate: revoke });
  for (const [index, { title, plan }] of [...interruptions(whole.storage.calls.length)].entries()) {
    if (index % momentStep !== 0) continue;
    const { copy, outcome } = await runWith(sample, { plan, operate: revoke });
    for (const kept of [secret, password]) await openRepository(copy.storage, { secret: kept, mode: 'write' });
    await revoke(copy.storage);
    const keys = await listKeys(await open(copy.storage));
    const opened = await openRepository(copy.storage, { secret: stolen, mode: 'write' }).catch((error: unknown) => error);
    if (keys.length !== 2 || !isLaganError(opened, 'wrong-key')) t.fail(`${title} (${outcome}): ${keys.map(({ label }) => label)}`);
    const faults = await faultsOf(copy);
    if (faults.length > 0) t.fail(`${title} (${outcome}): ${faults}`);
  }
  t.ok(whole.storage.calls.length > 20, `${whole.storage.calls.length} calls`);
});

t.test('createRepository: cut short at every request, it can be run again, and nothing half made opens', async (t) => {
  const slots = [{ secret, label: 'key' }];
  const counting = new FaultyStorage(new InMemory());
  await createRepository(counting, { slots, patienceMs: 0 });
  for (const { title, plan } of interruptions(counting.calls.length)) {
    const place = new InMemory();
    const created = await createRepository(new FaultyStorage(place, plan), { slots, patienceMs: 0 }).catch(() => undefined);
    const opened = await open(place).catch((error: unknown) => error);
    if (isLaganError(opened) && opened.code !== 'no-repository') t.fail(`${title}: ${opened.code}`);
    if (created !== undefined && isLaganError(opened)) t.fail(`${title}: it was made and does not open`);
    if (isLaganError(opened)) await createRepository(place, { slots, patienceMs: 0 });
    await open(place);
  }
  t.ok(counting.calls.length > 10);
});
