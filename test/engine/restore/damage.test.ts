import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  backUp,
  backUpSample,
  bringBack,
  codeOf,
  flipBit,
  inventory,
  makeHole,
  makePlace,
  packsOf,
  pseudoRandom,
  removePack,
  reopen,
  textOf,
} from './_helpers.ts';

t.test('restore: a missing pack: the files that need it are named and absent, everything else is there', async (t) => {
  const { place, repository } = await backUpSample(t);
  const [pack] = packsOf(place, 'data');
  for (const path of packsOf(place, 'data')) removePack(path);
  for (const workers of [1, 2]) {
    const target = `${place.target}${workers}`;
    const { errors, statistics } = await bringBack(repository, place, { workers, target });
    t.strictSame(
      errors.map(({ path, code }) => `${code} ${textOf(path)}`).sort(),
      ['a', 'below/b', 'z'].map((name) => `pack-missing ${place.source}/${name}`),
    );
    t.ok(pack?.endsWith(errors[0]!.object!), 'the object is named');
    t.equal(statistics.errors, 3);
    t.strictSame(Object.keys(inventory(target)).sort(), ['.', 'below', 'below/deeper', 'below/deeper/c', 'empty', 'fifo', 'link']);
    t.equal(inventory(target).below, inventory(place.source).below, 'folders are finished nevertheless');
  }
});

t.test('restore: what exists is not lost to a damaged snapshot', async (t) => {
  const { place, repository } = await backUpSample(t);
  mkdirSync(place.target);
  for (const name of ['a', 'z']) writeFileSync(join(place.target, name), 'the only good one');
  for (const path of packsOf(place, 'data')) removePack(path);
  await bringBack(repository, place, { overwrite: 'always' });
  for (const name of ['a', 'z']) t.equal(readFileSync(join(place.target, name), 'utf8'), 'the only good one');
  t.strictSame(
    readdirSync(place.target).filter((name) => name.startsWith('.')),
    [],
  );
});

t.test('restore: a damaged block hurts the files in it and no others, and none of its bytes is written', async (t) => {
  const place = makePlace(t);
  for (let index = 0; index < 12; index++) writeFileSync(join(place.source, `file${index}`), pseudoRandom(700_000, index));
  const repository = await backUp(place, { workers: 1 });
  const [pack] = packsOf(place, 'data');
  flipBit(pack!, 2_500_000);
  const { errors, statistics } = await bringBack(repository, place);
  t.ok(errors.length >= 1 && errors.length <= 4, `${errors.length} files`);
  t.equal(statistics.files, 12 - errors.length);
  for (const { code, path } of errors) {
    t.equal(code, 'authentication-failed');
    t.notOk(existsSync(join(place.target, textOf(path).slice(place.source.length))));
  }
  for (const name of readdirSync(place.target)) t.ok(readFileSync(join(place.target, name)).equals(readFileSync(join(place.source, name))));
});

t.test('restore: a damaged stretch of a file that all workers write: the whole file is absent', async (t) => {
  const place = makePlace(t);
  writeFileSync(join(place.source, 'large'), pseudoRandom(66 * 2 ** 20, 1));
  writeFileSync(join(place.source, 'small'), 'small');
  const repository = await backUp(place);
  const large = packsOf(place, 'data').filter((path) => statSync(path).size > 1_500_000);
  flipBit(large[0]!, 1_500_000);
  for (const workers of [1, 2]) {
    const { errors } = await bringBack(repository, place, { workers, target: `${place.target}${workers}` });
    t.strictSame(
      errors.map(({ path, code }) => [textOf(path), code]),
      [[`${place.source}/large`, 'authentication-failed']],
    );
    t.strictSame(readdirSync(`${place.target}${workers}`), ['small']);
  }
});

t.test('restore: without the top of the snapshot there is nothing to restore', async (t) => {
  const { place, repository } = await backUpSample(t);
  for (const path of packsOf(place, 'metadata')) removePack(path);
  t.equal(await codeOf(bringBack(repository, place)), 'pack-missing');
  t.notOk(existsSync(join(place.target, 'a')));
});

t.test('restore: a folder whose entries are lost is named, its neighbours are restored, nothing in it is deleted', async (t) => {
  const place = makePlace(t);
  for (const folder of ['left', 'right']) {
    mkdirSync(join(place.source, folder));
    writeFileSync(join(place.source, folder, 'file'), folder);
  }
  await backUp(place);
  const first = packsOf(place, 'metadata');
  writeFileSync(join(place.source, 'right', 'new'), 'new');
  const repository = await backUp(place);
  await bringBack(repository, place);
  for (const path of first) removePack(path);
  const { errors } = await bringBack(await reopen(place), place, { overwrite: 'always', delete: true });
  t.strictSame(
    errors.map(({ path, code }) => [textOf(path), code]),
    [[`${place.source}/left`, 'pack-missing']],
  );
  t.equal(readFileSync(join(place.target, 'left', 'file'), 'utf8'), 'left');
  t.equal(readFileSync(join(place.target, 'right', 'new'), 'utf8'), 'new');
});

t.test('restore: names of a hard link group whose content is damaged are all named', async (t) => {
  const place = makePlace(t);
  writeFileSync(join(place.source, 'one'), 'content');
  linkSync(join(place.source, 'one'), join(place.source, 'two'));
  linkSync(join(place.source, 'one'), join(place.source, 'three'));
  const repository = await backUp(place);
  for (const path of packsOf(place, 'data')) removePack(path);
  const { errors } = await bringBack(repository, place);
  t.strictSame(errors.map(({ path }) => textOf(path).slice(place.source.length + 1)).sort(), ['one', 'three', 'two']);
  t.strictSame(readdirSync(place.target), []);
});

t.test('restore: verify reads everything again, also what was left alone, and names what is different', async (t) => {
  const place = makePlace(t);
  writeFileSync(join(place.source, 'good'), pseudoRandom(2_000_000, 1));
  writeFileSync(join(place.source, 'bad'), pseudoRandom(2_000_000, 2));
  utimesSync(join(place.source, 'bad'), 1_700_000_000, 1_700_000_000);
  makeHole(join(place.source, 'hole'), 2 ** 20);
  utimesSync(join(place.source, 'hole'), 1_700_000_000, 1_700_000_000);
  const repository = await backUp(place);
  const { errors, statistics } = await bringBack(repository, place, { verify: true });
  t.strictSame([errors, statistics.verified], [[], 3]);
  for (const name of ['bad', 'hole']) {
    const bytes = readFileSync(join(place.target, name));
    bytes[1_000_000]! ^= 1;
    writeFileSync(join(place.target, name), bytes);
    utimesSync(join(place.target, name), 1_700_000_000, 1_700_000_000);
  }
  const again = await bringBack(repository, place, { overwrite: 'if-changed', verify: true });
  t.strictSame(
    again.errors.map(({ path, code }) => [textOf(path), code]),
    ['bad', 'hole'].map((name) => [`${place.source}/${name}`, 'name-mismatch']),
  );
  t.equal(again.statistics.verified, 1);
});
