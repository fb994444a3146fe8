/** What of the source goes into a snapshot, what is left out, and what is said of it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { BackupOptions, ReadError } from '../../../engine/backup/mod.ts';
import { createRepository, openRepository } from '../../../engine/repository/mod.ts';
import { LocalFolder } from '../../../engine/storage/mod.ts';
import { type FileEntry, limits } from '../../../repo-format/mod.ts';
import { randomBytesOf } from '../random.ts';
import { canRunAs, runChild } from './_backup-child.ts';
import { backUp, codes, contentsOf, entriesOf, fileOf, makePlace, newest, objectsOf, type Place, secret, write } from './_fixture.ts';

const isRoot = process.getuid!() === 0;
const nobody = 65_534;

/** The names that are in the snapshot of a backup with these options. */
async function namesWith(place: Place, options: Partial<BackupOptions>): Promise<string[]> {
  await backUp(place, options);
  return [...(await entriesOf(place.repository, place.source)).keys()];
}

t.test('backup: excludes by pattern, size, marker and cache tag', async (t) => {
  const place = await makePlace(t);
  const { source } = place;
  for (const name of [
    'a.txt',
    'a.log',
    'sub/b.log',
    'sub/keep.log',
    'sub/deep/c.txt',
    'cache/x',
    'cache/y/z',
    'marked/inner/file',
    'marked/.nobackup',
  ])
    write(source, name, name);
  write(source, 'cache/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55\n# more');
  write(source, 'fake/CACHEDIR.TAG', 'no signature');
  write(source, 'large', new Uint8Array(5_000));
  const all = [
    'a.log',
    'a.txt',
    'cache',
    'cache/CACHEDIR.TAG',
    'cache/x',
    'cache/y',
    'cache/y/z',
    'fake',
    'fake/CACHEDIR.TAG',
    'large',
    'marked',
    'marked/.nobackup',
    'marked/inner',
    'marked/inner/file',
    'sub',
    'sub/b.log',
    'sub/deep',
    'sub/deep/c.txt',
    'sub/keep.log',
  ];
  const without = (...left: string[]) => all.filter((name) => !left.includes(name));
  t.same(await namesWith(place, {}), all);
  t.same(await namesWith(place, { excludes: { patterns: ['*.log', '!keep.log'] } }), without('a.log', 'sub/b.log'));
  t.same(
    await namesWith(place, { excludes: { patterns: ['sub/'] } }),
    without('sub', 'sub/b.log', 'sub/deep', 'sub/deep/c.txt', 'sub/keep.log'),
  );
  t.same(
    await namesWith(place, { excludes: { patterns: [`${source}/sub/*`] } }),
    without('sub/b.log', 'sub/deep', 'sub/deep/c.txt', 'sub/keep.log'),
  );
  t.same(await namesWith(place, { excludes: { excludeLargerThanBytes: 4_999 } }), without('large'));
  t.same(await namesWith(place, { excludes: { excludeLargerThanBytes: 5_000 } }), all);
  t.same(
    await namesWith(place, { excludes: { excludeIfPresent: ['.nobackup', 'absent'] } }),
    without('marked/.nobackup', 'marked/inner', 'marked/inner/file'),
    'the folder itself stays',
  );
  t.same(await namesWith(place, { excludes: { excludeCaches: true } }), without('cache/CACHEDIR.TAG', 'cache/x', 'cache/y', 'cache/y/z'));
});

t.test('backup: excludes do not reach what was named, nor the folders that lead to it', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'cache/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55');
  write(place.source, 'cache/.nobackup', '');
  write(place.source, 'cache/wanted.log/file', 'x');
  const excludes = { patterns: ['*.log', 'cache'], excludeCaches: true, excludeIfPresent: ['.nobackup'] };
  t.same(await namesWith(place, { paths: [`${place.source}/cache/wanted.log`], excludes }), [
    'cache',
    'cache/wanted.log',
    'cache/wanted.log/file',
  ]);
});

