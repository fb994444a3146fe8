/** What a later version may add, by the section Evolution of spec/README.md: every command on repositories that have it. */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { buildProgram, commandList } from '../../bin/program.ts';
import { keyFileText } from '../../engine/keys/mod.ts';
import { backupEntries, listSnapshots, lookup, openRepository, openStorage, rewriteSnapshot } from '../../engine/mod.ts';
import type { ObjectKind } from '../../repo-format/mod.ts';
import { Capture, type Outcome, run, scratchFolder } from '../cli/cli.ts';
import { type Change, changeFormatFile, changeRecords, objectNamesOf } from './_change.ts';

const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(1) } as const;
const scratch = scratchFolder(t);
const [original, keyFile, source, archive] = ['repository', 'key', 'source', 'archive.tar'].map((name) => join(scratch, name)) as [
  string,
  string,
  string,
  string,
];

/** Commands of every kind, in an order in which all of them can be done. A new command has to be put here, too. */
const commands: readonly (readonly [kind: 'reads' | 'writes' | 'opens nothing', ...argv: string[]])[] = [
  ['reads', 'snapshots'],
  ['reads', 'ls', 'latest', '/', '-R'],
  ['reads', 'find', 'a'],
  ['reads', 'diff', 'latest~1', 'latest'],
  ['reads', 'cat', 'latest', `${source}/a`],
  ['reads', 'dump', 'latest', '-o', '{new}/dump.tar'],
  ['reads', 'export', 'latest', '-o', '{new}/export.tar'],
  ['reads', 'restore', 'latest', '--target', '{new}/restored', '--workers', '1'],
  ['reads', 'check', '--read-data', '--workers', '1'],
  ['reads', 'repair', '--dry-run'],
  ['reads', 'stats'],
  ['reads', 'key', 'list'],
  ['reads', 'pin'],
  ['reads', 'undelete'],
  ['reads', 'repository', 'collector'],
  ['writes', 'backup', source, '--no-maintain', '--workers', '1'],
  ['writes', 'import', 'tar', archive],
  ['writes', 'tag', 'latest', '--add', 'new'],
  ['writes', 'pin', 'latest'],
  ['writes', 'forget', 'latest~2'],
  ['writes', 'undelete', '{forgotten}'],
  ['writes', 'rewrite', 'latest~2', '--exclude', 'b', '--keep-original'],
  ['writes', 'key', 'add', '--new-key-file', '{new}/other.key', '--label', 'other'],
  ['writes', 'key', 'remove', 'other'],
  ['writes', 'repair'],
  ['writes', 'maintain'],
  [
    'writes',
    'k8s',
    'sidecar',
    'backup',
    '--once',
    '--volume',
    `data=${source}`,
    '--workload',
    'Deployment/shop',
    '--namespace',
    'shop',
    '--no-maintain',
  ],
  ['opens nothing', 'version'],
  ['opens nothing', 'completion', 'bash'],
  ['opens nothing', 'cache', 'list'],
];
/** These make a repository, need a second one, or go on until they are ended. */
const elsewhere = ['init', 'complete', 'copy', 'mirror', 'serve', 'recover'];

t.before(async () => {
  mkdirSync(source);
  for (const name of ['a', 'b']) writeFileSync(join(source, name), name.repeat(1000));
  writeFileSync(keyFile, keyFileText(secret), { mode: 0o600 });
  const lagan = (...argv: string[]) => succeed(t, original, argv);
  await lagan('init');
  await lagan('backup', source, '--tag', 'first');
  await lagan('backup', source, '--host', 'other');
  await lagan('backup', source, '--host', 'dropped');
  await lagan('forget', 'latest');
  await lagan('maintain', '--max-unused', '0');
  await lagan('export', 'latest', '-o', archive);
  writeFileSync(join(source, 'b'), 'changed');
  await lagan('backup', source);
  await lagan('backup', source, '--host', 'gone');
  await lagan('pin', 'latest~1', '--reason', 'audit');
  await lagan('tag', 'latest~1', '--add', 'kept');
  await lagan('forget', 'latest');
});

