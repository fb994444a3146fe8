import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { decodeCbor, encodeCbor } from '../../repo-format/mod.ts';
import { execute, run } from './cli.ts';
import { Home } from './home.ts';

/** A home folder with two files and a link. */
function homeWithFiles(t: Test): Home {
  const home = new Home(t);
  home.write('a.txt', 'hello');
  home.write('sub/b.txt', 'b'.repeat(100_000));
  symlinkSync('a.txt', join(home.data, 'link'));
  return home;
}

t.test('the first backup makes a repository and its key, says how to keep it, and how to restore', async (t) => {
  const home = homeWithFiles(t);
  const first = await execute(['backup', 'data'], { env: home.env, cwd: home.folder });
  t.equal(first.exitCode, 0);
  t.match(first.stderr, /made a repository at .*\n.*key is in .*repository\.key\n[\s\S]*Keep a copy[\s\S]*lagan key recovery/);
  t.match(first.stdout, /^snapshot [0-9a-f]{8} saved: 2 files, [\s\S]*\nrestore with: lagan restore [0-9a-f]{8} --target \.\/restored\n$/);
  t.equal(statSync(home.keyFile).mode & 0o777, 0o600);
  t.equal(statSync(join(home.keyFile, '..')).mode & 0o777, 0o700);
  const second = await home.lagan('backup', 'data');
  t.equal(second.exitCode, 0);
  t.equal(second.stderr, '');
  t.match((await home.json(t, 'snapshots')).json[0], {
    snapshots: [{ paths: [{ path: home.data }], parent: null }, { parent: /^[0-9a-f]{32}$/ }],
  });
});

t.test('the first backup can be told by JSON alone', async (t) => {
  const home = homeWithFiles(t);
  const { json, stderr, exitCode } = await home.json(t, 'backup', 'data');
  t.equal(exitCode, 0);
  t.equal(stderr, '');
  const told = json.filter(({ type }) => type !== 'progress');
  t.match(told, [
    { type: 'repository-created', keyFile: home.keyFile, isNewKeyFile: true },
    { type: 'summary', outcome: 'saved', statistics: { files: 2 } },
  ]);
});

t.test('two first backups at once both succeed, into one repository', async (t) => {
  const home = homeWithFiles(t);
  const both = await Promise.all(['data', 'data/sub'].map((path) => execute(['backup', path], { env: home.env, cwd: home.folder })));
  for (const { exitCode, stderr } of both) t.equal(exitCode, 0, stderr);
  t.match((await home.json(t, 'snapshots')).json[0], { snapshots: { length: 2 } });
});

t.test('backup --dry-run makes no repository', async (t) => {
  const home = homeWithFiles(t);
  t.match(await home.json(t, 'backup', 'data', '--dry-run'), { exitCode: 4, error: { code: 'no-repository' } });
  t.notOk(existsSync(home.repository));
  t.notOk(existsSync(home.keyFile));
});

t.test('looking: ls, find, cat, diff, dump, stats', async (t) => {
  const home = homeWithFiles(t);
  await home.lagan('backup', 'data');
  home.write('a.txt', 'changed');
  home.write('new', 'n');
  await home.lagan('backup', 'data');
  t.equal((await home.lagan('ls')).stdout, ['a.txt', 'link', 'new', 'sub'].map((name) => `${home.data}/${name}\n`).join(''));
  t.equal((await home.lagan('ls', 'latest~1', `${home.data}/sub`)).stdout, `${home.data}/sub/b.txt\n`);
  t.equal((await home.json(t, 'ls', '-R')).exitCode, 0);
  t.match((await home.json(t, 'find', '*.txt')).json.at(-1), { matches: 4, snapshots: 2 });
  t.equal((await home.lagan('cat', `latest~1:${home.data}/a.txt`)).stdout, 'hello');
  t.equal((await home.lagan('cat', 'latest', `${home.data}/sub/b.txt`)).stdout, 'b'.repeat(100_000));
  const diff = await home.lagan('diff', 'latest~1', 'latest', home.data, '--no-metadata');
  t.equal(diff.stdout, `M  ${home.data}/a.txt\n+  ${home.data}/new\n`);
  t.equal((await home.json(t, 'diff', 'latest~1', 'latest')).exitCode, 0);
  t.match((await home.json(t, 'stats')).json.at(-1), { snapshots: 2 });
  const tar = await home.lagan('dump', `latest:${home.data}`);
  t.equal(tar.exitCode, 0);
  t.ok(tar.bytes.length > 100_000 && tar.bytes.length % 512 === 0);
});