t.test('backup: an exclude that is new, or gone, is seen though nothing changed', async (t) => {
  const place = await makePlace(t);
  for (const name of ['a', 'b', 'c']) write(place.source, name, name);
  const names = async (options: Partial<BackupOptions>) => {
    await backUp(place, options);
    return [...(await entriesOf(place.repository, place.source)).keys()];
  };
  t.same(await names({}), ['a', 'b', 'c']);
  t.same(await names({ excludes: { patterns: ['b'] } }), ['a', 'c']);
  t.same(await names({ excludes: { patterns: ['c'] } }), ['a', 'b']);
  t.same(await names({}), ['a', 'b', 'c']);
});

t.test('backup: the repository inside the source is left out and said; alone it is nothing to back up', async (t) => {
  const { folder, source } = await makePlace(t);
  write(source, 'a', 'a');
  const storage = new LocalFolder(path.join(source, 'sub', 'repository'));
  fs.mkdirSync(path.join(source, 'sub'));
  const repository = await createRepository(storage, { slots: [{ secret, label: 'inside' }], patienceMs: 0 });
  const place: Place = { folder, source, repository, repositoryFolder: storage.location };
  const warnings: ReadError[] = [];
  const onWarning = (warning: ReadError) => warnings.push(warning);
  t.match(await backUp(place, { onWarning }), { errors: [], statistics: { errors: 0, files: 1 } });
  t.same(codes(warnings), [['repository', 'repository']]);
  t.same([...(await entriesOf(repository, source)).keys()], ['a', 'sub']);
  fs.symlinkSync('sub/repository', path.join(source, 'link'));
  for (const paths of [[storage.location], [`${source}/link/`], [`${storage.location}/.`]]) {
    const objects = objectsOf(place);
    await t.rejects(backUp(place, { paths, onWarning }), { code: 'source-empty' });
    t.same(objectsOf(place), objects);
  }
  t.match(await backUp(place, { paths: [storage.location, `${source}/a`], onWarning }), { errors: [], statistics: { files: 1 } });
});

t.test('backup: one file system', { skip: !canMount() && 'only root may mount' }, async (t) => {
  const place = await makePlace(t);
  write(place.source, 'a', 'a');
  for (const name of ['other', 'sub/other']) {
    const folder = path.join(place.source, name);
    fs.mkdirSync(folder, { recursive: true });
    t.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'lagan-test', folder]).status, 0);
    t.teardown(() => spawnSync('umount', [folder]));
    write(folder, 'inside', 'x');
  }
  t.same(await namesWith(place, {}), ['a', 'other', 'other/inside', 'sub', 'sub/other', 'sub/other/inside']);
  t.same(await namesWith(place, { oneFileSystem: true }), ['a', 'other', 'sub', 'sub/other']);
  const paths = [place.source, `${place.source}/other`];
  t.same(
    await namesWith(place, { oneFileSystem: true, paths: [`${place.source}/other`, `${place.source}/a`] }),
    ['a', 'other', 'other/inside'],
    'each source has its own',
  );
  t.same(await namesWith(place, { oneFileSystem: true, paths }), ['a', 'other', 'sub', 'sub/other'], 'one within another is part of it');
});

t.test(
  'backup: the root folder with oneFileSystem does not enter what is mounted',
  { skip: !canMount() && 'only root may mount' },
  async (t) => {
    const place = await makePlace(t);
    const root = path.join(place.folder, 'root');
    const script = new URL('./_backup-child.ts', import.meta.url).pathname;
    // A root of its own, with the program's folders and another file system in it.
    for (const name of ['dev', 'tmp', 'repository', 'other']) fs.mkdirSync(path.join(root, name), { recursive: true });
    write(root, 'plain/inside', 'x');
    const tops = [script, process.execPath].map((file) => file.split('/')[1]!);
    const mounts = [...new Set(['lib', 'lib64', 'usr', 'proc', 'etc', ...tops])].filter((name) => fs.existsSync(`/${name}`));
    const node = process.execPath;
    const task = JSON.stringify({ repository: '/repository', source: '/', options: { oneFileSystem: true } });
    const commands = [
      'set -e',
      `mount --bind ${root} ${root}`,
      `mount --bind ${place.repositoryFolder} ${root}/repository`,
      ...mounts.map((name) => `mkdir -p ${root}/${name} && mount --rbind /${name} ${root}/${name}`),
      `mount -t tmpfs -o size=1m x ${root}/other && echo hidden > ${root}/other/hidden`,
      `exec chroot ${root} ${node} ${script} '${task}'`,
    ];
    const child = spawnSync('unshare', ['-m', '--propagation', 'private', 'sh', '-c', commands.join('\n')], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH!, HOME: '/' },
    });
    t.equal(child.status, 0, child.stderr);
    const entries = await entriesOf(place.repository, '/');
    t.ok(entries.has('plain') && entries.has('other') && entries.has('usr'));
    t.same(
      [...entries.keys()].filter((name) => name.includes('/')),
      ['plain/inside'],
      'what is mounted is stored as empty folders',
    );
  },
);

