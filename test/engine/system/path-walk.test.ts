import { execFileSync } from 'node:child_process';
import { fstatSync } from 'node:fs';
import t from 'tap';
import { closeDescriptor, DirectoryStack, joinPath, openRoot, scanDirectory } from '../../../engine/system/mod.ts';
import { bytes, makeDeep, openTestFolder, refusalOf } from './_helpers.ts';

t.test('DirectoryStack: walks 1000 levels down and up with four descriptors', async (t) => {
  const { folder } = openTestFolder(t);
  const parts = Array.from({ length: 1000 }, (_, index) => bytes(`level-${index}`));
  closeDescriptor(makeDeep(folder, parts));
  const stack = new DirectoryStack(folder, { maxOpen: 4 });
  const inodes: number[] = [];
  const before = countDescriptors();
  for (const part of parts) inodes.push(fstatSync(stack.enter(part)).ino);
  t.ok(countDescriptors() - before <= 4);
  t.equal(stack.depth, 1000);
  t.strictSame(stack.path, joinPath(parts));
  for (let depth = 999; depth > 0; depth--) {
    if (fstatSync(stack.leave()).ino !== inodes[depth - 1]) t.fail(`another folder at depth ${depth}`);
  }
  t.equal(stack.leave(), folder);
  t.equal(countDescriptors(), before);
});

t.test('DirectoryStack.leave: another folder in the place of one that was closed is ESTALE', async (t) => {
  const { path, folder } = openTestFolder(t);
  const parts = ['a', 'b', 'c', 'd', 'e'].map(bytes);
  closeDescriptor(makeDeep(folder, parts));
  using stack = new DirectoryStack(folder, { maxOpen: 2 });
  for (const part of parts) stack.enter(part);
  execFileSync('sh', ['-c', 'mv a old && mkdir -p a/b/c/d/e'], { cwd: path });
  stack.leave();
  t.match(
    refusalOf(() => stack.leave()),
    { errno: 'ESTALE' },
  );
});

function countDescriptors(): number {
  const own = openRoot('/proc/self/fd');
  const count = scanDirectory(own).count;
  closeDescriptor(own);
  return count;
}
