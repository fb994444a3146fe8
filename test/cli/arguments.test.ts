import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { commandList } from '../../bin/program.ts';
import { parseSnapshotReference, pathInSnapshot } from '../../bin/shared/snapshots.ts';
import { errorTable } from '../../repo-format/mod.ts';
import { type Outcome, run, scratchFolder } from './cli.ts';
import { type Calls, fakeEngine, secondId } from './fake-engine.ts';

const key = ['-r', '/r', '--key-file', '/k'];

async function refusal(argv: string[], options: Parameters<typeof run>[1] = {}): Promise<Outcome['error'] & { exitCode: number }> {
  const outcome = await run(['--json', ...argv], { engine: fakeEngine(), ...options });
  return { ...outcome.error, exitCode: outcome.exitCode };
}

const mistakes: [argv: string[], hint?: RegExp][] = [
  [['bakcup', '/x'], /backup/],
  [['nonsense-entirely'], /--help/],
  [['backup', '/x', '--exlude', 'y'], /--exclude/],
  [['snapshots', '--repositroy', 'y'], /--repository/],
  [['key', 'lst'], /list/],
  [['backup']],
  [['backup', '/x', '--exclude-larger-than', 'huge'], /64K/],
  [['backup', '/x', '--time', '2026-02-30'], /2026-11-21/],
  [['backup', '/x', '--compression', 'zstd:23'], /zstd:22/],
  [['backup', '/x', '--compression', 'gzip']],
  [['backup', '/x', '--workers', '0']],
  [['backup', '/x', '--parent', 'yesterday'], /latest/],
  [['backup', '/x', '--stdin']],
  [['backup', '--stdin', '--stdin-command', '--', 'x']],
  [['backup', '--stdin-command'], /--stdin-command --/],
  [['backup', '--stdin', '--stdin-name', 'a/../b']],
  [['backup', '/x', '--stdin-name', 'a']],
  [['backup', '--stdin', '--files-from', '-']],
  [['snapshots', '--latest', '-1']],
  [['snapshots', '--latest', 'two']],
  [['snapshots', '--group-by', 'hots'], /host/],
  [['snapshots', 'extra']],
  [['ls', 'latest~']],
  [['ls', 'latest:/x', '/y']],
  [['ls', 'abc']],
  [['find']],
  [['find', 'x', '--type', 'door'], /symlink/],
  [['find', 'x', '--newer-than', 'soon']],
  [['diff', 'latest']],
  [['cat', 'latest']],
  [['restore']],
  [['restore', 'latest', '--target', '/t', '--in-place']],
  [['restore', 'latest', '--overwrite', 'sometimes']],
  [['restore', 'latest:/x', '/y']],
  [['restore', 'latest', '--delete']],
  [['restore', 'latest', '--delete', '--in-place'], /path|folder/],
  [['tag', 'latest'], /--add/],
  [['tag', 'latest', '--set', 'a', '--clear']],
  [['check', '--read-data', '--read-data-subset', '10%']],
  [['check', '--read-data-subset', '0%']],
  [['check', '--read-data-subset', '101%']],
  [['check', '--read-data-subset', '8/7']],
  [['check', '--read-data-subset', '0/7']],
  [['cache', 'limit', 'lots']],
  [['completion', 'tcsh']],
  [['snapshots', '-r', '/a', '--key-file', '/k', '--password-file', '/p']],
  [['snapshots', '--key-file']],
];

for (const [argv, hint] of mistakes) {
  t.test(`lagan ${argv.join(' ')} is an error of usage, exit code 2`, async (t) => {
    t.match(await refusal(argv[0] === 'backup' || argv.includes('-r') ? argv : [...argv, ...key]), {
      code: 'usage',
      exitCode: 2,
      ...(hint && { hint }),
    });
  });
}

t.test('errors are an error and a hint line on standard error, with exit code 2 and nothing on standard output', async (t) => {
  const outcome = await run(['bakcup']);
  t.equal(outcome.stderr, "error: unknown command 'bakcup'\nhint: did you mean backup?\n");
  t.equal(outcome.stdout, '');
  t.equal(outcome.exitCode, 2);
});

t.test('lagan without a command shows the help on standard error, exit code 2', async (t) => {
  const outcome = await run([]);
  t.equal(outcome.exitCode, 2);
  t.match(outcome.stderr, /^Usage: lagan/);
});

t.test('the help lists every command and every exit code of the table', async (t) => {
  const { stdout, exitCode } = await run(['--help']);
  t.equal(exitCode, 0);
  for (const { name, isHidden } of commandList) t.equal(new RegExp(`^  ${name} `, 'm').test(stdout), isHidden !== true, name);
  for (const { exitCode: code, meaning } of Object.values(errorTable)) {
    t.match(stdout, new RegExp(`^ +${code}  `, 'm'));
    t.ok(stdout.includes(meaning), meaning);
  }
});

t.test('the help of every command has examples that begin with lagan or pipe into it', async (t) => {
  const lists = commandList.filter(({ isHidden }) => !isHidden).map(({ name }) => [name]);
  const below = [
    ['key', 'list'],
    ['key', 'add'],
    ['key', 'remove'],
    ['key', 'change'],
    ['key', 'recovery'],
    ['cache', 'list'],
    ['cache', 'clear'],
    ['cache', 'limit'],
    ['repository', 'probe'],
    ['repository', 'collector'],
    ['import', 'kopia'],
    ['import', 'tar'],
  ];
  const groups = below.map(([name]) => name);
  for (const names of [...lists.filter(([name]) => !groups.includes(name)), ...below]) {
    const { stdout, exitCode } = await run([...names, '--help']);
    t.equal(exitCode, 0);
    t.match(stdout, /\nExamples:\n(.*lagan .*\n)+/, names.join(' '));
  }
});

