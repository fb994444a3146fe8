/** What no vector can show: errors about bytes that have no object's name, arguments that are mistakes of ours, and what only writers do. */
import t from 'tap';
import * as format from '../../repo-format/mod.ts';
import { readVectorFiles } from '../spec/_vector-files.ts';
import { entryFields } from '../spec/entry-fields.ts';
import { encodedAgain } from './_encoders.ts';

const bytes = (size: number, value = 1) => new Uint8Array(size).fill(value);
const id = format.idFromBytes(bytes(16));
const time = { seconds: 1, nanoseconds: 2 };

/** Wrong only where more is known of it: a name, or what another object says. */
const byContext = /name-mismatch|session|generation|number|contents-offset|end|below|first-name|rows|ordinal|page|other|contents\/packs/;

t.test('every decoder: bytes without a name are rejected as those with one', async (t) => {
  for (const { path, vector } of readVectorFiles()) {
    const again = encodedAgain[vector.container];
    if (vector.expect === 'ok' || again === undefined || byContext.test(path)) continue;
    if (['key-slot', 'keyring', 'text-key'].includes(vector.container)) continue;
    t.throws(() => again(vector.bytes, vector.header), { name: 'LaganError' }, path);
  }
});

t.test('decodeKeySlot, openKeySlot: without a name the id may be any', async (t) => {
  const key = bytes(32, 3);
  const description = { id: id as unknown as format.ObjectId, repositoryId: bytes(16), label: 'l', created: time, grants: 'full' } as const;
  const slot = { ...description, kind: 'key-file', salt: bytes(32) } as const;
  const stored = format.encodeKeySlot(slot, { keyEncryptionKey: key, accessKey: bytes(32, 4), nonce: bytes(12) });
  t.same(Buffer.from(format.openKeySlot(format.decodeKeySlot(stored), key)), Buffer.from(bytes(32, 4)));
  t.equal(format.decodeKeySlot(stored, 'somewhere/else').id, id, 'a name that is none of a slot');
  t.throws(() => format.openKeySlot(format.decodeKeySlot(stored), bytes(32, 5)), { code: 'wrong-key' });
  const keys = { keyEncryptionKey: key, accessKey: bytes(31), nonce: bytes(12) };
  t.throws(() => format.encodeKeySlot(slot, keys), RangeError);
});

t.test('decodeKeyring: what was sealed for this repository names another, or no name is known', async (t) => {
  const place = { repositoryId: bytes(16), number: 0, accessKey: bytes(32) };
  const payload = format.encodeCbor({
    version: 1,
    grants: 'full',
    number: 0,
    newest: 0,
    epochs: [{ epoch: 0, master: bytes(32) }],
    repository: bytes(16, 9),
  });
  const text = (value: string) => new TextEncoder().encode(value);
  const additionalData = format.concatBytes([text('lagan keyring'), bytes(16), bytes(4, 0), text('full')]);
  const sealed = format.sealAead({ key: bytes(32), nonce: bytes(12), additionalData }, payload);
  t.throws(() => format.decodeKeyring(format.concatBytes([bytes(12), sealed]), 'full', place), { code: 'malformed' });
  for (const size of [0, 11, 12, 27, 28])
    t.throws(() => format.decodeKeyring(bytes(size), 'full', place), { code: 'authentication-failed' });
});

