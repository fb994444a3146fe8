import t from 'tap';
import {
  closeTable,
  FilterMemory,
  mergeIndexTables,
  openTable,
  StoredIndex,
  type StoredTable,
  writeIndexTable,
} from '../../../engine/index/mod.ts';
import { readSegment } from '../../../engine/objects/mod.ts';
import type { StoredPack } from '../../../engine/packs/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import {
  idFromBytes,
  type LaganError,
  objectNames,
  type PackId,
  type SessionId,
  segmentAt,
  segmentCount,
} from '../../../repo-format/mod.ts';
import { testKeys as keys, randomBytesOf, randomNames } from '../random.ts';

const session = '7'.repeat(32) as SessionId;
const tableName = (number: number) => objectNames.sessionIndex(1, session, number, number);
const packId = (number: number) => idFromBytes<PackId>(randomBytesOf(`pack ${number}`, 16));

/** `count` names in packs of 700. */
function packsOf(names: Uint8Array, firstPack = 0): StoredPack[] {
  const packs: StoredPack[] = [];
  for (let first = 0; first < names.length; first += 700 * 32)
    packs.push({ pack: packId(firstPack + packs.length), kind: 'pack', names: names.subarray(first, first + 700 * 32), sizeBytes: 1_000 });
  return packs;
}

async function openBoth(storage: InMemory, name: string): Promise<StoredTable[]> {
  const open = (residentFilterBytes: number) => openTable(storage, { name, keys, memory: new FilterMemory(residentFilterBytes) });
  return [(await open(Number.POSITIVE_INFINITY)).table, (await open(0)).table];
}

t.test(
  'an index table of 0, 1, a page less one, a page, a page and one, and 100,000 rows: every chunk is found in its pack, with and without a resident filter',
  async (t) => {
    for (const count of [0, 1, 1_023, 1_024, 1_025, 100_000]) {
      const storage = new InMemory();
      const names = randomNames(`rows ${count}`, count);
      const packs = packsOf(names);
      const size = await writeIndexTable(storage, { name: tableName(0), keys, packs });
      t.equal(size, await storage.size(tableName(0)));
      const tables = await openBoth(storage, tableName(0));
      t.match(tables[0], { rows: count, filter: Uint8Array });
      t.equal(tables[1]!.filter, undefined);
      for (const table of tables) {
        const index = new StoredIndex(storage, [table]);
        let wrong = 0;
        const step = count > 10_000 ? 37 : 1;
        for (let row = 0; row < count; row += step) {
          if (!index.mayContain(names, row * 32) || (await index.find(names, row * 32)) !== packs[Math.floor(row / 700)]!.pack) wrong++;
        }
        t.equal(wrong, 0, `${count} rows, ${table.filter === undefined ? 'no' : 'a'} resident filter`);
      }
    }
  },
);

t.test('StoredIndex: of chunks that are not there, the filter lets at most 1.5 % pass, and the pages none', async (t) => {
  const storage = new InMemory();
  const present = randomNames('present', 50_000);
  await writeIndexTable(storage, { name: tableName(0), keys, packs: packsOf(present) });
  const tables = await openBoth(storage, tableName(0));
  const [resident, stored] = tables.map((table) => new StoredIndex(storage, [table]));
  const absent = randomNames('absent', 100_000);
  let passed = 0;
  let found = 0;
  for (let row = 0; row < 100_000; row++) {
    if (!resident!.mayContain(absent, row * 32)) continue;
    passed++;
    if ((await resident!.find(absent, row * 32)) !== undefined) found++;
  }
  t.ok(passed <= 1_500, `${passed} of 100,000 pass the filter`);
  t.ok(passed > 0, 'and it is a filter, not a list');
  t.equal(found, 0);
  for (let row = 0; row < 500; row++) if ((await stored!.find(absent, row * 32)) !== undefined) t.fail('found without a resident filter');
});

