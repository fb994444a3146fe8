import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import {
  type Difference,
  diffSnapshots,
  type FileEntry,
  findEntries,
  lookup,
  openFile,
  openRepository,
  openStorage,
  statistics,
  type WalkedEntry,
  walkSnapshot,
} from '../../../engine/mod.ts';
import { makeSample, openDamaged, packsOf, secret } from '../../corruption/sample-repository.ts';

const sample = await makeSample(t.testdir());
const repository = await openRepository(openStorage(sample.place), { secret, mode: 'read' });
const [first, second] = sample.snapshots as [(typeof sample.snapshots)[0], (typeof sample.snapshots)[0]];
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const inSource = (name: string) => bytesOf(path.join(sample.source, name));

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function contentOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await all(stream));
}

async function fileAt(name: string): Promise<FileEntry> {
  return (await lookup(repository, second, inSource(name))).entry as FileEntry;
}

t.test('walkSnapshot: everything below a folder, in order, each folder before what is in it', async (t) => {
  const walked = await all(walkSnapshot(repository, second, { path: inSource('') }));
  const onDisk = fs.readdirSync(sample.source, { recursive: true, encoding: 'utf8' }).map((name) => path.join(sample.source, name));
  t.same(walked.map(({ path: found }) => textOf(found)).sort(), onDisk.sort());
  const places = new Map(walked.map(({ path: found }, index) => [textOf(found), index]));
  for (const [name, index] of places) t.ok((places.get(path.dirname(name)) ?? -1) < index, name);
  for (const { path: found, entry } of walked) t.match(entry, expectedEntry(textOf(found)), textOf(found));
});

t.test('walkSnapshot: a folder alone, the top, and things that are no folders', async (t) => {
  const flat = await all(walkSnapshot(repository, second, { path: inSource('small'), recursive: false }));
  t.equal(flat.length, fs.readdirSync(path.join(sample.source, 'small')).length);
  const [top] = await all(walkSnapshot(repository, second, { recursive: false }));
  t.equal(textOf(top!.path), `/${sample.source.split('/')[1]}`);
  t.same(await all(walkSnapshot(repository, second, { path: inSource('large') })), []);
  t.same(await all(walkSnapshot(repository, second, { path: inSource('empty') })), []);
  t.same(
    (await all(walkSnapshot(repository, second, { path: bytesOf(`${sample.source}//small/`), recursive: false }))).length,
    flat.length,
  );
  await t.rejects(all(walkSnapshot(repository, second, { path: inSource('missing') })), { code: 'path-not-found' });
});

t.test('walkSnapshot: ends when the signal is aborted', async (t) => {
  const interruption = new AbortController();
  const walk = walkSnapshot(repository, second, { signal: interruption.signal });
  await walk.next();
  interruption.abort();
  await t.rejects(all(walk), { code: 'interrupted' });
});

t.test('lookup: entries, and how far a path leads', async (t) => {
  t.match((await lookup(repository, second, inSource('link'))).entry, { type: 'symlink', target: bytesOf('middle') });
  t.equal(textOf((await lookup(repository, second, bytesOf(`${sample.source}//large/`))).path), `${sample.source}/large`);
  const reasons: readonly (readonly [path: string, found: string])[] = [
    ['small/none', 'small'],
    ['large/none', 'large'],
    ['small/deeper/text/more/and/more', 'small/deeper/text'],
  ];
  for (const [missing, found] of reasons) {
    const expected = { code: 'path-not-found', object: path.join(sample.source, missing), found: path.join(sample.source, found) };
    await t.rejects(lookup(repository, second, inSource(missing)), expected, missing);
  }
  for (const nothing of ['', '/', '//']) await t.rejects(lookup(repository, second, bytesOf(nothing)), { code: 'path-not-found' });
  await t.rejects(lookup(repository, first, inSource('new')), { code: 'path-not-found' }, 'it is in the second only');
});

t.test('openFile: whole files, by stream', async (t) => {
  for (const name of ['large', 'middle', 'copy-of-middle', 'nothing', 'sparse', 'small/file-7', 'small/deeper/text', 'new']) {
    const file = openFile(repository, await fileAt(name));
    const expected = fs.readFileSync(path.join(sample.source, name));
    t.equal(file.size, expected.length, name);
    t.equal(file.readError, undefined);
    t.ok((await contentOf(file.stream())).equals(expected), `${name}: stream`);
  }
});