t.test('shared options may stand before and after the command', async (t) => {
  for (const argv of [
    [...key, '--json', 'snapshots'],
    ['snapshots', ...key, '--json'],
    ['-r/r', '--json', 'snapshots', '--key-file=/k'],
  ]) {
    const outcome = await run(argv, { engine: fakeEngine() });
    t.equal(outcome.exitCode, 0);
    t.equal(outcome.json[0]?.type, 'snapshots');
  }
});

/** What the engine was asked to back up. */
async function backupOf(argv: string[], options: Parameters<typeof run>[1] = {}): Promise<Record<string, unknown>> {
  const calls: Calls = [];
  const outcome = await run(['backup', ...key, ...argv], { engine: fakeEngine({ calls }), ...options });
  return calls.find(({ name }) => name === 'backup')?.options ?? { outcome };
}

const textOf = (bytes: unknown) => (bytes as Uint8Array[]).map((path) => Buffer.from(path).toString('latin1'));

t.test('backup: paths are absolute bytes, from arguments and lists', async (t) => {
  const folder = scratchFolder(t);
  writeFileSync(join(folder, 'list'), Buffer.concat([Buffer.from('a b\n\n/c/\n'), Buffer.of(0xff), Buffer.from('\n')]));
  t.same(textOf((await backupOf(['x', '/y/../z'], { cwd: '/home' })).paths), ['/home/x', '/y/../z']);
  t.same(textOf((await backupOf(['--files-from', 'list'], { cwd: folder })).paths), [`${folder}/a b`, '/c/', `${folder}/\xff`]);
  t.same(textOf((await backupOf(['/x', '--files-from0', '-'], { stdin: '/a\nb\0/c\0' })).paths), ['/x', '/a\nb', '/c']);
  t.same((await refusal(['backup', ...key, '--files-from', '/none/such'])).code, 'io');
});

t.test('backup: exclude rules keep their order; the configuration comes first', async (t) => {
  const folder = scratchFolder(t);
  writeFileSync(join(folder, 'patterns'), '# comment\n*.tmp  \n\n\\#real\nname\\ \n!keep.tmp\r\n');
  mkdirSync(join(folder, '.config/lagan'), { recursive: true });
  writeFileSync(
    join(folder, '.config/lagan/config.yaml'),
    'backup:\n  exclude: /first\n  exclude-caches: true\n  exclude-larger-than: 1M\n  one-file-system: true\n  tag: daily\n',
  );
  const argv = [
    '/x',
    '--exclude',
    'second',
    '--exclude-file',
    'patterns',
    '--exclude',
    '!third',
    '--exclude-if-present',
    '.nobackup',
    '--tag',
    'now',
  ];
  const options = await backupOf(argv, { cwd: folder, env: { HOME: folder } });
  t.same(options.excludes, {
    patterns: ['/first', 'second', '*.tmp', '\\#real', 'name\\ ', '!keep.tmp', '!third'],
    excludeIfPresent: ['.nobackup'],
    excludeCaches: true,
    excludeLargerThanBytes: 1_048_576,
  });
  t.match(options, { oneFileSystem: true, tags: ['daily', 'now'] });
});

t.test('backup: labels and switches reach the engine', async (t) => {
  const argv = [
    '/x',
    '--description',
    'text',
    '--host',
    'h',
    '--parent',
    'latest',
    '--time',
    '@5',
    '--compression',
    'zstd',
    '--force',
    '--ignore-ctime',
    '--ignore-inode',
    '-n',
    '--workers',
    '3',
  ];
  t.match(await backupOf(argv), {
    description: 'text',
    host: 'h',
    parent: secondId,
    time: new Date(5000),
    compression: 'zstd:1',
    force: true,
    ignoreCtime: true,
    ignoreInode: true,
    dryRun: true,
    workers: 3,
    skipIfUnchanged: false,
  });
});

t.test('parseSnapshotReference takes ids, latest, latest~N, each with a path', async (t) => {
  t.same(parseSnapshotReference('latest'), { snapshot: 'latest', path: undefined });
  t.same(parseSnapshotReference('latest~12:/a:b'), { snapshot: 'latest~12', path: '/a:b' });
  t.same(parseSnapshotReference('3F2A91C0:'), { snapshot: '3f2a91c0', path: undefined });
  for (const text of ['', ':', 'abc', 'latest~', 'latest~-1', 'newest', 'xyz12345', '3f2a91c03f2a91c03f2a91c03f2a91c03']) {
    t.throws(() => parseSnapshotReference(text), { code: 'usage' }, text);
  }
});

t.test('pathInSnapshot is absolute and never leaves the top', async (t) => {
  const paths: [string, string][] = [
    ['/', '/'],
    ['', '/'],
    ['a', '/a'],
    ['/a//b/./c/', '/a/b/c'],
    ['/../../etc', '/etc'],
    ['/a/../b', '/b'],
  ];
  for (const [text, path] of paths) t.equal(Buffer.from(pathInSnapshot(text)).toString(), path);
  t.same([...pathInSnapshot('/\udcff')], [0x2f, 0xff]);
});