t.test('every command is tried on repositories of the future', async (t) => {
  const program = await buildProgram('all', { stdout: new Capture(), stderr: new Capture() });
  t.ok(program.commands.length > 0);
  const tried = new Set(commands.map(([, name]) => name));
  t.same(
    commandList.map(({ name }) => name).filter((name) => !tried.has(name) && !elsewhere.includes(name)),
    [],
    'put the command into the list above',
  );
});

const none = { ignore: [], readOnly: [], refuse: [] };
const ofTheFuture = ['of the future'];

/** FEAT-1, CBOR-4 and NAME-1, all at once. */
t.test('features to ignore, unknown keys in all records, objects of unknown kinds: every command does its work', async (t) => {
  const features = { ...none, ignore: ofTheFuture };
  const kinds = ['configuration', 'root', 'snapshot', 'hold', 'deletion-mark', 'annotation', 'catalogue'] as const;
  const met = new Set<string>();
  const copy = await changed(t, kinds, (record, name) => {
    met.add(name.split('/').slice(0, 2).join('/'));
    return { ...record, ...(name.startsWith('owner/config') && { features }), ofTheFuture: { deep: [1, 'two', null, true] } };
  });
  changeFormatFile(copy, (record) => ({ ...record, features, ofTheFuture: 1 }));
  t.same([...met].sort(), [
    'collector/catalogue',
    'collector/roots',
    'owner/annotations',
    'owner/config',
    'owner/deletions',
    'owner/holds',
    'writer/snapshots',
  ]);
  const names = [
    'owner/policies/0123456789abcdef0123456789abcdef',
    'writer/leases/0000000000000001/x',
    'collector/future',
    'writer/snapshots/0000000000000001/not-an-id',
    'writer/packs/00/short',
    'collector/roots/zz',
    'future/x',
  ];
  for (const name of names) {
    mkdirSync(join(copy, name, '..'), { recursive: true });
    writeFileSync(join(copy, name), 'of the future');
  }
  await expectAll(t, copy, { reads: 0, writes: 0 });
  for (const name of names) t.ok(existsSync(join(copy, name)), `${name} is left alone, by the collector too`);
});

/** FEAT-2: also what a command that reads would write by the way. */
t.test('a feature that forbids writing: what reads does its work, what writes is refused, and nothing is written', async (t) => {
  const features = { ...none, readOnly: ofTheFuture };
  const copy = await changed(t, ['configuration'], (record) => ({ ...record, features }));
  await expectAll(t, copy, { reads: 0, writes: 9 });
  changeFormatFile(copy, (record) => ({ ...record, features }));
  await expectAll(t, copy, { reads: 'not tried', writes: 9 });
});

/** FEAT-3 */
t.test('a feature that forbids reading: everything is refused', async (t) => {
  const features = { ...none, refuse: ofTheFuture };
  const copy = await changed(t, ['configuration'], (record) => ({ ...record, features }));
  await expectAll(t, copy, { reads: 9, writes: 9 });
  changeFormatFile(copy, (record) => ({ ...record, features }));
  await expectAll(t, copy, { reads: 9, writes: 9 });
});

t.test('features that only the clear format file names are a sign of somebody who changed it', async (t) => {
  const copy = await changed(t, [], () => undefined);
  changeFormatFile(copy, (record) => ({ ...record, features: { ignore: ['of the future'], readOnly: [], refuse: [] } }));
  await expectAll(t, copy, { reads: 6, writes: 6 });
});

t.test('a format of a higher number is refused, whatever else the file has', async (t) => {
  const copy = await changed(t, [], () => undefined);
  changeFormatFile(copy, () => ({ lagan: 2 }));
  await expectAll(t, copy, { reads: 9, writes: 9 });
});

for (const kind of ['configuration', 'root', 'snapshot'] as const) {
  t.test(`a ${kind} of a higher version is refused as too new`, async (t) => {
    const copy = await changed(t, [kind], (record) => ({ ...record, version: 2 }));
    const outcome = await lagan(copy, ['--json', 'ls', 'latest']);
    t.equal(outcome.exitCode, kind === 'snapshot' ? outcome.exitCode : 9, outcome.stderr);
    t.match(outcome.stderr, /newer|version/);
  });
}