t.test('what is not there has its own exit codes', async (t) => {
  const home = homeWithFiles(t);
  t.match(await home.json(t, 'snapshots'), { exitCode: 4, error: { code: 'no-repository', hint: /lagan backup FOLDER/ } });
  t.match(await home.json(t, 'snapshots', '-r', 'data', '--key-file', 'k'), { exitCode: 4, error: { code: 'no-repository' } });
  t.match(await home.json(t, 'backup', 'none'), { exitCode: 1, error: { code: 'source-empty' } });
  await home.lagan('backup', 'data');
  t.match(await home.json(t, 'ls', 'latest~1'), { exitCode: 10, error: { code: 'snapshot-not-found' } });
  t.match(await home.json(t, 'ls', 'abcd'), { exitCode: 10, error: { code: 'snapshot-not-found' } });
  t.match(await home.json(t, 'ls', 'latest', '/none'), { exitCode: 10, error: { code: 'path-not-found' } });
  t.match(await home.json(t, 'cat', 'latest', `${home.data}/none`), { exitCode: 10, error: { code: 'path-not-found' } });
  t.match(await home.json(t, 'init'), { exitCode: 1, error: { code: 'repository-exists' } });
  t.match(await home.json(t, 'init', '-r', 'data', '--key-file', 'k'), { exitCode: 1, error: { code: 'exists' } });
  t.notOk(existsSync(join(home.folder, 'k')));
});

t.test('a path that does not exist is told, and the others still go in: exit code 3', async (t) => {
  const home = homeWithFiles(t);
  await home.lagan('backup', 'data');
  const outcome = await home.json(t, 'backup', 'none', 'data');
  t.equal(outcome.exitCode, 3);
  t.match(outcome.json, [
    { type: 'warning', code: 'ENOENT', path: `${home.folder}/none` },
    { type: 'summary', outcome: 'saved', errors: [{}], statistics: { files: 2 } },
  ]);
});

t.test('files that may not be read are told, and the others still go in: exit code 3', async (t) => {
  const home = homeWithFiles(t);
  home.write('secret', 'x');
  chmodSync(join(home.data, 'secret'), 0);
  const isRoot = process.getuid?.() === 0;
  if (isRoot)
    for (const path of ['', 'data', 'data/sub', 'data/a.txt', 'data/sub/b.txt', 'data/secret'])
      chownSync(join(home.folder, path), 65_534, 65_534);
  const outcome = await execute(['backup', 'data', '--json'], { env: home.env, cwd: home.folder, ...(isRoot && { uid: 65_534 }) });
  if (isRoot && /EACCES.*main\.ts|ERR_MODULE_NOT_FOUND/.test(outcome.stderr)) return void t.comment('nobody may not read the sources');
  t.equal(outcome.exitCode, 3, outcome.stderr);
  t.match(outcome.json.at(-1), { errors: [{ path: `${home.data}/secret`, code: 'EACCES' }] });
});

t.test('names with any bytes: from the arguments of a real process to JSON', async (t) => {
  const home = homeWithFiles(t);
  const name = Buffer.concat([Buffer.from(`${home.data}/`), Buffer.of(0xff, 0x1b, 0x0a)]);
  mkdirSync(name);
  writeFileSync(Buffer.concat([name, Buffer.from('/f')]), 'inside');
  const listing = join(home.folder, 'list');
  writeFileSync(listing, Buffer.concat([name, Buffer.of(0)]));
  t.equal((await home.lagan('backup', '--files-from0', listing)).exitCode, 0);
  const [snapshots] = (await home.json(t, 'snapshots')).json;
  t.match(snapshots, { snapshots: [{ paths: [{ pathBase64: name.toString('base64') }] }] });
  t.same((await home.lagan('ls')).bytes, Buffer.concat([name, Buffer.from('/f\n')]));
  const script = `exec '${process.execPath}' '${new URL('../../bin/main.ts', import.meta.url).pathname}' cat latest "$(printf '${home.data}/\\377\\033\\n/f')"`;
  t.equal(spawnSync('sh', ['-c', script], { env: { ...home.env, PATH: '/usr/bin:/bin' }, encoding: 'utf8' }).stdout, 'inside');
});

