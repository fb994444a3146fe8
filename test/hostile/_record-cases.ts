/** Snapshots, roots, index tables, keys and lists that say what no writer says. */
import { argon2Sync, createHash, randomBytes } from 'node:crypto';
import * as format from '../../repo-format/mod.ts';
import { emptySnapshot, type Forge } from '../spec/_forge.ts';
import { noise } from '../spec/_noise.ts';
import { directory, fileEntry, type HostileCase, nextRoot, plannedPack, snapshotOf, snapshotOfNode, textBytes, time } from './_case.ts';

const newId = <Id extends string = format.ObjectId>() => format.idFromBytes<Id>(randomBytes(16));

/** A snapshot's object of any CBOR. */
async function rawSnapshot(forge: Forge, change: (fields: Record<string, unknown>) => unknown): Promise<void> {
  const session = newId<format.SessionId>();
  const fields = format.decodeCbor(format.encodeSnapshot(emptySnapshot(session))).value as Record<string, unknown>;
  await forge.seal(format.objectNames.snapshot(0, session), 'snapshot', format.encodeCbor(change({ ...fields })));
}

const keys = Object.keys(format.decodeCbor(format.encodeSnapshot(emptySnapshot(newId<format.SessionId>()))).value as object);
const mayBeMissing = new Set(['tree', 'packs', 'parent']);
const fieldCases: HostileCase[] = keys.flatMap((key) => [
  ...(mayBeMissing.has(key)
    ? []
    : [
        {
          name: `a snapshot without ${key}`,
          expect: 'malformed' as const,
          build: (forge: Forge) => rawSnapshot(forge, ({ [key]: _, ...rest }) => rest),
        },
      ]),
  {
    name: `a snapshot whose ${key} is of another type`,
    expect: ['malformed', 'repository-too-new'],
    build: (forge: Forge) => rawSnapshot(forge, (fields) => ({ ...fields, [key]: key === 'partial' ? 1 : true })),
  },
]);

const MiB = 1024 * 1024;
const nested = (depth: number): unknown => (depth === 0 ? 0 : [nested(depth - 1)]);
const cborCases: HostileCase[] = [
  {
    name: 'a snapshot with 100,000 arrays in each other',
    expect: 'malformed',
    build: (forge) => {
      const session = newId<format.SessionId>();
      return forge.seal(format.objectNames.snapshot(0, session), 'snapshot', new Uint8Array(100_000).fill(0x81));
    },
  },
  {
    name: 'a snapshot with an array that says 2^60 items',
    expect: 'malformed',
    build: (forge) => {
      const session = newId<format.SessionId>();
      return forge.seal(format.objectNames.snapshot(0, session), 'snapshot', Uint8Array.of(0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0));
    },
  },
  {
    name: 'a snapshot with a text that says 2^60 bytes',
    expect: 'malformed',
    build: (forge) => {
      const session = newId<format.SessionId>();
      return forge.seal(format.objectNames.snapshot(0, session), 'snapshot', Uint8Array.of(0x7b, 0x10, 0, 0, 0, 0, 0, 0, 0));
    },
  },
  {
    name: 'extensions of 2 million numbers',
    expect: 'harmless',
    build: (forge) => rawSnapshot(forge, (fields) => ({ ...fields, extensions: { much: new Array(2_000_000).fill(1) } })),
  },
  {
    name: 'extensions of 300,000 keys',
    expect: 'harmless',
    build: (forge) =>
      rawSnapshot(forge, (fields) => ({
        ...fields,
        extensions: Object.fromEntries(Array.from({ length: 300_000 }, (_, index) => [`key ${index}`, index])),
      })),
  },
  {
    name: 'extensions with the key __proto__',
    expect: 'harmless',
    build: (forge) => rawSnapshot(forge, (fields) => ({ ...fields, extensions: JSON.parse('{"__proto__": {"polluted": true}}') })),
  },
  {
    name: 'extensions with keys of objects',
    expect: 'harmless',
    build: (forge) =>
      rawSnapshot(forge, (fields) => ({ ...fields, extensions: { constructor: 1, toString: 2, hasOwnProperty: 3, length: 4 } })),
  },
  {
    name: 'extensions in each other, 12 times',
    expect: 'harmless',
    build: (forge) => rawSnapshot(forge, (fields) => ({ ...fields, extensions: { deep: nested(12) } })),
  },
  {
    name: 'a host of 60 MiB',
    expect: 'limit-exceeded',
    build: (forge) => rawSnapshot(forge, (fields) => ({ ...fields, host: 'x'.repeat(60 * MiB) })),
  },
  {
    name: 'a hold of 1,048,577 snapshots',
    expect: 'limit-exceeded',
    build: (forge) => {
      const snapshots = new Array(1_048_577).fill(new Uint8Array(16));
      return forge.seal(format.objectNames.hold(newId()), 'hold', format.encodeCbor({ version: 1, snapshots, until: null, reason: '' }));
    },
  },
];

