/**
 * Places that are not as they should be, and what a person is told: what was tried, what is so, what to do. Through all of a repository's own operations, on a server that speaks
 * S3 and fails as it is told; what the requests of each kind of store mean is tested beside their code (test/engine/storage/).
 */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { createRepository, expectCollector, listSnapshots, openRepository, type Repository } from '../../engine/repository/mod.ts';
import { type ListedObject, type ListOptions, S3, type Storage } from '../../engine/storage/mod.ts';
import { isLaganError, objectPrefixes } from '../../repo-format/mod.ts';
import { randomBytesOf } from '../engine/random.ts';
import { copyOf, namesIn } from '../engine/repository/sample.ts';
import { type Fault, FaultProxy, type SeenRequest } from '../engine/storage/fault-proxy.ts';
import { errorXml, S3Stub, type StubOptions } from '../engine/storage/s3-stub.ts';
import { collect, forget } from '../simulation/engine-calls.ts';
import { PassingStorage } from '../simulation/spoiled-storage.ts';
import { backUp, faultsOf, fill, lostOf, type Sample, scratchFolder, secret } from './_crash-points.ts';
import { backUpVersion, wornSample } from './_incidents.ts';

Object.assign(process.env, {
  AWS_ACCESS_KEY_ID: 'tester',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
});
delete process.env.AWS_PROFILE;

const slots = [{ secret, label: 'key' }];
/** For machines that are busy, where silence is not the matter. */
const patient = { timeouts: { connectMs: 30_000, silenceMs: 60_000 }, retries: { attempts: 2, firstPauseMs: 1, longestPauseMs: 2 } };

interface Place {
  readonly stub: S3Stub;
  readonly proxy: FaultProxy;
  readonly at: (bucket: string, options?: { silenceMs?: number }) => Storage;
}

async function place(t: Test, options: StubOptions = {}): Promise<Place> {
  const stub = await new S3Stub(options).start();
  const proxy = await new FaultProxy(stub.port).start();
  stub.makeBucket('bucket');
  const opened: Storage[] = [];
  t.teardown(async () => {
    for (const storage of opened) await storage.close();
    await proxy.stop();
    await stub.stop();
  });
  const at: Place['at'] = (bucket, { silenceMs } = {}) => {
    opened.push(
      new S3(`s3://${bucket}/prefix?endpoint=${proxy.endpoint}`, {
        ...patient,
        ...(silenceMs && { timeouts: { connectMs: 30_000, silenceMs } }),
      }),
    );
    return opened.at(-1)!;
  };
  return { stub, proxy, at };
}

const make = (storage: Storage): Promise<Repository> => createRepository(storage, { slots, patienceMs: 0 });
const open = (storage: Storage): Promise<Repository> => openRepository(storage, { secret, mode: 'write' });
const refusal = (status: number, word: string, headers: Record<string, string> = {}): Fault => ({
  kind: 'status',
  status,
  body: errorXml(word, 'the words of the store'),
  headers: { 'content-type': 'application/xml', ...headers },
});

interface Told {
  readonly code: string;
  /** What was tried and what is so. */
  readonly says: RegExp;
  /** What to do. */
  readonly hint: RegExp;
}

/** The error says all three. */
async function expectTold(t: Test, title: string, act: () => Promise<unknown>, { code, says, hint }: Told): Promise<void> {
  const error = await act().then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!isLaganError(error)) return void t.fail(`${title}: ${error ?? 'no error'}`);
  t.equal(error.code, code, title);
  t.match(error.message, says, title);
  t.match(error.hint, hint, title);
}

