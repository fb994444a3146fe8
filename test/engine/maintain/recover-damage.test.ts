/** A recovery where objects are damaged or gone besides: what it makes anew, what it tells, and what it leaves alone. */
import t from 'tap';
import { maintainLimits } from '../../../engine/maintain/_limits.ts';
import { listPackSizes } from '../../../engine/maintain/_rollback.ts';
import { packsListedIn } from '../../../engine/maintain/_unlisted-packs.ts';
import { type RecoverOptions, recover } from '../../../engine/maintain/mod.ts';
import {
  readCatalogueRecord,
  readLostPacks,
  readRoot,
  recoveryDistance,
  storeCatalogue,
  storeLostPacks,
} from '../../../engine/repository/mod.ts';
import { LaganError, objectNames, objectPrefixes, type PackId, type SessionId } from '../../../repo-format/mod.ts';
import { advanceRoot, copyOf, randomId } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { HandMade, signalsOf } from './_hand-made.ts';

/** Two snapshots, one of them in the catalogue; two tables, one of them folded. */
async function past() {
  const place = await HandMade.create();
  const [old, fresh] = [await place.pack([place.chunks('old', 60)]), await place.pack([place.chunks('fresh', 60)])];
  const first = await place.commit([old.pack], { started: { seconds: 200, nanoseconds: 0 } });
  const object = await place.storage.get(first.name);
  const also = await place.pack([place.chunks('also', 2)]);
  const before = await place.base([old, also]);
  const catalogue = await storeCatalogue(place.repository, before, {
    catalogue: { snapshots: [{ id: first.id, generation: 0, object }], checkpoints: [] },
  });
  await advanceRoot(place.repository, { generation: 1, floor: 1, pastFloor: 1, catalogue });
  const second = await place.commit([fresh.pack], { started: { seconds: 100, nanoseconds: 0 } });
  const table = await place.table([fresh], second);
  return { place, old, fresh, first, second, table, root: await readRoot(place.repository) };
}

/** Recovers; returns what is told, and how the store is then. */
async function recovered(place: HandMade, options: RecoverOptions & { storage?: HandMade['storage'] } = {}) {
  const { storage = place.storage, ...given } = options;
  const told: (string | undefined)[] = [];
  const onDamage = ({ object }: LaganError) => void told.push(object);
  const result = await recover({ ...place.repository, storage }, { force: true, onDamage, ...given });
  const root = await readRoot(place.repository);
  return { result, told, root, listed: await packsListedIn(place.repository, root, []) };
}

const isWhole = ({ snapshots }: Awaited<ReturnType<typeof recover>>) => Object.fromEntries(snapshots.map((one) => [one.id, one.isWhole]));
const packsIn = async (place: HandMade) => new Set((await listPackSizes(place.repository, {})).keys());

t.test('recover: all snapshots in the order of their beginning, whole or not; packs that are listed, unlisted and missing', async (t) => {
  const { place, old, first, second, root } = await past();
  const phases: string[] = [];
  await place.removePack(old.pack);
  const onProgress = ({ phase, filesDone }: { phase: string; filesDone: number }) => void phases.push(`${phase} ${filesDone}`);
  const dry = await recovered(place, { dryRun: true, force: false, onProgress });
  t.match(dry.result, {
    outcome: 'dry-run',
    evidence: /^writer\/packs/,
    packs: 4,
    unlistedPacks: 2,
    missingPacks: 1,
    damage: { length: 0 },
  });
  t.match(dry.result.snapshots, [
    { id: second.id, comesBack: false },
    { id: first.id, comesBack: false },
  ]);
  t.same(isWhole(dry.result), { [first.id]: false, [second.id]: true });
  t.same(phases, ['survey 1', 'survey 2']);
  t.same([dry.root.number, dry.result.root], [root.number, { number: root.number, generation: 1 }], 'nothing was done');
  const { result, root: after, listed, told } = await recovered(place, { onProgress });
  t.match(result, { outcome: 'recovered', newRoot: { number: root.number + recoveryDistance, generation: 1 + recoveryDistance } });
  t.same(told, []);
  t.match(after, { phase: 'open', floor: result.newRoot!.generation, number: result.newRoot!.number + 1 });
  t.same(listed, await packsIn(place));
  t.same(new Set((await readCatalogueRecord(place.repository, after)).snapshots.map(({ id }) => id)), new Set([first.id, second.id]));
  t.same(phases.slice(2), ['survey 1', 'survey 2', 'collect 2', 'collect 2', 'collect 2']);
});

