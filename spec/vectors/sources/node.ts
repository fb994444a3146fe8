/** Tree nodes and entries. */
import { concat, counting, filled, fromHex, join, type Part, prefixed, svarint, text, u8, type Vector, varint } from '../_vector.ts';
import { cbor, nameC, nameD, packA, packB, parts } from './_pieces.ts';

interface NodeFields {
  kind?: number;
  version?: number;
  height?: number;
  packs?: Uint8Array[];
  strings?: Uint8Array[];
  count?: number;
  items: Part[];
}

interface EntryFields {
  name?: Uint8Array;
  type?: number;
  mode?: number;
  uid?: number;
  userName?: number;
  mtime?: Uint8Array;
  inode?: number | bigint;
  /** The fields of the type. */
  fields?: Uint8Array;
  extensions?: (readonly [type: number, value: Uint8Array])[];
  /** Added to the length of the rest. */
  lengthError?: number;
  trailing?: Uint8Array;
}

const fifo = 4;
const time = concat(svarint(0), varint(0));
const reference = concat(varint(0), nameC);
const dataExtent = concat(u8(0), varint(5), reference);
const inlineFile = concat(varint(5), u8(1), varint(1), dataExtent);
const fifoResult = {
  name: text('a'),
  type: 'fifo',
  mode: 0,
  uid: 0,
  gid: 0,
  userName: '',
  groupName: '',
  mtime: { seconds: 0, nanoseconds: 0 },
  ctime: { seconds: 0, nanoseconds: 0 },
  inode: 1,
  extensions: {},
};

export const node = (): Vector[] => [...structure(), ...references(), ...lists(), ...entries(), ...files(), ...extensions(), ...trees()];

function vector(
  name: string,
  options: { expect?: string; covers: string; comment: string; offset?: number; result?: unknown; parts: Part[] },
): Vector {
  const { expect = 'malformed', covers, ...rest } = options;
  return { container: 'node', name, expect, covers: covers.split(' '), ...rest };
}

function nodeParts({ kind = 1, version = 1, height = 0, packs = [packA], strings = [], count, items }: NodeFields): Part[] {
  return [
    [`node kind ${kind}`, u8(kind)],
    ['version', u8(version)],
    [`height ${height}`, varint(height)],
    [`pack count ${packs.length}`, varint(packs.length)],
    ...packs.map((pack): Part => ['pack', pack]),
    [`string count ${strings.length}`, varint(strings.length)],
    ...strings.map((value): Part => [JSON.stringify(Buffer.from(value).toString('latin1')), prefixed(value)]),
    [`item count ${count ?? items.length}`, varint(count ?? items.length)],
    ...items,
  ];
}

function entry({
  name = text('a'),
  type = fifo,
  mode = 0,
  uid = 0,
  userName = 0,
  mtime = time,
  inode = 1,
  fields = text(''),
  extensions = [],
  lengthError = 0,
  trailing = text(''),
}: EntryFields): Part {
  const rest = concat(
    prefixed(name),
    u8(type),
    varint(mode),
    varint(uid),
    varint(0),
    varint(userName),
    varint(0),
    mtime,
    time,
    varint(inode),
    fields,
    varint(extensions.length),
    ...extensions.flatMap(([number, value]) => [varint(number), prefixed(value)]),
    trailing,
  );
  return [`entry ${JSON.stringify(Buffer.from(name).toString('latin1').slice(0, 16))}`, concat(varint(rest.length + lengthError), rest)];
}

/** A directory leaf with these entries. */
function leaf(...fields: EntryFields[]): Part[] {
  return nodeParts({ strings: [text('root')], items: fields.map(entry) });
}

function directoryResult(items: unknown[], packs = [packA]): unknown {
  return { kind: 'directory', leaf: true, height: 0, packs, items };
}

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

