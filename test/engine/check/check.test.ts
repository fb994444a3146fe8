import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { CheckRun } from '../../../engine/check/_check-run.ts';
import { addKey, backup, check, createRepository, type Finding, openRepository, openStorage } from '../../../engine/mod.ts';
import { beginSession, commitSnapshot } from '../../../engine/repository/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { LaganError } from '../../../repo-format/mod.ts';
import { flip, makeSample, namesBelow, openDamaged, packsOf, randomBytes, secret } from '../../corruption/sample-repository.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';

const sample = await makeSample(t.testdir());
const whole = await openDamaged(sample);
const [data] = await packsOf(whole, 'pack');

/** The sample repository in a folder of its own, damaged. */
function copyOnDisk(folder: string, damage: (objects: Map<string, Uint8Array>) => void = () => {}): string {
  const objects = new Map(sample.objects);
  damage(objects);
  for (const [name, bytes] of objects) {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, bytes);
  }
  return folder;
}

t.test('check: by threads, in a folder, as by one thread in memory', async (t) => {
  const block = data!.blocks[1]!;
  const damage = (objects: Map<string, Uint8Array>) => flip(objects, data!.name, block.offset + 50);
  const repository = await openRepository(openStorage(copyOnDisk(t.testdir(), damage)), { secret, mode: 'read' });
  const here = await check(await openDamaged(sample, damage), { readData: true });
  for (const workers of [1, 2, 3]) {
    const result = await check(repository, { readData: true, workers });
    t.same(result.errors, here.errors, `${workers} threads`);
    t.match(result, { packsRead: here.packsRead, blocks: here.blocks, chunks: here.chunks, bytesRead: here.bytesRead });
  }
  t.match(here.errors, [{ code: 'authentication-failed', object: data!.name, offset: block.offset, count: 1 }]);
  await t.rejects(check(repository, { workers: 0 }), { name: 'RangeError' });
});

t.test('check: tells of damage when it is found, and how far it is', async (t) => {
  const found: Finding[] = [];
  const result = await check(await openDamaged(sample, (objects) => objects.delete(data!.name)), {
    onFinding: (finding) => found.push(finding),
  });
  t.match(found, [{ code: 'pack-missing', object: data!.name }]);
  t.equal(found.length, result.errors.length);
  const run = new CheckRun(whole, { readData: true, workers: 1, onFinding: undefined, signal: undefined });
  t.match(run.progress, { phase: 'check', filesDone: 0, bytesDone: 0, bytesTotal: 0, errors: 0 });
  await run.run();
  t.match(run.progress, { filesDone: result.files, bytesTotal: run.progress.bytesDone });
  t.ok(run.progress.bytesDone > 0);
});

t.test('check: an index that does not fit into memory gives the same', async (t) => {
  const block = data!.blocks[0]!;
  const cases: readonly ((objects: Map<string, Uint8Array>) => void)[] = [
    () => {},
    (objects) => objects.delete(data!.name),
    (objects) => flip(objects, data!.name, block.offset + 10),
    (objects) => objects.delete(namesBelow(objects, 'writer/index/')[0]!),
    (objects) => objects.delete(namesBelow(objects, 'writer/index/')[1]!),
  ];
  for (const [number, damage] of cases.entries()) {
    const repository = await openDamaged(sample, damage);
    const expected = await check(repository, { readData: true });
    const run = new CheckRun(repository, { readData: true, workers: 1, onFinding: undefined, signal: undefined, rowsPerPass: 40 });
    const { durationMs: _, ...found } = await run.run();
    const { durationMs: __, ...wanted } = expected;
    t.same(found, wanted, `case ${number}`);
  }
});

