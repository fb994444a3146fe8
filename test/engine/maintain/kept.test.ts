/** What a collection must leave: each of these is one condition away from being deleted, repacked or written anew. */
import t from 'tap';
import { deleteSuperfluous } from '../../../engine/maintain/_deletion.ts';
import { maintainLimits } from '../../../engine/maintain/_limits.ts';
import { maintain, recover } from '../../../engine/maintain/mod.ts';
import {
  annotateSnapshot,
  beginSession,
  commitSnapshot,
  holdSnapshots,
  listSnapshots,
  markSnapshots,
  readCatalogueRecord,
  readRoot,
  writeCheckpoint,
} from '../../../engine/repository/mod.ts';
import { objectNames, objectPrefixes } from '../../../repo-format/mod.ts';
import { namesIn, replaceObject, sampleSnapshot } from '../repository/sample.ts';
import {
  expectSound,
  files,
  forget,
  leaveLitter,
  newHistory,
  newHistoryOfSmallPacks,
  packs,
  snapshotOf,
  snapshotOfExactly,
  someOf,
} from './_fixture.ts';

const deletion = { onDeleted: () => undefined, signal: undefined };
const nothing = { tree: null, packs: null, listPacks: [] };
const ended = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };

t.test(
  'deletion: of an unfinished backup the newest checkpoint stays, before and after the catalogue has it; of a finished one none does',
  async (t) => {
    const history = await newHistory(t);
    const { repository } = history;
    await snapshotOf(history, files('a', 1));
    const [unfinished, finished] = [await beginSession(repository), await beginSession(repository)];
    const sample = (session: typeof unfinished) => sampleSnapshot(session, { ...nothing, ended, partial: true });
    for (const number of [0, 1]) await writeCheckpoint(repository, { session: unfinished, number, snapshot: sample(unfinished) });
    await writeCheckpoint(repository, { session: finished, number: 0, snapshot: sample(finished) });
    await commitSnapshot(repository, { session: finished, snapshot: sampleSnapshot(finished, nothing) });
    const newest = objectNames.checkpoint(unfinished.generation, unfinished.id, 1);
    await deleteSuperfluous(repository, await readRoot(repository), deletion);
    t.same(await namesIn(repository.storage, objectPrefixes.checkpoints), [newest]);
    for (let round = 0; round < maintainLimits.checkpointCollections; round++) {
      await leaveLitter(repository);
      await maintain(repository);
      const { checkpoints } = await readCatalogueRecord(repository, await readRoot(repository));
      t.match(checkpoints, [{ session: unfinished.id, number: 1 }]);
      t.same(await namesIn(repository.storage, objectPrefixes.checkpoints), [newest], `after ${round + 1} collections`);
    }
    for (let round = 0; round < 2; round++) {
      await leaveLitter(repository);
      await maintain(repository);
    }
    t.same(await namesIn(repository.storage, objectPrefixes.checkpoints), [], 'given up, as nobody goes on with it');
  },
);

t.test('deletion: what the owner says of a snapshot that no catalogue has yet stays', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  await snapshotOf(history, files('a', 1));
  await leaveLitter(repository);
  await maintain(repository);
  const id = await snapshotOf(history, files('b', 1));
  await annotateSnapshot(repository, id, { addTags: ['mine'] });
  await holdSnapshots(repository, [id], { until: null, reason: 'test' });
  await markSnapshots(repository, [id], { reason: 'test' });
  const before = await namesIn(repository.storage, 'owner/');
  await deleteSuperfluous(repository, await readRoot(repository), deletion);
  t.same(await namesIn(repository.storage, 'owner/'), before);
  t.match(
    (await listSnapshots(repository)).find((info) => info.id === id),
    { tags: ['mine'], heldUntil: null },
  );
});

t.test('recover: a snapshot that only the catalogue has stands afterwards, as it was', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const id = await snapshotOf(history, files('a', 1));
  for (let round = 0; (await namesIn(repository.storage, objectPrefixes.snapshots)).length > 0; round++) {
    if (round > 20) t.fail('its own object is never deleted');
    await leaveLitter(repository);
    await maintain(repository);
  }
  const { number } = await readRoot(repository);
  await leaveLitter(repository);
  await maintain(repository);
  const later = await snapshotOf(history, files('b', 1));
  for (const name of await namesIn(repository.storage, objectPrefixes.roots))
    if (name > objectNames.root(number)) await repository.storage.delete([name]);
  await t.rejects(maintain(repository), { code: 'rolled-back' });
  await recover(repository);
  t.same(new Set((await listSnapshots(repository)).map((info) => info.id)), new Set([id, later]));
  await expectSound(t, history);
});

t.test('maintain: as long as it is not known what a damaged snapshot needs nothing is repacked', async (t) => {
  const history = await newHistoryOfSmallPacks(t);
  const { repository } = history;
  const contents = files('shared', 30, 3000);
  const first = await snapshotOfExactly(history, contents);
  const damaged = await snapshotOf(history, files('b', 1));
  await snapshotOfExactly(history, someOf(contents, 4));
  await forget(history, first);
  const { snapshot } = (await listSnapshots(repository)).find(({ id }) => id === damaged)!;
  const name = objectNames.pack(snapshot.packs!.pack);
  const sound = await repository.storage.get(name);
  const bytes = sound.slice();
  bytes[bytes.length - 40]! ^= 1;
  await replaceObject(repository.storage, name, bytes);
  const before = await packs(history);
  t.match(await maintain(repository, { maxUnused: 0 }), { repackedPacks: 0, freedPacks: 0 });
  t.same(await packs(history), before);
  await replaceObject(repository.storage, name, sound);
  t.ok((await maintain(repository, { maxUnused: 0 })).repackedPacks > 0, 'it would have been');
  await expectSound(t, history);
});

t.test('maintain: the base index is written anew only if something in it changes', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  await snapshotOf(history, files('a', 1));
  const same = await snapshotOf(history, {});
  await leaveLitter(repository);
  await maintain(repository);
  const { baseIndex } = await readRoot(repository);
  t.not(baseIndex, null);
  await forget(history, same);
  t.match(await maintain(repository), { outcome: 'collected', freedPacks: 0 });
  t.same((await readRoot(repository)).baseIndex, baseIndex);
  t.equal((await namesIn(repository.storage, objectPrefixes.baseIndexes)).length, 1);
  await expectSound(t, history);
});
