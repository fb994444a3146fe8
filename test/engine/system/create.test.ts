import {
  chmodSync,
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import t from 'tap';
import {
  closeDescriptor,
  createFile,
  createLink,
  createLinkFromHandle,
  createNode,
  createSymlink,
  makeDirectory,
  openDirectory,
  openHandle,
  readLink,
  removeDirectory,
  removeFile,
  removeTree,
  rename,
  syncFileSystem,
  tryCreateFile,
  tryCreateLink,
  tryCreateNode,
  tryCreateSymlink,
  tryMakeDirectory,
  tryRemoveDirectory,
  tryRemoveFile,
  tryRename,
} from '../../../engine/system/mod.ts';
import { asOrdinaryUser, bytes, needsRoot, openTestFolder } from './_helpers.ts';

const badNames = ['', '.', '..', 'a/b', '../x', '/x', 'a\0b'];

t.test('everything that makes or removes an entry refuses a name that is no component', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, '');
  const good = { parent: folder, name: bytes('file') };
  for (const text of badNames) {
    const name = bytes(text);
    const bad = { parent: folder, name };
    t.strictSame(
      [
        tryCreateFile(folder, name),
        tryMakeDirectory(folder, name),
        tryCreateSymlink(folder, name, bytes('x')),
        tryCreateNode(folder, name, { type: 'fifo' }),
        tryCreateLink(good, bad),
        tryCreateLink(bad, good),
        tryRename(good, bad, 'replace'),
        tryRename(bad, good, 'replace'),
        tryRemoveFile(folder, name),
        tryRemoveDirectory(folder, name),
      ],
      Array(10).fill(-22),
      JSON.stringify(text),
    );
    t.strictSame(
      removeTree(folder, name).failures.map(({ errno }) => errno),
      [22],
    );
  }
  t.strictSame(readdirSync(path), ['file']);
});

t.test('createFile: readable and writable, with its mode; nothing that exists is touched', async (t) => {
  const { path, folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'), 0o640);
  writeSync(file, 'content');
  t.equal(fstatSync(file).mode & 0o7777, 0o640 & ~process.umask());
  closeSync(file);
  writeFileSync(`${path}/outside`, 'kept');
  symlinkSync('outside', `${path}/link`);
  symlinkSync('nowhere', `${path}/dangling`);
  mkdirSync(`${path}/folder`);
  for (const name of ['file', 'link', 'dangling', 'folder']) t.equal(tryCreateFile(folder, bytes(name)), -17, name);
  t.throws(() => createFile(folder, bytes('link')), { code: 'exists', errno: 'EEXIST' });
  t.equal(readFileSync(`${path}/outside`, 'utf8'), 'kept');
  t.notOk(readdirSync(path).includes('nowhere'));
});

t.test('makeDirectory: tells what is new', async (t) => {
  const { path, folder } = openTestFolder(t);
  t.equal(makeDirectory(folder, bytes('folder')), 'created');
  t.equal(statSync(`${path}/folder`).mode & 0o7777, 0o700);
  t.equal(makeDirectory(folder, bytes('folder')), 'exists');
  symlinkSync('folder', `${path}/link`);
  t.equal(makeDirectory(folder, bytes('link')), 'exists');
  removeDirectory(folder, bytes('folder'));
  t.throws(() => removeDirectory(folder, bytes('folder')), { code: 'io', errno: 'ENOENT' });
});

t.test('createSymlink and readLink: any bytes, up to 4,095 of them', async (t) => {
  const { path, folder } = openTestFolder(t);
  for (const [index, target] of [
    Buffer.from('x'),
    Buffer.from([0xff, 0x2f, 0xfe]),
    Buffer.from('/absolute/../path'),
    Buffer.alloc(4095, 0x61),
  ].entries()) {
    createSymlink(folder, bytes(`${index}`), target);
    t.ok(readlinkSync(`${path}/${index}`, 'buffer').equals(target));
    t.ok(Buffer.from(readLink(folder, bytes(`${index}`))).equals(target));
  }
  t.throws(() => createSymlink(folder, bytes('long'), Buffer.alloc(4096, 0x61)), { code: 'io', errno: 'ENAMETOOLONG' });
  t.throws(() => createSymlink(folder, bytes('nul'), bytes('a\0b')), { code: 'io', errno: 'EINVAL' });
  t.throws(() => createSymlink(folder, bytes('empty'), bytes('')), { code: 'io', errno: 'ENOENT' });
  writeFileSync(`${path}/file`, '');
  t.throws(() => readLink(folder, bytes('file')), { code: 'io', errno: 'EINVAL' });
});

t.test('createLink: of files, symbolic links and fifos, between folders, nothing followed', async (t) => {
  const { path, folder } = openTestFolder(t);
  mkdirSync(`${path}/other`);
  const other = openDirectory(folder, bytes('other'));
  writeFileSync(`${path}/file`, '');
  symlinkSync('file', `${path}/link`);
  createNode(folder, bytes('fifo'), { type: 'fifo' });
  for (const name of ['file', 'link', 'fifo']) {
    createLink({ parent: folder, name: bytes(name) }, { parent: other, name: bytes(name) });
    t.equal(lstatSync(`${path}/${name}`).ino, lstatSync(`${path}/other/${name}`).ino);
    const handle = openHandle(folder, bytes(name));
    createLinkFromHandle(handle, { parent: other, name: bytes(`${name}-2`) });
    t.equal(lstatSync(`${path}/${name}`).ino, lstatSync(`${path}/other/${name}-2`).ino);
    closeDescriptor(handle);
  }
  t.throws(() => createLink({ parent: folder, name: bytes('file') }, { parent: other, name: bytes('link') }), { code: 'exists' });
  closeDescriptor(other);
});

t.test('createLinkFromHandle: for an ordinary user too', async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  asOrdinaryUser(() => {
    closeSync(createFile(folder, bytes('file')));
    const handle = openHandle(folder, bytes('file'));
    createLinkFromHandle(handle, { parent: folder, name: bytes('second') });
    closeDescriptor(handle);
  });
  t.equal(statSync(`${path}/second`).nlink, 2);
});

