/** Tree nodes. */
import { concat, counting, filled, join, type Part, prefixed, svarint, text, u8, type Vector, varint } from '../_vector.ts';
import { dataExtent, directoryResult, entry, fifoResult, inlineFile, leaf, nodeParts, reference, vector } from './_nodes.ts';
import { nameC, nameD, packA, packB } from './_pieces.ts';

export const node = (): Vector[] => [...structure(), ...references(), ...lists(), ...trees()];

function structure(): Vector[] {
  const good = leaf({});
  return [
    vector('ok-fifo', { expect: 'ok', covers: 'NODE-1', comment: 'the least entry', result: directoryResult([fifoResult]), parts: good }),
    vector('kind-0', { covers: 'NODE-1', comment: 'node kind 0', offset: 0, parts: nodeParts({ kind: 0, items: [entry({})] }) }),
    vector('kind-4', { covers: 'NODE-1', comment: 'node kind 4', offset: 0, parts: nodeParts({ kind: 4, items: [entry({})] }) }),
    vector('version', { covers: 'NODE-1', comment: 'version 2', offset: 1, parts: nodeParts({ version: 2, items: [entry({})] }) }),
    vector('height', {
      expect: 'limit-exceeded',
      covers: 'NODE-2 CONV-4',
      comment: 'height 33',
      offset: 2,
      parts: nodeParts({ height: 33, items: [entry({})] }),
    }),
    vector('string-empty', {
      covers: 'NODE-14',
      comment: 'an empty string in the table',
      parts: nodeParts({ strings: [text('')], items: [entry({})] }),
    }),
    vector('string-not-utf-8', {
      covers: 'NODE-14',
      comment: 'a user name in Latin-1',
      parts: nodeParts({ strings: [Uint8Array.of(0x4a, 0xf6, 0x72, 0x67)], items: [entry({ userName: 1 })] }),
    }),
    vector('ok-string-byte-order-mark', {
      expect: 'ok',
      covers: 'NODE-14',
      comment: 'U+FEFF is a letter like any other',
      result: directoryResult([{ ...fifoResult, userName: '\ufeffroot' }]),
      parts: nodeParts({ packs: [], strings: [text('\ufeffroot')], items: [entry({ userName: 1 })] }),
    }),
    vector('items-beyond-1-mib', {
      covers: 'NODE-2',
      comment: 'an item begins 1 MiB and 2 bytes after the first',
      parts: [...nodeParts({ kind: 2, packs: [], count: 524_290, items: [] }), ['holes of one byte', filled(1_048_580, 1)]],
    }),
    vector('no-items', { covers: 'NODE-3', comment: 'no item', parts: nodeParts({ items: [] }) }),
    vector('trailing', { covers: 'NODE-4', comment: 'a byte after the last item', parts: [...good, ['one byte more', u8(0)]] }),
    vector('truncated', { covers: 'CONV-3', comment: 'the last byte is missing', parts: [['', join(good).subarray(0, -1)]] }),
    vector('missing-item', {
      covers: 'CONV-3',
      comment: 'two items announced, one there',
      parts: nodeParts({ count: 2, items: [entry({})] }),
    }),
    vector('many-items', {
      covers: 'CONV-3',
      comment: '16,777,216 items in a few bytes',
      parts: nodeParts({ count: 16777216, items: [entry({})] }),
    }),
    vector('many-packs', {
      covers: 'CONV-3',
      comment: '65,536 packs in no bytes',
      offset: 6,
      parts: [['', concat(u8(1), u8(1), varint(0), varint(65536))]],
    }),
    vector('huge-pack-count', {
      expect: 'limit-exceeded',
      covers: 'CONV-4',
      comment: '2^53 - 1 packs',
      offset: 3,
      parts: [['', concat(u8(1), u8(1), varint(0), varint(2n ** 53n - 1n), new Uint8Array(64))]],
    }),
    vector('many-strings', {
      covers: 'CONV-3',
      comment: '65,536 strings in a byte',
      parts: [['', concat(u8(1), u8(1), varint(0), varint(0), varint(65536), u8(0))]],
    }),
    vector('empty', { covers: 'CONV-3', comment: 'no byte', offset: 0, parts: [['', text('')]] }),
  ];
}

function references(): Vector[] {
  const inner = (index: number): Part[] => nodeParts({ kind: 2, height: 1, items: [['', concat(varint(9), varint(index), nameC)]] });
  return [
    vector('ok-inner-content', {
      expect: 'ok',
      covers: 'NODE-5 NODE-8',
      comment: 'an inner node of a content',
      result: { kind: 'content', leaf: false, height: 1, packs: [packA], items: [{ bytesBelow: 9, node: { pack: packA, name: nameC } }] },
      parts: inner(0),
    }),
    vector('pack-index', { covers: 'NODE-5', comment: 'pack 1 of one', parts: inner(1) }),
    vector('pack-index-huge', { covers: 'NODE-5', comment: 'pack 2^53 - 1 of one', parts: inner(2 ** 53 - 1) }),
    vector('bytes-below-0', {
      covers: 'NODE-8',
      comment: '0 bytes below',
      parts: nodeParts({ kind: 2, height: 1, items: [['', concat(varint(0), reference)]] }),
    }),
    vector('truncated-reference', {
      covers: 'CONV-3',
      comment: 'a name of 31 bytes',
      parts: nodeParts({ kind: 2, height: 1, items: [['', concat(varint(9), varint(0), nameC.subarray(1))]] }),
    }),
  ];
}

