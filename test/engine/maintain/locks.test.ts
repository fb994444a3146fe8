/** Locks and old versions, in a store that has both and a clock of its own. */
import t, { type Test } from 'tap';
import { lockStatus, type MaintainResult, maintain, maintenanceIsDue, recover, revert } from '../../../engine/maintain/mod.ts';
import { createRepository, openRepository, readRoot } from '../../../engine/repository/mod.ts';
import { type ObjectVersion, pastOf } from '../../../engine/storage/mod.ts';
import { LaganError, objectPrefixes, parseObjectName } from '../../../repo-format/mod.ts';
import { secret } from '../backup/_fixture.ts';
import { dayMs, VersionedStorage } from '../storage/versioned-storage.ts';
import { expectContents, expectSound, files, forget, type History, newHistory, snapshotOf, snapshotOfExactly, someOf } from './_fixture.ts';

const period = 30;
const rule = { mode: 'governance', periodSeconds: period * 86_400 } as const;

async function lockedHistory(t: Test): Promise<{ store: VersionedStorage; history: History }> {
  const store = new VersionedStorage(rule);
  const repository = await createRepository(store.storage, { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  return { store, history: { ...(await newHistory(t)), repository } };
}

/** The same repository as a command finds it that begins now. */
async function reopened(history: History, store: VersionedStorage): Promise<History> {
  return { ...history, repository: await openRepository(store.storage, { secret, mode: 'write' }) };
}

async function maintained(history: History, store: VersionedStorage): Promise<MaintainResult> {
  return maintain((await reopened(history, store)).repository);
}

/** Names of objects that are there, and that an extension is for. */
const current = (store: VersionedStorage): string[] =>
  store.names().filter((name) => store.versionsOf(name)[0]?.bytes !== undefined && parseObjectName(name)?.type !== 'deletion-mark');

t.test('locks: for half a year no lock of what is needed ends, and none is extended twice in half a period', async (t) => {
  const { store, history } = await lockedHistory(t);
  const extendedAt = new Map<string, number>();
  let extensions = 0;
  for (let week = 0; week < 26; week++) {
    await snapshotOf(await reopened(history, store), files(`week ${week}`, 1));
    const before = new Map(current(store).map((name) => [name, store.versionsOf(name)[0]!.lockedUntilMs]));
    const { locks } = await maintained(history, store);
    extensions += locks!.extended;
    for (const name of current(store)) {
      const { lockedUntilMs } = store.versionsOf(name)[0]!;
      if (lockedUntilMs <= store.nowMs + (period / 4) * dayMs) t.fail(`${name} in week ${week}`);
      if (!before.has(name) || before.get(name) === lockedUntilMs) continue;
      if (store.nowMs - (extendedAt.get(name) ?? 0) < (period / 2) * dayMs) t.fail(`${name} was extended twice`);
      extendedAt.set(name, store.nowMs);
    }
    store.advance(7);
  }
  t.equal(store.extensions, extensions, 'it says how many requests it made');
  await expectSound(t, await reopened(history, store));
});

t.test('locks: what is forgotten is deleted for good when its lock has ended, and its space comes back', async (t) => {
  const { store, history } = await lockedHistory(t);
  const lost = await snapshotOf(history, files('lost', 4));
  const contents = history.expected.get(lost)!;
  await snapshotOfExactly(history, files('kept', 4));
  t.match((await maintained(history, store)).locks, { failed: 0, nextExtension: {}, holdUntil: {} });
  const beforeMs = store.nowMs;
  store.advance(1);
  await forget(history, lost);
  const result = await maintained(history, store);
  t.ok(result.freedPacks > 0);
  const { waiting, waitingBytes, waitingUntilMs, freed } = result.locks!.oldVersions;
  t.match({ freed, waitingUntilMs }, { freed: 0, waitingUntilMs: store.nowMs + period * dayMs });
  t.ok(waiting > 0 && waitingBytes >= result.freedBytes);
  const storedBytes = store.storedBytes;

  const past = await openRepository(pastOf(store.storage, beforeMs), { secret, mode: 'read' });
  await expectContents(t, { ...history, repository: past, expected: new Map([...history.expected, [lost, contents]]) });

  store.advance(period - 1);
  t.equal((await maintained(history, store)).locks!.oldVersions.freed, 0, 'a day before');
  store.advance(1);
  const later = await maintained(history, store);
  t.match(later.locks!.oldVersions, { freed: waiting, freedBytes: waitingBytes, refused: 0 });
  t.ok(store.storedBytes < storedBytes - 0.9 * result.freedBytes, 'but for roots that were made since');
  await expectSound(t, await reopened(history, store));
});

t.test('locks: who may put and delete, but no versions, can take nothing away as long as the locks hold', async (t) => {
  const { store, history } = await lockedHistory(t);
  for (const seed of ['a', 'b', 'c']) {
    await snapshotOf(await reopened(history, store), files(seed, 2));
    await maintained(history, store);
    store.advance(6);
  }
  const timeMs = store.nowMs;
  store.advance(0.1);
  for (const [index, name] of current(store).entries()) {
    if (index % 3 !== 0) await store.delete([name]);
    if (index % 3 !== 1) await store.overwrite(name, Buffer.from('of the attacker'));
  }
  await store.overwrite('collector/roots/0010000000000000', Buffer.from('of the attacker'));
  await store.overwrite(`collector/catalogue/${'f'.repeat(32)}`, Buffer.from('of the attacker'));
  const listed: ObjectVersion[] = [];
  for await (const version of store.storage.history!.list('')) if (version.kind === 'object') listed.push(version);
  t.same(await store.storage.history!.purge(listed), listed, 'not even who may delete versions');
  await t.rejects(openRepository(store.storage, { secret, mode: 'read' }));

  const past = await openRepository(pastOf(store.storage, timeMs), { secret, mode: 'read' });
  const dry = await revert(past, store.storage, { timeMs, dryRun: true });
  t.ok(dry.objects.some(({ change }) => change === 'hidden'));
  const { highest, objects } = await revert(past, store.storage, { timeMs });
  t.same(objects, dry.objects);
  const opened = await openRepository(store.storage, { secret, mode: 'write' });
  const result = await recover(opened, { force: true, beyond: highest });
  t.match(result, { outcome: 'recovered', damage: [] });
  await expectSound(t, await reopened(history, store));
  store.advance(0.1);
  t.same((await revert(past, store.storage, { timeMs: store.nowMs, dryRun: true })).objects, [], 'nothing differs from now');
});

t.test('locks: packs are repacked only when their locks would have to be extended', async (t) => {
  const { store, history } = await lockedHistory(t);
  const contents = files('half', 40);
  const whole = await snapshotOfExactly(history, contents);
  await maintained(history, store);
  await snapshotOfExactly(await reopened(history, store), someOf(contents, 2));
  await forget(history, whole);
  store.advance(period / 2 - 1);
  t.match(await maintained(history, store), { repackedPacks: 0, droppedSnapshots: 1 });
  store.advance(1);
  const { repository } = await reopened(history, store);
  const result = await maintain(repository, { maxUnused: 0 });
  t.ok(result.repackedPacks > 0);
  await expectSound(t, await reopened(history, store));
});

t.test('locks: an extension that fails is told, is not taken for one, and is made good by the next', async (t) => {
  const { store, history } = await lockedHistory(t);
  await snapshotOf(history, files('a', 2));
  store.extensionError = new LaganError('forbidden', 'no');
  const warnings: string[] = [];
  const { locks } = await maintain((await reopened(history, store)).repository, { onWarning: ({ code }) => warnings.push(code) });
  t.match({ locks, warnings }, { locks: { extended: 0, nextExtension: null, holdUntil: null }, warnings: ['forbidden'] });
  store.extensionError = undefined;
  t.ok((await maintained(history, store)).locks!.extended > 0);
  t.equal((await maintained(history, store)).locks!.extended, 0, 'once in half a period');
});

t.test('locks: maintenance that comes too late says so; what was overwritten is told and kept', async (t) => {
  const { store, history } = await lockedHistory(t);
  await snapshotOf(history, files('a', 2));
  await maintained(history, store);
  store.advance(period);
  const [pack] = store.names(objectPrefixes.writerPacks);
  await store.overwrite(pack!, Buffer.from('of the attacker'));
  store.advance(period + 1);
  const warnings: string[] = [];
  const { locks } = await maintain((await reopened(history, store)).repository, { onWarning: ({ code }) => warnings.push(code) });
  t.same(warnings, ['partial', 'name-mismatch']);
  t.match(locks!.oldVersions, { overwritten: 1, overwrittenNames: [pack] });
  t.equal(store.versionsOf(pack!).length, 2);
});

t.test('lockStatus: what the next extension takes is what it then takes', async (t) => {
  const { store, history } = await lockedHistory(t);
  await snapshotOf(history, files('a', 2));
  await maintained(history, store);
  store.advance(period / 2 - 2);
  const status = await lockStatus((await reopened(history, store)).repository);
  t.match(status, { isEnabled: true, rule, oldVersions: { freed: 0 } });
  store.advance(2);
  const { locks } = await maintained(history, store);
  t.equal(locks!.requests, status.nextRequests);
  for (const { kind, holdUntil } of status.locked) t.ok(holdUntil.seconds * 1000 > store.nowMs, kind);
  t.equal(
    await maintenanceIsDue({
      ...(await reopened(history, store)).repository,
      root: { ...(await readRoot(history.repository)), locks: { begun: 0, period: 1, after: null } },
    }),
    true,
  );
});

t.test('locks: a store without a rule is left alone', async (t) => {
  const store = new VersionedStorage();
  const repository = await createRepository(store.storage, { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  const history: History = { ...(await newHistory(t)), repository };
  await snapshotOf(history, files('a', 1));
  t.equal((await maintained(history, store)).locks, null);
  t.match(await lockStatus(repository), { isEnabled: false, rule: null, locked: [], oldVersions: null });
});
