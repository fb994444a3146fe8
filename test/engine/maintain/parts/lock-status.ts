/** What is told of locks without asking for each, to the millisecond. */
import t from 'tap';
import { timeOf } from '../../../../engine/maintain/_keep-locks.ts';
import { lockLimits } from '../../../../engine/maintain/_lock-limits.ts';
import { lockStatus } from '../../../../engine/maintain/mod.ts';
import { type ObjectVersion, withOverrides } from '../../../../engine/storage/mod.ts';
import {
  type LockRecord,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
  type SessionId,
} from '../../../../repo-format/mod.ts';
import { advanceRoot, storePackList } from '../../repository/sample.ts';
import { SignalWatch } from '../../storage/signal-watch.ts';
import { deletionOf, hourMs, nowMs, packName, repositoryWith, rule, versionOf, WrittenHistory } from './_versions.ts';

const period = rule.periodSeconds;
const periodMs = period * 1000;
const now = nowMs / 1000;

async function statusOf(versions: readonly ObjectVersion[], changes: Partial<Root> = {}) {
  const history = new WrittenHistory(versions);
  const { repository, locks } = await repositoryWith(history, changes);
  return { status: await lockStatus(repository), history, repository, locks };
}

t.test('lockStatus: a store without locks, history or rule', async (t) => {
  const { repository, locks } = await statusOf([]);
  const of = (changes: object) => lockStatus({ ...repository, storage: withOverrides(repository.storage, changes) });
  const none = { lastExtension: null, nextExtension: null, nextRequests: 0, locked: [], oldVersions: null };
  t.same(await of({ history: undefined }), { ...none, isEnabled: true, rule, now: timeOf(nowMs) });
  locks.rule = null;
  t.same(await of({}), { ...none, isEnabled: true, rule: null, now: timeOf(nowMs) });
  const before = Math.floor(Date.now() / 1000);
  const without = await of({ locks: undefined });
  t.match(without, { ...none, isEnabled: false, rule: null });
  t.ok(without.now.seconds >= before && without.now.seconds <= before + 600, 'by the clock of this machine');
  const begun = now - 5;
  await advanceRoot(repository, { locks: { begun, period, after: 'a' } });
  t.same((await of({})).lastExtension, timeOf(begun * 1000), 'though it did not end');
});

t.test('lockStatus: each object is counted with its kind; what is leaving, old, gone, or of somebody else is not', async (t) => {
  const [condemned, doomed] = [packName(8), packName(9)];
  const id = '1'.repeat(32);
  const kinds: Record<string, string[]> = {
    packs: [packName(1), packName(2), objectNames.pack('f'.repeat(32) as PackId)],
    index: [`${objectPrefixes.baseIndexes}${id}`, objectNames.sessionIndex(1, id as SessionId, 0, 1)],
    snapshots: [
      `${objectPrefixes.catalogues}${id}`,
      objectNames.snapshot(1, id as SessionId),
      objectNames.checkpoint(1, id as SessionId, 0),
    ],
    roots: [objectNames.root(7), `${objectPrefixes.lostLists}${id}`, `${objectPrefixes.damageReports}${id}`],
    owner: ['owner/format', `${objectPrefixes.holds}${id}`, `${objectPrefixes.verifications}${id}`],
  };
  for (const name of Object.values(kinds).flat()) t.not(parseObjectName(name), null, name);
  const size = (name: string) => name.length;
  const versions = [
    ...Object.values(kinds)
      .flat()
      .map((name) => versionOf(name, 0, { sizeBytes: size(name) })),
    ...[condemned, doomed, `${objectPrefixes.deletionMarks}${id}`, 'elsewhere/thing'].map((name) => versionOf(name, 0)),
    versionOf(packName(2), -1, { isCurrent: false }),
    deletionOf(packName(3), nowMs),
    versionOf(packName(3), 0, { isCurrent: false }),
  ];
  const { repository } = await repositoryWith(new WrittenHistory(versions));
  const [condemnedList, doomedList] = await Promise.all(
    [condemned, doomed].map((name) => storePackList(repository, [(parseObjectName(name) as { id: PackId }).id])),
  );
  await advanceRoot(repository, { condemned: condemnedList!, doomed: doomedList! });
  const { signal, storage, withoutSignal } = new SignalWatch(repository.storage);
  const { locked, nextRequests } = await lockStatus({ ...repository, storage }, { signal });
  const wanted = Object.entries(kinds).map(([kind, names]) => {
    return { kind, objects: names.length, bytes: names.reduce((sum, name) => sum + size(name), 0), holdUntil: timeOf(periodMs) };
  });
  const byKind = (left: { kind: string }, right: { kind: string }) => (left.kind < right.kind ? -1 : 1);
  t.same([...locked].sort(byKind), wanted.sort(byKind));
  t.equal(nextRequests, Object.values(kinds).flat().length + 2, 'one for each, and two listings');
  t.same([...withoutSignal], [], 'calls that nobody can end');
});