function lists(): Vector[] {
  const packItem = (id: Uint8Array): Part => ['pack', id];
  const innerName = (name: string): Part => [name, concat(prefixed(text(name)), varint(3), reference)];
  const innerPack = (id: Uint8Array): Part => ['last pack', concat(id, varint(3), reference)];
  const extent = (...pieces: Uint8Array[]): Part[] => nodeParts({ kind: 2, items: [['extent', concat(...pieces)]] });
  const inner = (kind: number, ...items: Part[]) => nodeParts({ kind, height: 1, items });
  return [
    vector('ok-pack-list', {
      expect: 'ok',
      covers: 'NODE-9',
      comment: 'a pack list',
      result: { kind: 'pack-list', leaf: true, height: 0, packs: [], items: [packA, packB] },
      parts: nodeParts({ kind: 3, packs: [], items: [packItem(packA), packItem(packB)] }),
    }),
    vector('ok-inner-pack-list', {
      expect: 'ok',
      covers: 'NODE-7',
      comment: 'an inner node of a pack list',
      result: {
        kind: 'pack-list',
        leaf: false,
        height: 1,
        packs: [packA],
        items: [{ lastPack: packB, packsBelow: 3, node: { pack: packA, name: nameC } }],
      },
      parts: inner(3, innerPack(packB)),
    }),
    vector('pack-list-equal', {
      covers: 'NODE-9',
      comment: 'a pack twice',
      parts: nodeParts({ kind: 3, packs: [], items: [packItem(packA), packItem(packA)] }),
    }),
    vector('pack-list-descending', {
      covers: 'NODE-9',
      comment: 'packs that descend',
      parts: nodeParts({ kind: 3, packs: [], items: [packItem(packB), packItem(packA)] }),
    }),
    vector('pack-list-table', {
      covers: 'NODE-9',
      comment: 'a leaf with a pack table',
      parts: nodeParts({ kind: 3, items: [packItem(packA)] }),
    }),
    vector('inner-names-equal', { covers: 'NODE-7', comment: 'a last name twice', parts: inner(1, innerName('m'), innerName('m')) }),
    vector('inner-names-descending', {
      covers: 'NODE-7',
      comment: 'last names that descend',
      parts: inner(1, innerName('m'), innerName('l')),
    }),
    vector('inner-packs-equal', { covers: 'NODE-7', comment: 'a last pack twice', parts: inner(3, innerPack(packA), innerPack(packA)) }),
    vector('inner-name-slash', { covers: 'ENTRY-1', comment: 'a last name with a slash', parts: inner(1, innerName('a/b')) }),
    vector('ok-extents', {
      expect: 'ok',
      covers: 'NODE-10',
      comment: 'data, a hole of 1 TiB, and zeros',
      result: {
        kind: 'content',
        leaf: true,
        height: 0,
        packs: [packA],
        items: [
          { kind: 'data', length: 5, pack: packA, name: nameC },
          { kind: 'hole', length: 2 ** 40 },
          { kind: 'zeros', length: 1 },
        ],
      },
      parts: nodeParts({
        kind: 2,
        items: [
          ['data', dataExtent],
          ['hole', concat(u8(1), varint(2 ** 40))],
          ['zeros', concat(u8(2), varint(1))],
        ],
      }),
    }),
    vector('extent-kind', { covers: 'NODE-10', comment: 'kind 3', parts: extent(u8(3), varint(5), reference) }),
    vector('extent-empty', { covers: 'NODE-10', comment: 'a hole of length 0', parts: extent(u8(1), varint(0)) }),
    vector('extent-data-empty', { covers: 'NODE-10', comment: 'data of length 0', parts: extent(u8(0), varint(0), reference) }),
  ];
}

function trees(): Vector[] {
  const link = { type: 3, name: text('link'), fields: prefixed(text('../hello')) };
  const subdirectory = { type: 2, name: text('sub'), fields: concat(u8(1), varint(1), nameD, varint(3), varint(4096)) };
  const items = [
    {
      type: 1,
      name: text('hello'),
      mode: 0o644,
      userName: 1,
      mtime: concat(svarint(1_700_000_000), varint(123_456_789)),
      inode: 300,
      fields: inlineFile,
    },
    link,
    subdirectory,
  ];
  return [
    vector('ok-directory', {
      expect: 'ok',
      covers: 'ENTRY-2 ENTRY-3 NODE-4',
      comment: 'a file, a symbolic link and a directory',
      result: directoryResult(
        [
          {
            ...fifoResult,
            name: text('hello'),
            type: 'file',
            mode: 0o644,
            userName: 'root',
            mtime: { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
            inode: 300,
            size: 5,
            content: { form: 'inline', extents: [{ kind: 'data', length: 5, pack: packA, name: nameC }] },
          },
          { ...fifoResult, name: text('link'), type: 'symlink', target: text('../hello') },
          { ...fifoResult, name: text('sub'), type: 'directory', node: { pack: packB, name: nameD }, filesBelow: 3, bytesBelow: 4096 },
        ],
        [packA, packB],
      ),
      parts: nodeParts({ packs: [packA, packB], strings: [text('root')], items: items.map(entry) }),
    }),
    vector('ok-inner-directory', {
      expect: 'ok',
      covers: 'NODE-7',
      comment: 'an inner node of a directory',
      result: {
        kind: 'directory',
        leaf: false,
        height: 1,
        packs: [packA],
        items: [
          { lastName: text('m'), entriesBelow: 3, node: { pack: packA, name: nameC } },
          { lastName: text('z'), entriesBelow: 70_000, node: { pack: packA, name: counting(32) } },
        ],
      },
      parts: nodeParts({
        height: 1,
        items: [
          ['m', concat(prefixed(text('m')), varint(3), reference)],
          ['z', concat(prefixed(text('z')), varint(70_000), varint(0), counting(32))],
        ],
      }),
    }),
  ];
}
