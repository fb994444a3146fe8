/** Whether and what is repacked: which packs are looked at, why, and which snapshots are put in order; and the base index that copies are listed in. */
import t, { type Test } from 'tap';
import { openBaseIndex, readBaseIndex, StoredIndex } from '../../../engine/index/mod.ts';
import { KeyRing } from '../../../engine/keys/mod.ts';
import { storeBaseIndex } from '../../../engine/maintain/_base-index.ts';
import { maintainLimits } from '../../../engine/maintain/_limits.ts';
import { NameFilter } from '../../../engine/maintain/_name-filter.ts';
import { ContentWalk, costlyPacks, NewestSnapshots } from '../../../engine/maintain/_newest.ts';
import { type PlanOptions, planRepack, type RepackPlan, repack } from '../../../engine/maintain/_repack.ts';
import { repackLimits } from '../../../engine/maintain/_repack-limits.ts';
import { listPackSizes } from '../../../engine/maintain/_rollback.ts';
import { survey } from '../../../engine/maintain/_survey.ts';
import { countRows, smallPackBytes } from '../../../engine/maintain/_unused.ts';
import { muchDropped } from '../../../engine/memory/mod.ts';
import { PackReader, type StoredPack } from '../../../engine/packs/mod.ts';
import { type Repository, readRoot } from '../../../engine/repository/mod.ts';
import { type Entry, type Extent, LaganError, NodeWriter, objectNames, type PackId, type Snapshot } from '../../../repo-format/mod.ts';
import { advanceRoot, markDeleted, randomId, sampleSnapshot } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { fileNamed } from '../trees/_tree-parts.ts';
import { type Chunk, extentOf, HandMade, lossesOf, signalsOf, withLimits } from './_hand-made.ts';

type DataExtent = Extract<Extent, { kind: 'data' }>;

const extent = (pack: PackId, length: number, seed: number): DataExtent => ({
  kind: 'data',
  pack,
  length,
  name: new Uint8Array(32).fill(seed),
});

/** The packs that are costly for chunks which are read in this order, by their letters; null: it is not much. */
async function costly(reads: readonly (readonly [pack: string, length: number])[], blockSizeBytes = 100) {
  const filter = new NameFilter({ names: 100, limitBytes: 1 << 20 });
  const chunks = (async function* () {
    for (const [index, [pack, length]] of reads.entries()) yield extent(pack as PackId, length, index);
  })();
  const found = await costlyPacks({ chunks, filter }, blockSizeBytes);
  for (const index of reads.keys()) t.ok(filter.has(new Uint8Array(32).fill(index), 0));
  return found && [...found].sort().join('');
}

/** Of each pack a whole block at first: that costs no more than it needs. */
const begun = (packs: string) => [...packs].map((pack) => [pack, 100] as const);

t.test('costlyPacks: a chunk in none of the packs that were read last costs a block', async (t) => {
  withLimits(t, repackLimits, { scatteredRatio: 1, scatteredBlocks: 0, streams: 3 });
  t.equal(await costly([]), null);
  t.equal(await costly([...begun('abc'), ['a', 1], ['b', 1], ['c', 1]]), null, 'three at a time');
  t.equal(await costly([...begun('abcd'), ['b', 1], ['c', 1], ['d', 1]]), null);
  t.equal(await costly([...begun('abcd'), ['a', 1]]), 'a', 'the one that was read first has gone');
  t.equal(await costly([...begun('abc'), ['a', 1], ...begun('d'), ['a', 1]]), null, 'one that was used again stays');
  t.equal(await costly([...begun('abc'), ['a', 1], ...begun('d'), ['b', 1]]), 'b');
  t.equal(
    await costly([
      ['a', 50],
      ['a', 50],
      ['b', 200],
    ]),
    'a',
    'also the first of a pack',
  );
});

