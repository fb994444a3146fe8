import t from 'tap';
import { type CuttingParameters, type Kernel, lookAheadBytes, smallestCutSizeBytes, warmUpBytes } from '../../../engine/kernel/mod.ts';
import { candidatesOf, cutsOf, isCandidate, isHit } from '../../../engine/kernel/plain/mod.ts';
import { cutKey, fineCutting, integer, kernels, randomBytes, randomNumbers } from './_helpers.ts';

const cutting = fineCutting;

interface Feeding {
  readonly random: () => number;
  /** Largest piece fed at once. */
  readonly most: number;
  /** Offset in the file at which to begin, and the one to stop at. Default: the whole file. */
  readonly from?: number;
  readonly to?: number;
}

/** Feeds bytes of a file in pieces of random size, each put where the one before was; finishes if the end is reached. */
function cut(kernel: Kernel, file: Uint8Array, { random, most, from = 0, to = file.length }: Feeding): number[] {
  const cuts: number[] = [];
  kernel.cutter.begin(from);
  for (let position = from; position < to; ) {
    const length = Math.min(integer(random, 0, most), to - position);
    kernel.data.set(file.subarray(position, position + length), 5);
    cuts.push(...kernel.cutter.feed(5, length));
    kernel.data.fill(0xee, 0, length + 5);
    position += length;
  }
  if (to === file.length) cuts.push(...kernel.cutter.finish());
  return cuts;
}

/** Strings of 64 bytes that end in a candidate. */
function findWindows(count: number): Uint8Array[] {
  const windows: Uint8Array[] = [];
  const random = randomNumbers(99);
  while (windows.length < count) {
    const bytes = randomBytes(20000, random);
    for (const { position } of candidatesOf(bytes, cutKey)) windows.push(bytes.slice(position - 64, position));
  }
  return windows.slice(0, count);
}

const windows = findWindows(24);

/** A file in which candidates are frequent, equal values too, with stretches that have none. */
function candidateRich(length: number, random: () => number): Uint8Array {
  const file = new Uint8Array(length);
  for (let position = 0; position < length; ) {
    const kind = random();
    const piece =
      kind < 0.6
        ? windows[integer(random, 0, windows.length - 1)]!
        : kind < 0.98
          ? randomBytes(integer(random, 1, 300), random)
          : new Uint8Array(integer(random, 1, 4000));
    file.set(piece.subarray(0, length - position), position);
    position += piece.length;
  }
  return file;
}

for (const [kind, create] of Object.entries(kernels)) {
  const kernel = create(256 * 1024);

  t.test(`cutter, ${kind}: gives the cuts of the definition, however the file is fed`, async (t) => {
    const random = randomNumbers(10);
    let count = 0;
    const rounds = kind === 'plain' ? 8 : 40;
    for (let round = 0; round < rounds; round++) {
      const file = (round % 4 === 0 ? randomBytes : candidateRich)(integer(random, 0, 30000), random);
      const expected = cutsOf(file, { cutKey, cutting });
      count += expected.length;
      for (const most of [1 + (round % 2) * 150, 3000, 100000]) {
        const cuts = cut(kernel, file, { random, most });
        if (cuts.join() !== expected.join()) t.same(cuts, expected, `round ${round}, ${file.length} bytes, pieces of ${most}`);
      }
    }
    t.ok(count > 7 * rounds, `${count} cuts were compared`);
  });

  t.test(`cutter, ${kind}: segments with warm-up and look-ahead have the cuts of the whole`, async (t) => {
    const random = randomNumbers(11);
    for (let round = 0; round < 20; round++) {
      const file = candidateRich(40000, random);
      const expected = cutsOf(file, { cutKey, cutting });
      const from = integer(random, 0, file.length),
        to = integer(random, from, file.length);
      const begin = Math.max(0, from - warmUpBytes(cutting)),
        end = Math.min(file.length, to + lookAheadBytes(cutting));
      const cuts = cut(kernel, file, { random, most: 5000, from: begin, to: end });
      const inSegment = (position: number): boolean => position >= from && position < to;
      t.same(cuts.filter(inSegment), expected.filter(inSegment), `[${from}, ${to})`);
      t.same(
        cuts,
        expected.filter((position) => cuts.includes(position)),
        'no cut that is not one',
      );
    }
  });

  t.test(`cutter, ${kind}: an inserted byte changes only the chunks near to it`, async (t) => {
    const random = randomNumbers(12);
    const file = candidateRich(40000, random);
    const cuts = cut(kernel, file, { random, most: 9999 });
    const shifted = cut(kernel, new Uint8Array([1, ...file]), { random, most: 9999 }).map((position) => position - 1);
    const natural = cuts.filter((position) => isCandidate(file, position));
    t.ok(natural.length > 20);
    t.same(
      natural.filter((position) => position > 2000 && !shifted.includes(position)),
      [],
    );
  });

  t.test(`cutter, ${kind}: constant and periodic data are cut at the grid`, async (t) => {
    const random = randomNumbers(13);
    for (const period of [1, 2, 3, 4, 8, 16, 31, 33]) {
      const pattern = randomBytes(period, random);
      const file = new Uint8Array(10000).map((_, index) => pattern[index % period]!);
      t.same(cut(kernel, file, { random, most: 2000 }), [2048, 4096, 6144, 8192], `period ${period}`);
    }
  });

  t.test(`cutter, ${kind}: sizes around those from which on there are cuts`, async (t) => {
    const random = randomNumbers(14);
    const smallest = smallestCutSizeBytes(cutting);
    t.equal(smallest, 1024);
    const window = windows[0]!;
    for (const size of [0, 1, 63, 64, 65, smallest - 1, smallest, smallest + 1, 2559, 2560, 2561]) {
      const file = new Uint8Array(size);
      if (size >= 512) file.set(window, 512 - 64);
      const natural = size >= smallest ? [512] : [];
      t.same(cut(kernel, file, { random, most: 700 }), natural, `${size} bytes, with a candidate`);
      t.same(cut(kernel, new Uint8Array(size), { random, most: 700 }), size >= 2560 ? [2048] : [], `${size} zeros`);
    }
  });

  t.test(`cutter, ${kind}: offsets far beyond 2^32`, async (t) => {
    const random = randomNumbers(15);
    const file = candidateRich(20000, random);
    const cutFrom = (start: number): number[] => {
      kernel.data.set(file);
      kernel.cutter.begin(start);
      return [...kernel.cutter.feed(0, file.length), ...kernel.cutter.finish()].map((position) => position - start);
    };
    const near = cutFrom(4 * cutting.gridBytes);
    t.ok(near.length > 10);
    t.same(cutFrom(2 ** 52), near);
  });

  t.test(`cutter, ${kind}: bad offsets are refused`, async (t) => {
    for (const offset of [-1, 0.5, Number.NaN, 2 ** 53]) t.throws(() => kernel.cutter.begin(offset), RangeError);
    kernel.cutter.begin(0);
    t.throws(() => kernel.cutter.feed(0, kernel.data.length + 1), RangeError);
    kernel.cutter.finish();
    t.throws(() => kernel.cutter.feed(0, 1), { code: 'ERR_ASSERTION' });
  });
}

