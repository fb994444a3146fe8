import t from 'tap';
import {
  idFromBytes,
  idToBytes,
  isCollectorPack,
  type ObjectId,
  objectIdOf,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type SessionId,
  toHex,
} from '../../repo-format/mod.ts';

const id = '0123456789abcdef0123456789abcdef';
const pack = id as PackId;
const collectorPack = `f${id.slice(1)}` as PackId;
const session = id as SessionId;
const object = id as ObjectId;

const names: [string, object][] = [
  [objectNames.format, { type: 'format' }],
  [objectNames.configuration(0), { type: 'configuration', number: 0 }],
  [objectNames.keySlot(object), { type: 'key-slot', id }],
  [objectNames.keyring(2 ** 32 - 1, 'full'), { type: 'keyring', number: 2 ** 32 - 1, grants: 'full' }],
  [objectNames.hold(object), { type: 'hold', id }],
  [objectNames.deletionMark(object), { type: 'deletion-mark', id }],
  [objectNames.annotation(session, 3), { type: 'annotation', snapshot: id, number: 3 }],
  [objectNames.pack(pack), { type: 'pack', id, role: 'writer' }],
  [objectNames.pack(collectorPack), { type: 'pack', id: collectorPack, role: 'collector' }],
  [objectNames.sessionIndex(5, session, 1, 9), { type: 'session-index', generation: 5, session: id, from: 1, to: 9 }],
  [objectNames.snapshot(Number.MAX_SAFE_INTEGER, session), { type: 'snapshot', generation: Number.MAX_SAFE_INTEGER, session: id }],
  [objectNames.checkpoint(5, session, 2), { type: 'checkpoint', generation: 5, session: id, number: 2 }],
  [objectNames.damageReport(object), { type: 'damage-report', id }],
  [objectNames.verification(object), { type: 'verification', id }],
  [objectNames.root(7), { type: 'root', number: 7 }],
  [objectNames.baseIndex(object), { type: 'base-index', id }],
  [objectNames.catalogue(object), { type: 'catalogue', id }],
  [objectNames.lostList(object), { type: 'lost-list', id }],
];

t.test('parseObjectName: understands every name that objectNames makes', async (t) => {
  for (const [name, expected] of names) t.same(parseObjectName(name), expected, name);
});

t.test('objectPrefixes: each name but the format file has exactly one', async (t) => {
  const prefixes = Object.values(objectPrefixes);
  for (const [name] of names.slice(1)) t.equal(prefixes.filter((prefix) => name.startsWith(prefix)).length, 1, name);
});

t.test('objectIdOf: differs between all names', async (t) => {
  const seen = new Set(names.map(([name]) => toHex(objectIdOf(name))));
  const bare = names.filter(([name]) => name.endsWith(`/${id}`)).length;
  t.equal(seen.size, names.length - bare + 1, 'names that end in the same bare id share it, and their kinds differ');
  t.equal(toHex(objectIdOf(objectNames.snapshot(1, session))), id);
});

t.test('objectNames: numbers that do not fit are RangeErrors', async (t) => {
  t.throws(() => objectNames.configuration(2 ** 32), RangeError);
  t.throws(() => objectNames.root(-1), RangeError);
  t.throws(() => objectNames.root(2 ** 53), RangeError);
  t.throws(() => objectNames.root(0.5), RangeError);
});

t.test('idFromBytes, idToBytes: hex and back; bad arguments throw', async (t) => {
  t.equal(idFromBytes(idToBytes(id)), id);
  t.equal(idFromBytes(new Uint8Array([9, ...idToBytes(id)]), 1), id);
  t.throws(() => idToBytes(id.toUpperCase()), TypeError);
  t.throws(() => idFromBytes(new Uint8Array(15)), RangeError);
  t.same(
    ['7f', '80', '00', 'ff'].map((first) => isCollectorPack((first + id.slice(2)) as PackId)),
    [false, true, false, true],
  );
});