const texts = '\u001b]0;title\u0007\u001b[2J\r\n\u202egnp.exe\u0000';
const far = { seconds: Number.MAX_SAFE_INTEGER, nanoseconds: 999_999_999 };
const before = { seconds: -Number.MAX_SAFE_INTEGER, nanoseconds: 0 };
const outside = ['/..', '/../../beside', '../beside', '', '/', '/a\0b', 'relative'].map(textBytes);
const snapshotChanges: Readonly<Record<string, Partial<format.Snapshot>>> = {
  'of the year 285 million': { started: far, ended: far },
  'before the universe': { started: before, ended: before },
  'that ended before it began': { started: far, ended: before },
  'with texts for a terminal': { host: texts, user: texts, description: texts, program: texts, source: texts, tags: [texts] },
  'of paths outside of any target': { paths: outside },
  'with 1,024 tags': { tags: Array.from({ length: 1024 }, (_, index) => `tag ${index}`) },
  'with 20,000 paths': { paths: Array.from({ length: 20_000 }, (_, index) => textBytes(`/path ${index}`)) },
  'with numbers as great as they may be': {
    statistics: Object.fromEntries(
      Object.keys(emptySnapshot(newId<format.SessionId>()).statistics).map((key) => [key, Number.MAX_SAFE_INTEGER]),
    ) as never,
  },
  'that is partial': { partial: true },
  'whose list is held by packs that are nowhere': { listPacks: [plannedPack(), plannedPack()] },
};
const snapshotCases: HostileCase[] = [
  ...Object.entries(snapshotChanges).map(([what, change]) => ({
    name: `a snapshot ${what}`,
    expect: 'harmless' as const,
    build: (forge: Forge) => snapshotOfNode(forge, directory([fileEntry('f')]), { change }),
  })),
  {
    name: 'a snapshot that is its own parent',
    expect: 'harmless',
    build: (forge) => {
      const session = newId<format.SessionId>();
      return snapshotOfNode(forge, directory([fileEntry('f')]), { change: { session, parent: session } }).catch(() => undefined);
    },
  },
  {
    name: 'a list of packs that says more than it has',
    expect: 'malformed',
    build: async (forge) => {
      const [tree] = await forge.nodes([directory([fileEntry('f')])]);
      const [list] = await forge.nodes([format.encodeNode({ kind: 'pack-list', height: 0, items: [tree!.pack] })]);
      await snapshotOf(forge, { tree: tree!, packs: { ...list!, height: 0, count: Number.MAX_SAFE_INTEGER }, listPacks: [list!.pack] });
    },
  },
  {
    name: 'a list of packs that is its own child',
    expect: 'malformed',
    build: async (forge) => {
      const [tree] = await forge.nodes([directory([fileEntry('f')])]);
      const list = { pack: plannedPack(), name: noise(32, 'list') };
      const items = [{ lastPack: tree!.pack, packsBelow: 1, node: list }];
      const node = format.encodeNode({ kind: 'pack-list', height: 1, items });
      await forge.pack('metadata-pack', [{ chunks: [node], names: [list.name] }], { id: list.pack });
      await snapshotOf(forge, { tree: tree!, packs: { ...list, height: 1, count: 1 }, listPacks: [list.pack] });
    },
  },
  {
    name: 'a list of packs without those that the tree needs',
    expect: 'malformed',
    build: async (forge) => {
      const [tree] = await forge.nodes([directory([fileEntry('f')])]);
      const [list] = await forge.nodes([format.encodeNode({ kind: 'pack-list', height: 0, items: [plannedPack()] })]);
      await snapshotOf(forge, { tree: tree!, packs: { ...list!, height: 0, count: 1 }, listPacks: [list!.pack] });
    },
  },
  {
    name: '500 snapshots of one tree',
    expect: 'harmless',
    build: async (forge) => {
      const [tree] = await forge.nodes([directory([fileEntry('f')])]);
      const [list] = await forge.nodes([format.encodeNode({ kind: 'pack-list', height: 0, items: [tree!.pack] })]);
      for (let index = 0; index < 500; index++)
        await snapshotOf(forge, { tree: tree!, packs: { ...list!, height: 0, count: 1 }, listPacks: [list!.pack] });
    },
  },
];

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());
const gone = () => ({ id: newId(), hash: noise(32, 'hash') });

