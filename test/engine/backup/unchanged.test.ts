/** What is taken for unchanged, and what an unchanged backup reads and stores: nothing. */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { BackupOptions } from '../../../engine/backup/mod.ts';
import { PackReader } from '../../../engine/packs/mod.ts';
import { listSnapshots } from '../../../engine/repository/mod.ts';
import { TreeReader } from '../../../engine/trees/mod.ts';
import { randomBytesOf } from '../random.ts';
import { advanceRoot, storePackList } from '../repository/sample.ts';
import {
  backUp,
  contentsOf,
  entriesOf,
  fileOf,
  makePlace,
  newest,
  objectsOf,
  type Place,
  packsOf,
  smallSegments,
  write,
} from './_fixture.ts';

/** A few files, one of them large, in a few folders. */
function fill(source: string): void {
  for (let index = 0; index < 40; index++)
    write(source, `folder-${index % 4}/sub/file-${index}`, randomBytesOf(`${index}`, 100 + index * 50));
  write(source, 'large', randomBytesOf('large', 1_500_000));
  write(source, 'empty', '');
  fs.mkdirSync(path.join(source, 'empty-folder'));
  fs.symlinkSync('large', path.join(source, 'link'));
}

async function filled(t: Test): Promise<Place> {
  const place = await makePlace(t);
  fill(place.source);
  await backUp(place);
  return place;
}

const sourceNode = async (place: Place) => {
  const parent = path.dirname(place.source);
  const entry = (await entriesOf(place.repository, parent)).get('source');
  return entry?.type === 'directory' ? entry.node : undefined;
};

t.test('backup: the second of the same has the same nodes, reads no file and stores no data', async (t) => {
  const place = await filled(t);
  const [node, packs] = [await sourceNode(place), packsOf(place).length];
  const ways = [{}, { heldEntries: 2 }, { heldEntries: 3, heldEntriesOfAll: 4 }, { waitingTokens: 2 }];
  for (const [index, limits] of ways.entries()) {
    const parent = (await newest(place.repository)).id;
    const result = await backUp(place, {}, limits);
    t.match(result, { parent, unchangedFromParent: true, errors: [] }, JSON.stringify(limits));
    t.match(result.statistics, { files: 42, unchangedFiles: 42, others: 1, newBytes: 0, newChunks: 0, chunks: 0 });
    t.strictSame(await sourceNode(place), node);
    // Each snapshot has a list of its packs, and nodes of the folders above the source, which change by themselves.
    t.ok(packsOf(place).length - packs <= index + 1, 'at most a pack of nodes');
  }
});

t.test('backup: what the snapshot relies on is listed, packs of nodes that were used again included', async (t) => {
  const place = await makePlace(t);
  // Folders with several nodes each, which lie in different packs.
  for (let index = 0; index < 700; index++) write(place.source, `folder/${String(index).padStart(4, '0')}`, 'same');
  await backUp(place);
  write(place.source, 'folder/0350-and-a-half', 'another');
  await backUp(place);
  const listed = async () => {
    const { packs } = (await newest(place.repository)).snapshot;
    const reader = readerOf(place);
    const ids = new Set<string>();
    for await (const leaf of reader.packList(packs!)) for (const id of leaf) ids.add(id);
    return ids;
  };
  const before = await listed();
  t.ok(before.size >= 3, `${before.size} packs`);
  await backUp(place);
  const after = await listed();
  const reader = readerOf(place);
  const needed = new Set<string>();
  const node = await sourceNode(place);
  for await (const leaf of reader.entries(node!, ({ pack }) => needed.add(pack))) {
    for (const entry of leaf) {
      if (entry.type !== 'directory') continue;
      for await (const below of reader.entries(entry.node, ({ pack }) => needed.add(pack)))
        for (const file of below) if (file.type === 'file') for (const pack of await reader.contentPacks(file.content)) needed.add(pack);
    }
  }
  t.same(
    [...needed].filter((pack) => !after.has(pack)),
    [],
    'nothing that is needed is missing from the list',
  );
});

