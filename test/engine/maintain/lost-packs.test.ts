/** Packs that are lost: what the store says of them, where their chunks are besides, what the next root calls lost, and which snapshots a store has all packs of. */
import t from 'tap';
import { storeBaseIndex } from '../../../engine/maintain/_base-index.ts';
import { maintainLimits } from '../../../engine/maintain/_limits.ts';
import { askForLosses, doubted, hasNews, type Losses, lackingBefore } from '../../../engine/maintain/_losses.ts';
import { lostAfter } from '../../../engine/maintain/_lost-list.ts';
import { PackAudit } from '../../../engine/maintain/_pack-audit.ts';
import { findReturned, type SearchOptions } from '../../../engine/maintain/_returned-chunks.ts';
import { listPackSizes } from '../../../engine/maintain/_rollback.ts';
import type { Survey } from '../../../engine/maintain/_survey.ts';
import type { StoredPack } from '../../../engine/packs/mod.ts';
import { listDamageReports, readRoot, type StoredReport, storeLostPacks, writeDamageReport } from '../../../engine/repository/mod.ts';
import { type ByteRange, type GetOptions, type Storage, withOverrides } from '../../../engine/storage/mod.ts';
import { LaganError, limits, objectNames, objectPrefixes, type PackId, type Root, type Snapshot } from '../../../repo-format/mod.ts';
import { advanceRoot, created, randomId } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { type Chunk, HandMade, hexOf, innerPackList, lossesOf, packListNode, signalsOf, withLimits } from './_hand-made.ts';

const nameOf = ({ name }: Chunk) => name;
const damageOf = (object: string) => new LaganError('malformed', 'damaged', { object });

/** What is found in the store, with names as text. */
async function find(
  place: HandMade,
  losses: Partial<Losses>,
  options: Partial<SearchOptions> & { root?: Root; storage?: FaultyStorage } = {},
) {
  const { root = await readRoot(place.repository), storage = place.storage, ...more } = options;
  const present = new Set((await listPackSizes(place.repository, {})).keys());
  const search = { losses: lossesOf(losses), tables: [], present, doomed: new Set<PackId>(), ...more };
  const { holders, missing, unlisted } = await findReturned({ ...place.repository, storage }, root, search);
  return {
    holders: Object.fromEntries([...holders].map(([pack, by]) => [pack, [...by].sort()])),
    missing: Object.fromEntries([...missing].map(([pack, names]) => [pack, hexOf(names)])),
    unlisted: [...unlisted].sort(),
  };
}

const idsOf = (...packs: StoredPack[]) => packs.map(({ pack }) => pack).sort();
const textOf = (...chunks: Chunk[]) => hexOf(chunks.map(nameOf));

t.test('findReturned: nothing is looked for where nothing is lost', async (t) => {
  const place = await HandMade.create();
  const storage = new FaultyStorage(place.storage);
  t.same(await find(place, { sound: new Set([randomId<PackId>()]) }, { storage }), { holders: {}, missing: {}, unlisted: [] });
  t.same(storage.calls, []);
});

t.test('findReturned: of a pack that is gone the index tells the chunks; those that it gives for others are there', async (t) => {
  const place = await HandMade.create();
  const [a, b, c] = place.chunks('chunk', 3) as [Chunk, Chunk, Chunk];
  const lost = await place.pack([[a, b, c]]);
  const listed = await place.pack([[a], place.chunks('more', 2)]);
  const session = await place.pack([[b]]);
  await place.base([lost, listed]);
  const tables = [await place.table([session])];
  await place.removePack(lost.pack);
  const found = await find(place, { lost: new Map([[lost.pack, null]]) }, { tables });
  t.same(
    found,
    { holders: { [lost.pack]: idsOf(listed, session) }, missing: { [lost.pack]: textOf(c) }, unlisted: [listed.pack] },
    'the index gave that chunk for the lost one',
  );
  const unknown = await find(place, { unknown: new Set([lost.pack]) }, { tables });
  t.same(unknown, { holders: found.holders, missing: {}, unlisted: [listed.pack] }, 'of what did not answer nothing is said to be missing');
  const rest = await find(place, { lost: new Map([[lost.pack, null]]) }, { present: new Set([listed.pack]) });
  t.same(rest.missing, { [lost.pack]: textOf(b, c) }, 'only tables that count');
});

