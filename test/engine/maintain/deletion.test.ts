/** Who deletes judges by a root that may be an old one by then. */
import t from 'tap';
import { deleteSuperfluous } from '../../../engine/maintain/_deletion.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import {
  beginSession,
  commitSnapshot,
  listCheckpoints,
  readCatalogueRecord,
  readRoot,
  writeCheckpoint,
} from '../../../engine/repository/mod.ts';
import type { Storage } from '../../../engine/storage/mod.ts';
import { objectNames } from '../../../repo-format/mod.ts';
import { copyOf as copyOfStorage, namesIn, sampleSnapshot } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { expectSound, files, leaveLitter, newHistory, over, packs, snapshotOf } from './_fixture.ts';

const deletion = { onDeleted: () => undefined, signal: undefined };
const nothing = { tree: null, packs: null, listPacks: [] };

t.test('deletion: one that sleeps while a checkpoint is catalogued leaves it, though a late commit of its session is there', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  await snapshotOf(history, files('a', 1));
  const session = await beginSession(repository);
  const ended = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };
  await writeCheckpoint(repository, { session, number: 0, snapshot: sampleSnapshot(session, { ...nothing, ended, partial: true }) });
  const root = await readRoot(repository);
  let listings = 0;
  const sleeping = new FaultyStorage(repository.storage, {
    onCall: async (operation, name) => {
      if (operation !== 'list' || name !== 'writer/snapshots/' || ++listings !== 2) return;
      // Another collector passes the session and catalogues its checkpoint; then its commit comes, which never counts.
      await leaveLitter(repository);
      await maintain(repository);
      await t.rejects(commitSnapshot(repository, { session, snapshot: sampleSnapshot(session, nothing) }), { code: 'superseded' });
    },
  });
  await deleteSuperfluous(over(history, sleeping).repository, root, deletion);
  t.equal(listings, 2, 'it slept between its root and its judgement');
  const { checkpoints } = await readCatalogueRecord(repository, await readRoot(repository));
  t.match(checkpoints, [{ session: session.id, number: 0 }]);
  const [checkpoint] = await listCheckpoints(repository);
  t.match(checkpoint, { id: session.id, name: objectNames.checkpoint(session.generation, session.id, 0) });
});

t.test('deletion: packs are deleted only if the root is the one that dooms them, right before each call', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  await snapshotOf(history, files('a', 1));
  await leaveLitter(repository);
  // Killed before it deletes: a pack is doomed.
  const killed = new FaultyStorage(repository.storage, {
    onCall: (operation) => {
      if (operation === 'delete') throw new Error('killed');
    },
  });
  await t.rejects(maintain({ ...repository, storage: killed }), { message: 'killed' });
  const root = await readRoot(repository);
  t.equal((await packs(history)).length, 3);

  const whileItLists = (act: (storage: Storage) => Promise<void>) => async () => {
    const storage = await copyOfStorage(repository.storage);
    const sleeping = new FaultyStorage(storage, {
      onCall: async (operation, name) => {
        if (operation === 'list' && name === 'collector/packs/') await act(storage);
      },
    });
    const deleted = await deleteSuperfluous({ ...repository, storage: sleeping }, root, deletion);
    return { deleted, left: (await namesIn(storage, 'writer/packs/')).length };
  };
  const undisturbed = await whileItLists(async () => undefined)();
  t.match(undisturbed, { deleted: { packs: 1 }, left: 2 });
  const replaced = await whileItLists(async (storage) => {
    await leaveLitter({ ...repository, storage });
    await maintain({ ...repository, storage });
  })();
  t.match(replaced.deleted, { packs: 0, objects: 0 }, 'another collector has replaced the root, and has deleted');
  await t.rejects(
    whileItLists((storage) => storage.delete([objectNames.root(root.number)])),
    { code: 'rolled-back', object: objectNames.root(root.number) },
  );
  await maintain(repository);
  await expectSound(t, history);
});
