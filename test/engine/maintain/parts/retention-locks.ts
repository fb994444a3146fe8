/** Which locks are extended, when, and what is remembered and told of that: by a clock that stands still. */
import t, { type Test } from 'tap';
import { keepLocks, type MaintainWarning, openLocks, timeOf } from '../../../../engine/maintain/_keep-locks.ts';
import { maintainLimits } from '../../../../engine/maintain/_limits.ts';
import { lockLimits } from '../../../../engine/maintain/_lock-limits.ts';
import { extensionDueMs, isExtended, locksAreDue, locksHoldUntilMs, RetentionLocks } from '../../../../engine/maintain/_retention-locks.ts';
import { type Repository, readRoot } from '../../../../engine/repository/mod.ts';
import { type ObjectVersion, type Storage, withOverrides } from '../../../../engine/storage/mod.ts';
import {
  LaganError,
  type LockRecord,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
  type SnapshotId,
} from '../../../../repo-format/mod.ts';
import { advanceRoot, storePackList } from '../../repository/sample.ts';
import { SignalWatch } from '../../storage/signal-watch.ts';
import { withLimits } from '../_fixture.ts';
import { deletionOf, hourMs, nowMs, packName, repositoryWith, rule, StoppedClock, versionOf, WrittenHistory } from './_versions.ts';

const period = rule.periodSeconds;
const now = nowMs / 1000;
/** An extension that ended: half of the period has passed since. */
const due: LockRecord = { begun: now - period / 2, period, after: null };
const idOf = (name: string): PackId => {
  const parsed = parseObjectName(name);
  if (parsed?.type !== 'pack') throw new Error(name);
  return parsed.id;
};
const packsOf = (count: number): ObjectVersion[] => Array.from({ length: count }, (_, number) => versionOf(packName(number), 0));
const options = { dryRun: false, onExtended: () => undefined };

async function lockedWith(t: Test, versions: readonly ObjectVersion[], changes: Partial<Root> = {}) {
  const clock = new StoppedClock(t);
  const history = new WrittenHistory(versions);
  const { repository, locks } = await repositoryWith(history, changes);
  return { clock, history, repository, locks, opened: (await RetentionLocks.open(repository, {}))! };
}

t.test('locks: when an extension is due, and until when none ends', async (t) => {
  t.equal(extensionDueMs(undefined, rule), 0, 'there was none');
  t.equal(extensionDueMs({ ...due, after: 'a' }, rule), 0, 'it did not end');
  t.equal(extensionDueMs({ ...due, period: period + 1 }, rule), 0, 'it was for another period');
  t.equal(extensionDueMs(due, rule), nowMs);
  t.equal(locksAreDue(undefined, nowMs), false);
  t.equal(locksAreDue(due, nowMs - 1), false);
  t.equal(locksAreDue(due, nowMs), true);
  t.equal(locksAreDue({ ...due, after: 'a' }, 1), true);
  t.equal(locksHoldUntilMs(undefined), null);
  t.equal(locksHoldUntilMs({ ...due, after: 'a' }), null);
  t.equal(locksHoldUntilMs(due), nowMs + hourMs, 'three quarters of the period after it');
});

t.test('locks: due by the clock of the store, as it goes on; or where that was set back', async (t) => {
  const { clock, opened, repository } = await lockedWith(t, []);
  const isDueAt = (begunMs: number) => opened.isDue({ ...repository.root, locks: { begun: begunMs / 1000, period, after: null } });
  t.equal(isDueAt(nowMs - 2 * hourMs), true);
  t.equal(isDueAt(nowMs - 2 * hourMs + 1), false);
  t.equal(isDueAt(nowMs + hourMs), false, 'as far ahead as extensions may come late');
  t.equal(isDueAt(nowMs + hourMs + 1), true, 'begun in a future that may not come');
  t.equal(opened.isDue(repository.root), true, 'there was none');
  clock.advance(1.6);
  t.equal(opened.nowMs, nowMs + 2);
  clock.advance(hourMs);
  t.equal(opened.nowMs, nowMs + hourMs + 2);
  t.equal(isDueAt(nowMs - hourMs), true);
});