t.test('findReturned: of a pack that is damaged in part only those chunks are looked for, and those that reports name', async (t) => {
  const place = await HandMade.create();
  const [a, b, c] = place.chunks('chunk', 3) as [Chunk, Chunk, Chunk];
  const lost = await place.pack([[a], [b], [c]]);
  await place.base([lost]);
  const pack = lost.pack;
  const reportsOf = (...findings: [object: string, pack: PackId | null, chunk: Chunk][]): StoredReport[] => {
    const value = { findings: findings.map(([object, of, { name }]) => ({ object, pack: of, chunks: [name], kind: 'chunk-missing' })) };
    return [{ id: randomId(), name: 'report', value: { ...value, time: created, host: 'test' } }];
  };
  const reports = reportsOf([objectNames.pack(pack), pack, b]);
  t.same((await find(place, { lost: new Map([[pack, [a.name]]]) })).missing, { [pack]: textOf(a) });
  t.same((await find(place, { lost: new Map([[pack, [a.name]]]), reports })).missing, { [pack]: textOf(a, b) });
  const same = reportsOf([objectNames.pack(pack), pack, a]);
  t.same((await find(place, { lost: new Map([[pack, [a.name]]]), reports: same })).missing, { [pack]: textOf(a) }, 'each once');
  const holder = await place.pack([[c]]);
  const strange = reportsOf(['another', randomId<PackId>(), c], ['a table', null, c]);
  const others = await find(place, { lost: new Map([[pack, [a.name]]]), reports: strange });
  t.same([others.missing, others.unlisted], [{ [pack]: textOf(a) }, []], 'of other packs nothing');
  const good = new Map([[randomId<PackId>(), [c.name]]]);
  const { unlisted } = await find(place, { lost: new Map([[pack, [a.name]]]), before: good, sound: new Set(good.keys()) });
  t.notOk(unlisted.includes(holder.pack), 'nor of one that is good again');
});

t.test('findReturned: a chunk that two lost packs had is missing in both, and back in both', async (t) => {
  const place = await HandMade.create();
  const [shared, own] = place.chunks('chunk', 2) as [Chunk, Chunk];
  const [first, second] = [await place.pack([[shared]]), await place.pack([[shared, own]])];
  // One after another: each table has its own row for the chunk.
  await place.base([first]);
  const tables = [await place.table([second])];
  await place.removePack(first.pack, second.pack);
  const losses = { lost: new Map([first, second].map(({ pack }) => [pack, null] as const)) };
  t.same(await find(place, losses, { tables }), {
    holders: { [first.pack]: [], [second.pack]: [] },
    missing: { [first.pack]: textOf(shared), [second.pack]: textOf(shared, own) },
    unlisted: [],
  });
  const back = await place.pack([[shared]]);
  const found = await find(place, losses, { tables: [...tables, await place.table([back])] });
  t.same(found.holders, { [first.pack]: [back.pack], [second.pack]: [back.pack] });
  t.same(found.missing, { [first.pack]: [], [second.pack]: textOf(own) });
});

t.test('findReturned: what holds a chunk must be there, and may be neither lost itself nor doomed', async (t) => {
  const place = await HandMade.create();
  const [a] = place.chunks('chunk', 1) as [Chunk];
  const lost = await place.pack([[a]]);
  const holder = await place.pack([[a]]);
  await place.base([lost]);
  await place.removePack(lost.pack);
  const tables = [await place.table([holder])];
  const losses = { lost: new Map([[lost.pack, null]]) };
  const nowhere = { holders: { [lost.pack]: [] }, missing: { [lost.pack]: textOf(a) }, unlisted: [] };
  t.same((await find(place, losses, { tables })).holders, { [lost.pack]: [holder.pack] });
  const both = { lost: new Map([...losses.lost, [holder.pack, null] as const]) };
  t.same((await find(place, both, { tables })).holders, { [lost.pack]: [], [holder.pack]: [] });
  t.same((await find(place, { ...losses, unknown: new Set([holder.pack]) }, { tables })).missing, nowhere.missing);
  for (const listed of [tables, []])
    t.same(await find(place, losses, { tables: listed, doomed: new Set([holder.pack]) }), nowhere, 'doomed');
  const came = await find(place, losses, { tables, present: new Set() });
  t.same(came.holders, { [lost.pack]: [holder.pack] }, 'one that came after the packs were listed is asked for');
  await place.removePack(holder.pack);
  t.same(await find(place, losses, { tables }), nowhere, 'gone, and nobody said so');
  t.same(await find(place, losses, { present: new Set([holder.pack]) }), nowhere, 'gone since it was listed');
  const fails = new FaultyStorage(place.storage, { faults: [{ operation: 'get', name: new RegExp(holder.pack), call: 1 }] });
  await t.rejects(find(place, losses, { tables, storage: fails }), { code: 'io' }, 'a store that fails says nothing');
});

