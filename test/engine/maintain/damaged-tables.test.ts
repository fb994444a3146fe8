/** A damaged index table of a session, which anyone who writes to the store can leave, too: it costs uploads at most, and is gone after a collection or two. */
import t, { type Test } from 'tap';
import { check } from '../../../engine/check/mod.ts';
import { condemn, fence } from '../../../engine/maintain/_collection.ts';
import { expectNoRollback } from '../../../engine/maintain/_rollback.ts';
import { maintain } from '../../../engine/maintain/mod.ts';
import { readRoot } from '../../../engine/repository/mod.ts';
import { objectNames, objectPrefixes, type SessionId } from '../../../repo-format/mod.ts';
import { namesIn, randomId, replaceObject } from '../repository/sample.ts';
import { backUpOf, copyOf, expectSound, files, type History, latestContents, newHistory, snapshotOf } from './_fixture.ts';

const tablesOf = ({ repository }: History): Promise<string[]> => namesIn(repository.storage, objectPrefixes.sessionIndexes);

type Damage = (bytes: Uint8Array) => Uint8Array;
const flippedAt =
  (offset: number): Damage =>
  (bytes) => {
    const changed = bytes.slice();
    changed[offset < 0 ? bytes.length + offset : offset]! ^= 1;
    return changed;
  };
const damages: Record<string, Damage> = {
  'its header': flippedAt(60),
  'its packs': flippedAt(90),
  'a page': flippedAt(300),
  'its contents': flippedAt(-60),
  'all of it': () => new Uint8Array(0),
};

async function withDamage(history: History, table: string, damage: Damage): Promise<History> {
  const copy = await copyOf(history);
  const { storage } = copy.repository;
  await replaceObject(storage, table, damage(await storage.get(table)));
  return copy;
}

async function backUpNoting(t: Test, history: History): Promise<string[]> {
  const warnings: string[] = [];
  const onWarning = ({ path }: { path: Uint8Array }) => warnings.push(Buffer.from(path).toString());
  const { snapshotId, errors } = await backUpOf(history, { onWarning, force: true });
  history.expected.set(snapshotId!, latestContents(history));
  t.same(errors, [], 'the snapshot lacks nothing');
  return warnings;
}

t.test('a damaged index table: backups go on without it and say so, a collection lists again what is needed, and it is gone', async (t) => {
  const whole = await newHistory(t);
  await snapshotOf(whole, files('a', 3));
  await snapshotOf(whole, files('b', 3));
  const [table] = await tablesOf(whole);
  for (const [what, damage] of Object.entries(damages)) {
    const history = await withDamage(whole, table!, damage);
    const { repository } = history;
    const found = await check(repository, { workers: 1, record: true });
    t.match([found.errors.some(({ object }) => object === table), found.reports], [true, 1], `${what}: the check finds it, and reports it`);
    t.match(await check(repository, { workers: 1, record: true }), { reports: 0 }, 'once');
    if (what === 'a page') t.same(await backUpNoting(t, history), [table], 'the backup says what it goes on without, once');
    const told: (string | undefined)[] = [];
    t.match(await maintain(repository, { onDamage: ({ object }) => void told.push(object) }), { outcome: 'collected' }, what);
    t.same(told, [table], 'and so does the maintenance');
    await expectSound(t, history);
    t.match(await maintain(repository), { outcome: 'idle' }, `${what}: one collection is enough`);
    t.same(await backUpNoting(t, history), []);
  }
});

t.test('a damaged index table: while a collector fences, a backup that begins does not rely on it', async (t) => {
  const whole = await newHistory(t);
  await snapshotOf(whole, files('a', 3));
  await snapshotOf(whole, files('b', 3));
  const [table] = await tablesOf(whole);
  for (const damage of [damages['a page']!, damages['its contents']!]) {
    const history = await withDamage(whole, table!, damage);
    const { repository } = history;
    const census = await expectNoRollback(repository, await readRoot(repository), { onDamage: () => undefined });
    const condemned = await condemn(repository, await readRoot(repository), { packs: [], census, signal: undefined });
    await fence(repository, condemned!, { signal: undefined });
    t.same(await backUpNoting(t, history), [table]);
    await maintain(repository);
    await expectSound(t, history);
  }
});

t.test('a damaged index table: garbage that anybody left under such a name stops nobody', async (t) => {
  const history = await newHistory(t);
  await snapshotOf(history, files('a', 3));
  const { repository } = history;
  const strange = objectNames.sessionIndex(0, randomId<SessionId>(), 0, 0);
  await repository.storage.create(strange, [Buffer.from('what anybody can write')]);
  t.same(await backUpNoting(t, history), [strange]);
  await maintain(repository);
  await expectSound(t, history);
});