t.test('backup: each change is seen, and nothing else is read', async (t) => {
  const place = await filled(t);
  const file = path.join(place.source, 'folder-1/sub/file-1');
  const steps: Record<string, () => void> = {
    content: () => fs.writeFileSync(file, randomBytesOf('new content', 500)),
    'same size, same mtime': () => {
      const { atime, mtime } = fs.statSync(file);
      fs.writeFileSync(file, randomBytesOf('newer content', 500));
      fs.utimesSync(file, atime, mtime);
    },
    mtime: () => fs.utimesSync(file, 1_000_000_000, 1_000_000_000),
    mode: () => fs.chmodSync(file, 0o640),
    inode: () => {
      fs.copyFileSync(file, `${file}.new`);
      fs.renameSync(`${file}.new`, file);
    },
    name: () => fs.renameSync(path.join(place.source, 'folder-1/sub/file-5'), path.join(place.source, 'folder-1/sub/file-5-renamed')),
    addition: () => write(place.source, 'folder-1/sub/added', 'added'),
    removal: () => fs.unlinkSync(path.join(place.source, 'folder-1/sub/file-9')),
  };
  for (const [what, change] of Object.entries(steps)) {
    change();
    const { unchangedFromParent, statistics } = await backUp(place);
    t.equal(unchangedFromParent, false, what);
    t.equal(statistics.files - statistics.unchangedFiles, what === 'removal' ? 0 : 1, `${what}: read what changed only`);
    const contents = await contentsOf(place.repository, place.source);
    t.ok(contents.get('folder-1/sub/file-1')!.equals(fs.readFileSync(file)), what);
    t.equal(contents.size, statistics.files);
    t.equal((await fileOf(place, 'folder-1/sub/file-1')).mode, fs.statSync(file).mode & 0o7777);
  }
});

t.test('backup: ignoreCtime, ignoreInode and force', async (t) => {
  const place = await filled(t);
  const file = path.join(place.source, 'large');
  const count = async (options: Partial<BackupOptions>) => {
    const { statistics } = await backUp(place, { parent: first, dryRun: true, ...options });
    return statistics.files - statistics.unchangedFiles;
  };
  const chunksOf = async (options: Partial<BackupOptions>) =>
    (await backUp(place, { parent: first, dryRun: true, ...options })).statistics.chunks;
  const first = (await newest(place.repository)).id;
  t.ok((await chunksOf({ force: true })) > 60, 'everything is read');
  fs.chmodSync(file, 0o600);
  t.ok((await chunksOf({})) > 20, 'ctime: read again');
  t.equal(await chunksOf({ ignoreCtime: true }), 0, 'ctime is ignored');
  t.equal(await count({ ignoreCtime: true }), 1, 'but the entry is new');
  const { atime, mtime } = fs.statSync(file, { bigint: false });
  fs.copyFileSync(file, `${file}.new`);
  fs.utimesSync(`${file}.new`, atime, mtime);
  fs.renameSync(`${file}.new`, file);
  // utimes has no nanoseconds: let the original have the same.
  await backUp(place);
  const second = (await newest(place.repository)).id;
  fs.copyFileSync(file, `${file}.new`);
  fs.utimesSync(`${file}.new`, atime, mtime);
  fs.renameSync(`${file}.new`, file);
  t.ok((await chunksOf({ parent: second, ignoreCtime: true })) > 20, 'inode: read again');
  t.equal(await chunksOf({ parent: second, ignoreCtime: true, ignoreInode: true }), 0, 'inode is ignored');
  await backUp(place, { parent: second, ignoreCtime: true, ignoreInode: true });
  const entry = await fileOf(place, 'large');
  t.match(entry, { inode: fs.statSync(file).ino, mode: fs.statSync(file).mode & 0o7777 }, 'what is known of it is of today');
  t.ok((await contentsOf(place.repository, place.source)).get('large')!.equals(fs.readFileSync(file)));
});

t.test('backup: content in packs that are condemned is not relied on, nodes included', async (t) => {
  const place = await filled(t);
  const reader = readerOf(place);
  const old = new Set<string>();
  for await (const leaf of reader.packList((await newest(place.repository)).snapshot.packs!)) for (const id of leaf) old.add(id);
  const condemned = await storePackList(place.repository, [...old] as never);
  await advanceRoot(place.repository, { condemned, phase: 'condemned' });
  const { statistics } = await backUp(place);
  t.equal(statistics.unchangedFiles, 1, 'the empty one');
  t.equal(statistics.newBytes, statistics.bytes, 'all is stored again');
  const again = readerOf(place);
  const used = new Set<string>();
  for await (const leaf of again.packList((await newest(place.repository)).snapshot.packs!)) for (const id of leaf) used.add(id);
  t.same(
    [...used].filter((id) => old.has(id)),
    [],
  );
  t.equal((await contentsOf(place.repository, place.source)).size, 42);
});

