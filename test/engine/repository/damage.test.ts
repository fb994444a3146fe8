/** Each small object of a repository, truncated to each length and with each byte changed: an error with the right code, never a crash and never a wrong answer. */
import t from 'tap';
import type { Secret } from '../../../engine/keys/mod.ts';
import {
  annotateSnapshot,
  beginSession,
  createRepository,
  listCheckpoints,
  listSnapshots,
  openRepository,
  type Repository,
  readRoot,
  writeCheckpoint,
} from '../../../engine/repository/mod.ts';
import { InMemory } from '../../../engine/storage/mod.ts';
import { isLaganError, LaganError, objectNames, type SnapshotId } from '../../../repo-format/mod.ts';
import {
  advanceRoot,
  backUp,
  copyOf,
  created,
  keyFile,
  markDeleted,
  namesIn,
  randomId,
  replaceObject,
  sampleSnapshot,
  storeCatalogue,
  storePackList,
} from './sample.ts';

/** A sealed object: whatever byte changes, this is what comes. */
const sealed = ['malformed', 'authentication-failed', 'name-mismatch', 'repository-too-new', 'limit-exceeded'];
const limitedSecret: Secret = { kind: 'key-file', secret: new Uint8Array(32).fill(5) };

interface Case {
  readonly object: (names: readonly string[]) => string;
  readonly codes: readonly string[];
  /** Reads the object; rejects, or returns an error that was told, if it is damaged. */
  readonly read: (repository: Repository) => Promise<unknown>;
}

const open = ({ storage }: Repository) => openRepository(storage, { secret: keyFile, mode: 'read' });
const starting = (prefix: string) => (names: readonly string[]) => names.find((name) => name.startsWith(prefix))!;
const list = async (repository: Repository) => {
  const damage: LaganError[] = [];
  const snapshots = await listSnapshots(repository, { onDamage: (error) => damage.push(error), includeDeleted: true });
  if (damage[0] !== undefined) throw damage[0];
  return snapshots;
};

const cases: Record<string, Case> = {
  'format file': {
    object: () => objectNames.format,
    codes: ['malformed', 'repository-too-new', 'name-mismatch', 'limit-exceeded'],
    read: open,
  },
  'key slot': {
    object: starting('owner/keys/'),
    codes: ['malformed', 'wrong-key', 'no-key', 'name-mismatch', 'limit-exceeded', 'repository-too-new'],
    read: open,
  },
  keyring: { object: () => objectNames.keyring(0, 'full'), codes: ['authentication-failed'], read: open },
  'keyring for metadata': {
    object: () => objectNames.keyring(0, 'metadata'),
    codes: ['authentication-failed'],
    read: ({ storage }) => openRepository(storage, { secret: limitedSecret, mode: 'metadata' }),
  },
  configuration: { object: () => objectNames.configuration(0), codes: sealed, read: open },
  root: { object: (names) => names.findLast((name) => name.startsWith('collector/roots/'))!, codes: sealed, read: readRoot },
  snapshot: { object: (names) => names.findLast((name) => name.startsWith('writer/snapshots/'))!, codes: sealed, read: list },
  annotation: { object: starting('owner/annotations/'), codes: sealed, read: list },
  'deletion mark': { object: starting('owner/deletions/'), codes: sealed, read: list },
  catalogue: { object: starting('collector/catalogue/'), codes: ['authentication-failed'], read: list },
  checkpoint: { object: starting('writer/checkpoints/'), codes: sealed, read: listCheckpoints },
  'pack list': { object: starting('collector/lost/'), codes: ['authentication-failed'], read: beginSession },
};

for (const [kind, { object, codes, read }] of Object.entries(cases)) {
  t.test(`a damaged ${kind}`, async (t) => {
    const repository = await makeWithEverything(kind);
    const { storage } = repository;
    const name = object(await namesIn(storage));
    const bytes = await storage.get(name);
    await t.resolves(read(repository), 'undamaged it is read');
    const unexpected: string[] = [];
    const attempt = async (what: string, changed: Uint8Array) => {
      await replaceObject(storage, name, changed);
      const outcome = await read(repository).then(() => 'read', codeOf);
      if (!codes.includes(outcome)) unexpected.push(`${what}: ${outcome}`);
    };
    for (let length = 0; length < bytes.length; length++) await attempt(`truncated to ${length}`, bytes.subarray(0, length));
    await attempt('one byte more', Buffer.concat([bytes, Buffer.from([0])]));
    await attempt('twice', Buffer.concat([bytes, bytes]));
    for (let offset = 0; offset < bytes.length; offset++) {
      for (const mask of [1 << (offset & 7), 0xff]) await attempt(`byte ${offset} ^ ${mask}`, withChangedByte(bytes, offset, mask));
    }
    t.same(unexpected, []);
    await replaceObject(storage, name, bytes);
    await t.resolves(read(repository));
  });
}

