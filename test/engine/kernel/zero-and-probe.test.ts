import { gzipSync, zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { INCOMPRESSIBLE_FROM, type Kernel } from '../../../engine/kernel/mod.ts';
import { integer, kernels, randomBytes, randomNumbers } from './_helpers.ts';

const SIZE = 64 * 1024;
const random = randomNumbers(20);
const words = Array.from({ length: 500 }, () =>
  Array.from({ length: integer(random, 1, 9) }, () => 'etaoinshrdlu'[integer(random, 0, 11)]).join(''),
);
const text = Buffer.from(Array.from({ length: 14000 }, () => words[integer(random, 0, 499)]).join(' ')).subarray(0, SIZE);
const noise = randomBytes(SIZE, random);
const compressed = gzipSync(Buffer.from(Array.from({ length: 60000 }, () => words[integer(random, 0, 499)]).join(' '))).subarray(0, SIZE);
const samples: Record<string, { bytes: Uint8Array; isIncompressible: boolean }> = {
  text: { bytes: text, isIncompressible: false },
  'random bytes': { bytes: noise, isIncompressible: true },
  gzip: { bytes: compressed, isIncompressible: true },
  zeros: { bytes: new Uint8Array(SIZE), isIncompressible: false },
  'base 64': { bytes: Buffer.from(Buffer.from(noise).toString('base64')).subarray(0, SIZE), isIncompressible: false },
  'random records that repeat': { bytes: noise.map((_, index) => noise[index % 4096]!), isIncompressible: false },
  'random halves that are equal': { bytes: noise.map((_, index) => noise[index % (SIZE / 2)]!), isIncompressible: false },
  samples: {
    bytes: new Uint8Array(Int16Array.from({ length: SIZE / 2 }, (_, index) => 9000 * Math.sin(index / 20)).buffer),
    isIncompressible: false,
  },
  'mostly random': { bytes: noise.map((byte, index) => (index % 4096 < 1500 ? 32 : byte)), isIncompressible: false },
};

function isZero(kernel: Kernel, bytes: Uint8Array): boolean {
  kernel.data.fill(0xff);
  kernel.data.set(bytes, 13);
  return kernel.isZero(13, bytes.length);
}

for (const [kind, create] of Object.entries(kernels)) {
  const kernel = create(2 * SIZE);

  t.test(`isZero, ${kind}: one bit anywhere is enough`, async (t) => {
    let wrong = 0;
    for (let length = 0; length < 300; length += length < 140 ? 1 : 37) {
      if (!isZero(kernel, new Uint8Array(length))) wrong++;
      for (let place = 0; place < length; place++) {
        const bytes = new Uint8Array(length);
        bytes[place] = 1 << (place & 7);
        if (isZero(kernel, bytes)) wrong++;
      }
    }
    t.equal(wrong, 0);
    t.ok(kernel.isZero(2 * SIZE, 0), 'the empty range at the end');
    t.throws(() => kernel.isZero(1, 2 * SIZE), RangeError);
  });

  t.test(`looksIncompressible, ${kind}: says what zstd finds`, async (t) => {
    for (const [name, { bytes, isIncompressible }] of Object.entries(samples)) {
      kernel.data.set(bytes, 3);
      const share = zstdCompressSync(bytes).length / bytes.length;
      t.equal(share > 0.98, isIncompressible, `${name}: zstd leaves ${share.toFixed(3)}`);
      t.equal(kernel.looksIncompressible(3, bytes.length), isIncompressible, `${name}: estimate ${kernel.probe(3, bytes.length)}`);
    }
    t.notOk(kernel.looksIncompressible(0, 0));
    t.throws(() => kernel.probe(1, 2 * SIZE), RangeError);
  });
}

t.test('probe: all kernels give the same estimates', async (t) => {
  const all = Object.values(kernels).map((create) => create(2 * SIZE));
  for (const { bytes } of Object.values(samples)) {
    for (const length of [0, 1, 63, 64, 65, 500, 1023, 4096, 5001, 40000, SIZE]) {
      for (const kernel of all) kernel.data.set(bytes, 7);
      const [expected, ...others] = all.map((kernel) => kernel.probe(7, length));
      for (const other of others) if (other !== expected) t.equal(other, expected, `${length} bytes`);
      for (const kernel of all) if (kernel.looksIncompressible(7, length) !== expected! >= INCOMPRESSIBLE_FROM) t.fail(`${length} bytes`);
    }
  }
});
