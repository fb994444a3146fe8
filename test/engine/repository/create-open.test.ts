import fs from 'node:fs';
import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import t from 'tap';
import { newIdentity, newKeyFileSecret, type Secret } from '../../../engine/keys/mod.ts';
import { contextOf } from '../../../engine/repository/_context.ts';
import { createSealed } from '../../../engine/repository/_sealed-objects.ts';
import {
  attachRepository,
  createRepository,
  describeRepository,
  inspectPlace,
  openRepository,
  type RepositoryDescription,
  readRoot,
  repositoryDefaults,
} from '../../../engine/repository/mod.ts';
import { InMemory, LocalFolder, openStorage } from '../../../engine/storage/mod.ts';
import {
  type Configuration,
  encodeConfiguration,
  encodeFormatFile,
  type Features,
  LaganError,
  objectNames,
  toHex,
} from '../../../repo-format/mod.ts';
import { FaultyStorage } from '../storage/faulty-storage.ts';
import { backUp, cheapCost, copyOf, created, keyFile, makeRepository, namesIn, randomId, replaceObject } from './sample.ts';

const password = (text: string) => ({ kind: 'password' as const, password: text, cost: cheapCost });
const open = (
  storage: InMemory | LocalFolder | FaultyStorage,
  secret: Secret | Secret[] = keyFile,
  mode: 'read' | 'write' | 'metadata' = 'read',
) => openRepository(storage, { secret, mode });

t.test('createRepository: like another one, it names and cuts the same, and has keys and access of its own', async (t) => {
  const cutting = {
    chunker: { kind: 'local-maximum-1', horizonBytes: 1024, gridBytes: 4096 },
    blockSizeBytes: 65_536,
    packSizeBytes: 1 << 20,
  } as const;
  const first = await createRepository(new InMemory(), { slots: [{ secret: keyFile, label: 'a' }], ...cutting });
  const storage = new InMemory();
  const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(9) } as const;
  await createRepository(storage, {
    slots: [
      { secret, label: 'a' },
      { secret: password('p'), label: 'b', grants: 'metadata' },
    ],
    like: first,
  });
  const second = await open(storage, secret);
  t.match(second.configuration, { ...cutting, features: { refuse: ['naming-keys'] } });
  for (const key of ['nameKey', 'metadataNameKey', 'cutKey'] as const) t.same(second.keys[key], first.keys[key], key);
  t.notSame(second.id, first.id);
  for (const kind of ['pack', 'snapshot'] as const) t.notSame(second.keys.classKey(kind, 0), first.keys.classKey(kind, 0), kind);
  await t.rejects(open(storage, keyFile), { code: 'wrong-key' });
  const limited = await open(storage, { kind: 'password', password: 'p' }, 'metadata');
  t.same(limited.keys.metadataNameKey, first.keys.metadataNameKey);
  const third = await createRepository(new InMemory(), { slots: [{ secret: keyFile, label: 'a' }], like: second });
  t.same(third.keys.nameKey, first.keys.nameKey, 'and on from there');
  const slots = [{ secret: keyFile, label: 'a' }];
  await t.rejects(createRepository(new InMemory(), { slots, like: limited }), { code: 'no-key' }, 'who may read metadata only cannot');
});