t.test('errors say "bytes", "object" or "node" where no name is known', async (t) => {
  const header = format.sealedHeader({ kind: 'hold', epoch: 0, repositoryId: bytes(16), objectId: bytes(16), salt: bytes(32) });
  const broken = (at: number, value: number) => header.with(at, value);
  t.throws(() => format.parseSealedHeader(broken(7, 2)), { code: 'repository-too-new', offset: 7, found: 2 });
  t.throws(() => format.parseSealedHeader(broken(7, 0)), { code: 'malformed', offset: 7 });
  t.throws(() => format.parseSealedHeader(broken(6, 99)), { code: 'malformed', offset: 6, expected: 'a kind of 1 to 14' });
  t.throws(() => format.parseSealedHeader(broken(6, 99), { kind: 'hold' }), { code: 'malformed', expected: 'hold' });
  t.throws(() => format.parseSealedHeader(header, { kind: 'root' }), { code: 'malformed' });
  t.throws(() => format.parseSealedHeader(header, { repositoryId: bytes(16, 2) }), { code: 'name-mismatch' });
  t.throws(() => format.parseSealedHeader(header, { objectId: bytes(16, 2) }), { code: 'name-mismatch' });
  t.throws(() => format.parseSealedHeader(header.subarray(1)), { code: 'malformed', offset: 79 });
  t.throws(() => format.parseSealedFooter(bytes(15)), { code: 'malformed', offset: 0 });
  t.throws(() => format.parseSealedFooter(bytes(16)), { code: 'malformed', offset: 12 });
  t.throws(() => format.openStoredSegment(bytes(32), header, { number: 0, offset: 80 }, bytes(3)), { code: 'malformed', offset: 80 });
  t.throws(() => format.openSegment(bytes(32), header, { number: 0, offset: 80 }, bytes(16)), { code: 'malformed' });
  const contents = { number: format.contentsSegmentNumber, offset: 80 };
  t.throws(() => format.openSegment(bytes(32), header, contents, bytes(17)), { code: 'authentication-failed', message: /the contents/ });
});

t.test('sealSegment, openSegment: into memory of the caller, which must suffice', async (t) => {
  const header = format.sealedHeader({ kind: 'hold', epoch: 0, repositoryId: bytes(16), objectId: bytes(16), salt: bytes(32) });
  const place = { number: 0, offset: 80 };
  const [plaintext, key] = [bytes(10), bytes(32)];
  const room = bytes(40, 0);
  const sealed = format.sealSegment(key, header, place, [plaintext], { into: room });
  t.equal(sealed.buffer, room.buffer);
  t.equal(sealed.length, 30);
  t.throws(() => format.sealSegment(key, header, place, [plaintext], { into: bytes(29) }), RangeError);
  t.same(Buffer.from(format.openSegment(key, header, place, sealed.subarray(4), { into: bytes(10, 0) })), Buffer.from(plaintext));
  t.throws(() => format.openSegment(key, header, place, sealed.subarray(4), { into: bytes(9) }), RangeError);
});

t.test('expectBlock: every field must be that of the contents', async (t) => {
  const row = { offset: 80, sealedLength: 40, codec: 'raw', rawLength: 3, chunkLengths: Uint32Array.of(1, 2), names: bytes(64) } as const;
  const block = { codec: 'raw', rawLength: 3, chunkLengths: [1, 2], payload: bytes(3) } as const;
  format.expectBlock({ ...block, chunkLengths: [1, 2] }, row);
  for (const change of [
    { codec: 'zstd' as const },
    { rawLength: 4 },
    { chunkLengths: [2, 1] },
    { chunkLengths: [3] },
    { chunkLengths: [1, 2, 1] },
  ])
    t.throws(() => format.expectBlock({ ...block, chunkLengths: [1, 2], ...change }, row), { code: 'malformed', offset: 80 });
});

t.test('parseObjectName: numbers that no program can count to', async (t) => {
  for (const name of [
    `collector/roots/${'f'.repeat(16)}`,
    `writer/snapshots/${'f'.repeat(16)}/${id}`,
    `writer/checkpoints/${'f'.repeat(16)}/${id}.00000000`,
    `writer/index/${'f'.repeat(16)}/${id}.00000000-00000000`,
    `writer/index/${'0'.repeat(16)}/${id}.00000001-00000000`,
  ])
    t.equal(format.parseObjectName(name), null, name);
  for (const number of [-1, 1.5, Number.NaN, 2 ** 53]) t.throws(() => format.objectNames.root(number), RangeError);
  t.throws(() => format.objectNames.configuration(2 ** 32), RangeError);
});

