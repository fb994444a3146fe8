/** `lagan mirror` on real repositories; and both it and `lagan copy` on a real server. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findVersitygw, noServer, startVersitygw } from '../engine/storage/s3-server.ts';
import { execute, type Outcome, run, scratchFolder } from './cli.ts';
import { problems } from './schemas.ts';

interface Home {
  readonly folder: string;
  readonly file: string;
  lagan(...argv: string[]): Promise<Outcome>;
}

async function withBackup(t: Test): Promise<Home> {
  const folder = scratchFolder(t);
  const file = join(folder, 'data/a');
  mkdirSync(join(folder, 'data'));
  writeFileSync(file, 'some text '.repeat(10_000));
  const lagan = (...argv: string[]) => run(argv, { cwd: folder, env: { HOME: folder } });
  await lagan('backup', 'data');
  return { folder, file, lagan };
}

const mirror = ['-r', 'mirror', '--key-file', '.config/lagan/repository.key'];

t.test('mirror: a second place, brought up to date, restored from', async (t) => {
  const { file, folder, lagan } = await withBackup(t);
  t.match(await lagan('mirror', '--to', 'mirror', '--dry-run'), { exitCode: 0, stdout: /^would have copied .* objects/ });
  t.match(await lagan('snapshots', ...mirror), { exitCode: 4 });
  const outcome = await lagan('mirror', '--to', 'mirror', '--verify', '--json');
  for (const message of outcome.json) t.same(problems('mirror', message), [], JSON.stringify(message));
  t.match(outcome.json.at(-1), { type: 'summary', outcome: 'complete', presentObjects: 0, problems: 0 });
  t.match(await lagan('mirror', '--to', 'mirror', '--no-key'), { exitCode: 0, stdout: /^copied 0 objects/ });
  writeFileSync(file, 'changed');
  await lagan('backup', 'data');
  t.match(await lagan('mirror', '--to', 'mirror', '--no-key'), { exitCode: 0 });
  t.match(await lagan('check', '--read-data', ...mirror), { exitCode: 0 });
  rmSync(join(folder, '.local'), { recursive: true });
  t.match(await lagan('restore', 'latest', '--target', 'back', ...mirror), { exitCode: 0 });
  t.equal(readFileSync(join(folder, 'back', file), 'utf8'), 'changed');
});

t.test('mirror: keys that were removed are told of, and go with --delete', async (t) => {
  const { lagan } = await withBackup(t);
  const added = await lagan('key', 'add', '--new-key-file', 'leaked.key', '--label', 'leaked', '--json');
  t.equal(added.exitCode, 0, added.stderr);
  await lagan('mirror', '--to', 'mirror');
  const { json } = await lagan('key', 'list', '--json');
  const [leaked] = (json[0]!.keys as { id: string; label: string }[]).filter(({ label }) => label === 'leaked');
  t.match(await lagan('key', 'remove', leaked!.id), { exitCode: 0 });
  t.match(await lagan('mirror', '--to', 'mirror'), {
    stderr: /1 key that the repository does not have any more still opens the mirror; --delete/,
  });
  t.match(await lagan('snapshots', '-r', 'mirror', '--key-file', 'leaked.key'), { exitCode: 0 });
  t.match(await lagan('mirror', '--to', 'mirror', '--delete'), { exitCode: 0, stdout: /\ndeleted 1 object/ });
  t.match(await lagan('snapshots', '-r', 'mirror', '--key-file', 'leaked.key'), { exitCode: 5 });
});

t.test('mirror: refused are other repositories, itself, and mirrors that somebody wrote to', async (t) => {
  const { lagan, file } = await withBackup(t);
  await lagan('init', '-r', 'other', '--key-file', 'other.key');
  t.match(await lagan('mirror', '--to', 'other'), { exitCode: 1, stderr: /holds another repository/ });
  t.match(await lagan('mirror', '--to', '.local/share/lagan/repository'), { exitCode: 2 });
  t.match(await lagan('mirror', '--to', 'mirror', '--no-key', '--delete'), { exitCode: 2, stderr: /with a key/ });
  t.match(await lagan('mirror'), { exitCode: 2, stderr: /--to/ });
  await lagan('mirror', '--to', 'mirror');
  writeFileSync(file, 'into the mirror');
  await lagan('backup', 'data', ...mirror);
  t.match(await lagan('mirror', '--to', 'mirror'), { exitCode: 6, stderr: /somebody has backed up into the mirror/ });
});

t.test('mirror, copy: to a server', { skip: findVersitygw() === undefined ? noServer : false }, async (t) => {
  const { folder, file } = await withBackup(t);
  const server = await startVersitygw(findVersitygw()!, scratchFolder(t));
  t.teardown(() => server.stop());
  server.makeBucket('bucket');
  const env = { HOME: folder, ...server.environment };
  const onServer = (...argv: string[]) => execute(argv, { env, cwd: folder });
  const place = (name: string) => `s3://bucket/${name}?endpoint=${server.endpoint}`;
  const key = ['--key-file', join(folder, '.config/lagan/repository.key')];
  t.match(await onServer('mirror', '--to', place('mirror'), '--verify'), { exitCode: 0, stdout: /^copied / });
  await onServer('init', '-r', place('second'), '--key-file', join(folder, 'second.key'));
  t.match(await onServer('copy', '--to', place('second'), '--to-key-file', join(folder, 'second.key')), { exitCode: 0 });
  t.match(await onServer('cat', 'latest', file, '-r', place('second'), '--key-file', join(folder, 'second.key')), {
    stdout: readFileSync(file, 'utf8'),
  });
  t.match(await onServer('check', '-r', place('mirror'), ...key), { exitCode: 0 });
});
