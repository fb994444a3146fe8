import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RestoreProgress } from '../../../engine/mod.ts';
import { backUp, backUpSample, bringBack, codeOf, inventory, makeHole, makePlace, pseudoRandom, textOf } from './_helpers.ts';

for (const workers of [1, 2, 3]) {
  t.test(`restore: everything is as it was, with ${workers} workers`, async (t) => {
    const { place, repository } = await backUpSample(t);
    const { statistics, errors, notRestored } = await bringBack(repository, place, { workers });
    t.strictSame([errors, notRestored], [[], []]);
    t.strictSame(inventory(place.target), inventory(place.source));
    t.match(statistics, { files: 4, directories: 4, others: 2, bytes: 3_200_009, skipped: 0, deleted: 0, errors: 0 });
  });
}

t.test('restore: without from, everything lies below the target with its whole path, folders above with their modes', async (t) => {
  const { place, repository } = await backUpSample(t);
  await bringBack(repository, place, { from: undefined });
  t.strictSame(inventory(join(place.target, place.source)), inventory(place.source));
  t.equal(statSync(join(place.target, place.path)).mode, statSync(place.path).mode);
});

t.test('restore: paths take only what is named, with its place below from', async (t) => {
  const { place, repository } = await backUpSample(t);
  const { errors, statistics } = await bringBack(repository, place, {
    paths: [`${place.source}/below/deeper`, Buffer.from(`${place.source}/a`)],
  });
  t.strictSame(errors, []);
  t.strictSame(Object.keys(inventory(place.target)).sort(), ['.', 'a', 'below', 'below/deeper', 'below/deeper/c']);
  t.match(statistics, { files: 2, others: 0 });
  t.strictSame(inventory(place.target).below, inventory(place.source).below, 'a folder on the way that was made has its metadata');
});

t.test('restore: a folder on the way that exists keeps its metadata', async (t) => {
  const { place, repository } = await backUpSample(t);
  mkdirSync(join(place.target, 'below'), { recursive: true, mode: 0o711 });
  await bringBack(repository, place, { paths: [`${place.source}/below/b`], overwrite: 'always' });
  t.equal(statSync(join(place.target, 'below')).mode & 0o777, 0o711);
});

t.test('restore: a path that the snapshot lacks is reported, the others are restored; none at all is path-not-found', async (t) => {
  const { place, repository } = await backUpSample(t);
  const { errors } = await bringBack(repository, place, { paths: [`${place.source}/none`, `${place.source}/a`] });
  t.strictSame(
    errors.map(({ path, code }) => [textOf(path), code]),
    [[`${place.source}/none`, 'path-not-found']],
  );
  t.equal(readFileSync(join(place.target, 'a'), 'utf8'), 'the first');
  t.equal(
    await codeOf(bringBack(repository, place, { paths: [`${place.source}/z/below-a-file`], target: `${place.path}/other` })),
    'path-not-found',
  );
  t.notOk(existsSync(`${place.path}/other/z`));
  t.equal(await codeOf(bringBack(repository, place, { paths: [`${place.source}/none`] })), 'path-not-found');
  t.equal(await codeOf(bringBack(repository, place, { from: '/nowhere' })), 'path-not-found');
});

t.test('restore: paths must be absolute, without dots, below from, and the target outside of the repository', async (t) => {
  const { place, repository } = await backUpSample(t);
  const refused = [
    { paths: ['relative'] },
    { paths: [`${place.source}/../source`] },
    { paths: ['/elsewhere'] },
    { from: 'relative' },
    { target: `${place.repository}/writer` },
  ];
  for (const options of refused) t.equal(await codeOf(bringBack(repository, place, options)), 'usage', JSON.stringify(options));
  t.notOk(existsSync(place.target));
});

t.test('restore: from a path that is no folder puts it into the target', async (t) => {
  const { place, repository } = await backUpSample(t);
  await bringBack(repository, place, { from: `${place.source}/a` });
  t.strictSame(Object.keys(inventory(place.target)), ['.', 'a']);
});

t.test('restore: include and exclude patterns', async (t) => {
  const { place, repository } = await backUpSample(t);
  await bringBack(repository, place, { include: ['b', 'deeper/'], target: `${place.path}/1` });
  t.strictSame(Object.keys(inventory(`${place.path}/1`)).sort(), ['.', 'below', 'below/b', 'below/deeper', 'below/deeper/c']);
  await bringBack(repository, place, { exclude: ['below/', '/**/source/z'], target: `${place.path}/2` });
  t.strictSame(Object.keys(inventory(`${place.path}/2`)).sort(), ['.', 'a', 'empty', 'fifo', 'link']);
  await bringBack(repository, place, { include: ['below/'], exclude: ['c'], target: `${place.path}/3` });
  t.strictSame(Object.keys(inventory(`${place.path}/3`)).sort(), ['.', 'below', 'below/b', 'below/deeper']);
});

t.test('restore: a dry run counts and leaves no trace', async (t) => {
  const { place, repository } = await backUpSample(t);
  const real = await bringBack(repository, place, { target: `${place.path}/real` });
  const dry = await bringBack(repository, place, { dryRun: true });
  t.notOk(existsSync(place.target));
  t.strictSame(dry.statistics, real.statistics);
  writeFileSync(`${place.path}/real/a`, 'changed');
  const before = inventory(`${place.path}/real`);
  const again = await bringBack(repository, place, { target: `${place.path}/real`, dryRun: true, overwrite: 'if-changed', delete: true });
  t.match(again.statistics, { files: 1, skipped: 5 });
  t.strictSame(inventory(`${place.path}/real`), before);
});

