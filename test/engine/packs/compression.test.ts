import t from 'tap';
import { BlockCompressor, type Compression, decompressPayload, parseCompression } from '../../../engine/packs/mod.ts';
import type { LaganError } from '../../../repo-format/mod.ts';
import { compressibleBytes, randomBytesOf } from '../random.ts';

const compressions: Compression[] = ['auto', 'none', 'lz4', 'zstd:1', 'zstd:3', 'zstd:19'];
const codecs = { auto: 'zstd', none: 'raw', lz4: 'lz4', 'zstd:1': 'zstd', 'zstd:3': 'zstd', 'zstd:19': 'zstd' } as const;
const never = () => false;
const objectName = 'writer/packs/00/test';

t.test('BlockCompressor: what is compressed comes back, by every method, at sizes around the buffers', async (t) => {
  for (const compression of compressions) {
    const compressor = new BlockCompressor(compression);
    for (const size of [1, 2, 63, 64, 65, 4_096, 131_072, 131_073, 1 << 20]) {
      const raw = compressibleBytes(`${size}`, size);
      const { codec, payload } = compressor.compress(raw, never);
      if (size >= 4_096) t.equal(codec, codecs[compression as keyof typeof codecs], `${compression}: ${size} bytes`);
      t.ok(payload.length <= size, 'never longer than raw');
      const back = decompressPayload(payload.slice(), { codec, rawLength: size, objectName });
      t.equal(Buffer.compare(back, raw), 0, `${compression}: ${size} bytes come back`);
    }
  }
});

t.test('BlockCompressor: what does not shrink by 2 % stays raw', async (t) => {
  const random = randomBytesOf('random', 300_000);
  const nearly = random.slice();
  nearly.fill(0, 0, 3_000);
  for (const compression of compressions) {
    const compressor = new BlockCompressor(compression);
    for (const raw of [random, nearly, random.subarray(0, 1), random.subarray(0, 17)]) {
      const { codec, payload } = compressor.compress(raw, never);
      t.equal(codec, 'raw', `${compression}: ${raw.length} bytes`);
      t.equal(Buffer.compare(payload, raw), 0);
    }
    t.not(
      compressor.compress(compressibleBytes('after', 10_000), never).codec === 'raw',
      compression !== 'none',
      'and the next block is compressed again',
    );
  }
});

t.test('BlockCompressor: only auto asks whether it is worth the while', async (t) => {
  const raw = compressibleBytes('asked', 10_000);
  for (const compression of compressions) {
    const { codec } = new BlockCompressor(compression).compress(raw, () => true);
    t.equal(codec === 'raw', compression === 'auto' || compression === 'none', compression);
  }
});

t.test('decompressPayload: into a buffer that is given, if it is large enough', async (t) => {
  const raw = compressibleBytes('into', 50_000);
  const { codec, payload } = new BlockCompressor('zstd:1').compress(raw, never);
  for (const size of [0, 50_000, 50_001, 60_000]) {
    const into = new Uint8Array(size);
    const back = decompressPayload(payload, { codec, rawLength: 50_000, objectName, into });
    t.equal(Buffer.compare(back, raw), 0);
    t.equal(back.buffer === into.buffer, size > 50_000, `${size} bytes`);
  }
});

t.test('decompressPayload: damaged payloads are malformed, and do not hurt the next one', async (t) => {
  for (const compression of ['lz4', 'zstd:1'] as const) {
    const raw = compressibleBytes('damage', 100_000);
    const { codec, payload } = new BlockCompressor(compression).compress(raw, never);
    const good = payload.slice();
    const open = (bytes: Uint8Array, rawLength = raw.length) => decompressPayload(bytes, { codec, rawLength, objectName });
    const malformed = { code: 'malformed', object: objectName } satisfies Partial<LaganError>;
    t.throws(() => open(good.subarray(0, good.length >> 1)), malformed, `${compression}: cut in the middle`);
    t.throws(() => open(good.subarray(0, 3)), malformed, `${compression}: cut at the beginning`);
    t.throws(() => open(new Uint8Array(0)), malformed, `${compression}: empty`);
    t.throws(() => open(good, raw.length - 1), malformed, `${compression}: one byte more than promised`);
    t.throws(() => open(good, raw.length + 1), malformed, `${compression}: one byte less than promised`);
    t.throws(() => open(randomBytesOf('no frame', 1_000)), malformed, `${compression}: other bytes`);
    if (codec === 'zstd') t.throws(() => open(Buffer.concat([good, good])), malformed, 'zstd: more behind the frame');
    t.equal(Buffer.compare(open(good), raw), 0, `${compression}: the good one still opens`);
  }
});

t.test('parseCompression: what it takes, and that it names what would be valid', async (t) => {
  for (const text of ['auto', 'none', 'lz4', 'zstd:1', 'zstd:19']) t.equal(parseCompression(text), text);
  for (const text of ['', 'zstd', 'zstd:0', 'zstd:20', 'zstd:1.5', 'gzip', 'LZ4'])
    t.throws(() => parseCompression(text), { code: 'usage', found: text });
});
