/** What a collection sees under a root, and what it decides: which snapshots and checkpoints count, what they need, which packs are doomed, rescued and listed. */
import t, { type Test } from 'tap';
import { openBaseIndex, readBaseIndex, StoredIndex } from '../../../engine/index/mod.ts';
import { type BaseChanges, storeBaseIndex } from '../../../engine/maintain/_base-index.ts';
import { condemn, condemnable, decide, fence } from '../../../engine/maintain/_collection.ts';
import { maintainLimits } from '../../../engine/maintain/_limits.ts';
import { listPackSizes } from '../../../engine/maintain/_rollback.ts';
import { type Survey, type SurveyOptions, survey } from '../../../engine/maintain/_survey.ts';
import type { StoredPack } from '../../../engine/packs/mod.ts';
import {
  holdSnapshots,
  type Repository,
  readCatalogueRecord,
  readLostPacks,
  readMarkedPackList,
  readPackList,
  readRoot,
  storePackList,
} from '../../../engine/repository/mod.ts';
import { withOverrides } from '../../../engine/storage/mod.ts';
import {
  idToBytes,
  LaganError,
  limits,
  type MarkedSession,
  type ObjectReference,
  objectNames,
  objectPrefixes,
  type PackId,
  type Root,
  type SessionId,
  type Snapshot,
} from '../../../repo-format/mod.ts';
import { randomNames } from '../random.ts';
import { advanceRoot, markDeleted, randomId, sampleSnapshot } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { type Chunk, HandMade, lossesOf, signalsOf, withLimits } from './_hand-made.ts';

const now = () => ({ seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 });
const idsOf = (all: readonly { readonly id: string }[]) => all.map(({ id }) => id).sort();
const newPacks = (count: number) => Array.from({ length: count }, () => randomId<PackId>()).sort();

interface Told {
  readonly damage: (string | undefined)[];
  snapshots: number;
}

async function surveyOf({ repository }: HandMade, options: Partial<SurveyOptions> & { told?: Told; root?: Root } = {}): Promise<Survey> {
  const { told = { damage: [], snapshots: 0 }, root = await readRoot(repository), ...more } = options;
  return survey(repository, root, {
    onSnapshot: () => told.snapshots++,
    onDamage: ({ object }) => void told.damage.push(object),
    signal: undefined,
    ...more,
  });
}

/** The same place over another storage. */
const over = (place: HandMade, storage: FaultyStorage) => ({ repository: { ...place.repository, storage } as Repository }) as HandMade;
const failing = (place: HandMade, name: RegExp) =>
  over(place, new FaultyStorage(place.storage, { faults: [{ operation: 'get', name, call: 1, forever: true }] }));

t.test(
  'survey: snapshots stand, go if they are marked, and stay if they are held; what they list is needed as long as they stay',
  async (t) => {
    const place = await HandMade.create();
    const [a, b, c] = newPacks(3) as [PackId, PackId, PackId];
    const kept = await place.commit([a, b]);
    const dropped = await place.commit([b, c]);
    const held = await place.commit([]);
    await markDeleted(place.repository, [dropped.id, held.id]);
    await holdSnapshots(place.repository, [held.id], { until: null, reason: 'test' });
    const told: Told = { damage: [], snapshots: 0 };
    const found = await surveyOf(place, { told });
    t.same(idsOf(found.snapshots), idsOf([kept, held]));
    t.same(idsOf(found.dropped), [dropped.id]);
    t.match(found, { held: 1, isRewritten: false, checkpoints: { length: 0 }, endedCheckpoints: { length: 0 }, damage: { length: 0 } });
    const lists = [kept, held].flatMap(({ snapshot }) => snapshot.listPacks);
    t.same(found.listed, new Set([a, b, ...lists]));
    t.same(found.needed, found.listed);
    t.equal(told.snapshots, 3);
    t.same(found.inTables, new Set());
  },
);

t.test('survey: a snapshot that was made of one that goes tells that it was rewritten', async (t) => {
  const place = await HandMade.create();
  const [first, second] = [await place.commit([]), await place.commit([])];
  const made = await place.commit([], { extensions: { origin: { snapshot: idToBytes(first.id) } } });
  await markDeleted(place.repository, [second.id]);
  t.equal((await surveyOf(place)).isRewritten, false);
  await markDeleted(place.repository, [first.id]);
  t.equal((await surveyOf(place)).isRewritten, true);
  await markDeleted(place.repository, [made.id]);
  t.equal((await surveyOf(place)).isRewritten, true);
  await place.storage.delete([first.name]);
  t.equal((await surveyOf(place)).isRewritten, false, 'it is gone already');
});

t.test('survey: under the root of a recovery nothing goes', async (t) => {
  const place = await HandMade.create();
  const snapshot = await place.commit([]);
  await markDeleted(place.repository, [snapshot.id]);
  await advanceRoot(place.repository, { previous: null });
  t.match(await surveyOf(place), { dropped: { length: 0 }, snapshots: [{ id: snapshot.id }] });
});