t.test('costlyPacks: little, or a small part of it, is not much', async (t) => {
  withLimits(t, repackLimits, { scatteredRatio: 2, scatteredBlocks: 1, streams: 1 });
  // Needed and read: 100 and 200 in one pack, at each of so many turns.
  const turns = (count: number, length: number) =>
    Array.from({ length: count }, (_, turn) => [turn % 2 === 0 ? 'a' : 'b', length] as const);
  t.equal(await costly(turns(2, 50)), null, 'twice as much, and one block');
  t.equal(await costly(turns(20, 50)), null, 'twice as much is not too much');
  t.equal(await costly(turns(20, 49)), 'ab');
  t.equal(await costly(turns(2, 49)), 'ab', 'more than one block');
  t.equal(
    await costly([
      ['a', 1],
      ['b', 99],
    ]),
    null,
    'one block is not',
  );
  t.equal(await costly([['a', 1]]), null, 'however little was needed');
  t.equal(await costly([...turns(5, 20), ['c', 300]]), null, 'of all of it it is little');
  t.equal(await costly([...turns(6, 20), ['c', 300]]), 'ab', 'of some packs it is much');
});

const paths = (text: string) => [Uint8Array.from(Buffer.from(text))];
const snapshotAt = (seconds: number, changes: Partial<Snapshot> = {}): Snapshot =>
  sampleSnapshot({ id: randomId(), generation: 0 }, { started: { seconds, nanoseconds: 0 }, ...changes });

t.test('NewestSnapshots: of each source the one that began last, whole and with a tree', (t) => {
  const newest = new NewestSnapshots();
  const last = snapshotAt(20);
  const others = [{ host: 'other' }, { user: 'other' }, { paths: paths('/other') }, { paths: [...paths('/srv/data'), ...paths('/b')] }].map(
    (one) => snapshotAt(5, one),
  );
  const left = [snapshotAt(10), snapshotAt(30, { partial: true }), snapshotAt(30, { tree: null, packs: null }), snapshotAt(20)];
  for (const snapshot of [left[0]!, last, ...left.slice(1), ...others]) newest.add(snapshot);
  t.same(
    newest.all.map(({ session }) => session),
    [last, ...others].map(({ session }) => session),
  );
  t.end();
});

t.test('ContentWalk: the chunks of all files below a folder, in order; what leaves garbage behind says so', async (t) => {
  const place = await HandMade.create();
  const chunks = place.chunks('a', 3);
  const pack = await place.pack([chunks]);
  const files = chunks.map((chunk) => [extentOf(chunk, pack), { kind: 'zeros', length: 5 } as const]);
  const content = new NodeWriter('content', 0);
  for (const one of files[2]!) content.addExtent(one);
  const { references } = await place.nodes(content.finish());
  const { reference: inner } = await place.folder(files[0]!, files[1]!);
  const top = new NodeWriter('directory', 0);
  top.addEntry({ ...fileNamed('a'), type: 'directory', node: inner, filesBelow: 2, bytesBelow: 210 } as Entry);
  top.addEntry({ ...fileNamed('aa'), type: 'symlink', target: Buffer.from('a') } as Entry);
  top.addEntry(fileNamed('b', { size: 105, content: { form: 'node', node: references[0]!, height: 0, packs: [] } }));
  const { references: tops } = await place.nodes(top.finish());
  const names: Uint8Array[] = [];
  const collections = await collectionsOf(t, async () => {
    for (let round = 0; round < 32; round++) {
      names.length = 0;
      for await (const { name } of new ContentWalk(place.repository, { signal: undefined }).chunksBelow(tops[0]!)) names.push(name);
    }
  });
  t.same(
    names,
    chunks.map(({ name }) => name),
  );
  t.equal(collections, 6, '32 times three leaves of 256 KiB, one collection for 4 MiB');
  const interrupted = new ContentWalk(place.repository, { signal: AbortSignal.abort() }).chunksBelow(tops[0]!);
  await t.rejects(interrupted.next(), { code: 'interrupted' });
});

/** How often garbage is collected meanwhile. */
async function collectionsOf(t: Pick<Test, 'teardown'>, run: () => Promise<void>): Promise<number> {
  const { gc } = globalThis;
  t.teardown(() => Object.assign(globalThis, { gc }));
  let collections = 0;
  Object.assign(globalThis, { gc: () => collections++ });
  // What others left is counted no more.
  muchDropped();
  collections = 0;
  await run();
  return collections;
}

interface PlanCase {
  readonly place: HandMade;
  readonly options?: Partial<PlanOptions>;
  readonly repository?: Partial<Repository>;
  readonly present?: ReadonlyMap<PackId, number>;
}

