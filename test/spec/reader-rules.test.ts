/** Rules of the specification that need more than one object, or the engine: forged repositories, read by the engine. */
import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { agree } from '../../engine/keys/secrets.ts';
import { isLaganError, listSnapshots, lookup, openFile, openRepository, resolveSnapshot, walkSnapshot } from '../../engine/mod.ts';
import { listCheckpoints, listIndexTables, readCatalogue, readRoot } from '../../engine/repository/mod.ts';
import * as format from '../../repo-format/mod.ts';
import { emptySnapshot, Forge, type ForgedBlock } from './_forge.ts';
import { entryFields } from './entry-fields.ts';

const chunk = new TextEncoder().encode('the bytes of a chunk');
const time = { seconds: 0, nanoseconds: 0 };

function fileEntry(name: string, size: number, extents: format.Extent[]): format.Entry {
  return { ...entryFields, name: new TextEncoder().encode(name), type: 'file', size, content: { form: 'inline', extents } };
}

/** A snapshot with one file of one chunk in such a block; gives the outcome of reading it. */
async function readFile(block: ForgedBlock, { extentLength = chunk.length } = {}): Promise<Uint8Array> {
  const forge = await Forge.create();
  const pack = await forge.pack('pack', [block]);
  const name = block.names?.[0] ?? forge.nameOf(chunk, 'pack');
  const [tree] = await forge.nodes([
    format.encodeNode({
      kind: 'directory',
      height: 0,
      items: [fileEntry('f', extentLength, [{ kind: 'data', length: extentLength, name, pack }])],
    }),
  ]);
  await forge.snapshot(tree!, [pack, tree!.pack]);
  const repository = await forge.open();
  const { entry } = await lookup(repository, await resolveSnapshot(repository, 'latest'), new TextEncoder().encode('/f'));
  return openFile(repository, entry!).read(0, extentLength);
}

// covers: PACK-7, PACK-8, PACK-14, NODE-11
t.test('a chunk is read only if everything about it agrees', async (t) => {
  const zstd = (bytes: Uint8Array): ForgedBlock => ({ chunks: [chunk], codec: 'zstd', payload: zstdCompressSync(bytes) });
  t.same(Buffer.from(await readFile({ chunks: [chunk] })), Buffer.from(chunk), 'a good chunk');
  t.same(Buffer.from(await readFile(zstd(chunk))), Buffer.from(chunk), 'a good chunk, compressed');
  await rejects(t, readFile(zstd(chunk.subarray(1))), 'malformed', 'a payload that decodes to less');
  await rejects(t, readFile(zstd(format.concatBytes([chunk, chunk]))), 'malformed', 'a payload that decodes to more');
  await rejects(t, readFile(zstd(new Uint8Array(2 ** 27))), 'malformed', 'a payload that decodes to 128 MiB');
  await rejects(t, readFile({ ...zstd(chunk), payload: new Uint8Array(30) }), 'malformed', 'a payload that is not zstd');
  await rejects(
    t,
    readFile({ chunks: [chunk], codec: 'lz4', payload: new Uint8Array([0xff, 0xff]) }),
    'malformed',
    'a payload that is not lz4',
  );
  await rejects(t, readFile({ chunks: [chunk], names: [randomBytes(32)] }), 'name-mismatch', 'a chunk of another name');
  await rejects(
    t,
    readFile({ chunks: [chunk], row: { rawLength: 19, chunkLengths: Uint32Array.of(19) } }),
    'malformed',
    'contents that say another length',
  );
  await rejects(t, readFile({ chunks: [chunk] }, { extentLength: chunk.length + 1 }), 'malformed', 'an extent longer than its chunk');
  await rejects(t, readFile({ chunks: [chunk] }, { extentLength: chunk.length - 1 }), 'malformed', 'an extent shorter than its chunk');
});

// covers: NAME-5
t.test('an index table within the range of another is ignored', async (t) => {
  const forge = await Forge.create();
  const session = format.idFromBytes<format.SessionId>(randomBytes(16));
  for (const [from, to] of [
    [1, 1],
    [2, 2],
    [1, 2],
    [3, 3],
  ] as const) {
    await forge.storage.create(format.objectNames.sessionIndex(0, session, from, to), [chunk]);
  }
  const repository = await forge.open();
  const tables = await listIndexTables(repository, await readRoot(repository));
  t.same(
    tables.map(({ from, to }) => [from, to]),
    [
      [1, 2],
      [3, 3],
    ],
  );
});

// covers: NAME-6, SNAP-7
t.test('checkpoints are hidden, and the newest counts until the commit', async (t) => {
  const forge = await Forge.create();
  const [open, committed] = [randomBytes(16), randomBytes(16)].map((bytes) => format.idFromBytes<format.SessionId>(bytes));
  for (const session of [open!, committed!]) {
    const payload = format.encodeSnapshot(emptySnapshot(session));
    for (const number of [1, 2]) await forge.seal(format.objectNames.checkpoint(0, session, number), 'checkpoint', payload);
  }
  await forge.seal(format.objectNames.snapshot(0, committed!), 'snapshot', format.encodeSnapshot(emptySnapshot(committed!)));
  const repository = await forge.open();
  t.same(
    (await listSnapshots(repository)).map(({ id }) => id),
    [committed],
  );
  t.same(
    (await listCheckpoints(repository)).map(({ id, number }) => [id, number]),
    [[open, 2]],
  );
});

