import { execFileSync } from 'node:child_process';
import { linkSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { backUp, bringBack, inventory, makePlace, needsRoot, packsOf, pseudoRandom, removePack, textOf } from './_helpers.ts';

/** Files, a fifo and a symbolic link with several names each, all over the tree. */
async function backUpLinks(t: Test, largeBytes = 1_200_000) {
  const place = makePlace(t);
  const at = (name: string) => join(place.source, name);
  for (const folder of ['a', 'b', 'c']) mkdirSync(at(folder));
  writeFileSync(at('a/file'), pseudoRandom(100_000, 1));
  writeFileSync(at('a/large'), pseudoRandom(largeBytes, 2));
  symlinkSync('somewhere', at('a/link'));
  execFileSync('mkfifo', [at('a/fifo')]);
  for (const name of ['file', 'large', 'link', 'fifo']) {
    linkSync(at(`a/${name}`), at(`b/${name}`));
    linkSync(at(`a/${name}`), at(`c/${name}-2`));
  }
  return { place, repository: await backUp(place) };
}

const names = ['file', 'large', 'link', 'fifo'];
const inodeOf = (path: string) => lstatSync(path).ino;

function assertLinked(t: Test, target: string): void {
  for (const name of names) {
    const inode = inodeOf(join(target, 'a', name));
    t.strictSame([inodeOf(join(target, 'b', name)), inodeOf(join(target, 'c', `${name}-2`))], [inode, inode], name);
  }
}

for (const workers of [1, 2]) {
  t.test(`links: names of the same thing, of whatever type, are that again, with ${workers} workers`, async (t) => {
    const largeBytes = workers === 1 ? 1_200_000 : 66 * 2 ** 20;
    const { place, repository } = await backUpLinks(t, largeBytes);
    const { statistics, errors, notRestored } = await bringBack(repository, place, { workers });
    t.strictSame([errors, notRestored], [[], []]);
    assertLinked(t, place.target);
    t.strictSame(inventory(place.target), inventory(place.source));
    t.match(statistics, { files: 6, others: 6, bytes: 100_000 + largeBytes });
    const again = await bringBack(repository, place, { workers, overwrite: 'if-changed' });
    t.match(again.statistics, { files: 0, others: 0, skipped: 12 });
    await bringBack(repository, place, { workers, overwrite: 'always' });
    assertLinked(t, place.target);
    t.strictSame(inventory(place.target), inventory(place.source));
  });
}

t.test('links: a part of a group works, whichever it is', async (t) => {
  const { place, repository } = await backUpLinks(t);
  await bringBack(repository, place, { paths: ['b', 'c'].map((folder) => join(place.source, folder)) });
  for (const name of names) t.equal(inodeOf(join(place.target, 'b', name)), inodeOf(join(place.target, 'c', `${name}-2`)), name);
  t.equal(statSync(join(place.target, 'b', 'file')).nlink, 2);
  t.strictSame(readFileSync(join(place.target, 'c', 'file-2')), readFileSync(join(place.source, 'a', 'file')));
});

t.test('links: if-changed links again what is right but a thing of its own', async (t) => {
  const { place, repository } = await backUpLinks(t);
  await bringBack(repository, place);
  rmSync(join(place.target, 'b', 'file'));
  execFileSync('cp', ['-p', join(place.target, 'a', 'file'), join(place.target, 'b', 'file')]);
  rmSync(join(place.target, 'c', 'link-2'));
  await bringBack(repository, place, { overwrite: 'if-changed' });
  assertLinked(t, place.target);
});

t.test('links: what is kept is never linked to', async (t) => {
  const { place, repository } = await backUpLinks(t);
  mkdirSync(join(place.target, 'a'), { recursive: true });
  writeFileSync(join(place.target, 'a', 'file'), 'mine');
  await bringBack(repository, place, { overwrite: 'never' });
  t.equal(readFileSync(join(place.target, 'a', 'file'), 'utf8'), 'mine');
  t.equal(statSync(join(place.target, 'a', 'file')).nlink, 1);
  t.strictSame(readFileSync(join(place.target, 'b', 'file')), readFileSync(join(place.source, 'a', 'file')));
  t.equal(inodeOf(join(place.target, 'b', 'file')), inodeOf(join(place.target, 'c', 'file-2')));
});

t.test('links: a dry run counts every name', async (t) => {
  const { place, repository } = await backUpLinks(t);
  const { statistics } = await bringBack(repository, place, { dryRun: true });
  t.match(statistics, { files: 6, others: 6 });
});

t.test('links: if the content is lost, every name is', async (t) => {
  const { place, repository } = await backUpLinks(t);
  for (const path of packsOf(place, 'data')) removePack(path);
  const { errors } = await bringBack(repository, place);
  t.strictSame(errors.map(({ path }) => textOf(path).slice(place.source.length + 1)).sort(), [
    'a/file',
    'a/large',
    'b/file',
    'b/large',
    'c/file-2',
    'c/large-2',
  ]);
});

t.test('links: where the system refuses a link there is a copy, and it is said', needsRoot, async (t) => {
  const { place, repository } = await backUpLinks(t);
  mkdirSync(join(place.target, 'b'), { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'none', join(place.target, 'b')], { stdio: 'ignore' });
  } catch {
    t.comment('mounting is not allowed here');
    return;
  }
  t.teardown(() => execFileSync('umount', [join(place.target, 'b')]));
  const { errors, notRestored } = await bringBack(repository, place);
  t.strictSame(errors, []);
  t.match(notRestored, [{ kind: 'link', count: 4, reason: 'EXDEV' }]);
  for (const name of names)
    t.equal(inodeOf(join(place.target, 'a', name)), inodeOf(join(place.target, 'c', `${name}-2`)), 'the others are linked');
  for (const name of ['file', 'large'])
    t.ok(readFileSync(join(place.target, 'b', name)).equals(readFileSync(join(place.source, 'a', name))), name);
});

t.test('links: a folder in the place of a name is an error if it is not empty, and the others are linked', async (t) => {
  const { place, repository } = await backUpLinks(t);
  mkdirSync(join(place.target, 'b', 'file', 'mine'), { recursive: true });
  mkdirSync(join(place.target, 'b', 'large'));
  const { errors, notRestored } = await bringBack(repository, place, { overwrite: 'always' });
  t.strictSame(
    errors.map(({ path, code }) => [textOf(path), code]),
    [[join(place.source, 'b', 'file'), 'exists']],
  );
  t.strictSame(notRestored, []);
  t.equal(inodeOf(join(place.target, 'a', 'file')), inodeOf(join(place.target, 'c', 'file-2')));
  t.equal(inodeOf(join(place.target, 'a', 'large')), inodeOf(join(place.target, 'b', 'large')));
});

t.test('links: flags come after the last name', needsRoot, async (t) => {
  const place = makePlace(t);
  writeFileSync(join(place.source, 'one'), 'content');
  linkSync(join(place.source, 'one'), join(place.source, 'two'));
  try {
    execFileSync('chattr', ['+i', join(place.source, 'one')], { stdio: 'ignore' });
  } catch {
    t.comment('this file system has no flags');
    return;
  }
  const repository = await backUp(place);
  const { errors, notRestored } = await bringBack(repository, place);
  t.strictSame([errors, notRestored], [[], []]);
  t.equal(inodeOf(join(place.target, 'one')), inodeOf(join(place.target, 'two')));
  t.match(execFileSync('lsattr', [join(place.target, 'two')], { encoding: 'utf8' }), /i/);
});
