/** Header, segments, footer. */
import { concat, fromHex, join, type Part, patched, toHex, u32, u64, type Vector } from '../_vector.ts';
import { cbor, classKey, type HeaderFields, headerParts, objectId, objectKey, repositoryId, salt, segmentParts } from './_pieces.ts';

const payload = cbor({ version: 1, chunks: [], packs: [] });
const header = join(headerParts());
const good = [...headerParts(), ...segmentParts(header, { number: 0, offset: 80 }, payload)];
const goodBytes = join(good);
const opened = { header: { kind: 'lost-list', epoch: 1, repositoryId, objectId, salt }, payload };

type Case = readonly [
  name: string,
  expect: string,
  covers: string,
  comment: string,
  parts: readonly Part[],
  inputs?: Record<string, string>,
  offset?: number,
];

export const sealed = (): Vector[] => [
  vector(['ok-lost-list', 'ok', 'SEAL-7 SEAL-8 SEAL-10', 'a lost list that is empty', good]),
  vector(['truncated-header', 'malformed', 'SEAL-1', '79 bytes', whole(goodBytes.subarray(0, 79)), {}, 79]),
  vector(['empty', 'malformed', 'SEAL-1', 'an empty file', whole(new Uint8Array(0)), {}, 0]),
  vector(['magic', 'malformed', 'SEAL-1', 'another magic', resealed({ magic: fromHex('4c4147414e00') }), {}, 0]),
  vector(['version-2', 'repository-too-new', 'SEAL-2 FEAT-4', 'version 2', resealed({ version: 2 }), {}, 7]),
  vector(['version-0', 'malformed', 'SEAL-2', 'version 0', resealed({ version: 0 }), {}, 7]),
  vector(['kind-0', 'malformed', 'SEAL-3', 'kind 0', resealed({ kind: 0 }), {}, 6]),
  vector(['kind-14', 'malformed', 'SEAL-3', 'a kind that does not exist', resealed({ kind: 14 }), {}, 6]),
  vector(['kind-other', 'malformed', 'SEAL-3', 'an annotation under the name of a lost list', resealed({ kind: 13 }), {}, 6]),
  vector(['reserved', 'malformed', 'SEAL-4', 'a reserved bit', resealed({ reserved: 1 << 16 }), {}, 12]),
  vector(['repository', 'name-mismatch', 'SEAL-5', 'the object of another repository', good, { repository: toHex(objectId) }, 16]),
  vector(['object-id', 'name-mismatch', 'SEAL-6', 'an object under another name', good, { objectId: toHex(repositoryId) }, 32]),
  vector([
    'epoch',
    'authentication-failed',
    'SEAL-7',
    'a changed epoch (the key of epoch 2 is the same here)',
    whole(patched(goodBytes, 8, [2])),
    {},
    80,
  ]),
  vector(['salt', 'authentication-failed', 'SEAL-7', 'a changed salt', whole(patched(goodBytes, 79, [0])), {}, 80]),
  vector([
    'class-key',
    'authentication-failed',
    'SEAL-8',
    'another class key',
    good,
    { classKey: toHex(classKey.map((byte) => byte ^ 1)) },
    80,
  ]),
  vector(['ciphertext', 'authentication-failed', 'SEAL-10', 'a changed bit of the ciphertext', whole(flipped(84)), {}, 80]),
  vector(['tag', 'authentication-failed', 'SEAL-10', 'a changed bit of the tag', whole(flipped(goodBytes.length - 1)), {}, 80]),
  vector([
    'number',
    'authentication-failed',
    'SEAL-11',
    'sealed as segment 1',
    [...headerParts(), ...segmentParts(header, { number: 1, offset: 80 }, payload)],
    {},
    80,
  ]),
  vector([
    'offset',
    'authentication-failed',
    'SEAL-11',
    'sealed for offset 84',
    [...headerParts(), ...segmentParts(header, { number: 0, offset: 84 }, payload)],
    {},
    80,
  ]),
  vector([
    'empty-plaintext',
    'malformed',
    'SEAL-12',
    'an empty plaintext',
    [...headerParts(), ...segmentParts(header, { number: 0, offset: 80 }, new Uint8Array(0))],
    {},
    80,
  ]),
  vector(['length-short', 'malformed', 'SEAL-12', 'a length of 16', whole(patched(goodBytes, 80, u32(16))), {}, 80]),
  vector([
    'length-long',
    'malformed',
    'SEAL-12',
    'a length beyond the file by one',
    whole(patched(goodBytes, 80, u32(goodBytes.length - 83))),
    {},
    80,
  ]),
  vector(['length-huge', 'malformed', 'SEAL-12 CONV-3', 'a length of 4 GiB', whole(patched(goodBytes, 80, u32(0xffffffff))), {}, 80]),
  vector(['truncated', 'malformed', 'SEAL-12', 'the last byte is missing', whole(goodBytes.subarray(0, -1)), {}, 80]),
  vector(['truncated-length', 'malformed', 'SEAL-12', 'the length field is not whole', whole(goodBytes.subarray(0, 83)), {}, 80]),
  vector(['only-header', 'malformed', 'SEAL-12', 'no segment', whole(goodBytes.subarray(0, 80)), {}, 80]),
  vector(['trailing', 'malformed', 'SEAL-13', 'a byte after the segment', [...good, ['one byte more', new Uint8Array(1)]], {}, 80]),
  ...segments(),
  ...footers(),
];