t.test('createRepository: what it made opens with each of its keys', async (t) => {
  const storage = new LocalFolder(path.join(t.testdir(), 'a/repository'));
  const { privateKey, publicKey } = newIdentity();
  const repository = await createRepository(storage, {
    slots: [
      { secret: password('first'), label: 'first' },
      { secret: keyFile, label: 'key' },
      { secret: { kind: 'recipient', publicKey }, label: 'offline' },
      { secret: password('limited'), label: 'limited', grants: 'metadata' },
      { secret: { kind: 'identity', privateKey: new Uint8Array(32).fill(3) }, label: 'identity' },
    ],
    time: created,
  });
  t.match(repository, {
    mode: 'write',
    warnings: [],
    configuration: { created, ...repositoryDefaults, nameEpoch: 0 },
    root: { number: 0, generation: 0, floor: 0, phase: 'open' },
  });
  for (const secret of [
    { kind: 'password', password: 'first' },
    keyFile,
    { kind: 'identity', privateKey },
    { kind: 'identity', privateKey: new Uint8Array(32).fill(3) },
  ] as Secret[]) {
    for (const mode of ['read', 'write', 'metadata'] as const) {
      const opened = await open(storage, secret, mode);
      t.equal(opened.id, repository.id);
      t.equal(opened.mode, mode);
      t.same(opened.keys.toPlain(), repository.keys.toPlain());
    }
  }
  const limited = await open(storage, { kind: 'password', password: 'limited' }, 'metadata');
  t.equal(limited.keys.grants, 'metadata');
  t.same(limited.keys.metadataKey(0), repository.keys.metadataKey(0));
  t.same(limited.keys.metadataNameKey, repository.keys.metadataNameKey);
  t.throws(() => limited.keys.dataKey(0), { code: 'no-key' });
  await t.rejects(open(storage, { kind: 'password', password: 'limited' }, 'read'), { code: 'no-key', found: 'metadata' });
  await t.rejects(open(storage, { kind: 'password', password: 'wrong' }), { code: 'wrong-key', found: 2 });
  await t.rejects(open(storage, newKeyFileSecret()), { code: 'wrong-key', found: 1 });
  await t.rejects(open(storage, []), { code: 'no-key' });
  t.same(fs.readdirSync(path.join(storage.location, 'temporary')), []);
});

t.test('createRepository: nothing about the keys is in the clear', async (t) => {
  const repository = await makeRepository();
  const { storage, keys } = repository;
  const secrets = [
    keyFile.secret,
    keys.dataKey(0),
    keys.metadataKey(0),
    keys.nameKey,
    keys.metadataNameKey,
    keys.cutKey,
    repository.access!.accessKey,
  ].map(toHex);
  for (const name of await namesIn(storage)) {
    const stored = toHex(await storage.get(name));
    for (const secret of secrets) t.notOk(stored.includes(secret), name);
  }
});

t.test('createRepository: two repositories have nothing in common', async (t) => {
  const [left, right] = await Promise.all([makeRepository(), makeRepository()]);
  t.not(left.id, right.id);
  t.notSame(left.keys.dataKey(0), right.keys.dataKey(0));
  t.notSame(left.keys.cutKey, right.keys.cutKey);
});

t.test('createRepository: what is refused', async (t) => {
  const storage = new InMemory();
  const make = (slots: Parameters<typeof createRepository>[1]['slots']) => createRepository(storage, { slots });
  await t.rejects(make([]), { code: 'usage' });
  await t.rejects(make([{ secret: keyFile, label: 'limited', grants: 'metadata' }]), { code: 'usage' });
  await t.rejects(make([{ secret: password(''), label: 'a' }]), { code: 'usage' });
  t.same(await namesIn(storage), [], 'nothing was made');
  await makeRepository(storage);
  const names = await namesIn(storage);
  await t.rejects(makeRepository(storage), { code: 'repository-exists' });
  t.same(await namesIn(storage), names);
  const foreign = new LocalFolder(t.testdir({ 'holiday.jpg': 'x' }));
  await t.rejects(makeRepository(foreign), { code: 'exists', found: 'foreign' });
  t.same(fs.readdirSync(foreign.location), ['holiday.jpg']);
});

t.test('createRepository: an error at every call of the store leaves nothing that stands in the way', async (t) => {
  for (const when of ['before', 'after'] as const) {
    for (let call = 1; ; call++) {
      const inner = new InMemory();
      const storage = new FaultyStorage(inner, { faults: [{ call, when }] });
      const outcome = await makeRepository(storage).then(
        () => 'made',
        (error: LaganError) => error.code,
      );
      if (storage.calls.length < call) {
        t.equal(outcome, 'made');
        t.ok(call > 10, `${call} calls were tried`);
        break;
      }
      t.equal(outcome, 'io', `${when} call ${call}`);
      // Once more, as a user does.
      t.match((await inspectPlace(inner)).state, /empty|unfinished/, `${when} call ${call}`);
      const made = await makeRepository(inner);
      t.equal((await open(inner)).id, made.id);
    }
  }
});