t.test('openFile: ranges, at the edges of chunks and of the file', async (t) => {
  for (const name of ['large', 'sparse', 'middle']) {
    const file = openFile(repository, await fileAt(name));
    const expected = fs.readFileSync(path.join(sample.source, name));
    const edges = [
      0,
      1,
      32_767,
      32_768,
      200_000,
      3 * 1024 * 1024 - 1,
      3 * 1024 * 1024,
      3 * 1024 * 1024 + 4_999,
      expected.length - 1,
      expected.length,
    ];
    for (const offset of edges.filter((edge) => edge <= expected.length)) {
      for (const length of [0, 1, 100, 70_000, 5_000_000]) {
        const found = await file.read(offset, length);
        t.ok(expected.subarray(offset, offset + length).equals(found), `${name}: ${length} bytes at ${offset}`);
      }
    }
    t.ok((await contentOf(file.stream({ start: 5, end: 123_456 }))).equals(expected.subarray(5, 123_456)));
    t.equal((await file.read(expected.length + 10, 10)).length, 0, 'behind the end is nothing');
    t.equal((await contentOf(file.stream({ start: 10, end: 5 }))).length, 0);
  }
});

t.test('openFile: a file that could not be read whole', async (t) => {
  const entry = await fileAt('middle');
  const broken = { ...entry, size: entry.size + 1000, extensions: { readError: { code: 'EIO', message: 'input/output error' } } };
  const file = openFile(repository, broken);
  t.match(file, { size: entry.size + 1000, readError: { code: 'EIO' } });
  t.equal((await contentOf(file.stream())).length, entry.size, 'what there is');
  t.equal((await file.read(entry.size - 10, 100)).length, 10);
  const shortened = openFile(repository, { ...entry, size: entry.size + 1000 });
  await t.rejects(
    contentOf(shortened.stream()),
    { code: 'malformed', expected: entry.size + 1000, found: entry.size },
    'without a reason it is damage',
  );
});

t.test('openFile: arguments', async (t) => {
  const { entry: link } = await lookup(repository, second, inSource('link'));
  t.throws(() => openFile(repository, link), { name: 'TypeError' });
  const file = openFile(repository, await fileAt('middle'));
  for (const [offset, length] of [
    [-1, 1],
    [0.5, 1],
    [0, -1],
    [0, Number.NaN],
    [0, 2 ** 40],
  ] as const) {
    await t.rejects(file.read(offset, length), { name: 'RangeError' }, `${offset}, ${length}`);
  }
});

t.test('openFile: a pack that is gone', async (t) => {
  const [data] = await packsOf(await openDamaged(sample), 'pack');
  const damaged = await openDamaged(sample, (objects) => objects.delete(data!.name));
  await t.rejects(contentOf(openFile(damaged, await fileAt('large')).stream()), { code: 'pack-missing', object: data!.name });
});

t.test('diffSnapshots: what the second backup brought', async (t) => {
  const differences = await all(diffSnapshots(repository, first, second, { path: inSource('') }));
  const found = differences.map(({ change, path: where }) => `${change} ${path.relative(sample.source, textOf(where))}`);
  t.same(found, [
    'metadata ',
    'added new',
    'metadata small',
    'type small/file-10',
    'added small/file-10/inside',
    'modified small/file-7',
    'removed small/file-8',
    'metadata small/file-9',
  ]);
  const byPath = new Map(differences.map((difference) => [path.relative(sample.source, textOf(difference.path)), difference]));
  t.match(byPath.get('new') as Difference, { before: undefined, after: { type: 'file', size: 50_000 } });
  t.match(byPath.get('small/file-8') as Difference, { before: { type: 'file' }, after: undefined });
  t.match(byPath.get('small/file-10') as Difference, { before: { type: 'file' }, after: { type: 'directory' } });
});

t.test('diffSnapshots: backwards, within a path, of nothing', async (t) => {
  const backwards = await all(diffSnapshots(repository, second, first, { path: inSource('small') }));
  t.same(
    backwards.map(({ change, path: where }) => `${change} ${path.basename(textOf(where))}`),
    ['metadata small', 'type file-10', 'removed inside', 'modified file-7', 'added file-8', 'metadata file-9'],
  );
  t.same(await all(diffSnapshots(repository, first, first)), []);
  t.match(await all(diffSnapshots(repository, first, second, { path: inSource('new') })), [{ change: 'added' }]);
  t.same(await all(diffSnapshots(repository, first, second, { path: inSource('large') })), []);
  await t.rejects(all(diffSnapshots(repository, first, second, { path: inSource('nowhere') })), { code: 'path-not-found' });
});

