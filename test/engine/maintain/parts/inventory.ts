/** All that a store has, for a recovery: what counts, what somebody made up, and what suffices. */
import t, { type Test } from 'tap';
import { writeIndexTable } from '../../../../engine/index/mod.ts';
import { storeBaseIndex } from '../../../../engine/maintain/_base-index.ts';
import { cataloguedEntries, type Inventory, type InventoryOptions, takeInventory } from '../../../../engine/maintain/_inventory.ts';
import { maintainLimits } from '../../../../engine/maintain/_limits.ts';
import { idForSuccessor, type Repository, recoveryReach } from '../../../../engine/repository/mod.ts';
import { type Storage, withOverrides } from '../../../../engine/storage/mod.ts';
import { LaganError, objectNames, objectPrefixes, type PackId, type SessionId, type SnapshotId } from '../../../../repo-format/mod.ts';
import { advanceRoot, backUp, makeRepository, namesIn, randomId, storeCatalogue } from '../../repository/sample.ts';
import { SignalWatch } from '../../storage/signal-watch.ts';
import { withLimits } from '../_fixture.ts';

const nothing = { tree: null, packs: null, listPacks: [] };
const bytes = new Uint8Array(10);
const pack = (digit: string) => digit.repeat(32) as PackId;
const present = (...digits: string[]) => new Map(digits.map((digit) => [pack(digit), 1]));

async function inventoryOf(repository: Repository, options: Partial<InventoryOptions> = {}) {
  const damaged: string[] = [];
  const onDamage = ({ object }: LaganError) => damaged.push(object!);
  return { inventory: await takeInventory(repository, repository.root, { present: new Map(), onDamage, ...options }), damaged };
}

t.test('takeInventory: the highest number and generation that anybody can have reached; what is beyond was made up', async (t) => {
  const repository = await makeRepository();
  const { root, storage } = repository;
  const highest = async () => {
    const { highestNumber, highestGeneration, madeUp } = (await inventoryOf(repository)).inventory;
    return { highestNumber, highestGeneration, madeUp: [...madeUp].sort() };
  };
  t.same(await highest(), { highestNumber: 0, highestGeneration: 0, madeUp: [] });
  const create = (name: string) => storage.create(name, [bytes]);
  const id = (number: number) => idForSuccessor({ ...root, number: number - 1 });
  for (const [index, name] of [
    objectNames.root(3),
    objectNames.catalogue(id(4)),
    objectNames.lostList(id(5)),
    objectNames.baseIndex(id(6)),
    objectNames.root(recoveryReach),
  ].entries()) {
    await create(name);
    t.same(await highest(), { highestNumber: index === 4 ? recoveryReach : index + 3, highestGeneration: 0, madeUp: [] }, name);
  }
  for (const [index, name] of [
    objectNames.snapshot(3, randomId<SessionId>()),
    objectNames.checkpoint(4, randomId<SessionId>(), 0),
    objectNames.sessionIndex(5, randomId<SessionId>(), 0, 0),
    objectNames.snapshot(recoveryReach, randomId<SessionId>()),
  ].entries()) {
    await create(name);
    t.equal((await highest()).highestGeneration, index === 3 ? recoveryReach : index + 3, name);
  }
  const beyond = [
    objectNames.root(recoveryReach + 1),
    objectNames.catalogue(id(recoveryReach + 1)),
    objectNames.snapshot(recoveryReach + 1, randomId<SessionId>()),
    objectNames.checkpoint(recoveryReach + 1, randomId<SessionId>(), 0),
    objectNames.sessionIndex(recoveryReach + 1, randomId<SessionId>(), 0, 0),
  ].sort();
  for (const name of [...beyond, ...Object.values(objectPrefixes).map((prefix) => `${prefix}strange`)]) await create(name);
  t.same(await highest(), { highestNumber: recoveryReach, highestGeneration: recoveryReach, madeUp: beyond });
});

