import { blake3 } from 'hash-wasm';
import t from 'tap';
import { KEY_SIZE_BYTES, type Kernel, NAME_SIZE_BYTES } from '../../../engine/kernel/mod.ts';
import { integer, kernels, metadataNameKey, nameKey, options, randomBytes, randomNumbers } from './_helpers.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

// From test_vectors.json of the BLAKE3 team, which has the same key and input: bytes that count from 0 to 250 again and again.
const vectors = [
  [0, '92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26'],
  [1, '6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b'],
  [64, 'ba8ced36f327700d213f120b1a207a3b8c04330528586f414d09f2f7d9ccb7e6'],
  [1023, 'c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e'],
  [1024, '75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4'],
  [1025, '357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69'],
  [3073, '68dede9bef00ba89e43f31a6825f4cf433389fedae75c04ee9f0cf16a427c95a'],
  [8192, 'dc9637c8845a770b4cbf76b8daec0eebf7dc2eac11498517f08d44c8fc00d58a'],
  [31744, 'efa53b389ab67c593dba624d898d0f7353ab99e4ac9d42302ee64cbf9939a419'],
  [102400, '1c35d1a5811083fd7119f5d5d1ba027b4d01c0c6c49fb6ff2cf75393ea5db4a7'],
] as const;

const boundaries = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 48].flatMap((chunks) => [chunks * KIB - 1, chunks * KIB, chunks * KIB + 1]);
const lengths = [...Array.from({ length: 18 }, (_, index) => 8 * index), 63, 65, 127, 129, ...boundaries];

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function name(kernel: Kernel, offset: number, length: number): string {
  const target = kernel.data.length - NAME_SIZE_BYTES;
  kernel.name(offset, length, target);
  return hex(kernel.data.subarray(target));
}

for (const [kind, create] of Object.entries(kernels)) {
  t.test(`name, ${kind}: the published vectors`, async (t) => {
    const kernel = create(128 * KIB);
    kernel.data.forEach((_, index) => {
      kernel.data[index] = index % 251;
    });
    for (const [length, expected] of vectors) t.equal(name(kernel, 0, length), expected, `${length} bytes`);
  });

  t.test(`name and metadataName, ${kind}: as hash-wasm does, at chunk boundaries and odd offsets`, async (t) => {
    const kernel = create(64 * KIB);
    const bytes = randomBytes(50 * KIB, randomNumbers(1));
    for (const [index, length] of lengths.entries()) {
      kernel.data.set(bytes, index);
      t.equal(name(kernel, index, length), await blake3(bytes.subarray(0, length), 256, nameKey), `${length} bytes`);
      kernel.metadataName(index, length, 60 * KIB);
      t.equal(hex(kernel.data.subarray(60 * KIB, 60 * KIB + 32)), await blake3(bytes.subarray(0, length), 256, metadataNameKey));
    }
  });

  t.test(`name, ${kind}: reads up to the end of the data and writes 32 bytes`, async (t) => {
    const kernel = create(4 * KIB);
    kernel.data.set(randomBytes(4 * KIB, randomNumbers(2)));
    const before = kernel.data.slice();
    const expected = await blake3(before.subarray(100), 256, nameKey);
    kernel.name(100, 4 * KIB - 100, 30);
    t.equal(hex(kernel.data.subarray(30, 62)), expected);
    t.same(kernel.data.subarray(0, 30), before.subarray(0, 30));
    t.same(kernel.data.subarray(62), before.subarray(62));
  });

  t.test(`nameMany, ${kind}: as one by one, for any mixture of lengths`, async (t) => {
    const kernel = create(256 * KIB);
    const random = randomNumbers(3);
    kernel.data.set(randomBytes(192 * KIB, random));
    for (const [count, longest] of [
      [0, 0],
      [1, 70],
      [2, 1100],
      [7, 300],
      [9, 5000],
      [40, 1025],
      [25, 20000],
    ] as const) {
      const ranges = new Uint32Array(2 * count);
      for (let index = 0; index < count; index++) ranges.set([integer(random, 0, 100 * KIB), integer(random, 0, longest)], 2 * index);
      kernel.nameMany(ranges, 200 * KIB);
      const names = kernel.data.slice(200 * KIB, 200 * KIB + NAME_SIZE_BYTES * count);
      for (let index = 0; index < count; index++) {
        const expected = name(kernel, ranges[2 * index]!, ranges[2 * index + 1]!);
        t.equal(hex(names.subarray(32 * index, 32 * index + 32)), expected, `${index} of ${count}`);
      }
      kernel.metadataNameMany(ranges, 200 * KIB);
      if (count > 0) t.not(hex(kernel.data.subarray(200 * KIB, 200 * KIB + 32)), hex(names.subarray(0, 32)));
    }
  });

  t.test(`name, ${kind}: ranges outside of the data are refused`, async (t) => {
    const kernel = create(1024);
    for (const [offset, length, target] of [
      [0, 1025, 0],
      [1, 1024, 0],
      [-1, 1, 0],
      [0.5, 1, 0],
      [0, -1, 0],
      [0, 2 ** 32, 0],
      [0, 1, 993],
      [2 ** 32, 0, 0],
    ]) {
      t.throws(() => kernel.name(offset!, length!, target!), RangeError, `${offset} ${length} ${target}`);
    }
    t.throws(() => kernel.nameMany(Uint32Array.of(0, 1, 1024, 1), 0), RangeError);
    t.throws(() => kernel.nameMany(Uint32Array.of(0, 1, 0, 1), 961), RangeError);
  });
}

