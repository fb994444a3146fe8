/** Blocks, contents of packs, chunk names. */
import { concat, filled, join, type Part, text, u8, type Vector, varint } from '../_vector.ts';
import { nameC, nameD } from './_pieces.ts';

const MiB = 1024 * 1024;

interface BlockFields {
  codec?: number;
  rawLength?: number;
  count?: number;
  lengths?: number[];
  payload?: Uint8Array;
}

const raw = { codec: 0, rawLength: 5, lengths: [3, 2], payload: text('abcde') };

export const pack = (): Vector[] => [
  block('ok-raw', 'ok', 'PACK-5 PACK-6', 'two chunks, not compressed', raw, {
    result: { codec: 'raw', rawLength: 5, chunkLengths: [3, 2], payload: text('abcde') },
  }),
  block(
    'ok-lz4',
    'ok',
    'PACK-1',
    'lz4; decoding is not part of the container',
    { codec: 2, rawLength: 5, lengths: [5], payload: u8(9) },
    {
      result: { codec: 'lz4', rawLength: 5, chunkLengths: [5], payload: u8(9) },
    },
  ),
  block(
    'ok-metadata-chunk',
    'ok',
    'PACK-4',
    'a metadata chunk of 1 MiB + 1',
    { codec: 1, rawLength: MiB + 1, lengths: [MiB + 1], payload: u8(0) },
    {
      kind: 'metadata-pack',
      result: { codec: 'zstd', rawLength: MiB + 1, chunkLengths: [MiB + 1], payload: u8(0) },
    },
  ),
  block(
    'ok-data-chunk',
    'ok',
    'PACK-4',
    'a data chunk of 1 MiB',
    { codec: 1, rawLength: MiB, lengths: [MiB], payload: u8(0) },
    {
      result: { codec: 'zstd', rawLength: MiB, chunkLengths: [MiB], payload: u8(0) },
    },
  ),
  block('codec', 'malformed', 'PACK-1', 'codec 3', { ...raw, codec: 3 }, { offset: 0 }),
  block('no-chunks', 'malformed', 'PACK-2', 'no chunk', { rawLength: 0, lengths: [], payload: text('') }),
  block('empty-chunk', 'malformed', 'PACK-3', 'a chunk of length 0', { ...raw, lengths: [5, 0] }, { offset: 4 }),
  block('big-data-chunk', 'limit-exceeded', 'PACK-4 CONV-4', 'a data chunk of 1 MiB + 1', {
    codec: 1,
    rawLength: MiB + 1,
    lengths: [MiB + 1],
    payload: u8(0),
  }),
  block(
    'big-metadata-chunk',
    'limit-exceeded',
    'PACK-4',
    'a metadata chunk of 16 MiB + 1',
    { codec: 1, rawLength: 16 * MiB + 1, lengths: [16 * MiB + 1], payload: u8(0) },
    { kind: 'metadata-pack' },
  ),
  block(
    'big-block',
    'limit-exceeded',
    'PACK-4 CONV-4',
    'a block of 32 MiB + 1',
    { codec: 1, rawLength: 32 * MiB + 1, lengths: [MiB], payload: u8(0) },
    { offset: 1 },
  ),
  block('many-chunks', 'limit-exceeded', 'CONV-4', '65,537 chunks', { ...raw, count: 65537 }, { offset: 2 }),
  block('more-chunks-than-bytes', 'malformed', 'CONV-3', '65,536 chunks in 7 bytes', { ...raw, count: 65536 }),
  block('sum-above', 'malformed', 'PACK-5', 'lengths that add up to one more', { ...raw, lengths: [3, 3] }, { offset: 3 }),
  block('sum-below', 'malformed', 'PACK-5', 'lengths that add up to one less', { ...raw, lengths: [3, 1] }, { offset: 3 }),
  block('raw-short', 'malformed', 'PACK-6', 'a raw payload of one byte less', { ...raw, payload: text('abcd') }, { offset: 5 }),
  block('raw-long', 'malformed', 'PACK-6', 'a raw payload of one byte more', { ...raw, payload: text('abcdef') }, { offset: 5 }),
  block('no-payload', 'malformed', 'PACK-6', 'zstd without payload', { ...raw, codec: 1, payload: text('') }),
  block(
    'long-varint',
    'malformed',
    'CONV-1',
    'a raw length of 5 in two bytes',
    {},
    { parts: [['', Uint8Array.of(0, 0x85, 0, 1, 5, 97, 98, 99, 100, 101)]], offset: 1 },
  ),
  block('empty', 'malformed', 'CONV-3', 'no byte', {}, { parts: [['', new Uint8Array(0)]], offset: 0 }),
  ...contents(),
  ...names(),
];

interface Options {
  kind?: string;
  offset?: number;
  result?: unknown;
  parts?: Part[];
}

function block(name: string, expect: string, covers: string, comment: string, fields: BlockFields, options: Options = {}): Vector {
  const { kind = 'pack', offset, result, parts } = options;
  return {
    container: 'block',
    name,
    expect,
    offset,
    covers: covers.split(' '),
    comment,
    inputs: { kind },
    result,
    parts: parts ?? blockParts(fields),
  };
}

function blockParts({ codec = 0, rawLength = 0, lengths = [], count = lengths.length, payload = text('') }: BlockFields): Part[] {
  return [
    [`codec ${codec}`, u8(codec)],
    [`raw length ${rawLength}`, varint(rawLength)],
    [`chunk count ${count}`, varint(count)],
    ...lengths.map((length): Part => [`chunk length ${length}`, varint(length)]),
    ['payload', payload],
  ];
}