t.test('findReturned: packs that no table lists, or not with all they hold, tell by themselves; only what is needed is read', async (t) => {
  const place = await HandMade.create();
  const [a, b, c, d] = place.chunks('chunk', 4) as [Chunk, Chunk, Chunk, Chunk];
  const lost = await place.pack([[a, b, c]]);
  const [listed, unlisted] = [await place.pack([place.chunks('listed', 2)]), await place.pack([[a], [d]])];
  const other = await place.pack([[a, b]]);
  const strange = await place.pack([[d]]);
  await place.base([lost, listed]);
  const losses = { lost: new Map([[lost.pack, null]]) };
  const inOrder = (...packs: StoredPack[]) => new Set(packs.map(({ pack }) => pack));
  const readsOf = ({ calls }: FaultyStorage, { pack }: StoredPack) => calls.filter(({ name }) => name === objectNames.pack(pack)).length;
  const storage = new FaultyStorage(place.storage);
  const present = inOrder(strange, unlisted, other, listed);
  t.same(
    await find(place, losses, { present, storage }),
    { holders: { [lost.pack]: idsOf(unlisted, other) }, missing: { [lost.pack]: textOf(c) }, unlisted: idsOf(unlisted, other) },
    'the first one that has it counts',
  );
  t.equal(readsOf(storage, listed), 0, 'what is listed as a whole is not read');
  const lookFor = (...chunks: Chunk[]) => {
    storage.calls.length = 0;
    return find(place, { lost: new Map([[lost.pack, chunks.map(nameOf)]]) }, { present, storage });
  };
  await lookFor(a);
  t.equal(readsOf(storage, other), 0, 'nor what is left when all is found');
  const indexReads = () => storage.calls.filter(({ name }) => name.startsWith(objectPrefixes.baseIndexes)).length;
  const whereAPackIsAsked = indexReads();
  await lookFor(place.chunk('listed 0'));
  t.ok(indexReads() < whereAPackIsAsked, 'nor the lists of packs where the index has all');
  const again = await find(place, losses, { present: new Set([lost.pack, listed.pack]) });
  t.same(again.missing, { [lost.pack]: textOf(a, b, c) }, 'the lost one itself is no help');
});

t.test('findReturned: an unlisted pack that does not open holds nothing', async (t) => {
  const place = await HandMade.create();
  const a = place.chunk('a');
  const lost = await place.pack([[a]]);
  await place.base([lost]);
  const damaged = await place.pack([[a]]);
  await place.damage(objectNames.pack(damaged.pack), -40);
  const found = await find(place, { lost: new Map([[lost.pack, null]]) }, { present: new Set([damaged.pack]) });
  t.same(found, { holders: { [lost.pack]: [] }, missing: { [lost.pack]: textOf(a) }, unlisted: [] });
});

t.test(
  'findReturned: what was called lost before is looked for by the names in the list; what was not asked for is left as it is',
  async (t) => {
    const place = await HandMade.create();
    const [a, b] = place.chunks('chunk', 2) as [Chunk, Chunk];
    const [old, fresh] = [await place.pack([[a, b]]), await place.pack([[b]])];
    await place.base([old, fresh]);
    const back = await place.pack([[a]]);
    const tables = [await place.table([back])];
    const before = new Map([[old.pack, [a.name, b.name]]]);
    const losses = { before, lost: new Map([[old.pack, null]]) };
    t.same(
      await find(place, losses, { tables }),
      { holders: { [old.pack]: [back.pack] }, missing: { [old.pack]: textOf(b) }, unlisted: [] },
      'the base index was looked through when it was lost',
    );
    const recovery = { ...(await readRoot(place.repository)), previous: null };
    t.same(
      (await find(place, losses, { tables, root: recovery })).holders,
      { [old.pack]: idsOf(back, fresh) },
      'that of a recovery is new',
    );
    const unasked = { ...losses, lost: new Map([...losses.lost, [fresh.pack, null] as const]), unasked: new Set([fresh.pack]) };
    const found = await find(place, unasked, { tables });
    t.same(Object.keys(found.missing), [old.pack]);
    t.same(Object.keys(found.holders), [old.pack]);
    t.same(found.missing[old.pack], textOf(b), 'one that is perhaps lost is no holder');
  },
);

