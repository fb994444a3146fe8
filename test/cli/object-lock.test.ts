/** Object Lock on a real server, with a period of seconds: what is locked cannot be deleted, what is needed stays so, and space comes back. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, DeleteObjectCommand, ListObjectVersionsCommand, S3Client } from '@aws-sdk/client-s3';
import t from 'tap';
import { findVersitygw, noServer, startVersitygw } from '../engine/storage/s3-server.ts';
import { run, scratchFolder } from './cli.ts';
import { problems } from './schemas.ts';

/** Ten commands must end within a period: on a busy machine it is longer. */
async function findPeriodSeconds(): Promise<number> {
  const begunMs = performance.now();
  await run(['version']);
  return Math.max(10, Math.ceil((performance.now() - begunMs) / 50));
}

function storedBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

t.test('object lock: on versitygw', { skip: findVersitygw() === undefined ? noServer : false }, async (t) => {
  const folder = scratchFolder(t);
  const serverFolder = scratchFolder(t);
  const server = await startVersitygw(findVersitygw()!, serverFolder, { versions: true });
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = server.environment;
  const client = new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  t.teardown(async () => {
    client.destroy();
    await server.stop();
  });
  Object.assign(process.env, server.environment);
  const Bucket = 'locked';
  await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  const lagan = (options: string, ...rest: string[]) =>
    run([...rest, '-r', `s3://${Bucket}/backups?endpoint=${server.endpoint}${options}`, '--key-file', join(folder, 'key')], {
      env: { ...server.environment, HOME: folder },
      cwd: folder,
    });
  const periodSeconds = await findPeriodSeconds();
  const locked = (...rest: string[]) => lagan(`&retention=${periodSeconds}s`, ...rest);
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data', 'lost'), randomBytes(400_000));

  t.match(await locked('init'), { exitCode: 0 });
  t.match(await lagan('', 'repository', 'locks'), { exitCode: 1, stderr: /can lock objects, and does not/ });
  t.match(await locked('backup', 'data', '--no-maintain', '--compression', 'none'), { exitCode: 0 });
  const status = (await locked('repository', 'locks', '--json')).json.at(-1)!;
  t.same(problems('repository', status), []);
  t.match(status, { mode: 'governance', periodSeconds, lastExtension: null, locked: [{}, {}, {}, {}, {}] });
  const first = await locked('maintain', '--json');
  const { locks } = first.json.at(-1) as { locks: { extended: number; requests: number } };
  t.same(problems('maintain', first.json.at(-1)), []);
  t.equal(locks.requests, status.nextRequests, 'as it was foretold, by one request each and the listings');

  const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'backups/' }));
  for (const { Key, VersionId } of Versions)
    await t.rejects(client.send(new DeleteObjectCommand({ Bucket, Key, VersionId })), { name: 'AccessDenied' }, Key!);

  t.match(await locked('forget', 'latest'), { exitCode: 0 });
  rmSync(join(folder, 'data', 'lost'));
  writeFileSync(join(folder, 'data', 'kept'), 'kept');
  t.match(await locked('backup', 'data', '--no-maintain'), { exitCode: 0 });
  // On a slow machine the first locks may have ended by now.
  const before = storedBytes(serverFolder);
  t.match(await locked('maintain'), { exitCode: 0, stdout: /freed [\s\S]* stay until the locks end, the last at / });
  await sleep((periodSeconds + 1) * 1000);
  const last = await locked('maintain');
  t.match(last, { exitCode: 0, stdout: /old versions .* deleted for good: their locks have ended/ });
  t.ok(storedBytes(serverFolder) < before - 300_000, 'space comes back');
  t.match(await locked('check', '--read-data'), { exitCode: 0 });
});
