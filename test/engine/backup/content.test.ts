/** What goes in comes back, whatever its size, and is cut in the same way by any number of workers. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { backupStream } from '../../../engine/backup/mod.ts';
import { smallestCutSizeBytes } from '../../../engine/kernel/mod.ts';
import type { Extent } from '../../../repo-format/mod.ts';
import { compressibleBytes, randomBytesOf } from '../random.ts';
import {
  backUp,
  contentOf,
  contentsOf,
  entriesOf,
  extentsOf,
  fileOf,
  makePlace,
  newest,
  type Place,
  smallSegments,
  write,
} from './_fixture.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** n − 1, n, n + 1. */
const around = (size: number): number[] => [size - 1, size, size + 1];

async function expectContents(t: Test, place: Place, expected: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const contents = await contentsOf(place.repository, place.source);
  t.equal(contents.size, expected.size);
  for (const [name, bytes] of expected) t.ok(contents.get(name)?.equals(bytes), name);
}

/** Data, zeros and holes, as they lie in a sparse file: stretches of 4 KiB times the numbers. */
function writeSparse(file: string, stretches: readonly (readonly ['data' | 'zeros' | 'hole', number])[]): Buffer {
  const size = stretches.reduce((sum, [, pages]) => sum + pages * 4 * KiB, 0);
  const bytes = Buffer.alloc(size);
  const descriptor = fs.openSync(file, 'w');
  fs.ftruncateSync(descriptor, size);
  let offset = 0;
  for (const [kind, pages] of stretches) {
    const length = pages * 4 * KiB;
    if (kind === 'data') bytes.set(randomBytesOf(`at ${offset}`, length), offset);
    if (kind !== 'hole') fs.writeSync(descriptor, bytes, offset, length, offset);
    offset += length;
  }
  fs.closeSync(descriptor);
  return bytes;
}

t.test('backup: files of sizes around every boundary come back, random, compressible and zeros', async (t) => {
  const place = await makePlace(t);
  const { blockSizeBytes, chunker } = place.repository.configuration;
  const sizes = [
    0,
    1,
    2,
    ...around(smallestCutSizeBytes(chunker)),
    ...around(chunker.gridBytes),
    ...around(512 * KiB),
    ...around(blockSizeBytes),
    3 * MiB + 77,
  ];
  const expected = new Map<string, Uint8Array>();
  for (const size of sizes) {
    expected.set(`random-${size}`, randomBytesOf(`random ${size}`, size));
    expected.set(`text-${size}`, compressibleBytes(`text ${size}`, size));
    expected.set(`zeros-${size}`, new Uint8Array(size));
  }
  for (const [name, bytes] of expected) write(place.source, name, bytes);
  const { statistics, errors } = await backUp(place);
  t.same(errors, []);
  t.equal(statistics.files, expected.size);
  t.equal(
    statistics.bytes,
    sizes.reduce((sum, size) => sum + 3 * size, 0),
  );
  await expectContents(t, place, expected);
  const zeros = await extentsOf(place.repository, await fileOf(place, `zeros-${3 * MiB + 77}`));
  t.same(zeros, [{ kind: 'zeros', length: 3 * MiB + 77, start: 0 }], 'zeros are not stored, and joined');
});

t.test('backup: large files in segments: sizes around one, two and several segments', async (t) => {
  const place = await makePlace(t);
  const segment = smallSegments.segmentSizeBytes;
  const expected = new Map<string, Uint8Array>();
  for (const size of [
    ...around(segment),
    ...around(2 * segment),
    ...around(3 * segment),
    3 * segment + 100,
    5 * segment + 12_345,
    12 * segment,
  ]) {
    expected.set(`random-${size}`, randomBytesOf(`random ${size}`, size));
    expected.set(`text-${size}`, compressibleBytes(`text ${size}`, size));
    expected.set(`zeros-${size}`, new Uint8Array(size));
  }
  for (const [name, bytes] of expected) write(place.source, name, bytes);
  const { errors } = await backUp(place, { workers: 3 }, smallSegments);
  t.same(errors, []);
  await expectContents(t, place, expected);
});

t.test('backup: a file of more than 64 MiB, in segments of the usual size', async (t) => {
  const place = await makePlace(t);
  const bytes = randomBytesOf('large', 70 * MiB + 1_234);
  write(place.source, 'large', bytes);
  t.same((await backUp(place, { workers: 2 })).errors, []);
  t.ok((await contentOf(place.repository, await fileOf(place, 'large'))).equals(bytes));
});