t.test('takeInventory: roots that were passed over count, as far as they may have been', async (t) => {
  const made = await makeRepository();
  const of = async (...unreadableRoots: string[]) => {
    const { highestNumber, madeUp } = (await inventoryOf({ ...made, unreadableRoots })).inventory;
    return { highestNumber, madeUp };
  };
  t.same(await of(objectNames.root(9)), { highestNumber: 9, madeUp: [] });
  const beyond = objectNames.root(recoveryReach + 1);
  t.same(await of(objectNames.root(9), beyond), { highestNumber: 9, madeUp: [beyond] });
});

t.test('takeInventory: each snapshot once, with the bytes of a catalogue where one has them', async (t) => {
  const repository = await makeRepository();
  const [both, alone, listed] = [await backUp(repository, nothing), await backUp(repository, nothing), await backUp(repository, nothing)];
  const gone = randomId<SnapshotId>();
  await storeCatalogue(repository, [
    { id: both.id, generation: 0, object: bytes },
    { id: listed.id, generation: 0, object: new Uint8Array(0) },
    { id: gone, generation: 4, object: bytes.subarray(1) },
    { id: randomId<SnapshotId>(), generation: 9, object: new Uint8Array(0) },
  ]);
  const { inventory } = await inventoryOf(repository);
  const found = new Map(
    inventory.snapshots.map(({ id, generation, bytes: stored, name }) => [id, { generation, name, size: stored?.length }]),
  );
  const own = (id: SnapshotId) => ({ generation: 0, name: objectNames.snapshot(0, id) });
  t.same(
    found,
    new Map([
      [both.id, { ...own(both.id), size: 10 }],
      [alone.id, { ...own(alone.id), size: undefined }],
      [listed.id, { ...own(listed.id), size: undefined }],
      [gone, { generation: 4, name: objectNames.snapshot(4, gone), size: 9 }],
    ]),
  );
  t.same(inventory.commits, new Set([both.id, alone.id, listed.id]));
  t.equal(inventory.highestGeneration, 4, 'the last entry has no snapshot');
});

/** A store with tables of sessions and base indexes. */
async function tabled() {
  const repository = await makeRepository();
  const { storage, keys, root } = repository;
  const packsOf = (digits: string) =>
    [...digits].map((digit) => ({ pack: pack(digit), kind: 'pack' as const, names: new Uint8Array(0), sizeBytes: 1 }));
  const session = async (number: number, digits: string) => {
    const name = objectNames.sessionIndex(number, 'a'.repeat(32) as SessionId, 0, 0);
    await writeIndexTable(storage, { name, keys, packs: packsOf(digits) });
    return name;
  };
  const base = async (number: number, digits: string, replaced: Record<string, string>) => {
    const table = await session(1000, digits);
    const entries = Object.entries(replaced).map(([digit, by]): [PackId, PackId[]] => [pack(digit), [...by].map(pack)]);
    const { id } = await storeBaseIndex(
      repository,
      { ...root, number: number - 1, baseIndex: null },
      { tables: [table], without: new Set(), replaced: new Map(entries) },
    );
    await storage.delete([table]);
    return objectNames.baseIndex(id);
  };
  return { repository, session, base };
}