// covers: ROOT-4, ROOT-5
t.test('the highest root counts, and what it refers to is the very object', async (t) => {
  const forge = await Forge.create();
  const id = format.idFromBytes<format.ObjectId>(randomBytes(16));
  const stored = await forge.seal(format.objectNames.catalogue(id), 'catalogue', format.encodeCatalogue({ snapshots: [] }));
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(stored)));
  const root: format.Root = {
    number: 9,
    nonce: randomBytes(16),
    previous: null,
    generation: 1,
    floor: 0,
    phase: 'open',
    pastFloor: 0,
    baseIndex: null,
    catalogue: { id, hash },
    lost: null,
    condemned: null,
    doomed: null,
  };
  const put = (number: number, change: Partial<format.Root>) =>
    forge.seal(format.objectNames.root(number), 'root', format.encodeRoot({ ...root, number, ...change }));
  await put(9, {});
  await put(8, { generation: 0 });
  const good = await forge.open();
  t.equal((await readRoot(good)).number, 9);
  t.same(await readCatalogue(good, await readRoot(good)), []);
  await put(10, { catalogue: { id, hash: hash.with(0, hash[0]! ^ 1) } });
  const changed = await forge.open();
  await rejects(
    t,
    readRoot(changed).then((newest) => readCatalogue(changed, newest)),
    'authentication-failed',
    'another object',
  );
  await forge.storage.delete([0, 8, 9, 10].map(format.objectNames.root));
  await rejects(t, forge.open('write'), 'object-missing', 'no root');
  const reading = await forge.open();
  t.match(reading.root, { number: 0, generation: 0, catalogue: null, baseIndex: null });
  t.match(reading.warnings, [{ code: 'object-missing' }], 'who only reads is told');
  await put(3, { generation: 0, catalogue: null });
  await forge.storage.create(format.objectNames.root(4), [randomBytes(300)]);
  await rejects(t, forge.open('write'), 'malformed', 'the highest does not open');
  const passing = await forge.open();
  t.equal(passing.root.number, 3);
  t.match(passing.warnings, [{ object: format.objectNames.root(4) }]);
});

// covers: KEY-6
t.test('a public key that makes X25519 give zeros is refused', async (t) => {
  t.throws(() => agree(randomBytes(32), new Uint8Array(32)), { code: 'malformed-key' });
});

// covers: FEAT-2, FEAT-3
t.test('unknown features stop the engine', async (t) => {
  const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;
  const open = async (features: Partial<format.Features>, mode: 'read' | 'write') => {
    const forge = await Forge.create();
    const { repositoryId } = forge;
    await forge.storage.delete([format.objectNames.format]);
    const sets = { ...format.noFeatures, ...features };
    await forge.storage.create(format.objectNames.format, [format.encodeFormatFile({ repositoryId, features: sets })]);
    const configuration = format.encodeConfiguration({
      created: time,
      chunker: { kind: 'local-maximum-1', horizonBytes: 16384, gridBytes: 65536 },
      blockSizeBytes: 2 ** 20,
      packSizeBytes: 2 ** 25,
      nameEpoch: forge.epoch,
      collector: null,
      features: sets,
    });
    await forge.seal(format.objectNames.configuration(7), 'configuration', configuration);
    return openRepository(forge.storage, { secret, mode });
  };
  await open({ ignore: ['later'] }, 'write');
  await open({ readOnly: ['later'] }, 'read');
  await rejects(t, open({ readOnly: ['later'] }, 'write'), 'feature-unknown', 'writing');
  await rejects(t, open({ refuse: ['later'] }, 'read'), 'feature-unknown', 'reading');
});

// covers: NODE-6
t.test('a tree whose nodes do not fit is refused', async (t) => {
  const forge = await Forge.create();
  const leaf = format.encodeNode({ kind: 'directory', height: 0, items: [fileEntry('a', 5, [{ kind: 'zeros', length: 5 }])] });
  const content = format.encodeNode({ kind: 'content', height: 0, items: [{ kind: 'zeros', length: 5 }] });
  const [leafReference, contentReference] = await forge.nodes([leaf, content]);
  const walk = async (height: number, lastName: string, node: format.NodeReference) => {
    const item = { lastName: new TextEncoder().encode(lastName), entriesBelow: 1, node };
    const [tree] = await forge.nodes([format.encodeNode({ kind: 'directory', height, items: [item] })]);
    const snapshot = await forge.snapshot(tree!, [tree!.pack, node.pack]);
    let count = 0;
    for await (const _ of walkSnapshot(await forge.open(), { id: snapshot.session, snapshot })) count++;
    return count;
  };
  t.equal(await walk(1, 'a', leafReference!), 1, 'a good tree');
  await rejects(t, walk(1, 'a', contentReference!), 'malformed', 'another kind');
  t.test('height and last name', async (t) => {
    await rejects(t, walk(2, 'a', leafReference!), 'malformed', 'a height too much');
    await rejects(t, walk(1, 'b', leafReference!), 'malformed', 'another last name');
  });
});

async function rejects(t: Test, promise: Promise<unknown>, code: format.ErrorCode, what: string): Promise<void> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  t.ok('error' in outcome && isLaganError(outcome.error, code), `${what}: ${'error' in outcome ? outcome.error : 'no error'}`);
}
