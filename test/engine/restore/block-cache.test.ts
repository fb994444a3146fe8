import t from 'tap';
import { createKernel } from '../../../engine/kernel/mod.ts';
import { BlockCompressor, PackReader, PackWriter } from '../../../engine/packs/mod.ts';
import { createRepository, type Repository } from '../../../engine/repository/mod.ts';
import { BlockCache, blockCacheDataBytes, type DataExtent, type LocatedChunk } from '../../../engine/restore/_block-cache.ts';
import { restoreLimits } from '../../../engine/restore/_limits.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { codeOf, pseudoRandom, secret } from './_helpers.ts';

/** A chunk as a test writes it; `name` only if it is to be wrong. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly name?: Uint8Array;
}

async function setUp() {
  const repository = await createRepository(new InMemory(), { slots: [{ secret, label: 'test' }], patienceMs: 0 });
  const { keys, configuration, storage } = repository;
  const kernel = createKernel({
    dataSizeBytes: blockCacheDataBytes(restoreLimits.smallestArenaBytes),
    nameKey: keys.nameKey,
    metadataNameKey: keys.metadataNameKey,
    cutKey: keys.cutKey,
    cutting: configuration.chunker,
  });
  return { repository, kernel, cache: new BlockCache({ storage, kernel, reader: new PackReader({ storage, keys }) }) };
}

function nameOf(repository: Repository, bytes: Uint8Array): Uint8Array {
  const { nameKey, metadataNameKey, cutKey } = repository.keys;
  const kernel = createKernel({
    dataSizeBytes: bytes.length + 32,
    nameKey,
    metadataNameKey,
    cutKey,
    cutting: repository.configuration.chunker,
  });
  kernel.data.set(bytes, 32);
  kernel.name(32, bytes.length, 0);
  return kernel.data.slice(0, 32);
}

/** Writes a pack of blocks of chunks and returns the extents that a file would have. */
async function writePack(
  repository: Repository,
  blocks: readonly (readonly Chunk[])[],
  compression: 'none' | 'lz4' | 'zstd:1' = 'none',
): Promise<DataExtent[][]> {
  const { storage, keys } = repository;
  const writer = new PackWriter({ storage, keys, kind: 'pack' });
  const compressor = new BlockCompressor(compression);
  const extents: DataExtent[][] = [];
  for (const chunks of blocks) {
    const names = chunks.map(({ bytes, name }) => name ?? nameOf(repository, bytes));
    const encoded = compressor.compress(Buffer.concat(chunks.map(({ bytes }) => bytes)), () => false);
    await writer.write({ ...encoded, chunkLengths: Uint32Array.from(chunks, ({ bytes }) => bytes.length), names: Buffer.concat(names) });
    extents.push(chunks.map(({ bytes }, index) => ({ kind: 'data', length: bytes.length, name: names[index]!, pack: writer.pack })));
  }
  await writer.close();
  return extents;
}

function bytesOf({ block, from, to }: LocatedChunk): Uint8Array {
  return block.bytes.slice(from, to);
}

for (const compression of ['none', 'lz4', 'zstd:1'] as const) {
  t.test(`BlockCache: every chunk is found again, in any order, while blocks push each other out (${compression})`, async (t) => {
    const { repository, cache } = await setUp();
    const blocks: Chunk[][] = [];
    for (let block = 0; block < 40; block++) {
      const size = [700_000, 1, 1_048_576, 33, 299_999][block % 5]!;
      blocks.push(
        [0, 1, 2].map((chunk) => ({
          bytes: Buffer.concat([pseudoRandom(Math.min(size, 200_000), block * 3 + chunk), new Uint8Array(Math.max(0, size - 200_000))]),
        })),
      );
    }
    const extents = await writePack(repository, blocks, compression);
    for (let step = 0; step < 300; step++) {
      const block = step < 80 ? step % 40 : (step * 7_919) % 40;
      const chunk = (step * 31) % 3;
      const extent = extents[block]![chunk]!;
      const found = cache.find(extent) ?? (await cache.load(extent));
      if (!Buffer.from(bytesOf(found)).equals(blocks[block]![chunk]!.bytes)) t.fail(`step ${step}`);
      if (cache.find(extent) === undefined) t.fail(`step ${step} is not kept`);
    }
    t.pass('300 chunks');
  });
}

t.test('BlockCache: a block larger than its memory is opened and verified too', async (t) => {
  const { repository, cache } = await setUp();
  const large = Array.from({ length: restoreLimits.smallestArenaBytes / 1_048_576 + 1 }, (_, chunk) => ({
    bytes: pseudoRandom(1_048_576, chunk),
  }));
  const wrong = { bytes: pseudoRandom(1_000, 99), name: new Uint8Array(32).fill(9) };
  const [of, small] = await writePack(repository, [[...large, wrong], [{ bytes: pseudoRandom(5, 1) }]]);
  t.strictSame(bytesOf(await cache.load(small![0]!)), pseudoRandom(5, 1));
  for (const index of [0, 3, large.length - 1]) t.ok(Buffer.from(bytesOf(await cache.load(of![index]!))).equals(large[index]!.bytes));
  t.equal(await codeOf(cache.load(of!.at(-1)!)), 'name-mismatch');
  t.strictSame(bytesOf(await cache.load(small![0]!)), pseudoRandom(5, 1));
});