t.test('takeInventory: tables that list what no other one lists of what is there, and what has replaced what is gone', async (t) => {
  const { repository, session, base } = await tabled();
  const older = await base(1, '19', { e: '2', d: '3' });
  const newest = await base(2, '1', { e: '1', 2: '1', 3: '31' });
  const [second, , , fourth] = [await session(0, '28'), await session(1, '12'), await session(2, '9'), await session(3, '4')];
  const { signal, storage, withoutSignal } = new SignalWatch(repository.storage);
  const { inventory, damaged } = await inventoryOf({ ...repository, storage }, { present: present('1', '2', '3', '4'), signal });
  t.same(damaged, []);
  t.same(inventory.tables, [newest, second, fourth]);
  t.ok(!inventory.tables.includes(older));
  t.same(inventory.listed, new Set(['1', '2', '8', '4'].map(pack)));
  const by = Object.fromEntries([...inventory.replaced].map(([gone, packs]) => [gone[0], packs.map((one) => one[0])]));
  t.same(by, { e: ['1'], d: ['3'], 3: ['1', '3'] }, 'the newest counts; a pack that is there and was replaced whole stands for itself');
  t.same(
    [...withoutSignal].filter((call) => !/\/index\//.test(call)),
    [],
  );
});

t.test('takeInventory: a table that is damaged, or gone by now, is told and left out; no answer is an error', async (t) => {
  const { repository, session } = await tabled();
  const [first, second, third] = [
    await session(0, '1'),
    await session(1, '12'),
    objectNames.sessionIndex(2, 'b'.repeat(32) as SessionId, 0, 0),
  ];
  await repository.storage.create(third, [bytes]);
  const failing = (error: LaganError): Repository => {
    const getEnd: Storage['getEnd'] = async (name, ...given) => {
      if (name === first) throw error;
      return repository.storage.getEnd(name, ...given);
    };
    return { ...repository, storage: withOverrides(repository.storage, { getEnd }) };
  };
  const options = { present: present('1', '2') };
  const whole = await inventoryOf(repository, options);
  t.same([whole.inventory.tables, whole.damaged], [[first, second], [third]]);
  const gone = await inventoryOf(failing(new LaganError('not-found', 'gone', { object: first })), options);
  t.same([gone.inventory.tables, gone.damaged], [[second], [first, third]]);
  await t.rejects(inventoryOf(failing(new LaganError('unavailable', 'away')), options), { code: 'unavailable' });
});

t.test('takeInventory: damaged catalogues are told', async (t) => {
  const repository = await makeRepository();
  await advanceRoot(repository, {});
  const name = objectNames.catalogue(idForSuccessor(repository.root));
  await repository.storage.create(name, [bytes]);
  const { damaged, inventory } = await inventoryOf(repository);
  t.same([damaged, inventory.snapshots], [[name], []]);
  t.ok((await namesIn(repository.storage)).includes(name));
});

function entriesOf(t: Test, cataloguedBytes: number, snapshots: readonly [sizeBytes: number | null, hasOwnObject: boolean][]): number[] {
  withLimits(t, maintainLimits, { cataloguedBytes });
  const standing = snapshots.map(([size], index) => {
    const id = `${index}` as SnapshotId;
    return { id, generation: index, name: '', standing: 'valid' as const, bytes: size === null ? null : new Uint8Array(size) };
  });
  const commits = new Set(standing.filter((_, index) => snapshots[index]![1]).map(({ id }) => id));
  const entries = cataloguedEntries({ snapshots: standing, commits } as unknown as Inventory);
  for (const { id, generation, object } of entries) {
    t.equal(`${generation}`, id);
    t.equal(object, standing[generation]!.bytes);
  }
  return entries.map(({ generation }) => generation);
}

t.test('cataloguedEntries: all that a catalogue had, as far as there is room; who has an object of its own makes room', async (t) => {
  t.same(entriesOf(t, 10, []), []);
  t.same(
    entriesOf(t, 10, [
      [null, true],
      [5, true],
      [5, false],
    ]),
    [1, 2],
  );
  t.same(
    entriesOf(t, 9, [
      [5, true],
      [5, true],
    ]),
    [1],
    'one that has its own object is enough',
  );
  t.same(
    entriesOf(t, 4, [
      [5, true],
      [5, false],
      [5, true],
    ]),
    [1],
  );
  t.same(
    entriesOf(t, 11, [
      [5, false],
      [5, true],
      [6, true],
    ]),
    [0, 2],
    'until there is room',
  );
  t.same(
    entriesOf(t, 4, [
      [5, false],
      [5, false],
    ]),
    [0, 1],
    'what is nowhere else stays in any case',
  );
});
