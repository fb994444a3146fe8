/** Copying what is needed of packs into new ones: which chunks, in which order, how they are blocked, and what happens if one turns out to be damaged. */
import t from 'tap';
import { ChunkPacker } from '../../../engine/maintain/_chunk-packer.ts';
import { type Copies, type CopyOptions, copyChunks, UnusablePack } from '../../../engine/maintain/_copy-chunks.ts';
import { repackLimits } from '../../../engine/maintain/_repack-limits.ts';
import type { ChosenPack, RepackReason } from '../../../engine/maintain/_unused.ts';
import { PackReader, PackWriter, type StoredPack } from '../../../engine/packs/mod.ts';
import type { Repository } from '../../../engine/repository/mod.ts';
import { type ObjectWriter, type Storage, withOverrides } from '../../../engine/storage/mod.ts';
import {
  indexRowLayout,
  isCollectorPack,
  isLaganError,
  objectNames,
  objectPrefixes,
  type PackId,
  packOrdinalAt,
} from '../../../repo-format/mod.ts';
import { compressibleBytes, randomBytesOf } from '../random.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { type Chunk, HandMade, hexOf, withLimits } from './_hand-made.ts';

const blockSizeBytes = 1000;
const packSizeBytes = 4000;

/** A repository of small blocks and packs. */
function withSmallBlocks({ repository }: HandMade): Repository {
  return { ...repository, configuration: { ...repository.configuration, blockSizeBytes, packSizeBytes } };
}

const packerOf = ({ repository: { storage, keys } }: HandMade) =>
  new ChunkPacker({ storage, keys, kind: 'pack', blockSizeBytes, packSizeBytes });
const copied = (chunk: Chunk, wasCompressed = false) => ({ ...chunk, wasCompressed });

/** Chunks of each block of a pack, by their lengths, and how the blocks are encoded. */
async function blocksOf({ repository: { storage, keys } }: HandMade, pack: PackId) {
  const { blocks } = await new PackReader({ storage, keys }).open(pack, 'pack');
  return { lengths: blocks.map(({ chunkLengths }) => [...chunkLengths]), codecs: blocks.map(({ codec }) => codec) };
}

t.test('ChunkPacker: a block ends with the chunk that fills it, a pack with the block that does', async (t) => {
  const place = await HandMade.create();
  const packer = packerOf(place);
  const sizes = [400, 599, 1, 1000, 999, 2500, 300];
  const chunks = sizes.map((size, index) => place.chunk(`${index}`, size));
  const packs: PackId[] = [];
  for (const chunk of chunks) packs.push(await packer.add(copied(chunk)));
  t.equal((await place.names(objectPrefixes.collectorPacks)).length, 1, 'what is open is not stored');
  await packer.finish();
  const [first, second] = packer.stored;
  t.equal(packer.stored.length, 2);
  t.same(packs, [...Array(6).fill(first!.pack), second!.pack], 'each chunk is where it was said');
  t.same((await blocksOf(place, first!.pack)).lengths, [[400, 599, 1], [1000], [999, 2500]]);
  t.same((await blocksOf(place, second!.pack)).lengths, [[300]]);
  for (const [index, chunk] of chunks.entries()) t.same(await place.chunkIn(packs[index]!, chunk), chunk.bytes);
  t.ok(packer.stored.every(({ pack }) => isCollectorPack(pack)));
  await packer.finish();
  t.equal(packer.stored.length, 2, 'nothing is open any more');
});

t.test('ChunkPacker: what was compressed is compressed again, what was not stays as it is', async (t) => {
  const place = await HandMade.create();
  const packer = packerOf(place);
  const bytes = (seed: string) => compressibleBytes(seed, 500);
  const add = (seed: string, wasCompressed: boolean) => packer.add({ name: randomBytesOf(seed, 32), bytes: bytes(seed), wasCompressed });
  for (const [index, wasCompressed] of [false, false, true, false, false, true, false, false].entries())
    await add(`${index}`, wasCompressed);
  await packer.finish();
  t.same((await blocksOf(place, packer.stored[0]!.pack)).codecs, ['raw', 'zstd', 'zstd', 'raw']);
});