t.test('survey: only what is of a lower generation counts, if it is asked so', async (t) => {
  const place = await HandMade.create();
  const [old, oldUnfinished] = [await place.commit([]), await place.checkpoint([])];
  await place.table([]);
  await advanceRoot(place.repository, { generation: 1 });
  const [young, youngUnfinished] = [await place.commit([]), await place.checkpoint([])];
  await place.table([], { generation: 1 });
  const found = await surveyOf(place, { below: 1 });
  t.match(found, { snapshots: [{ id: old.id }], checkpoints: [{ id: oldUnfinished.id }], tables: [{ generation: 0 }] });
  t.equal([...found.snapshots, ...found.checkpoints, ...found.tables].length, 3);
  const all = await surveyOf(place);
  t.same(idsOf(all.snapshots), idsOf([old, young]));
  t.same(idsOf(all.checkpoints), idsOf([oldUnfinished, youngUnfinished]));
  t.equal(all.tables.length, 2);
  // Whoever makes up what is of a later generation is not listened to.
  await advanceRoot(place.repository, { generation: 0 });
  t.equal((await surveyOf(place)).snapshots.length, 1);
});

t.test(
  'survey: a checkpoint stays as long as its session may go on: with what it lists, and what the tables of its session list',
  async (t) => {
    const place = await HandMade.create();
    const [listed] = newPacks(1) as [PackId];
    const [own, others] = [await place.pack([place.chunks('own', 1)]), await place.pack([place.chunks('x', 1)])];
    const session = await place.checkpoint([listed]);
    await place.table([own], session);
    await place.table([others]);
    const found = await surveyOf(place);
    t.match(found.checkpoints, [{ id: session.id, number: 0 }]);
    t.same(found.inTables, new Set([own.pack]));
    t.ok([listed, own.pack].every((pack) => found.listed.has(pack) && found.needed.has(pack)));
    t.notOk(found.listed.has(others.pack), 'of a session without a checkpoint');
    const table = objectNames.sessionIndex(0, session.id, 0, 0);
    await t.rejects(surveyOf(failing(place, new RegExp(table))), { code: 'io' }, 'a store that fails says nothing');
    await place.damage(table, 60);
    t.same((await surveyOf(place)).inTables, new Set(), 'a damaged table lists nothing');
  },
);

t.test('survey: a checkpoint that nobody goes on with ends after so many collections, or days', async (t) => {
  const place = await HandMade.create();
  const { checkpointCollections, checkpointSeconds } = maintainLimits;
  const [unfinished] = [await place.checkpoint([])];
  const { seconds } = now();
  const young = await place.checkpoint([], { ended: { seconds: seconds - checkpointSeconds + 100, nanoseconds: 0 } });
  const old = await place.checkpoint([], { ended: { seconds: seconds - checkpointSeconds - 1, nanoseconds: 0 } });
  const found = await surveyOf(place);
  t.same([idsOf(found.checkpoints), idsOf(found.endedCheckpoints)], [idsOf([unfinished, young]), [old.id]]);
  await advanceRoot(place.repository, { generation: checkpointCollections });
  t.equal((await surveyOf(place)).checkpoints.length, 2);
  await advanceRoot(place.repository, { generation: checkpointCollections + 1 });
  t.match(await surveyOf(place), { checkpoints: { length: 0 }, endedCheckpoints: { length: 3 } });
  const later = await place.checkpoint([], {}, { id: randomId(), generation: checkpointCollections - 1 });
  t.same(idsOf((await surveyOf(place)).checkpoints), [later.id], 'of a later generation');
});

t.test('survey: a checkpoint ends once a backup went on from it and has come as far', async (t) => {
  const place = await HandMade.create();
  const continuing = (...ids: SessionId[]) => ({ extensions: { continues: ids.map(idToBytes) } });
  const bytes = (count: number) => ({ statistics: { ...sampleSnapshot({ id: randomId(), generation: 0 }).statistics, bytes: count } });
  const [first, second] = [await place.checkpoint([], bytes(10)), await place.checkpoint([], bytes(10))];
  const slow = await place.checkpoint([], { ...continuing(first.id), ...bytes(9) });
  const ids = async () => {
    const { checkpoints, endedCheckpoints } = await surveyOf(place);
    return [idsOf(checkpoints), idsOf(endedCheckpoints)];
  };
  t.same(await ids(), [idsOf([first, second, slow]), []], 'it has not come as far');
  const fast = await place.checkpoint([], { ...continuing(first.id, randomId()), ...bytes(10) });
  t.same(await ids(), [idsOf([second, slow, fast]), [first.id]]);
  const done = await place.commit([], continuing(second.id));
  t.same(await ids(), [idsOf([slow, fast]), idsOf([first, second])], 'a snapshot has all');
  await markDeleted(place.repository, [done.id]);
  t.same(await ids(), [idsOf([slow, fast]), idsOf([first, second])], 'also one that goes');
});

t.test('survey: what a checkpoint says of itself, or in another form than ours, ends none', async (t) => {
  const place = await HandMade.create();
  const other = await place.checkpoint([]);
  const id = randomId<SessionId>();
  const strange: unknown[] = [idToBytes(other.id), [other.id], [null, new Uint8Array(15), { id }], { 0: idToBytes(other.id) }, 'none'];
  for (const continues of strange) await place.commit([], { extensions: { continues } });
  const session = await place.session();
  await place.checkpoint([], { extensions: { continues: [idToBytes(session.id)] } }, session);
  const { checkpoints, endedCheckpoints } = await surveyOf(place);
  t.same([idsOf(checkpoints), endedCheckpoints], [idsOf([other, session]), []]);
});

