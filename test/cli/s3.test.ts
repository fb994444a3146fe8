import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FaultProxy } from '../engine/storage/fault-proxy.ts';
import { findVersitygw, noServer, startVersitygw } from '../engine/storage/s3-server.ts';
import { S3Stub } from '../engine/storage/s3-stub.ts';
import { execute, type Outcome, scratchFolder, start } from './cli.ts';

const credentials = { AWS_ACCESS_KEY_ID: 'tester', AWS_SECRET_ACCESS_KEY: 'secret of the tests', AWS_REGION: 'us-east-1' };

interface Bench {
  readonly folder: string;
  readonly data: string;
  readonly env: Record<string, string>;
  readonly stub: S3Stub;
  readonly proxy: FaultProxy;
  readonly url: string;
  lagan(...argv: string[]): Promise<Outcome>;
}

/** Some data, and a bucket behind a proxy that counts. */
async function bench(t: Test, conditions: 'kept' | 'ignored' = 'kept'): Promise<Bench> {
  const folder = scratchFolder(t);
  const data = join(folder, 'data');
  mkdirSync(join(data, 'sub'), { recursive: true });
  for (let index = 0; index < 50; index++) writeFileSync(join(data, 'sub', `${index}`), randomBytes(10_000));
  const stub = await new S3Stub({ conditions }).start();
  const proxy = await new FaultProxy(stub.port).start();
  stub.makeBucket('bucket');
  t.teardown(async () => {
    await proxy.stop();
    await stub.stop();
  });
  const env = { HOME: folder, ...credentials };
  const url = `s3://bucket/backups?endpoint=${proxy.endpoint}`;
  const lagan = (...argv: string[]) => execute([...argv, '-r', url, '--key-file', join(folder, 'key')], { env, cwd: folder });
  return { folder, data, env, stub, proxy, url, lagan };
}

async function succeeds(t: Test, outcome: Promise<Outcome>): Promise<Outcome> {
  const { exitCode, stderr } = await outcome;
  t.equal(exitCode, 0, stderr);
  return outcome;
}

async function roundTrip(t: Test, { folder, data, lagan }: Pick<Bench, 'folder' | 'data' | 'lagan'>): Promise<void> {
  await succeeds(t, lagan('init'));
  await succeeds(t, lagan('backup', data));
  await succeeds(t, lagan('check', '--read-data'));
  const target = join(folder, 'back');
  await succeeds(t, lagan('restore', 'latest', '--target', target));
  for (const name of readdirSync(join(data, 'sub'))) {
    const restored = readFileSync(join(target, data, 'sub', name));
    t.equal(Buffer.compare(restored, readFileSync(join(data, 'sub', name))), 0, name);
  }
}

t.test('s3: init, backup, check and restore', async (t) => {
  const { folder, data, lagan, proxy } = await bench(t);
  await roundTrip(t, { folder, data, lagan });
  proxy.seen.length = 0;
  for (let index = 0; index < 3; index++) await succeeds(t, lagan('backup', data));
  const asked = proxy.seen
    .filter(({ method, url }) => method === 'GET' && /\/(packs|index)\//.test(url))
    .map(({ url, headers }) => `${url} ${headers.range}`);
  t.equal(new Set(asked).size, asked.length, 'no metadata is asked for twice: it is in the cache');
});

t.test('s3: init, backup, check and restore on versitygw', { skip: findVersitygw() === undefined ? noServer : false }, async (t) => {
  const { folder, data, env } = await bench(t);
  const server = await startVersitygw(findVersitygw()!, scratchFolder(t));
  t.teardown(() => server.stop());
  server.makeBucket('real');
  const argv = ['-r', `s3://real/backups?endpoint=${server.endpoint}`, '--key-file', join(folder, 'key')];
  const lagan = (...rest: string[]) => execute([...rest, ...argv], { env: { ...env, ...server.environment }, cwd: folder });
  await roundTrip(t, { folder, data, lagan });
});

t.test('s3: Ctrl-C ends a command whose request nobody answers', async (t) => {
  const { data, env, proxy, url, folder, lagan } = await bench(t);
  await succeeds(t, lagan('init'));
  for (const [title, stalled] of [
    ['the first request', /./],
    ['a pack', /writer\/packs/],
  ] as const) {
    proxy.plan = ({ method, url }) => (stalled.test(url) && (title !== 'a pack' || method === 'PUT') ? { kind: 'stall' } : undefined);
    const before = proxy.count('PUT', stalled) + proxy.count('GET', stalled);
    const child = start(['backup', data, '-r', url, '--key-file', join(folder, 'key')], { env });
    while (proxy.count('PUT', stalled) + proxy.count('GET', stalled) === before) await new Promise((resolve) => setTimeout(resolve, 10));
    const begin = performance.now();
    child.kill('SIGINT');
    const { exitCode, stderr } = await child.ended;
    t.equal(exitCode, 130, stderr);
    t.ok(performance.now() - begin < 1500, `${title}: ${Math.round(performance.now() - begin)} ms`);
  }
  proxy.plan = () => undefined;
  await succeeds(t, lagan('backup', data));
});

t.test('s3: a store that is not safe is told of when the repository is made, and by the probe', async (t) => {
  const { lagan } = await bench(t, 'ignored');
  const { stderr } = await succeeds(t, lagan('init'));
  t.match(stderr, /does not create objects safely.*only .* may run the maintenance/);
  const { exitCode, stdout } = await lagan('repository', 'probe');
  t.equal(exitCode, 1);
  t.match(stdout, /does not create objects safely/);
  t.match((await lagan('repository', 'probe', '--json')).json, [{ type: 'probe', outcome: 'unsafe', racers: 8 }]);
});

t.test('s3: a place without a repository, and credentials that are wrong', async (t) => {
  const { lagan, url, env } = await bench(t);
  t.match(await lagan('snapshots'), { exitCode: 4, stderr: /lagan init/ });
  t.match(await execute(['snapshots', '-r', url.replace('bucket', 'absent')], { env }), { exitCode: 4 });
});

t.test('s3: --limit-requests and --limit-upload are kept by all threads together', async (t) => {
  const { lagan, data } = await bench(t);
  await succeeds(t, lagan('init'));
  const begin = performance.now();
  await succeeds(t, lagan('backup', data, '--limit-upload', '250K'));
  t.ok(performance.now() - begin > 1500, '500 KB do not go up in less than two seconds');
  t.match(await lagan('snapshots', '--limit-upload', '0'), { exitCode: 2 });
});