t.test('ids and hex: what is none is a TypeError or RangeError', async (t) => {
  for (const text of ['', 'xyz', 'a', 'AB'.repeat(16), '0'.repeat(31), '0'.repeat(33)]) t.throws(() => format.idToBytes(text), TypeError);
  for (const text of ['a', 'xy', '0g']) t.throws(() => format.fromHex(text), TypeError);
  t.same([...format.fromHex('00fF')], [0, 255]);
  t.throws(() => format.idFromBytes(bytes(15)), RangeError);
  t.throws(() => format.idFromBytes(bytes(20), 5), RangeError);
  t.equal(format.idFromBytes(bytes(20, 10), 4), '0a'.repeat(16));
});

t.test('encodeRoot: a root has at most 64 KiB', async (t) => {
  const none = { baseIndex: null, catalogue: null, lost: null, condemned: null, doomed: null };
  const root = { number: 1, nonce: bytes(16), previous: null, generation: 1, floor: 0, phase: 'open', pastFloor: 0, ...none } as const;
  t.ok(format.encodeRoot(root).length < 300);
  t.throws(() => format.encodeRoot({ ...root, nonce: bytes(64 * 1024) }), RangeError);
});

t.test('compareTimes: by seconds, then by nanoseconds', async (t) => {
  const at = (seconds: number, nanoseconds: number) => ({ seconds, nanoseconds });
  t.ok(format.compareTimes(at(1, 9), at(2, 0)) < 0);
  t.ok(format.compareTimes(at(2, 0), at(1, 9)) > 0);
  t.ok(format.compareTimes(at(1, 8), at(1, 9)) < 0);
  t.equal(format.compareTimes(at(-1, 9), at(-1, 9)), 0);
});

t.test('NodeWriter: a clone ends by itself, and the packs are told in the order of their use', async (t) => {
  const other = format.idFromBytes(bytes(16, 2));
  const writer = new format.NodeWriter('content', 0);
  writer.addExtent({ kind: 'data', length: 1, pack: other, name: bytes(32) });
  writer.addExtent({ kind: 'data', length: 2, pack: id, name: bytes(32) });
  t.same(writer.packs, [other, id]);
  const clone = writer.clone();
  writer.addExtent({ kind: 'hole', length: 3 });
  t.equal(clone.itemCount, 2);
  t.equal(clone.sizeBytes, clone.clone().finish().length);
  t.match(format.decodeNode(clone.finish()), { kind: 'content', height: 0, packs: [other, id], items: [{ length: 1 }, { length: 2 }] });
  t.equal(clone.itemCount, 0, 'it is empty afterwards');
  t.same(clone.packs, []);
  t.equal(format.decodeNode(writer.finish()).items.length, 3);
  const named = new format.NodeWriter('directory', 0);
  const fields = { mode: 0, uid: 0, gid: 0, groupName: 'g', mtime: time, ctime: time, inode: 1, extensions: format.noExtensions };
  named.addEntry({ ...fields, name: bytes(1, 97), type: 'fifo', userName: 'u' });
  const copy = named.clone();
  copy.addEntry({ ...fields, name: bytes(1, 98), type: 'fifo', userName: 'u' });
  t.match(format.decodeNode(copy.finish()).items, [{ userName: 'u' }, { userName: 'u', groupName: 'g' }]);
});