async function catalogueOf(forge: Forge, payload: Uint8Array): Promise<format.ObjectReference> {
  const id = newId();
  return { id, hash: sha256(await forge.seal(format.objectNames.catalogue(id), 'catalogue', payload)) };
}

/** A base index table without rows; its reference's hash is what is asked for if a table is to refer to itself. */
async function baseTable(
  forge: Forge,
  change: Partial<format.IndexContents>,
  id: format.ObjectId = newId(),
): Promise<format.ObjectReference> {
  const contents = { rows: 0, packs: 0, sampleRows: 0, firstNames: new Uint8Array(0), replaced: [], older: [], leftOut: [], ...change };
  const name = format.objectNames.baseIndex(id);
  const filter = new Uint8Array(format.filterBlockCount(contents.rows) * format.filterLayout.blockSizeBytes);
  await forge.segmented(name, 'index-table', { segments: [filter], contents: format.encodeIndexContents(contents) });
  return { id, hash: sha256(await forge.storage.get(name)) };
}

const rootCases: HostileCase[] = [
  ...(['baseIndex', 'catalogue', 'lost', 'condemned', 'doomed'] as const).map(
    (key): HostileCase => ({
      name: `a root whose ${key} is nowhere`,
      expect: 'object-missing',
      build: (forge) => nextRoot(forge, { [key]: gone() }),
    }),
  ),
  {
    name: 'a root of the greatest number',
    expect: 'harmless',
    build: (forge) =>
      forge.seal(format.objectNames.root(Number.MAX_SAFE_INTEGER), 'root', rootPayload({ number: Number.MAX_SAFE_INTEGER })),
  },
  {
    name: 'a root of the greatest generation',
    expect: 'harmless',
    build: (forge) => nextRoot(forge, { generation: Number.MAX_SAFE_INTEGER, floor: 0 }),
  },
  {
    name: 'a catalogue with 100,000 snapshots that are nowhere',
    expect: ['object-missing', 'name-mismatch', 'malformed'],
    build: async (forge) => {
      const snapshots = Array.from({ length: 100_000 }, (_, index) => ({
        id: format.idFromBytes<format.SnapshotId>(noise(16, `${index}`)),
        generation: 0,
        object: new Uint8Array(0),
      }));
      await nextRoot(forge, {
        floor: 1,
        generation: 1,
        pastFloor: 1,
        catalogue: await catalogueOf(forge, format.encodeCatalogue({ snapshots })),
      });
    },
  },
  {
    name: 'a catalogue whose snapshots are noise',
    expect: 'malformed',
    build: async (forge) => {
      const snapshots = [{ id: newId<format.SnapshotId>(), generation: 0, object: noise(300, 'object') }];
      await nextRoot(forge, {
        floor: 1,
        generation: 1,
        pastFloor: 1,
        catalogue: await catalogueOf(forge, format.encodeCatalogue({ snapshots })),
      });
    },
  },
  {
    name: 'a base index that comes after itself',
    expect: ['authentication-failed', 'malformed'],
    build: async (forge) => {
      const id = newId();
      const own = await baseTable(forge, { older: [{ id, hash: noise(32, 'self') }] }, id);
      await nextRoot(forge, { baseIndex: own });
    },
  },
  {
    name: 'a pack that was replaced by itself, and is gone',
    expect: 'pack-missing',
    build: async (forge) => {
      const [pack] = await brokenTree(forge);
      await nextRoot(forge, { baseIndex: await baseTable(forge, { replaced: [{ pack: pack!, by: [pack!] }] }) });
    },
  },
  {
    name: 'packs that were replaced by each other, and are gone',
    expect: 'pack-missing',
    build: async (forge) => {
      const [pack] = await brokenTree(forge);
      const other = plannedPack();
      const replaced = [
        { pack: pack!, by: [other] },
        { pack: other, by: [pack!] },
      ];
      await nextRoot(forge, { baseIndex: await baseTable(forge, { replaced }) });
    },
  },
  {
    name: 'a pack that was replaced by 50,000 that are gone',
    expect: 'pack-missing',
    build: async (forge) => {
      const [pack] = await brokenTree(forge);
      const by = Array.from({ length: 50_000 }, (_, index) => format.idFromBytes(noise(16, `by ${index}`)));
      await nextRoot(forge, { baseIndex: await baseTable(forge, { replaced: [{ pack: pack!, by }] }) });
    },
  },
  {
    name: 'all packs are left out',
    expect: 'harmless',
    build: async (forge) => {
      await snapshotOfNode(forge, directory([fileEntry('f')]));
      const leftOut = Array.from({ length: 10_000 }, (_, index) => format.idFromBytes(noise(16, `out ${index}`)));
      await nextRoot(forge, { baseIndex: await baseTable(forge, { leftOut }) });
    },
  },
  {
    name: 'an index table that says 2^32 − 1 rows, and has none',
    expect: 'malformed',
    build: async (forge) => nextRoot(forge, { baseIndex: await baseTable(forge, { sampleRows: 0, packs: 2 ** 32 - 1 }) }),
  },
];

