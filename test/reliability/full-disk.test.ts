/** A real disk that is full: a small file system in memory that has room for a little more each time, so that every write is once the one that does not fit. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { createRepository } from '../../engine/repository/mod.ts';
import { LocalFolder } from '../../engine/storage/mod.ts';
import { isLaganError, type SnapshotId } from '../../repo-format/mod.ts';
import { randomBytesOf } from '../engine/random.ts';
import { collect } from '../simulation/engine-calls.ts';
import { backUp, faultsOf, fill, open, type Sample, scratchFolder, secret } from './_crash-points.ts';

const pageBytes = 4096;

function mount(...options: string[]): boolean {
  try {
    execFileSync('mount', options, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

// On a busy machine.
t.setTimeout(1_200_000);

t.test('backup: a real disk that is full at each write ends it with no-space; with room again the next one is whole', async (t) => {
  const folder = scratchFolder(t);
  const [disk, source] = [path.join(folder, 'disk'), path.join(folder, 'source')];
  for (const made of [disk, source]) fs.mkdirSync(made);
  if (!mount('-t', 'tmpfs', '-o', 'size=16m', 'lagan-test', disk)) {
    t.comment('skipped: this user may not mount');
    return;
  }
  t.teardown(() => execFileSync('umount', ['-l', disk]));
  const storage = new LocalFolder(path.join(disk, 'repository'));
  await createRepository(storage, { slots: [{ secret, label: 'key' }], blockSizeBytes: 1024, packSizeBytes: 8192, patienceMs: 0 });
  const sample: Sample = { folder, source, storage: storage as unknown as Sample['storage'], expected: new Map() };
  const contents = new Map(Array.from({ length: 6 }, (_, file) => [`file-${file}`, randomBytesOf(`full ${file}`, 5000)] as const));
  fill(source, contents);
  let full = 0;
  for (let room = 0; ; room++) {
    const { blocks, bfree, bsize } = fs.statfsSync(disk);
    mount('-o', `remount,size=${(blocks - bfree) * bsize + room * pageBytes}`, disk);
    const outcome = await open(storage)
      .then((repository) => backUp(repository, source))
      .catch((error: unknown) => error);
    if (typeof outcome === 'string') {
      sample.expected.set(outcome as SnapshotId, contents);
      break;
    }
    full++;
    if (!isLaganError(outcome, 'no-space')) return t.fail(`with ${room} pages free: ${outcome}`);
    mount('-o', 'remount,size=16m', disk);
    // What the attempt left is litter, so that the next one has to write all of it again.
    await collect(await open(storage));
  }
  t.ok(full > 5, `full ${full} times`);
  mount('-o', 'remount,size=16m', disk);
  t.same(await faultsOf(sample), []);
  t.same(fs.readdirSync(path.join(disk, 'repository/temporary')), []);
});