t.test('expectChild: nothing in a child comes before the end of the child before it', async (t) => {
  const reference = { pack: id, name: bytes(32) };
  const name = (text: string) => new TextEncoder().encode(text);
  const entry = (text: string) => ({ ...entryFields, name: name(text), type: 'fifo' as const });
  const decoded = (node: Parameters<typeof format.encodeNode>[0]) => format.decodeNode(format.encodeNode(node));
  const inner = (lastNames: string[], height = 1) =>
    decoded({ kind: 'directory', height, items: lastNames.map((last) => ({ lastName: name(last), entriesBelow: 1, node: reference })) });
  const leaf = (...names: string[]) => decoded({ kind: 'directory', height: 0, items: names.map(entry) });
  const parent = inner(['b', 'd']);
  format.expectChild(parent, 0, leaf('a', 'b'));
  format.expectChild(parent, 1, leaf('c', 'd'));
  for (const wrong of [leaf('a', 'd'), leaf('b', 'd'), leaf('c'), inner(['d'])]) {
    t.throws(() => format.expectChild(parent, 1, wrong), { code: 'malformed' });
  }
  const above = inner(['b', 'd'], 2);
  format.expectChild(above, 1, inner(['c', 'd']));
  t.throws(() => format.expectChild(above, 1, inner(['b', 'd'])), { code: 'malformed' });
  const ids = [1, 2, 3].map((value) => format.idFromBytes(bytes(16, value)));
  const packs = (...items: format.PackId[]) => decoded({ kind: 'pack-list', height: 0, items });
  const list = decoded({
    kind: 'pack-list',
    height: 1,
    items: ids.slice(0, 2).map((lastPack) => ({ lastPack, packsBelow: 1, node: reference })),
  });
  format.expectChild(list, 1, packs(ids[1]!));
  t.throws(() => format.expectChild(list, 1, packs(ids[0]!, ids[1]!)), { code: 'malformed' });
  t.throws(() => format.expectChild(list, 1, packs(ids[2]!), 'a name'), { code: 'malformed', object: 'a name' });
  const content = decoded({ kind: 'content', height: 1, items: [{ bytesBelow: 5, node: reference }] });
  format.expectChild(content, 0, decoded({ kind: 'content', height: 0, items: [{ kind: 'hole', length: 5 }] }));
  t.throws(() => format.expectChild(content, 0, leaf('a')), { code: 'malformed' });
});

t.test('Field: values of another type, and numbers beyond what they may be', async (t) => {
  const annotation = (change: object) => format.encodeCbor({ version: 1, tags: null, description: null, time: [1, 2], ...change });
  t.match(format.decodeAnnotation(annotation({})), { tags: null, description: null, time: { seconds: 1, nanoseconds: 2 } });
  for (const value of [1, [1], [1, 2, 3], ['1', 2], [1, '2'], [1, -1], [1, 2n ** 60n], {}, null])
    t.throws(() => format.decodeAnnotation(annotation({ time: value })), { name: 'LaganError' });
  t.throws(() => format.decodeAnnotation(annotation({ time: [2n ** 60n, 0] })), { code: 'limit-exceeded', offset: 12 });
  t.throws(() => format.decodeAnnotation(annotation({ time: [1, 10 ** 9] })), { code: 'limit-exceeded' });
  t.throws(() => format.decodeAnnotation(annotation({ description: 'x'.repeat(65_537) })), { code: 'limit-exceeded', found: 65_537 });
  t.throws(() => format.decodeAnnotation(annotation({ description: 5 })), { code: 'malformed', found: '5' });
  t.throws(() => format.decodeAnnotation(annotation({ tags: 'tag' })), { code: 'malformed', found: '"tag"' });
  t.throws(() => format.decodeAnnotation(annotation({ tags: new Array(1025).fill('') })), { code: 'limit-exceeded', found: 1025 });
  const { snapshots: _, ...empty } = { snapshots: [], until: null, reason: '' };
  t.throws(() => format.decodeHold(format.encodeCbor({ version: 1, ...empty })), { code: 'malformed', found: 'missing' });
  t.throws(() => format.decodeHold(format.encodeCbor([])), { code: 'malformed', found: 'a list of 0' });
  t.throws(() => format.decodeHold(format.encodeCbor({ version: 2, ...empty })), { code: 'repository-too-new', expected: 1, found: 2 });
  t.throws(() => format.decodeHold(format.encodeCbor({ version: 0, ...empty })), { code: 'malformed' });
  const contents = { rows: 0, packs: 0, sampleRows: 0, firstNames: bytes(0), replaced: [5], older: [], leftOut: [] };
  for (const replaced of [[5], [[bytes(16)]], [[bytes(16), [], 1]], [{}]])
    t.throws(() => format.decodeIndexContents(format.encodeCbor({ ...contents, replaced })), { code: 'malformed' });
});