t.test('createRepository: killed at every call of the store, it is made anew', async (t) => {
  for (let call = 1; ; call++) {
    const inner = new InMemory();
    const storage = new FaultyStorage(inner, { faults: [{ call, forever: true }] });
    const outcome = await makeRepository(storage).then(
      () => 'made',
      (error: LaganError) => error.code,
    );
    if (outcome === 'made') break;
    const { state } = await inspectPlace(inner);
    if (state === 'repository') {
      t.equal((await open(inner)).root.number, 0, 'the format file was the last object: all is there');
      continue;
    }
    t.match(state, /empty|unfinished/);
    await t.rejects(open(inner), { code: 'no-repository', found: state });
    await makeRepository(inner);
    t.equal((await namesIn(inner)).length, 6, 'nothing of the first attempt is left');
    t.equal((await open(inner)).warnings.length, 0);
  }
});

t.test('createRepository: a full disk', async (t) => {
  for (const capacityBytes of [0, 100, 300, 500, 700, 900]) {
    const inner = new InMemory();
    await t.rejects(makeRepository(new FaultyStorage(inner, { capacityBytes })), { code: 'no-space' });
    t.same(await namesIn(inner), []);
  }
});

t.test('createRepository: of two at once, whoever is told that it made one has made it', async (t) => {
  for (let seed = 0; seed < 30; seed++) {
    const inner = new InMemory();
    const racers = [newKeyFileSecret(), newKeyFileSecret()].map((secret, index) => {
      // Another order of calls for each seed.
      const storage = new FaultyStorage(inner, {
        onCall: async () => {
          for (let wait = (seed >> index) % 5; wait > 0; wait--) await null;
        },
      });
      return { secret, made: createRepository(storage, { slots: [{ secret, label: 'a' }], patienceMs: 0 }) };
    });
    const outcomes = await Promise.allSettled(racers.map(({ made }) => made));
    const winners = racers.filter((_, index) => outcomes[index]!.status === 'fulfilled');
    t.ok(winners.length <= 1, `${winners.length} winners`);
    for (const { secret } of winners) t.ok(await open(inner, secret));
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        t.match(outcome.reason, { code: /repository-exists|object-missing|authentication-failed|name-mismatch|no-repository/ });
  }
});

t.test('createRepository: one that another process is making is waited for', async (t) => {
  const inner = new InMemory();
  let isSlow = true;
  const slow = new FaultyStorage(inner, {
    onCall: (operation) => (operation === 'create' && isSlow ? new Promise((resolve) => setTimeout(resolve, 15)) : undefined),
  });
  const first = makeRepository(slow);
  await new Promise((resolve) => setTimeout(resolve, 40));
  t.equal((await inspectPlace(inner)).state, 'unfinished');
  await t.rejects(createRepository(inner, { slots: [{ secret: keyFile, label: 'a' }] }), { code: 'repository-exists' });
  isSlow = false;
  t.equal((await open(inner)).id, (await first).id);
});

t.test('createRepository: a repository that lost its format file is not made anew', async (t) => {
  const repository = await makeRepository();
  const { storage } = repository;
  await backUp(repository);
  await storage.delete([objectNames.format]);
  t.same(await inspectPlace(storage), { state: 'damaged' });
  const names = await namesIn(storage);
  await t.rejects(makeRepository(storage), { code: 'malformed', object: 'owner/format' });
  await t.rejects(open(storage as InMemory), { code: 'malformed', object: 'owner/format' });
  t.same(await namesIn(storage), names);
});

t.test('openRepository: each way in which there is none', async (t) => {
  const folder = t.testdir({ empty: {}, foreign: { a: 'x' }, file: 'x', emptyFolders: { a: { b: {} } } });
  const cases = { absent: 'absent', empty: 'empty', foreign: 'foreign', file: 'file', emptyFolders: 'empty' };
  for (const [name, found] of Object.entries(cases)) {
    await t.rejects(open(new LocalFolder(path.join(folder, name))), { code: 'no-repository', found }, name);
    await t.rejects(open(new LocalFolder(path.join(folder, name)), keyFile, 'write'), { code: 'no-repository', found }, name);
  }
  t.notOk(fs.existsSync(path.join(folder, 'absent')), 'opening makes no folder');
  t.same(fs.readdirSync(path.join(folder, 'foreign')), ['a']);
});

