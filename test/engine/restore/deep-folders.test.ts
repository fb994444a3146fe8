import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { RestoreReport } from '../../../engine/restore/_report.ts';
import { TargetFolder, TargetFolders } from '../../../engine/restore/_target-folders.ts';
import { FileStatus, statDescriptor } from '../../../engine/system/mod.ts';
import { isLaganError } from '../../../repo-format/mod.ts';
import { makePlace, type Place, rules } from './_helpers.ts';

/** A chain of folders in a target, made as a walk makes it; `chain[n]` is n levels below the target. */
function chainOf(t: Test, levels: number): { place: Place; folders: TargetFolders; chain: TargetFolder[] } {
  const place = makePlace(t);
  const root = new TargetFolder({ parent: undefined, name: new Uint8Array(0), entry: undefined, isAbove: false });
  const pathOf = () => Buffer.from('/');
  const folders = new TargetFolders(root, { rules, report: new RestoreReport({}), pathOf, purpose: 'restore' });
  t.teardown(() => folders.close());
  folders.openRoot(place.target);
  const chain = [root];
  for (let level = 1; level <= levels; level++)
    chain.push(new TargetFolder({ parent: chain.at(-1), name: Buffer.from('a'), entry: undefined, isAbove: false }));
  for (const folder of chain.slice(1)) folders.make(folder);
  return { place, folders, chain };
}

function pathAt({ target }: Place, level: number): string {
  return join(target, ...Array<string>(level).fill('a'));
}

/** Errno of the error that is thrown; undefined if none is. */
function errnoOf(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return isLaganError(error) ? error.errno : String(error);
  }
}

t.test('TargetFolders: a thousand levels take a bounded number of descriptors, on the way down and up', (t) => {
  const before = readdirSync('/proc/self/fd').length;
  const { folders, chain } = chainOf(t, 1_000);
  let most = 0;
  for (const [index, folder] of chain.toReversed().entries()) {
    if (folders.descriptorOf(folder) < 0) t.fail(`level ${folder.depth}`);
    if (index % 100 === 0) most = Math.max(most, readdirSync('/proc/self/fd').length);
    folders.release(folder);
  }
  t.ok(most - before <= 130, `${most - before} open`);
  t.end();
});

t.test('TargetFolders: the way back to a folder far below begins at the nearest that is open, not at the top', (t) => {
  const { place, folders, chain } = chainOf(t, 200);
  const outside = join(place.path, 'outside');
  mkdirSync(join(outside, ...Array<string>(200).fill('a')), { recursive: true });
  renameSync(pathAt(place, 10), join(place.path, 'aside'));
  symlinkSync(outside, pathAt(place, 10));
  t.equal(chain[100]!.descriptor, -1, 'it was closed');
  const { inode } = statDescriptor(folders.descriptorOf(chain[100]!), new FileStatus());
  t.equal(inode, chain[100]!.identity?.inode);
  t.end();
});

t.test('TargetFolders: a folder that was swapped below the nearest open one is not taken for the one that was made', (t) => {
  const { place, folders, chain } = chainOf(t, 200);
  const aside = join(place.path, 'aside');
  const chainBelow = Array<string>(30).fill('a');
  renameSync(pathAt(place, 90), aside);
  mkdirSync(join(pathAt(place, 90), ...chainBelow), { recursive: true });
  for (const level of [90, 100])
    t.equal(
      errnoOf(() => folders.descriptorOf(chain[level]!)),
      'ESTALE',
      `another folder at level ${level}`,
    );
  rmSync(pathAt(place, 90), { recursive: true });
  symlinkSync(aside, pathAt(place, 90));
  for (const level of [90, 100])
    t.match(
      errnoOf(() => folders.descriptorOf(chain[level]!)),
      /ELOOP|ENOTDIR/,
      `a link at level ${level}`,
    );
  rmSync(pathAt(place, 90));
  renameSync(aside, pathAt(place, 90));
  for (const level of [90, 100]) t.ok(folders.descriptorOf(chain[level]!) >= 0, `the folder itself at level ${level}`);
  t.end();
});