function vector([name, expect, covers, comment, parts, inputs = {}, offset]: Case): Vector {
  const all = { kind: 'lost-list', classKey: toHex(classKey), repository: toHex(repositoryId), objectId: toHex(objectId), ...inputs };
  return { container: 'sealed', name, expect, offset, covers: covers.split(' '), comment, inputs: all, result: opened, parts };
}

function whole(bytes: Uint8Array): Part[] {
  return [['', bytes]];
}

/** With other header fields, sealed as if they were right: only the field is wrong. */
function resealed(fields: HeaderFields): Part[] {
  const other = headerParts(fields);
  return [...other, ...segmentParts(join(other), { number: 0, offset: 80 }, payload)];
}

function flipped(at: number): Uint8Array {
  return patched(goodBytes, at, [goodBytes[at]! ^ 1]);
}

function segments(): Vector[] {
  const key = toHex(objectKey(header));
  const plaintext = fromHex('6c6167616e');
  const make = (
    name: string,
    options: { number: number; offset: number; claimed?: number; expect?: string; covers: string; comment: string },
  ): Vector => ({
    container: 'segment',
    name,
    expect: options.expect ?? 'ok',
    offset: options.expect === undefined ? undefined : (options.claimed ?? options.offset),
    covers: options.covers.split(' '),
    comment: options.comment,
    result: plaintext,
    inputs: { key, header: toHex(header), number: options.number, segmentOffset: options.claimed ?? options.offset },
    parts: segmentParts(header, options, plaintext),
  });
  return [
    make('ok-second', { number: 1, offset: 8192, covers: 'SEAL-11', comment: 'segment 1 at offset 8,192' }),
    make('ok-contents', { number: 0xffffffff, offset: 2 ** 33, covers: 'SEAL-11', comment: 'a contents segment, beyond 4 GiB' }),
    make('moved', {
      number: 1,
      offset: 8192,
      claimed: 80,
      expect: 'authentication-failed',
      covers: 'SEAL-11',
      comment: 'a segment that was moved to another offset',
    }),
  ];
}

function footers(): Vector[] {
  const bytes = (offset: number | bigint, length: number, magic = 0x4e41474c): Part[] => [
    ['contents offset', u64(offset)],
    ['contents length', u32(length)],
    ['magic', u32(magic)],
  ];
  const make = (name: string, expect: string, covers: string, comment: string, parts: Part[], offset?: number): Vector => ({
    container: 'footer',
    name,
    expect,
    offset,
    covers: covers.split(' '),
    comment,
    inputs: { fileSize: 1000, limit: 850 },
    result: { offset: 180, length: 800 },
    parts,
  });
  return [
    make('ok', 'ok', 'SEAL-16', 'a file of 1,000 bytes', bytes(180, 800)),
    make('magic', 'malformed', 'SEAL-15', 'another magic', bytes(180, 800, 0x4e41474d), 996),
    make('gap', 'malformed', 'SEAL-16', 'contents that end a byte before the footer', bytes(180, 799), 984),
    make('overlap', 'malformed', 'SEAL-16', 'contents that reach into the footer', bytes(180, 801), 984),
    make('in-header', 'malformed', 'SEAL-16', 'contents that begin in the header', bytes(79, 901), 984),
    make('huge-offset', 'malformed', 'SEAL-16', 'an offset of 2^64 - 1', bytes(2n ** 64n - 1n, 800), 984),
    make('short', 'malformed', 'SEAL-16 SEAL-12', 'a length of 16', bytes(964, 16), 992),
    make('limit', 'limit-exceeded', 'SEAL-16 CONV-4', 'a length of one above the limit', bytes(129, 851), 992),
    make('truncated', 'malformed', 'SEAL-15', '15 bytes', [['', concat(...bytes(180, 800).map(([, part]) => part)).subarray(0, 15)]], 984),
  ];
}
