/** Little that claims to be much, or becomes much: compression, lengths, counts. */
import { zstdCompressSync } from 'node:zlib';
import { compressSync as lz4CompressSync } from 'lz4-napi';
import * as format from '../../repo-format/mod.ts';
import { concat, varint } from '../../spec/vectors/_vector.ts';
import type { Forge, ForgedBlock } from '../spec/_forge.ts';
import { noise } from '../spec/_noise.ts';
import { chunk, directory, fileEntry, type HostileCase, snapshotOf, snapshotOfBlock, snapshotOfNode, textBytes } from './_case.ts';

const MiB = 1024 * 1024;
const zstdZeros = (size: number) => zstdCompressSync(new Uint8Array(size));
/** The format has the raw length elsewhere, lz4-napi before the data. */
const lz4Zeros = (size: number) => lz4CompressSync(Buffer.alloc(size)).subarray(4);
/** Magic, and a frame header without a size whose window is of 2^41 bytes; then a block of 128 KiB of one byte, the last. */
const greatWindow = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x03, 0x00, 0x10, 0x00);
const skippable = concat(Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0x7f), new Uint8Array(100));
const emptyFrame = zstdCompressSync(new Uint8Array(0));

const payloads: Readonly<Record<string, Pick<ForgedBlock, 'codec' | 'payload'>>> = {
  'zstd of 1 MiB, said to be 20 bytes': { codec: 'zstd', payload: zstdZeros(MiB) },
  'zstd of 256 MiB, said to be 20 bytes': { codec: 'zstd', payload: zstdZeros(256 * MiB) },
  'zstd in zstd': { codec: 'zstd', payload: zstdCompressSync(zstdZeros(64 * MiB)) },
  'zstd with a window of 2^41 bytes': { codec: 'zstd', payload: greatWindow },
  'zstd frames that are skipped, of 2 GiB': { codec: 'zstd', payload: skippable },
  '10,000 empty zstd frames': { codec: 'zstd', payload: concat(...Array.from({ length: 10_000 }, () => emptyFrame)) },
  'zstd that ends early': { codec: 'zstd', payload: zstdCompressSync(chunk).subarray(0, 12) },
  'zstd with bytes after it': { codec: 'zstd', payload: concat(zstdCompressSync(chunk), textBytes('more')) },
  'lz4 of 64 MiB, said to be 20 bytes': { codec: 'lz4', payload: lz4Zeros(64 * MiB) },
  'lz4 that copies from before the beginning': { codec: 'lz4', payload: Uint8Array.of(0x1f, 0x61, 0xff, 0xff, 0xff, 0xff, 0x00) },
  'lz4 that ends early': { codec: 'lz4', payload: Uint8Array.of(0xf0) },
  'raw data of other length': { codec: 'raw', payload: new Uint8Array(21) },
};

const payloadCases: HostileCase[] = Object.entries(payloads).flatMap(([what, fields]) => [
  { name: `content: ${what}`, expect: 'malformed', build: (forge) => snapshotOfBlock(forge, { chunks: [chunk], ...fields }) },
  {
    name: `a folder: ${what}`,
    expect: 'malformed',
    build: async (forge) => {
      const node = directory([fileEntry('f')]);
      const pack = await forge.pack('metadata-pack', [{ chunks: [node], ...fields, row: {} }]);
      await snapshotOf(forge, { ...(await treeIn(forge, pack, forge.nameOf(node, 'metadata-pack'))) });
    },
  },
]);

/** Fields of a snapshot whose tree is that chunk. */
async function treeIn(forge: Forge, pack: format.PackId, name: Uint8Array): Promise<Partial<format.Snapshot>> {
  const [list] = await forge.nodes([format.encodeNode({ kind: 'pack-list', height: 0, items: [pack] })]);
  return { tree: { pack, name }, packs: { ...list!, height: 0, count: 1 }, listPacks: [list!.pack] };
}