t.test(
  'findReturned: of a damaged pack that was called lost, what came back stays back, and what was damaged since is looked for',
  async (t) => {
    const place = await HandMade.create();
    const [a, b, c] = place.chunks('chunk', 3) as [Chunk, Chunk, Chunk];
    const damaged = await place.pack([[a, b], [c]]);
    const [back, partly] = [await place.pack([[a]]), await place.pack([[c], place.chunks('more', 1)])];
    await place.base([back]);
    const before = new Map([[damaged.pack, [b.name]]]);
    const again = await find(place, { before, lost: new Map([[damaged.pack, [a.name, b.name]]]) });
    t.same(again, { holders: { [damaged.pack]: [] }, missing: { [damaged.pack]: textOf(b) }, unlisted: [] });
    const more = await find(place, { before, lost: new Map([[damaged.pack, [a.name, b.name, c.name]]]) });
    t.same(more, { holders: { [damaged.pack]: [partly.pack] }, missing: { [damaged.pack]: textOf(b) }, unlisted: [partly.pack] });
    const doomed = await find(place, { before, lost: new Map([[damaged.pack, [a.name]]]) }, { doomed: new Set([back.pack]) });
    t.same(doomed.missing, { [damaged.pack]: textOf(a, b) }, 'a pack that goes holds nothing');
  },
);

t.test(
  'findReturned: a chunk of a pack on the list that was damaged since is lost, too, unless the index gives it for another pack',
  async (t) => {
    const place = await HandMade.create();
    const [a, b, c] = place.chunks('chunk', 3) as [Chunk, Chunk, Chunk];
    const [lost, holder] = [await place.pack([[a], [b], [c]]), await place.pack([[c]])];
    await place.base([holder]);
    const before = new Map([[lost.pack, [a.name]]]);
    const damaged = { before, lost: new Map([[lost.pack, [a, b, c].map(nameOf)]]) };
    const found = await find(place, damaged, { present: new Set([lost.pack, holder.pack]) });
    t.same(found, { holders: { [lost.pack]: [] }, missing: { [lost.pack]: textOf(a, b) }, unlisted: [] });
    const known = await find(place, { before, lost: new Map([[lost.pack, [a.name]]]) });
    t.same(known.missing, { [lost.pack]: textOf(a) });
    const doomed = await find(place, damaged, { doomed: new Set([holder.pack]), present: new Set([lost.pack]) });
    t.same(doomed.missing, { [lost.pack]: textOf(a, b, c) }, 'one that is doomed does not count');
    await place.removePack(holder.pack);
    t.same((await find(place, damaged)).missing, { [lost.pack]: textOf(a, b, c) }, 'nor one that is gone');
    const tables = [await place.table([await place.pack([[b]])])];
    t.same((await find(place, damaged, { tables })).missing, { [lost.pack]: textOf(a, c) }, 'tables of sessions count');
  },
);

t.test('findReturned: what the base index leaves out of its older tables is not looked for in them', async (t) => {
  const place = await HandMade.create();
  withLimits(t, maintainLimits, { smallTableRows: 0, baseTableRatio: 0, unusedRowsPart: 1 });
  const [a, b] = place.chunks('chunk', 2) as [Chunk, Chunk];
  const [lost, other] = [await place.pack([[a], [b]]), await place.pack([place.chunks('other', 2)])];
  await place.base([lost]);
  await place.removePack(lost.pack);
  const losses = { lost: new Map([[lost.pack, null]]) };
  const add = async (pack: StoredPack, without: readonly PackId[]) => {
    const { name } = await place.table([pack]);
    const changes = { tables: [name], without: new Set(without) };
    await advanceRoot(place.repository, { baseIndex: await storeBaseIndex(place.repository, await readRoot(place.repository), changes) });
    return (await find(place, losses)).missing;
  };
  t.same((await find(place, losses)).missing, { [lost.pack]: textOf(a, b) });
  t.same(await add(other, [lost.pack]), { [lost.pack]: [] });
  t.same(await add({ ...lost, names: a.name }, []), { [lost.pack]: textOf(a) }, 'what the newest one lists is');
});

