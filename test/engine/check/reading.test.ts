/** Which packs a check reads, in which order, for how long, and what it remembers of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type KnownPack, KnownPacks } from '../../../engine/check/_known-packs.ts';
import { readingOrder } from '../../../engine/check/_reading-order.ts';
import { check, type ReadData } from '../../../engine/check/mod.ts';
import { backup, createRepository, openRepository } from '../../../engine/mod.ts';
import { listPresentPacks } from '../../../engine/packs/mod.ts';
import { lastVerified, listVerifications, type Repository, storeVerification } from '../../../engine/repository/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { LaganError, objectNames, type PackId, parseObjectName } from '../../../repo-format/mod.ts';
import { secret, write } from '../backup/_fixture.ts';
import { randomBytesOf } from '../random.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';

const MiB = 1024 * 1024;

interface Sample {
  readonly store: FaultyStorage;
  readonly repository: Repository;
  /** The packs of each of three backups. */
  readonly packs: readonly (readonly PackId[])[];
  readonly all: readonly PackId[];
}

async function makeSample(t: Test): Promise<Sample> {
  const source = mkdtempSync(path.join(tmpdir(), 'lagan-reading-'));
  t.teardown(() => rmSync(source, { recursive: true, force: true }));
  const store = new FaultyStorage(new InMemory());
  await createRepository(store, { slots: [{ secret, label: 'test' }], packSizeBytes: MiB, patienceMs: 0 });
  const packs: PackId[][] = [];
  for (const number of [1, 2, 3]) {
    write(source, `file-${number}`, randomBytesOf(`reading ${number}`, 3 * MiB));
    const repository = await openRepository(store, { secret, mode: 'write' });
    await backup(repository, { paths: [source], workers: 1, time: new Date(2026, 0, number) });
    const known = new Set(packs.flat());
    packs.push([...(await listPresentPacks(store))].filter((pack) => !known.has(pack)));
  }
  const repository = await openRepository(store, { secret, mode: 'read' });
  return { store, repository, packs, all: packs.flat() };
}

async function remembered({ repository }: Sample): Promise<PackId[]> {
  const onDamage = (error: Error) => {
    throw error;
  };
  return [...lastVerified(await listVerifications(repository, { onDamage })).keys()].sort();
}

const sorted = (packs: readonly PackId[]): PackId[] => packs.toSorted();

t.test('readingOrder: the newest first; of a part what was verified longest ago, after what never was', async (t) => {
  const packs = new KnownPacks();
  const [old, middle, fresh, unlisted] = ['1', '2', '3', '4'].map((digit) => packs.get(digit.repeat(32) as PackId)) as [
    KnownPack,
    KnownPack,
    KnownPack,
    KnownPack,
  ];
  for (const [pack, age, storedSizeBytes] of [
    [old, 0, 10],
    [middle, 1, 20],
    [fresh, 2, 30],
    [unlisted, -1, 40],
  ] as const)
    Object.assign(pack, { age, storedSizeBytes });
  const at = (seconds: number) => ({ seconds, nanoseconds: 0 });
  const verified = new Map([
    [fresh.id, at(300)],
    [old.id, at(200)],
  ]);
  const order = (readData: ReadData, hasBudget = false) => readingOrder(packs.all, { readData, hasBudget, verified });
  t.same(order(true), [fresh, middle, old, unlisted]);
  t.same(order(true, true), [middle, unlisted, old, fresh]);
  t.same(order(false), []);
  t.same(order({ bytes: 21 }), [middle, unlisted]);
  t.same(order({ percent: 61 }), [middle, unlisted, old]);
  t.same(order({ percent: 100 }), [middle, unlisted, old, fresh]);
  t.same(order({ part: [1, 1] }), [fresh, middle, old, unlisted]);
});

t.test('check: the newest data is read first', async (t) => {
  const sample = await makeSample(t);
  await check(sample.repository, { readData: { bytes: 1 }, record: true });
  const [first, ...others] = await remembered(sample);
  t.ok(sample.packs[2]!.includes(first!), 'one of the last backup');
  t.same(others, []);
});

/** Packs of metadata are read by the walk of the trees, too. */
async function ofData({ store }: Sample, packs: readonly PackId[]): Promise<PackId[]> {
  const kinds = await Promise.all(packs.map(async (pack) => (await store.get(objectNames.pack(pack), { offset: 6, length: 1 }))[0]));
  return packs.filter((_, index) => kinds[index] === 1);
}

