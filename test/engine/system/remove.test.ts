import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, linkSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { applyMetadata, createFile, createNode, fileFlag, makeWritable, openRoot, removeTree } from '../../../engine/system/mod.ts';
import { asOrdinaryUser, bytes, isRoot, needsRoot, openTestFolder } from './_helpers.ts';

t.test('removeTree: whatever it is, and what symbolic links point to stays', async (t) => {
  const { path, folder } = openTestFolder(t);
  mkdirSync(`${path}/kept`);
  writeFileSync(`${path}/kept/file`, '');
  mkdirSync(`${path}/tree/a/b/c`, { recursive: true });
  mkdirSync(`${path}/tree/d`);
  writeFileSync(`${path}/tree/a/file`, '');
  symlinkSync(`${path}/kept`, `${path}/tree/a/link`);
  linkSync(`${path}/kept/file`, `${path}/tree/hard`);
  createNode(folder, bytes('fifo'), { type: 'fifo' });
  t.strictSame(removeTree(folder, bytes('tree')), { removed: 8, failures: [] });
  t.strictSame(removeTree(folder, bytes('fifo')), { removed: 1, failures: [] });
  t.strictSame(removeTree(folder, bytes('missing')), { removed: 0, failures: [] });
  t.strictSame(readdirSync(path), ['kept']);
  t.strictSame(readdirSync(`${path}/kept`), ['file']);
});

t.test('removeTree: folders without rights, as an ordinary user', async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  asOrdinaryUser(() => {
    mkdirSync(`${path}/tree/locked`, { recursive: true });
    writeFileSync(`${path}/tree/locked/file`, '');
    chmodSync(`${path}/tree/locked`, 0o000);
    chmodSync(`${path}/tree`, 0o555);
    t.strictSame(removeTree(folder, bytes('tree')), { removed: 3, failures: [] });
  });
  t.strictSame(readdirSync(path), []);
});

t.test('removeTree: what belongs to somebody else stays and is named', { skip: isRoot ? false : 'needs root' }, async (t) => {
  const { path, folder } = openTestFolder(t);
  mkdirSync(`${path}/tree/locked`, { recursive: true });
  writeFileSync(`${path}/tree/locked/file`, '');
  asOrdinaryUser(() => {
    const { removed, failures } = removeTree(folder, bytes('tree'));
    t.equal(removed, 0);
    t.strictSame(
      failures.map((failure) => `${Buffer.from(failure.path)} ${failure.errno}`),
      ['tree/locked/file 13'],
    );
  });
});

t.test('removeTree: a mounted file system is not entered', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  mkdirSync(`${path}/tree/mounted`, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'none', `${path}/tree/mounted`], { stdio: 'pipe' });
  } catch (error) {
    t.pass('nothing can be mounted here', { skip: (error as Error).message });
    return;
  }
  try {
    writeFileSync(`${path}/tree/mounted/kept`, '');
    writeFileSync(`${path}/tree/gone`, '');
    const { removed, failures } = removeTree(folder, bytes('tree'));
    t.equal(removed, 1);
    t.strictSame(
      failures.map((failure) => `${Buffer.from(failure.path)} ${failure.errno}`),
      ['tree/mounted 18'],
    );
    t.strictSame(readdirSync(`${path}/tree/mounted`), ['kept']);
  } finally {
    execFileSync('umount', [`${path}/tree/mounted`]);
  }
});

t.test('removeTree and makeWritable: immutable and append-only flags are cleared', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  mkdirSync(`${path}/tree/folder`, { recursive: true });
  writeFileSync(`${path}/tree/folder/file`, '');
  const file = openRoot(`${path}/tree/folder`);
  const inner = createFile(file, bytes('inner'));
  const losses = applyMetadata(inner, { type: 'file', flags: fileFlag.immutable });
  if (losses.length > 0) {
    t.pass('this file system has no immutable flag', { skip: losses[0]!.errno });
    return;
  }
  applyMetadata(file, { type: 'directory', flags: fileFlag.appendOnly });
  t.throws(() => writeFileSync(`${path}/tree/folder/inner`, 'x'), { code: 'EPERM' });
  t.equal(makeWritable(inner), 0);
  writeFileSync(`${path}/tree/folder/inner`, 'x');
  applyMetadata(inner, { type: 'file', flags: fileFlag.immutable });
  closeSync(inner);
  closeSync(file);
  t.strictSame(removeTree(folder, bytes('tree')), { removed: 4, failures: [] });
});