t.test('objects in each other’s place', async (t) => {
  const repository = await makeWithEverything('');
  // What reading a list of snapshots does not read.
  const unread = [/^writer\/checkpoints\//, /^collector\/lost\//, /keyring\/.*-metadata$/, /roots\/0000000000000000$/, /^owner\/keys\//];
  const names = (await namesIn(repository.storage)).filter((name) => !unread.some((pattern) => pattern.test(name)));
  for (const target of names) {
    for (const source of names) {
      if (source === target) continue;
      const storage = await copyOf(repository.storage);
      await replaceObject(storage, target, await repository.storage.get(source));
      const reading = open({ ...repository, storage });
      const code = await reading.then(list).then(() => 'read', codeOf);
      // Reading goes by the root before, and says so.
      if (target.startsWith('collector/roots/')) t.match((await reading).warnings, [{ object: target }], `${source} as ${target}`);
      else t.match(code, /^(malformed|authentication-failed|name-mismatch)$/, `${source} as ${target}`);
    }
  }
});

t.test('objects of another repository', async (t) => {
  const [repository, other] = [await makeWithEverything(''), await makeWithEverything('')];
  const [names, otherNames] = [await namesIn(repository.storage), await namesIn(other.storage)];
  for (const [kind, { object, codes, read }] of Object.entries(cases)) {
    const storage = await copyOf(repository.storage);
    await replaceObject(storage, object(names), await other.storage.get(object(otherNames)));
    const code = await read({ ...repository, storage }).then(() => 'read', codeOf);
    // There are several slots: it may be one that nobody needs to open the repository.
    const isNeedless = kind === 'key slot' && code === 'read';
    t.ok(codes.includes(code) || isNeedless, `${kind}: ${code}`);
  }
});

t.test('every object that is missing is named', async (t) => {
  const repository = await makeWithEverything('');
  for (const kind of ['keyring', 'keyring for metadata', 'configuration', 'catalogue', 'pack list'] as const) {
    const { object, read } = cases[kind]!;
    const storage = await copyOf(repository.storage);
    const name = object(await namesIn(storage));
    await storage.delete([name]);
    const error = await read({ ...repository, storage }).then(
      () => undefined,
      (error: unknown) => error,
    );
    t.ok(isLaganError(error, 'object-missing') && name.startsWith(error.object!), kind);
  }
});

/** Every kind of small object is read by one case or another. The root that the repository remembers is not the newest. */
async function makeWithEverything(kind: string): Promise<Repository> {
  const repository = await createRepository(new InMemory(), {
    slots: [
      { secret: keyFile, label: 'k' },
      // The slot test needs the slot to be the only one.
      ...(kind === 'key slot' ? [] : [{ secret: limitedSecret, label: 'l', grants: 'metadata' as const }]),
    ],
    time: created,
  });
  await fill(repository);
  return repository;
}

async function fill(repository: Repository): Promise<void> {
  const [folded, marked] = [await backUp(repository), await backUp(repository)];
  const catalogue = await storeCatalogue(repository, [
    { id: folded.id, generation: 0, object: await repository.storage.get(folded.name) },
    { id: marked.id, generation: 0, object: new Uint8Array() },
  ]);
  await repository.storage.delete([folded.name]);
  const condemned = await storePackList(repository, [randomId()]);
  await advanceRoot(repository, { generation: 1, floor: 1, pastFloor: 1, catalogue, condemned, phase: 'condemned' });
  await markDeleted(repository, [marked.id, randomId<SnapshotId>()]);
  const { id } = await backUp(repository);
  await annotateSnapshot(repository, id, { addTags: ['x'], description: 'y', time: created });
  const session = await beginSession(repository);
  await writeCheckpoint(repository, { session, number: 1, snapshot: sampleSnapshot(session) });
}

function withChangedByte(bytes: Uint8Array, offset: number, mask: number): Uint8Array {
  const changed = bytes.slice();
  changed[offset]! ^= mask;
  return changed;
}

function codeOf(error: unknown): string {
  return error instanceof LaganError ? error.code : `no LaganError: ${error instanceof Error ? error.stack : String(error)}`;
}