t.test('survey: a checkpoint of a session that has committed is not counted at all', async (t) => {
  const place = await HandMade.create();
  const session = await place.checkpoint([randomId()]);
  await place.commit([], {}, session);
  t.match(await surveyOf(place), { checkpoints: { length: 0 }, endedCheckpoints: { length: 0 }, snapshots: [{ id: session.id }] });
});

t.test(
  'survey: a damaged checkpoint protects nothing, damage in its list only what it hides; a store that fails is an error',
  async (t) => {
    const place = await HandMade.create();
    const [bad, good] = [await place.checkpoint(newPacks(1)), await place.checkpoint(newPacks(1))];
    const name = objectNames.checkpoint(0, bad.id, 0);
    await t.rejects(surveyOf(failing(place, new RegExp(name))), { code: 'io' });
    await place.damage(name, -30);
    const found = await surveyOf(place);
    t.match(found, { checkpoints: [{ id: good.id }], endedCheckpoints: [{ id: bad.id }], damage: { length: 0 } });
    const [pack] = good.snapshot.listPacks;
    await t.rejects(surveyOf(failing(place, new RegExp(pack!))), { code: 'io' });
    await place.damageBlock(pack!);
    t.match(await surveyOf(place), { checkpoints: [{ id: good.id }], damage: { length: 0 }, listed: new Set([pack]) });
    const gone = new FaultyStorage(place.storage, {
      faults: [{ operation: 'get', name: new RegExp(good.id), call: 1, error: () => new LaganError('not-found', 'removed meanwhile') }],
    });
    t.match(await surveyOf(over(place, gone)), { checkpoints: { length: 0 }, endedCheckpoints: { length: 2 } });
  },
);

t.test('survey: of a damaged snapshot it is not known what it needs; of one that goes it does not matter', async (t) => {
  const place = await HandMade.create();
  const [kept, dropped, whole] = [await place.commit(newPacks(1)), await place.commit(newPacks(1)), await place.commit(newPacks(1))];
  await markDeleted(place.repository, [dropped.id]);
  await t.rejects(surveyOf(failing(place, new RegExp(kept.name))), { code: 'io' });
  await place.damage(dropped.name, -30);
  const told: Told = { damage: [], snapshots: 0 };
  t.match(await surveyOf(place, { told }), { damage: { length: 0 } });
  t.same([told.damage, told.snapshots], [[dropped.name], 3]);
  const [pack] = kept.snapshot.listPacks;
  await place.removePack(pack!);
  t.match((await surveyOf(place)).damage, [{ code: 'pack-missing', object: objectNames.pack(pack!) }], 'its list is gone');
  await place.damage(kept.name, -30);
  const { damage, needed } = await surveyOf(place);
  t.match(damage, [{ object: kept.name }]);
  t.equal(damage.length, 1);
  t.ok(needed.has(whole.snapshot.listPacks[0]!) && needed.size === 2);
  const gone = new FaultyStorage(place.storage, {
    faults: [{ operation: 'get', name: new RegExp(whole.name), call: 1, error: () => new LaganError('not-found', 'it is not there') }],
  });
  t.match((await surveyOf(over(place, gone))).damage, { length: 2 }, 'one that is listed and gone, too');
});

t.test('survey: damaged index tables are told apart from those that count', async (t) => {
  const place = await HandMade.create();
  const [good, bad] = [await place.table([]), await place.table([])];
  const found = await surveyOf(place, { unreadable: new Map([[bad.name, 'why']]) });
  t.match(found, { tables: [{ name: good.name }], unreadableTables: [{ name: bad.name }] });
  t.equal(found.tables.length + found.unreadableTables.length, 2);
  await place.checkpoint([]);
  const root = await fencing(place, { condemned: newPacks(1), doomed: newPacks(1) });
  const { signal } = new AbortController();
  const spy = signalsOf(place.storage, signal);
  const losses = lossesOf({ unknown: new Set(newPacks(1)) });
  await surveyOf(HandMade.over(place.repository, spy.storage), { signal, root, lost: { losses, present: new Set() } });
  t.same(spy.without, []);
});

/** The root of step B: packs are condemned, and what was looked at before they were copied is named. */
async function fencing(
  place: HandMade,
  {
    condemned = [],
    doomed = [],
    marked = [],
    ...changes
  }: { condemned?: readonly PackId[]; doomed?: readonly PackId[]; marked?: readonly MarkedSession[] } & Partial<
    Omit<Root, 'condemned' | 'doomed'>
  >,
): Promise<Root> {
  const root = await readRoot(place.repository);
  const listOf = (packs: readonly PackId[], with_: readonly MarkedSession[]) =>
    storePackList(place.repository, root, { packs, marked: with_ });
  const lists = { condemned: await listOf(condemned, marked), doomed: await listOf(doomed, []) };
  return advanceRoot(place.repository, { generation: 1, floor: 1, pastFloor: 0, phase: 'fencing', ...lists, ...changes });
}