/** A snapshot whose tree is in a pack that is gone. */
async function brokenTree(forge: Forge): Promise<format.PackId[]> {
  const tree = { pack: plannedPack(), name: noise(32, 'tree') };
  const [list] = await forge.nodes([format.encodeNode({ kind: 'pack-list', height: 0, items: [tree.pack] })]);
  await snapshotOf(forge, { tree, packs: { ...list!, height: 0, count: 1 }, listPacks: [list!.pack] });
  return [tree.pack];
}

function rootPayload(change: Partial<format.Root>): Uint8Array {
  const references = { baseIndex: null, catalogue: null, lost: null, condemned: null, doomed: null };
  const numbers = { number: 1, generation: 1, floor: 0, pastFloor: 0 };
  return format.encodeRoot({ ...numbers, nonce: noise(16, 'nonce'), previous: null, phase: 'open', ...references, ...change });
}

const password = { kind: 'password', password: 'correct horse' } as const;

/** Slots beside the one that was made, of such a cost. */
async function slots(forge: Forge, count: number, kdf: Omit<format.PasswordKdf, 'salt'>): Promise<void> {
  for (let index = 0; index < count; index++) {
    const id = newId();
    const fields = { id, repositoryId: forge.repositoryId, label: 'hostile', created: time, grants: 'full' as const };
    const bytes = format.encodeKeySlot(
      { ...fields, kind: 'password', kdf: { salt: noise(32, 'salt'), ...kdf } },
      { keyEncryptionKey: noise(32, 'kek'), accessKey: noise(32, 'access'), nonce: noise(12, 'nonce') },
    );
    await forge.storage.create(format.objectNames.keySlot(id), [bytes]);
  }
}