t.test('createNode: fifo and socket for everybody, an overlay whiteout too', async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  asOrdinaryUser(() => {
    createNode(folder, bytes('fifo'), { type: 'fifo' });
    createNode(folder, bytes('socket'), { type: 'socket' });
    createNode(folder, bytes('whiteout'), { type: 'character-device', major: 0, minor: 0 });
  });
  t.ok(lstatSync(`${path}/fifo`).isFIFO());
  t.ok(lstatSync(`${path}/socket`).isSocket());
  t.ok(lstatSync(`${path}/whiteout`).isCharacterDevice());
  t.equal(lstatSync(`${path}/whiteout`).rdev, 0);
});

t.test('createNode: an ordinary user cannot make a device', async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  asOrdinaryUser(() => {
    t.throws(() => createNode(folder, bytes('null'), { type: 'character-device', major: 1, minor: 3 }), {
      code: 'forbidden',
      errno: 'EPERM',
    });
  });
});

t.test('createNode: device numbers of every size', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  for (const [major, minor] of [
    [1, 3],
    [8, 255],
    [8, 256],
    [255, 1_048_575],
    [4095, 0],
  ] as const) {
    createNode(folder, bytes(`${major}-${minor}`), { type: 'block-device', major, minor });
    const expected = (minor & 0xff) + (major & 0xfff) * 0x100 + (minor & ~0xff) * 0x1000;
    t.equal(lstatSync(`${path}/${major}-${minor}`).rdev, expected);
  }
});

t.test('rename: replaces, or keeps what is there', async (t) => {
  const { path, folder } = openTestFolder(t);
  for (const name of ['a', 'b']) writeFileSync(`${path}/${name}`, name);
  const [a, b] = ['a', 'b'].map((name) => ({ parent: folder, name: bytes(name) }));
  t.throws(() => rename(a!, b!, 'keep'), { code: 'exists' });
  rename(a!, b!, 'replace');
  t.equal(readFileSync(`${path}/b`, 'utf8'), 'a');
  removeFile(folder, bytes('b'));
  t.strictSame(readdirSync(path), []);
  syncFileSystem(folder);
});
