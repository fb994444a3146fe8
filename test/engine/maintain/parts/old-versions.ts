/** Which old versions go for good, to the millisecond, and what is told of the others. */
import t from 'tap';
import { lockLimits } from '../../../../engine/maintain/_lock-limits.ts';
import { type OldVersions, purgeOldVersions } from '../../../../engine/maintain/_old-versions.ts';
import { type ObjectVersion, storageLimits } from '../../../../engine/storage/mod.ts';
import { withLimits } from '../_fixture.ts';
import { deletionOf, hourMs, nowMs, packName, versionOf, WrittenHistory } from './_versions.ts';

const periodSeconds = 3600;
/** What was replaced then may go now. */
const dueMs = nowMs - hourMs;

async function purged(
  versions: readonly ObjectVersion[],
  { dryRun = false, isLocked = () => false }: { dryRun?: boolean; isLocked?: (version: ObjectVersion) => boolean } = {},
): Promise<{ result: OldVersions; calls: string[][] }> {
  const history = new WrittenHistory(versions, isLocked);
  const result = await purgeOldVersions(history, { periodSeconds, nowMs, dryRun });
  return { result, calls: history.purged.map((call) => call.map(({ id }) => id)) };
}

const nothing: OldVersions = {
  freed: 0,
  freedBytes: 0,
  waiting: 0,
  waitingBytes: 0,
  waitingUntilMs: null,
  refused: 0,
  overwritten: 0,
  overwrittenNames: [],
  listed: 0,
};

/** A name that was deleted then. */
const deletedAt = (number: number, sinceMs: number, sizeBytes = 10): [ObjectVersion, ObjectVersion] => [
  deletionOf(packName(number), sinceMs),
  versionOf(packName(number), sinceMs - 5 * hourMs, { isCurrent: false, sizeBytes }),
];

t.test('purgeOldVersions: nothing is old', async (t) => {
  t.same(await purged([]), { result: nothing, calls: [] });
  const versions = [versionOf(packName(1), 0), versionOf(packName(2), nowMs)];
  t.same(await purged(versions), { result: { ...nothing, listed: 2 }, calls: [] });
});

t.test('purgeOldVersions: what was deleted a period ago goes, a millisecond less waits until then', async (t) => {
  const [goes, waits] = [deletedAt(1, dueMs, 30), deletedAt(2, dueMs + 1, 7)];
  const { result, calls } = await purged([...goes, ...waits]);
  const wanted = { ...nothing, freed: 1, freedBytes: 30, waiting: 1, waitingBytes: 7, waitingUntilMs: nowMs + 1, listed: 4 };
  t.same(result, wanted);
  t.same(calls, [[goes[1].id], [goes[0].id]], 'the object before the deletion that hides it');
  const dry = await purged([...goes, ...waits], { dryRun: true });
  t.same(dry, { result: wanted, calls: [] }, 'a dry run tells the same and deletes nothing');
});

t.test('purgeOldVersions: a version counts from when the next newer one replaced it, not from when it was made', async (t) => {
  const name = packName(1);
  const versions = [
    versionOf(name, dueMs + 5),
    deletionOf(name, dueMs + 2, { isCurrent: false }),
    versionOf(name, dueMs, { isCurrent: false, sizeBytes: 10 }),
    versionOf(name, dueMs - 9, { isCurrent: false, sizeBytes: 10 }),
    deletionOf(name, dueMs - 10, { isCurrent: false }),
  ];
  const { result, calls } = await purged(versions);
  t.same(result, { ...nothing, freed: 1, freedBytes: 10, waiting: 1, waitingBytes: 10, waitingUntilMs: nowMs + 2, listed: 5 });
  t.same(calls, [[versions[3]!.id], [versions[4]!.id]]);
});

t.test('purgeOldVersions: the last of those that wait is told', async (t) => {
  const versions = [1, 30, 20].flatMap((later, index) => deletedAt(index, dueMs + later, 2));
  t.same((await purged(versions)).result, { ...nothing, waiting: 3, waitingBytes: 6, waitingUntilMs: nowMs + 30, listed: 6 });
});

t.test('purgeOldVersions: what the store does not delete is told, and what hides it stays', async (t) => {
  const [locked, open] = [deletedAt(1, dueMs, 30), deletedAt(2, dueMs, 7)];
  const { result, calls } = await purged([...locked, ...open], { isLocked: ({ id }) => id === locked[1].id });
  t.same(result, { ...nothing, freed: 1, freedBytes: 7, refused: 1, listed: 4 });
  t.same(calls, [[locked[1].id, open[1].id], [open[0].id]]);
  const deletions = await purged([...locked, ...open], { isLocked: ({ kind }) => kind === 'deletion' });
  t.same(deletions.result, { ...nothing, freed: 2, freedBytes: 37, refused: 2, listed: 4 });
  const both = await purged([...locked, ...open], { isLocked: ({ id }) => id === locked[1].id || id === open[0].id });
  t.same(both.result, { ...nothing, freed: 1, freedBytes: 7, refused: 2, listed: 4 });
});

