import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { cacheOf, readAheadStorage, withReadAhead } from '../../../engine/cache/mod.ts';
import {
  backup,
  cacheClear,
  cachedStorage,
  cacheLimit,
  cacheStatus,
  check,
  createRepository,
  listSnapshots,
  lookup,
  openRepository,
  openStorage,
  type Repository,
  statistics,
  walkSnapshot,
  withCache,
} from '../../../engine/mod.ts';
import { InMemory, type Storage } from '../../../engine/storage/mod.ts';
import { LaganError, objectKinds, sealedLayout } from '../../../repo-format/mod.ts';
import { storageConformance } from '../../conformance/storage.ts';
import { makeSample, namesBelow, packsOf, secret } from '../../corruption/sample-repository.ts';
import { namesIn } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';

const sample = await makeSample(t.testdir());

/** The sample's repository in a store that counts what it is asked, with a cache in `folder`. */
async function openRemote(folder: string, limitBytes?: number): Promise<{ remote: FaultyStorage; repository: Repository }> {
  const memory = new InMemory();
  for (const [name, bytes] of sample.objects) await memory.create(name, [bytes]);
  const remote = new FaultyStorage(memory);
  const opened = await openRepository(remote, { secret, mode: 'read' });
  return { remote, repository: withCache(opened, { folder, limitBytes }) };
}

async function walkAll(repository: Repository): Promise<string[]> {
  const found: string[] = [];
  for (const snapshot of await listSnapshots(repository)) {
    for await (const { path: where } of walkSnapshot(repository, snapshot)) found.push(Buffer.from(where).toString());
  }
  return found;
}

/** The same repository for another process: nothing of what was opened before is in memory. */
function anew(repository: Repository, folder: string): Repository {
  const { uncached } = repository.storage as Storage & { uncached: Storage };
  return { ...repository, storage: cachedStorage(uncached, { folder, repositoryId: repository.id }) };
}

function filesIn(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .flatMap((entry) => (entry.isFile() ? [path.join(entry.parentPath, entry.name)] : []));
}

storageConformance(t, {
  makeStorage: async (t) => cachedStorage(new InMemory(), { folder: t.testdir(), repositoryId: 'cd'.repeat(16) }),
});

storageConformance(t, { makeStorage: async () => readAheadStorage(new InMemory()) });

t.test('readAheadStorage: who begins an object, or goes on, is given what was fetched before', async (t) => {
  const store = new FaultyStorage(new InMemory());
  const bytes = new Uint8Array(randomBytes(5 * 1024 * 1024));
  await store.create('writer/a', [bytes]);
  const ahead = readAheadStorage(store);
  const expectRange = async (offset: number, length: number, requests: number, why: string) => {
    store.calls.length = 0;
    const range = await ahead.get('writer/a', { offset, length });
    t.equal(Buffer.compare(range, bytes.subarray(offset, offset + length)), 0);
    t.equal(store.count('get'), requests, why);
  };
  await expectRange(0, 10, 1, 'its size is not known: nothing is read ahead');
  await ahead.getEnd('writer/a', 1000);
  await expectRange(bytes.length - 1000, 900, 0, 'the end is kept');
  await expectRange(2_000_000, 100_000, 1, 'somewhere in the middle');
  await expectRange(2_100_000, 100_000, 1, 'which is not kept');
  await expectRange(0, 100, 1, 'the beginning');
  await expectRange(2_000_000, 100_000, 0, 'came with it');
  await expectRange(4 * 1024 * 1024 - 10, 20, 1, 'on');
  await expectRange(4 * 1024 * 1024 + 10, 900_000, 0, 'to the end');
  await t.rejects(ahead.get('writer/a', { offset: bytes.length - 1, length: 2 }), { code: 'malformed' });
  store.plan = { faults: [{ call: 1 }] };
  await ahead.delete(['writer/a']).catch(() => undefined);
  await expectRange(0, 10, 1, 'nothing is kept of what was to be deleted');
});

t.test('withReadAhead: the cache keeps what was asked for, whoever read it', async (t) => {
  const folder = t.testdir();
  const { remote, repository } = await openRemote(folder);
  const expected = await walkAll(withReadAhead(repository));
  t.same(cacheOf(withReadAhead(repository).storage), cacheOf(repository.storage));
  remote.calls.length = 0;
  t.same(await walkAll(anew(repository, folder)), expected);
  t.same(
    remote.calls.filter(({ operation, name }) => operation === 'get' && name.startsWith('writer/')),
    [],
  );
});