/** What is planned for all that is in the store. */
async function plan({ place, options, repository = {}, present }: PlanCase) {
  const told: (string | undefined)[] = [];
  const root = await readRoot(place.repository);
  const found = await survey(place.repository, root, { onSnapshot: () => undefined, onDamage: () => undefined, signal: undefined });
  const census = { present: present ?? (await listPackSizes(place.repository, {})), doomed: new Set<PackId>(), losses: lossesOf({}) };
  const given: PlanOptions = {
    survey: found,
    census,
    rules: { maxUnused: 0, maxRepackBytes: Number.POSITIVE_INFINITY },
    force: false,
    oldEpochPacks: new Set(),
    onDamage: ({ object }) => void told.push(object),
    onNodes: () => undefined,
    ...options,
  };
  const planned = await planRepack({ ...place.repository, ...repository }, given);
  return { plan: planned, given, told, root };
}

const chosenIn = (planned: RepackPlan | null) =>
  planned === null ? null : planned.chosen.map(({ row, reason }) => `${reason} ${row.id}`).sort();

/** A snapshot of one file, in a pack of its chunks; the others of the pack nobody needs. */
async function used(place: HandMade, { seed = 'a', chunks = 4, live = 1 } = {}) {
  const all = place.chunks(seed, chunks);
  const pack = await place.pack([all]);
  const folder = await place.folder(all.slice(0, live).map((chunk) => extentOf(chunk, pack)));
  const snapshot = await place.commit([pack.pack, folder.pack.pack], { tree: folder.reference });
  return { all, pack, folder, snapshot };
}

t.test('planRepack: trees are walked where something goes, or it is asked for; else there is no plan', async (t) => {
  const place = await HandMade.create();
  const { pack, snapshot } = await used(place);
  await place.base([pack]);
  await advanceRoot(place.repository, { generation: 1, floor: 1, pastFloor: 1 });
  const kept = await place.commit([pack.pack], { tree: snapshot.snapshot.tree });
  t.equal((await plan({ place })).plan, null, 'nothing goes');
  const nodes: number[] = [];
  const { signal } = new AbortController();
  const spy = signalsOf(place.storage, signal);
  const options = { force: true, onNodes: (count: number) => void nodes.push(count), signal };
  const forced = await plan({ place, options, repository: { storage: spy.storage } });
  t.same([nodes, spy.without], [[2], []]);
  t.same(chosenIn(forced.plan), [`unused ${pack.pack}`]);
  const lenient = { maxUnused: 1, maxRepackBytes: Number.POSITIVE_INFINITY };
  t.same(chosenIn((await plan({ place, options: { force: true, rules: lenient } })).plan), [], 'nothing is put in order that lies well');
  const collections = await collectionsOf(t, async () => void (await plan({ place, options: { force: true } })));
  t.equal(collections, 1, 'what was made before is dropped before the names take room');
  t.same(forced.plan!.marked, [{ session: kept.id, number: null }]);
  t.equal(forced.plan!.unusedBytes, Math.round(pack.sizeBytes * 0.75));
  const ended = await place.checkpoint([], { ended: { seconds: 1, nanoseconds: 0 } }, { id: randomId(), generation: 1 });
  t.same(chosenIn((await plan({ place })).plan), [`unused ${pack.pack}`], 'a checkpoint goes');
  await place.storage.delete([ended.name]);
  await markDeleted(place.repository, [(await place.commit([])).id]);
  t.same(chosenIn((await plan({ place })).plan), [`unused ${pack.pack}`], 'a snapshot goes');
});