t.test('NodeWriter: what no node can be', async (t) => {
  for (const height of [-1, 33, 0.5]) t.throws(() => new format.NodeWriter('content', height), RangeError);
  t.throws(() => new format.NodeWriter('content', 32).finish(), RangeError);
  const writer = new format.NodeWriter('content', 0);
  t.throws(() => writer.addExtent({ kind: 'data', length: 1, pack: id, name: bytes(31) }), RangeError);
});

t.test('encodeIndexPage, writeRow: ordinals of 32 bits, names from anywhere', async (t) => {
  const page = new Uint8Array(2 * 36);
  format.writeRow(page, 0, { name: bytes(32, 7), packOrdinal: 0xfedcba98 });
  format.writeRow(page, 1, { name: bytes(40, 8), nameOffset: 8, packOrdinal: 1 });
  t.equal(format.packOrdinalAt(page, 0), 0xfedcba98);
  t.equal(format.findInPage(page, bytes(32, 8)), 1);
  t.equal(format.findInPage(page, bytes(32, 9)), -1);
  t.same(Buffer.from(format.encodeIndexPage(format.concatBytes([bytes(32, 7), bytes(32, 8)]), [0xfedcba98, 1])), Buffer.from(page));
});

t.test('a typing mistake in several places of a key has no group', async (t) => {
  const text = format.encodeTextKey('key', bytes(32, 0x5a));
  const spoiled = text.replace(
    /-1 (.)(.....)-(.)/,
    (_, first, rest, second) => `-1 ${first === '7' ? '8' : '7'}${rest}-${second === '7' ? '8' : '7'}`,
  );
  t.throws(() => format.decodeTextKey('key', spoiled), { code: 'malformed-key', message: /more than one place/ });
});

t.test('decodeNode: what is refused says where, what was found and what would be right', async (t) => {
  const silent: string[] = [];
  for (const { path, vector } of readVectorFiles()) {
    if (vector.container !== 'node' || vector.expect !== 'malformed') continue;
    try {
      format.decodeNode(vector.bytes, 'a name');
    } catch (error) {
      const { expected, object, offset, message } = error as format.LaganError;
      if (expected === undefined) silent.push(path);
      t.ok(object === 'a name' && message.startsWith('a name: ') && offset! <= vector.bytes.length, path);
    }
  }
  t.same(
    silent.filter((path) => !/varint|xattr|mode-long/.test(path)),
    [],
  );
});