t.test('backup: packs that are missing are no reason to fail: what they had is stored again', async (t) => {
  const place = await filled(t);
  for (const pack of packsOf(place)) fs.unlinkSync(path.join(place.repositoryFolder, 'writer', pack));
  const warnings: string[] = [];
  const { statistics } = await backUp(place, { onWarning: ({ code }) => warnings.push(code) }, smallSegments);
  t.same([...new Set(warnings)], ['pack-missing'], 'it is said');
  t.equal(statistics.errors, 0, 'but is no fault of the source');
  t.equal(statistics.newBytes, statistics.bytes);
  const contents = await contentsOf(place.repository, place.source);
  t.equal(contents.size, 42);
  t.ok(contents.get('large')!.equals(fs.readFileSync(path.join(place.source, 'large'))));
  t.match((await backUp(place)).statistics, { unchangedFiles: 42, newBytes: 0 }, 'and once only');
});

t.test('backup: skipIfUnchanged makes no snapshot and stores nothing; dryRun neither', async (t) => {
  const place = await filled(t);
  const before = objectsOf(place);
  t.match(await backUp(place, { skipIfUnchanged: true }), { snapshotId: null, unchangedFromParent: true });
  t.same(objectsOf(place), before);
  write(place.source, 'new', randomBytesOf('new', 300_000));
  const dry = await backUp(place, { dryRun: true });
  t.match(dry, { snapshotId: null, unchangedFromParent: false, statistics: { newBytes: 300_000, unchangedFiles: 42, storedBytes: 0 } });
  t.same(objectsOf(place), before);
  const result = await backUp(place, { skipIfUnchanged: true });
  t.type(result.snapshotId, 'string');
  t.equal(result.statistics.newBytes, 300_000, 'as the dry run said');
});

t.test('backup: hard links are stored once, whatever is remembered of them', async (t) => {
  for (const limits of [{}, { linkedFiles: 1 }]) {
    const place = await makePlace(t);
    for (const name of ['a', 'b', 'c']) {
      write(place.source, `${name}/original`, randomBytesOf(name, 300_000));
      for (const other of ['x', 'y']) {
        fs.mkdirSync(path.join(place.source, other), { recursive: true });
        fs.linkSync(path.join(place.source, name, 'original'), path.join(place.source, other, name));
      }
    }
    const { statistics } = await backUp(place, {}, limits);
    t.equal(statistics.newBytes, 900_000, JSON.stringify(limits));
    const entries = await entriesOf(place.repository, place.source);
    const contents = await contentsOf(place.repository, place.source);
    for (const name of ['a', 'b', 'c']) {
      for (const place of [`${name}/original`, `x/${name}`, `y/${name}`]) {
        t.ok(contents.get(place)!.equals(randomBytesOf(name, 300_000)), place);
        t.match(entries.get(place)!.extensions, { link: { count: 3 } });
      }
    }
    t.match((await backUp(place)).statistics, { unchangedFiles: 9, chunks: 0 });
  }
});

t.test('backup: two at once into one repository both succeed', async (t) => {
  const place = await makePlace(t);
  fill(place.source);
  const other = path.join(place.folder, 'other');
  fs.cpSync(place.source, other, { recursive: true });
  write(other, 'own', randomBytesOf('own', 400_000));
  const results = await Promise.all([backUp(place), backUp(place, { paths: [other] }), backUp(place, { host: 'elsewhere' })]);
  t.same(
    results.map(({ errors }) => errors),
    [[], [], []],
  );
  for (const [folder, result] of [
    [place.source, results[0]],
    [other, results[1]],
    [place.source, results[2]],
  ] as const) {
    const snapshot = (await listSnapshots(place.repository)).find(({ id }) => id === result!.snapshotId)!;
    const contents = await contentsOf(place.repository, folder, snapshot);
    t.equal(contents.size, folder === other ? 43 : 42);
    for (const [name, bytes] of contents) if (!bytes.equals(fs.readFileSync(path.join(folder, name)))) t.fail(name);
  }
});

function readerOf({ repository: { storage, keys } }: Place): TreeReader {
  return new TreeReader(new PackReader({ storage, keys }));
}
