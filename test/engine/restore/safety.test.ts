import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EntryRestorer, type LeafEntry } from '../../../engine/restore/_entry-restorer.ts';
import { JobReport } from '../../../engine/restore/_job-report.ts';
import { closeDescriptor, openRoot } from '../../../engine/system/mod.ts';
import { entryFields } from '../../spec/entry-fields.ts';
import { backUp, backUpSample, bringBack, inventory, makePlace, rules } from './_helpers.ts';

t.test('restore: links that were planted in the target lead nowhere', async (t) => {
  const { place, repository } = await backUpSample(t);
  const outside = join(place.path, 'outside');
  mkdirSync(join(outside, 'deeper'), { recursive: true });
  writeFileSync(join(outside, 'file'), 'mine');
  const before = inventory(outside);
  for (const overwrite of ['never', 'if-newer', 'if-changed', 'always'] as const) {
    const target = join(place.path, overwrite);
    mkdirSync(join(target, 'empty'), { recursive: true });
    symlinkSync(outside, join(target, 'below'));
    symlinkSync(join(outside, 'new'), join(target, 'a'));
    symlinkSync(join(outside, 'file'), join(target, 'z'));
    symlinkSync(join(outside, 'file'), join(target, 'fifo'));
    symlinkSync(outside, join(target, 'empty', 'extra'));
    await bringBack(repository, place, { target, overwrite, delete: true });
    t.strictSame(inventory(outside), before, overwrite);
  }
});

t.test('restore: whoever swaps folders for links while they are restored gets nothing written, changed or deleted elsewhere', async (t) => {
  const place = makePlace(t);
  const count = 60;
  for (let folder = 0; folder < count; folder++) {
    mkdirSync(join(place.source, 'swapped', `folder${folder}`, 'below'), { recursive: true });
    for (const file of ['a', 'below/b']) writeFileSync(join(place.source, 'swapped', `folder${folder}`, file), `${folder}`);
  }
  const outside = join(place.path, 'outside');
  const aside = join(place.path, 'aside');
  mkdirSync(join(outside, 'below'), { recursive: true });
  mkdirSync(aside);
  for (const file of ['mine', 'below/mine']) writeFileSync(join(outside, file), 'precious');
  const repository = await backUp(place);
  await bringBack(repository, place);
  const before = inventory(outside);
  const swapped = join(place.target, 'swapped');
  const swapper = spawn(process.execPath, [join(import.meta.dirname, '_swap-child.ts'), swapped, `${count}`, outside, aside], {
    stdio: 'ignore',
  });
  try {
    for (let round = 0; round < 40; round++)
      await bringBack(repository, place, { overwrite: 'always', delete: true, workers: round % 10 === 0 ? 2 : 1 });
  } finally {
    swapper.kill('SIGKILL');
    await new Promise((resolve) => swapper.once('exit', resolve));
  }
  t.strictSame(inventory(outside), before);
});

t.test('EntryRestorer: a name that is no single component makes nothing, even if a decoder let it through', async (t) => {
  const place = makePlace(t);
  mkdirSync(join(place.path, 'in'));
  const folder = openRoot(join(place.path, 'in'));
  t.teardown(() => closeDescriptor(folder));
  const report = new JobReport();
  const rules = {
    overwrite: 'always',
    delete: true,
    emptiness: 'as-stored',
    numericOwner: true,
    dryRun: false,
    umask: 0o022,
    protectedFolders: [],
  } as const;
  const restorer = new EntryRestorer({ rules, report, content: { write: async () => 0 } });
  const time = { seconds: 0, nanoseconds: 0 };
  const fields = { mode: 0o644, uid: 0, gid: 0, userName: '', groupName: '', mtime: time, ctime: time, inode: 1, extensions: {} };
  for (const text of ['..', '.', '', '../out', 'a/b', '/tmp/out', 'nul\0']) {
    const name = Buffer.from(text);
    const entries: LeafEntry[] = [
      { ...fields, name, type: 'file', size: 0, content: { form: 'none' } },
      { ...fields, name, type: 'symlink', target: Buffer.from('/') },
      { ...fields, name, type: 'fifo' },
    ];
    for (const existed of [false, true]) {
      for (const entry of entries)
        t.equal(await restorer.restore(entry, { descriptor: folder, existed, inherits: false }, 0), 'failed', JSON.stringify(text));
    }
  }
  t.equal(report.take().faults.length, 42);
  t.strictSame(readdirSync(join(place.path, 'in')), []);
  t.notOk(existsSync(join(place.path, 'out')));
});

t.test('EntryRestorer: a file that the backup could not read wholly is restored as far as it goes, and reported', async (t) => {
  const place = makePlace(t);
  const folder = openRoot(place.source);
  t.teardown(() => closeDescriptor(folder));
  const report = new JobReport();
  const restorer = new EntryRestorer({ rules, report, content: { write: async () => 5 } });
  const time = { seconds: 5, nanoseconds: 0 };
  const extensions = { readError: { code: 'EIO', message: 'reading failed' } };
  const entry: LeafEntry = {
    ...entryFields,
    name: Buffer.from('file'),
    type: 'file',
    mtime: time,
    ctime: time,
    size: 9,
    content: { form: 'none' },
    extensions,
  };
  t.equal(await restorer.restore(entry, { descriptor: folder, existed: false, inherits: false }, 0), 'restored');
  const { faults } = report.take();
  t.match(faults, [{ code: 'incomplete', isNote: false }]);
  t.ok(existsSync(join(place.source, 'file')));
});