t.test('decodeNode: offsets of single bytes that are wrong', async (t) => {
  const fields = { ...entryFields, mode: 0, mtime: time, ctime: time };
  const name = new TextEncoder().encode('a');
  const leaf = (entry: format.Entry) => format.encodeNode({ kind: 'directory', height: 0, items: [entry] });
  const empty = leaf({ ...fields, name, type: 'directory', node: null, filesBelow: 0, bytesBelow: 0 });
  const file = leaf({ ...fields, name, type: 'file', size: 0, content: format.noContent });
  const device = { ...fields, name, type: 'block-device', major: 8, minor: 300 } as const;
  t.match(format.decodeNode(leaf(device)).items, [{ type: 'block-device', major: 8, minor: 300 }]);
  t.match(format.decodeNode(leaf({ ...device, type: 'character-device' })).items, [{ type: 'character-device', major: 8, minor: 300 }]);
  // Header of 6 bytes, length of the entry, length and byte of its name, then its type.
  const typeAt = 9;
  t.throws(() => format.decodeNode(empty.with(typeAt, 9)), { code: 'malformed', offset: typeAt, found: 9, expected: '1 to 7' });
  // Mode, two ids, two names, two times of two bytes each, inode.
  const fieldsAt = typeAt + 1 + 5 + 4 + 1;
  t.equal(empty[fieldsAt], 0, 'no node');
  t.throws(() => format.decodeNode(empty.with(fieldsAt, 2)), { code: 'malformed', offset: fieldsAt, found: 2 });
  t.throws(() => format.decodeNode(file.with(fieldsAt + 1, 3)), { code: 'malformed', offset: fieldsAt + 1, found: 3, expected: '0 to 2' });
  t.throws(() => format.decodeNode(file.with(fieldsAt, 1)), { code: 'malformed', offset: fieldsAt, expected: 1, found: 0 });
  t.throws(() => format.decodeNode(empty.with(6, 127)), { code: 'malformed', found: 127, expected: `at most ${empty.length - 7}` });
  t.throws(() => format.decodeNode(empty.with(6, empty[6]! - 1)), { code: 'malformed', expected: empty.length - 1, found: empty.length });
});

t.test('ByteReader, ByteWriter: numbers at the edges of their ranges', async (t) => {
  const read = (...values: number[]) => new format.ByteReader(Uint8Array.from(values), 'a name');
  t.throws(() => read().varint(), { code: 'malformed', offset: 0, expected: 1, found: 0, message: /^a name: / });
  t.throws(() => read(0x80).varint(), { code: 'malformed', expected: 2, found: 1 });
  const continued = new Array<number>(8).fill(0xff);
  t.throws(() => read(...continued).bigVarint(), { code: 'malformed', expected: 9, found: 8 });
  t.throws(() => read(...continued, 0xff, 0xff, 0x01).bigVarint(), { code: 'malformed', expected: 'at most 64 bits' });
  t.throws(() => read(...continued.slice(1), 0x7f).varint(5, 'thing'), {
    code: 'limit-exceeded',
    expected: 5,
    message: /^a name: thing is/,
  });
  t.equal(read(0x80, 0x80, 0x01).varint(), 16_384);
  t.throws(() => read(0, 0, 0).expectItems(4, 1, 'things'), { code: 'malformed', expected: 'at most 3', found: 4 });
  t.throws(() => read(0, 0, 0).expectItems(2, 2, 'things'), { code: 'malformed', expected: 'at most 1', found: 2 });
  read(0, 0, 0).expectItems(3, 1, 'things');

  const write = (run: (writer: format.ByteWriter) => void) => {
    const writer = new format.ByteWriter(1);
    run(writer);
    return format.toHex(writer.finish());
  };
  t.equal(
    write((writer) => writer.u32(0xfedcba98)),
    '98badcfe',
  );
  t.equal(
    write((writer) => writer.u64(0)),
    '00'.repeat(8),
  );
  t.equal(
    write((writer) => writer.u64(2n ** 64n - 1n)),
    'ff'.repeat(8),
  );
  t.equal(
    write((writer) => writer.varint(0x10000000)),
    '8080808001',
  );
  t.equal(
    write((writer) => writer.varint(2 ** 53 - 1)),
    'ffffffffffffff0f',
  );
  t.equal(
    write((writer) => writer.bigVarint(2n ** 53n)),
    '8080808080808010',
  );
  t.equal(
    write((writer) => writer.bigVarint(2n ** 53n - 1n)),
    'ffffffffffffff0f',
  );
  t.equal(
    write((writer) => writer.bigVarint(5n)),
    '05',
  );
  t.equal(
    write((writer) => writer.bigVarint(2n ** 64n - 1n)),
    'ffffffffffffffffff01',
  );
  t.equal(
    write((writer) => writer.svarint(0)),
    '00',
  );
  t.equal(
    write((writer) => writer.svarint(0n)),
    '00',
  );
  t.equal(
    write((writer) => writer.svarint(-(2n ** 63n))),
    'ffffffffffffffffff01',
  );
  t.equal(
    write((writer) => writer.svarint(2n ** 63n - 1n)),
    'feffffffffffffffff01',
  );
  for (const value of [-1, -1n, 2n ** 64n]) t.throws(() => write((writer) => writer.u64(value)), RangeError);
  for (const value of [-1, 0.5, 2 ** 53]) t.throws(() => write((writer) => writer.varint(value)), RangeError);
  t.throws(() => write((writer) => writer.bigVarint(2n ** 64n)), RangeError);
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) t.throws(() => write((writer) => writer.svarint(value)), RangeError);
  t.throws(() => write((writer) => writer.svarint(0.5)), RangeError);
  t.ok(format.equalBytes(bytes(3), bytes(3)) && !format.equalBytes(bytes(3), bytes(3, 2)) && !format.equalBytes(bytes(3), bytes(4)));
  const growing = new format.ByteWriter(4);
  growing.raw(bytes(5));
  t.equal(growing.bytes.length, 8, 'it doubles');
});