function entries(): Vector[] {
  const badName = (name: string, bytes: Uint8Array, comment: string, expect = 'malformed') =>
    vector(`name-${name}`, { expect, covers: 'ENTRY-1', comment, parts: leaf({ name: bytes }) });
  const ok = (name: string, covers: string, comment: string, fields: EntryFields, change: object) =>
    vector(`ok-${name}`, { expect: 'ok', covers, comment, result: directoryResult([{ ...fifoResult, ...change }]), parts: leaf(fields) });
  const at = (seconds: number, nanoseconds: number) => ({ mtime: concat(svarint(seconds), varint(nanoseconds)) });
  return [
    ok('name-255', 'ENTRY-1', 'a name of 255 bytes', { name: filled(255, 0x61) }, { name: filled(255, 0x61) }),
    ok('name-not-utf-8', 'ENTRY-1', 'a name that is not UTF-8, with a line feed', { name: fromHex('ff0afe') }, { name: fromHex('ff0afe') }),
    ok('name-dots', 'ENTRY-1', "a name '...'", { name: text('...') }, { name: text('...') }),
    ok(
      '1901',
      'CONV-5',
      'an mtime in 1901, half a second after the full one',
      { ...at(-2147483649, 500000000) },
      { mtime: { seconds: -2147483649, nanoseconds: 500000000 } },
    ),
    ok(
      '2446',
      'CONV-5 CONV-6',
      'an mtime in 2446, with all nanoseconds',
      { ...at(15032385535, 999999999) },
      { mtime: { seconds: 15032385535, nanoseconds: 999999999 } },
    ),
    ok('inode', 'CONV-2', 'inode 2^64 - 1', { inode: 2n ** 64n - 1n }, { inode: '18446744073709551615' }),
    ok('mode', 'ENTRY-5', 'mode 07777 and uid 2^32 - 1', { mode: 0o7777, uid: 2 ** 32 - 1 }, { mode: 0o7777, uid: 2 ** 32 - 1 }),
    ok('user', 'ENTRY-6', 'a user name', { userName: 1 }, { userName: 'root' }),
    badName('empty', text(''), 'an empty name'),
    badName('dot', text('.'), "'.'"),
    badName('dot-dot', text('..'), "'..'"),
    badName('slash', text('a/b'), 'a slash'),
    badName('nul', text('a\0b'), 'a NUL'),
    badName('256', filled(256, 0x61), '256 bytes', 'limit-exceeded'),
    vector('order-equal', { covers: 'ENTRY-2', comment: 'a name twice', parts: leaf({}, {}) }),
    vector('order-descending', { covers: 'ENTRY-2', comment: 'b before a', parts: leaf({ name: text('b') }, { name: text('a') }) }),
    vector('order-prefix', { covers: 'ENTRY-2', comment: 'ab before a', parts: leaf({ name: text('ab') }, { name: text('a') }) }),
    vector('order-signed', {
      covers: 'ENTRY-2',
      comment: 'a byte of 0x80 before one of 0x7f',
      parts: leaf({ name: fromHex('80') }, { name: fromHex('7f') }),
    }),
    vector('length-short', { covers: 'ENTRY-3', comment: 'a length of one less', parts: leaf({ lengthError: -1 }) }),
    vector('length-long', {
      covers: 'ENTRY-3',
      comment: 'a length of one more, into the next entry',
      parts: leaf({ lengthError: 1 }, { name: text('b') }),
    }),
    vector('length-beyond', { covers: 'ENTRY-3 CONV-3', comment: 'a length beyond the node', parts: leaf({ lengthError: 1 }) }),
    vector('length-trailing', { covers: 'ENTRY-3', comment: 'a byte after the extensions', parts: leaf({ trailing: u8(0) }) }),
    vector('type-0', { covers: 'ENTRY-4', comment: 'type 0', parts: leaf({ type: 0 }) }),
    vector('type-8', { covers: 'ENTRY-4', comment: 'type 8', parts: leaf({ type: 8 }) }),
    vector('mode', { expect: 'limit-exceeded', covers: 'ENTRY-5', comment: 'mode 010000', parts: leaf({ mode: 0o10000 }) }),
    vector('uid', { expect: 'limit-exceeded', covers: 'ENTRY-5', comment: 'uid 2^32', parts: leaf({ uid: 2 ** 32 }) }),
    vector('device', {
      expect: 'limit-exceeded',
      covers: 'ENTRY-5',
      comment: 'major number 2^32',
      parts: leaf({ type: 6, fields: concat(varint(2 ** 32), varint(0)) }),
    }),
    vector('user', { covers: 'ENTRY-6', comment: 'user name 2 of one', parts: leaf({ userName: 2 }) }),
    vector('nanoseconds', { expect: 'limit-exceeded', covers: 'CONV-6', comment: '10^9 nanoseconds', parts: leaf(at(0, 1e9)) }),
    vector('mode-long', { covers: 'CONV-1', comment: 'a time whose second is 0 in two bytes', parts: leaf({ mtime: fromHex('800000') }) }),
    vector('link-target', {
      expect: 'limit-exceeded',
      covers: 'CONV-4',
      comment: 'a link target of 64 KiB + 1',
      parts: parts(join(leaf({ type: 3, fields: prefixed(filled(65537, 0x61)) }))),
    }),
  ];
}

