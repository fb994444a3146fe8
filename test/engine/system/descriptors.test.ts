import { execFileSync } from 'node:child_process';
import { fstatSync, mkdirSync, readSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { pretendNoOpenat2 } from '../../../engine/system/descriptors.ts';
import {
  closeDescriptor,
  type Descriptor,
  joinPath,
  openBeneath,
  openDirectory,
  openFile,
  openHandle,
  openRoot,
  openTarget,
  reopenDirectory,
  scanDirectory,
  splitPath,
  tryOpenBeneath,
  tryOpenDirectory,
  tryOpenFile,
  tryOpenForUpdate,
} from '../../../engine/system/mod.ts';
import { asOrdinaryUser, bytes, isRoot, makeDeep, namesOf, openTestFolder } from './_helpers.ts';

t.test('openRoot: follows a symbolic link in the last place unless told not to', async (t) => {
  const { path } = openTestFolder(t);
  mkdirSync(`${path}/real`);
  symlinkSync('real', `${path}/link`);
  closeDescriptor(openRoot(`${path}/link`));
  closeDescriptor(openRoot(bytes(`${path}/link`)));
  t.throws(() => openRoot(`${path}/link`, { symlink: 'refuse' }), { code: 'io', errno: 'ENOTDIR' });
  t.throws(() => openRoot(`${path}/missing`), { code: 'io', errno: 'ENOENT', object: `${path}/missing` });
  t.throws(() => openRoot('a\0b'), { code: 'io', errno: 'EINVAL' });
});

t.test('openFile: neither blocks on a fifo nor follows a symbolic link', async (t) => {
  const { path, folder } = openTestFolder(t);
  execFileSync('mkfifo', [`${path}/fifo`]);
  writeFileSync(`${path}/file`, 'content');
  symlinkSync('file', `${path}/link`);
  const fifo = openFile(folder, bytes('fifo'));
  t.ok(fstatSync(fifo).isFIFO());
  closeDescriptor(fifo);
  t.equal(tryOpenFile(folder, bytes('link')), -40);
  t.equal(tryOpenForUpdate(folder, bytes('link')), -40);
  t.equal(tryOpenDirectory(folder, bytes('link')), -20);
  t.equal(tryOpenDirectory(folder, bytes('file')), -20);
  const handle = openHandle(folder, bytes('link'));
  t.ok(fstatSync(handle).isSymbolicLink());
  closeDescriptor(handle);
});

t.test('openFile: leaves the access time of an own file alone', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, 'content');
  utimesSync(`${path}/file`, 1000, 2_000_000_000);
  const file = openFile(folder, bytes('file'));
  readSync(file, Buffer.alloc(7));
  closeDescriptor(file);
  t.equal(statSync(`${path}/file`).atimeMs, 1_000_000);
});

t.test(
  'openFile: opens a file of somebody else, without the right to leave its access time alone',
  { skip: isRoot ? false : 'needs root' },
  async (t) => {
    const { path } = openTestFolder(t);
    writeFileSync(`${path}/file`, 'content', { mode: 0o644 });
    const root = openRoot(path);
    const file = asOrdinaryUser(() => openFile(root, bytes('file')));
    t.ok(file >= 0);
    closeDescriptor(file);
    closeDescriptor(root);
  },
);