t.test('planRepack: what checkpoints need is looked at, too; one that is gone by now is not', async (t) => {
  const place = await HandMade.create();
  const { all, pack } = await used(place, { chunks: 4, live: 1 });
  await place.base([pack]);
  const folder = await place.folder([extentOf(all[2]!, pack)]);
  const { id, name } = await place.checkpoint([pack.pack], { tree: folder.reference });
  const { plan: planned } = await plan({ place, options: { force: true } });
  t.same(planned!.marked.length, 2);
  t.match(planned!.marked, [{ number: null }, { session: id, number: 0 }]);
  t.same(
    all.map((chunk) => planned!.isLive(chunk.name, 0)),
    [true, false, true, false],
  );
  const raced = (code: 'not-found' | 'io') => {
    let reads = 0;
    const onCall = (operation: string, called: string) => {
      if (operation === 'get' && called === name && ++reads > 0) throw new LaganError(code, 'as the test wants it', { object: name });
    };
    return new FaultyStorage(place.storage, { onCall });
  };
  const gone = await plan({ place, options: { force: true }, repository: { storage: raced('not-found') } });
  t.equal(gone.plan!.marked.length, 1);
  await t.rejects(plan({ place, options: { force: true }, repository: { storage: raced('io') } }), { code: 'io' });
  const { plan: sealing } = await plan({ place, options: { oldEpochPacks: new Set([pack.pack]) } });
  t.same(sealing!.marked, planned!.marked, 'without a look at trees all count as looked at');
  t.same([chosenIn(sealing), sealing!.unusedBytes], [[`epoch ${pack.pack}`], null]);
  t.ok(sealing!.isLive(new Uint8Array(32), 0));
});

t.test(
  'planRepack: nothing is planned where it is not known what is needed, or what is lost, or with a key that cannot read data',
  async (t) => {
    const place = await HandMade.create();
    const { pack, folder, snapshot } = await used(place);
    await place.base([pack]);
    const options = { force: true };
    const { given } = await plan({ place, options });
    const damage = [new LaganError('malformed', 'damaged', { object: 'x' })];
    const without = async (changes: Partial<PlanOptions>) => (await plan({ place, options: { ...options, ...changes } })).plan;
    t.equal(await without({ survey: { ...given.survey, damage } }), null);
    const inDoubt = (losses: Parameters<typeof lossesOf>[0]) => without({ census: { ...given.census, losses: lossesOf(losses) } });
    t.equal(await inDoubt({ unasked: new Set([randomId<PackId>()]) }), null);
    t.equal(await inDoubt({ lost: new Map([[pack.pack, []]]) }), null);
    t.equal(await inDoubt({ unknown: new Set([pack.pack]) }), null);
    t.ok(await inDoubt({ unknown: new Set([randomId<PackId>()]), sound: new Set([pack.pack]) }), 'of other packs');
    const plain = { ...place.repository.keys.toPlain(), grants: 'metadata', nameKey: null, cutKey: null } as const;
    t.equal((await plan({ place, options, repository: { keys: KeyRing.fromPlain(plain) } })).plan, null);
    const before = await place.storage.get(objectNames.pack(folder.pack.pack));
    await place.damageBlock(folder.pack.pack);
    const damaged = await plan({ place, options });
    t.same([damaged.plan, damaged.told], [null, [objectNames.pack(folder.pack.pack), objectNames.pack(folder.pack.pack)]]);
    await place.storage.delete([objectNames.pack(folder.pack.pack)]);
    await place.storage.create(objectNames.pack(folder.pack.pack), [before]);
    const fails = new FaultyStorage(place.storage, {
      faults: [{ operation: 'get', name: new RegExp(snapshot.name), call: 2, forever: true }],
    });
    await t.rejects(plan({ place, options, repository: { storage: fails } }), { code: 'io' });
  },
);

t.test('planRepack: packs are looked at that are there, needed, and in no table of an unfinished session', async (t) => {
  const place = await HandMade.create();
  const { pack } = await used(place);
  await place.base([pack]);
  const options = { force: true };
  const { given } = await plan({ place, options });
  const planned = async (changes: Partial<PlanOptions>) => chosenIn((await plan({ place, options: { ...options, ...changes } })).plan);
  const all = [`unused ${pack.pack}`];
  t.same(await planned({}), all);
  t.same(await planned({ isKept: () => false }), all);
  t.equal(await planned({ isKept: (one) => one === pack.pack }), null);
  t.equal(await planned({ census: { ...given.census, present: new Map() } }), null);
  t.equal(await planned({ census: { ...given.census, doomed: new Set([pack.pack]) } }), null);
  t.equal(await planned({ survey: { ...given.survey, needed: new Set() } }), null);
  t.equal(await planned({ survey: { ...given.survey, inTables: new Set([pack.pack]) } }), null);
  const empty = await HandMade.create();
  t.equal((await plan({ place: empty, options })).plan, null, 'there is no index at all');
});

