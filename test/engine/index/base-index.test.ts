import t from 'tap';
import {
  closeTable,
  FilterMemory,
  mergeIndexTables,
  openBaseIndex,
  readBaseIndex,
  StoredIndex,
  writeIndexTable,
} from '../../../engine/index/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { idFromBytes, type ObjectId, type ObjectReference, objectNames, type PackId, type SessionId } from '../../../repo-format/mod.ts';
import { testKeys as keys, randomBytesOf, randomNames } from '../random.ts';

const session = '7'.repeat(32) as SessionId;
const packId = (number: number) => idFromBytes<PackId>(randomBytesOf(`pack ${number}`, 16));
const reference = (number: number): ObjectReference => ({
  id: idFromBytes<ObjectId>(randomBytesOf(`table ${number}`, 16)),
  hash: randomBytesOf(`hash ${number}`, 32),
});
const nameOf = (number: number) => objectNames.baseIndex(reference(number).id);

/** Two names in pack 0 and two in pack 1; the newest table has the second of each in pack 2, and leaves pack 1 out of the older one. */
async function makeBase(storage: InMemory): Promise<Uint8Array> {
  const names = randomNames('base', 4);
  const table = objectNames.sessionIndex(1, session, 0, 0);
  const pack = (number: number, ...rows: number[]) => ({
    pack: packId(number),
    kind: 'pack' as const,
    names: Uint8Array.from(rows.flatMap((row) => [...names.subarray(row * 32, row * 32 + 32)])),
    sizeBytes: 1,
  });
  await writeIndexTable(storage, { name: table, keys, packs: [pack(2, 1, 3)] });
  await writeIndexTable(storage, { name: nameOf(0), keys, packs: [pack(0, 0, 1), pack(1, 2, 3)] });
  await mergeIndexTables(storage, { name: nameOf(1), keys, tables: [table], older: [reference(0)], leftOut: [packId(1)] });
  return names;
}

// covers: IDX-10
t.test('openBaseIndex: the newest table counts first, and what it leaves out does not count', async (t) => {
  const storage = new InMemory();
  const names = await makeBase(storage);
  for (const memory of [undefined, new FilterMemory(1 << 20)]) {
    const opened = await openBaseIndex(storage, { reference: reference(1), keys, memory });
    t.same(
      opened.map(({ packs }) => packs.map(({ id }) => id)),
      [[packId(2)], [packId(0)]],
    );
    const index = new StoredIndex(
      storage,
      opened.map(({ table }) => table),
    );
    const found = await Promise.all([0, 1, 2, 3].map((row) => index.find(names, row * 32)));
    t.same(found, [packId(0), packId(2), undefined, packId(2)]);
    if (memory === undefined) continue;
    t.ok(memory.freeBytes < 1 << 20);
    for (const { table } of opened) closeTable(table, memory);
    t.equal(memory.freeBytes, 1 << 20);
  }
  t.same(await openBaseIndex(storage, { reference: null, keys, memory: undefined }), []);
});

t.test('openBaseIndex: gives its memory back where a table is missing', async (t) => {
  const storage = new InMemory();
  await makeBase(storage);
  await storage.delete([nameOf(0)]);
  const memory = new FilterMemory(1 << 20);
  await t.rejects(openBaseIndex(storage, { reference: reference(1), keys, memory }), { code: 'not-found' });
  t.equal(memory.freeBytes, 1 << 20);
});

t.test('readBaseIndex: the tables with their rows, and what is left out', async (t) => {
  const storage = new InMemory();
  await makeBase(storage);
  t.same(await readBaseIndex(storage, { reference: reference(1), keys }), {
    tables: [
      { reference: reference(1), name: nameOf(1), rows: 2 },
      { reference: reference(0), name: nameOf(0), rows: 4 },
    ],
    leftOut: new Set([packId(1)]),
    replaced: [],
  });
  t.same(await readBaseIndex(storage, { reference: null, keys }), { tables: [], leftOut: new Set(), replaced: [] });
});
