/** Pack rows, pages, filter and contents of index tables. */
import { concat, counting, filled, join, type Part, patched, toHex, u8, u32, u64, type Vector } from '../_vector.ts';
import { cbor, packA, packB } from './_pieces.ts';

export const indexTable = (): Vector[] => [...packRows(), ...pages(), ...filters(), ...contents()];

function packRows(): Vector[] {
  const row = (id: Uint8Array, kind: number, size: number | bigint, reserved = 0): Part[] => [
    ['pack id', id],
    [`kind ${kind}`, u8(kind)],
    ['reserved', Uint8Array.of(0, reserved, 0)],
    ['chunk count', u32(7)],
    ['stored size', u64(size)],
  ];
  const good = [...row(packA, 1, 33554432), ...row(packB, 6, 5_000_000_000)];
  const result = [
    { id: packA, kind: 'pack', chunkCount: 7, storedSizeBytes: 33554432 },
    { id: packB, kind: 'metadata-pack', chunkCount: 7, storedSizeBytes: 5_000_000_000 },
  ];
  const make = (name: string, expect: string, covers: string, comment: string, parts: Part[], offset?: number): Vector => ({
    container: 'pack-rows',
    name,
    expect,
    offset,
    covers: covers.split(' '),
    comment,
    result,
    parts,
  });
  return [
    make('ok-two', 'ok', 'IDX-1 IDX-2', 'a pack of data and one of metadata', good),
    make('short', 'malformed', 'IDX-1', 'two rows less a byte', [['', join(good).subarray(0, 63)]], 0),
    make('long', 'malformed', 'IDX-1', 'two rows and a byte', [...good, ['', u8(0)]], 0),
    make('empty', 'malformed', 'IDX-1', 'no row', [['', new Uint8Array(0)]], 0),
    make('many', 'malformed', 'IDX-1', '2,049 rows', [['', filled(2049 * 32, 0)]], 0),
    make('kind', 'malformed', 'IDX-2', 'kind 2', row(packA, 2, 1), 16),
    make('reserved', 'malformed', 'IDX-2', 'a reserved byte', row(packA, 1, 1, 1), 17),
    make('size', 'limit-exceeded', 'CONV-4', 'a size of 2^53', row(packA, 1, 2n ** 53n), 24),
  ];
}

function pages(): Vector[] {
  const [low, high] = [filled(32, 0x01), patched(filled(32, 0x01), 31, [0x02])];
  const row = (name: Uint8Array, ordinal: number): Part[] => [
    ['name', name],
    [`pack ordinal ${ordinal}`, u32(ordinal)],
  ];
  const good = [...row(low, 1), ...row(high, 0)];
  const make = (
    name: string,
    expect: string,
    covers: string,
    comment: string,
    parts: Part[],
    options: { offset?: number; inputs?: Record<string, string | number> } = {},
  ): Vector => ({
    container: 'index-page',
    name,
    expect,
    offset: options.offset,
    covers: covers.split(' '),
    comment,
    inputs: { packs: 2, ...options.inputs },
    result: [
      { name: low, packOrdinal: 1 },
      { name: high, packOrdinal: 0 },
    ],
    parts,
  });
  const many = concat(
    ...Array.from({ length: 1025 }, (_, index) => concat(patched(new Uint8Array(32), 0, [index >> 8, index & 255]), u32(0))),
  );
  return [
    make('ok-two-rows', 'ok', 'IDX-3 IDX-4', 'two names that differ in the last bit but one', good),
    make('ok-page', 'ok', 'IDX-9', 'as the contents say', good, {
      inputs: { firstName: toHex(low), rows: 2, below: toHex(filled(32, 2)) },
    }),
    make('equal', 'malformed', 'IDX-3', 'the same name twice', [...row(low, 0), ...row(low, 1)], { offset: 36 }),
    make('descending', 'malformed', 'IDX-3', 'names that descend', [...row(high, 0), ...row(low, 1)], { offset: 36 }),
    make('not-below', 'malformed', 'IDX-3', 'a last name that is the first of the next page', good, {
      inputs: { below: toHex(high) },
      offset: 36,
    }),
    make('ordinal', 'malformed', 'IDX-4', 'ordinal 2 of two packs', [...row(low, 1), ...row(high, 2)], { offset: 68 }),
    make('ordinal-huge', 'malformed', 'IDX-4', 'ordinal 2^32 - 1', row(low, 0xffffffff), { offset: 32 }),
    make('first-name', 'malformed', 'IDX-9', 'another first name than the contents say', good, {
      inputs: { firstName: toHex(high) },
      offset: 0,
    }),
    make('rows', 'malformed', 'IDX-9', 'fewer rows than the contents say', good, { inputs: { rows: 3 }, offset: 0 }),
    make('short', 'malformed', 'IDX-1', 'two rows less a byte', [['', join(good).subarray(0, 71)]], { offset: 0 }),
    make('empty', 'malformed', 'IDX-1', 'no row', [['', new Uint8Array(0)]], { offset: 0 }),
    make('many', 'malformed', 'IDX-1', '1,025 rows', [['', many]], { offset: 0 }),
  ];
}