interface ContentsBlock extends BlockFields {
  offset: number;
  sealedLength: number;
  names?: Uint8Array;
}

function contentsParts(blocks: readonly ContentsBlock[], blockCount = blocks.length): Part[] {
  const lengths = blocks.flatMap((entry) => entry.lengths ?? []);
  return [
    [`block count ${blockCount}`, varint(blockCount)],
    ...blocks.map(
      ({ offset, sealedLength, codec = 0, rawLength = 0, lengths: own = [], count = own.length }, index): Part => [
        `block ${index}: offset ${offset}, sealed length ${sealedLength}, codec ${codec}, raw length ${rawLength}, chunk count ${count}`,
        concat(varint(offset), varint(sealedLength), u8(codec), varint(rawLength), varint(count)),
      ],
    ),
    [`chunk lengths ${lengths.join(', ')}`, concat(...lengths.map(varint))],
    ...blocks.map((entry, index): Part => [`names of block ${index}`, entry.names ?? new Uint8Array(0)]),
  ];
}

function contents(): Vector[] {
  const first = { offset: 80, sealedLength: 26, codec: 0, rawLength: 5, lengths: [3, 2], names: concat(nameC, nameD) };
  const second = { offset: 110, sealedLength: 30, codec: 2, rawLength: 200, lengths: [200], names: filled(32, 0xee) };
  const good = contentsParts([first, second]);
  const result = [
    { offset: 80, sealedLength: 26, codec: 'raw', rawLength: 5, chunkLengths: [3, 2], names: concat(nameC, nameD) },
    { offset: 110, sealedLength: 30, codec: 'lz4', rawLength: 200, chunkLengths: [200], names: filled(32, 0xee) },
  ];
  const make = (
    name: string,
    expect: string,
    covers: string,
    comment: string,
    parts: Part[],
    offset?: number,
    contentsOffset = 144,
  ): Vector => ({
    container: 'pack-contents',
    name,
    expect,
    offset,
    covers: covers.split(' '),
    comment,
    inputs: { kind: 'pack', contentsOffset },
    result,
    parts,
  });
  const goodBytes = join(good);
  return [
    make('ok-two-blocks', 'ok', 'PACK-10 PACK-11 PACK-12', 'a raw block of two chunks and an lz4 block of one', good),
    make('no-blocks', 'malformed', 'PACK-9', 'no block', contentsParts([]), 0),
    make(
      'first-offset',
      'malformed',
      'PACK-10',
      'the first block at offset 81',
      contentsParts([
        { ...first, offset: 81 },
        { ...second, offset: 111 },
      ]),
      1,
      145,
    ),
    make('gap', 'malformed', 'PACK-10', 'a gap of one byte', contentsParts([first, { ...second, offset: 111 }]), undefined, 145),
    make('overlap', 'malformed', 'PACK-10', 'blocks that share a byte', contentsParts([first, { ...second, offset: 109 }]), undefined, 143),
    make('end', 'malformed', 'PACK-11', 'contents that begin a byte later', good, undefined, 145),
    make('sealed-length', 'malformed', 'PACK-12', 'a sealed length of 16', contentsParts([{ ...first, sealedLength: 16 }]), undefined, 100),
    make('codec', 'malformed', 'PACK-12', 'codec 3', contentsParts([{ ...first, codec: 3 }, second])),
    make('no-chunks', 'malformed', 'PACK-12', 'a block without chunks', contentsParts([{ ...first, rawLength: 0, lengths: [] }, second])),
    make('sum', 'malformed', 'PACK-12', 'lengths that do not add up', contentsParts([{ ...first, lengths: [3, 3] }, second])),
    make('empty-chunk', 'malformed', 'PACK-12', 'a chunk of length 0', contentsParts([{ ...first, lengths: [5, 0] }, second])),
    make('many-blocks', 'limit-exceeded', 'CONV-4', '65,537 blocks', contentsParts([first], 65537), 0),
    make('more-blocks-than-bytes', 'malformed', 'CONV-3 PACK-13', '65,536 blocks in a few bytes', contentsParts([first], 65536)),
    make(
      'more-chunks-than-bytes',
      'malformed',
      'CONV-3 PACK-13',
      '65,536 chunks in a few bytes',
      contentsParts([{ ...first, count: 65536 }]),
    ),
    make('truncated', 'malformed', 'PACK-13', 'the last byte is missing', [['', goodBytes.subarray(0, -1)]]),
    make('trailing', 'malformed', 'PACK-13', 'a byte after the last name', [...good, ['one byte more', u8(0)]], goodBytes.length),
  ];
}

/** Made with the official implementation; the key is 00 01 … 1f. */
function names(): Vector[] {
  const key = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
  const list: [string, string, string][] = [
    ['ok-3-bytes', 'abc', '6da54495d8152f2bcba87bd7282df70901cdb66b4448ed5f4c7bd2852b8b5532'],
    ['ok-1025-bytes', 'x'.repeat(1025), 'd42096f561e9ceb67193713ce0aab0725e762d5a4c287460c03366cfb184f4db'],
  ];
  return list.map(([name, chunk, result]) => ({
    container: 'chunk-name',
    name,
    expect: 'ok',
    covers: ['PACK-8'],
    comment: 'keyed BLAKE3, 256 bits',
    inputs: { key },
    result,
    parts: [['chunk', text(chunk)]],
  }));
}