t.test('planRepack: packs that are only in tables of sessions are looked at, too, so many tables of them', async (t) => {
  const place = await HandMade.create();
  const [first, second] = [await used(place, { seed: 'a' }), await used(place, { seed: 'b' })];
  const tables = [await place.table([first.pack], first.snapshot), await place.table([second.pack], second.snapshot)];
  t.equal((await plan({ place, options: { force: true } })).plan!.chosen.length, 2);
  withLimits(t, repackLimits, { tables: 1 });
  const named = [first, second].map(({ pack }) => `unused ${pack.pack}`)[tables[0]!.name < tables[1]!.name ? 0 : 1]!;
  t.same(chosenIn((await plan({ place, options: { force: true } })).plan), [named]);
});

t.test('planRepack: many small packs are a reason to look: so many of one kind, below a size', async (t) => {
  const place = await HandMade.create();
  withLimits(t, repackLimits, { smallPacks: 3 });
  const { pack: smallBytes } = smallPackBytes(place.repository.configuration.packSizeBytes);
  const packs: StoredPack[] = [];
  for (const seed of ['a', 'b', 'c']) packs.push(await place.pack([[place.chunk(seed)]]));
  const { pack: nodes } = await place.folder([extentOf(place.chunk('a'), packs[0]!)]);
  await place.commit([...packs, nodes].map(({ pack }) => pack));
  await place.base([...packs, nodes]);
  await advanceRoot(place.repository, { generation: 1, floor: 1, pastFloor: 1 });
  await place.commit(
    [...packs, nodes].map(({ pack }) => pack),
    {},
    { id: randomId(), generation: 1 },
  );
  const sized = (...sizes: number[]) => new Map([...packs, nodes].map(({ pack }, index) => [pack, sizes[index] ?? 1]));
  const small = packs.map(({ pack }) => `small ${pack}`).sort();
  const found = await plan({ place, present: sized(smallBytes - 1, 1, 1) });
  t.same(chosenIn(found.plan), small);
  t.match(found.plan, { unusedBytes: null, scattered: [], marked: { length: 1 } });
  t.equal((await plan({ place, present: sized(smallBytes, 1, 1) })).plan, null, 'one is not small; kinds are counted by themselves');
  t.equal((await plan({ place, present: sized(smallBytes, 1, 1), options: { oldEpochPacks: new Set([randomId<PackId>()]) } })).plan, null);
  const sealing = { oldEpochPacks: new Set([packs[0]!.pack]) };
  t.same(chosenIn((await plan({ place, present: sized(smallBytes, 1, 1), options: sealing })).plan), [`epoch ${packs[0]!.pack}`]);
});

/** A newest snapshot that reads one chunk of each pack after another, in turns. */
async function scattered(place: HandMade, count: number, chunks = 3) {
  const packs: StoredPack[] = [];
  const columns: Chunk[][] = [];
  for (let index = 0; index < count; index++) {
    columns.push(place.chunks(`${index}`, chunks));
    packs.push(await place.pack([columns.at(-1)!]));
  }
  const order = [0, 1].flatMap((row) => columns.map((column, index) => extentOf(column[row]!, packs[index]!)));
  const folder = await place.folder(order.slice(0, 3), order.slice(3));
  const snapshot = await place.commit([...packs.map(({ pack }) => pack), folder.pack.pack], { tree: folder.reference });
  await place.base(packs);
  return { packs, columns, folder, snapshot, order };
}