t.test('openRepository: what is missing is named', async (t) => {
  const { storage } = await makeRepository();
  const prefixes = {
    'owner/keys/': 'owner/keys/',
    'owner/keyring/': 'owner/keyring/',
    'owner/config/': 'owner/config/',
    'collector/roots/': 'collector/roots/',
  };
  for (const [prefix, object] of Object.entries(prefixes)) {
    const copy = await copyOf(storage);
    await copy.delete(await namesIn(copy, prefix));
    await t.rejects(openRepository(copy, { secret: keyFile, mode: 'write' }), { code: 'object-missing', object }, prefix);
    if (object === 'collector/roots/')
      t.match(await open(copy), { warnings: [{ code: 'object-missing' }] }, 'reading goes on without a root');
    else await t.rejects(open(copy), { code: 'object-missing', object }, prefix);
  }
});

t.test('openRepository: a newer format, and features that are not known', async (t) => {
  const repository = await makeRepository();
  const formatOf = (features: Partial<Features>) =>
    encodeFormatFile({ repositoryId: repository.keys.repositoryId, features: { ignore: [], readOnly: [], refuse: [], ...features } });
  const withConfiguration = async (features: Partial<Features>) => {
    const copy = await copyOf(repository.storage);
    const configuration: Configuration = { ...repository.configuration, features: { ignore: [], readOnly: [], refuse: [], ...features } };
    const context = { ...contextOf(repository), storage: copy };
    await createSealed(context, objectNames.configuration(1), { kind: 'configuration', payload: encodeConfiguration(configuration) });
    return copy;
  };
  const tooNew = await copyOf(repository.storage);
  await replaceObject(tooNew, objectNames.format, Buffer.from('a1656c6167616e02', 'hex'));
  await t.rejects(open(tooNew), { code: 'repository-too-new', found: 2, expected: 1 });

  const cases = [
    { features: { ignore: ['later'] }, read: 'opens', write: 'opens' },
    { features: { readOnly: ['later'] }, read: 'opens', write: 'feature-unknown' },
    { features: { refuse: ['later'] }, read: 'feature-unknown', write: 'feature-unknown' },
  ];
  for (const { features, read, write } of cases) {
    const inConfiguration = await withConfiguration(features);
    const inBoth = await copyOf(inConfiguration);
    await replaceObject(inBoth, objectNames.format, formatOf(features));
    for (const storage of [inConfiguration, inBoth]) {
      for (const [mode, expected] of [
        ['read', read],
        ['metadata', read],
        ['write', write],
      ] as const) {
        const outcome = await open(storage, keyFile, mode).then(
          () => 'opens',
          (error: LaganError) => error.code,
        );
        t.equal(outcome, expected, `${JSON.stringify(features)} ${mode}`);
      }
    }
  }
  const onlyInFormat = await copyOf(repository.storage);
  await replaceObject(onlyInFormat, objectNames.format, formatOf({ ignore: ['later'] }));
  await t.rejects(
    open(onlyInFormat),
    { code: 'malformed', object: objectNames.format },
    'the clear file says what the sealed one does not',
  );
});

t.test('openRepository: the highest configuration counts', async (t) => {
  const repository = await makeRepository();
  for (const number of [9, 10, 255, 256]) {
    const payload = encodeConfiguration({ ...repository.configuration, packSizeBytes: 1_000_000 + number });
    await createSealed(contextOf(repository), objectNames.configuration(number), { kind: 'configuration', payload });
  }
  t.equal((await open(repository.storage as InMemory)).configuration.packSizeBytes, 1_000_256);
});