/** What a store answers to every request, and what is told of that whatever was tried. */
const refusals: Record<string, { fault: Fault } & Told> = {
  'that is forbidden': {
    fault: refusal(403, 'AccessDenied'),
    code: 'forbidden',
    says: /in s3:\/\/bucket at http.* failed: the store says 403 AccessDenied/,
    hint: /docs\/object-stores\.md/,
  },
  'in another region': {
    fault: refusal(301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-west-1' }),
    code: 'usage',
    says: /failed: the bucket is in another region, eu-west-1/,
    hint: /region=eu-west-1/,
  },
  'whose clock is another': {
    fault: refusal(403, 'RequestTimeTooSkewed'),
    code: 'forbidden',
    says: /failed: this machine's clock and the store's/,
    hint: /set the clock/,
  },
  'that wants fewer requests': {
    fault: refusal(503, 'SlowDown'),
    code: 'unavailable',
    says: /failed: the store says 503/,
    hint: /--limit-requests/,
  },
  'that is slow beyond all patience': {
    fault: { kind: 'stall' },
    code: 'unavailable',
    says: /failed: the store did not answer in time/,
    hint: /check the network/,
  },
  'to which the credentials have expired': {
    fault: refusal(400, 'ExpiredToken'),
    code: 'forbidden',
    says: /failed: the credentials have expired/,
    hint: /get new ones/,
  },
};

// On a busy machine.
t.setTimeout(1_200_000);

for (const [title, { fault, ...told }] of Object.entries(refusals)) {
  t.test(`bad input: a bucket ${title}`, async (t) => {
    const { proxy, at } = await place(t);
    const repository = await make(at('bucket'));
    proxy.plan = () => fault;
    const bucket = () => at('bucket', fault.kind === 'stall' ? { silenceMs: 300 } : {});
    await expectTold(t, 'make', () => make(bucket()), told);
    await expectTold(t, 'open', () => open(bucket()), told);
    await expectTold(t, 'list', () => listSnapshots({ ...repository, storage: bucket() }), told);
    await expectTold(t, 'maintain', () => collect({ ...repository, storage: bucket() }), told);
    proxy.plan = () => undefined;
    await open(at('bucket'));
  });
}

t.test('bad input: a bucket that is missing', async (t) => {
  const { at } = await place(t);
  await expectTold(t, 'open', () => open(at('absent')), {
    code: 'no-repository',
    says: /there is nothing at s3:\/\/absent\/prefix.*: no such bucket/,
    hint: /lagan init/,
  });
});

t.test('bad input: a bucket that is not ours', async (t) => {
  const { stub, proxy, at } = await place(t);
  proxy.plan = ({ method, url }) => (method === 'PUT' && /^\/taken\/?$/.test(url) ? refusal(409, 'BucketAlreadyExists') : undefined);
  await expectTold(t, 'make', () => make(at('taken')), {
    code: 'forbidden',
    says: /the bucket taken belongs to somebody else/,
    hint: /choose another one/,
  });
  stub.put('bucket', 'prefix/holiday.jpg', Uint8Array.of(1));
  await t.rejects(open(at('bucket')), { code: 'no-repository', found: 'foreign' });
  await t.rejects(make(at('bucket')), { code: 'exists', found: 'foreign' }, 'nothing is put among what others have there');
});

t.test('bad input: a bucket that is slow is waited for', async (t) => {
  const { proxy, at } = await place(t);
  proxy.latencyMs = 100;
  const repository = await make(at('bucket'));
  t.same(await listSnapshots(repository), []);
});

/** Two versions of a source; the first is backed up. */
async function firstBackup(t: Test, { at }: Place): Promise<Sample> {
  const folder = scratchFolder(t);
  const source = path.join(folder, 'source');
  fs.mkdirSync(source);
  const storage = at('bucket');
  const contents = new Map([['first', randomBytesOf('first', 3000)]]);
  fill(source, contents);
  const id = await backUp(await make(storage), source);
  return { folder, source, storage: storage as Sample['storage'], expected: new Map([[id, contents]]) };
}

const inTheMiddle: Record<string, { fault: Fault } & Told> = {
  'is full': {
    fault: refusal(403, 'QuotaExceeded'),
    code: 'no-space',
    says: /storing writer\/.* failed: the store says 403 QuotaExceeded/,
    hint: /full or its quota/,
  },
  'is full, as servers say it': {
    fault: refusal(507, 'XMinioStorageFull'),
    code: 'no-space',
    says: /storing writer\/.* failed/,
    hint: /full or its quota/,
  },
  'has credentials that expire': {
    fault: refusal(400, 'ExpiredToken'),
    code: 'forbidden',
    says: /storing writer\/.* failed: the credentials have expired/,
    hint: /what was stored stays/,
  },
};

for (const [title, { fault, ...told }] of Object.entries(inTheMiddle)) {
  t.test(`bad input: a bucket that ${title} in the middle of a backup: it ends, and the next one is whole`, async (t) => {
    const bad = await place(t);
    const sample = await firstBackup(t, bad);
    const contents = new Map(
      [...sample.expected.values()].flatMap((files) => [...files, ['second', randomBytesOf('second', 4000)] as const]),
    );
    fill(sample.source, contents);
    for (let stored = 0; stored < 3; stored += 2) {
      let made = 0;
      bad.proxy.plan = ({ method }: SeenRequest) => (method === 'PUT' && ++made > stored ? fault : undefined);
      await expectTold(t, `after ${stored} objects`, async () => backUp(await open(sample.storage), sample.source), told);
    }
    bad.proxy.plan = () => undefined;
    sample.expected.set(await backUp(await open(sample.storage), sample.source), contents);
    t.same(await faultsOf(sample), []);
  });
}

t.test('bad input: a store that lies about conditions is found out, and only one may collect', async (t) => {
  for (const conditions of ['ignored', 'racy'] as const) {
    const { at } = await place(t, { conditions });
    const { configuration } = await createRepository(at('bucket'), { slots, patienceMs: 0, cacheFolder: t.testdir({}) });
    t.ok(configuration.collector, conditions);
    t.throws(() => expectCollector(configuration, 'another'), { code: 'forbidden' });
  }
});

/** Leaves everything with a prefix out of its listings, and says nothing of it. */
class EmptyListings extends PassingStorage {
  readonly #prefix: string;

  constructor(inner: Storage, prefix: string) {
    super(inner);
    this.#prefix = prefix;
  }

  override async *list(prefix: string, options?: ListOptions): AsyncGenerator<ListedObject> {
    for await (const object of super.list(prefix, options)) if (!object.name.startsWith(this.#prefix)) yield object;
  }
}

t.test('bad input: listings that come back empty are errors or do no harm, never "nothing there"', async (t) => {
  const sample = await wornSample(scratchFolder(t));
  await collect(await openRepository(sample.storage, { secret, mode: 'write' }));
  await backUpVersion(sample, 3);
  const codes: Record<string, string> = {};
  for (const prefix of ['', ...new Set(Object.values(objectPrefixes))]) {
    const copy: Sample = { ...sample, storage: await copyOf(sample.storage), expected: new Map(sample.expected) };
    const packs = (await namesIn(copy.storage)).filter((name) => name.includes('/packs/')).length;
    const lying = new EmptyListings(copy.storage, prefix);
    const collecting = async (): Promise<unknown> => collect(await openRepository(lying, { secret, mode: 'write' }));
    for (let collections = 0; collections < 2; collections++)
      codes[prefix] = await collecting().then(
        () => 'done',
        (error: unknown) => (isLaganError(error) ? error.code : String(error)),
      );
    t.same(await lostOf(copy), [], `${prefix}: ${codes[prefix]}`);
    t.ok(packs > 0);
  }
  for (const [prefix, code] of [
    ['', 'object-missing'],
    [objectPrefixes.roots, 'object-missing'],
    [objectPrefixes.writerPacks, 'rolled-back'],
    [objectPrefixes.snapshots, 'unavailable'],
  ] as const)
    t.equal(codes[prefix], code, prefix);
});

t.test('bad input: a listing of snapshots that lacks one is told of, before and after a collection', async (t) => {
  const sample = await wornSample(scratchFolder(t));
  const commits = await namesIn(sample.storage, objectPrefixes.snapshots);
  const lying = new EmptyListings(sample.storage, commits.at(-1)!);
  await expectTold(t, 'maintain', async () => collect(await openRepository(lying, { secret, mode: 'write' })), {
    code: 'unavailable',
    says: new RegExp(`lists its snapshots without ${commits.at(-1)}, which is there`),
    hint: /nothing is collected/,
  });
  const [id] = sample.expected.keys();
  await forget(await openRepository(sample.storage, { secret, mode: 'write' }), [id!]);
  sample.expected.delete(id!);
  await collect(await openRepository(sample.storage, { secret, mode: 'write' }));
  t.same(await faultsOf(sample), []);
});

t.test('bad input: a listing that fails deletes nothing', async (t) => {
  const bad = await place(t);
  const sample = await firstBackup(t, bad);
  const before = bad.stub.keys('bucket');
  for (const fault of [
    refusal(500, 'InternalError'),
    refusal(403, 'AccessDenied'),
    refusal(404, 'NoSuchKey'),
    { kind: 'status', status: 200, body: 'no listing' } as const,
  ]) {
    bad.proxy.plan = ({ url }) => (/list-type=2/.test(url) ? fault : undefined);
    await t.rejects(open(sample.storage).then(collect));
    let listings = 0;
    bad.proxy.plan = ({ url }) => (/list-type=2/.test(url) && ++listings > 4 ? fault : undefined);
    await t.rejects(open(sample.storage).then(collect));
    t.same(bad.stub.keys('bucket'), before);
  }
});