t.test(
  'ChunkPacker: whole blocks keep their order and their bytes; one that is much too small is taken only where nothing is open',
  async (t) => {
    const place = await HandMade.create();
    const packer = packerOf(place);
    const block = (chunks: Chunk[]) => ({
      codec: 'raw' as const,
      rawLength: chunks.reduce((sum, { bytes }) => sum + bytes.length, 0),
      chunkLengths: Uint32Array.from(chunks, ({ bytes }) => bytes.length),
      names: Buffer.concat(chunks.map(({ name }) => name)),
      payload: Buffer.concat(chunks.map(({ bytes }) => bytes)),
    });
    t.ok(packer.takesBlock(1), 'nothing is open');
    const [single, ...whole] = place.chunks('a', 4, 300);
    const pack = await packer.add(copied(single!));
    t.notOk(packer.takesBlock(blockSizeBytes / 2 - 1));
    t.ok(packer.takesBlock(blockSizeBytes / 2));
    t.equal(await packer.addBlock(block(whole)), pack);
    t.ok(packer.takesBlock(1), 'what was open was closed');
    const large = place.chunks('b', 2, 1500);
    t.equal(await packer.addBlock(block(large)), pack);
    t.equal((await place.names(objectPrefixes.collectorPacks)).length, 1, 'a pack that is full is closed');
    const next = await packer.add(copied(place.chunk('c')));
    t.not(next, pack);
    await packer.abort();
    t.same((await blocksOf(place, pack)).lengths, [[300], [300, 300, 300], [1500, 1500]]);
    for (const chunk of [single!, ...whole, ...large]) t.same(await place.chunkIn(pack, chunk), chunk.bytes);
    t.same(
      packer.stored.map((stored) => stored.pack),
      [pack],
    );
    t.equal((await place.names(objectPrefixes.collectorPacks)).length, 1, 'of what is aborted nothing is left');
  },
);

t.test('ChunkPacker: names may be views that change afterwards; a pack is full to the byte', async (t) => {
  const place = await HandMade.create();
  const { storage, keys } = place.repository;
  const [a, b] = place.chunks('a', 2, 500) as [Chunk, Chunk];
  const writer = new PackWriter({ storage, keys, kind: 'pack' });
  await writer.write({
    codec: 'raw',
    chunkLengths: Uint32Array.of(500, 500),
    names: Buffer.concat([a.name, b.name]),
    payload: Buffer.concat([a.bytes, b.bytes]),
  });
  for (const spare of [0, 1]) {
    const packer = new ChunkPacker({ storage, keys, kind: 'pack', blockSizeBytes, packSizeBytes: writer.sizeBytes + spare });
    const name = a.name.slice();
    const names = Buffer.concat([b.name, a.name]);
    await packer.add(copied({ ...a, name }));
    await packer.add(copied(b));
    const last = await packer.addBlock({
      codec: 'raw',
      rawLength: 1000,
      chunkLengths: Uint32Array.of(500, 500),
      names,
      payload: Buffer.concat([b.bytes, a.bytes]),
    });
    name.fill(0);
    names.fill(0);
    await packer.finish();
    t.equal(packer.stored.length, spare === 0 ? 2 : 1);
    for (const { pack } of packer.stored) for (const chunk of [a, b]) t.same(await place.chunkIn(pack, chunk), chunk.bytes);
    t.equal(packer.stored.at(-1)!.pack, last);
  }
});

t.test('copyChunks: where it ends by an error the packs that are open are thrown away, of both kinds', async (t) => {
  const place = await HandMade.create();
  const [data, nodes] = [await place.pack([place.chunks('a', 2)]), await place.packList(['0'.repeat(32) as PackId])];
  const bad = await place.pack([place.chunks('b', 2)]);
  await place.damageBlock(bad.pack);
  const open = new Set<string>();
  const createWriter = async (name: string): Promise<ObjectWriter> => {
    const inner = await place.storage.createWriter(name);
    open.add(name);
    const abort = async () => {
      open.delete(name);
      await inner.abort();
    };
    return {
      get sizeBytes() {
        return inner.sizeBytes;
      },
      append: (parts) => inner.append(parts),
      commit: () => inner.commit(),
      abort,
    };
  };
  const storage = withOverrides(place.storage, { createWriter });
  const packs = [data, nodes.pack, bad];
  const given = { packs, chosen: packs, live: [...place.chunks('a', 2), nodes.chunk, ...place.chunks('b', 2)], storage };
  const error = await copy(place, given).catch((thrown: unknown) => thrown);
  t.ok(error instanceof UnusablePack);
  t.same([...open], []);
});