t.test('recover: nothing is done where nothing shows that the store went back', async (t) => {
  const { place, root } = await past();
  const { result, root: after } = await recovered(place, { force: false });
  t.match(result, { outcome: 'sound', evidence: null, newRoot: null, passedOverObjects: 0 });
  t.equal(after.number, root.number);
});

t.test('recover: the new root is beyond all that was seen, wherever', async (t) => {
  const { place, root } = await past();
  const beyond = { number: root.number + 70, generation: 50 };
  t.match((await recovered(place, { dryRun: true, beyond })).result.newRoot, {
    number: beyond.number + recoveryDistance,
    generation: beyond.generation + recoveryDistance,
  });
  await place.table([], { id: randomId<SessionId>(), generation: 9 });
  t.match((await recovered(place, { dryRun: true })).result.newRoot, { generation: 9 + recoveryDistance });
});

t.test('recover: only who may collect recovers; anybody may ask what would be done', async (t) => {
  const { place } = await past();
  const other = { ...place.repository, configuration: { ...place.repository.configuration, collector: 'other' } };
  t.match(await recover(other, { dryRun: true, force: true }), { outcome: 'dry-run' });
  await t.rejects(recover(other, { force: true }), { code: 'forbidden' });
  t.match(await recover(other, { force: true, collector: 'other' }), { outcome: 'recovered' });
});

t.test('recover: a list of lost packs is kept; one that is gone is no reason not to recover', async (t) => {
  const { place, old, first } = await past();
  const names = [place.chunk('old 0').name];
  const lost = await storeLostPacks(place.repository, await readRoot(place.repository), { lost: new Map([[old.pack, names]]) });
  await advanceRoot(place.repository, { lost });
  await place.damageBlock(old.pack);
  const kept = await recovered(place);
  t.same([...(await readLostPacks(place.repository, kept.root)).keys()], [old.pack]);
  t.same(isWhole(kept.result)[first.id], true, 'as far as packs tell');
  for (const damage of ['gone', 'damaged']) {
    const copy = HandMade.over(place.repository, await copyOf(place.storage));
    const again = await storeLostPacks(copy.repository, await readRoot(copy.repository), { lost: new Map([[old.pack, names]]) });
    await advanceRoot(copy.repository, { lost: again });
    const name = objectNames.lostList(again!.id);
    if (damage === 'gone') await copy.storage.delete([name]);
    else await copy.damage(name, -30);
    const { result, root, listed, told } = await recovered(copy);
    t.equal(result.outcome, 'recovered', damage);
    t.equal(root.lost, null);
    t.same(told, damage === 'gone' ? [] : [name]);
    t.same(listed, await packsIn(copy));
  }
});

t.test('recover: a base index that is damaged, or gone, is made anew', async (t) => {
  for (const damage of ['gone', 'damaged'] as const) {
    const { place, root, first, second } = await past();
    const name = objectNames.baseIndex(root.baseIndex!.id);
    if (damage === 'gone') await place.storage.delete([name]);
    else await place.damage(name, -30);
    if (damage === 'damaged') t.match(await recover(place.repository), { outcome: 'sound', damage: [{ object: name }] });
    const { result, listed, told } = await recovered(place);
    t.match(result, { outcome: 'recovered', missingPacks: 0, unlistedPacks: 4 });
    t.same(told, damage === 'gone' ? [] : [name], 'told once');
    t.same(isWhole(result), { [first.id]: true, [second.id]: true });
    t.same(listed, await packsIn(place));
  }
});