t.test('backup: a path that is not there is a fault, the others go in; none at all is an error', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'a', 'a');
  const { errors, statistics } = await backUp(place, {
    paths: [`${place.source}/absent`, `${place.source}/a`, '', `${place.source}/a/below-a-file`],
  });
  t.same(
    codes(errors).map(([, code]) => code),
    ['ENOENT', 'ENOENT', 'ENOTDIR'],
  );
  t.equal(Buffer.from(errors[0]!.path).toString(), `${place.source}/absent`);
  t.match(statistics, { files: 1, errors: 3 });
  t.match((await newest(place.repository)).snapshot, { paths: [Buffer.from(`${place.source}/a`)] });
  await t.rejects(backUp(place, { paths: [`${place.source}/absent`] }), { code: 'source-empty' });
  await t.rejects(backUp(place, { paths: [] }), { code: 'source-empty' });
});

t.test('backup: paths as people write them', async (t) => {
  const place = await makePlace(t);
  for (const name of ['real/sub', 'other']) fs.mkdirSync(path.join(place.source, name), { recursive: true });
  fs.symlinkSync('anything', path.join(place.source, 'real/sub/file'));
  fs.symlinkSync('real/sub', path.join(place.source, 'link'));
  const here = process.cwd();
  process.chdir(place.source);
  t.teardown(() => process.chdir(here));
  const sourceOf = async (given: string | Uint8Array) => {
    await backUp(place, { paths: [given], parent: 'none' });
    return path.relative(place.source, Buffer.from((await newest(place.repository)).snapshot.paths[0]!).toString());
  };
  t.equal(await sourceOf('real'), 'real');
  t.equal(await sourceOf('./real//sub/'), 'real/sub');
  t.equal(await sourceOf('.'), '');
  t.equal(await sourceOf('link'), 'link', 'a link is backed up as a link');
  t.equal((await fileOf(place, 'link')).type as string, 'symlink');
  t.equal(await sourceOf('link/'), 'real/sub', 'unless a slash follows');
  t.equal(await sourceOf('link/file'), 'real/sub/file');
  t.equal(await sourceOf('link/../sub/file'), 'real/sub/file', '.. is the parent of where the link leads');
  t.equal(await sourceOf(new Uint8Array(Buffer.from('other'))), 'other');
});

t.test('backup: names that are no UTF-8, and the longest', async (t) => {
  const place = await makePlace(t);
  const names = [Buffer.from([0xff, 0xfe, 0x41]), Buffer.alloc(255, 0x78), Buffer.from('with\nnewline'), Buffer.from(' ')];
  for (const name of names) fs.writeFileSync(Buffer.concat([Buffer.from(`${place.source}/`), name]), name);
  t.same((await backUp(place)).errors, []);
  const entries = [...(await entriesOf(place.repository, place.source)).values()];
  t.same(
    entries.map(({ name }) => Buffer.from(name).toString('hex')),
    names.map((name) => name.toString('hex')).sort(),
  );
  t.match((await backUp(place)).statistics, { unchangedFiles: 4 });
});

