import t from 'tap';
import { nodeZstd, openZstd } from '../../../engine/native/mod.ts';
import { compressibleBytes, randomBytesOf } from '../random.ts';

const direct = openZstd();

t.test(
  'openZstd: what either way compresses, both decompress',
  { skip: direct === undefined && 'this Node does not export zstd' },
  async (t) => {
    for (const level of [1, 3, 19]) {
      for (const size of [1, 100, 70_000, 1 << 20]) {
        const raw = compressibleBytes(`both ${size}`, size);
        for (const compressor of [direct!, nodeZstd]) {
          const output = new Uint8Array(size + 100);
          const length = compressor.compress(raw, output, level);
          const frame = output.subarray(0, length);
          for (const decompressor of [direct!, nodeZstd]) {
            const back = new Uint8Array(size + 1);
            t.equal(decompressor.decompress(frame, back), size);
            t.equal(Buffer.compare(back.subarray(0, size), raw), 0);
            if (size > 1) t.equal(decompressor.decompress(frame, new Uint8Array(size - 1)), -1, 'no room for the raw bytes');
          }
          t.equal(compressor.compress(raw, new Uint8Array(length - 1), level), -1, 'no room for the frame');
        }
      }
    }
    for (const decompressor of [direct!, nodeZstd]) {
      t.throws(() => decompressor.decompress(randomBytesOf('bad', 500), new Uint8Array(1_000)));
      t.throws(() => decompressor.decompress(new Uint8Array(0), new Uint8Array(10)));
    }
  },
);

t.test('openZstd: a library that lacks a function, or gives something else, is not used', async (t) => {
  t.equal(
    openZstd(() => undefined),
    undefined,
  );
  t.equal(
    openZstd(() => () => 1),
    undefined,
  );
  t.equal(
    openZstd(() => () => {
      throw new Error('crashes');
    }),
    undefined,
  );
});