t.test('recover: a table of which only the rows are damaged is left out, and its packs tell what they hold', async (t) => {
  const { place, table, fresh, old } = await past();
  await place.damage(table.name, 400);
  const storage = new FaultyStorage(place.storage);
  const { result, told, listed } = await recovered(place, { storage });
  const isRead = ({ pack }: { pack: PackId }) =>
    storage.calls.some(({ operation, name }) => operation === 'get' && name === objectNames.pack(pack));
  t.same([isRead(fresh), isRead(old)], [true, false], 'those that other tables list need not be read');
  t.match(result, { outcome: 'recovered', unlistedPacks: 2 });
  t.same([told, result.damage.map(({ object }) => object)], [[table.name], [table.name]]);
  t.ok(listed.has(fresh.pack));
  t.same(listed, await packsIn(place));
});

t.test('recover: a table that cannot be opened, and a pack that is damaged, are told of and left out', async (t) => {
  const { place, table, fresh, old } = await past();
  await place.damage(table.name, 60);
  await place.damage(objectNames.pack(fresh.pack), -40);
  const { result, told, listed } = await recovered(place);
  t.equal(result.outcome, 'recovered');
  t.same(new Set(told), new Set([table.name, objectNames.pack(fresh.pack)]));
  t.same([listed.has(old.pack), listed.has(fresh.pack)], [true, false]);
});

t.test('recover: where the store fails, or what was just stored is damaged, it ends and changes no root', async (t) => {
  const { place, root, table } = await past();
  const before = await place.names(objectPrefixes.baseIndexes);
  const isNew = (name: string) => name.startsWith(objectPrefixes.baseIndexes) && !before.includes(name);
  const corrupt = (name: string, bytes: Uint8Array) => (isNew(name) ? bytes.map((byte) => byte ^ 1) : bytes);
  await t.rejects(recovered(place, { storage: new FaultyStorage(place.storage, { corrupt }) }), {
    code: /io|authentication-failed|malformed/,
  });
  t.equal((await readRoot(place.repository)).number, root.number);
  await place.damage(table.name, 400);
  const onCall = (operation: string, name: string) => {
    if (operation === 'append' && isNew(name)) throw new LaganError('no-space', 'the disk is full');
  };
  await t.rejects(recovered(place, { storage: new FaultyStorage(place.storage, { onCall }) }), { code: 'no-space' });
  t.equal((await readRoot(place.repository)).number, root.number);
});

t.test('recover: a snapshot that is damaged or vanishes is told of, the others stand', async (t) => {
  const { place, first, second } = await past();
  const fails = (code: 'io' | 'not-found') =>
    new FaultyStorage(place.storage, {
      faults: [{ operation: 'get', name: new RegExp(second.name), call: 1, error: () => new LaganError(code, 'as the test wants it') }],
    });
  await t.rejects(recovered(place, { dryRun: true, storage: fails('io') }), { code: 'io' });
  t.same(Object.keys(isWhole((await recovered(place, { dryRun: true, storage: fails('not-found') })).result)), [first.id]);
  await place.damage(second.name, -30);
  const { result, told } = await recovered(place);
  t.same(Object.keys(isWhole(result)), [first.id]);
  t.same(told, [second.name]);
});

t.test(
  'recover: a catalogue that is damaged or gone is told of; its snapshots come back as far as they have objects of their own',
  async (t) => {
    for (const damage of ['gone', 'damaged'] as const) {
      const { place, first, second, root } = await past();
      const name = objectNames.catalogue(root.catalogue!.id);
      const fails = new FaultyStorage(place.storage, { faults: [{ operation: 'get', name: new RegExp(name), call: 1, forever: true }] });
      await t.rejects(recovered(place, { dryRun: true, storage: fails }), { code: 'io' });
      if (damage === 'gone') await place.storage.delete([name]);
      else await place.damage(name, -30);
      const { result, told, root: after } = await recovered(place);
      t.match(result.snapshots, [
        { id: second.id, comesBack: false },
        { id: first.id, comesBack: true },
      ]);
      t.same(told, [name], damage);
      t.equal((await readCatalogueRecord(place.repository, after)).snapshots.length, 2);
    }
  },
);