t.test('check: what the store does not answer is no damage', async (t) => {
  for (const [name, operation] of [
    [/^writer\/packs\//, 'list'],
    [/^writer\/index\//, 'list'],
    [/^writer\/snapshots\//, 'list'],
    [/^collector\/packs\//, 'list'],
    [/^writer\/index\//, 'get'],
    [/^writer\/packs\//, 'get'],
  ] as const) {
    const error = () => new LaganError('unavailable', 'the store does not answer');
    const storage = new FaultyStorage(whole.storage, { faults: [{ operation, name, call: 1, forever: true, error }] });
    await t.rejects(check({ ...whole, storage }, { readData: true }), { code: 'unavailable' }, `${operation} ${name}`);
  }
});

t.test('check: a part of a pack that the disk cannot read', async (t) => {
  const block = data!.blocks[2]!;
  const storage = new InMemory();
  for (const [name, bytes] of sample.objects) await storage.create(name, [bytes]);
  const get = storage.get.bind(storage);
  storage.get = async (name, range, options) => {
    const reaches =
      range !== undefined && 'offset' in range && range.offset <= block.offset + 1000 && range.offset + range.length > block.offset + 1000;
    if (name === data!.name && reaches) throw new LaganError('io', 'input/output error', { errno: 'EIO', object: name });
    return get(name, range, options);
  };
  const { errors } = await check({ ...whole, storage }, { readData: true });
  t.match(errors, [{ code: 'io', object: data!.name, offset: block.offset, count: 1 }]);
  t.equal(errors.length, 1);
  t.ok(errors[0]!.pathCount > 0);
});

t.test('check: interrupted', async (t) => {
  const repository = await openRepository(openStorage(sample.place), { secret, mode: 'read' });
  await t.rejects(check(repository, { readData: true, signal: AbortSignal.abort() }), { code: 'interrupted' });
  for (const delayMs of [1, 20, 100]) {
    const started = performance.now();
    const signal = AbortSignal.timeout(delayMs);
    await check(repository, { readData: true, signal }).then(
      () => t.pass('done before'),
      (error: unknown) => t.match(error, { code: 'interrupted' }),
    );
    t.ok(performance.now() - started < 5_000, `after ${delayMs} ms`);
  }
});

t.test('check: with a key that grants metadata', async (t) => {
  const storage = new InMemory();
  for (const [name, bytes] of sample.objects) await storage.create(name, [bytes]);
  const metadataSecret = { kind: 'key-file', secret: new Uint8Array(32).fill(8) } as const;
  await addKey(await openRepository(storage, { secret, mode: 'write' }), { secret: metadataSecret, label: 'metadata', grants: 'metadata' });
  const repository = await openRepository(storage, { secret: metadataSecret, mode: 'metadata' });
  t.match(await check(repository), { errors: [], notes: [], snapshots: 2 });
  await t.rejects(check(repository, { readData: true }), { code: 'no-key' });
  await storage.delete([data!.name]);
  t.match((await check(repository)).errors, [{ code: 'pack-missing', object: data!.name }]);
});

t.test('check: a list of packs that lacks some', async (t) => {
  const storage = new InMemory();
  for (const [name, bytes] of sample.objects) await storage.create(name, [bytes]);
  const repository = await openRepository(storage, { secret, mode: 'write' });
  const [{ snapshot: first }, { snapshot: second }] = sample.snapshots as [(typeof sample.snapshots)[0], (typeof sample.snapshots)[0]];
  const session = await beginSession(repository);
  const { packs, listPacks } = first;
  await commitSnapshot(repository, {
    session,
    snapshot: { ...second, session: session.id, generation: session.generation, packs, listPacks },
  });
  const { errors } = await check(repository);
  t.match(errors, [{ code: 'malformed', object: `writer/snapshots/0000000000000000/${session.id}` }]);
  t.equal(errors.length, 1);
});

t.test('check: a backup that runs meanwhile is no damage', async (t) => {
  const folder = t.testdir({ source: {} });
  for (let number = 0; number < 40; number++)
    fs.writeFileSync(path.join(folder, 'source', `${number}`), randomBytes(300_000, `run ${number}`));
  const storage = openStorage(path.join(folder, 'repository'));
  const repository = await createRepository(storage, { slots: [{ secret, label: 'test' }] });
  const running = backup(repository, { paths: [path.join(folder, 'source')], workers: 1 });
  const checks = [];
  for (let round = 0; round < 5; round++) checks.push(await check(repository, { readData: true, workers: 1 }));
  await running;
  checks.push(await check(repository, { readData: true, workers: 1 }));
  for (const { errors } of checks) t.same(errors, []);
  t.equal(checks.at(-1)!.snapshots, 1);
});
