/** Entries of directories: names, fields, files, extensions. */
import { concat, filled, fromHex, join, prefixed, svarint, text, u8, type Vector, varint } from '../_vector.ts';
import { dataExtent, directoryResult, type EntryFields, entry, fifoResult, leaf, nodeParts, reference, vector } from './_nodes.ts';
import { cbor, nameC, packA, packB, parts } from './_pieces.ts';

export const entryVectors = (): Vector[] => [...entries(), ...files(), ...extensions()];

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
      result: result({ size: 0, content: { form: 'none' } }, []),
      parts: nodeParts({ packs: [], items: [entry(file(varint(0), u8(0)))] }),
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
