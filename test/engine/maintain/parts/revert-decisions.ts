/** What becomes of a name by its versions and their times, to the millisecond. */
import t from 'tap';
import { revert } from '../../../../engine/maintain/mod.ts';
import { idForSuccessor } from '../../../../engine/repository/mod.ts';
import { InMemory, type ObjectVersion, type Storage, withOverrides } from '../../../../engine/storage/mod.ts';
import { objectNames, type PackId, type SessionId } from '../../../../repo-format/mod.ts';
import { deletionOf, nowMs, packName, repositoryWith, versionOf, WrittenHistory } from './_versions.ts';

const timeMs = nowMs;
const name = packName(1);
const old = { isCurrent: false };

async function reverted(versions: readonly ObjectVersion[], dryRun = false) {
  const history = new WrittenHistory(versions);
  const { repository } = await repositoryWith(history, { generation: 5 });
  const hidden: string[] = [];
  /** How many had come back by each call that hides. */
  const calls: number[] = [];
  const remove: Storage['delete'] = async (names) => {
    hidden.push(...names);
    calls.push(history.broughtBack.length);
  };
  const storage = withOverrides(repository.storage, { delete: remove });
  const result = await revert(repository, storage, { timeMs, dryRun });
  return {
    result,
    root: repository.root,
    hidden,
    calls,
    broughtBack: history.broughtBack.map(({ id }) => id),
  };
}

/** What becomes of the one name of these versions, the newest first; and by which of them. */
async function fateOf(...versions: ObjectVersion[]): Promise<string> {
  const { result, hidden, broughtBack } = await reverted(versions);
  const [object] = result.objects;
  if (object === undefined) return `stays ${[...hidden, ...broughtBack].join(' ')}`.trim();
  const by = versions.findIndex(({ id }) => id === broughtBack[0]);
  return `${object.change} ${object.change === 'hidden' ? hidden.length : by} ${object.sizeBytes}`;
}

t.test('revert: what was there then comes back as it was then', async (t) => {
  const then = versionOf(name, timeMs, { ...old, sizeBytes: 7 });
  t.equal(await fateOf(deletionOf(name, timeMs + 1), then), 'undeleted 1 7');
  t.equal(await fateOf(deletionOf(name, timeMs), then), 'stays', 'it was gone by then');
  t.equal(await fateOf(deletionOf(name, timeMs + 2), { ...then, sinceMs: timeMs + 1 }), 'stays', 'it was not there yet');
  t.equal(await fateOf(versionOf(name, timeMs)), 'stays');
  t.equal(await fateOf(versionOf(name, timeMs + 1, { tag: 'other', sizeBytes: 9 }), then), 'replaced 1 7');
  const between = versionOf(name, timeMs + 1, { ...old, id: 'between', tag: 'other' });
  const before = versionOf(name, timeMs - 1, { ...old, id: 'before', tag: 'older' });
  t.equal(await fateOf(versionOf(name, timeMs + 2, { tag: 'third' }), between, then, before), 'replaced 2 7', 'the last one by then');
});

t.test('revert: the same bytes are those with the same tag and size, as far as the store tells', async (t) => {
  const pair = (now: Partial<ObjectVersion>, then: Partial<ObjectVersion>) =>
    fateOf(versionOf(name, timeMs + 1, { sizeBytes: 7, ...now }), versionOf(name, timeMs, { ...old, sizeBytes: 7, ...then }));
  t.equal(await pair({ tag: 'same' }, { tag: 'same' }), 'stays');
  t.equal(await pair({ tag: 'other' }, { tag: 'same' }), 'replaced 1 7');
  t.equal(await pair({ tag: 'same', sizeBytes: 8 }, { tag: 'same' }), 'replaced 1 7');
  t.equal(await pair({ tag: '' }, { tag: '' }), 'replaced 1 7', 'it is not known');
  t.equal(await fateOf(versionOf(name, timeMs, { tag: '' })), 'stays', 'it is the same one');
});

t.test('revert: what was made since stays, as it was first', async (t) => {
  const first = versionOf(name, timeMs + 1, { ...old, sizeBytes: 7, id: 'first' });
  t.equal(await fateOf({ ...first, isCurrent: true }), 'stays');
  t.equal(await fateOf(versionOf(name, timeMs + 2, { sizeBytes: 7 }), first), 'stays', 'the same again');
  t.equal(await fateOf(versionOf(name, timeMs + 2, { tag: 'other' }), first), 'replaced 1 7');
  const third = versionOf(name, timeMs + 3, { tag: 'third' });
  t.equal(await fateOf(third, versionOf(name, timeMs + 2, { ...old, tag: 'other' }), first), 'replaced 2 7');
  t.equal(await fateOf(third, deletionOf(name, timeMs + 2, old), first), 'replaced 2 7');
  t.equal(await fateOf(third, deletionOf(name, timeMs, old), { ...first, sinceMs: timeMs - 1 }), 'replaced 2 7', 'it was gone then');
  t.equal(await fateOf(deletionOf(name, timeMs + 2), first), 'stays', 'perhaps it was collected');
  t.equal(await fateOf(versionOf(name, timeMs + 2), deletionOf(name, timeMs + 1, old)), 'stays', 'there was nothing to delete before');
});

