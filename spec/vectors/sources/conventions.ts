/** Numbers, CBOR, object names and features. */
import { type Part, text, type Vector } from '../_vector.ts';
import { cbor, hexPart } from './_pieces.ts';

type Short = readonly [name: string, expect: string, hex: string, comment: string, covers: string, result?: unknown];

export const conventions = (): Vector[] => [
  ...numbers('varint', [
    ['ok-0', 'ok', '00', 'zero', 'CONV-1', 0],
    ['ok-127', 'ok', '7f', 'the greatest of one byte', 'CONV-1', 127],
    ['ok-128', 'ok', '8001', 'the least of two bytes', 'CONV-1', 128],
    ['ok-16383', 'ok', 'ff7f', 'the greatest of two bytes', 'CONV-1', 16383],
    ['ok-16384', 'ok', '808001', 'the least of three bytes', 'CONV-1', 16384],
    ['ok-2-32', 'ok', '8080808010', '2^32', 'CONV-1', 4294967296],
    ['ok-2-53', 'ok', 'ffffffffffffff0f', '2^53 - 1', 'CONV-2', 9007199254740991],
    ['ok-2-64', 'ok', 'ffffffffffffffffff01', 'the greatest of all', 'CONV-2', '18446744073709551615'],
    ['long-0', 'malformed', '8000', 'zero in two bytes', 'CONV-1'],
    ['long-127', 'malformed', 'ff00', '127 in two bytes', 'CONV-1'],
    ['long-2-56', 'malformed', '808080808080808000', 'a last byte of zero after eight', 'CONV-1'],
    ['over-2-64', 'malformed', '80808080808080808002', '2^64', 'CONV-2'],
    ['eleven-bytes', 'malformed', '8080808080808080808001', 'eleven bytes', 'CONV-2'],
    ['truncated', 'malformed', 'ffffff', 'no last byte', 'CONV-3'],
    ['empty', 'malformed', '', 'nothing at all', 'CONV-3'],
    ['trailing', 'malformed', '0100', 'a byte after the number', 'CONV-3'],
  ]),
  ...numbers('svarint', [
    ['ok-0', 'ok', '00', 'zero', 'CONV-5', 0],
    ['ok-minus-1', 'ok', '01', 'the second before 1970', 'CONV-5', -1],
    ['ok-1', 'ok', '02', 'one', 'CONV-5', 1],
    ['ok-1901', 'ok', 'ffffffff0f', '-2^31: 1901', 'CONV-5', -2147483648],
    ['ok-2106', 'ok', '8080808020', '2^32: after 2106', 'CONV-5', 4294967296],
    ['ok-least', 'ok', 'fdffffffffffff1f', '-(2^53 - 1)', 'CONV-5', -9007199254740991],
    ['ok-greatest', 'ok', 'feffffffffffff1f', '2^53 - 1', 'CONV-5', 9007199254740991],
    ['beyond', 'limit-exceeded', 'ffffffffffffffffff01', '-2^63: beyond the range of this reader', 'CONV-4'],
  ]),
  ...numbers('cbor', [
    ['ok-map', 'ok', 'a26161016162f6', '{"a": 1, "b": null}', 'CBOR-1', { a: 1, b: null }],
    ['ok-big', 'ok', '1bffffffffffffffff', '2^64 - 1', 'CBOR-1', '18446744073709551615'],
    ['ok-negative', 'ok', '3863', '-100', 'CBOR-1', -100],
    ['ok-depth-16', 'ok', `${'81'.repeat(15)}80`, '16 lists within each other', 'CBOR-5', JSON.parse('['.repeat(16) + ']'.repeat(16))],
    ['depth-17', 'malformed', `${'81'.repeat(16)}80`, '17 lists within each other', 'CBOR-5'],
    ['depth-bomb', 'malformed', '81'.repeat(4096), '4,096 lists within each other, and no end', 'CBOR-5'],
    ['long-integer', 'malformed', '1801', '1 in two bytes', 'CBOR-1'],
    ['long-length', 'malformed', '580161', 'a byte string of 1 whose length takes two bytes', 'CBOR-1'],
    ['unsorted-keys', 'malformed', 'a2616201616101', 'key "b" before "a"', 'CBOR-1'],
    ['unsorted-lengths', 'malformed', 'a262616101616201', 'key "aa" before "b": the shorter encoding comes first', 'CBOR-1'],
    ['trailing', 'malformed', '0101', 'a byte after the value', 'CBOR-1'],
    ['duplicate-key', 'malformed', 'a2616101616102', 'key "a" twice', 'CBOR-3'],
    ['float', 'malformed', 'f93c00', '1.0 as float', 'CBOR-2'],
    ['tag', 'malformed', 'c100', 'a tag', 'CBOR-2'],
    ['undefined', 'malformed', 'f7', 'undefined', 'CBOR-2'],
    ['indefinite-list', 'malformed', '9fff', 'a list of indefinite length', 'CBOR-2'],
    ['indefinite-bytes', 'malformed', '5f4100ff', 'a byte string of indefinite length', 'CBOR-2'],
    ['simple', 'malformed', 'f0', 'simple value 16', 'CBOR-2'],
    ['text-not-utf-8', 'malformed', '61ff', 'text that is not UTF-8', 'CBOR-2'],
    ['text-surrogate', 'malformed', '63eda080', 'text with half a surrogate pair', 'CBOR-2'],
    ['integer-key', 'malformed', 'a10101', 'a key that is no text', 'CBOR-2'],
    ['truncated-list', 'malformed', '9b00ffffffffffffff', 'a list of 2^56 items, of which none is there', 'CONV-3'],
    ['truncated-bytes', 'malformed', '5affffffff00', 'a byte string of 4 GiB, of which one byte is there', 'CONV-3'],
    ['empty', 'malformed', '', 'nothing at all', 'CONV-3'],
  ]),
  ...names(),
  ...features(),
];