t.test('survey: while a pack is replaced, who was looked at before needs the copy; whoever was not needs both', async (t) => {
  const place = await HandMade.create();
  const [old, copy, other, again] = newPacks(4) as [PackId, PackId, PackId, PackId];
  const early = await place.commit([old]);
  const replaced = new Map([[old, [copy]]]);
  await place.base([], { replaced });
  const marked = [{ session: early.id, number: null }];
  await fencing(place, { condemned: [old], marked });
  const packsOf = async (options: Partial<SurveyOptions> = {}) => {
    const { needed } = await surveyOf(place, { below: 1, ...options });
    return [old, copy, other, again].map((pack) => needed.has(pack));
  };
  t.same(await packsOf(), [false, true, false, false]);
  const lost = (changes: Parameters<typeof lossesOf>[0]) => ({ lost: { losses: lossesOf(changes), present: new Set<PackId>() } });
  t.same(await packsOf(lost({ lost: new Map([[copy, null]]) })), [true, true, false, false], 'the copy is lost');
  t.same(await packsOf(lost({ unknown: new Set([copy]) })), [true, true, false, false], 'the copy is perhaps lost');
  const unfinished = await place.checkpoint([old], {}, { id: randomId(), generation: 0 });
  t.same(await packsOf(), [true, true, false, false], 'an unfinished backup that came since needs it');
  const both = [...marked, { session: unfinished.id, number: 0 }];
  await fencing(place, { condemned: [old], marked: both });
  t.same(await packsOf(), [false, true, false, false], 'one that was looked at does not');
  const mine = await place.pack([place.chunks('a', 1)]);
  await place.table([{ ...mine, pack: old }], unfinished);
  t.same(await packsOf(), [true, true, false, false], 'but its tables do');
  await place.checkpoint([old], {}, { ...unfinished, number: 1 });
  await place.storage.delete([objectNames.sessionIndex(0, unfinished.id, 0, 0)]);
  t.same(await packsOf(), [true, true, false, false], 'nor does a later checkpoint of the same session that was not');
  await fencing(place, { condemned: [old], marked: [...both, { session: unfinished.id, number: 1 }] });
  t.same(await packsOf(), [false, true, false, false]);
  await place.base([], {
    replaced: new Map([
      [old, [copy, again]],
      [other, [old, copy]],
    ]),
  });
  t.same(await packsOf(lost({ lost: new Map([[again, null]]) })), [true, true, false, true], 'one of several copies is lost');
  await fencing(place, { condemned: [], marked: both });
  await place.commit([other], {}, { id: randomId(), generation: 0 });
  t.same(await packsOf(), [true, true, false, true], 'nothing is being replaced: each leads to what replaced it');
  await place.base([], { replaced: new Map([[old, [old, copy]]]) });
  await fencing(place, { condemned: [old], marked: [...both, { session: unfinished.id, number: 1 }] });
  t.ok((await packsOf())[0], 'one that stands for itself does not leave');
});

t.test(
  'condemnable: what is there and not needed, unless it is doomed, as far as the list has room; nothing where it is not known',
  (t) => {
    const packs = newPacks(5);
    const census = { present: new Map(packs.map((pack) => [pack, 1])), doomed: new Set(packs.slice(0, 1)), losses: lossesOf({}) };
    const needed = new Set([packs[1]!, randomId<PackId>()]);
    t.same(condemnable(census, { needed, damage: [] }), packs.slice(2));
    t.same(condemnable(census, { needed, damage: [new LaganError('malformed', 'x')] }), []);
    withLimits(t, limits, { packsPerRecord: 3 });
    t.same(condemnable(census, { needed, damage: [] }), packs.slice(2, 4), 'the doomed ones take some of it');
    t.end();
  },
);

t.test(
  'condemn, fence: the generation grows, the lists are those of the census, what was copied is in the base index; then floor follows',
  async (t) => {
    const place = await HandMade.create();
    const [condemned, doomed, deleted] = newPacks(3) as [PackId, PackId, PackId];
    const before = await fencing(place, { doomed: [doomed, deleted], phase: 'open', generation: 4, floor: 3, pastFloor: 3 });
    const census = (...present: PackId[]) => ({
      present: new Map(present.map((pack) => [pack, 1])),
      doomed: new Set([doomed, deleted]),
      losses: lossesOf({}),
    });
    const signal = undefined;
    const all = await condemn(place.repository, before, { packs: [condemned], census: census(doomed, deleted), signal });
    t.match(all, { generation: 5, phase: 'condemned', doomed: before.doomed, baseIndex: before.baseIndex, floor: 3 });
    t.same(await readPackList(place.repository, all!.condemned), [condemned]);
    await place.storage.delete([objectNames.root(all!.number)]);
    const { baseIndex } = await place.base([]);
    await place.storage.delete([objectNames.root(all!.number)]);
    const marked = [{ session: randomId<SessionId>(), number: 3 }];
    const root = await condemn(place.repository, before, {
      packs: [condemned],
      census: census(doomed),
      repacked: { baseIndex, marked },
      signal,
    });
    t.same(root!.baseIndex, baseIndex);
    t.same(await readPackList(place.repository, root!.doomed), [doomed], 'what is deleted is forgotten');
    t.match(await readMarkedPackList(place.repository, root!.condemned), { packs: [condemned], marked });
    const fenced = await fence(place.repository, root!, { signal });
    t.match(fenced, { phase: 'fencing', floor: 5, pastFloor: 3, generation: 5, condemned: root!.condemned });
    t.equal(await fence(place.repository, root!, { signal }), null, 'another collector was faster');
  },
);