t.test('tag changes what snapshots shows and filters', async (t) => {
  const home = homeWithFiles(t);
  await home.lagan('backup', 'data', '--tag', 'daily', '--description', 'first');
  await home.lagan('backup', 'data', '--tag', 'daily');
  t.equal((await home.json(t, 'tag', 'latest~1', '--add', 'keep', '--remove', 'daily')).exitCode, 0);
  t.match((await home.json(t, 'snapshots', '--tag', 'keep')).json[0], { snapshots: [{ tags: ['keep'], description: 'first' }] });
  t.match((await home.json(t, 'snapshots', '--tag', 'daily')).json[0], { snapshots: { length: 1 } });
  t.match(await home.json(t, 'tag', 'latest~2', '--add', 'x'), { exitCode: 10 });
});

t.test('the configuration file names repository, key and excludes', async (t) => {
  const home = homeWithFiles(t);
  mkdirSync(join(home.folder, '.config/lagan'), { recursive: true });
  const file = join(home.folder, '.config/lagan/config.yaml');
  writeFileSync(file, 'repository: ~/mine\nkey-file: my.key\nbackup:\n  exclude: sub\n  tag: auto\n');
  t.match(await home.json(t, 'backup', 'data'), { exitCode: 4, error: { code: 'no-repository', hint: /lagan init/ } });
  t.equal((await home.json(t, 'init')).exitCode, 0);
  t.ok(existsSync(join(home.folder, '.config/lagan/my.key')));
  const outcome = await home.json(t, 'backup', 'data');
  t.match(outcome.json.at(-1), { statistics: { files: 1 }, restoreCommand: /^lagan restore [0-9a-f]{8} --target \.\/restored$/ });
  t.match((await home.json(t, 'snapshots')).json[0], { snapshots: [{ tags: ['auto'] }] });
  writeFileSync(file, 'repositroy: ~/mine\n');
  t.match(await home.json(t, 'snapshots'), {
    exitCode: 2,
    error: { code: 'usage', message: /config\.yaml:1: /, hint: 'did you mean repository?' },
  });
});

t.test('the repository inside the folder that is backed up is left out, and that is said', async (t) => {
  const home = homeWithFiles(t);
  await home.lagan('backup', 'data');
  const outcome = await home.json(t, 'backup', '.');
  t.match(
    outcome.json.filter(({ type }) => type === 'warning').map(({ path }) => path),
    [home.repository],
  );
  t.equal(outcome.exitCode, 0);
  t.equal((await home.lagan('ls', 'latest', home.repository)).exitCode, 10);
});

t.test('damage is told by its code', async (t) => {
  const home = homeWithFiles(t);
  await home.lagan('backup', 'data');
  const format = join(home.repository, 'owner/format');
  const bytes = readFileSync(format);
  writeFileSync(format, bytes.subarray(0, bytes.length - 1));
  t.match(await home.json(t, 'snapshots'), { exitCode: 6, error: { code: 'malformed', object: 'owner/format' } });
  rmSync(format);
  t.match(await home.json(t, 'snapshots'), { exitCode: 6, error: { code: 'malformed' } });
});

t.test('backup --stdin and --stdin-command: the stream is a file of the snapshot, and nothing of a command that fails', async (t) => {
  const home = homeWithFiles(t);
  const stream = await run(['backup', '--stdin', '--stdin-name', 'db.sql'], { env: home.env, stdin: 'dump of a database' });
  t.equal(stream.exitCode, 0, stream.stderr);
  t.equal((await home.lagan('cat', 'latest', '/db.sql')).stdout, 'dump of a database');
  t.equal((await home.lagan('ls')).stdout, '/db.sql\n');
  const command = ['--', 'sh', '-c', 'echo from a command; exit "$0"'];
  t.match(await home.json(t, 'backup', '--stdin-command', ...command, '7'), { exitCode: 1 });
  t.equal((await home.lagan('backup', '--stdin-command', ...command, '0')).exitCode, 0);
  t.equal((await home.lagan('cat', 'latest', 'stdin')).stdout, 'from a command\n');
  t.match((await home.json(t, 'snapshots')).json[0], { snapshots: { length: 2 } });
});