function numbers(container: string, list: readonly Short[]): Vector[] {
  return list.map(([name, expect, hex, comment, covers, result]) => ({
    container,
    name,
    expect,
    comment,
    covers: covers.split(' '),
    result,
    parts: [hexPart('', hex)],
  }));
}

function names(): Vector[] {
  const id = '00112233445566778899aabbccddeeff';
  const collectorId = `8${id.slice(1)}`;
  const good: [string, string, unknown][] = [
    ['format', 'owner/format', { type: 'format' }],
    ['configuration', 'owner/config/0000000a', { type: 'configuration', number: 10 }],
    ['key-slot', `owner/keys/${id}`, { type: 'key-slot', id }],
    ['keyring', 'owner/keyring/00000001-metadata', { type: 'keyring', number: 1, grants: 'metadata' }],
    ['annotation', `owner/annotations/${id}/00000002`, { type: 'annotation', snapshot: id, number: 2 }],
    ['writer-pack', `writer/packs/00/${id}`, { type: 'pack', id, role: 'writer' }],
    ['collector-pack', `collector/packs/80/${collectorId}`, { type: 'pack', id: collectorId, role: 'collector' }],
    [
      'session-index',
      `writer/index/000000000000000f/${id}.00000001-00000003`,
      { type: 'session-index', generation: 15, session: id, from: 1, to: 3 },
    ],
    ['snapshot', `writer/snapshots/001fffffffffffff/${id}`, { type: 'snapshot', generation: 9007199254740991, session: id }],
    [
      'checkpoint',
      `writer/checkpoints/0000000000000000/${id}.ffffffff`,
      { type: 'checkpoint', generation: 0, session: id, number: 4294967295 },
    ],
    ['root', 'collector/roots/0000000000000001', { type: 'root', number: 1 }],
    ['base-index', `collector/index/${id}`, { type: 'base-index', id }],
  ];
  const bad: [string, string, string, string][] = [
    ['upper-case', `owner/keys/${id.toUpperCase()}`, 'upper-case digits', 'NAME-1'],
    ['short-number', 'collector/roots/1', 'a number without its zeros', 'NAME-1'],
    ['big-generation', `writer/snapshots/0020000000000000/${id}`, 'generation 2^53', 'NAME-1'],
    ['reversed-range', `writer/index/000000000000000f/${id}.00000003-00000001`, 'a range that ends before it begins', 'NAME-1'],
    ['trailing', `owner/keys/${id}.tmp`, 'something after the id', 'NAME-1'],
    ['other-role', `owner/snapshots/0000000000000000/${id}`, 'a snapshot under the prefix of the owner', 'NAME-1'],
    ['wrong-fan-out', `writer/packs/01/${id}`, 'a folder that is not the first digits of the id', 'NAME-1'],
    ['collector-id-of-writer', `writer/packs/80/${collectorId}`, 'the id of a collector under the prefix of writers', 'NAME-2'],
    ['writer-id-of-collector', `collector/packs/00/${id}`, 'the id of a writer under the prefix of the collector', 'NAME-2'],
    ['empty', '', 'no name', 'NAME-1'],
  ];
  const ids: [string, string, string, string][] = [
    ['bare-id', `writer/snapshots/0000000000000001/${id}`, id, 'a name that ends in a bare id'],
    ['root', 'collector/roots/0000000000000001', '351210260bd90f8b65c704455a8108cf', 'SHA-256 of the name'],
    ['checkpoint', `writer/checkpoints/0000000000000001/${id}.00000001`, '4c6a8c8ab07056aa9327d8048dd519b1', 'SHA-256 of the name'],
  ];
  return [
    ...good.map(([name, value, result]) => ({
      container: 'object-name',
      name: `ok-${name}`,
      expect: 'ok',
      covers: ['NAME-1'],
      comment: value,
      result,
      parts: namePart(value),
    })),
    ...bad.map(([name, value, comment, rule]) => ({
      container: 'object-name',
      name,
      expect: 'ok',
      covers: [rule],
      comment: `no name of the format: ${comment}`,
      result: null,
      parts: namePart(value),
    })),
    ...ids.map(([name, value, result, comment]) => ({
      container: 'object-id',
      name: `ok-${name}`,
      expect: 'ok',
      covers: ['NAME-3'],
      comment,
      result,
      parts: namePart(value),
    })),
  ];
}