t.test('planRepack: a newest snapshot that is costly to restore is put in order, as long as there are new ones', async (t) => {
  withLimits(t, repackLimits, { scatteredBlocks: 1, streams: 2 });
  const place = await HandMade.create();
  const { packs, snapshot, folder, order } = await scattered(place, 4);
  const reasons = packs.map(({ pack }) => `scattered ${pack}`).sort();
  const found = await plan({ place });
  t.same(chosenIn(found.plan), reasons);
  t.match(found.plan, { scattered: [{ session: snapshot.id }], unusedBytes: null, marked: [{ session: snapshot.id, number: null }] });
  const { copies, replaced, baseIndex } = await repacked(place, found);
  t.equal(copies, 2, 'what it needs, and what it does not');
  const [first] = replaced.get(packs[0]!.pack)!;
  const { blocks } = await new PackReader(place.repository).open(first!, 'pack');
  t.same(Buffer.concat(blocks.map(({ names }) => names)), Buffer.concat(order.map(({ name }) => name)), 'in its order');
  t.ok(baseIndex);
  const entries = new Map([[randomId<PackId>(), [randomId<PackId>(), randomId<PackId>(), randomId<PackId>()]]]);
  const replacing = { ...found.given.survey, base: { replaced: entries } };
  withLimits(t, repackLimits, { replacingPacks: 5 });
  t.equal(
    (await plan({ place, options: { survey: replacing } })).plan!.chosen.length,
    2,
    'entries of replaced packs have room for so many',
  );
  await place.damageBlock(folder.pack.pack);
  const damaged = await plan({ place });
  t.same([damaged.plan, damaged.told], [null, [objectNames.pack(folder.pack.pack)]], 'what cannot be read is not put in order');
  await place.damageBlock(folder.pack.pack);
  const fails = new FaultyStorage(place.storage, {
    faults: [{ operation: 'get', name: new RegExp(folder.pack.pack), call: 1, forever: true }],
  });
  await t.rejects(plan({ place, repository: { storage: fails } }), { code: 'io' });
  const whole = await HandMade.create();
  const costlyOnly = await scattered(whole, 4, 2);
  t.same(
    chosenIn((await plan({ place: whole })).plan),
    costlyOnly.packs.map(({ pack }) => `scattered ${pack}`).sort(),
    'also what it uses as a whole',
  );
  const known = { ...found.given.survey, root: { ...found.root, floor: 1 } };
  t.equal((await plan({ place, options: { survey: known } })).plan, null, 'there is no new one');
  t.ok((await plan({ place, options: { survey: known, force: true } })).plan!.scattered.length === 1);
});

t.test('countRows: rows of each pack, those that are needed, and those of snapshots that are put in order', async (t) => {
  const place = await HandMade.create();
  const [a, b] = [place.chunks('a', 3), place.chunks('b', 2)];
  const [first, second] = [await place.pack([[...a, b[0]!]]), await place.pack([b])];
  const rows = await place.rows(await place.table([first, second]));
  const among =
    (...chunks: Chunk[]) =>
    (names: Uint8Array, offset: number) =>
      chunks.some(({ name }) => Buffer.compare(name, names.subarray(offset, offset + 32)) === 0);
  const counts = await countRows(rows, { isLive: among(a[0]!, a[1]!, b[0]!), isNewest: among(b[1]!) });
  t.same(counts, { rows: Uint32Array.of(4, 1), liveRows: Uint32Array.of(3, 0), newestRows: Uint32Array.of(0, 1) });
});

/** What the base index that was stored with the copies gives for each chunk, and what it says was replaced. */
async function listed(
  { repository: { storage, keys } }: HandMade,
  baseIndex: Awaited<ReturnType<typeof repack>>['baseIndex'],
  chunks: readonly Chunk[],
) {
  const opened = await openBaseIndex(storage, { reference: baseIndex, keys, memory: undefined });
  const index = new StoredIndex(
    storage,
    opened.map(({ table }) => table),
  );
  const { replaced } = await readBaseIndex(storage, { reference: baseIndex, keys });
  return {
    packs: await Promise.all(chunks.map(({ name }) => index.find(name, 0))),
    all: opened.flatMap(({ packs }) => packs.map(({ id }) => id)),
    replaced: new Map(replaced.map(({ pack, by }) => [pack, [...by]])),
  };
}

async function repacked(place: HandMade, { plan: planned, given, root }: Awaited<ReturnType<typeof plan>>) {
  const told: (string | undefined)[] = [];
  const onDamage = ({ object }: LaganError) => void told.push(object);
  let bytes = 0;
  const onCopied = (count: number) => {
    bytes += count;
  };
  const result = await repack(place.repository, root, { ...given, plan: planned!, onDamage, onCopied });
  return { ...result, told, bytes };
}

