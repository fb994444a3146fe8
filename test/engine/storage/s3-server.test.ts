/** The contract on a real server. */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { probeStorage } from '../../../engine/repository/mod.ts';
import { S3, storageLimits } from '../../../engine/storage/mod.ts';
import { storageConformance } from '../../conformance/storage.ts';
import { findVersitygw, noServer, startVersitygw } from './s3-server.ts';

const program = findVersitygw();

t.test('S3: the contract, on versitygw', { skip: program === undefined ? noServer : false }, async (t) => {
  const server = await startVersitygw(program!, t.testdir());
  Object.assign(process.env, server.environment);
  t.teardown(() => server.stop());
  let buckets = 0;
  const newBucket = (): S3 => {
    const bucket = `bucket-${buckets++}`;
    server.makeBucket(bucket);
    return new S3(`s3://${bucket}/a/prefix?endpoint=${server.endpoint}`);
  };
  await t.test('conformance', async (t) => storageConformance(t, { makeStorage: async () => newBucket() }));

  await t.test('a large object goes up in parts, once', async (t) => {
    const storage = newBucket();
    const content = new Uint8Array(randomBytes(storageLimits.s3.partSizeBytes + 5_000_000));
    t.equal(await storage.create('writer/index/a', [content]), 'created');
    t.equal(await storage.create('writer/index/a', [content.slice().fill(0)]), 'exists');
    t.equal(Buffer.compare(await storage.get('writer/index/a'), content), 0);
    t.equal(await storage.removeLitter(), 0);
    await storage.close();
  });

  await t.test('the probe', async (t) => {
    const storage = newBucket();
    const result = await probeStorage(storage);
    t.comment(result);
    t.ok(result.rounds >= 1);
    t.equal(await storage.state(), 'empty');
    await storage.close();
  });

  await t.test('the wrong secret', async (t) => {
    const storage = newBucket();
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    t.teardown(() => Object.assign(process.env, server.environment));
    await t.rejects(storage.state(), { code: 'forbidden', hint: /secret/ });
  });

  await t.test('a bucket that is made', async (t) => {
    const storage = new S3(`s3://made-by-us/prefix?endpoint=${server.endpoint}`);
    t.equal(await storage.state(), 'absent');
    await storage.prepare();
    t.equal(await storage.state(), 'empty');
    await storage.close();
  });
});