t.test('BlockCache: bytes that do not have the name that the pack gives them are never handed out, their neighbours are', async (t) => {
  const { repository, cache } = await setUp();
  const wrong = { bytes: pseudoRandom(500, 2), name: new Uint8Array(32).fill(9) };
  const good = { bytes: pseudoRandom(500, 1) };
  const [of] = await writePack(repository, [[good, wrong]]);
  t.equal(await codeOf(cache.load(of![1]!)), 'name-mismatch');
  t.equal(cache.find(of![1]!), undefined);
  t.strictSame(bytesOf(await cache.load(of![0]!)), good.bytes);
});

t.test('BlockCache: a name of which only the first half fits is not that chunk', async (t) => {
  const { repository, cache } = await setUp();
  const [of] = await writePack(repository, [[{ bytes: pseudoRandom(500, 1) }]]);
  const name = of![0]!.name.slice();
  name[31]! ^= 1;
  t.equal(await codeOf(cache.load({ ...of![0]!, name })), 'chunk-missing');
});

t.test(
  'BlockCache: a chunk of another length than the file says is malformed, one that is not there chunk-missing, a pack pack-missing',
  async (t) => {
    const { repository, cache } = await setUp();
    const [of] = await writePack(repository, [[{ bytes: pseudoRandom(500, 1) }]]);
    const [other] = await writePack(repository, [[{ bytes: pseudoRandom(500, 2) }]]);
    t.equal(await codeOf(cache.load({ ...of![0]!, length: 499 })), 'malformed');
    t.equal(await codeOf(cache.load({ ...of![0]!, name: other![0]!.name })), 'chunk-missing');
    t.equal(await codeOf(cache.load({ ...of![0]!, pack: '00'.repeat(16) as DataExtent['pack'] })), 'pack-missing');
  },
);

/** Notes the lengths of all ranges that are read. */
function countReads(storage: InMemory): number[] {
  const lengths: number[] = [];
  const get = storage.get.bind(storage);
  storage.get = (name, range, options) => {
    lengths.push(range !== undefined && 'offset' in range ? range.length : -1);
    return get(name, range, options);
  };
  return lengths;
}

t.test('BlockCache: blocks that are expected and lie side by side are read at once, others alone', async (t) => {
  const { repository, cache } = await setUp();
  const extents = (
    await writePack(
      repository,
      Array.from({ length: 8 }, (_, block) => [{ bytes: pseudoRandom(100_000, block) }]),
    )
  ).flat();
  await cache.load(extents[7]!);
  const reads = countReads(repository.storage as InMemory);
  cache.expected = [0, 1, 2, 4].map((block) => extents[block]!);
  for (const block of [0, 1, 2, 4]) t.strictSame(bytesOf(await cache.load(extents[block]!)), pseudoRandom(100_000, block));
  t.equal(reads.length, 2, 'three at once, one alone');
  t.ok(reads[0]! > 300_000 && reads[0]! < 301_000 && reads[1]! > 100_000 && reads[1]! < 101_000);
  cache.expected = [];
  for (const block of [3, 5, 6]) await cache.load(extents[block]!);
  t.equal(reads.length, 5);
});

t.test('BlockCache: a block of which some was used, and more is needed later, outlives those that were used up', async (t) => {
  const { repository, cache } = await setUp();
  const chunk = (seed: number) => ({ bytes: pseudoRandom(250_000, seed) });
  const [sparse] = await writePack(repository, [[0, 1, 2, 3].map(chunk)]);
  const others = await writePack(
    repository,
    Array.from({ length: 30 }, (_, block) => [{ bytes: pseudoRandom(1_000_000, 100 + block) }]),
  );
  await cache.load(others[0]![0]!);
  await cache.load(sparse![0]!);
  const reads = countReads(repository.storage as InMemory);
  for (const [index, [of]] of others.entries()) {
    await cache.load(of!);
    // Now and then a chunk of it, as of a page that was changed.
    if (index % 10 !== 9) continue;
    const found = cache.find(sparse![1 + Math.floor(index / 10)]!);
    t.ok(
      found !== undefined && Buffer.from(bytesOf(found)).equals(pseudoRandom(250_000, 1 + Math.floor(index / 10))),
      `after ${index} others`,
    );
  }
  t.equal(reads.length, 29, 'each of the others once');
});

t.test('BlockCache: many packs, of which only some are remembered', async (t) => {
  const { repository, cache } = await setUp();
  const packs: DataExtent[][][] = [];
  for (let pack = 0; pack < 3 * restoreLimits.openPacks; pack++)
    packs.push(await writePack(repository, [[{ bytes: pseudoRandom(1_000, pack) }]]));
  for (const round of [0, 1]) {
    for (const [index, [of]] of packs.entries())
      t.strictSame(bytesOf(await cache.load(of![0]!)), pseudoRandom(1_000, index), `round ${round}`);
  }
});