t.test('findEntries: by name, path, type, size and time', async (t) => {
  const find = async (options: Parameters<typeof findEntries>[2]) =>
    (await all(findEntries(repository, [second], options))).map(({ path: found }) => path.relative(sample.source, textOf(found)));
  t.same(await find({ patterns: ['FILE-1?'], ignoreCase: true, types: ['file'] }), [
    'small/file-11',
    'small/file-12',
    'small/file-13',
    'small/file-14',
    'small/file-15',
    'small/file-16',
    'small/file-17',
    'small/file-18',
    'small/file-19',
  ]);
  t.same(await find({ patterns: ['FILE-1?'] }), []);
  t.same(await find({ patterns: [`${sample.source}/**/te*`, 'nothing'] }), ['nothing', 'small/deeper/text']);
  t.same(await find({ types: ['symlink'] }), ['link']);
  t.same(await find({ minimumSize: 4 * 1024 * 1024 }), ['large', 'sparse']);
  t.same(await find({ patterns: ['{large,nothing,middle}'], maximumSize: 200 * 1024 }), ['middle', 'nothing']);
  t.same(await find({ newerThan: { seconds: 2 ** 40, nanoseconds: 0 } }), []);
  t.same(await find({ olderThan: { seconds: 0, nanoseconds: 0 } }), []);
  await t.rejects(find({ patterns: [''] }), { code: 'usage' });
});

t.test('findEntries: over several snapshots nothing is found less often because it was known', async (t) => {
  const found = await all(findEntries(repository, sample.snapshots, { patterns: ['file-7', 'text', 'new'] }));
  const expected: [string, string][] = [];
  for (const snapshot of sample.snapshots) {
    for (const { path: where } of await all(walkSnapshot(repository, snapshot))) {
      if (['file-7', 'text', 'new'].includes(path.basename(textOf(where)))) expected.push([snapshot.id, textOf(where)]);
    }
  }
  t.same(
    found.map(({ snapshot, path: where }) => [snapshot.id, textOf(where)]),
    expected,
  );
  t.equal(found.length, 5);
});

t.test('statistics: what is there', async (t) => {
  const counted = await statistics(repository);
  const packs = [...sample.objects].filter(([name]) => name.startsWith('writer/packs/'));
  const tables = [...sample.objects].filter(([name]) => name.startsWith('writer/index/'));
  const sum = (objects: [string, Uint8Array][]) => objects.reduce((total, [, bytes]) => total + bytes.length, 0);
  t.match(counted, {
    snapshots: 2,
    packs: packs.length,
    storedBytes: sum(packs),
    indexTables: tables.length,
    indexBytes: sum(tables),
    rawBytesEstimated: false,
  });
  t.equal(
    counted.files,
    sample.snapshots.reduce((total, { snapshot }) => total + snapshot.statistics.files, 0),
  );
  t.ok(counted.rawBytes > 4 * 1024 * 1024 && counted.rawBytes < counted.bytes, 'deduplicated');
  t.equal(counted.metadataPacks, 2);
  t.equal((await statistics(repository, { snapshots: [first] })).files, first.snapshot.statistics.files);
  const [data] = await packsOf(await openDamaged(sample), 'pack');
  await t.rejects(statistics(await openDamaged(sample, (objects) => objects.delete(data!.name))), {
    code: 'pack-missing',
    object: data!.name,
  });
});

function expectedEntry(file: string): Partial<WalkedEntry['entry']> {
  const status = fs.lstatSync(file, { bigint: true });
  const type = status.isDirectory() ? 'directory' : status.isSymbolicLink() ? 'symlink' : 'file';
  return {
    type,
    mode: Number(status.mode & 0o7777n),
    uid: Number(status.uid),
    mtime: { seconds: Number(status.mtimeNs / 1_000_000_000n), nanoseconds: Number(status.mtimeNs % 1_000_000_000n) },
    ...(type === 'file' && { size: Number(status.size) }),
  } as Partial<WalkedEntry['entry']>;
}