t.test('decodeNode: an item may begin a MiB after the first, and none further', async (t) => {
  const idOf = (index: number) => index.toString(16).padStart(32, '0') as format.PackId;
  const range = <T>(count: number, item: (index: number) => T) => Array.from({ length: count }, (_, index) => item(index));
  const decode = (kind: format.NodeKind, height: number, items: format.Node['items']) =>
    format.decodeNode(format.encodeNode({ kind, height, items })).items.length;
  t.equal(decode('pack-list', 0, range(65_537, idOf)), 65_537, 'the last begins there');
  const tooMany = { code: 'malformed', expected: 'items that begin within 1048576 bytes' } as const;
  t.throws(() => decode('pack-list', 0, range(65_538, idOf)), tooMany);
  const node = { pack: id, name: bytes(32) };
  const lists = range(27_000, (index) => ({ lastPack: idOf(index), packsBelow: 1, node }));
  t.throws(() => decode('pack-list', 1, lists), tooMany);
  const nameOf = (index: number) => new TextEncoder().encode(String(100_000 + index));
  t.throws(
    () =>
      decode(
        'directory',
        1,
        range(27_000, (index) => ({ lastName: nameOf(index), entriesBelow: 1, node })),
      ),
    tooMany,
  );
  const fields = { ...entryFields, mode: 0, mtime: time, ctime: time };
  t.throws(
    () =>
      decode(
        'directory',
        0,
        range(60_000, (index) => ({ ...fields, name: nameOf(index), type: 'fifo' as const })),
      ),
    tooMany,
  );
  t.throws(
    () =>
      decode(
        'content',
        1,
        range(40_000, () => ({ bytesBelow: 1, node })),
      ),
    tooMany,
  );
  const { nodeSizeBytes } = format.limits;
  t.throws(() => format.decodeNode(bytes(nodeSizeBytes + 1)), { code: 'malformed', expected: nodeSizeBytes, found: nodeSizeBytes + 1 });
  t.throws(() => format.decodeNode(bytes(nodeSizeBytes, 9)), { code: 'malformed', offset: 0, found: 9 }, 'as many bytes are looked at');
});

t.test('expectChild: contents have no order of their own', async (t) => {
  const node = { pack: id, name: bytes(32) };
  const items = [1, 2].map((bytesBelow) => ({ bytesBelow, node }));
  const parent = format.decodeNode(format.encodeNode({ kind: 'content', height: 1, items }));
  const child = format.decodeNode(format.encodeNode({ kind: 'content', height: 0, items: [{ kind: 'hole', length: 2 }] }));
  t.doesNotThrow(() => format.expectChild(parent, 1, child));
  t.throws(() => format.expectChild(parent, 1, parent, 'a name'), { code: 'malformed', message: /^a name: child 1/ });
});