t.test('restore: progress stays within its totals, which are those of what was asked for', async (t) => {
  const place = makePlace(t);
  for (const folder of ['one', 'two']) {
    mkdirSync(join(place.source, folder));
    for (let index = 0; index < 8; index++) writeFileSync(join(place.source, folder, `file${index}`), pseudoRandom(3_000_000, index));
  }
  const repository = await backUp(place);
  const seen: RestoreProgress[] = [];
  const onProgress = (progress: RestoreProgress) => seen.push(progress);
  for (let round = 0; round < 5; round++) {
    await bringBack(repository, place, { paths: [join(place.source, 'one')], overwrite: 'always', verify: true, workers: 2, onProgress });
  }
  for (const { filesDone, filesTotal, bytesDone, bytesTotal } of seen) {
    t.ok(filesDone <= filesTotal && bytesDone <= bytesTotal);
    t.ok(filesTotal === 8 || filesTotal === 0);
  }
});

t.test('restore: a file that all workers write comes back, with its holes', async (t) => {
  const place = makePlace(t);
  const path = join(place.source, 'large');
  makeHole(path, 300 * 2 ** 20);
  const stretch = pseudoRandom(70 * 2 ** 20, 3);
  writeFileSync(path, stretch, { flag: 'r+' });
  execFileSync('dd', [`if=${path}`, `of=${path}`, 'bs=1M', 'count=20', 'seek=250', 'conv=notrunc', 'status=none']);
  const repository = await backUp(place);
  for (const workers of [1, 2]) {
    const target = `${place.target}${workers}`;
    const { statistics, errors } = await bringBack(repository, place, { workers, target, verify: true });
    t.strictSame(errors, []);
    t.match(statistics, { files: 1, bytes: 300 * 2 ** 20, verified: 1 });
    execFileSync('cmp', [path, join(target, 'large')]);
    t.ok(statSync(join(target, 'large')).blocks * 512 <= 92 * 2 ** 20);
  }
});

t.test('restore: a huge sparse file takes neither time nor room', async (t) => {
  const place = makePlace(t);
  const path = join(place.source, 'sparse');
  makeHole(path, 2 ** 40);
  execFileSync('dd', ['if=/dev/urandom', `of=${path}`, 'bs=1M', 'count=2', 'seek=500000', 'conv=notrunc', 'status=none']);
  const repository = await backUp(place);
  const { errors } = await bringBack(repository, place, { verify: true });
  t.strictSame(errors, []);
  const { size, blocks } = statSync(join(place.target, 'sparse'));
  t.equal(size, 2 ** 40);
  t.ok(blocks * 512 < 8 * 2 ** 20);
});

t.test('restore: zeros and holes come back as they were, or all as holes, or all written', async (t) => {
  const place = makePlace(t);
  writeFileSync(join(place.source, 'zeros'), new Uint8Array(2 ** 20));
  makeHole(join(place.source, 'hole'), 2 ** 20);
  const repository = await backUp(place);
  const blocks = (target: string) => ['zeros', 'hole'].map((name) => statSync(join(target, name)).blocks > 0);
  for (const [sparse, expected] of [
    [undefined, [true, false]],
    [true, [false, false]],
    [false, [true, true]],
  ] as const) {
    const target = `${place.target}-${sparse}`;
    await bringBack(repository, place, { target, sparse });
    t.strictSame(blocks(target), expected, `sparse ${sparse}`);
    t.equal(readFileSync(join(target, 'zeros')).length, 2 ** 20);
  }
});

t.test('restore: many entries in one folder and many folders', async (t) => {
  const place = makePlace(t);
  for (let index = 0; index < 3_000; index++) writeFileSync(join(place.source, `file${index}`), `${index % 700}`);
  for (let index = 0; index < 700; index++) {
    mkdirSync(join(place.source, `folder${index}`));
    writeFileSync(join(place.source, `folder${index}`, 'in'), `${index}`);
    utimesSync(join(place.source, `folder${index}`), 1_000_000_000 + index, 1_000_000_000 + index);
  }
  const repository = await backUp(place);
  const { statistics } = await bringBack(repository, place, { workers: 2 });
  t.match(statistics, { files: 3_700, directories: 701 });
  t.strictSame(inventory(place.target), inventory(place.source));
});

t.test('restore: a very deep tree, whose folders cannot all be open', async (t) => {
  const place = makePlace(t);
  let path = place.source;
  for (let depth = 0; depth < 300; depth++) path = join(path, 'deep');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'bottom'), 'here');
  for (let above = path; above !== place.source; above = join(above, '..')) writeFileSync(join(above, 'zzz'), above.length.toString());
  const repository = await backUp(place);
  const { errors } = await bringBack(repository, place);
  t.strictSame(errors, []);
  t.strictSame(inventory(place.target), inventory(place.source));
});

t.test('restore: the target is like the folder that it is from, if it is new, empty or may be changed', async (t) => {
  const { place, repository } = await backUpSample(t);
  execFileSync('chmod', ['711', place.source]);
  const changed = await backUp(place);
  await bringBack(changed, place);
  t.equal(statSync(place.target).mode & 0o777, 0o711);
  const other = `${place.path}/other`;
  mkdirSync(other, { mode: 0o700 });
  writeFileSync(join(other, 'mine'), '');
  await bringBack(changed, place, { target: other });
  t.equal(statSync(other).mode & 0o777, 0o700);
  await bringBack(changed, place, { target: other, overwrite: 'if-changed' });
  t.equal(statSync(other).mode & 0o777, 0o711);
  void repository;
});
