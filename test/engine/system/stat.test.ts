import { linkSync, lstatSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import t from 'tap';
import {
  applyMetadata,
  closeDescriptor,
  createNode,
  FileStatus,
  mayHaveHoles,
  openFile,
  statAt,
  statDescriptor,
  statPath,
  tryStat,
} from '../../../engine/system/mod.ts';
import { bytes, needsRoot, openTestFolder } from './_helpers.ts';

t.test('statAt: every field that Node knows is the same', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, 'x'.repeat(5000), { mode: 0o640 });
  linkSync(`${path}/file`, `${path}/second`);
  utimesSync(`${path}/file`, 1_000_000_000.25, 1_500_000_000.5);
  const expected = lstatSync(`${path}/file`, { bigint: true });
  const status = statAt(folder, bytes('file'));
  t.match(status, {
    type: 'file',
    mode: Number(expected.mode) & 0o7777,
    uid: Number(expected.uid),
    gid: Number(expected.gid),
    linkCount: 2,
    size: 5000,
    blocks: Number(expected.blocks),
    inode: Number(expected.ino),
    modifiedSeconds: Number(expected.mtimeNs / 1_000_000_000n),
    modifiedNanoseconds: Number(expected.mtimeNs % 1_000_000_000n),
    changedSeconds: Number(expected.ctimeNs / 1_000_000_000n),
    changedNanoseconds: Number(expected.ctimeNs % 1_000_000_000n),
    accessedSeconds: Number(expected.atimeNs / 1_000_000_000n),
    accessedNanoseconds: Number(expected.atimeNs % 1_000_000_000n),
    bornSeconds: Number(expected.birthtimeNs / 1_000_000_000n),
    hasBirthTime: true,
  });
});

t.test('statDescriptor and statPath: agree with statAt', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, 'x');
  const descriptor = openFile(folder, bytes('file'));
  t.strictSame(statDescriptor(descriptor), statAt(folder, bytes('file')));
  t.strictSame(statPath(`${path}/file`, { symlink: 'keep' }), statAt(folder, bytes('file')));
  closeDescriptor(descriptor);
});

t.test('statAt: a symbolic link is never followed; statPath follows if asked', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, 'x');
  symlinkSync('file', `${path}/link`);
  t.equal(statAt(folder, bytes('link')).type, 'symlink');
  t.equal(statPath(`${path}/link`, { symlink: 'keep' }).type, 'symlink');
  t.equal(statPath(`${path}/link`, { symlink: 'follow' }).type, 'file');
});

t.test('statAt: times before 1970 and after 2106 are exact', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, 'x');
  const descriptor = openFile(folder, bytes('file'));
  for (const [seconds, nanoseconds] of [
    [-1, 999_999_999],
    [-2_147_483_647, 1],
    [0, 0],
    [4_294_967_296, 123_456_789],
    [8_000_000_000, 5],
  ] as const) {
    applyMetadata(descriptor, { type: 'file', modified: { seconds, nanoseconds } });
    t.match(statAt(folder, bytes('file')), { modifiedSeconds: seconds, modifiedNanoseconds: nanoseconds });
  }
  closeDescriptor(descriptor);
});

t.test('statAt: types and device numbers', needsRoot, async (t) => {
  const { folder } = openTestFolder(t);
  createNode(folder, bytes('character'), { type: 'character-device', major: 4095, minor: 1_048_575 });
  createNode(folder, bytes('block'), { type: 'block-device', major: 7, minor: 300 });
  t.match(statAt(folder, bytes('character')), { type: 'character-device', deviceMajor: 4095, deviceMinor: 1_048_575 });
  t.match(statAt(folder, bytes('block')), { type: 'block-device', deviceMajor: 7, deviceMinor: 300 });
});

t.test('tryStat: what is no name of an entry is refused before the kernel sees it', async (t) => {
  const { folder } = openTestFolder(t);
  const status = new FileStatus();
  for (const name of ['', '.', '..', 'a/b', '/', 'a\0b', '\0']) t.equal(tryStat(folder, bytes(name), status), -22, JSON.stringify(name));
  t.equal(tryStat(folder, bytes('missing'), status), -2);
  t.equal(tryStat(folder, new Uint8Array(256).fill(97), status), -36);
  t.throws(() => statAt(folder, bytes('missing')), { code: 'io', errno: 'ENOENT', object: 'missing' });
});

t.test('mayHaveHoles: true for a sparse file, false for a small full one', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/full`, 'x'.repeat(8192));
  writeFileSync(`${path}/sparse`, '');
  truncateSync(`${path}/sparse`, 1 << 20);
  t.equal(mayHaveHoles(statAt(folder, bytes('full'))), false);
  t.equal(mayHaveHoles(statAt(folder, bytes('sparse'))), true);
});