t.test('cutter: chunks are shorter than three times the grid', async (t) => {
  const random = randomNumbers(16);
  const parameters: CuttingParameters[] = [
    cutting,
    { horizonBytes: 64, gridBytes: 64 },
    { horizonBytes: 1000, gridBytes: 1000 },
    { horizonBytes: 300, gridBytes: 5000 },
  ];
  for (const each of parameters) {
    const kernel = kernels['four lanes']!(1 << 20, each);
    const file = candidateRich(100000, random);
    const cuts = cut(kernel, file, { random, most: 50000 });
    t.same(cuts, cutsOf(file, { cutKey, cutting: each }), JSON.stringify(each));
    const chunks = [...cuts, file.length].map((end, index) => end - (index === 0 ? 0 : cuts[index - 1]!));
    t.ok(
      chunks.every((length) => length > 0 && length < 3 * each.gridBytes),
      JSON.stringify(each),
    );
  }
});

t.test('cutter: a fixed vector, so that the cuts of a repository never change', async (t) => {
  const kernel = kernels['four lanes']!(1 << 20, { horizonBytes: 16384, gridBytes: 65536 });
  const file = randomBytes(400000, randomNumbers(17));
  file.fill(0, 150000, 350000);
  t.same(cut(kernel, file, { random: randomNumbers(18), most: 100000 }), [46305, 85635, 115824, 133574, 262144, 367179]);
  t.same(candidatesOf(file.subarray(0, 12000), cutKey), [
    { position: 2518, value: 14428731334169197428n },
    { position: 5291, value: 15991153520297719007n },
    { position: 5608, value: 4128659523791874010n },
    { position: 5769, value: 6765571363297796351n },
    { position: 9142, value: 8061918950354116172n },
    { position: 9178, value: 14051859227514464562n },
    { position: 9908, value: 5952738212943916903n },
    { position: 10081, value: 12310190858166212235n },
  ]);
});

t.test('isHit: never in constant data, at the expected rate in random data', async (t) => {
  for (let byte = 0; byte < 256; byte++) if (isHit(new Uint8Array(64).fill(byte), 48)) t.fail(`constant ${byte}`);
  const bytes = randomBytes(2 ** 20, randomNumbers(19));
  let hits = 0;
  for (let position = 0; position <= bytes.length; position++) if (isHit(bytes, position)) hits++;
  t.ok(hits > 190 && hits < 330, `${hits} hits in 2^20 positions, of which 256 are expected`);
});
