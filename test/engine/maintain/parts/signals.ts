/** Whoever gives a signal can end the whole: it is handed to every call of the storage, but those that read or write a part of a pack or of an index table, after each of which is looked at it. */
import t, { type Test } from 'tap';
import { lockStatus, maintain, maintenanceIsDue, recover, revert } from '../../../../engine/maintain/mod.ts';
import {
  beginSession,
  holdSnapshots,
  markSnapshots,
  openRepository,
  type Repository,
  writeCheckpoint,
} from '../../../../engine/repository/mod.ts';
import { pastOf } from '../../../../engine/storage/mod.ts';
import { objectPrefixes } from '../../../../repo-format/mod.ts';
import { keyFile, makeRepository, sampleSnapshot } from '../../repository/sample.ts';
import { SignalWatch } from '../../storage/signal-watch.ts';
import { VersionedStorage } from '../../storage/versioned-storage.ts';
import { files, forget, type History, leaveLitter, newHistory, snapshotOf, snapshotOfExactly, someOf } from '../_fixture.ts';

const rule = { mode: 'governance', periodSeconds: 30 * 86_400 } as const;
const ofParts = /^storage\.(get|getEnd|createWriter) (writer|collector)\/(packs|index)\//;

/** Calls that nobody can end. */
function endless({ withoutSignal }: SignalWatch): string[] {
  return [...withoutSignal].filter((call) => !ofParts.test(call));
}

async function newVersionedHistory(t: Test): Promise<{ store: VersionedStorage; history: History }> {
  const store = new VersionedStorage(rule);
  return { store, history: { ...(await newHistory(t)), repository: await makeRepository(store.storage) } };
}

const reopened = (store: VersionedStorage): Promise<Repository> => openRepository(store.storage, { secret: keyFile, mode: 'write' });

async function checkpointed(repository: Repository): Promise<void> {
  const session = await beginSession(repository);
  const ended = { seconds: Math.floor(Date.now() / 1000) - 3600, nanoseconds: 0 };
  const snapshot = sampleSnapshot(session, { tree: null, packs: null, listPacks: [], ended, partial: true });
  await writeCheckpoint(repository, { session, number: 0, snapshot });
}

t.test('signal: maintain, in a dry run and where it copies, collects, deletes and extends locks', async (t) => {
  const { store, history } = await newVersionedHistory(t);
  const { repository } = history;
  const contents = files('a', 4);
  const first = await snapshotOfExactly(history, contents);
  await holdSnapshots(repository, [first], { until: null, reason: 'test' });
  await maintain(repository);
  await repository.storage.delete(store.names(objectPrefixes.holds));
  await snapshotOfExactly(history, someOf(contents, 2));
  await leaveLitter(repository);
  await checkpointed(repository);
  await forget(history, first);
  store.advance(31);
  for (const dryRun of [true, false]) {
    const watch = new SignalWatch(store.storage);
    const given = { ...(await reopened(store)), storage: watch.storage };
    const result = await maintain(given, { signal: watch.signal, maxUnused: 0, dryRun });
    t.match(result, { repackedPacks: 1, droppedSnapshots: 1, unfinishedSessions: 1, freedPacks: 3 });
    t.ok(result.locks!.extended > 0 && result.locks!.oldVersions.listed > 0);
    t.same(endless(watch), []);
  }
});

t.test('signal: whether a maintenance is due, and what is locked', async (t) => {
  const { store, history } = await newVersionedHistory(t);
  const { repository } = history;
  const id = await snapshotOf(history, files('a', 1));
  await checkpointed(repository);
  const time = { seconds: Math.floor(Date.now() / 1000) - 90_000, nanoseconds: 0 };
  await markSnapshots(repository, [id], { reason: 'test', time });
  const watch = new SignalWatch(store.storage);
  t.equal(await maintenanceIsDue({ ...(await reopened(store)), storage: watch.storage }, { signal: watch.signal }), true);
  t.same(endless(watch), []);
  t.ok((await lockStatus({ ...(await reopened(store)), storage: watch.storage }, { signal: watch.signal })).locked.length > 0);
  t.same(endless(watch), []);
});

t.test('signal: revert and recover', async (t) => {
  const { store, history } = await newVersionedHistory(t);
  await snapshotOf(history, files('a', 1));
  store.advance(1);
  const timeMs = store.nowMs;
  store.advance(1);
  await leaveLitter(history.repository);
  await maintain(history.repository);
  await store.delete(store.names(objectPrefixes.snapshots));
  const past = await openRepository(pastOf(store.storage, timeMs), { secret: keyFile, mode: 'read' });
  const watch = new SignalWatch(store.storage);
  const progress: string[] = [];
  const { highest, objects } = await revert({ ...past, storage: pastOf(watch.storage, timeMs) }, watch.storage, {
    timeMs,
    signal: watch.signal,
    onProgress: ({ phase, filesDone, bytesDone }) => progress.push(`${phase} ${filesDone} ${bytesDone}`),
  });
  t.same(new Set(objects.map(({ change }) => change)), new Set(['undeleted', 'hidden']));
  t.same(
    progress,
    objects.filter(({ change }) => change === 'undeleted').map((_, index) => `revert ${index + 1} 0`),
  );
  t.same(endless(watch), []);
  const opened = { ...(await reopened(store)), storage: watch.storage };
  t.match(await recover(opened, { force: true, beyond: highest, signal: watch.signal }), { outcome: 'recovered' });
  t.same(endless(watch), []);
});
