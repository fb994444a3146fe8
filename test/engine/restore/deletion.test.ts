import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { backUp, backUpSample, bringBack, inventory, makePlace, textOf } from './_helpers.ts';

function addSurplus(folder: string): void {
  mkdirSync(join(folder, 'extra', 'tree'), { recursive: true });
  for (const name of ['0', 'extra/tree/file', 'below/aa', 'below/zz', 'zzz']) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), 'extra');
  }
  symlinkSync('/', join(folder, 'below', 'root'));
}

t.test('delete: what the snapshot lacks goes, whatever it is, and nothing else', async (t) => {
  const { place, repository } = await backUpSample(t);
  await bringBack(repository, place);
  addSurplus(place.target);
  const { statistics, errors } = await bringBack(repository, place, { overwrite: 'if-changed', delete: true });
  t.strictSame(errors, []);
  t.equal(statistics.deleted, 8);
  t.strictSame(inventory(place.target), inventory(place.source));
});

t.test('delete: without it, everything stays', async (t) => {
  const { place, repository } = await backUpSample(t);
  await bringBack(repository, place);
  addSurplus(place.target);
  const { statistics } = await bringBack(repository, place, { overwrite: 'always' });
  t.equal(statistics.deleted, 0);
  t.ok(existsSync(join(place.target, 'extra/tree/file')));
});

t.test('delete: a dry run counts', async (t) => {
  const { place, repository } = await backUpSample(t);
  await bringBack(repository, place);
  addSurplus(place.target);
  const before = inventory(place.target);
  const { statistics } = await bringBack(repository, place, { overwrite: 'if-changed', delete: true, dryRun: true });
  t.equal(statistics.deleted, 6, 'a folder counts as one');
  t.strictSame(inventory(place.target), before);
});

t.test('delete: what the patterns leave out stays, and so does what is not asked for', async (t) => {
  const { place, repository } = await backUpSample(t);
  await bringBack(repository, place);
  addSurplus(place.target);
  await bringBack(repository, place, { overwrite: 'if-changed', delete: true, exclude: ['zzz', 'extra/'] });
  t.ok(existsSync(join(place.target, 'zzz')) && existsSync(join(place.target, 'extra/tree/file')));
  t.notOk(existsSync(join(place.target, '0')));
  addSurplus(place.target);
  await bringBack(repository, place, { overwrite: 'if-changed', delete: true, paths: [join(place.source, 'below')] });
  t.ok(existsSync(join(place.target, '0')));
  t.notOk(existsSync(join(place.target, 'below/aa')));
});

t.test('delete: beside the paths that were backed up nothing is deleted', async (t) => {
  const place = makePlace(t);
  for (const folder of ['one', 'two']) {
    mkdirSync(join(place.source, folder));
    writeFileSync(join(place.source, folder, 'file'), folder);
  }
  const repository = await backUp(place, [join(place.source, 'one')]);
  await bringBack(repository, place);
  writeFileSync(join(place.target, 'beside'), 'mine');
  writeFileSync(join(place.target, 'one', 'extra'), 'extra');
  await bringBack(repository, place, { overwrite: 'always', delete: true });
  t.equal(readFileSync(join(place.target, 'beside'), 'utf8'), 'mine');
  t.notOk(existsSync(join(place.target, 'one/extra')));
});

t.test('delete: the repository and the folders above it are never deleted', async (t) => {
  const place = makePlace(t);
  const inside = { ...place, repository: join(place.source, 'vault', 'repository') };
  mkdirSync(join(place.source, 'data'));
  writeFileSync(join(place.source, 'data', 'file'), 'content');
  mkdirSync(join(place.source, 'vault'));
  const first = await backUp({ ...place, source: place.source });
  // The source gets another repository after the backup, in a folder that the snapshot has, and one in a folder that it lacks.
  mkdirSync(join(place.source, 'new'));
  const moved = { ...inside, repository: join(place.source, 'new', 'repository') };
  const second = await backUp({ source: join(place.source, 'data'), repository: moved.repository });
  await second.storage.close();
  const warned: string[] = [];
  const { openStorage, openRepository, resolveSnapshot, restore, backup, createRepository } = await import('../../../engine/mod.ts');
  const { secret } = await import('./_helpers.ts');
  const storage = openStorage(moved.repository);
  const opened = await openRepository(storage, { secret, mode: 'write' });
  await backup(opened, { paths: [place.source], excludes: { patterns: ['new/'] } });
  const info = await resolveSnapshot(opened, 'latest');
  const { errors } = await restore(opened, info, { target: '/', paths: [place.source], overwrite: 'if-changed', delete: true, onWarning: ({ path, code }) => warned.push(`${code} ${textOf(path)}`) });
  t.strictSame(errors, []);
  t.strictSame(warned, [`repository ${place.source}/new`]);
  t.ok(existsSync(join(moved.repository, 'owner')));
  void first;
  void createRepository;
});
