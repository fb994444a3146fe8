import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { OverwritePolicy } from '../../../engine/mod.ts';
import { backUp, backUpSample, bringBack, inventory, isRoot, makePlace, pseudoRandom, textOf } from './_helpers.ts';

const old = new Date('2001-01-01');
const recent = new Date('2040-01-01');

/** A target in which four things differ from the source. */
async function prepare(t: Test) {
  const { place, repository } = await backUpSample(t);
  await bringBack(repository, place);
  const at = (name: string) => join(place.target, name);
  writeFileSync(at('a'), 'an older one');
  utimesSync(at('a'), old, old);
  writeFileSync(at('z'), 'a newer one');
  utimesSync(at('z'), recent, recent);
  rmSync(at('link'));
  symlinkSync('elsewhere', at('link'));
  rmSync(at('below/deeper/c'));
  return { place, repository, at };
}

const expected: Record<OverwritePolicy, { a: string; z: number; link: string }> = {
  always: { a: 'the first', z: 3_000_000, link: 'below/b' },
  'if-changed': { a: 'the first', z: 3_000_000, link: 'below/b' },
  'if-newer': { a: 'the first', z: 11, link: 'elsewhere' },
  never: { a: 'an older one', z: 11, link: 'elsewhere' },
};

for (const overwrite of Object.keys(expected) as OverwritePolicy[]) {
  t.test(`overwrite: ${overwrite}`, async (t) => {
    const { place, repository, at } = await prepare(t);
    const { statistics, errors } = await bringBack(repository, place, { overwrite });
    t.strictSame(errors, []);
    t.strictSame({ a: readFileSync(at('a'), 'utf8'), z: statSync(at('z')).size, link: readlinkSync(at('link')) }, expected[overwrite]);
    t.equal(statSync(at('below/deeper/c')).size, 0, 'what was missing is there again');
    t.equal(statistics.skipped, { always: 0, 'if-changed': 2, 'if-newer': 4, never: 5 }[overwrite]);
    if (overwrite === 'always' || overwrite === 'if-changed') t.strictSame(inventory(place.target), inventory(place.source));
    t.strictSame(
      readdirSync(place.target).filter((name) => name.startsWith('.lagan')),
      [],
      'nothing temporary stays',
    );
  });
}

t.test('overwrite: never is the default', async (t) => {
  const { place, repository, at } = await prepare(t);
  await bringBack(repository, place);
  t.equal(readFileSync(at('a'), 'utf8'), 'an older one');
});

t.test('overwrite: if-changed repairs mode and attributes of a file whose content is right', async (t) => {
  const { place, repository } = await backUpSample(t);
  await bringBack(repository, place);
  execFileSync('chmod', ['777', join(place.target, 'a')]);
  const { statistics } = await bringBack(repository, place, { overwrite: 'if-changed' });
  t.equal(statistics.skipped, 6);
  t.strictSame(inventory(place.target), inventory(place.source));
});

t.test('overwrite: an existing file with several names is replaced, not written through', async (t) => {
  const { place, repository } = await backUpSample(t);
  mkdirSync(place.target);
  writeFileSync(join(place.path, 'mine'), 'precious');
  execFileSync('ln', [join(place.path, 'mine'), join(place.target, 'a')]);
  await bringBack(repository, place, { overwrite: 'always' });
  t.equal(readFileSync(join(place.path, 'mine'), 'utf8'), 'precious');
  t.equal(readFileSync(join(place.target, 'a'), 'utf8'), 'the first');
});

t.test('overwrite: a symbolic link in the place of a file is replaced, its target is not touched', async (t) => {
  const { place, repository } = await backUpSample(t);
  mkdirSync(place.target);
  writeFileSync(join(place.path, 'mine'), 'precious');
  for (const name of ['a', 'z', 'fifo']) symlinkSync(join(place.path, 'mine'), join(place.target, name));
  await bringBack(repository, place, { overwrite: 'always' });
  t.equal(readFileSync(join(place.path, 'mine'), 'utf8'), 'precious');
  t.strictSame(inventory(place.target), inventory(place.source));
});

