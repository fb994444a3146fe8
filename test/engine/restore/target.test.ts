import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { backUp, backUpSample, bringBack, codeOf, inventory, makePlace, needsRoot, pseudoRandom } from './_helpers.ts';

/** Mounts a small file system there; false where that is not allowed. */
function mount(t: Test, folder: string, options: string): boolean {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', folder], { stdio: 'ignore' });
  } catch {
    t.comment('mounting is not allowed here');
    return false;
  }
  t.teardown(() => execFileSync('umount', [folder]));
  return true;
}

t.test('restore: a target without room ends it with no-space, and nothing is half there', needsRoot, async (t) => {
  const place = makePlace(t);
  for (let index = 0; index < 10; index++) writeFileSync(join(place.source, `file${index}`), pseudoRandom(1_500_000, index));
  const repository = await backUp(place);
  if (!mount(t, place.target, 'size=6m')) return;
  for (const workers of [1, 2]) {
    t.equal(await codeOf(bringBack(repository, place, { workers, overwrite: 'always' })), 'no-space');
    const [left, expected] = [inventory(place.target), inventory(place.source)];
    for (const name of readdirSync(place.target)) t.equal(left[name], expected[name], name);
  }
});

t.test('restore: a read-only target ends it with read-only', needsRoot, async (t) => {
  const { place, repository } = await backUpSample(t);
  if (!mount(t, place.target, 'ro')) return;
  t.equal(await codeOf(bringBack(repository, place)), 'read-only');
});

t.test('restore: a target that is no folder is refused', async (t) => {
  const { place, repository } = await backUpSample(t);
  writeFileSync(place.target, 'a file');
  t.equal(await codeOf(bringBack(repository, place)), 'io');
});

t.test('restore: folders above the target are made, a symbolic link in its path is followed', async (t) => {
  const { place, repository } = await backUpSample(t);
  mkdirSync(join(place.path, 'elsewhere'));
  execFileSync('ln', ['-s', 'elsewhere', join(place.path, 'link')]);
  await bringBack(repository, place, { target: join(place.path, 'link', 'new', 'target') });
  t.strictSame(inventory(join(place.path, 'elsewhere', 'new', 'target')), inventory(place.source));
});