t.test('purgeOldVersions: names of other repositories and programs are left alone; those of the probe are ours', async (t) => {
  const old = (name: string) => [deletionOf(name, dueMs), versionOf(name, 0, { isCurrent: false })];
  const { result, calls } = await purged([...old('elsewhere/thing'), ...old('probe/1'), ...old('writer/packs/zz/strange')]);
  t.same(result, { ...nothing, freed: 1, freedBytes: 10, listed: 6 });
  t.same(calls.flat().length, 2);
});

t.test(
  'purgeOldVersions: a name that has bytes which it never had before was overwritten: it is told, and its old versions stay',
  async (t) => {
    const before = { tag: 'first', sizeBytes: 10, isCurrent: false };
    const pair = (number: number, now: Partial<ObjectVersion>, older: Partial<ObjectVersion> = before) => [
      versionOf(packName(number), dueMs, now),
      versionOf(packName(number), 0, { ...before, ...older }),
    ];
    const names = async (...versions: ObjectVersion[]) => (await purged(versions)).result.overwrittenNames;
    t.same(await names(...pair(1, { tag: 'other' })), [packName(1)]);
    t.same(await names(...pair(1, { tag: 'first', sizeBytes: 11 })), [packName(1)], 'the same tag, another size');
    t.same(await names(...pair(1, { tag: '' }, { tag: '' })), [packName(1)], 'it is not known whether they are the same');
    t.same(await names(...pair(1, { tag: 'first' })), [], 'as it was before');
    const thrice = [...pair(1, { tag: 'first' }), versionOf(packName(1), -1, { ...before, tag: 'third' })];
    t.same(await names(...thrice), [], 'it had these bytes before');
    t.same(await names(versionOf(packName(1), dueMs), deletionOf(packName(1), 0, { isCurrent: false })), [], 'there was no other');
    const kept = await purged(pair(1, { tag: 'other' }));
    t.same(kept, { result: { ...nothing, overwritten: 1, overwrittenNames: [packName(1)], listed: 2 }, calls: [] });
    const same = await purged(pair(1, { tag: 'first' }));
    t.same(same.result, { ...nothing, freed: 1, freedBytes: 10, listed: 2 }, 'copied by somebody: the older one may go');
  },
);

t.test('purgeOldVersions: of many overwritten names all are counted, and some are told', async (t) => {
  const count = lockLimits.toldNames + 1;
  const versions = Array.from({ length: count }, (_, number) => [
    versionOf(packName(number), dueMs, { tag: 'other' }),
    versionOf(packName(number), 0, { isCurrent: false }),
  ]);
  const { overwritten, overwrittenNames } = (await purged(versions.flat())).result;
  t.equal(overwritten, count);
  t.same(
    overwrittenNames,
    Array.from({ length: lockLimits.toldNames }, (_, number) => packName(number)),
  );
});

t.test('purgeOldVersions: many are deleted in calls of so many, each version once', async (t) => {
  const { purgedVersions } = lockLimits;
  const versions = Array.from({ length: purgedVersions / 2 + 1 }, (_, number) => deletedAt(number, dueMs)).flat();
  const { result, calls } = await purged(versions);
  t.same(
    calls.map(({ length }) => length),
    [purgedVersions / 2, purgedVersions / 2, 1, 1],
    'objects, then what hides them, as soon as there are so many',
  );
  t.equal(new Set(calls.flat()).size, versions.length);
  t.match(result, { freed: purgedVersions / 2 + 1, freedBytes: 5 * purgedVersions + 10, refused: 0 });
  const deletions = Array.from({ length: 2 * purgedVersions + 1 }, (_, number) => deletionOf(packName(number), dueMs));
  const alone = await purged(deletions);
  t.same(
    alone.calls.map(({ length }) => length),
    [purgedVersions, purgedVersions, 1],
  );
  t.match(alone.result, { freed: 0, freedBytes: 0, waiting: 0 });
});

t.test('purgeOldVersions: a name with more states than are looked at hides nothing: it is told, and nothing of it goes', async (t) => {
  withLimits(t, storageLimits, { versionsOfName: 5 });
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => versionOf(packName(1), dueMs - index, { id: `${index}`, isCurrent: index === 0 }));
  const { result, calls } = await purged(many(storageLimits.versionsOfName + 3));
  t.same(result, { ...nothing, overwritten: 1, overwrittenNames: [packName(1)], listed: storageLimits.versionsOfName + 3 });
  t.same(calls, []);
  t.equal((await purged(many(storageLimits.versionsOfName - 1))).result.freed, storageLimits.versionsOfName - 2);
});