t.test('locks: a store without locks, history or rule has none to extend', async (t) => {
  const history = new WrittenHistory([]);
  const { repository, locks } = await repositoryWith(history);
  const open = (changes: object) =>
    RetentionLocks.open({ ...repository, storage: withOverrides(repository.storage, changes) } as Repository, {});
  t.equal(await open({ locks: undefined }), undefined);
  t.equal(await open({ history: undefined }), undefined);
  t.same((await open({}))?.rule, rule);
  locks.rule = null;
  t.equal(await open({}), undefined);
});

t.test(
  'locks: all that a snapshot needs is extended, for a period from now; what is old, gone, leaving or of somebody else is not',
  async (t) => {
    const [stays, condemned, doomed] = [packName(1), packName(2), packName(3)];
    const id = '1'.repeat(32);
    const names = {
      extended: [`${objectPrefixes.catalogues}${id}`, 'owner/format', objectNames.annotation(id as SnapshotId, 1)],
      not: [`${objectPrefixes.deletionMarks}${id}`, 'owner/strange', 'elsewhere/thing'],
    };
    const versions = [
      ...[...names.extended, ...names.not, condemned, doomed].map((name) => versionOf(name, 0)),
      versionOf(stays, 5),
      versionOf(stays, 0, { isCurrent: false }),
      deletionOf(packName(4), 5),
      versionOf(packName(4), 0, { isCurrent: false }),
    ];
    const { repository, locks, opened } = await lockedWith(t, versions);
    const [condemnedList, doomedList] = [
      await storePackList(repository, [idOf(condemned)]),
      await storePackList(repository, [idOf(doomed)]),
    ];
    await advanceRoot(repository, { condemned: condemnedList, doomed: doomedList });
    const extension = await opened.extend(options);
    t.same(
      locks.extended,
      [...names.extended, stays].map((name) => ({ name, mode: 'governance', untilMs: nowMs + 4 * hourMs })),
    );
    const record = { begun: now, period, after: null };
    t.same(extension, { extended: names.extended.length + 1, failed: 0, error: null, record });
    t.same((await readRoot(repository)).locks, record);
    const leaving = new Set([idOf(condemned)]);
    t.same(
      [stays, condemned, names.not[0]!].map((name) => isExtended(parseObjectName(name), leaving)),
      [true, false, false],
    );
    t.equal(isExtended(null, leaving), false);
    t.equal(isExtended(parseObjectName(`${objectPrefixes.lostLists}${idOf(condemned)}`), leaving), true, 'the same id, but no pack');
  },
);

t.test('locks: an extension that is not due does nothing; a dry run counts what would be done', async (t) => {
  const early = { ...due, begun: due.begun + 1 };
  const { repository, locks, opened } = await lockedWith(t, packsOf(3), { locks: early });
  t.same(await opened.extend(options), { extended: 0, failed: 0, error: null, record: early });
  await advanceRoot(repository, { locks: due });
  const { number } = await readRoot(repository);
  let told = 0;
  t.same(await opened.extend({ dryRun: true, onExtended: () => told++ }), { extended: 3, failed: 0, error: null, record: null });
  t.same({ told, asked: locks.names, number: (await readRoot(repository)).number }, { told: 3, asked: [], number });
});

t.test('locks: young objects are left to the next extension, but only where all before them were extended', async (t) => {
  const youngMs = nowMs - hourMs;
  const versions = [versionOf(packName(1), youngMs), versionOf(packName(2), youngMs + 1)];
  const { repository, locks, opened } = await lockedWith(t, versions);
  const extendedUnder = async (record: LockRecord) => {
    locks.extended.length = 0;
    await advanceRoot(repository, { locks: record });
    await opened.extend(options);
    return locks.names;
  };
  t.same(await extendedUnder(due), [packName(1)]);
  t.same(await extendedUnder({ ...due, period: period - 4 }), [packName(1), packName(2)], 'they were for another period');
  t.same(await extendedUnder({ ...due, after: packName(0) }), [packName(1), packName(2)], 'the last one did not end');
  await advanceRoot(repository, { locks: undefined });
  locks.extended.length = 0;
  await opened.extend(options);
  t.equal(locks.names.length, 2, 'there was none');
});