interface CopyCase {
  /** The packs that the index has, each chunk in the first of them. */
  readonly packs: readonly StoredPack[];
  readonly chosen: readonly StoredPack[];
  readonly live: readonly Chunk[];
  readonly reason?: RepackReason;
  readonly order?: readonly Chunk[];
  readonly options?: Partial<CopyOptions>;
  readonly storage?: Storage;
}

/** Copies, and counts what is told of it. */
async function copy(
  place: HandMade,
  { packs, chosen, live, reason = 'unused', order = [], options, storage }: CopyCase,
): Promise<Copies & { told: number }> {
  const table = await place.table(packs);
  const rows = await place.rows(table);
  const names = new Set(hexOf(live.map(({ name }) => name)));
  const counts = new Map<PackId, number>();
  for await (const page of rows.pages())
    for (let row = 0; row < page.length / indexRowLayout.sizeBytes; row++) {
      const { id } = rows.packs.at(packOrdinalAt(page, row));
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  const uses: ChosenPack[] = [];
  for (let ordinal = 0; ordinal < rows.packs.count; ordinal++) {
    const row = rows.packs.at(ordinal);
    const use = {
      row,
      sizeBytes: 1,
      rows: counts.get(row.id) ?? 0,
      liveRows: 0,
      newestRows: 0,
      isCostly: false,
      isOldEpoch: false,
      reason,
    };
    if (chosen.some(({ pack }) => pack === row.id)) uses.push(use);
  }
  let told = 0;
  const repository = withSmallBlocks(place);
  const copies = await copyChunks(storage === undefined ? repository : { ...repository, storage }, {
    chosen: uses,
    isLive: (all, offset) => names.has(Buffer.from(all.subarray(offset, offset + 32)).toString('hex')),
    order: async function* () {
      for (const { name } of order) yield name;
    },
    packs: rows.packs,
    pages: rows.pages,
    mayStay: () => true,
    onCopied: (bytes) => {
      told += bytes;
    },
    signal: undefined,
    ...options,
  });
  return { ...copies, told };
}

/** Names of all chunks of packs, those that are there twice twice. */
const namesOf = (packs: readonly StoredPack[]): string[] =>
  hexOf(packs.flatMap(({ names }) => Array.from({ length: names.length / 32 }, (_, chunk) => names.subarray(32 * chunk, 32 * chunk + 32))));
const nameOf = (chunks: readonly Chunk[]) => hexOf(chunks.map(({ name }) => name));

t.test('copyChunks: what is needed is copied once, whatever has it twice; each pack leads to the packs that have its chunks', async (t) => {
  const place = await HandMade.create();
  const [a, b, dead] = [place.chunks('a', 6), place.chunks('b', 4), place.chunks('dead', 4)];
  const first = await place.pack([[a[0]!, dead[0]!, a[1]!], [dead[1]!], a.slice(2)]);
  const second = await place.pack([[...b, a[5]!, dead[2]!]]);
  const unneeded = await place.pack([[dead[3]!]]);
  const untouched = await place.pack([place.chunks('other', 3)]);
  const live = [...a, ...b];
  const { stored, replaced, told } = await copy(place, {
    packs: [first, second, unneeded, untouched],
    chosen: [first, second, unneeded],
    live,
  });
  t.same(namesOf(stored), nameOf(live));
  t.equal(told, 100 * live.length);
  t.same(replaced, new Map([first, second, unneeded].map(({ pack }, index) => [pack, index < 2 ? stored.map((one) => one.pack) : []])));
  for (const chunk of live) t.same(await place.chunkIn(stored[0]!.pack, chunk), chunk.bytes);
});

t.test('copyChunks: a block of which all is needed is stored as it is, unless the open one would be left much too small', async (t) => {
  const place = await HandMade.create();
  const [whole, part, small] = [place.chunks('whole', 5), place.chunks('part', 2), place.chunks('small', 4)];
  const pack = await place.pack([whole, [part[0]!, place.chunk('dead'), part[1]!], small, place.chunks('last', 6)]);
  const live = [...whole, ...part, ...small, ...place.chunks('last', 6)];
  const { stored, told } = await copy(place, { packs: [pack], chosen: [pack], live });
  t.same(
    (await blocksOf(place, stored[0]!.pack)).lengths,
    [5, 6, 6].map((count) => Array(count).fill(100)),
  );
  t.equal(told, 1700);
  // Some chunks of a block were copied for another pack already.
  const again = await place.pack([[...whole.slice(0, 3), ...place.chunks('new', 3)]]);
  const both = await copy(place, { packs: [pack, again], chosen: [pack, again], live: [...whole, ...place.chunks('new', 3)] });
  t.same((await blocksOf(place, both.stored[0]!.pack)).lengths, [Array(5).fill(100), Array(3).fill(100)]);
});

t.test('copyChunks: what the index gives for a pack that stays is left there, if it is good there', async (t) => {
  const place = await HandMade.create();
  const [shared, own, dead] = [place.chunks('shared', 3), place.chunks('own', 3), place.chunk('dead')];
  const stays = await place.pack([[dead], shared, place.chunks('more', 2)]);
  const leaves = await place.pack([[...own, shared[0]!, shared[1]!], [dead]]);
  const full = await place.pack([place.chunks('full', 2)]);
  const unrelated = await place.pack([place.chunks('unrelated', 2)]);
  const live = [...shared, ...own, ...place.chunks('full', 2)];
  const given = { packs: [unrelated, stays, full, leaves], chosen: [full, leaves], live };
  const storage = new FaultyStorage(place.storage);
  const { stored, replaced } = await copy(place, { ...given, storage });
  t.same(namesOf(stored), nameOf([...own, ...place.chunks('full', 2)]));
  t.same(new Set(replaced.get(leaves.pack)), new Set([stored[0]!.pack, stays.pack]));
  t.same(replaced.get(full.pack), [stored[0]!.pack]);
  t.notOk(
    storage.calls.some(({ name }) => name === objectNames.pack(unrelated.pack)),
    'of other packs nothing is read',
  );

  const onlyDead = await copy(place, { ...given, live: own });
  t.same(onlyDead.replaced.get(leaves.pack), [onlyDead.stored[0]!.pack], 'a pack is not needed for what nobody needs');

  const all = nameOf([...own, shared[0]!, shared[1]!, ...place.chunks('full', 2)]);
  const doubted = await copy(place, { ...given, options: { mayStay: () => false } });
  t.same(namesOf(doubted.stored), all, 'it may not be relied on');
  const leaving = await copy(place, { ...given, chosen: [full, leaves, stays] });
  t.same(namesOf(leaving.stored), nameOf(live), 'it leaves, too');
  await place.damageBlock(stays.pack);
  t.same((await copy(place, given)).replaced.get(leaves.pack)!.includes(stays.pack), true, 'of its other blocks nothing is read');
  await place.damage(objectNames.pack(stays.pack), 350);
  const damaged = await copy(place, given);
  t.same(namesOf(damaged.stored), all, 'it is damaged');
  t.same(damaged.replaced.get(leaves.pack), [damaged.stored[0]!.pack]);
  const fails = new FaultyStorage(place.storage, { faults: [{ operation: 'get', name: new RegExp(stays.pack), call: 1 }] });
  await t.rejects(copy(place, { ...given, storage: fails }), { code: 'io' }, 'a store that fails says nothing');
});

t.test('copyChunks: the index is read only where it gives chunks of the chosen packs for others', async (t) => {
  const place = await HandMade.create();
  const [first, second] = [await place.pack([place.chunks('a', 2)]), await place.pack([place.chunks('b', 2)])];
  const given = { packs: [first, second], chosen: [first, second], live: place.chunks('a', 2) };
  const pages = () => {
    throw new Error('it was read');
  };
  t.equal((await copy(place, { ...given, options: { pages } })).stored.length, 1);
  const third = await place.pack([[place.chunk('a 0'), place.chunk('c')]]);
  await t.rejects(copy(place, { ...given, packs: [first, second, third], chosen: [first, third], options: { pages } }), {
    message: 'it was read',
  });
});

t.test('copyChunks: what was compressed is compressed where it comes to, what was not is not', async (t) => {
  const place = await HandMade.create();
  for (const isCompressed of [true, false]) {
    const all = ['a', 'b', 'c', 'd'].map((seed) => place.chunkOf(compressibleBytes(seed, 300)));
    const pack = await place.pack([all], { isCompressed });
    const given = { packs: [pack], chosen: [pack], live: all.slice(1) };
    const [plain, ordered] = [await copy(place, given), await copy(place, { ...given, reason: 'scattered', order: all.slice(1) })];
    for (const { stored } of [plain, ordered]) {
      t.same((await blocksOf(place, stored[0]!.pack)).codecs, [isCompressed ? 'zstd' : 'raw']);
      for (const chunk of all.slice(1)) t.same(await place.chunkIn(stored[0]!.pack, chunk), chunk.bytes);
    }
  }
});

t.test('copyChunks: in order, each once; what is not named in the order is put apart', async (t) => {
  const place = await HandMade.create();
  const [a, b, dead] = [place.chunks('a', 5), place.chunks('b', 5), place.chunk('dead')];
  const [left, right] = [await place.pack([[a[0]!, a[1]!, dead, a[2]!], a.slice(3)]), await place.pack([b])];
  const order = [b[1]!, a[3]!, place.chunk('elsewhere'), a[0]!, b[1]!, dead, a[3]!, b[0]!];
  const given = { packs: [left, right], chosen: [left, right], live: [...a, ...b], order };
  const { stored, replaced, told } = await copy(place, { ...given, reason: 'scattered' });
  t.equal(stored.length, 2);
  const inOrder = [b[1]!, a[3]!, a[0]!, b[0]!];
  t.same(Buffer.from(stored[0]!.names), Buffer.concat(inOrder.map(({ name }) => name)));
  t.same(namesOf(stored), nameOf([...a, ...b]));
  t.equal(told, 1000);
  for (const { pack } of [left, right]) t.same(new Set(replaced.get(pack)), new Set(stored.map((one) => one.pack)));
  for (const chunk of inOrder) t.same(await place.chunkIn(stored[0]!.pack, chunk), chunk.bytes);
  const plain = await copy(place, given);
  t.equal(plain.stored.length, 1, 'an order counts only where packs are chosen for it');
});

t.test('copyChunks: nodes are copied as they lie, into packs of their own', async (t) => {
  const place = await HandMade.create();
  const [a, dead] = [place.chunks('a', 3), place.chunk('dead')];
  const nodes = await place.packList(
    [place.chunk('x'), place.chunk('y')].map(({ name }) => Buffer.from(name.subarray(0, 16)).toString('hex') as PackId),
  );
  const data = await place.pack([[...a, dead]]);
  const { stored, replaced } = await copy(place, {
    packs: [data, nodes.pack],
    chosen: [data, nodes.pack],
    live: [...a, nodes.chunk],
    reason: 'scattered',
    order: [nodes.chunk, a[2]!, a[0]!, a[1]!],
  });
  t.same(stored.map(({ kind }) => kind).sort(), ['metadata-pack', 'pack']);
  const ofNodes = stored.find(({ kind }) => kind === 'metadata-pack')!;
  t.same(replaced.get(nodes.pack.pack), [ofNodes.pack]);
  t.same(await place.chunkIn(ofNodes.pack, nodes.chunk, 'metadata-pack'), nodes.chunk.bytes);
});

t.test('copyChunks: blocks from which chunks are taken in order stay open while there is room', async (t) => {
  const place = await HandMade.create();
  const blocks = [0, 1, 2].map((block) => place.chunks(`${block}`, 6));
  const pack = await place.pack(blocks);
  const at = (block: number, chunk: number) => blocks[block]![chunk]!;
  const readsOf = async (order: Chunk[]): Promise<number> => {
    const storage = new FaultyStorage(place.storage);
    await copy(place, { packs: [pack], chosen: [pack], live: order, reason: 'scattered', order, storage });
    return storage.calls.filter(({ operation, name }) => operation === 'get' && name === objectNames.pack(pack.pack)).length;
  };
  const once = await readsOf([at(0, 0), at(0, 1), at(0, 2)]);
  t.equal(await readsOf([at(0, 0), at(1, 0), at(0, 1), at(1, 1), at(0, 2)]), once + 1, 'two blocks, each read once');
  withLimits(t, repackLimits, { openedBlockBytes: 1200 });
  t.equal(await readsOf([at(0, 0), at(1, 0), at(0, 1), at(2, 0), at(0, 2), at(0, 3)]), once + 2, 'the one that was used last stays');
  t.equal(await readsOf([at(0, 0), at(1, 0), at(0, 1), at(2, 0), at(1, 1)]), once + 3, 'the other one went');
  withLimits(t, repackLimits, { openedBlockBytes: 1199 });
  t.equal(await readsOf([at(0, 0), at(1, 0), at(0, 1), at(1, 1)]), once + 3, 'one at least is open');
  t.equal(await readsOf([at(0, 0), at(0, 1), at(1, 0), at(1, 1)]), once + 1);
  withLimits(t, repackLimits, { openedBlockBytes: 1 });
  t.equal(await readsOf([at(0, 0), at(0, 1), at(0, 2)]), once, 'however large it is');
});

t.test(
  'copyChunks: a chosen pack that is damaged is named, whatever was to be read of it; nothing is left of what was copied',
  async (t) => {
    const place = await HandMade.create();
    const [a, b] = [place.chunks('a', 4), place.chunks('b', 4)];
    const [good, bad] = [await place.pack([a]), await place.pack([[...b, place.chunk('dead')]])];
    const given = { packs: [good, bad], chosen: [good, bad], live: [...a, ...b] };
    const ordered = { ...given, reason: 'scattered' as const, order: [...a, ...b] };
    const expectUnusable = async (code: string) => {
      for (const one of [given, ordered]) {
        const error = await copy(place, one).catch((thrown: unknown) => thrown);
        t.ok(error instanceof UnusablePack, `${error}`);
        t.match(error, { pack: bad.pack, damage: { code } });
        t.same(await place.names(objectPrefixes.collectorPacks), [], 'nothing is left');
      }
    };
    const fails = (call: number) =>
      new FaultyStorage(place.storage, { faults: [{ operation: 'get', name: new RegExp(bad.pack), call, forever: true }] });
    for (const call of [1, 2]) {
      const error = await copy(place, { ...ordered, storage: fails(call) }).catch((thrown: unknown) => thrown);
      t.ok(isLaganError(error, 'io'), `a store that fails is no damage: ${error}`);
    }
    await place.damageBlock(bad.pack);
    await expectUnusable('authentication-failed');
    await place.damage(objectNames.pack(bad.pack), -40);
    await expectUnusable('authentication-failed');
    await place.removePack(bad.pack);
    await expectUnusable('pack-missing');
  },
);

t.test('copyChunks: a pack with more chunks than the index says is not touched', async (t) => {
  const place = await HandMade.create();
  const pack = await place.pack([place.chunks('a', 3)]);
  const understated = { ...pack, names: pack.names.subarray(0, 64) };
  const copying = copy(place, { packs: [understated], chosen: [understated], live: place.chunks('a', 3) });
  const error = await copying.catch((thrown: unknown) => thrown);
  t.match(error, { pack: pack.pack, damage: { code: 'malformed', expected: 2, found: 3 } });
});

t.test('copyChunks: an interruption ends it', async (t) => {
  const place = await HandMade.create();
  const pack = await place.pack([place.chunks('a', 3)]);
  const signal = AbortSignal.abort();
  await t.rejects(copy(place, { packs: [pack], chosen: [pack], live: place.chunks('a', 3), options: { signal } }), { code: 'interrupted' });
  t.same(await place.names(objectPrefixes.collectorPacks), []);
});