t.test('writeIndexTable: a chunk in two packs is listed once, in the first', async (t) => {
  const storage = new InMemory();
  const names = randomNames('twice', 2_000);
  const packs = [...packsOf(names), ...packsOf(names.slice(500 * 32), 100)];
  await writeIndexTable(storage, { name: tableName(0), keys, packs });
  const { table, packs: rows } = await openTable(storage, { name: tableName(0), keys, memory: new FilterMemory(1 << 20) });
  t.equal(table.rows, 2_000);
  t.same(
    rows.map(({ id, chunkCount }) => [id, chunkCount]),
    packs.map(({ pack, names }) => [pack, names.length / 32]),
    'all packs are listed with all their chunks',
  );
  const index = new StoredIndex(storage, [table]);
  for (let row = 0; row < 2_000; row++)
    if ((await index.find(names, row * 32)) !== packs[Math.floor(row / 700)]!.pack) t.fail(`row ${row}`);
});

t.test('writeIndexTable: names that begin with the same 32 bits are all found', async (t) => {
  const storage = new InMemory();
  const names = randomNames('alike', 3_000);
  for (let row = 0; row < 3_000; row++) names.set([7, 7, 7, row % 3], row * 32);
  await writeIndexTable(storage, { name: tableName(0), keys, packs: packsOf(names) });
  for (const table of await openBoth(storage, tableName(0))) {
    t.equal(table.rows, 3_000);
    const index = new StoredIndex(storage, [table]);
    for (let row = 0; row < 3_000; row += 7)
      if ((await index.find(names, row * 32)) !== packId(Math.floor(row / 700))) t.fail(`row ${row}`);
  }
});

t.test('openTable: filters are resident while the shared memory lasts, and give it back', async (t) => {
  const storage = new InMemory();
  for (const number of [0, 1, 2])
    await writeIndexTable(storage, { name: tableName(number), keys, packs: packsOf(randomNames(`table ${number}`, 1_000)) });
  const memory = new FilterMemory(5_000);
  const open = async (number: number) => (await openTable(storage, { name: tableName(number), keys, memory })).table;
  const tables = [await open(0), await open(1), await open(2)];
  const sizes = tables.map(({ filter }) => filter?.length ?? 0);
  t.ok(sizes[0]! > 1_400 && sizes[0]! * 4 > 5_000, 'a filter takes 1.5 bytes for each chunk');
  t.equal(sizes.filter((size) => size > 0).length, Math.floor(5_000 / sizes[0]!));
  t.equal(memory.freeBytes, 5_000 - sizes[0]! - sizes[1]! - sizes[2]!);
  for (const table of tables) closeTable(table, memory);
  t.equal(memory.freeBytes, 5_000);
  await t.rejects(openTable(new InMemory(), { name: tableName(0), keys, memory }), { code: 'not-found' });
  t.equal(memory.freeBytes, 5_000);
});

t.test('StoredIndex: several tables; of packs that have a chunk the first that is accepted', async (t) => {
  const storage = new InMemory();
  const names = randomNames('shared', 10);
  await writeIndexTable(storage, { name: tableName(0), keys, packs: [{ pack: packId(0), kind: 'pack', names, sizeBytes: 1 }] });
  await writeIndexTable(storage, { name: tableName(1), keys, packs: [{ pack: packId(1), kind: 'pack', names, sizeBytes: 1 }] });
  const tables = await Promise.all(
    [0, 1].map(async (number) => (await openTable(storage, { name: tableName(number), keys, memory: new FilterMemory(1 << 20) })).table),
  );
  const index = new StoredIndex(storage, tables);
  t.equal(await index.find(names, 0), packId(0));
  t.equal(await index.find(names, 0, (pack) => pack === packId(1)), packId(1));
  t.equal(await index.find(names, 0, async () => false), undefined);
  index.replaceTables([]);
  t.equal(index.mayContain(names, 0), false);
});

t.test('mergeIndexTables: says what its tables said; of equal names the first table counts', async (t) => {
  for (const counts of [[1], [0, 1, 0], [1_024, 1_024], [3_000, 1, 500]]) {
    const storage = new InMemory();
    const shared = randomNames('in all', 5);
    const parts = counts.map((count, number) => randomNames(`part ${number}`, count));
    for (const [number, part] of parts.entries()) {
      const names = number === 0 || parts.length === 1 ? part : Uint8Array.from(Buffer.concat([part, shared]));
      await writeIndexTable(storage, { name: tableName(number), keys, packs: packsOf(names, number * 100) });
    }
    const name = objectNames.sessionIndex(1, session, 0, 99);
    await mergeIndexTables(storage, { name, keys, tables: parts.map((_, number) => tableName(number)) });
    for (const table of await openBoth(storage, name)) {
      t.equal(table.rows, counts.reduce((sum, count) => sum + count, 0) + (counts.length > 1 ? 5 : 0));
      const index = new StoredIndex(storage, [table]);
      for (const [number, part] of parts.entries()) {
        for (let row = 0; row < part.length / 32; row += 13)
          if ((await index.find(part, row * 32)) !== packId(number * 100 + Math.floor(row / 700))) t.fail(`part ${number}, row ${row}`);
      }
      if (counts.length > 1) t.equal(await index.find(shared, 0), packId(100 + Math.floor(counts[1]! / 700)));
    }
  }
});