t.test('locks: one that did not end is gone on with where it was, until another one is due', async (t) => {
  const { repository, locks, opened } = await lockedWith(t, packsOf(3));
  const extendedUnder = async (record: LockRecord) => {
    locks.extended.length = 0;
    await advanceRoot(repository, { locks: record });
    await opened.extend(options);
    return { names: locks.names, record: (await readRoot(repository)).locks };
  };
  const begun = now - period / 2 + 1;
  t.same(await extendedUnder({ begun, period, after: packName(0) }), {
    names: [packName(1), packName(2)],
    record: { begun, period, after: null },
  });
  const ahead = await extendedUnder({ begun: now + period / 4 + 1, period, after: null });
  t.same(ahead.record, { begun: now, period, after: null }, 'begun in a future that may not come: made anew');
  const anew = { names: [0, 1, 2].map(packName), record: { begun: now, period, after: null } };
  t.same(await extendedUnder({ begun: begun - 1, period, after: packName(0) }), anew, 'half of the period has passed');
  t.same(await extendedUnder({ begun, period: period + 4, after: packName(0) }), anew, 'it was for another period');
});

/** Records how far it came more often than it would. */
function recordedObjects(t: Test): number {
  const count = 2 * maintainLimits.namesPerDelete;
  withLimits(t, lockLimits, { recordedObjects: count });
  return count;
}

t.test('locks: the root says how far a long one has come, for the one that goes on with it', async (t) => {
  const recorded = recordedObjects(t);
  const { clock, repository, locks } = await lockedWith(t, packsOf(recorded + 2));
  const { number } = repository.root;
  const { signal, storage, withoutSignal } = new SignalWatch(repository.storage);
  const opened = (await RetentionLocks.open({ ...repository, storage }, { signal }))!;
  locks.onExtend = (name) => {
    if (name === packName(recorded)) throw new LaganError('interrupted', 'stopped');
  };
  await t.rejects(opened.extend({ ...options, signal }), { code: 'interrupted' });
  t.match(await readRoot(repository), { number: number + 1, locks: { begun: now, period, after: packName(recorded - 1) } });
  t.equal(locks.mostAtOnce, lockLimits.concurrentRequests);
  locks.extended.length = 0;
  locks.onExtend = () => undefined;
  clock.advance(2 * hourMs - 1);
  const record = { begun: now, period, after: null };
  t.same(await opened.extend({ ...options, signal }), { extended: 2, failed: 0, error: null, record });
  t.same(locks.names, [packName(recorded), packName(recorded + 1)]);
  t.match(await readRoot(repository), { number: number + 2, locks: record });
  t.same([...withoutSignal], [], 'calls that nobody can end');
});

t.test('locks: while some have failed, or in a dry run, the root is not told how far it came', async (t) => {
  const recorded = recordedObjects(t);
  const { repository, locks, opened } = await lockedWith(t, packsOf(recorded + 1));
  const { number } = repository.root;
  t.match(await opened.extend({ ...options, dryRun: true }), { extended: recorded + 1, record: null });
  locks.onExtend = (name) => {
    if (name === packName(0)) throw new LaganError('forbidden', 'no');
  };
  t.match(await opened.extend(options), { extended: recorded, failed: 1, error: { code: 'forbidden' }, record: null });
  t.equal((await readRoot(repository)).number, number);
});

t.test('locks: what is gone by now is no failure; the first failure is told; many in a row end it', async (t) => {
  const { failures, concurrentRequests } = lockLimits;
  const count = 10 * failures;
  const { locks, opened } = await lockedWith(t, packsOf(count));
  let asked = 0;
  const extendedWhere = (outcome: (number: number) => void) => {
    asked = 0;
    locks.onExtend = () => outcome(asked++);
    return opened.extend(options);
  };
  const fail = (number: number): never => {
    throw new LaganError('forbidden', `${number}`);
  };
  const hopeless = await extendedWhere(fail);
  t.match(hopeless, { extended: 0, error: { message: '0' }, record: null });
  t.ok(hopeless.failed >= failures && hopeless.failed < failures + concurrentRequests, `${hopeless.failed}`);
  const mixed = await extendedWhere((number) => number % failures !== 0 && fail(number));
  t.match(mixed, { extended: count / failures, error: { message: '1' }, record: null });
  t.equal(mixed.extended + mixed.failed, count, 'one success in between is hope');
  await t.rejects(
    extendedWhere(() => {
      throw new TypeError('a mistake');
    }),
    TypeError,
  );
  const gone = await extendedWhere((number) => {
    throw new LaganError('not-found', `${number}`);
  });
  t.match(gone, { failed: 0, error: null, record: { begun: now, after: null } });
});

