/** A base index of several tables: what is rewritten is about as much as what changed. */
import t from 'tap';
import { openBaseIndex, readBaseIndex, StoredIndex, writeIndexTable } from '../../../engine/index/mod.ts';
import { storeBaseIndex } from '../../../engine/maintain/_base-index.ts';
import { createRepository, type Repository, readRoot } from '../../../engine/repository/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { idFromBytes, type ObjectReference, objectNames, type PackId, type SessionId } from '../../../repo-format/mod.ts';
import { secret } from '../backup/_fixture.ts';
import { randomBytesOf, randomNames } from '../random.ts';

const chunksPerPack = 50_000;

/** Pack `number` of a table. */
const packId = (table: number, number: number) => idFromBytes<PackId>(randomBytesOf(`pack ${table} ${number}`, 16));

/** Stores the table of a session with so many chunks. Returns its name, and those of the chunks. */
async function makeTable({ storage, keys }: Repository, table: number, chunks: number): Promise<{ name: string; names: Uint8Array }> {
  const names = randomNames(`table ${table}`, chunks);
  const packs = Array.from({ length: Math.ceil(chunks / chunksPerPack) }, (_, number) => ({
    pack: packId(table, number),
    kind: 'pack' as const,
    names: names.subarray(number * chunksPerPack * 32, (number + 1) * chunksPerPack * 32),
    sizeBytes: 1,
  }));
  const name = objectNames.sessionIndex(0, idFromBytes<SessionId>(randomBytesOf(`session ${table}`, 16)), 0, 0);
  await writeIndexTable(storage, { name, keys, packs });
  return { name, names };
}

t.test('storeBaseIndex: small tables are merged, a large one stays until much of it does not count', async (t) => {
  const repository = await createRepository(new InMemory(), { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  const { storage, keys } = repository;
  const root = await readRoot(repository);
  let base: ObjectReference | null = null;
  const names: Uint8Array[] = [];
  const gone = new Set<PackId>();
  /** Stores the next base index; returns the rows of its tables, and what is left out of the older ones. */
  const store = async (chunks: number, without: PackId[] = []): Promise<{ rows: number[]; leftOut: ReadonlySet<PackId> }> => {
    const { name, names: added } = await makeTable(repository, names.length, chunks);
    names.push(added);
    for (const pack of without) gone.add(pack);
    base = await storeBaseIndex(repository, { ...root, baseIndex: base }, { tables: [name], without: new Set(without) });
    const { tables, leftOut } = await readBaseIndex(storage, { reference: base, keys });
    return { rows: tables.map(({ rows }) => rows), leftOut };
  };
  const nothing = new Set();
  t.same(await store(700_000), { rows: [700_000], leftOut: nothing });
  t.same(await store(1_000), { rows: [1_000, 700_000], leftOut: nothing }, 'a large table stays');
  t.same(await store(1_000), { rows: [2_000, 700_000], leftOut: nothing }, 'small ones are merged');
  const left = [packId(0, 0), packId(0, 1), packId(0, 2)];
  t.same(await store(1_000, left.slice(0, 1)), { rows: [3_000, 700_000], leftOut: new Set(left.slice(0, 1)) });
  t.same(
    await store(1_000, [packId(3, 0), ...left.slice(1)]),
    { rows: [3_000, 700_000], leftOut: new Set(left) },
    'of those that are merged nothing is left',
  );
  await expectRows(t, { repository, base, names, gone });
  t.same(
    await store(1_000, [packId(0, 3)]),
    { rows: [504_000], leftOut: nothing },
    'a table is rewritten when a quarter of it does not count',
  );
  t.same(await store(100_000), { rows: [604_000], leftOut: nothing }, 'or when what is new is not much less');
  await expectRows(t, { repository, base, names, gone });
});

/** Each chunk is found in its pack, unless that is gone. */
async function expectRows(
  t: Tap,
  {
    repository: { storage, keys },
    base,
    names,
    gone,
  }: { repository: Repository; base: ObjectReference | null; names: readonly Uint8Array[]; gone: ReadonlySet<PackId> },
): Promise<void> {
  const opened = await openBaseIndex(storage, { reference: base, keys, memory: undefined });
  const listed = opened.flatMap(({ packs }) => packs.map(({ id }) => id));
  t.equal(new Set(listed).size, listed.length);
  const index = new StoredIndex(
    storage,
    opened.map(({ table }) => table),
  );
  for (const [table, all] of names.entries()) {
    for (let row = 0; row < all.length / 32; row += 997) {
      const pack = packId(table, Math.floor(row / chunksPerPack));
      const expected = gone.has(pack) ? undefined : pack;
      t.equal(listed.includes(pack), expected !== undefined);
      if ((await index.find(all, row * 32)) !== expected) t.fail(`table ${table}, row ${row}`);
    }
  }
}

type Tap = Pick<typeof t, 'equal' | 'fail'>;