t.test('backup: what changes between scan and opening: the backup goes on, and says what it met', async (t) => {
  const { folder, source } = await makePlace(t);
  const at = (name: string) => path.join(source, name);
  for (const name of ['a-vanishes', 'b-shrinks', 'c-grows', 'd-fifo', 'e-link', 'f-folder', 'g-replaced', 'h-stays'])
    write(source, name, randomBytesOf(name, 2_000));
  write(source, 'i-parent/file', 'x');
  write(source, 'z-stays', 'z');
  // The batch with the files before it is still waiting when the scan meets the repository, of which it tells.
  const storage = new LocalFolder(at('repository'));
  const repository = await createRepository(storage, { slots: [{ secret, label: 'inside' }], patienceMs: 0 });
  const change = () => {
    fs.unlinkSync(at('a-vanishes'));
    fs.truncateSync(at('b-shrinks'), 1_000);
    fs.appendFileSync(at('c-grows'), 'more');
    for (const name of ['d-fifo', 'e-link', 'f-folder']) fs.unlinkSync(at(name));
    spawnSync('mkfifo', [at('d-fifo')]);
    fs.symlinkSync('h-stays', at('e-link'));
    fs.mkdirSync(at('f-folder'));
    write(source, 'new', 'replaced');
    fs.renameSync(at('new'), at('g-replaced'));
    fs.renameSync(at('i-parent'), path.join(folder, 'moved'));
    fs.symlinkSync('../moved', at('i-parent'));
  };
  const place: Place = { folder, source, repository, repositoryFolder: storage.location };
  const { errors } = await backUp(place, { onWarning: ({ code }) => code === 'repository' && change() });
  t.same(codes(errors), [
    ['a-vanishes', 'vanished'],
    ['d-fifo', 'replaced'],
    ['e-link', 'replaced'],
    ['f-folder', 'replaced'],
    ['file', 'replaced'],
  ]);
  const contents = await contentsOf(repository, source);
  t.same([...contents.keys()], ['b-shrinks', 'c-grows', 'g-replaced', 'h-stays', 'z-stays']);
  for (const [name, bytes] of contents) t.ok(bytes.equals(fs.readFileSync(at(name))), name);
  t.match(await fileOf(place, 'g-replaced'), { inode: fs.statSync(at('g-replaced')).ino, size: 8 });
  const second = await backUp(place);
  t.same(second.errors, []);
  t.equal(second.statistics.unchangedFiles, 5, 'what was stored is of the moment of opening');
});

t.test('backup: a name of a file that vanishes does not take the other names with it', async (t) => {
  const { folder, source } = await makePlace(t);
  const at = (name: string) => path.join(source, name);
  const bytes = randomBytesOf('linked', 3_000);
  write(source, 'a-first', bytes);
  for (const name of ['b-second', 'c-third']) fs.linkSync(at('a-first'), at(name));
  // The batch with these files is still waiting when the scan meets the repository, of which it tells.
  const storage = new LocalFolder(at('repository'));
  const repository = await createRepository(storage, { slots: [{ secret, label: 'inside' }], patienceMs: 0 });
  const place: Place = { folder, source, repository, repositoryFolder: storage.location };
  const { errors } = await backUp(place, { onWarning: ({ code }) => code === 'repository' && fs.unlinkSync(at('a-first')) });
  t.same(codes(errors), [['a-first', 'vanished']]);
  const contents = await contentsOf(repository, source);
  t.same([...contents.keys()], ['b-second', 'c-third']);
  for (const found of contents.values()) t.ok(found.equals(bytes));
});

t.test(
  'backup: what an ordinary user may not read is said, and marked; with the right it goes in',
  { skip: !canRunAs(65_534) && 'there is no other user to be' },
  async (t) => {
    const place = await makePlace(t);
    fs.chmodSync(place.folder, 0o755);
    spawnSync('chown', ['-R', `${nobody}:${nobody}`, place.repositoryFolder]);
    write(place.source, 'closed-folder/inside', 'x');
    write(place.source, 'closed-file', randomBytesOf('closed', 1_000));
    write(place.source, 'listed-only/inside', 'x');
    write(place.source, 'open', 'open');
    fs.chmodSync(path.join(place.source, 'closed-folder'), 0o700);
    fs.chmodSync(path.join(place.source, 'closed-file'), 0o600);
    fs.chmodSync(path.join(place.source, 'listed-only'), 0o744);
    const child = runChild({ repository: place.repositoryFolder, source: place.source }, { uid: nobody });
    t.equal(child.status, 0, child.stderr);
    t.same(child.answer!.errors.map((error) => `${path.relative(place.source, error.path)} ${error.code}`).sort(), [
      'closed-file EACCES',
      'closed-folder EACCES',
      'listed-only/inside EACCES',
    ]);
    const entries = await entriesOf(place.repository, place.source);
    t.same([...entries.keys()], ['closed-file', 'closed-folder', 'listed-only', 'open']);
    for (const name of ['closed-file', 'closed-folder']) t.match(entries.get(name)!.extensions.readError, { code: 'EACCES' }, name);
    t.match(entries.get('closed-file'), { size: 1_000, content: { form: 'none' } });
    const { snapshot } = await newest(place.repository);
    t.equal(snapshot.errors.length, 3);
    const { errors } = await backUp(place);
    t.same(errors, []);
    const whole = await contentsOf(place.repository, place.source);
    t.same([...whole.keys()], ['closed-file', 'closed-folder/inside', 'listed-only/inside', 'open']);
    t.equal((await entriesOf(place.repository, place.source)).get('closed-folder')!.extensions.readError, undefined);
  },
);