/** A file of `count` chunks of `size` zeros in as few bytes as zstd needs. */
async function fileOfZeros(forge: Forge, { blocks, chunks, size }: { blocks: number; chunks: number; size: number }): Promise<void> {
  const zeros = new Uint8Array(size);
  const name = forge.nameOf(zeros, 'pack');
  const all = Array.from({ length: chunks }, () => zeros);
  const payload = zstdZeros(chunks * size);
  const names = all.map(() => name);
  const pack = await forge.pack(
    'pack',
    Array.from({ length: blocks }, () => ({ chunks: all, codec: 'zstd' as const, payload, names })),
  );
  const extents = Array.from({ length: chunks }, () => ({ kind: 'data' as const, length: size, name, pack }));
  await snapshotOfNode(forge, directory([fileEntry('f', { content: { form: 'inline', extents } })]), { packs: [pack] });
}

const inline = (extents: readonly format.Extent[]): format.Content => ({ form: 'inline', extents });

const contentCases: HostileCase[] = [
  {
    name: 'a block of 32 MiB of zeros in 1 KB',
    expect: 'harmless',
    build: (forge) => fileOfZeros(forge, { blocks: 1, chunks: 32, size: MiB }),
  },
  {
    name: '20 blocks of 32 MiB of zeros each',
    expect: 'harmless',
    build: (forge) => fileOfZeros(forge, { blocks: 20, chunks: 32, size: MiB }),
  },
  {
    name: 'a block of 65,536 chunks of a byte',
    expect: 'harmless',
    build: (forge) => fileOfZeros(forge, { blocks: 1, chunks: 65_536, size: 1 }),
  },
  {
    name: 'a block of 33 MiB',
    expect: 'limit-exceeded',
    build: (forge) => fileOfZeros(forge, { blocks: 1, chunks: 33, size: MiB }),
  },
  {
    name: 'a chunk of 2 MiB',
    expect: 'limit-exceeded',
    build: (forge) => fileOfZeros(forge, { blocks: 1, chunks: 1, size: 2 * MiB }),
  },
  {
    name: 'a hole of 2^53 − 1 bytes',
    expect: 'harmless',
    build: (forge) =>
      snapshotOfNode(forge, directory([fileEntry('f', { content: inline([{ kind: 'hole', length: Number.MAX_SAFE_INTEGER }]) })])),
  },
  {
    name: 'two holes whose sum is beyond 2^53',
    expect: ['malformed', 'limit-exceeded'],
    build: async (forge) => {
      const hole = { kind: 'hole' as const, length: Number.MAX_SAFE_INTEGER };
      const node = format.encodeNode({ kind: 'content', height: 0, items: [hole, hole] });
      const [content] = await forge.nodes([node]);
      const entry = fileEntry('f', { size: hole.length, content: { form: 'node', node: content!, height: 0, packs: [content!.pack] } });
      await snapshotOfNode(forge, directory([entry]), { packs: [content!.pack] });
    },
  },
  {
    name: '100,000 holes of a byte in one node',
    expect: 'harmless',
    build: async (forge) => {
      const items = Array.from({ length: 100_000 }, (_, index) => ({
        kind: index % 2 === 0 ? ('hole' as const) : ('zeros' as const),
        length: 1,
      }));
      const [content] = await forge.nodes([format.encodeNode({ kind: 'content', height: 0, items })]);
      const entry = fileEntry('f', { size: items.length, content: { form: 'node', node: content!, height: 0, packs: [content!.pack] } });
      await snapshotOfNode(forge, directory([entry]), { packs: [content!.pack] });
    },
  },
  {
    name: 'a node of 16 MiB of the smallest items',
    expect: 'malformed',
    build: async (forge) => {
      const items = 7_000_000;
      const start = concat(Uint8Array.of(2, 1, 0, 0, 0), varint(items));
      const node = new Uint8Array(start.length + 2 * items).fill(1);
      node.set(start);
      const [content] = await forge.nodes([node]);
      const entry = fileEntry('f', { size: items, content: { form: 'node', node: content!, height: 0, packs: [content!.pack] } });
      await snapshotOfNode(forge, directory([entry]), { packs: [content!.pack] });
    },
  },
  {
    name: 'a node of more than 16 MiB',
    expect: ['malformed', 'limit-exceeded'],
    build: (forge) => snapshotOfNode(forge, directory([fileEntry('f')]).length > 0 ? new Uint8Array(16 * MiB + 1).fill(1) : chunk),
  },
];