const decisionOptions = { onDamage: () => undefined, signal: undefined };

/** Which pack the base index gives for each chunk; undefined: none. */
async function packsOfChunks({ repository: { storage, keys } }: HandMade, baseIndex: ObjectReference | null, chunks: readonly Chunk[]) {
  const opened = await openBaseIndex(storage, { reference: baseIndex, keys, memory: undefined });
  const index = new StoredIndex(
    storage,
    opened.map(({ table }) => table),
  );
  return Promise.all(chunks.map(({ name }) => index.find(name, 0)));
}

async function listedIn({ repository: { storage, keys } }: HandMade, { baseIndex }: Root): Promise<PackId[]> {
  const opened = await openBaseIndex(storage, { reference: baseIndex, keys, memory: undefined });
  return opened.flatMap(({ packs }) => packs.map(({ id }) => id)).sort();
}

async function replacedIn({ repository: { storage, keys } }: HandMade, { baseIndex }: Root) {
  const { replaced } = await readBaseIndex(storage, { reference: baseIndex, keys });
  return new Map(replaced.map(({ pack, by }) => [pack, [...by]]));
}

/** What a decision under the root as it is leaves. */
async function decided(place: HandMade, options: Partial<SurveyOptions> = {}, more: Partial<Parameters<typeof decide>[2]> = {}) {
  const found = await surveyOf(place, { below: 1, ...options });
  const { root, ...counts } = await decide(place.repository, found, { ...decisionOptions, ...more });
  const doomed = await readPackList(place.repository, root!.doomed);
  return { root: root!, counts, doomed, listed: await listedIn(place, root!) };
}

t.test('decide: condemned packs that something needs are rescued, the others are doomed and leave the index', async (t) => {
  const place = await HandMade.create();
  const packs: StoredPack[] = [];
  for (const seed of ['a', 'b', 'c', 'd']) packs.push(await place.pack([[place.chunk(seed)]]));
  const [needed, unneeded, fresh, doomedBefore] = packs.map(({ pack }) => pack) as [PackId, PackId, PackId, PackId];
  const snapshot = await place.commit([needed]);
  await place.base([packs[0]!, packs[1]!]);
  await place.table([packs[2]!]);
  const before = await fencing(place, { condemned: [needed, unneeded], doomed: [doomedBefore] });
  const { root, counts, doomed, listed } = await decided(place);
  t.match(root, { phase: 'open', pastFloor: before.floor, condemned: null, number: before.number + 1 });
  t.same(doomed, [unneeded, doomedBefore].sort());
  t.same(listed, [needed, fresh].sort());
  t.same(counts, { rescued: 1, foldedTables: 1, foldedSnapshots: 1 });
  t.same(
    await packsOfChunks(
      place,
      root.baseIndex,
      ['a', 'b', 'c'].map((seed) => place.chunk(seed)),
    ),
    [needed, undefined, fresh],
  );
  const catalogue = await readCatalogueRecord(place.repository, root);
  t.match(catalogue, { snapshots: [{ id: snapshot.id, generation: 0 }], checkpoints: { length: 0 } });
  const object = await place.storage.get(snapshot.name);
  t.same(catalogue.snapshots[0]!.object, object);
  await place.storage.delete([snapshot.name]);
  await fencing(place, { generation: 2, floor: 2, pastFloor: 1 });
  const again = await decided(place, { below: 2 });
  t.match(again.counts, { rescued: 0, foldedTables: 0, foldedSnapshots: 0 });
  t.match(
    await readCatalogueRecord(place.repository, again.root),
    { snapshots: [{ id: snapshot.id, object }] },
    'what is in the catalogue stays',
  );
});

t.test('decide: a rescued pack that no table lists is listed by what it holds', async (t) => {
  const place = await HandMade.create();
  const [unlisted, litter] = [await place.pack([[place.chunk('a')]]), await place.pack([[place.chunk('b')]])];
  await place.commit([unlisted.pack]);
  await fencing(place, { condemned: [unlisted.pack, litter.pack] });
  const { root, listed, doomed } = await decided(place);
  t.same([listed, doomed], [[unlisted.pack], [litter.pack]]);
  t.same(await packsOfChunks(place, root.baseIndex, [place.chunk('a')]), [unlisted.pack]);
});

t.test('decide: where nothing is to be doomed, or nothing stands, no list and no catalogue is stored', async (t) => {
  const place = await HandMade.create();
  const doomed = randomId<PackId>();
  const before = await fencing(place, { doomed: [doomed] });
  const { root } = await decided(place);
  t.same([root.doomed, root.catalogue, root.baseIndex], [before.doomed, null, null]);
  const other = await HandMade.create();
  const session = await other.checkpoint([]);
  await fencing(other, {});
  const { checkpoints } = await readCatalogueRecord(other.repository, (await decided(other)).root);
  t.match(checkpoints, [{ session: session.id, generation: 0, number: 0 }], 'an unfinished backup stands, too');
});