for (const way of ['openat2', 'step by step'] as const) {
  t.test(`openBeneath by ${way}: opens plain paths and refuses everything that leads elsewhere`, async (t) => {
    pretendNoOpenat2(way === 'step by step');
    t.teardown(() => pretendNoOpenat2(false));
    const { path, folder } = openTestFolder(t);
    mkdirSync(`${path}/a/b`, { recursive: true });
    mkdirSync(`${path}/outside`);
    writeFileSync(`${path}/outside/secret`, 'secret');
    writeFileSync(`${path}/a/b/file`, 'content');
    symlinkSync(`${path}/outside`, `${path}/a/absolute`);
    symlinkSync('../../outside', `${path}/a/b/up`);
    symlinkSync('b', `${path}/a/inside`);
    const root = openDirectory(folder, bytes('a'));
    for (const use of ['file', 'handle', 'update'] as const) closeDescriptor(openBeneath(root, bytes('b/file'), use));
    closeDescriptor(openBeneath(root, bytes('b'), 'directory'));
    const again = openBeneath(root, bytes(''), 'directory');
    t.equal(fstatSync(again).ino, fstatSync(root).ino);
    closeDescriptor(again);
    for (const refused of [
      '../outside/secret',
      'b/../../outside/secret',
      `${path}/outside/secret`,
      'b//file',
      'b/./file',
      'b/file\0',
      '/',
      'b/',
    ]) {
      t.equal(tryOpenBeneath(root, bytes(refused), 'file'), -22, refused);
    }
    for (const link of ['absolute/secret', 'b/up/secret', 'inside/file', 'absolute', 'inside']) {
      const result = tryOpenBeneath(root, bytes(link), 'file');
      t.ok(result === -40 || result === -20, `${link}: ${result}`);
    }
    t.equal(tryOpenBeneath(root, bytes('b/missing'), 'file'), -2);
    t.equal(tryOpenBeneath(root, bytes('b/file/deeper'), 'file'), -20);
    closeDescriptor(root);
  });

  t.test(`openBeneath by ${way}: reaches the bottom of a tree beyond PATH_MAX`, async (t) => {
    pretendNoOpenat2(way === 'step by step');
    t.teardown(() => pretendNoOpenat2(false));
    const { path, folder } = openTestFolder(t);
    const parts = Array.from({ length: 50 }, (_, index) => bytes(`${index}-${'d'.repeat(200)}`));
    const bottom = makeDeep(folder, parts);
    const relative = joinPath(parts);
    t.ok(relative.length > 4096 * 2);
    const reached = openBeneath(folder, relative, 'directory');
    t.equal(fstatSync(reached).ino, fstatSync(bottom).ino);
    closeDescriptor(reached);
    const fromAbove = openRoot(joinPath([bytes(path), relative]));
    t.equal(fstatSync(fromAbove).ino, fstatSync(bottom).ino, 'openRoot takes such a path too');
    closeDescriptor(fromAbove);
    closeDescriptor(bottom);
  });
}

t.test('openTarget: makes what is missing of a path and follows the links of the person who named it', async (t) => {
  const { path } = openTestFolder(t);
  mkdirSync(`${path}/real`);
  symlinkSync('real', `${path}/link`);
  t.throws(() => openTarget(`${path}/link/a/b`), { code: 'io', errno: 'ENOENT' });
  const target = openTarget(`${path}/link/a/b/../b/./c`, { create: true });
  t.equal(fstatSync(target).ino, statSync(`${path}/real/a/b/c`).ino);
  closeDescriptor(target);
  writeFileSync(`${path}/file`, '');
  t.throws(() => openTarget(`${path}/file/x`, { create: true }), { code: 'io', errno: 'ENOTDIR' });
});

t.test('reopenDirectory: a position of its own', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, '');
  const again = reopenDirectory(folder);
  t.strictSame(namesOf(scanDirectory(again)), ['file']);
  closeDescriptor(again);
});

t.test('splitPath and joinPath: are inverse for plain paths', async (t) => {
  t.strictSame(splitPath(bytes('//a/b//c/')), ['a', 'b', 'c'].map(bytes));
  t.strictSame(joinPath(['a', 'b', 'c'].map(bytes)), new Uint8Array(bytes('a/b/c')));
  t.strictSame(joinPath([]), new Uint8Array(0));
});

t.test('the system folder works in a worker thread with the descriptors of the main thread', async (t) => {
  const { path, folder } = openTestFolder(t);
  for (const name of ['1', '2', '3']) writeFileSync(`${path}/${name}`, name);
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { openFile, scanDirectory, readExtendedAttributesAt } from '${new URL('../../../engine/system/mod.ts', import.meta.url).href}';
    const names = [];
    const scan = scanDirectory(workerData);
    while (scan.next()) names.push(Buffer.from(scan.name).toString() + scan.status.size);
    readExtendedAttributesAt(workerData, Buffer.from('1'), 0);
    parentPort.postMessage({ names, descriptor: openFile(workerData, Buffer.from('3')) });`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData: folder });
  const answer = await new Promise<{ names: string[]; descriptor: Descriptor }>((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  t.strictSame(answer.names, ['11', '21', '31']);
  const content = Buffer.alloc(1);
  readSync(answer.descriptor, content, 0, 1, 0);
  t.equal(content.toString(), '3');
  closeDescriptor(answer.descriptor);
  await worker.terminate();
});