t.test('mergeIndexTables: what is read and gathered in small pieces comes to the same as at once', async (t) => {
  const storage = new InMemory();
  for (const number of [0, 1])
    await writeIndexTable(storage, { name: tableName(number), keys, packs: packsOf(randomNames(`${number}`, 60_000), number * 100) });
  const name = (isSmall: boolean) => objectNames.sessionIndex(1, session, 0, isSmall ? 99 : 98);
  const tables = [tableName(0), tableName(1)];
  await mergeIndexTables(storage, { name: name(false), keys, tables });
  await mergeIndexTables(storage, { name: name(true), keys, tables, windowsLimitBytes: 1, sampleLimitBytes: 1 });
  const [whole] = await openBoth(storage, name(false));
  const [pieces] = await openBoth(storage, name(true));
  t.ok(whole!.filter!.length > 2 * 64 * 1024, 'three segments of the filter');
  t.ok(segmentCount(whole!.segments.sample) > 1, 'two of the sample');
  t.same(pieces!.segments, whole!.segments);
  for (const run of [whole!.segments.packs, whole!.segments.pages, whole!.segments.filter, whole!.segments.sample]) {
    for (let index = 0; index < segmentCount(run); index++) {
      const [left, right] = await Promise.all([whole!, pieces!].map(({ object }) => readSegment(storage, object, segmentAt(run, index))));
      if (!Buffer.from(left!).equals(right!)) t.fail(`segment ${index} of ${JSON.stringify(run)}`);
    }
  }
});

t.test('mergeIndexTables: packs that are left out take their rows with them; what another pack has stays', async (t) => {
  const storage = new InMemory();
  const [gone, moved] = [randomNames('gone', 2_000), randomNames('moved', 700)];
  await writeIndexTable(storage, { name: tableName(0), keys, packs: packsOf(Uint8Array.from(Buffer.concat([moved, gone]))) });
  await writeIndexTable(storage, { name: tableName(1), keys, packs: packsOf(moved, 100) });
  const name = objectNames.sessionIndex(1, session, 0, 99);
  const without = new Set([0, 1, 2, 3].map(packId));
  t.same(await mergeIndexTables(storage, { name, keys, tables: [tableName(0), tableName(1)], without }), { rows: 700, packs: 1 });
  for (const table of await openBoth(storage, name)) {
    const index = new StoredIndex(storage, [table]);
    for (let row = 0; row < 700; row += 7) if ((await index.find(moved, row * 32)) !== packId(100)) t.fail(`row ${row}`);
    for (let row = 0; row < 2_000; row += 7) if ((await index.find(gone, row * 32)) !== undefined) t.fail(`row ${row}`);
  }
  await mergeIndexTables(storage, { name: tableName(7), keys, tables: [tableName(0)], without });
  t.equal((await openBoth(storage, tableName(7)))[0]!.rows, 0, 'none may be left');
});

t.test('openTable: a damaged table is told by its code, and leaves no table behind if it cannot be written', async (t) => {
  const storage = new InMemory();
  await writeIndexTable(storage, { name: tableName(0), keys, packs: packsOf(randomNames('some', 2_000)) });
  const bytes = await storage.get(tableName(0));
  const damaged = new InMemory();
  await damaged.create(tableName(0), [bytes.map((byte, at) => (at === bytes.length - 40 ? byte ^ 1 : byte))]);
  await t.rejects(openTable(damaged, { name: tableName(0), keys, memory: undefined }), {
    code: 'authentication-failed',
  } satisfies Partial<LaganError>);
  await t.rejects(openTable(new InMemory(), { name: tableName(0), keys, memory: undefined }), { code: 'not-found' });
  await t.rejects(writeIndexTable(storage, { name: tableName(0), keys, packs: [] }), { code: 'exists' });
});