t.test('doubted, hasNews, lackingBefore: which losses are a reason for what', (t) => {
  const [a, b, c] = [randomId<PackId>(), randomId<PackId>(), randomId<PackId>()];
  const names = [new Uint8Array(32)];
  t.same(doubted({ lost: new Map([[a, null]]), unknown: new Set([b]) }), new Set([a, b]));
  t.notOk(hasNews(lossesOf({})));
  t.ok(hasNews(lossesOf({ lost: new Map([[a, null]]) })), 'newly lost');
  t.notOk(hasNews(lossesOf({ before: new Map([[a, []]]), lost: new Map([[a, null]]) })));
  t.ok(
    hasNews(
      lossesOf({
        before: new Map([[a, []]]),
        lost: new Map([
          [a, []],
          [b, []],
        ]),
      }),
    ),
    'one more',
  );
  t.ok(
    hasNews(
      lossesOf({
        before: new Map([
          [a, []],
          [b, []],
        ]),
        sound: new Set([b]),
      }),
    ),
    'good again',
  );
  t.notOk(hasNews(lossesOf({ before: new Map([[a, []]]), sound: new Set([b]), unknown: new Set([a]) })));
  t.equal(lackingBefore(lossesOf({})), undefined);
  t.equal(
    lackingBefore(
      lossesOf({
        before: new Map([[a, []]]),
        lost: new Map([
          [a, []],
          [b, names],
        ]),
      }),
    ),
    undefined,
    'all of it is back',
  );
  const before = new Map([
    [a, names],
    [b, []],
  ]);
  const losses = lossesOf({
    before,
    lost: new Map([
      [a, names],
      [b, []],
      [c, null],
    ]),
    unknown: new Set([c]),
    unasked: new Set([c]),
  });
  t.same(lackingBefore(losses), lossesOf({ before, lost: new Map([[a, names]]) }), 'what lacks some, and nothing else');
  t.end();
});

const surveyOf = (
  losses: Partial<Losses>,
  changes: { missing?: Map<PackId, Uint8Array[]>; listed?: PackId[]; replaced?: Map<PackId, PackId[]>; damage?: LaganError[] } = {},
) => {
  const { missing = new Map(), listed = [], replaced = new Map(), damage = [] } = changes;
  return {
    losses: lossesOf(losses),
    returned: { missing, holders: new Map(), unlisted: [] },
    listed: new Set(listed),
    base: { replaced },
    damage,
  } as unknown as Survey;
};

t.test('lostAfter: what stays on the list, with which chunks', (t) => {
  const [a, b, by] = [randomId<PackId>(), randomId<PackId>(), randomId<PackId>()];
  const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const before = new Map([[a, [one, two]]]);
  t.same(lostAfter(surveyOf({ before }, { listed: [a] })), new Map([[a, [one, two]]]), 'of what nothing was learned all stays');
  t.same(lostAfter(surveyOf({ before }, { listed: [a], missing: new Map([[a, [two]]]) })), new Map([[a, [two]]]), 'one is back');
  t.same(
    lostAfter(surveyOf({ before }, { listed: [a], missing: new Map([[a, []]]) })),
    new Map([[a, []]]),
    'all are: as long as something leads to it',
  );
  t.same(lostAfter(surveyOf({ before, sound: new Set([a]) }, { listed: [a] })), new Map(), 'good again');
  t.same(lostAfter(surveyOf({ before }, { listed: [b] })), new Map(), 'nothing leads to it');
  t.same(lostAfter(surveyOf({ before }, { listed: [b], damage: [damageOf('x')] })), before, 'it is not known what leads where');
  t.same(lostAfter(surveyOf({ before }, { listed: [b], replaced: new Map([[b, [a, by]]]) })), before, 'by what replaced another');
  t.same(lostAfter(surveyOf({}, { missing: new Map([[b, [one]]]) })), new Map([[b, [one]]]), 'newly lost, whatever lists it');
  t.end();
});