t.test('withCache: what a backup wrote of metadata need not be read, and it is right', async (t) => {
  const folder = t.testdir({ source: { one: { file: 'content '.repeat(1000) }, other: { file: 'x' } } });
  const remote = new FaultyStorage(new InMemory());
  const made = await createRepository(remote, { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  const cache = path.join(folder, 'cache');
  await backup(withCache(made, { folder: cache }), { paths: [path.join(folder, 'source')], workers: 1 });
  remote.calls.length = 0;
  const found = await walkAll(withCache(made, { folder: cache }));
  t.same(
    remote.calls.filter(({ operation, name }) => operation === 'get' && name.startsWith('writer/')),
    [],
  );
  t.same(found, await walkAll(made));
  const files = filesIn(path.join(cache, made.id)).map((file) => fs.readFileSync(file));
  const packs = await Promise.all((await namesIn(remote, 'writer/packs/')).map((name) => remote.get(name)));
  const contents = packs.filter((bytes) => bytes[sealedLayout.kind] === objectKinds.pack);
  t.equal(contents.length, 1);
  t.notOk(
    files.some((file) => file.includes(contents[0]!.subarray(0, sealedLayout.headerSizeBytes))),
    'nothing of a pack of content',
  );
});

t.test('withCache: metadata is asked of the store once, content each time', async (t) => {
  const folder = t.testdir();
  const { remote, repository } = await openRemote(folder);
  const expected = await walkAll(repository);
  t.ok(remote.count('get') > 0);
  remote.calls.length = 0;
  t.same(await walkAll(anew(repository, folder)), expected);
  const asked = remote.calls.filter(
    ({ operation, name }) => operation === 'get' && !name.startsWith('collector/roots/') && !name.startsWith('owner/'),
  );
  t.same(asked, [], 'nothing but roots, and marks');
  t.ok(remote.count('list') > 0, 'what there is, is asked each time');

  remote.calls.length = 0;
  await statistics(anew(repository, folder));
  await statistics(anew(repository, folder));
  const [data] = await packsOf(repository, 'pack');
  t.ok(
    remote.calls.filter(({ operation, name }) => operation === 'get' && name === data!.name).length >= 2,
    'packs of content are not kept',
  );
});

t.test('withCache: what is kept is sealed, and readable by its owner only', async (t) => {
  const folder = t.testdir();
  const { repository } = await openRemote(folder);
  await walkAll(repository);
  const files = filesIn(path.join(folder, repository.id));
  t.ok(files.length > 5);
  for (const file of files) {
    t.equal(fs.statSync(file).mode & 0o777, 0o600);
    t.notOk(fs.readFileSync(file).includes('file-7'), 'no names');
  }
  t.equal(fs.statSync(path.join(folder, repository.id)).mode & 0o777, 0o700);
  t.match(fs.readFileSync(path.join(folder, 'CACHEDIR.TAG'), 'utf8'), /^Signature: 8a477f597d28d172789f06886806bc55/);
});

t.test('cachedStorage: a damaged file of the cache is read again from the store', async (t) => {
  const folder = t.testdir();
  const { remote, repository } = await openRemote(folder);
  const expected = await walkAll(repository);
  const damages: readonly ((bytes: Buffer) => Buffer)[] = [
    (bytes) => bytes.subarray(0, bytes.length - 1),
    (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]),
    () => Buffer.alloc(0),
    (bytes) => bytes.fill(bytes[bytes.length - 1]! ^ 1, bytes.length - 1),
    (bytes) => bytes.fill(bytes[0]! ^ 1, 0, 1),
  ];
  for (const [number, damage] of damages.entries()) {
    for (const file of filesIn(path.join(folder, repository.id))) fs.writeFileSync(file, damage(fs.readFileSync(file)));
    remote.calls.length = 0;
    t.same(await walkAll(anew(repository, folder)), expected, `damage ${number}`);
    t.ok(
      remote.calls.some(({ operation, name }) => operation === 'get' && name.startsWith('writer/packs/')),
      'asked again',
    );
    remote.calls.length = 0;
    t.same(await walkAll(anew(repository, folder)), expected);
    t.notOk(
      remote.calls.some(({ operation, name }) => operation === 'get' && name.startsWith('writer/packs/')),
      'and kept again',
    );
  }
});

t.test('cachedStorage: a cache that cannot be used is no error', async (t) => {
  const folder = t.testdir({ file: 'not a folder' });
  const { repository } = await openRemote(path.join(folder, 'file', 'cache'));
  t.ok((await walkAll(repository)).length > 0);
});

t.test('cachedStorage: errors of the store are not kept', async (t) => {
  const folder = t.testdir();
  const { remote, repository } = await openRemote(folder);
  remote.plan = {
    faults: [{ operation: 'get', name: /^writer\/packs/, call: 1, error: () => new LaganError('unavailable', 'no answer') }],
  };
  await t.rejects(walkAll(repository), { code: 'unavailable' });
  t.ok((await walkAll(repository)).length > 0);
});

t.test('check: looks behind the cache', async (t) => {
  const folder = t.testdir();
  const { remote, repository } = await openRemote(folder);
  await walkAll(repository);
  await statistics(repository);
  const [metadata] = await packsOf(repository, 'metadata-pack');
  const [table] = namesBelow(sample.objects, 'writer/index/');
  await remote.delete([metadata!.name, table!]);
  const again = anew(repository, folder);
  t.ok((await walkAll(again)).length > 0, 'the cache still has it');
  const codes = (await check(again)).errors.map(({ code }) => code);
  t.ok(codes.includes('pack-missing'));
});

t.test('cacheLimit: what was not used for longest goes first', async (t) => {
  const folder = t.testdir();
  const { repository } = await openRemote(folder);
  await walkAll(repository);
  const files = filesIn(path.join(folder, repository.id));
  const oldest = files[3]!;
  fs.utimesSync(oldest, new Date(0), new Date(0));
  const before = (await cacheStatus({ folder })).repositories[0]!.sizeBytes;
  const { removedBytes } = await cacheLimit({ folder, limitBytes: before - 1 });
  t.notOk(fs.existsSync(oldest));
  t.equal(filesIn(path.join(folder, repository.id)).length, files.length - 1);
  t.equal((await cacheStatus({ folder })).repositories[0]!.sizeBytes, before - removedBytes);
  await cacheLimit({ folder, limitBytes: 0 });
  t.same((await cacheStatus({ folder })).repositories, []);
  await t.rejects(cacheLimit({ folder, limitBytes: -1 }), { name: 'RangeError' });
});

t.test('cachedStorage: keeps to its limit by itself', async (t) => {
  const folder = t.testdir();
  const { repository } = await openRemote(folder, 20_000);
  for (let round = 0; round < 3; round++) await walkAll(anewWithLimit(repository, folder, 20_000));
  const { repositories } = await cacheStatus({ folder });
  t.ok((repositories[0]?.sizeBytes ?? 0) <= 20_000 + 64 * 1024, `${repositories[0]?.sizeBytes}`);
});

t.test('cacheStatus and cacheClear: all repositories, or one; other files stay', async (t) => {
  const folder = t.testdir({ compiled: { file: 'of another use' }, ['ab'.repeat(16)]: { '12': { rest: 'a file of another repository' } } });
  t.same(await cacheStatus({ folder: path.join(folder, 'none') }), {
    folder: path.join(folder, 'none'),
    limitBytes: 1024 ** 3,
    repositories: [],
  });
  const { repository } = await openRemote(folder);
  await walkAll(repository);
  const status = await cacheStatus({ folder, limitBytes: 5 });
  t.match(status, { folder, limitBytes: 5 });
  t.same(status.repositories.map((entry) => entry.repository).sort(), [repository.id, 'ab'.repeat(16)].sort());
  const seen = Date.now() / 1000 - status.repositories.find((entry) => entry.repository === repository.id)!.lastUsed.seconds;
  t.ok(Math.abs(seen) < 60);

  const dry = await cacheClear({ folder, repository: repository.id, dryRun: true });
  t.match(dry, { repositories: [repository.id] });
  t.ok(fs.existsSync(path.join(folder, repository.id)));
  t.same(await cacheClear({ folder, repository: repository.id }), dry);
  t.notOk(fs.existsSync(path.join(folder, repository.id)));
  t.match(await cacheClear({ folder }), { removedBytes: 28, repositories: ['ab'.repeat(16)] });
  t.same(await cacheClear({ folder }), { removedBytes: 0, repositories: [] });
  t.ok(fs.existsSync(path.join(folder, 'compiled', 'file')));
});

t.test('withCache: a folder of this machine needs none', async (t) => {
  const repository = await openRepository(openStorage(sample.place), { secret, mode: 'read' });
  t.equal(withCache(repository, { folder: t.testdir() }), repository);
  const { repository: cached } = await openRemote(t.testdir());
  t.equal(withCache(cached, { folder: t.testdir() }), cached, 'nor does a cache');
  const [snapshot] = await listSnapshots(cached);
  t.match(await lookup(cached, snapshot!, new Uint8Array(Buffer.from(sample.source))), { entry: { type: 'directory' } });
});

function anewWithLimit(repository: Repository, folder: string, limitBytes: number): Repository {
  const { uncached } = repository.storage as Storage & { uncached: Storage };
  return { ...repository, storage: cachedStorage(uncached, { folder, repositoryId: repository.id, limitBytes }) };
}