t.test('decide: as long as it is not known what is needed, or lost, all condemned packs are rescued', async (t) => {
  for (const isDamaged of [true, false]) {
    const place = await HandMade.create();
    const [data, old, copy] = [
      await place.pack([[place.chunk('a')]]),
      await place.pack([[place.chunk('b')]]),
      await place.pack([[place.chunk('b')]]),
    ];
    const unseen = newPacks(2) as [PackId, PackId];
    const snapshot = await place.commit([]);
    const replaced = new Map([
      [old.pack, [copy.pack]],
      [unseen[0], [copy.pack]],
    ]);
    await place.base([copy, old], { replaced });
    await fencing(place, { condemned: [data.pack, old.pack, unseen[1]] });
    if (isDamaged) await place.damage(snapshot.name, -30);
    const losses = lossesOf({ unasked: new Set([randomId<PackId>()]) });
    const { root, counts, doomed, listed } = await decided(place, isDamaged ? {} : { lost: { losses, present: new Set() } });
    t.same([doomed, counts.rescued], [[], 3]);
    t.same(listed, [copy.pack, old.pack].sort(), 'what was to be replaced is listed, and litter is not');
    t.same(await packsOfChunks(place, root.baseIndex, [place.chunk('b')]), [old.pack], 'its own copy counts again');
    const kept = await replacedIn(place, root);
    t.same([kept.has(old.pack), kept.has(unseen[0])], [false, isDamaged], 'where old lists lead stays while they cannot be read');
  }
});

t.test('decide: entries of replaced packs stay while a list names them, without what is doomed', async (t) => {
  const place = await HandMade.create();
  const [copy, moved, late] = await Promise.all(['a', 'a', 'b'].map((seed) => place.pack([[place.chunk(seed)]])));
  const [named, unnamed] = newPacks(2) as [PackId, PackId];
  const early = await place.commit([named]);
  const replaced = new Map([
    [named, [moved!.pack, copy!.pack]],
    [moved!.pack, [copy!.pack]],
    [unnamed, [late!.pack]],
  ]);
  await place.base([copy!, moved!, late!], { replaced });
  await fencing(place, { condemned: [moved!.pack, late!.pack], marked: [{ session: early.id, number: null }] });
  const { root, doomed, listed } = await decided(place);
  t.same(doomed, [moved!.pack, late!.pack].sort());
  t.same(listed, [copy!.pack]);
  t.same(await replacedIn(place, root), new Map([[named, [copy!.pack]]]));
});

t.test('decide: where nothing in it changes the base index stays as it is', async (t) => {
  const place = await HandMade.create();
  const pack = await place.pack([[place.chunk('a')]]);
  await place.commit([pack.pack]);
  const { baseIndex } = await place.base([pack]);
  await fencing(place, { condemned: [pack.pack] });
  const storage = new FaultyStorage(place.storage);
  t.same((await decided(over(place, storage))).root.baseIndex, baseIndex);
  t.notOk(
    storage.calls.some(({ operation, name }) => operation === 'list' && name.includes('packs')),
    'and what packs there are is not asked',
  );
});

t.test('decide: what only a damaged table lists is listed by what it holds, if something needs it', async (t) => {
  const place = await HandMade.create();
  const packs = await Promise.all(['a', 'b', 'c', 'd'].map((seed) => place.pack([[place.chunk(seed)]])));
  const [needed, unneeded, inBase, missing] = packs as [StoredPack, StoredPack, StoredPack, StoredPack];
  const { snapshot } = await place.commit([needed.pack, inBase.pack, missing.pack]);
  await place.base([inBase]);
  const bad = await place.table([needed, unneeded, missing]);
  await place.removePack(missing.pack);
  await fencing(place, {});
  const { root, listed } = await decided(place, { unreadable: new Map([[bad.name, 'why']]) });
  t.same(listed, [needed.pack, inBase.pack, ...snapshot.listPacks].sort());
  t.same(await packsOfChunks(place, root.baseIndex, [place.chunk('a'), place.chunk('c')]), [needed.pack, inBase.pack]);
});

t.test('decide: under the root of a recovery the index lists what is there, and nothing else; replaced packs stay known', async (t) => {
  const place = await HandMade.create();
  const packs = await Promise.all(['a', 'b', 'c'].map((seed) => place.pack([[place.chunk(seed)]])));
  const [inBase, gone, unlisted] = packs as [StoredPack, StoredPack, StoredPack];
  await place.commit([inBase.pack]);
  const replaced = new Map([[randomId<PackId>(), [inBase.pack]]]);
  await place.base([inBase, gone], { replaced });
  await place.removePack(gone.pack);
  await fencing(place, { previous: null });
  const { root, listed } = await decided(place);
  t.same(listed, [...(await listPackSizes(place.repository, {})).keys()].sort());
  t.same(await replacedIn(place, root), replaced);
  t.same(await packsOfChunks(place, root.baseIndex, [place.chunk('b'), place.chunk('c')]), [undefined, unlisted.pack]);
});

