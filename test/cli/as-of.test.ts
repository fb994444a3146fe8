/** `--as-of` and `repository recover --as-of`: a versioned bucket after an attack by somebody who may put and delete objects, but not versions; and a folder. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import t, { type Test } from 'tap';
import { findVersitygw, noServer, startVersitygw } from '../engine/storage/s3-server.ts';
import { run, scratchFolder } from './cli.ts';
import { problems } from './schemas.ts';

async function versionedBucket(t: Test) {
  const folder = scratchFolder(t);
  const server = await startVersitygw(findVersitygw()!, scratchFolder(t), { versions: true });
  const credentials = { accessKeyId: server.environment.AWS_ACCESS_KEY_ID!, secretAccessKey: server.environment.AWS_SECRET_ACCESS_KEY! };
  const client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  t.teardown(async () => {
    client.destroy();
    await server.stop();
  });
  const Bucket = 'versions';
  await client.send(new CreateBucketCommand({ Bucket }));
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  const argv = ['-r', `s3://${Bucket}/backups?endpoint=${server.endpoint}`, '--key-file', join(folder, 'key')];
  Object.assign(process.env, server.environment);
  const lagan = (...rest: string[]) => run([...rest, ...argv], { env: { ...server.environment, HOME: folder }, cwd: folder });
  const names = async (): Promise<string[]> => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'backups/' }));
    return Contents.map(({ Key }) => Key!.slice('backups/'.length));
  };
  const overwrite = (name: string) => client.send(new PutObjectCommand({ Bucket, Key: `backups/${name}`, Body: 'of the attacker' }));
  const remove = (name: string) => client.send(new DeleteObjectCommand({ Bucket, Key: `backups/${name}` }));
  return { folder, lagan, names, overwrite, remove };
}

t.test(
  'recover --as-of: root, keys, commits and packs were overwritten and deleted',
  { skip: findVersitygw() === undefined ? noServer : false },
  async (t) => {
    const { folder, lagan, names, overwrite, remove } = await versionedBucket(t);
    const data = join(folder, 'data');
    mkdirSync(data);
    const save = async (name: string) => {
      writeFileSync(join(data, name), name.repeat(30_000));
      t.match(await lagan('backup', data, '--no-maintain'), { exitCode: 0 });
    };
    await lagan('init');
    await save('a');
    await save('b');
    t.match(await lagan('maintain'), { exitCode: 0 });
    await save('c');
    const sound = await lagan('snapshots', '--json');
    // Times of versions are whole seconds.
    await sleep(1100);
    const time = new Date().toISOString();
    await sleep(1000);
    await save('d');

    const all = await names();
    const of = (prefix: string) => all.filter((name) => name.startsWith(prefix));
    for (const name of [...of('owner/keys/'), ...of('writer/snapshots/'), ...of('collector/roots/').slice(-1)]) await remove(name);
    for (const name of [...of('owner/keyring/'), ...of('collector/catalogue/'), ...of('collector/roots/').slice(0, -1)])
      await overwrite(name);
    for (const [index, name] of of('writer/packs/').entries()) await (index % 2 === 0 ? remove(name) : overwrite(name));
    for (const name of ['collector/roots/00000000000f0000', 'owner/keyring/0000ffff-full', 'owner/config/000000ff']) await overwrite(name);
    await overwrite(`writer/snapshots/00000000000fffff/${'a'.repeat(32)}`);
    t.not((await lagan('snapshots')).exitCode, 0, 'nothing opens any more');

    t.match((await lagan('--as-of', time, 'snapshots', '--json')).json, sound.json, 'as of then all is there');
    t.match(await lagan('check', '--read-data', '--as-of', time), { exitCode: 0 });
    t.match(await lagan('restore', 'latest', '--target', join(folder, 'then'), '--as-of', time), { exitCode: 0 });
    t.equal(readFileSync(join(folder, 'then', data, 'c'), 'utf8'), 'c'.repeat(30_000));
    t.match(await lagan('backup', data, '--as-of', time), { exitCode: 8, stderr: /can only be read/ });

    const dry = await lagan('repository', 'recover', '--as-of', time, '--dry-run');
    t.match(dry, { exitCode: 0, stdout: /would be brought back.*\n4 objects that came since and must not count would be hidden\n/ });
    t.not((await lagan('snapshots')).exitCode, 0, 'a dry run changes nothing');
    const recovered = await lagan('repository', 'recover', '--as-of', time, '--json');
    t.equal(recovered.exitCode, 0, recovered.stderr);
    for (const line of recovered.json) t.same(problems('repository', line), []);
    t.match(
      recovered.json.find(({ type }) => type === 'revert'),
      { outcome: 'reverted', hidden: 4 },
    );
    t.match(recovered.json.at(-1), {
      type: 'recovery',
      outcome: 'recovered',
      snapshots: [{ isWhole: true }, { isWhole: true }, { isWhole: true }],
    });
    t.match(await lagan('check', '--read-data'), { exitCode: 0 }, 'the present is sound');
    t.match(await lagan('backup', data), { exitCode: 0 });
    t.match(await lagan('maintain'), { exitCode: 0 });
    t.match(await lagan('cat', 'latest', join(data, 'd')), { exitCode: 0, stdout: 'd'.repeat(30_000) });
  },
);

t.test('--as-of: a folder tells when its objects were made', async (t) => {
  const folder = scratchFolder(t);
  const lagan = (...argv: string[]) => run(argv, { env: { HOME: folder }, cwd: folder });
  const data = join(folder, 'data');
  mkdirSync(data);
  for (const name of ['a', 'b']) {
    writeFileSync(join(data, name), name);
    t.match(await lagan('backup', 'data', '--no-maintain'), { exitCode: 0 });
    if (name === 'a') await sleep(20);
    if (name === 'a') writeFileSync(join(folder, 'between'), '');
    await sleep(20);
  }
  const between = statSync(join(folder, 'between')).mtime.toISOString();
  t.match((await lagan('snapshots', '--json')).json, [{ snapshots: { length: 2 } }]);
  t.match((await lagan('snapshots', '--json', '--as-of', between)).json, [{ snapshots: { length: 1 } }]);
  t.match(await lagan('restore', 'latest', '--target', 'back', '--as-of', between), { exitCode: 0 });
  t.match(await lagan('snapshots', '--as-of', '2001-01-01'), { exitCode: 4, stderr: /as it was at 2001/ });
  t.match(await lagan('repository', 'recover', '--as-of', between), { exitCode: 1, stderr: /keeps no versions/ });
});