t.test('a repository of a newer format is exit code 9', async (t) => {
  const home = homeWithFiles(t);
  await home.lagan('backup', 'data');
  const format = join(home.repository, 'owner/format');
  const { value } = decodeCbor(readFileSync(format));
  chmodSync(format, 0o600);
  writeFileSync(format, encodeCbor({ ...(value as Record<string, never>), lagan: 2 }));
  t.match(await home.json(t, 'snapshots'), { exitCode: 9, error: { code: 'repository-too-new' } });
});

t.test('check and reading name what a missing pack hurts, exit code 6', async (t) => {
  const home = homeWithFiles(t);
  home.write('big', randomBytes(3_000_000));
  await home.lagan('backup', 'data');
  t.match(await home.json(t, 'check', '--read-data'), { exitCode: 0 });
  const packs = globSync('writer/packs/*/*', { cwd: home.repository }).map((name) => join(home.repository, name));
  const largest = packs.toSorted((a, b) => statSync(b).size - statSync(a).size)[0]!;
  rmSync(largest);
  const damage = await home.json(t, 'check');
  t.match(damage, { exitCode: 6, error: { code: 'check-failed' } });
  const paths = damage.json.flatMap((message) => (message.paths as { path: string }[] | undefined) ?? []).map(({ path }) => path);
  t.ok(paths.includes(`${home.data}/big`), paths.join());
  t.match(await home.json(t, 'cat', 'latest', `${home.data}/big`, '-o', 'out'), { exitCode: 6, error: { code: 'pack-missing' } });
  t.notOk(existsSync(join(home.folder, 'out')));
});

t.test('a repository that may not be written: backup is exit code 8, looking works', async (t) => {
  const home = homeWithFiles(t);
  t.equal((await home.lagan('backup', 'data')).exitCode, 0);
  const isRoot = process.getuid?.() === 0;
  const asNobody = { env: home.env, cwd: home.folder, ...(isRoot && { uid: 65_534 }) };
  const folders = globSync('**/', { cwd: home.repository }).map((name) => join(home.repository, name));
  for (const folder of [home.repository, ...folders]) chmodSync(folder, 0o555);
  for (const folder of ['', '.config', '.config/lagan', '.local', '.local/share', '.local/share/lagan'])
    chmodSync(join(home.folder, folder), 0o755);
  chmodSync(home.keyFile, 0o644);
  for (const name of globSync('**', { cwd: home.repository, withFileTypes: true }))
    if (name.isFile()) chmodSync(join(name.parentPath, name.name), 0o444);
  const refused = await execute(['backup', 'data', '--json'], asNobody);
  const looked = await execute(['snapshots'], asNobody);
  for (const folder of [home.repository, ...folders]) chmodSync(folder, 0o755);
  if (isRoot && /ERR_MODULE_NOT_FOUND|EACCES.*main\.ts/.test(refused.stderr)) return void t.comment('nobody may not read the sources');
  t.match(refused, { exitCode: 8, error: { code: /^(forbidden|read-only)$/ } });
  t.equal(looked.exitCode, 0, looked.stderr);
});

t.test('no space is exit code 7, and says so', { skip: process.getuid?.() !== 0 && 'needs to mount' }, async (t) => {
  const home = homeWithFiles(t);
  const disk = join(home.folder, 'disk');
  mkdirSync(disk);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]).status !== 0) return void t.comment('may not mount');
  t.teardown(() => spawnSync('umount', [disk]));
  const repository = ['-r', join(disk, 'repository'), '--key-file', join(home.folder, 'key')];
  t.equal((await home.lagan('init', ...repository)).exitCode, 0);
  home.write('big', randomBytes(8_000_000));
  t.match(await home.json(t, 'backup', 'data', ...repository), { exitCode: 7, error: { code: 'no-space' } });
  rmSync(join(home.data, 'big'));
  t.equal((await home.lagan('backup', 'data', ...repository)).exitCode, 0);
});