t.test('backup: the snapshot says what it was told', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'a', randomBytesOf('a', 1_000));
  const time = new Date('2031-02-03T04:05:06.789Z');
  const { snapshotId, statistics, durationMs } = await backUp(place, {
    tags: ['daily', 'x y'],
    description: 'of a test',
    host: 'another',
    time,
  });
  const { id, snapshot } = await newest(place.repository);
  t.equal(id, snapshotId);
  t.match(snapshot, {
    tags: ['daily', 'x y'],
    description: 'of a test',
    host: 'another',
    started: { seconds: Math.floor(time.getTime() / 1000), nanoseconds: 789_000_000 },
    partial: false,
    parent: null,
    errors: [],
    statistics: { files: 1, bytes: 1_000, newBytes: 1_000, errors: 0 },
  });
  t.ok(snapshot.user.length > 0);
  t.equal(statistics.storedBytes, snapshot.statistics.storedBytes);
  t.ok(durationMs > 0);
  t.match(await backUp(place, { host: 'another' }), { parent: snapshotId }, 'the parent is that of the same host and paths');
  t.match(await backUp(place, { host: 'a third' }), { parent: null, statistics: { newBytes: 0 } });
  t.match(await backUp(place, { host: 'a third', parent: snapshotId! }), { parent: snapshotId });
});

t.test('backup: labels that no snapshot can have are refused before anything is done', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'a', 'a');
  const tooLong = 'x'.repeat(limits.textSizeBytes + 1);
  const tooMany = Array.from({ length: limits.tagsPerSnapshot + 1 }, (_, index) => `${index}`);
  const before = objectsOf(place);
  for (const options of [{ tags: [tooLong] }, { description: tooLong }, { host: tooLong }, { tags: tooMany }])
    await t.rejects(backUp(place, options), { code: 'usage' });
  t.same(objectsOf(place), before);
  await backUp(place, { tags: tooMany.slice(1), description: tooLong.slice(1) });
  t.equal((await newest(place.repository)).tags.length, limits.tagsPerSnapshot);
});

t.test('backup: attributes that no entry has room for are told of, the others stored', async (t) => {
  const place = await makePlace(t);
  const file = write(place.source, 'a', 'a');
  const value = Buffer.alloc(60_000, 0x61).toString();
  const script = 'import os,sys\nfor i in range(20): os.setxattr(sys.argv[1], "user.n%02d" % i, sys.argv[2].encode())';
  const set = spawnSync('python3', ['-c', script, file, value], { encoding: 'utf8' });
  if (set.status !== 0) {
    t.comment(`no such attributes here: ${set.stderr.split('\n').at(-2)}`);
    return;
  }
  const { errors } = await backUp(place);
  t.same(codes(errors), [
    ['a', 'E2BIG'],
    ['a', 'E2BIG'],
    ['a', 'E2BIG'],
  ]);
  t.equal((await fileOf(place, 'a')).extensions.xattrs?.length, 17);
});

t.test('backup: opened anew by another process, everything is there', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'a', randomBytesOf('a', 100_000));
  await backUp(place);
  const repository = await openRepository(new LocalFolder(place.repositoryFolder), { secret, mode: 'read' });
  const entry = (await entriesOf(repository, place.source)).get('a') as FileEntry;
  t.equal(entry.size, 100_000);
});

function canMount(): boolean {
  return isRoot && spawnSync('unshare', ['-m', 'true']).status === 0;
}
