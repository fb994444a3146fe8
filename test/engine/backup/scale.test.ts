/** Many entries in one folder, and folders in folders in folders: memory does not grow with them. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import t from 'tap';
import { walkSnapshot } from '../../../engine/look/mod.ts';
import { closeDescriptor, createFile, DirectoryStack, makeDirectory, openRoot } from '../../../engine/system/mod.ts';
import { limits } from '../../../repo-format/mod.ts';
import { canRunAs, runChild } from './_backup-child.ts';
import { backUp, makePlace, newest } from './_fixture.ts';

t.test('backup: 200,000 entries in one folder need hardly more memory than 10,000', async (t) => {
  const peaks: number[] = [];
  for (const count of [10_000, 200_000]) {
    const place = await makePlace(t);
    const folder = openRoot(place.source);
    const name = Buffer.from('entry-0000000');
    for (let index = 0; index < count; index++) {
      name.write(String(index).padStart(7, '0'), 6);
      closeDescriptor(createFile(folder, name));
    }
    closeDescriptor(folder);
    for (const unchangedFiles of [0, count]) {
      const child = runChild({ repository: place.repositoryFolder, source: place.source });
      t.match(child.answer, { errors: [], statistics: { files: count, unchangedFiles } }, child.stderr);
      t.comment(`${count} entries, ${unchangedFiles} unchanged: ${child.answer!.peakMiB} MiB`);
      peaks.push(child.answer!.peakMiB);
    }
  }
  const [smallFirst, smallUnchanged, largeFirst, largeUnchanged] = peaks as [number, number, number, number];
  t.ok(largeFirst - smallFirst < 100, 'first');
  t.ok(largeUnchanged - smallUnchanged < 60, 'unchanged');
});

t.test('backup: 3,000 folders in each other', async (t) => {
  const depth = 3_000;
  const place = await makePlace(t);
  const root = openRoot(place.source);
  const stack = new DirectoryStack(root);
  const name = Buffer.from('d');
  for (let level = 0; level < depth; level++) {
    makeDirectory(stack.current, name, 0o755);
    stack.enter(name);
    if (level % 500 === 499) closeDescriptor(createFile(stack.current, Buffer.from('file')));
  }
  stack.close();
  closeDescriptor(root);
  const { statistics, errors } = await backUp(place);
  t.same(errors, []);
  t.ok(statistics.directories >= depth);
  t.equal(statistics.files, 6);
  let [folders, files] = [0, 0];
  for await (const { entry } of walkSnapshot(place.repository, await newest(place.repository), {
    path: new Uint8Array(Buffer.from(place.source)),
  })) {
    if (entry.type === 'directory') folders++;
    else files++;
  }
  t.same([folders, files], [depth, 6]);
  t.match(await backUp(place), { unchangedFromParent: true, statistics: { unchangedFiles: 6 } });
});

t.test(
  'backup: what lies so deep that no path leads there is left out, and the snapshot, which has no room for where that is, can be read',
  { skip: !canRunAs(65_534) && 'there is no other user to be' },
  async (t) => {
    const place = await makePlace(t);
    const root = openRoot(place.source);
    const stack = new DirectoryStack(root);
    const name = Buffer.from('x'.repeat(255));
    for (let level = 0; level < 300; level++) {
      makeDirectory(stack.current, name, 0o755);
      stack.enter(name);
    }
    closeDescriptor(createFile(stack.current, Buffer.from('closed'), 0o000));
    stack.close();
    closeDescriptor(root);
    fs.chmodSync(place.folder, 0o755);
    spawnSync('chown', ['-R', '65534:65534', place.repositoryFolder]);
    const child = runChild({ repository: place.repositoryFolder, source: place.source }, { uid: 65_534 });
    t.match(child.answer?.errors, [{ code: 'limit-exceeded' }], child.stderr);
    const { errors } = (await newest(place.repository)).snapshot;
    t.equal(errors[0]!.path.length, limits.pathSizeBytes);
  },
);