/** A slot that the password opens, of the least cost. */
async function goodPasswordSlot(forge: Forge): Promise<void> {
  const id = newId();
  const kdf = { salt: noise(32, 'good salt'), memoryKiB: 8, passes: 1, lanes: 1 };
  const keyEncryptionKey = argon2Sync('argon2id', {
    message: password.password,
    nonce: kdf.salt,
    memory: 8,
    passes: 1,
    parallelism: 1,
    tagLength: 32,
  });
  const { access } = await forge.open();
  const fields = { id, repositoryId: forge.repositoryId, label: 'good', created: time, grants: 'full' as const };
  const bytes = format.encodeKeySlot(
    { ...fields, kind: 'password', kdf },
    { keyEncryptionKey, accessKey: access!.accessKey, nonce: noise(12, 'n') },
  );
  await forge.storage.create(format.objectNames.keySlot(id), [bytes]);
}

const dearest = { memoryKiB: 4 * MiB, passes: 64, lanes: 1 };
const keyCases: HostileCase[] = [
  { name: '256 slots of which none is for a key file but one', expect: 'harmless', build: (forge) => slots(forge, 255, dearest) },
  { name: '257 slots', expect: 'limit-exceeded', build: (forge) => slots(forge, 256, dearest) },
  {
    name: 'four slots of 4 GiB and 64 passes before the one of the password',
    expect: 'harmless',
    secret: password,
    build: async (forge) => {
      await goodPasswordSlot(forge);
      await slots(forge, 4, dearest);
    },
  },
  {
    name: 'a format file of 64 KiB and a byte',
    expect: 'limit-exceeded',
    build: async ({ storage }) => {
      await storage.delete([format.objectNames.format]);
      await storage.create(format.objectNames.format, [new Uint8Array(65_537)]);
    },
  },
];

const strangers = [
  'owner/keys/../keys',
  'writer/packs/00/nothing',
  'collector/roots/ffffffffffffffff',
  'owner/config/1',
  'x',
  'owner/format.bak',
];
const nameCases: HostileCase[] = [
  {
    name: 'objects that are none of ours',
    expect: 'harmless',
    build: async ({ storage }) => {
      for (const name of strangers) await storage.create(name, [noise(100, name)]).catch(() => undefined);
    },
  },
  {
    name: 'a pack of the collector under a name of a writer',
    expect: ['pack-missing', 'malformed'],
    build: async (forge) => {
      const id = format.idFromBytes(new Uint8Array(16).fill(0xff));
      const node = directory([fileEntry('f')]);
      await forge.pack('metadata-pack', [{ chunks: [node] }], { id });
      const name = format.objectNames.pack(id);
      await forge.storage.create(name.replace('collector', 'writer'), [await forge.storage.get(name)]);
      await forge.storage.delete([name]);
      const tree = { pack: id, name: forge.nameOf(node, 'metadata-pack') };
      const [list] = await forge.nodes([format.encodeNode({ kind: 'pack-list', height: 0, items: [id] })]);
      await snapshotOf(forge, { tree, packs: { ...list!, height: 0, count: 1 }, listPacks: [list!.pack] });
    },
  },
];

export const recordCases: readonly HostileCase[] = [...fieldCases, ...cborCases, ...snapshotCases, ...rootCases, ...keyCases, ...nameCases];