t.test('check: parts add up to the whole, then begin with what was verified longest ago', async (t) => {
  const sample = await makeSample(t);
  const seen: PackId[][] = [];
  for (let run = 0; (await remembered(sample)).length < sample.all.length; run++) {
    const before = await remembered(sample);
    const result = await check(sample.repository, { readData: { percent: 30 }, record: true });
    t.match(result, { errors: [], remembered: result.packsRead, notRecorded: null, packsLeft: 0 });
    const after = await remembered(sample);
    seen.push(after.filter((pack) => !before.includes(pack)));
    t.ok(after.length > before.length && run < 5, `part ${run + 1}: ${seen.at(-1)!.length} packs`);
  }
  t.same(sorted(seen.flat()), sorted(sample.all), 'each pack once');
  const last = sample.all[4]!;
  const time = { seconds: 2 ** 32, nanoseconds: 0 };
  const others = sample.all.filter((pack) => pack !== last);
  await storeVerification(sample.repository, others, { time });
  await check(sample.repository, { readData: { bytes: 1 }, record: true });
  const records = await listVerifications(sample.repository, { onDamage: () => undefined });
  const newest = records.filter(({ value }) => value.packs.length === 1).map(({ value }) => value.packs[0]);
  t.ok(newest.includes(last), 'the one that was verified longest ago');
});

// covers: REC-4
t.test('check: nothing is remembered unless it is asked for, nor what is damaged, nor what was only asked for', async (t) => {
  const sample = await makeSample(t);
  await check(sample.repository, { readData: true });
  await check(sample.repository, { record: true });
  t.same(await remembered(sample), []);
  const [damaged] = await ofData(sample, sample.packs[1]!);
  const bytes = (await sample.store.get(objectNames.pack(damaged!))).slice();
  bytes[200]! ^= 1;
  await sample.store.delete([objectNames.pack(damaged!)]);
  await sample.store.create(objectNames.pack(damaged!), [bytes]);
  const { errors } = await check(sample.repository, { readData: true, record: true });
  t.match(errors, [{ code: 'authentication-failed', pack: damaged }]);
  t.same(await remembered(sample), sorted(sample.all.filter((pack) => pack !== damaged)));
});

t.test('check: when its time is over it begins no other pack, says what is left, and the next one goes on there', async (t) => {
  const sample = await makeSample(t);
  const now = performance.now.bind(performance);
  let leapMs = 0;
  Object.defineProperty(performance, 'now', { value: () => now() + leapMs, configurable: true });
  t.teardown(() => Reflect.deleteProperty(performance, 'now'));
  const data = await ofData(sample, sample.all);
  let reads = 0;
  sample.store.plan = {
    onCall: (operation, name) => {
      const parsed = parseObjectName(name);
      if (operation === 'get' && parsed?.type === 'pack' && data.includes(parsed.id) && ++reads === 3) leapMs = 7_200_000;
    },
  };
  const options = { readData: true, record: true, maxDurationMs: 3_600_000 } as const;
  const first = await check(sample.repository, options);
  t.match(first, { errors: [], packsRead: 1, packsLeft: sample.all.length - 1, remembered: 1 });
  t.ok(first.bytesLeft > 0 && first.snapshots === 3, 'the structure was checked whole');
  sample.store.plan = {};
  const verified = await remembered(sample);
  await check(sample.repository, { readData: { bytes: 1 }, record: true, maxDurationMs: 3_600_000 });
  t.equal((await remembered(sample)).length, verified.length + 1, 'another one');
});

t.test('check: where it may not write it says so, and is as good', async (t) => {
  for (const code of ['forbidden', 'no-space', 'unavailable'] as const) {
    const sample = await makeSample(t);
    const error = () => new LaganError(code, 'no');
    sample.store.plan = { faults: [{ operation: 'create', name: /^writer\/verified\//, call: 1, forever: true, error }] };
    const result = await check(sample.repository, { readData: true, record: true });
    t.match(result, { errors: [], packsRead: sample.all.length, remembered: 0, notRecorded: { code } });
  }
});

t.test('check: interrupted, it remembers what it had verified', async (t) => {
  const sample = await makeSample(t);
  const stop = new AbortController();
  const [damaged] = await ofData(sample, sample.packs[0]!);
  sample.store.plan = {
    corrupt: (name, bytes) =>
      name === objectNames.pack(damaged!) ? bytes.map((byte, index) => (index === 5000 ? byte ^ 1 : byte)) : bytes,
  };
  const onFinding = () => stop.abort();
  await t.rejects(check(sample.repository, { readData: true, record: true, onFinding, signal: stop.signal }), { code: 'interrupted' });
  const packs = await remembered(sample);
  t.ok([...sample.packs[1]!, ...sample.packs[2]!].every((pack) => packs.includes(pack)) && !packs.includes(damaged!));
});

t.test('check: arguments that are none', async (t) => {
  const { repository } = await makeSample(t);
  for (const readData of [
    { percent: 0 },
    { percent: 101 },
    { percent: Number.NaN },
    { bytes: 0 },
    { part: [0, 3] },
    { part: [4, 3] },
  ] as const)
    await t.rejects(check(repository, { readData }), { name: 'RangeError' }, JSON.stringify(readData));
  await t.rejects(check(repository, { readData: true, maxDurationMs: 0 }), { name: 'RangeError' });
});
