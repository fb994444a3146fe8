/** Marks, holds and rewritten snapshots, and the collector that acts upon them. */
import t from 'tap';
import { rewriteSnapshot } from '../../../engine/backup/mod.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import {
  type Fate,
  holdSnapshots,
  listHolds,
  listSnapshots,
  markSnapshots,
  releaseSnapshots,
  repositoryLimits,
  unmarkSnapshots,
} from '../../../engine/repository/mod.ts';
import type { SnapshotId } from '../../../repo-format/mod.ts';
import { isEveryMoment } from '../../reliability/_moments.ts';
import { expectContents, expectSound, files, type History, maintainUntilIdle, newHistory, snapshotOf } from '../maintain/_fixture.ts';
import { copyOf, namesIn, replaceObject } from '../repository/sample.ts';
import { FaultyStorage, withFlippedBit } from '../storage/faulty-storage.ts';

const idsOf = async ({ repository }: History) => (await listSnapshots(repository)).map(({ id }) => id);
const inSeconds = (seconds: number) => ({ seconds: Math.floor(Date.now() / 1000) + seconds, nanoseconds: 0 });
const forever = { until: null, reason: 'test' };

t.test('a marked snapshot is collected, a held one is not, whichever came first; afterwards it is too late', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const [first, second, third] = [
    await snapshotOf(history, files('a', 2)),
    await snapshotOf(history, files('b', 2)),
    await snapshotOf(history, files('c', 2)),
  ];
  await holdSnapshots(repository, [first], forever);
  await markSnapshots(repository, [first, second], { reason: 'test' });
  await maintainUntilIdle(repository);
  t.same(await idsOf(history), [first, third]);
  t.same(await unmarkSnapshots(repository, [second]), new Map([[second, 'dropped']]));
  t.same(await holdSnapshots(repository, [second], forever), new Map([[second, 'dropped']]));
  await releaseSnapshots(repository, [first]);
  await maintainUntilIdle(repository);
  history.expected.delete(first);
  history.expected.delete(second);
  await expectSound(t, history);
});

t.test('a hold lasts a day longer than it says', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const ids = [
    await snapshotOf(history, files('a', 1)),
    await snapshotOf(history, files('b', 1)),
    await snapshotOf(history, files('c', 1)),
  ];
  const margin = repositoryLimits.holdMarginSeconds;
  await holdSnapshots(repository, [ids[0]!], { until: inSeconds(60 - margin), reason: '' });
  await holdSnapshots(repository, [ids[1]!], { until: inSeconds(-60 - margin), reason: '' });
  await markSnapshots(repository, ids.slice(0, 2), { reason: 'test' });
  await maintainUntilIdle(repository);
  t.same(await idsOf(history), [ids[0], ids[2]]);
});

t.test('with a damaged hold nothing is collected', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  const [first] = [await snapshotOf(history, files('a', 1)), await snapshotOf(history, files('b', 1))];
  await markSnapshots(repository, [first!], { reason: 'test' });
  await holdSnapshots(repository, [first!], forever);
  const [hold] = await listHolds(repository);
  await replaceObject(repository.storage, hold!.name, withFlippedBit(await repository.storage.get(hold!.name), 700));
  t.match(await maintain(repository, { onDamage: () => undefined }), { droppedSnapshots: 0 });
  await repository.storage.delete([hold!.name]);
  t.match(await maintain(repository), { droppedSnapshots: 1 });
});

const changes: Record<string, (history: History, id: SnapshotId) => Promise<ReadonlyMap<SnapshotId, Fate>>> = {
  hold: ({ repository }, id) => holdSnapshots(repository, [id], { ...forever, patienceMs: 0 }),
  unmark: ({ repository }, id) => unmarkSnapshots(repository, [id], { patienceMs: 0 }),
};
for (const [name, change] of Object.entries(changes)) {
  t.test(`${name}: at any call of a collection, what it says of the snapshot is what becomes of it`, async (t) => {
    const history = await newHistory(t);
    const id = await snapshotOf(history, files('a', 1, 1000));
    await snapshotOf(history, files('b', 1, 1000));
    await markSnapshots(history.repository, [id], { reason: 'test' });
    const seen = new Set<string>();
    for (let call = 1; ; call += isEveryMoment ? 1 : 3) {
      const storage = await copyOf(history.repository.storage);
      const copy = { ...history, repository: { ...history.repository, storage }, expected: new Map(history.expected) };
      let fate: Fate | undefined;
      let calls = 0;
      const onCall = async (): Promise<void> => {
        if (++calls === call) fate = (await change(copy, id)).get(id);
      };
      await maintain({ ...copy.repository, storage: new FaultyStorage(storage, { onCall }) });
      if (fate === undefined) break;
      const stands = (await idsOf(copy)).includes(id);
      seen.add(`${fate}, ${stands ? 'stands' : 'gone'}`);
      if (!stands) copy.expected.delete(id);
      await expectContents(t, copy);
      await maintainUntilIdle(copy.repository);
      await expectContents(t, copy);
    }
    const allowed = ['kept, stands', 'dropped, gone', 'undecided, stands', 'undecided, gone'];
    t.same(
      [...seen].filter((outcome) => !allowed.includes(outcome)),
      [],
    );
    for (const outcome of ['kept, stands', 'dropped, gone']) t.ok(seen.has(outcome), outcome);
  });
}

t.test('rewriteSnapshot: after the next collection the data is gone, where nothing else is in its packs', async (t) => {
  const history = await newHistory(t);
  const { repository } = history;
  await snapshotOf(history, files('kept', 2));
  const before = (await namesIn(repository.storage, 'writer/packs/')).length;
  const id = await snapshotOf(history, files('secret', 3, 200_000));
  const info = (await listSnapshots(repository)).find((candidate) => candidate.id === id)!;
  const { snapshotId } = await rewriteSnapshot(repository, info, { patterns: ['secret/'] });
  history.expected.delete(id);
  history.expected.set(snapshotId!, [...history.expected.values()][0]!);
  await maintainUntilIdle(repository);
  await expectSound(t, history);
  t.ok((await namesIn(repository.storage, 'writer/packs/')).length <= before + 1, 'the packs of the data are gone; one of folders came');
  let storedBytes = 0;
  for await (const { sizeBytes } of repository.storage.list('writer/packs/')) storedBytes += sizeBytes;
  t.ok(storedBytes < 200_000, `${storedBytes} bytes`);
});