t.test('locks: an extension is remembered though another collector replaces the root meanwhile', async (t) => {
  const { repository, opened } = await lockedWith(t, packsOf(1));
  const { number } = repository.root;
  let isFirst = true;
  const create: Storage['create'] = async (...given) => {
    if (isFirst) {
      isFirst = false;
      await advanceRoot(repository, { generation: 7, locks: undefined });
    }
    return repository.storage.create(...given);
  };
  const disturbed = { ...repository, storage: withOverrides(repository.storage, { create }) };
  await (await RetentionLocks.open(disturbed, {}))!.extend(options);
  t.match(await readRoot(repository), { number: number + 2, generation: 7, locks: { begun: now, after: null } });
  t.equal(isFirst, false);
  t.equal(opened.isDue(await readRoot(repository)), false);
});

t.test('locks: where other collectors are always faster the extension is not remembered', async (t) => {
  withLimits(t, maintainLimits, { attempts: 2 });
  const { repository } = await lockedWith(t, packsOf(1));
  let attempts = 0;
  const create: Storage['create'] = async (...given) => {
    attempts++;
    await advanceRoot(repository, {});
    return repository.storage.create(...given);
  };
  const disturbed = { ...repository, storage: withOverrides(repository.storage, { create }) };
  await (await RetentionLocks.open(disturbed, {}))!.extend(options);
  t.equal(attempts, 2);
  t.equal((await readRoot(repository)).locks, undefined, 'the next one extends all again');
});

t.test('locks: so many failures in a row, and no more, end an extension', async (t) => {
  withLimits(t, lockLimits, { concurrentRequests: 1 });
  const { locks, opened } = await lockedWith(t, packsOf(3 * lockLimits.failures));
  let asked = 0;
  locks.onExtend = () => {
    asked++;
    throw new LaganError('forbidden', 'no');
  };
  t.match(await opened.extend(options), { extended: 0, failed: lockLimits.failures });
  t.equal(asked, lockLimits.failures);
});

t.test('locks: packs stay as they are until their locks have to be extended', async (t) => {
  const youngMs = nowMs - hourMs;
  const own = objectNames.pack('f'.repeat(32) as PackId);
  t.ok(own.startsWith(objectPrefixes.collectorPacks));
  const versions = [
    versionOf(own, youngMs + 1),
    versionOf(packName(1), youngMs),
    versionOf(packName(2), youngMs + 1),
    versionOf(packName(3), youngMs + 1, { isCurrent: false }),
  ];
  const { repository, opened } = await lockedWith(t, versions);
  const keptUnder = async (record: LockRecord) => {
    const isKept = await opened.keptAsTheyAre({ ...repository.root, locks: record }, {});
    return [own, packName(1), packName(2), packName(3)].map((name) => isKept(idOf(name)));
  };
  t.same(await keptUnder({ ...due, begun: due.begun + 1 }), [true, true, true, true], 'no extension is due');
  t.same(await keptUnder(due), [true, false, true, false]);
  t.same(await keptUnder({ ...due, after: '' }), [false, false, false, false], 'all are to be extended');
});

t.test('openLocks: who may not ask is told so where locks were extended before; any other error is one', async (t) => {
  const { repository, locks } = await lockedWith(t, []);
  const opened = async (root: Root) => {
    const warnings: MaintainWarning[] = [];
    const found = await openLocks({ ...repository, root }, { onWarning: (warning) => warnings.push(warning), signal: undefined });
    return { found, warnings };
  };
  locks.policyError = new LaganError('forbidden', 'you may not ask');
  t.same(await opened(repository.root), { found: undefined, warnings: [] });
  const { found, warnings } = await opened({ ...repository.root, locks: due });
  t.equal(found, undefined);
  t.match(warnings, [{ code: 'forbidden', message: /you may not ask/ }]);
  locks.policyError = new LaganError('unavailable', 'away');
  await t.rejects(opened(repository.root), { code: 'unavailable' });
  locks.policyError = new TypeError('a mistake');
  await t.rejects(opened({ ...repository.root, locks: due }), TypeError);
});