t.test('a hold or mark of a higher version: nothing is dropped that nobody can judge', async (t) => {
  for (const kind of ['hold', 'deletion-mark'] as const) {
    const copy = await changed(t, [kind], (record) => ({ ...record, version: 2 }));
    const before = objectNamesOf(copy).filter((name) => /^(writer|collector)\/(packs|snapshots)\//.test(name));
    await lagan(copy, ['maintain', '--max-unused', '0']);
    const after = objectNamesOf(copy);
    t.same(
      before.filter((name) => !after.includes(name)),
      [],
      kind,
    );
  }
});

t.test('entries have extensions of the future: they are read, restored, and kept by what copies entries', async (t) => {
  const copy = await changed(t, [], () => undefined);
  const storage = openStorage(copy);
  const repository = await openRepository(storage, { secret, mode: 'write' });
  const never = { seconds: 0, nanoseconds: 0 };
  const unknown = [{ type: 99, value: Uint8Array.of(1, 2, 3) }];
  const fields = { mode: 0o644, uid: 0, gid: 0, userName: '', groupName: '', mtime: never, ctime: never, inode: 0 };
  const entries = async function* () {
    for (const path of ['/f', '/left out'])
      yield { path: Buffer.from(path), what: { fields: { ...fields, type: 'file', size: 0, extensions: { unknown } } } } as const;
  };
  await backupEntries(repository, { paths: [Buffer.from('/')], host: 'future', entries, isRepeatable: true });
  const ofHost = async () => (await listSnapshots(repository, { filter: { host: 'future' } })).at(-1)!;
  const extensionsOf = async () => (await lookup(repository, await ofHost(), Buffer.from('/f'))).entry.extensions;
  t.same((await extensionsOf()).unknown, unknown);
  await rewriteSnapshot(repository, await ofHost(), { patterns: ['left out'] });
  t.same((await extensionsOf()).unknown, unknown, 'after rewrite');
  const exported = join(scratchFolder(t), 'future.tar');
  await succeed(t, copy, ['export', 'latest', '--host', 'future', '-o', exported]);
  await succeed(t, copy, ['import', 'tar', exported]);
  t.same((await extensionsOf()).unknown, unknown, 'after export and import');
  await storage.close();
  await succeed(t, copy, ['check', '--read-data']);
});

/** A copy of the repository with changed records. */
async function changed(t: Test, kinds: readonly ObjectKind[], change: Change): Promise<string> {
  const copy = join(scratchFolder(t), 'repository');
  cpSync(original, copy, { recursive: true });
  await changeRecords(copy, kinds, change);
  return copy;
}

/** Runs every command; those that open nothing always succeed. */
async function expectAll(t: Test, place: string, expected: { reads: number | 'not tried'; writes: number }): Promise<void> {
  const fresh = scratchFolder(t);
  const before = expected.writes === 0 ? undefined : objectNamesOf(place).sort();
  for (const [kind, ...argv] of commands) {
    if (kind !== 'opens nothing' && expected[kind] === 'not tried') continue;
    const forgotten = argv.includes('{forgotten}') && expected.writes === 0 ? await forgottenIn(place) : 'ffff';
    const words = argv.map((word) => word.replace('{new}', fresh).replace('{forgotten}', forgotten));
    const { exitCode, stderr } = await lagan(place, words);
    t.equal(exitCode, kind === 'opens nothing' ? 0 : expected[kind], `${words.join(' ')} ${stderr}`);
  }
  if (before !== undefined) t.same(objectNamesOf(place).sort(), before, 'nothing was written');
  for (const name of readdirSync(fresh)) rmSync(join(fresh, name), { recursive: true });
}

async function forgottenIn(place: string): Promise<string> {
  const { json } = await lagan(place, ['undelete', '--json']);
  return (json[0] as { snapshots: { id: string }[] }).snapshots.at(-1)!.id;
}

function lagan(place: string, argv: string[]): Promise<Outcome> {
  return run([...argv, '-r', place, '--key-file', keyFile, '--cache-dir', join(scratch, 'cache')], {
    env: { HOME: scratch },
    cwd: scratch,
  });
}

async function succeed(t: { equal: Test['equal'] }, place: string, argv: string[]): Promise<void> {
  const { exitCode, stderr } = await lagan(place, argv);
  t.equal(exitCode, 0, `${argv.join(' ')}: ${stderr}`);
}
