/** While a pack is stored, the next one is filled. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { backupWithin } from '../../../engine/backup/backup.ts';
import { createRepository, listSnapshots, type Repository } from '../../../engine/repository/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { LaganError } from '../../../repo-format/mod.ts';
import { randomBytesOf } from '../random.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { contentsOf, secret, write } from './_fixture.ts';

const MiB = 1024 * 1024;
const isPack = (name: string) => name.startsWith('writer/packs/');

/** A source that fills several packs of the smallest size, and a store that fails as it is told. */
async function makeParts(t: Test): Promise<{ source: string; store: FaultyStorage; repository: Repository; bytes: Uint8Array }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lagan-packs-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const bytes = randomBytesOf('packs ahead', 5 * MiB);
  write(folder, 'file', bytes);
  const store = new FaultyStorage(new InMemory());
  const repository = await createRepository(store, { slots: [{ secret, label: 'test' }], packSizeBytes: 1 * MiB, patienceMs: 0 });
  return { source: folder, store, repository, bytes };
}

t.test('backup: the next pack is filled while one is stored, and no more than one', async (t) => {
  const { source, store, repository, bytes } = await makeParts(t);
  const { promise: isFilling, resolve: filling } = Promise.withResolvers<void>();
  let [begun, stored, most] = [0, 0, 0];
  store.plan = {
    onCall: async (operation, name) => {
      if (!isPack(name)) return;
      if (operation === 'createWriter') {
        most = Math.max(most, ++begun - stored);
        if (begun === 2) filling();
      }
      if (operation !== 'commit') return;
      // Of the first pack: it takes until the second one is begun.
      await isFilling;
      stored++;
    },
  };
  await backupWithin(repository, { paths: [source], workers: 1, compression: 'none' }, {});
  t.ok(begun > 4);
  // One of content that is stored, one that is filled, and one of metadata.
  t.ok(most <= 3, `${most} packs at a time`);
  t.same((await contentsOf(repository, source)).get('file'), Buffer.from(bytes));
});

t.test('backup: a pack that cannot be stored ends it, whatever was filled meanwhile', async (t) => {
  for (const call of [1, 2, 3, 6]) {
    const { source, store, repository } = await makeParts(t);
    store.plan = { faults: [{ operation: 'commit', name: /^writer\/packs/, call, error: () => new LaganError('no-space', 'full') }] };
    await t.rejects(backupWithin(repository, { paths: [source], workers: 1, compression: 'none' }, {}), { code: 'no-space' });
    t.same(await listSnapshots(repository), []);
  }
});