t.test('openRepository: a damaged slot is a warning while another one opens', async (t) => {
  const storage = new InMemory();
  await createRepository(storage, {
    slots: [
      { secret: keyFile, label: 'a' },
      { secret: password('x'), label: 'b' },
    ],
  });
  await storage.create(objectNames.keySlot(randomId()), [Buffer.from('torn')]);
  const { storage: otherStorage } = await makeRepository();
  const [other] = await namesIn(otherStorage, 'owner/keys/');
  await storage.create(other!, [await otherStorage.get(other!)]);
  const repository = await open(storage);
  t.same(repository.warnings.map(({ code }) => code).sort(), ['malformed', 'name-mismatch']);
});

t.test('openRepository: foreign names among the objects are left alone', async (t) => {
  const { storage, id } = await makeRepository();
  for (const name of [
    'owner/keys/readme',
    'owner/keyring/00000009',
    'owner/config/zz',
    'collector/roots/1',
    'owner/keyring/ffffffff-other',
    'notes',
  ])
    await storage.create(name, [Buffer.from('x')]);
  t.equal((await open(storage as InMemory)).id, id);
});

t.test('openRepository: writing needs a store that can be written, and removes litter', async (t) => {
  const inner = new InMemory();
  await makeRepository(inner);
  for (const code of ['read-only', 'forbidden', 'no-space'] as const) {
    const storage = new FaultyStorage(inner, {
      faults: [{ operation: 'createWriter', call: 1, error: () => new LaganError(code, 'on purpose') }],
    });
    await t.rejects(open(storage, keyFile, 'write'), { code });
    t.ok(await open(storage, keyFile, 'read'), 'reading needs none of it');
    t.equal(storage.count('createWriter'), 1);
  }
  const litter = new FaultyStorage(inner);
  await open(litter, keyFile, 'read');
  t.equal(litter.count('removeLitter'), 0);
  await open(litter, keyFile, 'write');
  t.equal(litter.count('removeLitter'), 1);
  const others = new FaultyStorage(inner, {
    faults: [{ operation: 'removeLitter', call: 1, error: () => new LaganError('forbidden', 'of another user') }],
  });
  t.ok(await open(others, keyFile, 'write'), 'litter of another user is not in the way');
});

t.test('openRepository: reads nothing twice, and few things', async (t) => {
  const inner = new InMemory();
  await makeRepository(inner);
  const storage = new FaultyStorage(inner);
  await open(storage);
  t.ok(storage.calls.length <= 9, storage.calls.map(({ operation, name }) => `${operation} ${name}`).join('\n'));
});

t.test('openRepository: interrupted', async (t) => {
  const { storage } = await makeRepository();
  await t.rejects(openRepository(storage, { secret: keyFile, mode: 'read', signal: AbortSignal.abort() }), { code: 'interrupted' });
});

t.test('attachRepository: the same repository in another thread, without secrets', async (t) => {
  const storage = new LocalFolder(path.join(t.testdir(), 'repository'));
  const repository = await makeRepository(storage);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(describeRepository(repository));
  const description = await new Promise<RepositoryDescription>((resolve) => port2.once('message', resolve));
  port2.close();
  const attached = attachRepository(description);
  t.equal(attached.id, repository.id);
  t.equal(attached.access, null);
  t.equal(attached.slotId, repository.slotId);
  t.same(attached.keys.toPlain(), repository.keys.toPlain());
  t.equal((await readRoot(attached)).number, 0);
  t.notOk(JSON.stringify(description).includes('accessKey'));
});

t.test('openStorage and createRepository take a path in one line', async (t) => {
  const place = path.join(t.testdir(), 'x');
  const repository = await createRepository(openStorage(place), {
    slots: [{ secret: keyFile, label: 'a' }],
    chunker: { kind: 'local-maximum-1', horizonBytes: 4096, gridBytes: 65536 },
    blockSizeBytes: 100_000,
    packSizeBytes: 1_000_000,
  });
  t.match(repository.configuration, {
    chunker: { horizonBytes: 4096, gridBytes: 65536 },
    blockSizeBytes: 100_000,
    packSizeBytes: 1_000_000,
  });
  t.same(fs.readdirSync(place).sort(), ['collector', 'owner', 'temporary']);
});