t.test('lockStatus: the first lock of a kind that ends, by what the last extension has seen', async (t) => {
  const begunMs = nowMs - hourMs;
  const ended: LockRecord = { begun: begunMs / 1000, period, after: null };
  // It left out what was younger than a quarter of the period.
  const youngMs = begunMs - hourMs;
  const until = async (record: LockRecord | undefined, ...sincesMs: number[]) => {
    const { status } = await statusOf(
      sincesMs.map((sinceMs, number) => versionOf(packName(number), sinceMs)),
      { locks: record },
    );
    return status.locked[0]!.holdUntil;
  };
  t.same(await until(ended, youngMs), timeOf(begunMs + periodMs), 'it was extended');
  t.same(await until(ended, youngMs + 1), timeOf(youngMs + 1 + periodMs), 'it was too young');
  t.same(await until(ended, youngMs + 2, youngMs + 1, youngMs), timeOf(youngMs + 1 + periodMs), 'the first of them');
  t.same(await until(undefined, youngMs), timeOf(youngMs + periodMs), 'there was no extension');
  t.same(await until({ ...ended, after: 'a' }, youngMs), timeOf(youngMs + periodMs), 'it did not end');
  t.same(await until({ ...ended, period: period - 4 }, youngMs), timeOf(youngMs + periodMs), 'it was for another period');
});

t.test('lockStatus: when the next extension is due, and how many requests it takes', async (t) => {
  const ended: LockRecord = { begun: now - 60, period, after: null };
  const dueMs = nowMs - 60_000 + periodMs / 2;
  const next = async (record: LockRecord | undefined, ...sincesMs: number[]) => {
    const versions = sincesMs.map((sinceMs, number) => versionOf(packName(number), sinceMs));
    const { nextExtension, nextRequests } = (await statusOf(versions, { locks: record })).status;
    return { nextExtension, nextRequests };
  };
  // By then what is younger than a quarter of the period is left out.
  const youngMs = dueMs - hourMs;
  t.same(await next(ended), { nextExtension: timeOf(dueMs), nextRequests: 2 });
  t.same(await next(ended, youngMs - 1, youngMs, youngMs + 1), { nextExtension: timeOf(dueMs), nextRequests: 4 });
  t.same(await next({ ...ended, after: 'a' }, youngMs + 1), { nextExtension: null, nextRequests: 3 });
  t.same(await next({ ...ended, period: period + 4 }, youngMs + 1), { nextExtension: null, nextRequests: 3 });
  t.same(await next(undefined, youngMs + 1), { nextExtension: null, nextRequests: 3 });
  const late: LockRecord = { begun: now - period, period, after: null };
  const lateYoungMs = nowMs - hourMs;
  t.same(
    await next(late, lateYoungMs, lateYoungMs + 1),
    { nextExtension: timeOf(nowMs - periodMs / 2), nextRequests: 3 },
    'it is made now, at the earliest',
  );
  const many = Array.from({ length: lockLimits.purgedVersions + 1 }, () => youngMs + 1);
  t.equal((await next(ended, ...many.slice(1))).nextRequests, 2);
  t.equal((await next(ended, ...many)).nextRequests, 4, 'a listing of so many versions is two requests');
});

t.test('lockStatus: which old versions would go is told; none goes', async (t) => {
  const dueMs = nowMs - periodMs;
  const versions = [1, 2].flatMap((number) => [
    deletionOf(packName(number), dueMs + number - 1),
    versionOf(packName(number), 0, { isCurrent: false, sizeBytes: number }),
  ]);
  const { status, history } = await statusOf(versions);
  t.match(status.oldVersions, { freed: 1, freedBytes: 1, waiting: 1, waitingBytes: 2, waitingUntilMs: nowMs + 1, refused: 0, listed: 4 });
  t.same(history.purged, []);
  t.same(status.locked, []);
});