// Too much work for the plain kernel.
for (const lanes of ['four lanes', 'eight lanes']) {
  t.test(`name, ${lanes}: inputs of more than a subtree`, async (t) => {
    const kernel = kernels[lanes]!(8 * MIB);
    kernel.data.set(randomBytes(MIB, randomNumbers(4)));
    for (let offset = MIB; offset < 7 * MIB; offset *= 2) kernel.data.copyWithin(offset, 0, offset);
    kernel.data[5 * MIB] = 7;
    for (const length of [MIB - 1, MIB, MIB + 1, MIB + KIB, MIB + KIB + 1, 2 * MIB, 2 * MIB + 63, 5 * MIB + 4321, 7 * MIB]) {
      t.equal(name(kernel, 3, length), await blake3(kernel.data.subarray(3, 3 + length), 256, nameKey), `${length} bytes`);
    }
  });

  t.test(`nameMany, ${lanes}: more inputs and chunks than a group holds`, async (t) => {
    const kernel = kernels[lanes]!(8 * MIB);
    const random = randomNumbers(5);
    kernel.data.set(randomBytes(MIB, random));
    kernel.data.copyWithin(MIB, 0, 2 * MIB);
    const lengths = [
      ...Array.from({ length: 2500 }, () => integer(random, 0, 1500)),
      3 * MIB,
      1,
      ...Array.from({ length: 60 }, () => integer(random, 30000, 200000)),
    ];
    const ranges = Uint32Array.from(lengths.flatMap((length) => [integer(random, 0, 1000), length]));
    kernel.nameMany(ranges, 7 * MIB);
    const names = kernel.data.slice(7 * MIB, 7 * MIB + 32 * lengths.length);
    const wrong = lengths.filter(
      (length, index) => name(kernel, ranges[2 * index]!, length) !== hex(names.subarray(32 * index, 32 * index + 32)),
    );
    t.same(wrong, []);
  });
}

t.test('createKernel and createPlainKernel: bad options are refused', async (t) => {
  for (const create of Object.values(kernels)) {
    for (const size of [0, -1, 1.5, 2 ** 30 + 1, Number.NaN]) t.throws(() => create(size), RangeError, `${size} bytes`);
    for (const [horizonBytes, gridBytes] of [
      [63, 1000],
      [1000, 999],
      [1000.5, 2000],
      [1000, 2 ** 25],
    ]) {
      t.throws(() => create(1, { horizonBytes: horizonBytes!, gridBytes: gridBytes! }), RangeError, `${horizonBytes} ${gridBytes}`);
    }
  }
  const { createKernel } = await import('../../../engine/kernel/mod.ts');
  t.throws(() => createKernel({ ...options(1), cutKey: new Uint8Array(KEY_SIZE_BYTES - 1) }), RangeError);
  t.throws(() => createKernel({ ...options(1), nameKey: 'secret' as unknown as Uint8Array }), TypeError);
});
