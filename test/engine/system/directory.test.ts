import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { NameBuffer } from '../../../engine/system/_name-sort.ts';
import { closeDescriptor, openRoot, readNames, scanDirectory } from '../../../engine/system/mod.ts';
import { namesOf, openTestFolder, text } from './_helpers.ts';

const seed = 20_261_121;

t.test('scanDirectory: an empty folder has no entries', async (t) => {
  const { folder } = openTestFolder(t);
  const scan = scanDirectory(folder);
  t.equal(scan.count, 0);
  t.equal(scan.next(), false);
  t.equal(scan.next(), false);
});

t.test('scanDirectory: names ascend bytewise, each with its status, names that are not UTF-8 too', async (t) => {
  const { path, folder } = openTestFolder(t);
  const names = [
    'b',
    'a',
    'ab',
    'a b',
    'A',
    '...',
    '-rf',
    'new\nline',
    '\xff\xfe',
    '\xc3\xa9',
    'e\xcc\x81',
    'x'.repeat(255),
    ' ',
    '\\',
    '"',
  ];
  for (const name of names) writeFileSync(Buffer.from(`${path}/${name}`, 'latin1'), Buffer.from(name, 'latin1'));
  mkdirSync(`${path}/folder`);
  symlinkSync('nowhere', `${path}/link`);
  const found: [string, string, number][] = [];
  for (const scan = scanDirectory(folder); scan.next(); ) {
    t.equal(scan.errno, 0);
    found.push([text(scan.copyName()), scan.status.type, scan.status.type === 'file' ? scan.status.size : 0]);
  }
  const expected = [...names.map((name) => [name, 'file', name.length]), ['folder', 'directory', 0], ['link', 'symlink', 0]];
  t.strictSame(
    found,
    expected.sort((left, right) => Buffer.compare(Buffer.from(left[0] as string, 'latin1'), Buffer.from(right[0] as string, 'latin1'))),
  );
});

t.test('scanDirectory: can be read twice by the same descriptor, and several scans can be open at once', async (t) => {
  const { path, folder } = openTestFolder(t);
  for (const name of ['1', '2', '3']) writeFileSync(`${path}/${name}`, '');
  const first = scanDirectory(folder);
  first.next();
  t.strictSame(namesOf(scanDirectory(folder)), ['1', '2', '3']);
  t.strictSame(namesOf(first), ['2', '3']);
});

t.test('scanDirectory: an entry that vanished after it was listed has errno ENOENT and its type', async (t) => {
  const { path, folder } = openTestFolder(t);
  for (const name of ['1', '2', '3']) writeFileSync(`${path}/${name}`, '');
  const scan = scanDirectory(folder);
  unlinkSync(`${path}/2`);
  const seen: [number, string][] = [];
  while (scan.next()) seen.push([scan.errno, scan.status.type]);
  t.strictSame(seen, [
    [0, 'file'],
    [2, 'file'],
    [0, 'file'],
  ]);
});

t.test('scanDirectory: a folder that is removed meanwhile is empty, a file is ENOTDIR', async (t) => {
  const { path } = openTestFolder(t);
  mkdirSync(`${path}/gone`);
  const gone = openRoot(`${path}/gone`);
  rmSync(`${path}/gone`, { recursive: true });
  t.throws(() => namesOf(scanDirectory(gone)), { code: 'io', errno: 'ENOENT' });
  closeDescriptor(gone);
});

t.test('readNames: names with their types, without asking for the status', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, 'x');
  mkdirSync(`${path}/folder`);
  const found: [string, string][] = [];
  for (const scan = readNames(folder); scan.next(); ) found.push([text(scan.name), scan.status.type]);
  t.strictSame(found, [
    ['file', 'file'],
    ['folder', 'directory'],
  ]);
});

for (const count of [99, 100, 101, 1000]) {
  t.test(`scanDirectory: ${count} names with at most 100 in memory are those of readdir, and nothing is left behind`, async (t) => {
    const { path, folder } = openTestFolder(t);
    mkdirSync(`${path}/many`);
    mkdirSync(`${path}/spill`);
    for (let index = 0; index < count; index++) writeFileSync(`${path}/many/${(index * 7919) % count}-${'x'.repeat(index % 200)}`, '');
    const many = openRoot(`${path}/many`);
    const options = { maxNames: 100, spillFolder: `${path}/spill` };
    const scan = scanDirectory(many, options);
    t.equal(scan.count, count);
    t.strictSame(namesOf(scan), readdirSync(`${path}/many`).sort());
    t.strictSame(namesOf(readNames(many, { maxNameBytes: 999, spillFolder: `${path}/spill` })), readdirSync(`${path}/many`).sort());
    t.strictSame(readdirSync(`${path}/spill`), []);
    closeDescriptor(many);
    t.ok(folder >= 0);
  });
}

t.test('scanDirectory: names that a rename shows twice come once', async (t) => {
  const { path, folder } = openTestFolder(t);
  for (let index = 0; index < 5000; index++) writeFileSync(`${path}/${index}`, '');
  // The kernel may show a renamed file under both names or under none, but never one name twice after sorting.
  for (let index = 0; index < 5000; index += 10) renameSync(`${path}/${index}`, `${path}/renamed-${index}`);
  for (const maxNames of [131_072, 700]) {
    const names = namesOf(readNames(folder, { maxNames }));
    t.equal(new Set(names).size, names.length);
    t.equal(names.length, 5000);
  }
});

t.test('scanDirectory: a spill folder that does not exist is an error with its path', async (t) => {
  const { path, folder } = openTestFolder(t);
  for (const name of ['1', '2', '3']) writeFileSync(`${path}/${name}`, '');
  t.throws(() => scanDirectory(folder, { maxNames: 2, spillFolder: `${path}/nowhere` }), { code: 'io', errno: 'ENOENT' });
});

t.test('NameBuffer.order: agrees with Buffer.compare for random names with long common prefixes and duplicates', async (t) => {
  const random = generator(seed);
  for (const prefix of ['', 'abc', 'common-prefix-of-many-bytes-']) {
    for (const alphabet of [2, 26, 255]) {
      for (const count of [0, 1, 2, 12, 13, 14, 300, 5000]) {
        const names = new NameBuffer({ names: 1, bytes: 1 });
        const expected: Buffer[] = [];
        for (let index = 0; index < count; index++) {
          const tail = Array.from({ length: random() % 12 }, () => 1 + (random() % alphabet));
          const name = Buffer.concat([Buffer.from(prefix), Buffer.from(tail), Buffer.from('!')]);
          names.add(name, 0, name.length, 8);
          expected.push(name);
        }
        const found = [...names.order()].map((position) => Buffer.from(names.bytes.slice(names.startOf(position), names.ends[position]!)));
        expected.sort(Buffer.compare);
        t.ok(
          found.every((name, index) => name.equals(expected[index]!)) && found.length === count,
          `seed ${seed}, prefix '${prefix}', alphabet ${alphabet}, ${count} names`,
        );
      }
    }
  }
});

/** xorshift32. */
function generator(start: number): () => number {
  let state = start;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
