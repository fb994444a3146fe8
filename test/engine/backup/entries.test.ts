import t from 'tap';
import { EntrySorter, keyOf } from '../../../engine/backup/_entry-sorter.ts';
import { backupEntriesWithin, type EntriesBackupOptions, type GivenEntry } from '../../../engine/backup/backup-entries.ts';
import { backupEntries } from '../../../engine/backup/mod.ts';
import { check } from '../../../engine/check/mod.ts';
import { contextOf } from '../../../engine/repository/_context.ts';
import { createSealed } from '../../../engine/repository/_sealed-objects.ts';
import { listCheckpoints, listSnapshots, type Repository, readRoot } from '../../../engine/repository/mod.ts';
import { encodeRoot, objectNames } from '../../../repo-format/mod.ts';
import { FaultyStorage } from '../../engine/storage/faulty-storage.ts';
import { contentsOf, entriesOf, makePlace } from './_fixture.ts';

const never = { seconds: 0, nanoseconds: 0 };
const common = { mode: 0o644, uid: 1, gid: 2, userName: 'a', groupName: 'b', mtime: never, ctime: never, inode: 0, extensions: {} };

function file(path: string, content: string | Uint8Array): GivenEntry {
  const bytes = Buffer.from(content);
  const pieces = async function* () {
    for (let offset = 0; offset < bytes.length; offset += 100_000) yield bytes.subarray(offset, offset + 100_000);
  };
  return { path: Buffer.from(path), what: { fields: { ...common, type: 'file', size: bytes.length }, content: pieces() } };
}

function folder(path: string, mode = 0o700): GivenEntry {
  return { path: Buffer.from(path), what: { fields: { ...common, mode, type: 'directory' } } };
}

function link(path: string, to: string): GivenEntry {
  return { path: Buffer.from(path), what: { linkTo: Buffer.from(to) } };
}

function given(entries: () => readonly GivenEntry[], more: Partial<EntriesBackupOptions> = {}): EntriesBackupOptions {
  const stream = async function* () {
    yield* entries();
  };
  return { paths: [Buffer.from('/')], host: 'h', entries: stream, isRepeatable: true, ...more };
}

t.test('EntrySorter: any order in, the order of the tree out, whatever fits into memory; the last of a key counts', async (t) => {
  const paths = [
    'a',
    'a/b',
    'a-',
    'a-/x',
    'a/b/c',
    'b',
    'B',
    'a.',
    ...Array.from({ length: 300 }, (_, index) => `many/${(index * 7919) % 300}`),
  ];
  const expected = [...new Set(paths)].map((path) => keyOf(path.split('/').map((name) => Buffer.from(name)))).sort(Buffer.compare);
  for (const memoryBytes of [1, 500, 2 ** 20]) {
    const sorter = new EntrySorter<{ path: string; number: number }>(memoryBytes);
    for (const round of [0, 1])
      for (const [index, path] of paths.entries()) {
        const number = round * paths.length + index;
        sorter.add(keyOf(path.split('/').map((name) => Buffer.from(name))), number, { path, number });
      }
    for (let again = 0; again < 2; again++) {
      const rows = [...sorter.sorted()];
      t.same(
        rows.map(({ key }) => Buffer.from(key)),
        expected,
      );
      t.ok(rows.every(({ value }) => value.number >= paths.length));
    }
    sorter.close();
  }
});

t.test('backupEntries: entries in any order, folders made up, the last of a path, further names', async (t) => {
  const { repository } = await makePlace(t);
  const entries = [
    link('top/also', './top/first'),
    link('top/again', 'top/also'),
    link('lost', 'nowhere'),
    file('z/deep/er', 'z'),
    file('top/first', 'old'),
    file('/top/first/', 'new'),
    file('leaf', 'leaf'),
    file('leaf/below', 'x'),
    file('../out', 'x'),
    folder('top', 0o711),
    file(`top/${'n'.repeat(256)}`, 'x'),
  ];
  const { errors, statistics } = await backupEntries(
    repository,
    given(() => entries),
  );
  t.same(errors.map(({ code }) => code).sort(), ['EINVAL', 'EINVAL', 'ENOENT', 'ENOTDIR']);
  t.match(statistics, { files: 5, directories: 3 });
  const found = await entriesOf(repository, '/');
  t.same([...found.keys()].sort(), ['leaf', 'top', 'top/again', 'top/also', 'top/first', 'z', 'z/deep', 'z/deep/er']);
  t.match(found.get('top'), { mode: 0o711 });
  t.match(found.get('z'), { mode: 0o755, uid: 0, mtime: never });
  const contents = await contentsOf(repository, '/');
  for (const name of ['top/first', 'top/also']) t.equal(contents.get(name)?.toString(), 'new');
  t.equal(found.get('top/first')?.inode, found.get('top/also')?.inode);
  t.same((await check(repository, { readData: true })).errors, []);
});

t.test('backupEntries: with checkpoints at every file, all is there, and nothing of them is left', async (t) => {
  const { repository } = await makePlace(t);
  const entries = () => Array.from({ length: 20 }, (_, index) => file(`f${index}`, Buffer.alloc(300_000, `${index}`)));
  let checkpoints = 0;
  const onProgress = () => checkpoints++;
  await backupEntriesWithin(repository, given(entries, { onProgress }), { checkpointNewBytes: 1 });
  t.equal((await contentsOf(repository, '/')).size, 20);
  t.same(await listCheckpoints(repository), []);
  t.same((await check(repository, { readData: true })).errors, []);
});

t.test('backupEntries: if the collector passes it, it begins anew where that is possible', async (t) => {
  const { repository } = await makePlace(t);
  const entries = () => [file('a', 'a')];
  await backupEntries(passedOnce(repository), given(entries));
  t.equal((await listSnapshots(repository)).filter(({ standing }) => standing === 'valid').length, 1);
  await t.rejects(backupEntries(passedOnce(repository), given(entries, { isRepeatable: false })), { code: 'superseded' });
});

t.test('backupEntries: what the entries throw ends it, as does an interruption, and a content of another length', async (t) => {
  const { repository } = await makePlace(t);
  const failing = async function* () {
    yield file('a', 'a');
    throw new Error('the archive is gone');
  };
  await t.rejects(backupEntries(repository, { ...given(() => []), entries: failing }), { message: 'the archive is gone' });
  await t.rejects(
    backupEntries(
      repository,
      given(() => [file('a', 'a')], { signal: AbortSignal.abort() }),
    ),
    { code: 'interrupted' },
  );
  const longer = { ...common, type: 'file', size: 2 } as const;
  await t.rejects(
    backupEntries(
      repository,
      given(() => [{ path: Buffer.from('a'), what: { fields: longer } }]),
    ),
    { code: 'io' },
  );
  await t.rejects(
    backupEntries(
      repository,
      given(() => []),
    ),
    { code: 'source-empty' },
  );
  t.same(await listSnapshots(repository), []);
});

/** A collection goes by between the first commit and the last look at the root. */
function passedOnce(repository: Repository): Repository {
  let passed = 0;
  const storage = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'create' || !name.startsWith('writer/snapshots/') || passed++ > 0) return;
      const root = await readRoot(repository);
      const generation = root.generation + 1;
      const change = {
        number: root.number + 1,
        generation,
        floor: generation,
        phase: 'fencing' as const,
        pastFloor: root.floor,
        previous: root.nonce,
      };
      const next = { ...root, ...change };
      await createSealed(contextOf(repository), objectNames.root(next.number), { kind: 'root', payload: encodeRoot(next) });
    },
  });
  return { ...repository, storage };
}
