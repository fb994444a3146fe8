import t from 'tap';
import { type EncodedBlock, isDamage, PackReader, PackWriter, type StoredPack } from '../../../engine/packs/mod.ts';
import { InMemory, type Storage } from '../../../engine/storage/mod.ts';
import { LaganError, objectNames, type PackId } from '../../../repo-format/mod.ts';
import { testKeys as keys, randomBytesOf, randomNames } from '../random.ts';
import { namesIn } from '../repository/sample.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';

/** A block of chunks of the given lengths, as they are. */
function block(seed: string, lengths: number[]): EncodedBlock & { raw: Uint8Array } {
  const raw = randomBytesOf(
    seed,
    lengths.reduce((sum, length) => sum + length, 0),
  );
  return {
    codec: 'raw',
    payload: raw,
    raw,
    chunkLengths: Uint32Array.from(lengths),
    names: randomNames(`names of ${seed}`, lengths.length),
  };
}

async function writePack(storage: Storage, blocks: readonly EncodedBlock[], kind: 'pack' | 'metadata-pack' = 'pack'): Promise<StoredPack> {
  const writer = new PackWriter({ storage, keys, kind });
  for (const each of blocks) await writer.write(each);
  return (await writer.close())!;
}

t.test('PackWriter, PackReader: every chunk of every block comes back by its name', async (t) => {
  const storage = new InMemory();
  const blocks = [
    block('one', [1]),
    block('two', [5, 70_000, 3]),
    block(
      'three',
      Array.from({ length: 5_000 }, (_, index) => 1 + (index % 50)),
    ),
  ];
  const stored = await writePack(storage, blocks);
  t.match(stored, { kind: 'pack', sizeBytes: await storage.size(objectNames.pack(stored.pack)) });
  t.equal(Buffer.compare(stored.names, Buffer.concat(blocks.map(({ names }) => names))), 0);
  t.equal(Number.parseInt(stored.pack[0]!, 16) < 8, true, 'the id of a writer');
  const reader = new PackReader({ storage, keys });
  for (const { raw, chunkLengths, names } of blocks) {
    let offset = 0;
    for (const [index, length] of chunkLengths.entries()) {
      if (chunkLengths.length < 100 || index % 501 === 0) {
        const chunk = await reader.chunk(names.subarray(index * 32, index * 32 + 32), stored.pack, 'pack');
        t.equal(Buffer.compare(chunk, raw.subarray(offset, offset + length)), 0);
      }
      offset += length;
    }
  }
});

t.test('PackWriter: nothing is in the store before close, nothing is left after abort, and a pack without blocks is none', async (t) => {
  const storage = new InMemory();
  const names = () => namesIn(storage);
  const writer = new PackWriter({ storage, keys, kind: 'pack' });
  await writer.write(block('open', [100]));
  t.same(await names(), []);
  await writer.abort();
  await writer.abort();
  t.same(await names(), []);
  const empty = new PackWriter({ storage, keys, kind: 'pack' });
  t.equal(await empty.close(), undefined);
  t.same(await names(), []);
});

t.test('PackReader: a pack that is not there, a chunk that it lacks, another kind, a flipped bit: each has its code', async (t) => {
  const storage = new InMemory();
  const some = block('some', [1_000, 2_000]);
  const { pack } = await writePack(storage, [some]);
  const reader = new PackReader({ storage, keys });
  const name = some.names.subarray(0, 32);
  await t.rejects(reader.open('0'.repeat(32) as PackId, 'pack'), { code: 'pack-missing' });
  await t.rejects(reader.chunk(randomNames('absent', 1), pack, 'pack'), { code: 'chunk-missing' });
  const damage = async (reading: Promise<unknown>) => isDamage(await reading.catch((error: unknown) => error));
  t.equal(await damage(new PackReader({ storage, keys }).open(pack, 'metadata-pack')), true);
  const faulty = new FaultyStorage(storage);
  faulty.plan = {
    corrupt: (_, bytes) => (bytes.length > 3_000 && bytes.length < 3_200 ? bytes.map((byte, at) => (at === 500 ? byte ^ 4 : byte)) : bytes),
  };
  await t.rejects(new PackReader({ storage: faulty, keys }).chunk(name, pack, 'pack'), { code: 'authentication-failed' });
  const failing = new FaultyStorage(storage, {
    faults: [{ operation: 'get', call: 1, error: () => new LaganError('io', 'the disk is gone') }],
  });
  t.equal(await damage(new PackReader({ storage: failing, keys }).open(pack, 'pack')), false, 'a store that cannot be read is no damage');
});

t.test('PackReader: packs and blocks that were used last stay, others are read again; a failure is not kept', async (t) => {
  const inner = new InMemory();
  const storage = new FaultyStorage(inner);
  const blocks = [0, 1, 2, 3].map((number) => block(`block ${number}`, [10_000]));
  const packs = [
    await writePack(storage, blocks),
    await writePack(storage, [block('other', [10])]),
    await writePack(storage, [block('third', [10])]),
  ];
  const reader = new PackReader({ storage, keys, contentsLimit: 2, blocksLimit: 2 });
  const readsFor = async (act: () => Promise<unknown>) => {
    const before = storage.calls.length;
    await act();
    return storage.calls.length - before;
  };
  const open = (number: number) => reader.open(packs[number]!.pack, 'pack');
  const first = await open(0);
  t.equal(await readsFor(() => open(0)), 0, 'kept');
  await open(1);
  t.equal(await readsFor(() => open(0)), 0, 'still kept, and used last');
  await open(2);
  t.equal(await readsFor(() => open(0)), 0, 'the least recently used one went');
  t.ok((await readsFor(() => open(1))) > 0);
  t.equal(await readsFor(() => Promise.all([reader.block(first, 0), reader.block(first, 0)])), 1, 'asked for twice, read once');
  await reader.block(first, 1);
  t.equal(await readsFor(() => reader.block(first, 0)), 0);
  await reader.block(first, 2);
  t.equal(await readsFor(() => reader.block(first, 1)), 1, 'the least recently used block went');
  storage.plan = { faults: [{ operation: 'get', call: 1 }] };
  await t.rejects(reader.block(first, 3), { code: 'io' });
  t.equal((await reader.block(first, 3)).raw.length, 10_000, 'the next try succeeds');
});