function files(): Vector[] {
  const file = (...pieces: Uint8Array[]): EntryFields => ({ type: 1, fields: concat(...pieces) });
  const result = (change: object, packs = [packA]) => directoryResult([{ ...fifoResult, type: 'file', ...change }], packs);
  const readError = [6, cbor({ code: 'EIO', message: 'x' })] as const;
  const bad = (name: string, covers: string, comment: string, fields: EntryFields, expect = 'malformed') =>
    vector(name, { expect, covers, comment, parts: leaf(fields) });
  return [
    vector('ok-file-empty', {
      expect: 'ok',
      covers: 'ENTRY-8',
      comment: 'an empty file',
      result: result({ size: 0, content: { form: 'none' } }),
      parts: leaf(file(varint(0), u8(0))),
    }),
    vector('ok-file-node', {
      expect: 'ok',
      covers: 'ENTRY-9',
      comment: 'a big file that relies on two packs',
      result: result({ size: 2 ** 33, content: { form: 'node', node: { pack: packA, name: nameC }, height: 1, packs: [packB, packA] } }, [
        packA,
        packB,
      ]),
      parts: nodeParts({
        packs: [packA, packB],
        items: [entry(file(varint(2 ** 33), u8(2), varint(1), reference, varint(2), varint(1), varint(0)))],
      }),
    }),
    vector('ok-file-not-listed', {
      expect: 'ok',
      covers: 'ENTRY-9',
      comment: 'a very big file whose packs are not listed',
      result: result({ size: 2 ** 50, content: { form: 'node', node: { pack: packA, name: nameC }, height: 3, packs: [] } }),
      parts: leaf(file(varint(2 ** 50), u8(2), varint(3), reference, varint(0))),
    }),
    vector('ok-file-read-error', {
      expect: 'ok',
      covers: 'ENTRY-8',
      comment: 'a file of 9 bytes of which 5 could be read',
      result: result({
        size: 9,
        content: { form: 'inline', extents: [{ kind: 'data', length: 5, pack: packA, name: nameC }] },
        extensions: { readError: { code: 'EIO', message: 'x' } },
      }),
      parts: leaf({ type: 1, fields: concat(varint(9), u8(1), varint(1), dataExtent), extensions: [readError] }),
    }),
    bad('file-too-short', 'ENTRY-8', 'a file of 6 bytes with a content of 5', file(varint(6), u8(1), varint(1), dataExtent)),
    bad('file-too-long', 'ENTRY-8', 'a file of 4 bytes with a content of 5', file(varint(4), u8(1), varint(1), dataExtent)),
    bad('file-no-content', 'ENTRY-8', 'a file of 1 byte without content', file(varint(1), u8(0))),
    bad('file-form', 'ENTRY-7', 'content form 3', file(varint(0), u8(3))),
    bad('file-no-extents', 'ENTRY-7', 'content form 1 without extents', file(varint(0), u8(1), varint(0))),
    bad('file-many-extents', 'CONV-4', '65,537 extents', file(varint(0), u8(1), varint(65537)), 'limit-exceeded'),
    bad('file-more-extents-than-bytes', 'CONV-3', '65,536 extents in no bytes', file(varint(0), u8(1), varint(65536))),
    bad('file-many-packs', 'CONV-4', '4,097 packs', file(varint(5), u8(2), varint(0), reference, varint(4097)), 'limit-exceeded'),
    bad('file-pack-index', 'NODE-5', 'a pack beyond the table', file(varint(5), u8(2), varint(0), reference, varint(1), varint(1))),
    bad('directory-presence', 'ENTRY-7', 'a presence byte of 2', { type: 2, fields: concat(u8(2), varint(0), varint(0)) }),
  ];
}