t.test('restore: to a new folder, by path, from a path on, and never over what is there', async (t) => {
  const home = homeWithFiles(t);
  await home.lagan('backup', 'data');
  const [, restore] = (await home.lagan('backup', 'data')).stdout.match(/restore with: lagan (.*)\n/)!;
  t.equal((await home.lagan(...restore!.split(' '))).exitCode, 0);
  t.equal(readFileSync(join(home.folder, 'restored', home.data, 'sub/b.txt'), 'utf8'), 'b'.repeat(100_000));
  t.match(await home.json(t, ...restore!.split(' ')), { exitCode: 1, error: { code: 'exists' } });

  t.equal((await home.lagan('restore', 'latest', `${home.data}/a.txt`, '-t', 'one')).exitCode, 0);
  t.same(globSync('**', { cwd: join(home.folder, 'one', home.data) }).sort(), ['.', 'a.txt']);

  const summary = (await home.json(t, 'restore', `latest:${home.data}`, '-t', 'top', '--verify')).json.at(-1);
  t.match(summary, { type: 'summary', outcome: 'restored', statistics: { files: 2, others: 1, verified: 2 }, errors: [] });
  t.equal(readlinkSync(join(home.folder, 'top/link')), 'a.txt');
  t.equal(readFileSync(join(home.folder, 'top/a.txt'), 'utf8'), 'hello');

  t.match((await home.json(t, 'restore', `latest:${home.data}`, '-t', 'dry', '--dry-run')).json.at(-1), { outcome: 'dry-run' });
  t.notOk(existsSync(join(home.folder, 'dry')));
  t.match(await home.json(t, 'restore', 'latest', '/none', '-t', 'none'), { error: { code: 'path-not-found' }, exitCode: 10 });
});

t.test('restore --overwrite, --delete, --include and --exclude', async (t) => {
  const home = homeWithFiles(t);
  await home.lagan('backup', 'data');
  const from = ['restore', `latest:${home.data}`, '-t'];
  await home.lagan(...from, 'target');
  const target = join(home.folder, 'target');
  writeFileSync(join(target, 'a.txt'), 'other');
  writeFileSync(join(target, 'extra'), 'x');
  t.equal((await home.lagan(...from, 'target', '--overwrite', 'never')).exitCode, 0);
  t.equal(readFileSync(join(target, 'a.txt'), 'utf8'), 'other');
  t.match((await home.json(t, ...from, 'target', '--overwrite', 'if-changed', '--delete', '--dry-run')).json.at(-1), {
    statistics: { deleted: 1 },
  });
  t.ok(existsSync(join(target, 'extra')));
  t.equal((await home.lagan(...from, 'target', '--overwrite', 'if-changed', '--delete')).exitCode, 0);
  t.equal(readFileSync(join(target, 'a.txt'), 'utf8'), 'hello');
  t.notOk(existsSync(join(target, 'extra')));
  await home.lagan(...from, 'some', '--include', '*.txt', '--exclude', 'sub');
  t.ok(existsSync(join(home.folder, 'some/a.txt')));
  t.notOk(existsSync(join(home.folder, 'some/link')));
  t.notOk(existsSync(join(home.folder, 'some/sub/b.txt')));
});

t.test('restore --in-place repairs what was changed, and leaves the rest alone', async (t) => {
  const home = homeWithFiles(t);
  await home.lagan('backup', 'data');
  writeFileSync(join(home.data, 'a.txt'), 'damaged');
  home.write('new', 'n');
  const outcome = await home.json(t, 'restore', 'latest', home.data, '--in-place');
  t.equal(outcome.exitCode, 0, outcome.stderr);
  t.match(outcome.json.at(-1), { target: '/', statistics: { files: 1, skipped: 2 } });
  t.equal(readFileSync(join(home.data, 'a.txt'), 'utf8'), 'hello');
  t.ok(existsSync(join(home.data, 'new')));
  t.equal((await home.lagan('restore', 'latest', home.data, '--in-place', '--delete')).exitCode, 0);
  t.notOk(existsSync(join(home.data, 'new')));
  t.ok(existsSync(home.keyFile));
});

t.test('restore names what a missing pack hurts and brings back the rest: exit code 3', async (t) => {
  const home = homeWithFiles(t);
  home.write('big', randomBytes(3_000_000));
  await home.lagan('backup', 'data/big');
  await home.lagan('backup', 'data');
  const packs = globSync('writer/packs/*/*', { cwd: home.repository }).map((name) => join(home.repository, name));
  rmSync(packs.toSorted((a, b) => statSync(b).size - statSync(a).size)[0]!);
  const outcome = await home.json(t, 'restore', `latest:${home.data}`, '-t', 'target');
  t.equal(outcome.exitCode, 3);
  t.match(outcome.json.at(-1), { errors: [{ path: `${home.data}/big`, code: 'pack-missing' }] });
  t.equal(readFileSync(join(home.folder, 'target/a.txt'), 'utf8'), 'hello');
});
