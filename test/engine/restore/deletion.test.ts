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
  const repository = await backUp(place, { paths: [join(place.source, 'one')] });
  await bringBack(repository, place);
  writeFileSync(join(place.target, 'beside'), 'mine');
  writeFileSync(join(place.target, 'one', 'extra'), 'extra');
  await bringBack(repository, place, { overwrite: 'always', delete: true });
  t.equal(readFileSync(join(place.target, 'beside'), 'utf8'), 'mine');
  t.notOk(existsSync(join(place.target, 'one/extra')));
});

t.test('delete: the repository and the folders above it are never deleted', async (t) => {
  const place = makePlace(t);
  writeFileSync(join(place.source, 'file'), 'content');
  const repository = join(place.source, 'new', 'repository');
  mkdirSync(join(place.source, 'new'));
  const opened = await backUp({ source: place.source, repository }, { excludes: { patterns: ['new/'] } });
  const warnings: string[] = [];
  const { errors } = await bringBack(opened, place, {
    target: '/',
    from: undefined,
    paths: [place.source],
    overwrite: 'if-changed',
    delete: true,
    onWarning: ({ path, code }) => warnings.push(`${code} ${textOf(path)}`),
  });
  t.strictSame(errors, []);
  t.strictSame(warnings, [`repository ${join(place.source, 'new')}`]);
  t.ok(existsSync(join(repository, 'owner')));
});