/** Tables of contents by their fields: offset, sealed length, codec, raw length, chunks of each block. */
const contentsOf = (blocks: readonly (readonly [number, number, number, number, number])[], rest: Uint8Array) =>
  concat(
    varint(blocks.length),
    ...blocks.map(([offset, sealed, codec, raw, chunks]) =>
      concat(varint(offset), varint(sealed), Uint8Array.of(codec), varint(raw), varint(chunks)),
    ),
    rest,
  );
const oneName = noise(32, 'name');
const lies: Readonly<Record<string, { contents: Uint8Array; expect: format.ErrorCode | format.ErrorCode[] }>> = {
  '65,536 blocks that are not there': { contents: varint(65_536), expect: 'malformed' },
  '2^40 blocks': { contents: varint(2 ** 40), expect: 'limit-exceeded' },
  'a block of 65,536 chunks that are not there': { contents: contentsOf([[80, 39, 0, 20, 65_536]], oneName), expect: 'malformed' },
  '64 blocks of 65,536 chunks each that are not there': {
    contents: contentsOf(
      Array.from({ length: 64 }, (_, index) => [80 + 43 * index, 39, 0, 20, 65_536] as const),
      new Uint8Array(65_536),
    ),
    expect: 'malformed',
  },
  'a block beyond the end': {
    contents: contentsOf([[80, 2 ** 25, 0, 20, 1]], concat(varint(20), oneName)),
    expect: ['malformed', 'limit-exceeded'],
  },
  'a block of 2^40 bytes': { contents: contentsOf([[80, 39, 0, 2 ** 40, 1]], concat(varint(20), oneName)), expect: 'limit-exceeded' },
  'a chunk of 2^40 bytes': {
    contents: contentsOf([[80, 39, 0, 20, 1]], concat(varint(2 ** 40), oneName)),
    expect: ['malformed', 'limit-exceeded'],
  },
  'a block in the header': { contents: contentsOf([[0, 39, 0, 20, 1]], concat(varint(20), oneName)), expect: 'malformed' },
  'two blocks at one place': {
    contents: contentsOf(
      [
        [80, 39, 0, 20, 1],
        [80, 39, 0, 20, 1],
      ],
      concat(varint(20), varint(20), oneName, oneName),
    ),
    expect: 'malformed',
  },
};

const contentsCases: HostileCase[] = Object.entries(lies).map(([what, { contents, expect }]) => ({
  name: `a pack that lists ${what}`,
  expect,
  build: (forge) => snapshotOfBlock(forge, { chunks: [chunk] }, { contents }),
}));

const packCases: HostileCase[] = [
  {
    name: 'a pack that has a chunk under two names, one of them wrong',
    expect: 'name-mismatch',
    build: (forge) => snapshotOfBlock(forge, { chunks: [chunk, chunk], names: [noise(32, 'wrong'), forge.nameOf(chunk, 'pack')] }),
  },
  {
    name: 'a pack of a million chunks',
    expect: 'harmless',
    build: async (forge) => {
      const blocks = 16;
      const chunks = Array.from({ length: 65_536 }, () => Uint8Array.of(0));
      const payload = zstdZeros(65_536);
      const names = chunks.map((_, index) => (index === 0 ? forge.nameOf(Uint8Array.of(0), 'pack') : noise32(index)));
      const pack = await forge.pack(
        'pack',
        Array.from({ length: blocks }, () => ({ chunks, codec: 'zstd' as const, payload, names })),
      );
      const extents: format.Extent[] = [{ kind: 'data', length: 1, name: names[0]!, pack }];
      await snapshotOfNode(forge, directory([fileEntry('f', { content: inline(extents) })]), { packs: [pack] });
    },
  },
];

function noise32(index: number): Uint8Array {
  const name = new Uint8Array(32);
  new DataView(name.buffer).setUint32(0, Math.imul(index, 0x9e3779b1) >>> 0);
  return name;
}

export const bombCases: readonly HostileCase[] = [...payloadCases, ...contentCases, ...contentsCases, ...packCases];
