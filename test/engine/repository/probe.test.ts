import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import {
  collectorName,
  createRepository,
  expectCollector,
  inspectPlace,
  openRepository,
  type ProbeResult,
  probeStorage,
  setCollector,
} from '../../../engine/repository/mod.ts';
import { InMemory, S3, type Storage } from '../../../engine/storage/mod.ts';
import { S3Stub, type StubOptions } from '../storage/s3-stub.ts';
import { keyFile } from './sample.ts';

Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'tester', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' });

async function bucket(t: Test, options: StubOptions = {}): Promise<{ stub: S3Stub; storage: Storage }> {
  const stub = await new S3Stub(options).start();
  stub.makeBucket('bucket');
  const storage = new S3(`s3://bucket/prefix?endpoint=${stub.endpoint}`);
  t.teardown(async () => {
    await storage.close();
    await stub.stop();
  });
  return { stub, storage };
}

/** Machines that run tests are busy. */
const limitMs = 60_000;
const slots = [{ secret: keyFile, label: 'key file' }];

t.test('probeStorage: a store that keeps to conditions is safe, and nothing is left in it', async (t) => {
  const { stub, storage } = await bucket(t);
  t.match(await probeStorage(storage, { limitMs }), {
    racers: 8,
    rounds: 20,
    doubleWins: 0,
    mostWinners: 1,
    wrongWinners: 0,
    isSafe: true,
    leftBehind: false,
  });
  t.same(stub.keys('bucket'), []);
});

t.test('probeStorage: stores that ignore conditions, do not know them, or look before they act, are found out', async (t) => {
  for (const conditions of ['ignored', 'unknown', 'racy'] as const) {
    const { stub, storage } = await bucket(t, { conditions });
    const result = await probeStorage(storage, { limitMs });
    t.equal(result.isSafe, false, conditions);
    t.ok(result.doubleWins + result.wrongWinners > 0);
    t.same(stub.keys('bucket'), []);
  }
});

t.test('createRepository: on a store that is not safe, the configuration names the only collector', async (t) => {
  const { storage } = await bucket(t, { conditions: 'ignored' });
  const cacheFolder = t.testdir();
  let probed: ProbeResult | undefined;
  const onProbe = (result: ProbeResult) => {
    probed = result;
  };
  const repository = await createRepository(storage, { slots, cacheFolder, onProbe });
  t.equal(probed?.isSafe, false);
  t.equal(repository.configuration.collector, collectorName());
  expectCollector(repository.configuration);
  t.throws(() => expectCollector(repository.configuration, 'another'), { code: 'forbidden' });
  t.equal(await repository.storage.create('owner/format', [Uint8Array.of(1)]), 'exists', 'what is there is looked for');
  const opened = await openRepository(storage, { secret: keyFile, mode: 'write' });
  t.equal(await opened.storage.create('owner/format', [Uint8Array.of(1)]), 'exists');
});

t.test('setCollector: an owner names another collector, or lets everyone collect', async (t) => {
  const repository = await createRepository(new InMemory(), { slots });
  t.equal((await setCollector(repository, 'first')).collector, 'first');
  t.equal((await setCollector(repository, 'first')).collector, 'first');
  const named = await openRepository(repository.storage, { secret: keyFile, mode: 'read' });
  t.equal(named.configuration.collector, 'first');
  const [one, two] = await Promise.all([setCollector(named, 'one'), setCollector(named, 'two')]);
  t.same([one.collector, two.collector], ['one', 'two']);
  await setCollector(named, null);
  const { configuration } = await openRepository(repository.storage, { secret: keyFile, mode: 'read' });
  t.same(configuration, repository.configuration);
});

t.test('createRepository: that a store is safe is remembered for endpoint and bucket; that it is not, is tried again', async (t) => {
  const cacheFolder = t.testdir();
  const probes: ProbeResult[] = [];
  const options = { slots, cacheFolder, probeLimitMs: limitMs, onProbe: (result: ProbeResult) => probes.push(result) };
  const { stub, storage } = await bucket(t);
  const create = async (place: string) => {
    const other = new S3(place);
    await createRepository(other, options);
    await other.close();
  };
  const { configuration } = await createRepository(storage, options);
  t.equal(configuration.collector, null);
  t.equal(probes.length, 1);
  await create(`s3://bucket/other?endpoint=${stub.endpoint}&region=x`);
  t.equal(probes.length, 1, 'the same bucket');
  stub.makeBucket('another');
  await create(`s3://another?endpoint=${stub.endpoint}`);
  t.equal(probes.length, 2, 'another bucket');
  for (const file of fs.readdirSync(path.join(cacheFolder, 'probes'))) fs.writeFileSync(path.join(cacheFolder, 'probes', file), 'damaged');
  await create(`s3://bucket/third?endpoint=${stub.endpoint}`);
  t.equal(probes.length, 3, 'a damaged memory is none');
  const { storage: unsafe } = await bucket(t, { conditions: 'ignored' });
  await createRepository(unsafe, options);
  t.equal((await probeStorage(unsafe, { cacheFolder })).isSafe, false);
  t.equal(probes.length, 4);
});

t.test('createRepository: a folder or memory is not probed', async (t) => {
  const onProbe = () => t.fail('probed');
  const { configuration } = await createRepository(new InMemory(), { slots, onProbe });
  t.equal(configuration.collector, null);
});

t.test('inspectPlace: what a probe left that was cut short is nothing', async (t) => {
  const { stub, storage } = await bucket(t);
  stub.put('bucket', 'prefix/probe/abc/1', Uint8Array.of(1));
  t.same(await inspectPlace(storage), { state: 'empty' });
  await createRepository(storage, { slots });
  t.same(await inspectPlace(storage), { state: 'repository' });
  const other = await bucket(t);
  other.stub.put('bucket', 'prefix/probe/abc/1', Uint8Array.of(1));
  other.stub.put('bucket', 'prefix/readme', Uint8Array.of(1));
  t.same(await inspectPlace(other.storage), { state: 'foreign' });
});

t.test('probeStorage: an error of the store is one', async (t) => {
  const stub = await new S3Stub().start();
  t.teardown(() => stub.stop());
  const storage = new S3(`s3://absent?endpoint=${stub.endpoint}`);
  await t.rejects(probeStorage(storage), { code: 'no-repository' });
});

t.test('collectorName: the same each time, and overridden by LAGAN_COLLECTOR', async (t) => {
  t.equal(collectorName({}), collectorName({}));
  t.match(collectorName({}), /-[0-9a-f]{8}$/);
  t.equal(collectorName({ LAGAN_COLLECTOR: 'this one' }), 'this one');
});