t.test('lostAfter: the list has room for so many chunks and packs, and what was on it comes first', (t) => {
  const [a, b, c, d] = [randomId<PackId>(), randomId<PackId>(), randomId<PackId>(), randomId<PackId>()];
  const chunks = (count: number): Uint8Array[] => Array(count);
  const most = limits.chunksPerRecord;
  const named = (before: [PackId, number][], missing: [PackId, number][]) => {
    const counted = (all: [PackId, number][]) => new Map(all.map(([pack, count]) => [pack, chunks(count)]));
    const after = lostAfter(surveyOf({ before: counted(before) }, { listed: before.map(([pack]) => pack), missing: counted(missing) }));
    return [...after.keys()];
  };
  t.same(named([], [[a, most]]), [a]);
  t.same(named([], [[a, most + 1]]), []);
  t.same(named([[a, most - 1]], [[b, 1]]), [a, b]);
  t.same(
    named(
      [[a, most - 1]],
      [
        [b, 2],
        [c, 1],
        [d, 1],
      ],
    ),
    [a, c],
  );
  t.same(
    named(
      [],
      [
        [a, most - 1],
        [b, 1],
        [c, 1],
        [d, 0],
      ],
    ),
    [a, b, d],
    'each takes some of it',
  );
  withLimits(t, limits, { packsPerRecord: 2 });
  t.same(
    named(
      [],
      [
        [a, 1],
        [b, 1],
        [c, 1],
      ],
    ),
    [a, b],
  );
  t.same(
    named(
      [[a, 1]],
      [
        [b, 1],
        [c, 1],
      ],
    ),
    [a, b],
  );
  t.end();
});

/** What the store says, with names as text. */
async function ask(
  place: HandMade,
  {
    storage = place.storage,
    listed,
    onDamage = () => undefined,
    signal,
  }: { storage?: Storage; listed?: PackId[]; onDamage?: (error: LaganError) => void; signal?: AbortSignal } = {},
) {
  const repository = { ...place.repository, storage };
  const sizes = await listPackSizes(place.repository, {});
  const present = listed === undefined ? sizes : new Map(listed.map((pack) => [pack, 1]));
  const losses = await askForLosses(repository, await readRoot(place.repository), { listPresent: async () => present, onDamage, signal });
  return { ...losses, lost: new Map([...losses.lost].map(([pack, names]) => [pack, names && hexOf(names)])) };
}

const report = (place: HandMade, ...packs: PackId[]) =>
  writeDamageReport(
    place.repository,
    packs.map((pack) => ({ object: objectNames.pack(pack), pack, chunks: [], kind: 'pack-missing' as const })),
  );

t.test('askForLosses: each pack that is reported or on the list is asked for: gone, damaged in part, not to be opened, good', async (t) => {
  const place = await HandMade.create();
  const [a, b, c] = [place.chunks('a', 2), place.chunks('b', 3), place.chunks('c', 2)];
  const packs = await Promise.all([1, 2, 3, 4].map(() => place.pack([a, b, c])));
  const [gone, damaged, closed, good] = packs.map(({ pack }) => pack) as [PackId, PackId, PackId, PackId];
  await place.pack([a]);
  t.match(await ask(place), { reports: { length: 0 }, lost: new Map(), unknown: new Set(), sound: new Set() });
  await report(place, gone, damaged, closed, good);
  await place.removePack(gone);
  await place.damageBlock(damaged);
  await place.damage(objectNames.pack(closed), -40);
  const asked: string[] = [];
  const get = (name: string, range?: ByteRange, options?: GetOptions) => {
    asked.push(`${name} ${JSON.stringify(range)}`);
    return place.storage.get(name, range, options);
  };
  const { signal } = new AbortController();
  const spy = signalsOf(withOverrides(place.storage, { get }), signal);
  const { lost, unknown, sound, unasked, reports } = await ask(place, { storage: spy.storage, signal });
  t.same(spy.without, []);
  t.equal(new Set(asked).size, asked.length, 'nothing is asked for twice');
  t.same(
    lost,
    new Map([
      [gone, null],
      [damaged, textOf(...a)],
      [closed, null],
    ]),
  );
  t.same([unknown, sound, unasked], [new Set(), new Set([good]), new Set()]);
  t.equal(reports.length, 1);
  t.equal((await listDamageReports(place.repository)).length, 1);
});

t.test('askForLosses: a listing and a request must agree; a store that fails says nothing', async (t) => {
  const place = await HandMade.create();
  const [here, gone] = [(await place.pack([place.chunks('a', 2)])).pack, randomId<PackId>()];
  await report(place, here, gone);
  t.match(await ask(place, { listed: [gone] }), { lost: new Map(), unknown: new Set([here, gone]), sound: new Set() });
  const failing = (code: 'io' | 'interrupted' | 'not-found' | 'unavailable', call: number) =>
    new FaultyStorage(place.storage, {
      faults: [
        { operation: 'get', name: new RegExp(here), call, forever: true, error: () => new LaganError(code, 'as the test wants it') },
      ],
    });
  for (const code of ['io', 'unavailable', 'not-found'] as const)
    for (const call of [1, 2, 3])
      t.match(await ask(place, { storage: failing(code, call) }), { lost: new Map([[gone, null]]), unknown: new Set([here]) });
  for (const call of [1, 2, 3]) await t.rejects(ask(place, { storage: failing('interrupted', call) }), { code: 'interrupted' });
  const broken = new FaultyStorage(place.storage, {
    faults: [{ name: new RegExp(here), call: 1, error: () => new RangeError('a mistake') }],
  });
  await t.rejects(ask(place, { storage: broken }), { message: 'a mistake' });
});