function filters(): Vector[] {
  const name = patched(counting(32), 0, [3, 2, 1, 0]);
  // name[0..4) = 03 02 01 00 = 0x03020100, of 100 blocks: floor(0x03020100 * 100 / 2^32) = 1.
  // name[8..17) = 08 09 .. 10: the 9-bit pieces, lowest first.
  const bits = [0x108, 0x104, 0x0c2, 0x181, 0x0d0, 0x070, 0x03c, 0x020];
  const filter = new Uint8Array(100 * 64);
  for (const bit of bits) filter[64 + (bit >> 3)]! |= 1 << (bit & 7);
  const without = filter.slice();
  without[64 + (bits[3]! >> 3)]! &= ~(1 << (bits[3]! & 7));
  const moved = concat(filter.subarray(64), new Uint8Array(64));
  const make = (vectorName: string, comment: string, bytes: Uint8Array, result: boolean): Vector => ({
    container: 'filter',
    name: vectorName,
    expect: 'ok',
    covers: ['IDX-5'],
    comment,
    inputs: { blocks: 100, name: toHex(name) },
    result,
    parts: [['', bytes]],
  });
  return [
    make('ok-in', 'the eight bits of the name, in block 1 of 100', filter, true),
    make('ok-bit-missing', 'the fourth bit is not set', without, false),
    make('ok-other-block', 'the bits are in block 0', moved, false),
  ];
}

function contents(): Vector[] {
  const first = filled(32, 0x01);
  const second = filled(32, 0x80);
  const reference = { id: packB, hash: filled(32, 0x44) };
  // pack table at 80 (48), pages at 132 (36,880) and 37,016 (52), filter at 37,072 (24 blocks and one: 25 * 64 + 16), sample at 38,692 (52); end 38,748
  const good = {
    rows: 1025,
    packs: 1,
    sampleRows: 1,
    firstNames: concat(first, second),
    replaced: [[packA, [packB]]],
    older: [reference],
    leftOut: [packA],
  };
  const result = { ...good, replaced: [{ pack: packA, by: [packB] }] };
  const make = (
    name: string,
    expect: string,
    covers: string,
    comment: string,
    change: object,
    contentsOffset = 38748,
    value: unknown = result,
  ): Vector => ({
    container: 'index-contents',
    name,
    expect,
    covers: covers.split(' '),
    comment,
    inputs: { contentsOffset },
    result: value,
    parts: [['contents', cbor({ ...good, ...change })]],
  });
  const empty = { rows: 0, packs: 0, sampleRows: 0, firstNames: new Uint8Array(0), replaced: [], older: [], leftOut: [] };
  const full = { ...empty, rows: 1024, firstNames: first };
  return [
    make('ok', 'ok', 'IDX-7 IDX-8 IDX-9', 'two pages, a pack that was replaced, and an older table', {}),
    make('ok-empty', 'ok', 'IDX-7', 'a table without rows: one block of the filter', empty, 164, empty),
    make('ok-full', 'ok', 'IDX-7 IDX-8', 'one full page', full, 80 + 36884 + 24 * 64 + 20, full),
    make('ok-unknown-key', 'ok', 'CBOR-4', 'a key that this version does not know', { later: 1 }),
    make('end', 'malformed', 'IDX-7', 'contents that begin a byte later', {}, 38749),
    make('rows', 'malformed', 'IDX-7', 'one row more than there is room for', { rows: 1026 }),
    make('packs', 'malformed', 'IDX-7', 'two packs, room for one', { packs: 2 }),
    make('sample-rows', 'malformed', 'IDX-7', 'another count of sampled rows', { sampleRows: 0 }),
    make('pages', 'malformed', 'IDX-8', 'the names of three pages, rows for two', { firstNames: concat(first, second, filled(32, 0x81)) }),
    make('page', 'malformed', 'IDX-8', 'the name of one page, rows for two', { firstNames: first }),
    make('page-part', 'malformed', 'IDX-8', 'a name of 31 bytes', { firstNames: concat(first, second).subarray(0, 63) }),
    make('first-names', 'malformed', 'IDX-9', 'first names that descend', { firstNames: concat(second, first) }),
    make('first-names-equal', 'malformed', 'IDX-9', 'the same first name twice', { firstNames: concat(first, first) }),
    make('many-samples', 'limit-exceeded', 'CONV-4', 'more sampled rows than rows', { sampleRows: 1026 }),
    make('many-rows', 'limit-exceeded', 'CONV-4', '2^32 rows', { rows: 2 ** 32 }),
    make('many-older', 'limit-exceeded', 'CONV-4', '65 older tables', { older: new Array(65).fill(reference) }),
    make('missing-key', 'malformed', 'CBOR-6', 'no first names', { firstNames: null }),
    make('wrong-type', 'malformed', 'CBOR-6', 'text for a count', { rows: '1025' }),
  ];
}
