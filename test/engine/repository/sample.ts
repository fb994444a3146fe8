/** Small repositories for tests, and a collector that does what a test tells it to. */
import { createHash, randomBytes } from 'node:crypto';
import { newKeyFileSecret } from '../../../engine/keys/mod.ts';
import { contextOf } from '../../../engine/repository/_context.ts';
import { createSealed } from '../../../engine/repository/_sealed-objects.ts';
import {
  beginSession,
  commitSnapshot,
  createRepository,
  type Repository,
  readRoot,
  type Session,
  type SnapshotInfo,
} from '../../../engine/repository/mod.ts';
import { InMemory, type Storage } from '../../../engine/storage/mod.ts';
import {
  type Catalogue,
  encodeCatalogue,
  encodeDeletionMark,
  encodeLostList,
  encodeRoot,
  idFromBytes,
  type ObjectId,
  type ObjectKind,
  type ObjectReference,
  objectNames,
  type PackId,
  type Root,
  type Snapshot,
  type SnapshotId,
} from '../../../repo-format/mod.ts';

export const cheapCost = { memoryKiB: 32, passes: 1, lanes: 1 };
export const keyFile = newKeyFileSecret();
export const created = { seconds: 1_700_000_000, nanoseconds: 123 };

/** A repository that opens with {@link keyFile}. */
export function makeRepository(storage: Storage = new InMemory()): Promise<Repository> {
  return createRepository(storage, { slots: [{ secret: keyFile, label: 'key file' }], time: created, patienceMs: 0 });
}

export function sampleSnapshot({ id: session, generation }: Pick<Session, 'id' | 'generation'>, changes: Partial<Snapshot> = {}): Snapshot {
  return {
    session,
    generation,
    started: { seconds: 1_700_000_100, nanoseconds: 0 },
    ended: { seconds: 1_700_000_200, nanoseconds: 999_999_999 },
    host: 'host',
    user: 'user',
    paths: [Uint8Array.from(Buffer.from('/srv/data'))],
    tags: ['daily'],
    description: 'as written',
    program: 'lagan 0.1.0',
    tree: { pack: idFromBytes<PackId>(new Uint8Array(16).fill(1)), name: new Uint8Array(32).fill(2) },
    packs: { pack: idFromBytes<PackId>(new Uint8Array(16).fill(1)), name: new Uint8Array(32).fill(3), height: 0, count: 1 },
    listPacks: [idFromBytes<PackId>(new Uint8Array(16).fill(1))],
    parent: null,
    source: 'host:/srv/data',
    partial: false,
    statistics: { files: 1, directories: 2, others: 3, bytes: 4, newBytes: 5, storedBytes: 6, chunks: 7, newChunks: 8, errors: 0 },
    errors: [],
    extensions: {},
    ...changes,
  };
}

/** A commit of the present generation. */
export async function backUp(repository: Repository, changes: Partial<Snapshot> = {}): Promise<SnapshotInfo> {
  const session = await beginSession(repository);
  return commitSnapshot(repository, { session, snapshot: sampleSnapshot(session, changes) });
}

/** Replaces the root, as the collector does. */
export async function advanceRoot(repository: Repository, changes: Partial<Root>): Promise<Root> {
  const before = await readRoot(repository);
  const root: Root = { ...before, number: before.number + 1, nonce: Uint8Array.from(randomBytes(16)), previous: before.nonce, ...changes };
  const outcome = await createSealed(contextOf(repository), objectNames.root(root.number), { kind: 'root', payload: encodeRoot(root) });
  if (outcome !== 'created') throw new Error('another root was there');
  return root;
}

export async function storeCatalogue(repository: Repository, snapshots: Catalogue['snapshots']): Promise<ObjectReference> {
  return storeReferenced(repository, { nameOf: objectNames.catalogue, kind: 'catalogue', payload: encodeCatalogue({ snapshots }) });
}

export async function storePackList(repository: Repository, packs: readonly PackId[]): Promise<ObjectReference> {
  return storeReferenced(repository, { nameOf: objectNames.lostList, kind: 'lost-list', payload: encodeLostList({ chunks: [], packs }) });
}

export async function markDeleted(repository: Repository, snapshots: readonly SnapshotId[]): Promise<string> {
  const name = objectNames.deletionMark(randomId());
  const payload = encodeDeletionMark({ snapshots, time: created, reason: 'test' });
  await createSealed(contextOf(repository), name, { kind: 'deletion-mark', payload });
  return name;
}

export function randomId<Id extends string = ObjectId>(): Id {
  return idFromBytes<Id>(randomBytes(16));
}

/** A place with the same objects. */
export async function copyOf(storage: Storage): Promise<InMemory> {
  const copy = new InMemory();
  for await (const { name } of storage.list('')) await copy.create(name, [await storage.get(name)]);
  return copy;
}

export async function replaceObject(storage: Storage, name: string, bytes: Uint8Array): Promise<void> {
  await storage.delete([name]);
  await storage.create(name, [bytes]);
}

export async function namesIn(storage: Storage, prefix = ''): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list(prefix)) names.push(name);
  return names;
}

async function storeReferenced(
  repository: Repository,
  { nameOf, kind, payload }: { nameOf: (id: ObjectId) => string; kind: ObjectKind; payload: Uint8Array },
): Promise<ObjectReference> {
  const id = randomId();
  const name = nameOf(id);
  await createSealed(contextOf(repository), name, { kind, payload });
  const hash = createHash('sha256')
    .update(await repository.storage.get(name))
    .digest();
  return { id, hash: Uint8Array.from(hash) };
}