t.test(
  'askForLosses: what is on the list and has all its chunks back is not read again; a report that is damaged reports nothing',
  async (t) => {
    const place = await HandMade.create();
    const chunks = place.chunks('a', 2);
    const [back, lacking] = [await place.pack([chunks]), await place.pack([chunks])];
    const root = await readRoot(place.repository);
    const lost = await storeLostPacks(place.repository, root, {
      lost: new Map([
        [back.pack, []],
        [lacking.pack, [chunks[0]!.name]],
      ]),
    });
    await advanceRoot(place.repository, { lost });
    await place.damageBlock(back.pack);
    const { signal } = new AbortController();
    const spy = signalsOf(place.storage, signal);
    const found = await ask(place, { storage: spy.storage, signal });
    t.same(spy.without, []);
    t.same(found.lost, new Map([[back.pack, []]]));
    t.same(found.sound, new Set([lacking.pack]));
    t.same([...found.before.keys()].sort(), idsOf(back, lacking));
    await report(place, randomId<PackId>());
    const [name] = await place.names(objectPrefixes.damageReports);
    await place.damage(name!, -10);
    const told: (string | undefined)[] = [];
    const again = await ask(place, { onDamage: ({ object }) => void told.push(object) });
    t.same([told, again.reports.length], [[name], 0]);
  },
);

t.test('askForLosses: so many are read, and so many are called lost, in one step; what was not on the list comes first', async (t) => {
  const place = await HandMade.create();
  const packs = await Promise.all([1, 2, 3].map(() => place.pack([place.chunks('a', 2)])));
  const root = await readRoot(place.repository);
  const [old, ...reported] = packs.map(({ pack }) => pack) as [PackId, PackId, PackId];
  const lost = await storeLostPacks(place.repository, root, { lost: new Map([[old, [place.chunk('a 0').name]]]) });
  await report(place, old, ...reported);
  await advanceRoot(place.repository, { lost });
  withLimits(t, maintainLimits, { askedPacks: 3 });
  t.match(await ask(place), { sound: new Set([old, ...reported]), unasked: new Set() });
  withLimits(t, maintainLimits, { askedPacks: 2 });
  t.match(await ask(place), { sound: new Set(reported), unasked: new Set([old]) });
  await place.removePack(...reported);
  withLimits(t, maintainLimits, { newlyLostPacks: 2 });
  t.match(await ask(place), { lost: new Map(reported.map((pack) => [pack, null])), unasked: new Set() }, 'what is gone needs no reading');
  withLimits(t, maintainLimits, { newlyLostPacks: 1 });
  const { unasked } = await ask(place);
  t.same([...unasked].length, 1);
  t.notOk(unasked.has(old), 'one that was on the list is not new');
});

/** Lists of packs in packs of their own: the audit of a snapshot with such a list. */
t.test('PackAudit: a snapshot is whole if each pack that it names is there, or all that has replaced it', async (t) => {
  const place = await HandMade.create();
  const [a, b, c, d] = [1, 2, 3, 4].map(() => randomId<PackId>()) as [PackId, PackId, PackId, PackId];
  const list = await place.packList([a, b]);
  const leaf = list.pack.pack;
  const present = (...packs: PackId[]) => new Map(packs.map((pack) => [pack, 1]));
  const snapshot = { packs: { ...list.reference, height: 0, count: 2 }, listPacks: [leaf] } as Pick<
    Snapshot,
    'packs' | 'listPacks'
  > as Snapshot;
  const isWhole = (there: Map<PackId, number>, replaced = new Map<PackId, PackId[]>()) =>
    new PackAudit(place.repository, { present: there, replaced }).isWhole(snapshot);
  t.equal(await isWhole(present(a, b, leaf)), true);
  t.equal(await isWhole(present(a, leaf)), false, 'one is gone');
  t.equal(await isWhole(present(a, b)), false, 'that of the list itself is');
  const replaced = new Map([[b, [c, d]]]);
  t.equal(await isWhole(present(a, c, d, leaf), replaced), true);
  t.equal(await isWhole(present(a, c, leaf), replaced), false, 'one of those that replaced it is gone');
  t.equal(await isWhole(present(a, leaf), replaced), false);
  t.equal(await isWhole(present(a, b, leaf), replaced), true, 'or it is still there');
  t.equal(await isWhole(present(a, leaf), new Map([[b, []]])), true, 'nothing of it was needed');
  const empty = { ...snapshot, packs: null };
  const audit = new PackAudit(place.repository, { present: present(leaf), replaced: new Map() });
  t.equal(await audit.isWhole(empty), true);
  t.equal(await audit.isWhole({ ...empty, listPacks: [leaf, a] }), false);
});