t.test("revert: the owner's records and roots that were made since are hidden, and what no root has reached", async (t) => {
  const session = 'f'.repeat(32) as SessionId;
  const { root } = await reverted([]);
  const id = (number: number) => idForSuccessor({ ...root, number: number - 1 });
  const { generation, number } = root;
  const since = async (made: string) => (await fateOf(versionOf(made, timeMs + 1))).split(' ')[0];
  t.equal(generation, 5);
  for (const made of ['owner/format', `owner/holds/${session}`, `owner/deletions/${session}`]) t.equal(await since(made), 'hidden', made);
  for (const [made, fate] of [
    [objectNames.snapshot(generation, session), 'stays'],
    [objectNames.snapshot(generation + 1, session), 'hidden'],
    [objectNames.checkpoint(generation + 1, session, 0), 'hidden'],
    [objectNames.sessionIndex(generation, session, 0, 0), 'stays'],
    [objectNames.sessionIndex(generation + 1, session, 0, 0), 'hidden'],
    [objectNames.baseIndex(id(number + 1)), 'stays'],
    [objectNames.baseIndex(id(number + 2)), 'hidden'],
    [objectNames.catalogue(id(number + 1)), 'stays'],
    [objectNames.catalogue(id(number + 2)), 'hidden'],
    [objectNames.lostList(id(number + 1)), 'stays'],
    [objectNames.lostList(id(number + 2)), 'hidden'],
    [objectNames.pack(session as string as PackId), 'stays'],
    [`writer/reports/${session}`, 'stays'],
    ['owner/strange', 'stays'],
    ['elsewhere/thing', 'stays'],
  ] as const)
    t.equal(await since(made), fate, made);
});

t.test('revert: of roots, those that were made since are read, and no deletion of one', async (t) => {
  const root = objectNames.root(3);
  const versions = [deletionOf(root, timeMs + 1), versionOf(root, timeMs, { ...old, sizeBytes: 7 })];
  t.equal(await fateOf(...versions), 'undeleted 1 7', 'that of then need not be read: the one that counts was');
  await t.rejects(reverted([versionOf(root, timeMs + 1)]), { code: 'not-found' }, 'no answer is none');
});

t.test('revert: all is done by name, what comes back before what is hidden; a dry run tells the same', async (t) => {
  const versions = [
    versionOf('owner/format', timeMs + 1, { sizeBytes: 3 }),
    versionOf('owner/holds/'.padEnd(44, '1'), timeMs + 1, { sizeBytes: 4 }),
    ...[1, 2, 3].flatMap((number) => [
      deletionOf(packName(number), timeMs + 1),
      versionOf(packName(number), timeMs, { ...old, sizeBytes: number }),
    ]),
  ];
  const { result, hidden, calls, broughtBack, root } = await reverted(versions);
  const change = (index: number, what: string) => ({ name: versions[index]!.name, change: what, sizeBytes: versions[index]!.sizeBytes });
  const objects = [change(0, 'hidden'), change(1, 'hidden'), change(3, 'undeleted'), change(5, 'undeleted'), change(7, 'undeleted')];
  const highest = { number: root.number, generation: 5 };
  t.same(result, { outcome: 'reverted', timeMs, objects, highest });
  t.same({ hidden, calls }, { hidden: [versions[0]!.name, versions[1]!.name], calls: [3] });
  t.same(
    broughtBack,
    [3, 5, 7].map((index) => versions[index]!.id),
  );
  const dry = await reverted(versions, true);
  t.same(dry.result, { outcome: 'dry-run', timeMs, objects, highest });
  t.same([dry.calls, dry.broughtBack], [[], []]);
});

t.test('revert: a store that keeps nothing of what is deleted is left alone', async (t) => {
  const history = new WrittenHistory([]);
  const { repository } = await repositoryWith(history);
  history.isKeeping = false;
  const { location } = repository.storage;
  await t.rejects(revert(repository, repository.storage, { timeMs }), { code: 'unsupported', object: location });
  await t.rejects(revert(repository, new InMemory(), { timeMs }), { code: 'unsupported' });
});
