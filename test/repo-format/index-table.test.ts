import { createHash } from 'node:crypto';
import t from 'tap';
import * as format from '../../repo-format/mod.ts';

function names(count: number, seed = ''): Uint8Array {
  const hashes = Array.from({ length: count }, (_, index) => createHash('sha256').update(`${seed}${index}`).digest());
  return new Uint8Array(Buffer.concat(hashes.sort(Buffer.compare)));
}

t.test('findInPage: every name, and none between, in pages of all sizes', async (t) => {
  for (const count of [1, 2, 3, 1023, 1024]) {
    const sorted = names(count);
    const page = format.encodeIndexPage(
      sorted,
      Array.from({ length: count }, (_, index) => 2 ** 32 - 1 - index),
    );
    t.equal(format.checkRows(page, { packs: 2 ** 32 }), count);
    const found = Array.from({ length: count }, (_, index) => format.findInPage(page, sorted, index * 32));
    t.same(
      found,
      Array.from({ length: count }, (_, index) => 2 ** 32 - 1 - index),
    );
    const absent = names(50, 'absent ');
    for (let index = 0; index < 50; index++) t.equal(format.findInPage(page, absent, index * 32), -1);
  }
  t.equal(format.findInPage(new Uint8Array(0), names(1)), -1);
});

t.test('checkRows: 1,024 rows and no more', async (t) => {
  const page = (count: number) => format.encodeIndexPage(names(count), new Uint32Array(count));
  t.equal(format.checkRows(page(1024), { packs: 1 }), 1024);
  t.throws(() => format.checkRows(page(1025), { packs: 1 }), { code: 'malformed' });
  t.throws(() => format.checkRows(page(0), { packs: 1 }), { code: 'malformed' });
});

t.test('findPage: the last page that does not begin above the name', async (t) => {
  const firstNames = format.concatBytes([0x10, 0x20, 0x30].map((byte) => new Uint8Array(32).fill(byte)));
  const place = (byte: number) => format.findPage(firstNames, new Uint8Array(32).fill(byte));
  t.same([0x0f, 0x10, 0x11, 0x1f, 0x20, 0x30, 0xff].map(place), [-1, 0, 0, 0, 1, 2, 2]);
  t.equal(format.findPage(new Uint8Array(0), new Uint8Array(32)), -1);
});

t.test('filter: never says no to what is in it, and seldom yes to what is not', async (t) => {
  const rows = 20_000;
  const [inside, outside] = [names(rows), names(rows, 'outside ')];
  const blocks = format.filterBlockCount(rows);
  const filter = new Uint8Array(blocks * 64);
  for (let index = 0; index < rows; index++) format.filterAdd(filter, blocks, inside, index * 32);
  let wrong = 0;
  for (let index = 0; index < rows; index++) {
    if (!format.filterContains(filter, blocks, inside, index * 32)) t.fail(`row ${index}`);
    if (format.filterContains(filter, blocks, outside, index * 32)) wrong++;
  }
  t.ok(wrong / rows < 0.006, `${wrong} of ${rows} wrong`);
});

t.test('filterBlockCount: 12 bits a row, and at least one block', async (t) => {
  t.same([0, 1, 42, 43, 85, 86].map(format.filterBlockCount), [1, 1, 1, 2, 2, 3]);
});

t.test('filterBlockOf: exact where a product of doubles would not be', async (t) => {
  for (const blockCount of [1, 2 ** 21 + 1, 2 ** 31 - 1, 2 ** 32 - 1]) {
    for (const value of [0, 1, 0x7fffffff, 0xfffffffe, 0xffffffff]) {
      const name = new Uint8Array(32);
      new DataView(name.buffer).setUint32(0, value);
      t.equal(format.filterBlockOf(name, 0, blockCount), Number((BigInt(value) * BigInt(blockCount)) >> 32n));
    }
  }
});

t.test('filterBlockOf: ascends with the names', async (t) => {
  const sorted = names(1000);
  const blocks = Array.from({ length: 1000 }, (_, index) => format.filterBlockOf(sorted, index * 32, 1000));
  t.same(
    blocks.toSorted((left, right) => left - right),
    blocks,
  );
});

t.test('segmentAt: segments follow each other, all but the last are full', async (t) => {
  const segments = format.indexSegments({ rows: 2_049, packs: 2_049, sampleRows: 0 });
  const places = (run: format.SegmentRun) => Array.from({ length: format.segmentCount(run) }, (_, index) => format.segmentAt(run, index));
  t.same(places(segments.packs), [
    { number: 0, place: { offset: 80, sealedLength: 65_552 }, items: 2_048 },
    { number: 1, place: { offset: 65_636, sealedLength: 48 }, items: 1 },
  ]);
  t.same(
    places(segments.pages).map(({ number, items }) => [number, items]),
    [
      [2, 1_024],
      [3, 1_024],
      [4, 1],
    ],
  );
  t.equal(places(segments.filter)[0]!.place.offset, places(segments.pages)[2]!.place.offset + 4 + 36 + 16);
  t.same(places(segments.sample), []);
  t.equal(segments.endOffset, places(segments.filter)[0]!.place.offset + 4 + 49 * 64 + 16);
  t.throws(() => format.segmentAt(segments.pages, 3), RangeError);
  t.throws(() => format.segmentAt(segments.sample, 0), RangeError);
});

t.test('isSampled: one name in 64', async (t) => {
  const all = names(6400);
  const count = Array.from({ length: 6400 }, (_, index) => format.isSampled(all, index * 32)).filter(Boolean).length;
  t.ok(count > 60 && count < 140, `${count} of 6,400`);
});