t.test('repack: names lead to the copies, the packs that leave are still listed, and the entries lead from them', async (t) => {
  const place = await HandMade.create();
  const { all, pack } = await used(place, { chunks: 4, live: 2 });
  const before = randomId<PackId>();
  await place.base([pack], { replaced: new Map([[before, [pack.pack]]]) });
  const result = await repacked(place, await plan({ place, options: { force: true } }));
  t.match(result, { packs: 1, copies: 1, bytes: 200, told: [], leaving: new Set([pack.pack]) });
  const [copy] = result.replaced.get(pack.pack)!;
  const found = await listed(place, result.baseIndex, all);
  t.same(found.packs, [copy, copy, pack.pack, pack.pack]);
  t.same(new Set(found.all), new Set([copy, pack.pack]));
  t.same(
    found.replaced,
    new Map([
      [before, [pack.pack, copy].sort()],
      [pack.pack, [copy]],
    ]),
  );
  t.same(found.replaced.get(pack.pack), result.replaced.get(pack.pack));
  t.equal(result.packBytes, (await listPackSizes(place.repository, {})).get(copy!));
});

t.test('repack: what stays in a pack that only a table of a session lists makes the base index list that', async (t) => {
  const place = await HandMade.create();
  const { all, pack, snapshot } = await used(place, { chunks: 4, live: 2 });
  const other = await place.pack([[all[0]!, all[1]!]]);
  await place.commit([other.pack]);
  await place.table([pack], snapshot);
  // The index gives both chunks for the other pack.
  await place.base([]);
  await place.table([other], { id: '0'.repeat(32) as never, generation: 0 });
  const planned = await plan({ place, options: { force: true } });
  const result = await repacked(place, planned);
  t.match(result, { packs: 1, copies: 0, packBytes: 0, bytes: 0 });
  t.same(result.replaced.get(pack.pack), [other.pack]);
  const { present } = planned.given.census;
  const withoutOther = new Map([...present].filter(([id]) => id !== other.pack));
  for (const changes of [{ doomed: new Set([other.pack]) }, { present: withoutOther }]) {
    const given = { ...planned.given, census: { ...planned.given.census, ...changes } };
    t.match(await repacked(place, { ...planned, given }), { packs: 1, copies: 1, bytes: 200 }, 'unless it is doomed, or gone');
  }
  t.same((await listed(place, result.baseIndex, all)).packs.slice(0, 2), [other.pack, other.pack]);
});

t.test('repack: a pack that turns out to be damaged is told of and left alone, the others are copied', async (t) => {
  const place = await HandMade.create();
  const [good, bad, worse] = [await used(place, { seed: 'a' }), await used(place, { seed: 'b' }), await used(place, { seed: 'c' })];
  await place.base([good.pack, bad.pack, worse.pack]);
  const planned = await plan({ place, options: { force: true } });
  t.equal(planned.plan!.chosen.length, 3);
  await place.damageBlock(bad.pack.pack);
  await place.removePack(worse.pack.pack);
  const result = await repacked(place, planned);
  t.same(result.told.sort(), [bad.pack.pack, worse.pack.pack].map(objectNames.pack).sort());
  t.match(result, { packs: 1, copies: 1, leaving: new Set([good.pack.pack]) });
  const found = await listed(place, result.baseIndex, [good.all[0]!, bad.all[0]!]);
  t.same(found.packs, [result.replaced.get(good.pack.pack)![0], bad.pack.pack]);
  await place.damageBlock(good.pack.pack);
  const none = await repacked(place, planned);
  t.same([none.packs, none.baseIndex], [0, planned.root.baseIndex], 'where none is left the base index stays');
});

t.test('planRepack: what the base index leaves out of its older tables is not looked at, unless a newer one lists it', async (t) => {
  withLimits(t, maintainLimits, { smallTableRows: 0, baseTableRatio: 0, unusedRowsPart: 1 });
  const place = await HandMade.create();
  const [left, other] = [await used(place, { seed: 'a' }), await used(place, { seed: 'b' })];
  await place.base([left.pack]);
  const add = async (pack: StoredPack, without: readonly PackId[]) => {
    const { name } = await place.table([pack]);
    const changes = { tables: [name], without: new Set(without) };
    await advanceRoot(place.repository, { baseIndex: await storeBaseIndex(place.repository, await readRoot(place.repository), changes) });
    await place.storage.delete([name]);
    return chosenIn((await plan({ place, options: { force: true } })).plan);
  };
  t.same(await add(other.pack, [left.pack.pack]), [`unused ${other.pack.pack}`]);
  t.same(await add(left.pack, []), [left, other].map(({ pack }) => `unused ${pack.pack}`).sort());
});