function extensions(): Vector[] {
  const xattr = (name: string, value: string) => concat(prefixed(text(name)), prefixed(text(value)));
  const bad = (name: string, covers: string, comment: string, list: EntryFields['extensions'], expect = 'malformed') =>
    vector(`extension-${name}`, { expect, covers, comment, parts: leaf({ extensions: list! }) });
  const ok = (name: string, covers: string, comment: string, list: EntryFields['extensions'], value: object) =>
    vector(`ok-extension-${name}`, {
      expect: 'ok',
      covers,
      comment,
      result: directoryResult([{ ...fifoResult, extensions: value }]),
      parts: leaf({ extensions: list! }),
    });
  const shown = { seconds: -1, nanoseconds: 1 };
  return [
    ok(
      'all',
      'EXT-1 EXT-3 EXT-4',
      'one of each type',
      [
        [1, concat(varint(2), xattr('user.a', ''), xattr('user.b', 'v'))],
        [2, concat(varint(2), varint(64769))],
        [3, varint(0x10)],
        [4, concat(svarint(-1), varint(1))],
        [5, varint(7)],
        [6, cbor({ code: 'EIO', message: 'x' })],
        [7, concat(svarint(-1), varint(1))],
      ],
      {
        xattrs: [
          { name: text('user.a'), value: text('') },
          { name: text('user.b'), value: text('v') },
        ],
        link: { count: 2, device: 64769 },
        flags: 16,
        birthTime: shown,
        projectId: 7,
        readError: { code: 'EIO', message: 'x' },
        accessTime: shown,
      },
    ),
    ok(
      'unknown',
      'EXT-2',
      'types 8 and 2^32 - 1',
      [
        [8, text('later')],
        [2 ** 32 - 1, text('')],
      ],
      {
        unknown: [
          { type: 8, value: text('later') },
          { type: 2 ** 32 - 1, value: text('') },
        ],
      },
    ),
    bad('order', 'EXT-1', 'type 3 before type 2', [
      [3, varint(1)],
      [2, concat(varint(1), varint(1))],
    ]),
    bad('twice', 'EXT-1', 'type 3 twice', [
      [3, varint(1)],
      [3, varint(1)],
    ]),
    bad('type-0', 'EXT-1', 'type 0', [[0, text('')]]),
    bad('trailing', 'EXT-3', 'a byte after the flags', [[3, concat(varint(1), u8(0))]]),
    bad('short', 'EXT-3', 'a link identity without device', [[2, varint(1)]]),
    bad('empty-value', 'EXT-3', 'flags without value', [[3, text('')]]),
    bad('xattr-order', 'EXT-4', 'user.b before user.a', [[1, concat(varint(2), xattr('user.b', ''), xattr('user.a', ''))]]),
    bad('xattr-twice', 'EXT-4', 'user.a twice', [[1, concat(varint(2), xattr('user.a', ''), xattr('user.a', ''))]]),
    bad('xattr-no-name', 'EXT-4', 'an empty name', [[1, concat(varint(1), xattr('', 'v'))]]),
    bad('no-xattrs', 'EXT-3', 'a list without xattrs', [[1, varint(0)]]),
    bad('many-xattrs', 'CONV-3', '65,536 xattrs in no bytes', [[1, varint(65536)]]),
    bad('read-error-cbor', 'CBOR-1', 'a read error that is not CBOR of the format', [[6, fromHex('a1616180')]]),
    bad(
      '65',
      'CONV-4',
      '65 extensions',
      Array.from({ length: 65 }, (_, index) => [index + 100, text('')] as const),
      'limit-exceeded',
    ),
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
