/** A folder that stands for `/`: where it is is not in the snapshot, and what it is like itself is. */
import { chmodSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { copySnapshots } from '../../../engine/copy/mod.ts';
import { createRepository, listSnapshots, type SnapshotInfo } from '../../../engine/repository/mod.ts';
import { restore } from '../../../engine/restore/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { backUp, contentsOf, makePlace, newest, secret, write } from './_fixture.ts';

const whole = { paths: ['/'], host: 'cluster', source: 'a volume' } as const;
const modified = new Date('2020-02-02T02:02:02Z');

t.test('backup: a folder that stands for / is known again wherever it is, and nothing of it is read twice', async (t) => {
  const place = await makePlace(t);
  for (let file = 0; file < 5; file++) write(place.source, `folder/file-${file}`, `content ${file}`);
  const first = await backUp(place, { ...whole, root: place.source });
  const moved = path.join(place.folder, 'moved');
  renameSync(place.source, moved);
  const second = await backUp({ ...place, source: moved }, { ...whole, root: moved });
  t.equal(second.parent, first.snapshotId);
  t.equal(second.statistics.unchangedFiles, 5);
  t.equal(second.statistics.newBytes, 0);
  const { snapshot } = await newest(place.repository);
  t.match(snapshot, { host: 'cluster', source: 'a volume' });
  t.same(
    snapshot.paths.map(String),
    [String(Buffer.from('/'))].map((text) => String(new Uint8Array(Buffer.from(text)))),
  );
  t.same(
    [...(await contentsOf(place.repository, '/')).keys()].sort(),
    [0, 1, 2, 3, 4].map((file) => `folder/file-${file}`),
  );
  await backUp(place, { ...whole, root: moved, paths: ['/folder/file-3', '/folder/file-4'], source: 'a part' });
  t.same([...(await contentsOf(place.repository, '/')).keys()].sort(), ['folder/file-3', 'folder/file-4']);
});

t.test(
  'backup: what a folder that stands for / is like itself comes back, also through a copy, and if there is nothing in it',
  async (t) => {
    const place = await makePlace(t);
    for (const files of [1, 0]) {
      if (files === 0) rmSync(path.join(place.source, 'file'));
      else write(place.source, 'file', 'content');
      chmodSync(place.source, 0o2751);
      utimesSync(place.source, modified, modified);
      const { snapshotId } = await backUp(place, { ...whole, root: place.source });
      t.ok(snapshotId !== null);
    }
    const other = await createRepository(new InMemory(), { slots: [{ secret, label: 'other' }], patienceMs: 0 });
    await copySnapshots(place.repository, other, { snapshots: await listSnapshots(place.repository) });
    for (const repository of [place.repository, other]) {
      const snapshots = await listSnapshots(repository);
      t.equal(snapshots.length, 2);
      for (const [index, info] of snapshots.entries()) {
        const target = path.join(place.folder, `target-${index}`);
        rmSync(target, { recursive: true, force: true });
        mkdirSync(target);
        const { errors } = await restore(repository, info, { target, workers: 1 });
        t.same(errors, []);
        const { mode, mtimeMs } = statSync(target);
        t.equal(mode & 0o7777, 0o2751);
        t.equal(mtimeMs, modified.getTime());
      }
    }
  },
);

t.test('backup: a change of / itself is a change', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'file', 'content');
  const again = () => backUp(place, { ...whole, root: place.source, skipIfUnchanged: true });
  t.equal((await again()).unchangedFromParent, false);
  t.match(await again(), { unchangedFromParent: true, snapshotId: null });
  chmodSync(place.source, 0o700);
  t.match(await again(), { unchangedFromParent: false, snapshotId: String });
});

t.test('backup: nothing leads out of a folder that stands for /, and what is not in it is told of', async (t) => {
  const place = await makePlace(t);
  write(place.folder, 'outside/secret', 'not to be read');
  write(place.source, 'file', 'content');
  symlinkSync('../outside', path.join(place.source, 'link'));
  const { errors } = await backUp(place, { ...whole, root: place.source, paths: ['/link/secret', '/gone', '/file'] });
  t.same(errors.map((error) => Buffer.from(error.path).toString()).sort(), ['/gone', '/link']);
  t.same([...(await contentsOf(place.repository, '/')).keys()], ['file']);
  const { snapshot } = await newest(place.repository);
  t.notOk('top' in snapshot.extensions, 'of / itself only what is in it was asked for');
  await t.rejects(backUp(place, { ...whole, root: place.source, paths: ['/gone'] }), { code: 'source-empty' });
});

t.test('backup: the snapshot to compare with may be chosen by whoever knows the source better', async (t) => {
  const place = await makePlace(t);
  write(place.source, 'file', 'content');
  const { snapshotId } = await backUp(place, { ...whole, root: place.source, source: 'the old name', tags: ['same'] });
  const parent = (snapshots: readonly SnapshotInfo[]) => snapshots.findLast(({ tags }) => tags.includes('same'));
  const renamed = await backUp(place, { ...whole, root: place.source, source: 'the new name', parent });
  t.match(renamed, { parent: snapshotId, statistics: { unchangedFiles: 1 } });
  const strange = await backUp(place, { ...whole, root: place.source, source: 'the newest name', parent: () => undefined });
  t.match(strange, { parent: null, statistics: { unchangedFiles: 0 } });
});