t.test('backup: the chunks of a file are the same in one piece, in segments by 1, 2 and 3 workers, and as a stream', async (t) => {
  const bytes = Buffer.concat([
    randomBytesOf('random', 2 * MiB),
    compressibleBytes('text', MiB),
    Buffer.alloc(MiB),
    randomBytesOf('more', MiB + 99),
  ]);
  const cuts: { how: string; extents: Extent[] }[] = [];
  const place = await makePlace(t);
  write(place.source, 'file', bytes);
  const ways = [
    [1, 64 * MiB],
    [1, 256 * KiB],
    [2, 200_000],
    [3, 1_000_003],
  ] as const;
  for (const [workers, segmentSizeBytes] of ways) {
    await backUp(place, { workers, force: true }, { segmentSizeBytes });
    const extents = await extentsOf(place.repository, await fileOf(place, 'file'));
    cuts.push({ how: `${workers} workers, segments of ${segmentSizeBytes}`, extents });
  }
  const pieces = async function* () {
    for (let offset = 0; offset < bytes.length; offset += 77_777) yield bytes.subarray(offset, offset + 77_777);
  };
  await backupStream(place.repository, { name: 'stream', stream: pieces() });
  const stream = (await entriesOf(place.repository, '/', await newest(place.repository))).get('stream');
  cuts.push({ how: 'stream', extents: await extentsOf(place.repository, stream as never) });
  for (const { how, extents } of cuts) {
    t.same(named(extents), named(cuts[0]!.extents), how);
    t.equal(
      extents.reduce((sum, { length }) => sum + length, 0),
      bytes.length,
    );
  }
  t.ok(cuts[0]!.extents.length > 50, `${cuts[0]!.extents.length} chunks`);
});

t.test('backup: what a second file shares with a first is stored once, even shifted', async (t) => {
  const place = await makePlace(t);
  const bytes = randomBytesOf('shared', 4 * MiB);
  write(place.source, 'a', bytes);
  write(place.source, 'b', bytes);
  write(place.source, 'c', Buffer.concat([Buffer.from('something before it'), bytes]));
  const { statistics } = await backUp(place, { workers: 3 });
  t.equal(statistics.bytes, 3 * 4 * MiB + 19);
  t.ok(statistics.newBytes < 4 * MiB + 200 * KiB, `${statistics.newBytes} new bytes`);
});

t.test('backup: sparse files: data, zeros and holes, whole and in segments', async (t) => {
  const shapes = {
    'hole-only': [['hole', 300]],
    'hole-first': [
      ['hole', 300],
      ['data', 3],
    ],
    'hole-last': [
      ['data', 3],
      ['hole', 300],
    ],
    'data-in-holes': [
      ['hole', 1],
      ['data', 1],
      ['hole', 1],
      ['data', 100],
      ['hole', 64],
      ['data', 1],
      ['hole', 2],
    ],
    'zeros-and-holes': [
      ['zeros', 100],
      ['hole', 100],
      ['zeros', 100],
      ['hole', 1],
      ['data', 10],
    ],
    'long-stretches': [
      ['data', 200],
      ['hole', 1],
      ['data', 300],
      ['hole', 5],
      ['data', 33],
    ],
    'many-small': Array.from({ length: 400 }, (_, index) => [index % 2 === 0 ? 'data' : 'hole', 1 + (index % 3)] as const),
    'no-hole': [['data', 400]],
  } as const;
  for (const limits of [{}, { segmentSizeBytes: 64 * KiB, stretchesPerJob: 4 }]) {
    const place = await makePlace(t);
    const expected = new Map<string, Uint8Array>();
    for (const [name, stretches] of Object.entries(shapes)) expected.set(name, writeSparse(`${place.source}/${name}`, stretches));
    const { errors } = await backUp(place, { workers: 2 }, limits);
    t.same(errors, []);
    await expectContents(t, place, expected);
    const kinds = async (name: string) => summary(await extentsOf(place.repository, await fileOf(place, name)));
    t.same(await kinds('hole-only'), [['hole', 300 * 4 * KiB]]);
    t.same(await kinds('hole-first'), [
      ['hole', 300 * 4 * KiB],
      ['data', 3 * 4 * KiB],
    ]);
    t.same(await kinds('hole-last'), [
      ['data', 3 * 4 * KiB],
      ['hole', 300 * 4 * KiB],
    ]);
    t.same(
      (await kinds('zeros-and-holes')).slice(0, 3),
      [
        ['zeros', 100 * 4 * KiB],
        ['hole', 100 * 4 * KiB],
        ['zeros', 100 * 4 * KiB],
      ],
      'zeros that are there are told from holes',
    );
    t.same(await kinds('long-stretches'), [
      ['data', 200 * 4 * KiB],
      ['hole', 4 * KiB],
      ['data', 300 * 4 * KiB],
      ['hole', 20 * KiB],
      ['data', 33 * 4 * KiB],
    ]);
  }
});

t.test('backup: many small files, their bytes in one block', async (t) => {
  const place = await makePlace(t);
  const expected = new Map<string, Uint8Array>();
  for (let index = 0; index < 3_000; index++)
    expected.set(`folder-${index % 7}/file-${index}`, randomBytesOf(`${index}`, (index * 37) % 900));
  for (const [name, bytes] of expected) write(place.source, name, bytes);
  t.same((await backUp(place, { workers: 3 })).errors, []);
  await expectContents(t, place, expected);
});

/** What is the same whatever pack the chunks are in. */
function named(extents: readonly Extent[]): unknown[] {
  return extents.map((extent) =>
    extent.kind === 'data' ? [extent.length, Buffer.from(extent.name).toString('hex')] : [extent.kind, extent.length],
  );
}

/** Kinds and lengths, neighbours of one kind joined. */
function summary(extents: readonly Extent[]): [string, number][] {
  const joined: [string, number][] = [];
  for (const { kind, length } of extents) {
    const last = joined.at(-1);
    if (last?.[0] === kind) last[1] += length;
    else joined.push([kind, length]);
  }
  return joined;
}