function namePart(value: string): Part[] {
  return [[value, text(value)]];
}

function features(): Vector[] {
  const sets = (ignore: string[], readOnly: string[], refuse: string[]) => ({ ignore, readOnly, refuse });
  const file = (features: unknown) => [['format file', cbor({ lagan: 1, repository: new Uint8Array(16), features })] as Part];
  const access: [string, object, string, string, string][] = [
    ['none', sets([], [], []), '', 'write', 'FEAT-1'],
    ['unknown-ignore', sets(['x'], [], []), '', 'write', 'FEAT-1'],
    ['unknown-read-only', sets([], ['x'], []), '', 'read', 'FEAT-2'],
    ['known-read-only', sets([], ['x'], []), 'x', 'write', 'FEAT-2'],
    ['unknown-refuse', sets([], [], ['x']), '', 'none', 'FEAT-3'],
    ['one-of-two-known', sets([], [], ['x', 'y']), 'x', 'none', 'FEAT-3'],
    ['all-three', sets(['a'], ['b'], ['c']), '', 'none', 'FEAT-3'],
    ['read-only-of-three', sets(['a'], ['b'], ['c']), 'c', 'read', 'FEAT-2'],
  ];
  const within: [string, object, object, string][] = [
    ['ok-equal', sets(['a'], [], ['b']), sets(['a'], [], ['b']), 'ok'],
    ['ok-more-inside', sets([], [], []), sets(['a'], ['c'], ['b']), 'ok'],
    ['added-outside', sets([], [], ['b']), sets(['b'], [], []), 'malformed'],
  ];
  return [
    ...access.map(([name, value, known, result, rule]) => ({
      container: 'access',
      name,
      expect: 'ok',
      covers: [rule],
      comment: `a program that knows: ${known || 'nothing'}`,
      inputs: { known },
      result,
      parts: file(value),
    })),
    ...within.map(([name, outer, inner, expect]) => ({
      container: 'features-within',
      name,
      expect,
      covers: ['FEAT-5'],
      comment: 'the clear sets against the sealed ones',
      inputs: { inner: JSON.stringify(inner) },
      result: true,
      parts: file(outer),
    })),
  ];
}
