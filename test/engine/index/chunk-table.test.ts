import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { ChunkTable, claimed, notFound, PackTable, tableFull } from '../../../engine/index/mod.ts';
import { idFromBytes, type PackId } from '../../../repo-format/mod.ts';
import { randomBytesOf, randomNames } from '../random.ts';
import type { ClaimerSetup } from './_claimer.ts';

t.test('ChunkTable: several threads that claim the same names, each in its own order: exactly one gets each', async (t) => {
  const count = 40_000;
  const names = randomNames('contested', count);
  const table = new ChunkTable({ capacityRows: 1 << 16 });
  const start = new SharedArrayBuffer(4);
  const workers = [0, 1, 2, 3].map((number) => {
    const workerData: ClaimerSetup = { table: table.buffer, names, ordinal: number, first: (number * count) / 8, start };
    return new Worker(new URL('./_claimer.ts', import.meta.url), { workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'online')));
  const answers = Promise.all(workers.map((worker) => once(worker, 'message').then(([got]) => got as number[])));
  Atomics.store(new Int32Array(start), 0, 1);
  Atomics.notify(new Int32Array(start), 0);
  const winners = new Map<number, number>();
  (await answers).forEach((got, ordinal) => {
    for (const index of got) {
      if (winners.has(index)) t.fail(`name ${index} was given twice`);
      winners.set(index, ordinal);
    }
  });
  t.equal(winners.size, count, 'every name was given');
  t.equal(table.rows, count);
  for (const [index, ordinal] of winners) if (table.find(names, index * 32) !== ordinal) t.fail(`name ${index} is not its winner's`);
});

t.test('ChunkTable: claim, find, and the ordinal of who came first', async (t) => {
  const names = randomNames('one thread', 3);
  const table = new ChunkTable({ capacityRows: 16 });
  t.equal(table.find(names, 0), notFound);
  t.equal(table.claim(names, 0, 0), claimed);
  t.equal(table.claim(names, 0, 9), 0);
  t.equal(table.claim(names, 32, 4_000_000), claimed);
  t.equal(table.find(names, 32), 4_000_000);
  t.equal(table.find(names, 64), notFound);
  t.equal(table.rows, 2);
});

t.test('ChunkTable: three quarters can be used, then it is full for new names only; clear makes room', async (t) => {
  const names = randomNames('full', 13);
  const table = new ChunkTable({ capacityRows: 16 });
  for (let index = 0; index < 12; index++) t.equal(table.claim(names, index * 32, index), claimed);
  t.equal(table.claim(names, 12 * 32, 12), tableFull);
  t.equal(table.claim(names, 11 * 32, 12), 11);
  t.equal(table.find(names, 12 * 32), notFound);
  table.clear();
  t.equal(table.rows, 0);
  t.equal(table.find(names, 0), notFound);
  t.equal(table.claim(names, 12 * 32, 12), claimed);
});

t.test('ChunkTable: a capacity that is no power of two is refused', async (t) => {
  t.throws(() => new ChunkTable({ capacityRows: 24 }), RangeError);
});

t.test('PackTable: ordinals of one thread, seen by another', async (t) => {
  const ids = Array.from({ length: 50 }, (_, index) => idFromBytes<PackId>(randomBytesOf(`pack ${index}`, 16)));
  const mine = new PackTable();
  const other = new PackTable(mine.buffers);
  const ordinals = ids.map((id) => mine.ordinalOf(id));
  t.same(
    ordinals,
    ids.map((id) => mine.ordinalOf(id)),
    'the same ordinal when asked again',
  );
  t.same(
    ordinals.map((ordinal) => other.packOf(ordinal)),
    ids,
  );
  const again = other.ordinalOf(ids[0]!);
  t.equal(mine.packOf(again), ids[0], 'one id may have several ordinals, all lead to it');
});