t.test('recover: a snapshot that only the catalogue has stays in the new one, as it was', async (t) => {
  const { place, first } = await past();
  const object = await place.storage.get(first.name);
  await place.storage.delete([first.name]);
  const { snapshots } = await readCatalogueRecord(place.repository, (await recovered(place)).root);
  t.same(snapshots.find(({ id }) => id === first.id)?.object, object);
});

t.test('recover: a snapshot of a generation after the root comes back', async (t) => {
  const { place } = await past();
  const { id } = await place.commit([], {}, { id: randomId<SessionId>(), generation: 2 });
  const { result } = await recovered(place, { dryRun: true, force: false });
  t.match(result.evidence, id);
  t.same(
    result.snapshots.filter(({ comesBack }) => comesBack).map((one) => one.id),
    [id],
  );
});

t.test('recover: a store without snapshots gets a root without a catalogue', async (t) => {
  const place = await HandMade.create();
  t.match(await recovered(place), {
    result: { outcome: 'recovered', packs: 0 },
    root: { catalogue: null, baseIndex: null, phase: 'open' },
  });
});

t.test('recover: where somebody else has recovered meanwhile, that counts', async (t) => {
  const { place } = await past();
  const number = (await readRoot(place.repository)).number + 2 * recoveryDistance;
  let calls = 0;
  const onCall = async (operation: string, name: string) => {
    if (operation === 'create' && name.startsWith(objectPrefixes.roots) && ++calls === 1)
      await advanceRoot(place.repository, { number, previous: null });
  };
  const { root } = await recovered(place, { storage: new FaultyStorage(place.storage, { onCall }) });
  t.equal(root.number, number);
});

t.test('recover: what nobody can have made counts for nothing: some of it is named', async (t) => {
  const { place, root } = await past();
  const count = maintainLimits.namedObjects + 2;
  for (let made = 0; made < count; made++) await place.commit([], {}, { id: randomId<SessionId>(), generation: 2 ** 50 + made });
  const { result } = await recovered(place, { dryRun: true });
  t.match(result, { passedOverObjects: count, passedOver: { length: maintainLimits.namedObjects } });
  t.equal(result.newRoot!.generation, root.generation + recoveryDistance);
  const highest = Number.MAX_SAFE_INTEGER - 10;
  await advanceRoot(place.repository, { generation: highest });
  await t.rejects(recovered(place), { code: 'limit-exceeded', found: highest });
});

t.test('recover: whatever it lists, and whatever small object it reads, it asks for so that an interruption ends it', async (t) => {
  const { place } = await past();
  await place.checkpoint([]);
  const { storage } = place;
  const { signal } = new AbortController();
  for (const isDamaged of [false, true]) {
    const spy = signalsOf(await copyOf(storage), signal);
    const copy = HandMade.over(place.repository, spy.storage);
    if (isDamaged) await copy.damage(objectNames.baseIndex((await readRoot(copy.repository)).baseIndex!.id), -30);
    spy.without.length = 0;
    await recover(copy.repository, { signal, force: true });
    t.same(spy.without, []);
  }
  for (let call = 1; call < 60; call += 9) {
    const controller = new AbortController();
    let calls = 0;
    const onCall = () => {
      if (++calls === call) controller.abort();
    };
    const faulty = new FaultyStorage(await copyOf(storage), { onCall });
    await t.rejects(recover({ ...place.repository, storage: faulty }, { force: true, signal: controller.signal }), { code: 'interrupted' });
  }
});
