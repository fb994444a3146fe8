import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { LocalFolder } from '../../../engine/storage/mod.ts';
import { storageConformance } from '../../conformance/storage.ts';

storageConformance(t, {
  makeStorage: async (t) => {
    const storage = new LocalFolder(path.join(t.testdir(), 'repository'));
    await storage.prepare();
    return storage;
  },
});

const filesIn = (folder: string) => fs.readdirSync(folder, { recursive: true }) as string[];

t.test('LocalFolder: prepare makes the folder and those above it, and nothing else does', async (t) => {
  const folder = path.join(t.testdir(), 'a/b/c');
  const storage = new LocalFolder(folder);
  t.equal(await storage.state(), 'absent');
  const absent = { code: 'no-repository', found: 'absent' };
  await t.rejects(storage.create('a/b', []), absent);
  await t.rejects(storage.createWriter('a/b'), absent);
  await t.rejects(storage.get('a/b'), absent);
  await t.rejects(storage.size('a/b'), absent);
  await t.rejects(storage.delete(['a/b']), absent);
  await t.rejects(storage.removeLitter(), absent);
  await t.rejects(async () => storage.list('').next(), absent);
  await storage.prepare();
  await storage.prepare();
  t.equal(await storage.state(), 'empty');
  t.equal(fs.statSync(folder).mode & 0o777, 0o700);
});

t.test('LocalFolder: a file in the place of the folder', async (t) => {
  const file = path.join(t.testdir({ file: 'x' }), 'file');
  const storage = new LocalFolder(file);
  await t.rejects(storage.state(), { code: 'no-repository', found: 'file' });
  await t.rejects(storage.prepare(), { code: 'no-repository', found: 'file' });
  await t.rejects(storage.create('a/b', []), { code: 'no-repository', found: 'file' });
});

t.test('LocalFolder: a folder that vanished is an error, not an empty listing', async (t) => {
  const folder = path.join(t.testdir(), 'repository');
  const storage = new LocalFolder(folder);
  await storage.prepare();
  await storage.create('a/b', []);
  fs.renameSync(folder, `${folder}-moved`);
  await t.rejects(async () => storage.list('a/').next(), { code: 'no-repository' });
  await t.rejects(storage.get('a/b'), { code: 'no-repository' });
  fs.mkdirSync(folder);
  await t.rejects(async () => storage.list('a/').next(), { code: 'io' }, 'nor is another folder in its place');
  await t.rejects(storage.get('a/b'), { code: 'io' });
  await t.rejects(storage.create('a/b', []), { code: 'io' });
  t.same(filesIn(folder), []);
});

t.test('LocalFolder: objects are files of the owner alone, or of a group that the folder is shared with', async (t) => {
  const folder = t.testdir({ own: {}, shared: {} });
  fs.chmodSync(path.join(folder, 'own'), 0o700);
  fs.chmodSync(path.join(folder, 'shared'), 0o2770);
  for (const [name, fileMode, folderMode] of [
    ['own', 0o600, 0o700],
    ['shared', 0o660, 0o2770],
  ] as const) {
    await new LocalFolder(path.join(folder, name)).create('a/b/c', [Buffer.from('x')]);
    t.equal(fs.statSync(path.join(folder, name, 'a/b/c')).mode & 0o7777, fileMode);
    t.equal(fs.statSync(path.join(folder, name, 'a/b')).mode & 0o7777, folderMode);
  }
});

t.test('LocalFolder: foreign files are no objects, and what is neither file nor folder ends a listing', async (t) => {
  const folder = t.testdir({ 'README.txt': 'x', '.DS_Store': 'x', 'lost+found': {}, a: { '.nfs0001': 'x', b: 'x' } });
  const storage = new LocalFolder(folder);
  t.equal(await storage.state(), 'occupied');
  const names: string[] = [];
  for await (const { name } of storage.list('')) names.push(name);
  t.same(names, ['a/b']);
  fs.symlinkSync('b', path.join(folder, 'a/link'));
  await t.rejects(
    async () => {
      for await (const _ of storage.list('a/'));
    },
    { code: 'io', object: 'a/link' },
  );
});

t.test('LocalFolder: a fifo or a folder in the place of an object is an error and does not stop us', async (t) => {
  const folder = t.testdir({ a: { folder: {} } });
  execFileSync('mkfifo', [path.join(folder, 'a/fifo')]);
  const storage = new LocalFolder(folder);
  for (const name of ['a/fifo', 'a/folder']) {
    await t.rejects(storage.get(name), { code: 'io' });
    await t.rejects(storage.get(name, { offset: 0, length: 4 }), { code: 'io' });
    await t.rejects(storage.size(name), { code: 'io' });
    t.equal(await storage.create(name, []), 'exists');
  }
});

t.test('LocalFolder: nothing is left in temporary/', async (t) => {
  const folder = t.testdir();
  const storage = new LocalFolder(folder);
  await storage.create('a/b', [Buffer.from('x')]);
  await storage.create('a/b', [Buffer.from('y')]);
  const writer = await storage.createWriter('a/c');
  await writer.append([Buffer.from('z')]);
  t.equal(fs.readdirSync(path.join(folder, 'temporary')).length, 1);
  await writer.commit();
  t.same(fs.readdirSync(path.join(folder, 'temporary')), []);
  t.same(filesIn(folder).sort(), ['a', 'a/b', 'a/c', 'temporary']);
});

t.test(
  'LocalFolder: forbidden, as far as this user can be forbidden anything',
  { skip: process.getuid?.() === 0 ? 'root may do all' : false },
  async (t) => {
    const folder = t.testdir({ a: { b: 'x' } });
    const storage = new LocalFolder(folder);
    fs.chmodSync(path.join(folder, 'a/b'), 0);
    await t.rejects(storage.get('a/b'), { code: 'forbidden', errno: 'EACCES' });
    fs.chmodSync(folder, 0o500);
    t.teardown(() => fs.chmodSync(folder, 0o700));
    await t.rejects(storage.create('a/c', []), { code: 'forbidden', errno: 'EACCES' });
  },
);