t.test('decide: what is lost leaves the index, and is looked for where its chunks may be', async (t) => {
  const place = await HandMade.create();
  const [lost, holder, good] = await Promise.all(
    [['a', 'b'], ['a'], ['c']].map((seeds) => place.pack([seeds.map((seed) => place.chunk(seed))])),
  );
  await place.commit([lost!.pack, good!.pack]);
  await place.base([lost!, good!]);
  await place.removePack(lost!.pack);
  await fencing(place, {});
  const losses = lossesOf({ lost: new Map([[lost!.pack, null]]) });
  const present = new Set([holder!.pack, good!.pack]);
  const { root, listed } = await decided(place, { lost: { losses, present } });
  t.same(listed, [holder!.pack, good!.pack].sort());
  t.same(await replacedIn(place, root), new Map([[lost!.pack, [lost!.pack, holder!.pack].sort()]]));
  t.same(await readLostPacks(place.repository, root), new Map([[lost!.pack, [place.chunk('b').name]]]));
  const holderIsDoomed = await place.commit([]);
  await place.storage.delete([holderIsDoomed.name, objectNames.root(root.number)]);
  const doomedHolder = await fencing(place, { doomed: [holder!.pack] });
  const without = await surveyOf(place, { below: 1, lost: { losses, present } });
  t.equal(without.returned.missing.get(lost!.pack)!.length, 2, 'what is doomed holds nothing');
  await place.storage.delete([objectNames.root(doomedHolder.number)]);
  await decided(place, { lost: { losses, present } });
  // It is good again, and listed again.
  await advanceRoot(place.repository, { generation: 2, floor: 2, pastFloor: 1, phase: 'fencing' });
  const again = await place.pack([[place.chunk('b')]]);
  const before = new Map([[again.pack, [place.chunk('b').name]]]);
  const sound = lossesOf({ before, sound: new Set([again.pack]) });
  const healed = await decided(place, { below: 2, lost: { losses: sound, present } });
  t.ok(healed.listed.includes(again.pack));
  t.same(await packsOfChunks(place, healed.root.baseIndex, [place.chunk('b')]), [again.pack]);
  t.equal(healed.root.lost, null);
});

t.test('decide: the catalogue has the snapshots while there is room, each up to a size; what is in it stays', async (t) => {
  const place = await HandMade.create();
  const sized = (length: number): Partial<Snapshot> => ({ description: 'x'.repeat(length) });
  const [small, large] = [await place.commit([]), await place.commit([], sized(1000))];
  const sizeOf = (name: string) => place.storage.size(name);
  const [smallBytes, largeBytes] = [await sizeOf(small.name), await sizeOf(large.name)];
  const askedFor: (number | undefined)[] = [];
  const get: HandMade['storage']['get'] = (name, range, options) => {
    if (name === large.name && options?.limitBytes !== undefined) askedFor.push(options.limitBytes);
    return place.storage.get(name, range, options);
  };
  const repository = { ...place.repository, storage: withOverrides(place.storage, { get }) };
  const root = await fencing(place, {});
  const found = await surveyOf(place, { below: 1 });
  const catalogued = async (changes: Partial<Record<keyof typeof maintainLimits, number>>) => {
    withLimits(t, maintainLimits, { cataloguedSnapshotBytes: 256 * 1024, cataloguedBytes: 1 << 25, ...changes });
    const { root: next } = await decide(repository, found, decisionOptions);
    const { snapshots } = await readCatalogueRecord(place.repository, next!);
    await place.storage.delete([objectNames.root(next!.number)]);
    return new Map(snapshots.map(({ id, object }) => [id, object.length]));
  };
  t.equal(root.number, (await readRoot(place.repository)).number);
  const both = [smallBytes, largeBytes];
  const lengths = async (changes: Parameters<typeof catalogued>[0]) => {
    const all = await catalogued(changes);
    return [all.get(small.id), all.get(large.id)];
  };
  t.same(await lengths({}), both);
  t.same(await lengths({ cataloguedSnapshotBytes: largeBytes }), both);
  askedFor.length = 0;
  t.same(await lengths({ cataloguedSnapshotBytes: largeBytes - 1 }), [smallBytes, 0]);
  t.same(askedFor, [largeBytes - 1], 'of one that is too large no more than that is read');
  t.same(await lengths({ cataloguedBytes: smallBytes + largeBytes }), both);
  t.equal((await lengths({ cataloguedBytes: smallBytes + largeBytes - 1 })).filter((length) => length === 0).length, 1);
  t.same(await lengths({ cataloguedBytes: 0 }), [0, 0]);
});

t.test('decide: a damaged snapshot, or one that is gone, keeps its place without its bytes', async (t) => {
  const place = await HandMade.create();
  const [damaged, whole] = [await place.commit([]), await place.commit([])];
  await fencing(place, {});
  await place.damage(damaged.name, -30);
  const { root } = await decided(place);
  const { snapshots } = await readCatalogueRecord(place.repository, root);
  t.same(
    new Map(snapshots.map(({ id, object }) => [id, object.length > 0])),
    new Map([
      [damaged.id, false],
      [whole.id, true],
    ]),
  );
});

/** Base indexes one after another, of packs of so many chunks. */
class BaseIndexes {
  reference: ObjectReference | null = null;
  readonly #place: HandMade;
  readonly #root: Root;
  #packs = 0;