t.test(
  'PackAudit: a list is read where it is now; one that is damaged or no list is not whole; a store that fails is an error',
  async (t) => {
    const place = await HandMade.create();
    const a = randomId<PackId>();
    const list = await place.packList([a]);
    const snapshotWith = (reference = list.reference) =>
      ({ packs: { ...reference, height: 0, count: 1 }, listPacks: [] }) as unknown as Snapshot;
    const present = new Map([[a, 1]]);
    const audit = (replaced = new Map<PackId, PackId[]>(), storage = place.storage) =>
      new PackAudit({ ...place.repository, storage }, { present, replaced });
    const elsewhere = await place.pack([[list.chunk]], { kind: 'metadata-pack' });
    t.equal(await audit().isWhole(snapshotWith()), true);
    const fails = new FaultyStorage(place.storage, { faults: [{ operation: 'get', call: 1 }] });
    await t.rejects(audit(new Map(), fails).isWhole(snapshotWith()), { code: 'io' });
    await place.removePack(list.pack.pack);
    t.equal(await audit().isWhole(snapshotWith()), false);
    t.equal(await audit(new Map([[list.pack.pack, [elsewhere.pack]]])).isWhole(snapshotWith()), true);
    const { references } = await place.nodes(Uint8Array.from([1, 2, 3]));
    t.equal(await audit().isWhole(snapshotWith(references[0])), false, 'no node at all');
    t.equal(await audit().isWhole(snapshotWith((await place.folder([])).reference)), false, 'a node of something else');
  },
);

t.test('PackAudit: a list of several levels lacks what any of its leaves lacks; what lists share is read once', async (t) => {
  const place = await HandMade.create();
  const all = Array.from({ length: 6 }, () => randomId<PackId>()).sort();
  const leaves = [all.slice(0, 2), all.slice(2, 4), all.slice(4)];
  const stored = await Promise.all(leaves.map((packs) => place.packList(packs)));
  const children = stored.map(({ reference }, index) => ({ node: reference, packs: leaves[index]! }));
  const rootOf = async (...chosen: number[]) => (await place.nodes(innerPackList(chosen.map((index) => children[index]!)))).references[0]!;
  const snapshotWith = (reference: { name: Uint8Array; pack: PackId }) =>
    ({ packs: { ...reference, height: 1, count: 1 }, listPacks: [] }) as unknown as Snapshot;
  const roots = await Promise.all([rootOf(0, 1), rootOf(1, 2), rootOf(0, 2), rootOf(0, 1, 2)]);
  const storage = new FaultyStorage(place.storage);
  withLimits(t, maintainLimits, { openBlocks: 1, openPacks: 1 });
  const audit = new PackAudit(
    { ...place.repository, storage },
    { present: new Map(all.filter((_, index) => index !== 2).map((pack) => [pack, 1])), replaced: new Map() },
  );
  const answers: boolean[] = [];
  for (const root of [...roots, roots[0]!, roots[2]!]) answers.push(await audit.isWhole(snapshotWith(root)));
  t.same(answers, [false, false, true, false, false, true]);
  const reads = (pack: PackId) =>
    storage.calls.filter(({ operation, name }) => operation === 'get' && name === objectNames.pack(pack)).length;
  t.same(
    stored.map(({ pack }) => reads(pack.pack)),
    [2, 2, 2],
    'a list that is whole, and one that is not',
  );
  t.same(
    roots.map(({ pack }) => reads(pack)),
    [2, 2, 2, 2],
  );
  const { references } = await place.nodes(packListNode(all.slice(0, 1)));
  t.equal(await audit.isWhole({ packs: { ...references[0]!, height: 0, count: 1 }, listPacks: [] } as unknown as Snapshot), true);
});