t.test('overwrite: something else in the place of a folder is replaced by policy, else all below it stays away', async (t) => {
  const { place, repository } = await backUpSample(t);
  for (const overwrite of ['always', 'if-changed', 'if-newer', 'never'] as const) {
    rmSync(place.target, { recursive: true, force: true });
    mkdirSync(place.target);
    symlinkSync('/', join(place.target, 'below'));
    const { errors } = await bringBack(repository, place, { overwrite });
    const stays = overwrite === 'never' || overwrite === 'if-newer';
    t.equal(lstatSync(join(place.target, 'below')).isSymbolicLink(), stays, overwrite);
    t.strictSame(
      errors.map(({ path, code }) => [textOf(path), code]),
      stays ? [[`${place.source}/below`, 'exists']] : [],
    );
  }
});

t.test('overwrite: a folder in the place of a file is removed if it is empty, or with delete', async (t) => {
  const { place, repository } = await backUpSample(t);
  mkdirSync(join(place.target, 'a'), { recursive: true });
  mkdirSync(join(place.target, 'z'));
  writeFileSync(join(place.target, 'z', 'mine'), 'precious');
  const { errors } = await bringBack(repository, place, { overwrite: 'always' });
  t.strictSame(
    errors.map(({ path, code }) => [textOf(path), code]),
    [[`${place.source}/z`, 'exists']],
  );
  t.equal(readFileSync(join(place.target, 'a'), 'utf8'), 'the first');
  t.equal(readFileSync(join(place.target, 'z', 'mine'), 'utf8'), 'precious');
  await bringBack(repository, place, { overwrite: 'always', delete: true });
  t.strictSame(inventory(place.target), inventory(place.source));
});

t.test('overwrite: what a killed restore left under its temporary name is replaced', async (t) => {
  const { place, repository } = await backUpSample(t);
  mkdirSync(place.target);
  writeFileSync(join(place.target, 'a'), 'older');
  utimesSync(join(place.target, 'a'), old, old);
  const { temporaryName } = await import('../../../engine/restore/_placing.ts');
  for (const name of ['a', 'z']) writeFileSync(join(place.target, textOf(temporaryName(Buffer.from(name)))), 'half');
  await bringBack(repository, place, { overwrite: 'if-changed' });
  t.strictSame(inventory(place.target), inventory(place.source));
});

t.test(
  'overwrite: an immutable file and a file in an immutable folder are replaced, and their flags are the snapshot’s',
  { skip: !isRoot && 'needs root' },
  async (t) => {
    const { place, repository } = await backUpSample(t);
    await bringBack(repository, place);
    writeFileSync(join(place.target, 'a'), 'changed');
    try {
      execFileSync('chattr', ['+i', join(place.target, 'a'), place.target], { stdio: 'ignore' });
    } catch {
      t.comment('this file system has no flags');
      return;
    }
    const { errors } = await bringBack(repository, place, { overwrite: 'always' });
    t.strictSame(errors, []);
    t.strictSame(inventory(place.target), inventory(place.source));
  },
);

t.test('overwrite: a read-only folder of one’s own is no obstacle', async (t) => {
  const place = makePlace(t);
  mkdirSync(join(place.source, 'closed'));
  writeFileSync(join(place.source, 'closed', 'file'), pseudoRandom(10, 1));
  execFileSync('chmod', ['500', join(place.source, 'closed')]);
  const repository = await backUp(place);
  await bringBack(repository, place);
  execFileSync('chmod', ['700', join(place.target, 'closed')]);
  rmSync(join(place.target, 'closed', 'file'));
  execFileSync('chmod', ['000', join(place.target, 'closed')]);
  const { errors } = await bringBack(repository, place, { overwrite: 'if-changed' });
  t.strictSame(errors, []);
  t.strictSame(inventory(place.target), inventory(place.source));
});
