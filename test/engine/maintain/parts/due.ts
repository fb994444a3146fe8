/** When a maintenance is due, to the second. */
import t, { type Test } from 'tap';
import { maintainLimits } from '../../../../engine/maintain/_limits.ts';
import { maintenanceIsDue } from '../../../../engine/maintain/mod.ts';
import {
  beginSession,
  holdSnapshots,
  markSnapshots,
  type Repository,
  repositoryLimits,
  writeCheckpoint,
} from '../../../../engine/repository/mod.ts';
import { objectNames, objectPrefixes, type SessionId } from '../../../../repo-format/mod.ts';
import { advanceRoot, backUp, makeRepository, namesIn, randomId, replaceObject, sampleSnapshot } from '../../repository/sample.ts';
import { withLimits } from '../_fixture.ts';

const nothing = { tree: null, packs: null, listPacks: [] };
const now = 1_900_000_000;

/** A clock that stands still at that second. */
function stopAt(t: Test, seconds = now): void {
  const { now: before } = Date;
  Date.now = () => seconds * 1000;
  t.teardown(() => {
    Date.now = before;
  });
}

/** A checkpoint of a backup that has not ended. */
async function unfinished(repository: Repository, seconds: number): Promise<string> {
  const session = await beginSession(repository);
  const snapshot = sampleSnapshot(session, { ...nothing, ended: { seconds, nanoseconds: 0 }, partial: true });
  await writeCheckpoint(repository, { session, number: 0, snapshot });
  return objectNames.checkpoint(session.generation, session.id, 0);
}

t.test('maintenanceIsDue: a day after something was forgotten that may go', async (t) => {
  stopAt(t);
  const repository = await makeRepository();
  const [first, second] = [await backUp(repository, nothing), await backUp(repository, nothing)];
  const isDueAfter = async (seconds: number) => {
    const time = { seconds: Math.floor(Date.now() / 1000) - seconds, nanoseconds: 0 };
    await markSnapshots(repository, [first.id], { reason: 'test', time });
    const isDue = await maintenanceIsDue(repository);
    await repository.storage.delete(await namesIn(repository.storage, objectPrefixes.deletionMarks));
    return isDue;
  };
  t.equal(await isDueAfter(maintainLimits.dueMarkSeconds - 1), false);
  t.equal(await isDueAfter(maintainLimits.dueMarkSeconds), true);
  await holdSnapshots(repository, [second.id], { until: null, reason: 'test' });
  t.equal(await isDueAfter(maintainLimits.dueMarkSeconds), true, 'another one is held');
  await markSnapshots(repository, [first.id, second.id], {
    reason: 'test',
    time: { seconds: now - maintainLimits.dueMarkSeconds, nanoseconds: 0 },
  });
  t.equal(await maintenanceIsDue(repository), true, 'one of two may go');
  await repository.storage.delete(await namesIn(repository.storage, objectPrefixes.deletionMarks));
  await holdSnapshots(repository, [first.id], { until: { seconds: now + 1, nanoseconds: 0 }, reason: 'test' });
  t.equal(await isDueAfter(maintainLimits.dueMarkSeconds), false, 'it is held');
  stopAt(t, now + repositoryLimits.holdMarginSeconds + 1);
  t.equal(await isDueAfter(maintainLimits.dueMarkSeconds), true);
});

t.test('maintenanceIsDue: while a backup runs it waits, unless too much has gathered', async (t) => {
  stopAt(t);
  withLimits(t, maintainLimits, { dueObjects: 2, urgentObjects: 4 });
  const { runningSeconds } = maintainLimits;
  const repository = await makeRepository();
  for (let count = 0; count < 2; count++) await backUp(repository, nothing);
  const isDueBeside = async (...seconds: number[]) => {
    const names = [];
    for (const ended of seconds) names.push(await unfinished(repository, now + ended));
    const isDue = await maintenanceIsDue(repository);
    await repository.storage.delete(names);
    return isDue;
  };
  t.equal(await isDueBeside(), true);
  t.equal(await isDueBeside(1 - runningSeconds), false);
  t.equal(await isDueBeside(-runningSeconds), true, 'it has ended without a word');
  t.equal(await isDueBeside(-runningSeconds, 1 - runningSeconds), false, 'one of them runs');
  t.equal(await isDueBeside(runningSeconds - 1), false, 'by a clock that is ahead');
  t.equal(await isDueBeside(runningSeconds), true);
  const name = await unfinished(repository, now);
  const bytes = await repository.storage.get(name);
  bytes[bytes.length - 1]! ^= 1;
  await replaceObject(repository.storage, name, bytes);
  t.equal(await maintenanceIsDue(repository), true, 'a damaged one runs nowhere');
  await backUp(repository, nothing);
  t.equal(await isDueBeside(0), false);
  await backUp(repository, nothing);
  t.equal(await isDueBeside(0), true, 'urgent');
});

t.test('maintenanceIsDue: what has gathered is snapshots or index tables, and only those that are not folded', async (t) => {
  stopAt(t);
  withLimits(t, maintainLimits, { dueObjects: 2 });
  const repository = await makeRepository();
  const table = (generation: number) =>
    repository.storage.create(objectNames.sessionIndex(generation, randomId<SessionId>(), 0, 0), [new Uint8Array(1)]);
  await backUp(repository, nothing);
  await table(0);
  t.equal(await maintenanceIsDue(repository), false, 'one of each');
  await table(0);
  t.equal(await maintenanceIsDue(repository), true);
  await advanceRoot(repository, { generation: 1, floor: 1 });
  t.equal(await maintenanceIsDue(repository), false, 'folded since it was opened');
  await table(1);
  await backUp(repository, nothing);
  t.equal(await maintenanceIsDue(repository), false);
  await backUp(repository, nothing);
  t.equal(await maintenanceIsDue(repository), true);
});

t.test('maintenanceIsDue: where locks are to be extended', async (t) => {
  stopAt(t);
  const repository = await makeRepository();
  const isDue = (begun: number) =>
    maintenanceIsDue({ ...repository, root: { ...repository.root, locks: { begun, period: 100, after: null } } });
  t.equal(await isDue(now - 49), false);
  t.equal(await isDue(now - 50), true);
});