t.test('keepLocks: what it has done, how many requests that took, and what comes next', async (t) => {
  const old = (number: number) => [
    deletionOf(packName(number), nowMs - 4 * hourMs),
    versionOf(packName(number), 0, { isCurrent: false, sizeBytes: 3 }),
  ];
  const { purgedVersions } = lockLimits;
  const kept = async (versions: readonly ObjectVersion[], record: LockRecord | undefined, dryRun = false) => {
    const { repository, locks, opened } = await lockedWith(t, versions, { locks: record });
    const warnings: MaintainWarning[] = [];
    locks.onExtend = (name) => {
      if (name === packName(9)) throw new LaganError('forbidden', 'not that one');
    };
    const result = await keepLocks(repository, opened, { ...options, dryRun, onWarning: (warning) => warnings.push(warning) });
    return { result, warnings };
  };
  const ended = timeOf(nowMs + 2 * hourMs);
  const nothingOld = { freed: 0, waiting: 0, refused: 0, overwritten: 0 };
  const first = await kept([versionOf(packName(1), 0)], undefined);
  t.match(first, {
    result: {
      rule,
      extended: 1,
      failed: 0,
      requests: 3,
      nextExtension: ended,
      holdUntil: timeOf(nowMs + 3 * hourMs),
      oldVersions: nothingOld,
    },
    warnings: [],
  });
  const early = { ...due, begun: due.begun + 60 };
  const idle = await kept([versionOf(packName(1), 0)], early);
  t.match(idle.result, { extended: 0, requests: 1, nextExtension: timeOf(nowMs + 60_000), holdUntil: timeOf(nowMs + hourMs + 60_000) });
  t.equal((await kept([], early)).result.requests, 1, 'an empty listing is one');
  const failed = await kept([versionOf(packName(1), 0), versionOf(packName(9), 0)], undefined);
  t.match(failed, {
    result: { extended: 1, failed: 1, requests: 4, nextExtension: null, holdUntil: null },
    warnings: [{ code: 'forbidden', message: /1 locks .*not that one/ }],
  });
  t.equal((await kept(old(1), early)).result.requests, 2, 'a listing and a deletion');
  const many = Array.from({ length: purgedVersions + 1 }, (_, number) => old(number)).flat();
  const freed = await kept(many, early);
  t.match(freed.result, { requests: 3 + 2, oldVersions: { freed: purgedVersions + 1, freedBytes: 3 * (purgedVersions + 1) } });
  const dry = await kept([...old(1), versionOf(packName(2), 0)], undefined, true);
  t.match(dry.result, { extended: 1, requests: 4, nextExtension: null, holdUntil: null, oldVersions: { freed: 1 } });
});

t.test('keepLocks: it is told that maintenance comes too late, what was not deleted, and what was overwritten', async (t) => {
  const warningsOf = async (versions: readonly ObjectVersion[], begun: number, isLocked = false) => {
    new StoppedClock(t);
    const { repository, locks } = await repositoryWith(new WrittenHistory(versions, () => isLocked), {
      locks: { begun, period, after: null },
    });
    const warnings: MaintainWarning[] = [];
    const opened = (await RetentionLocks.open(repository, {}))!;
    await keepLocks(repository, opened, { ...options, onWarning: (warning) => warnings.push(warning) });
    t.equal(locks.extended.length, 0);
    return warnings;
  };
  const lateSince = now - (3 * period) / 4;
  t.same(await warningsOf([], lateSince + 1), []);
  t.match(await warningsOf([], lateSince), [{ code: 'partial', message: /2029-12-31T21:00:00.000Z.*2030-01-01T00:00:00.000Z/ }]);
  const deleted = [deletionOf(packName(1), 4), versionOf(packName(1), 0, { isCurrent: false })];
  t.match(await warningsOf(deleted, now, true), [{ code: 'forbidden', message: /^1 old versions/ }]);
  const overwritten = [versionOf(packName(1), nowMs, { tag: 'other' }), versionOf(packName(1), 0, { isCurrent: false })];
  t.match(await warningsOf(overwritten, now), [{ code: 'name-mismatch', message: new RegExp(`^1 objects .*${packName(1)}$`) }]);
  t.same(await warningsOf([], now), []);
});

t.test('timeOf: to the nanosecond, before 1970, too', async (t) => {
  t.same(timeOf(1234), { seconds: 1, nanoseconds: 234_000_000 });
  t.same(timeOf(-1), { seconds: -1, nanoseconds: 999_000_000 });
  t.same(timeOf(2000), { seconds: 2, nanoseconds: 0 });
});