  constructor(place: HandMade, root: Root) {
    this.#place = place;
    this.#root = root;
  }

  pack(chunks: number): StoredPack {
    return { pack: randomId<PackId>(), kind: 'pack', names: randomNames(`${this.#packs++}`, chunks), sizeBytes: 1 };
  }

  /** Adds a table of these packs, or of one of so many chunks; returns the rows of each table then, the newest first. */
  async add(packs: number | readonly StoredPack[], { without = [] }: { without?: readonly PackId[] } = {}): Promise<number[]> {
    const { name } = await this.#place.table(typeof packs === 'number' ? [this.pack(packs)] : packs);
    return this.store({ tables: [name], without: new Set(without) });
  }

  async store(changes: BaseChanges): Promise<number[]> {
    const { repository } = this.#place;
    this.reference = await storeBaseIndex(repository, { ...this.#root, baseIndex: this.reference }, changes);
    const { tables } = await readBaseIndex(repository.storage, { reference: this.reference, keys: repository.keys });
    return tables.map(({ rows }) => rows);
  }
}

async function baseIndexes(t: Pick<Test, 'teardown'>) {
  const place = await HandMade.create();
  withLimits(t, maintainLimits, { smallTableRows: 4, baseTableRatio: 3, baseTables: 4, unusedRowsPart: 0.25 });
  const root = await readRoot(place.repository);
  return { place, base: () => new BaseIndexes(place, root) };
}

t.test(
  'storeBaseIndex: a table is merged with newer ones unless it is many times their size, and if there would be too many',
  async (t) => {
    const { base } = await baseIndexes(t);
    const many = base();
    for (const [chunks, rows] of [
      [1000, [1000]],
      [300, [300, 1000]],
      [50, [50, 300, 1000]],
      [10, [10, 50, 300, 1000]],
      [1, [11, 50, 300, 1000]],
      [1, [12, 50, 300, 1000]],
      [5, [67, 300, 1000]],
    ] as const)
      t.same(await many.add(chunks), rows);
    const exact = base();
    await exact.add(99);
    t.same(await exact.add(33), [132], 'not more than three times as many');
    const above = base();
    await above.add(100);
    t.same(await above.add(33), [33, 100]);
    const small = base();
    for (const chunks of [100, 4]) await small.add(chunks);
    t.same(await small.add(1), [5, 100], 'so few that it does not matter');
    t.same(await small.add(1), [1, 5, 100]);
  },
);

t.test('storeBaseIndex: a table of which much does not count is written anew, with all newer ones', async (t) => {
  const { base } = await baseIndexes(t);
  const one = base();
  const packs = [25, 1, 74].map((chunks) => one.pack(chunks)) as [StoredPack, StoredPack, StoredPack];
  await one.add(packs);
  t.same(await one.add(1, { without: [packs[0].pack] }), [1, 100], 'a quarter may be left out');
  t.same(await one.add(5, { without: [packs[1].pack] }), [80], 'more may not');
  const other = base();
  const old = other.pack(26);
  await other.add([old, other.pack(974)]);
  await other.add(100);
  await other.add(9);
  t.same(await other.add(1, { without: [old.pack] }), [1, 9, 100, 1000], 'of the oldest little is left out');
  withLimits(t, limits, { leftOutPacks: 8 });
  const listed = base();
  const tiny = Array.from({ length: 5 }, () => listed.pack(1));
  await listed.add([...tiny, listed.pack(95)]);
  const ids = tiny.map(({ pack }) => pack);
  t.same(await listed.add(1, { without: ids.slice(0, 2) }), [1, 100], 'the list of them has room for two of each table');
  t.same(await listed.add(10, { without: ids.slice(2, 3) }), [108]);
});

t.test('storeBaseIndex: many tables are merged in several rounds; the first ones count before all', async (t) => {
  const { place, base } = await baseIndexes(t);
  withLimits(t, maintainLimits, { mergedTables: 3 });
  const merged = base();
  const packs = Array.from({ length: 8 }, () => merged.pack(2));
  const [gone, copied] = [packs[4]!, packs[6]!];
  const old = merged.pack(1);
  await merged.add([old]);
  const copy = { ...merged.pack(1), names: Buffer.concat([copied.names, old.names]) };
  const tables: string[] = [];
  for (const pack of packs) tables.push((await place.table([pack])).name);
  const first = [(await place.table([copy])).name];
  const before = (await place.names(objectPrefixes.baseIndexes)).length;
  t.same(await merged.store({ first, tables, without: new Set([gone.pack]) }), [15]);
  t.equal((await place.names(objectPrefixes.baseIndexes)).length - before, 3 + 1 + 1, 'three at a time, and again');
  const at = ({ names }: StoredPack, chunk = 0): Chunk => ({ name: names.subarray(32 * chunk, 32 * chunk + 32), bytes: names });
  const chunks = [at(packs[0]!), at(packs[7]!, 1), at(gone), at(copied), at(old)];
  const found = [packs[0]!.pack, packs[7]!.pack, undefined, copy.pack, copy.pack];
  t.same(await packsOfChunks(place, merged.reference, chunks), found);
});
