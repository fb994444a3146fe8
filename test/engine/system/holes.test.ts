import { closeSync, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import t from 'tap';
import {
  createFile,
  type FileExtent,
  nextExtent,
  openRoot,
  punchHole,
  reserve,
  tryNextData,
  tryNextHole,
} from '../../../engine/system/mod.ts';
import { bytes, openTestFolder } from './_helpers.ts';

const mebibyte = 1_048_576;

t.test('nextExtent: leading, middle and trailing holes', async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('sparse'));
  ftruncateSync(file, 10 * mebibyte);
  writeSync(file, Buffer.alloc(65_536, 1), 0, 65_536, 2 * mebibyte);
  writeSync(file, Buffer.alloc(65_536, 1), 0, 65_536, 5 * mebibyte);
  const expected = [
    `hole 0 ${2 * mebibyte}`,
    `data ${2 * mebibyte} ${2 * mebibyte + 65_536}`,
    `hole ${2 * mebibyte + 65_536} ${5 * mebibyte}`,
    `data ${5 * mebibyte} ${5 * mebibyte + 65_536}`,
    `hole ${5 * mebibyte + 65_536} ${10 * mebibyte}`,
  ];
  t.strictSame(extentsOf(file, 10 * mebibyte), expected);
  t.strictSame(
    extentsOf(file, 2 * mebibyte + 5),
    [`hole 0 ${2 * mebibyte}`, `data ${2 * mebibyte} ${2 * mebibyte + 5}`],
    'never behind the size',
  );
  closeSync(file);
});

t.test('nextExtent: an empty file, a full one, nothing but a hole of 1 TiB', async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'));
  t.strictSame(extentsOf(file, 0), []);
  writeSync(file, Buffer.alloc(10_000, 1));
  t.strictSame(extentsOf(file, 10_000), ['data 0 10000']);
  ftruncateSync(file, 0);
  ftruncateSync(file, 2 ** 40);
  t.strictSame(extentsOf(file, 2 ** 40), [`hole 0 ${2 ** 40}`]);
  t.equal(tryNextData(file, 0), -6);
  t.equal(tryNextHole(file, 5), 5);
  closeSync(file);
});

t.test('nextExtent: a file that became shorter has a hole to the size that it had', async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'));
  writeSync(file, Buffer.alloc(1000, 1));
  t.strictSame(extentsOf(file, 5000).at(-1), 'hole 1000 5000');
  closeSync(file);
});

t.test('punchHole: frees blocks and reads as zeros', async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'));
  writeSync(file, Buffer.alloc(mebibyte, 1));
  const before = fstatSync(file).blocks;
  if (punchHole(file, { offset: 65_536, length: 65_536 }) === 'unsupported') {
    t.pass('this file system makes no holes', { skip: true });
    return;
  }
  t.equal(punchHole(file, { offset: 5, length: 0 }), 'punched');
  t.ok(fstatSync(file).blocks < before);
  t.equal(fstatSync(file).size, mebibyte);
  const content = Buffer.alloc(3);
  readSync(file, content, 0, 3, 65_535);
  t.strictSame([...content], [1, 0, 0]);
  closeSync(file);
});

t.test('reserve: takes room without changing the size; more than there is fails with no-space', async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'));
  reserve(file, 0);
  reserve(file, mebibyte);
  t.equal(fstatSync(file).size, 0);
  t.throws(() => reserve(file, 2 ** 43), { code: 'no-space', errno: 'ENOSPC' });
  closeSync(file);
});

t.test('nextExtent: a file system that knows nothing of holes has one stretch of data', async (t) => {
  const folder = openRoot('/proc/self');
  const file = openRoot('/proc/self/fd');
  const extents = extentsOf(file, 10);
  t.equal(extents.length, 1);
  closeSync(file);
  closeSync(folder);
});

function extentsOf(file: number, size: number): string[] {
  const extent: FileExtent = { kind: 'data', start: 0, end: 0 };
  const found: string[] = [];
  for (let offset = 0; nextExtent(file, { offset, size }, extent); offset = extent.end)
    found.push(`${extent.kind} ${extent.start} ${extent.end}`);
  return found;
}
