/**
 * The collector's side of a repository: it alone replaces the root, and stores what roots refer to. Source: spec/root.md,
 * docs/decisions/001-numbered-roots.md.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  type Catalogue,
  decodeRoot,
  encodeCatalogue,
  encodeLostList,
  encodeRoot,
  equalBytes,
  idFromBytes,
  isLaganError,
  LaganError,
  limits,
  type MarkedSession,
  type ObjectId,
  type ObjectReference,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
} from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { rolledBack } from './_rolled-back.ts';
import { createOwn, readSealed, seal } from './_sealed-objects.ts';
import { damageCodes } from './_stored-slots.ts';
import type { Repository } from './repository.ts';
import { readRootSince } from './rollback.ts';
import { type LostPacks, readRoot } from './roots.ts';

/** What a collector decides; number and nonces are given by {@link replaceRoot}. */
export type RootChanges = Partial<Omit<Root, 'number' | 'nonce' | 'previous'>>;

/**
 * Creates the successor of `before`. Returns it if it is the root now, null if another one is: then the collector must begin anew from that one. A creation may
 * succeed below the highest number, where roots were pruned; that is why the roots are listed again (ROOT-6).
 *
 * Codes: rolled-back, and those of the storage. After an error the root may be there: whoever goes on from the newest root finds out.
 */
export async function replaceRoot(
  repository: Repository,
  before: Root,
  { signal, ...changes }: RootChanges & CallOptions,
): Promise<Root | null> {
  const nonce = Uint8Array.from(randomBytes(16));
  const root = await createRoot(
    repository,
    { ...before, ...changes, number: before.number + 1, nonce, previous: before.nonce },
    { signal },
  );
  if (root !== null) await expectStillThere(repository, before, { signal });
  return root;
}

/**
 * If the store was set back since `before` was read, its successor does not count (ROOT-19); another root after that one would hide the gap. Only where others have
 * made many more it may have been pruned.
 */
async function expectStillThere(repository: Repository, before: Root, { signal }: CallOptions): Promise<void> {
  const { root, isPruned } = await readRootSince(repository, before, { signal });
  const object = objectNames.root(before.number);
  if (isPruned && root.number === before.number + 1) throw rolledBack({ object, message: `${object} is gone` });
}

/** Stores a root of a new number; null if another one is the root then. Codes: those of the storage. */
export async function createRoot(repository: Repository, root: Root, { signal }: CallOptions): Promise<Root | null> {
  const context = contextOf(repository);
  const name = objectNames.root(root.number);
  await repository.storage.create(name, [seal(context, name, { kind: 'root', payload: encodeRoot(root) })], { signal });
  const newest = await readRoot(repository, { signal });
  return equalBytes(newest.nonce, root.nonce) ? newest : null;
}

/** Stores a list of packs for the successor of `root` to refer to; `marked` goes with condemned ones. An empty one needs no object. */
export async function storePackList(
  repository: Repository,
  root: Root,
  { packs, marked = [], signal }: { packs: readonly PackId[]; marked?: readonly MarkedSession[] } & CallOptions,
): Promise<ObjectReference | null> {
  if (packs.length === 0) return null;
  const payload = encodeLostList({ chunks: [], packs: packs.toSorted(), marked });
  return storeReferenced(repository, root, { nameOf: objectNames.lostList, kind: 'lost-list', payload, signal });
}

/** Stores what is lost for the successor of `root` to refer to. Nothing lost needs no object. */
export async function storeLostPacks(
  repository: Repository,
  root: Root,
  { lost, signal }: { lost: LostPacks } & CallOptions,
): Promise<ObjectReference | null> {
  if (lost.size === 0) return null;
  const entries = [...lost].sort(([left], [right]) => (left < right ? -1 : 1));
  const payload = encodeLostList({
    packs: entries.map(([pack]) => pack),
    chunks: entries.flatMap(([, chunks]) => chunks),
    counts: entries.map(([, chunks]) => chunks.length),
  });
  return storeReferenced(repository, root, { nameOf: objectNames.lostList, kind: 'lost-list', payload, signal });
}

/** Stores a catalogue for the successor of `root` to refer to. Code: limit-exceeded. */
export async function storeCatalogue(
  repository: Repository,
  root: Root,
  { catalogue, signal }: { catalogue: Catalogue } & CallOptions,
): Promise<ObjectReference> {
  return storeReferenced(repository, root, {
    nameOf: objectNames.catalogue,
    kind: 'catalogue',
    payload: encodeCatalogue(catalogue),
    signal,
  });
}

/**
 * An id for an object that the successor of `root` will refer to: the successor's number, then 8 random bytes. Only a root of that number can be the first to refer
 * to it. So an object whose number is not above the newest root's, and that no root refers to, will never be referred to: its collector has lost.
 */
export function idForSuccessor(root: Root): ObjectId {
  const bytes = randomBytes(16);
  bytes.writeBigUInt64BE(BigInt(root.number + 1));
  return idFromBytes<ObjectId>(bytes);
}

/** The number of the root that an object with an id of {@link idForSuccessor} was made for. */
export function rootNumberOf(id: ObjectId): number {
  return Number.parseInt(id.slice(0, 16), 16);
}

/** The roots in the store, the newest first. One that is damaged or gone is left out, except the newest: that is an error. */
export async function listRoots(repository: Repository, { signal }: CallOptions = {}): Promise<Root[]> {
  const names: string[] = [];
  for await (const { name } of repository.storage.list(objectPrefixes.roots, { signal })) {
    if (parseObjectName(name)?.type === 'root') names.push(name);
  }
  const roots: Root[] = [];
  for (const name of names.reverse()) {
    try {
      roots.push(decodeRoot(await readSealed(contextOf(repository), name, { kind: 'root', signal }), name));
    } catch (error) {
      const isUnreadable = isLaganError(error) && (error.code === 'not-found' || damageCodes.has(error.code));
      if (!isUnreadable || roots.length === 0) throw error;
    }
  }
  return roots;
}

async function storeReferenced(
  repository: Repository,
  root: Root,
  {
    nameOf,
    kind,
    payload,
    signal,
  }: { nameOf: (id: ObjectId) => string; kind: 'lost-list' | 'catalogue'; payload: Uint8Array } & CallOptions,
): Promise<ObjectReference> {
  const id = idForSuccessor(root);
  const name = nameOf(id);
  const bytes = seal(contextOf(repository), name, { kind, payload });
  if (bytes.length > limits.smallObjectSizeBytes)
    throw new LaganError('limit-exceeded', `${name} would have ${bytes.length} bytes, the limit is ${limits.smallObjectSizeBytes}`, {
      object: name,
      expected: limits.smallObjectSizeBytes,
      found: bytes.length,
    });
  const outcome = await createOwn(repository.storage, name, { bytes, signal });
  if (outcome === 'exists') throw new LaganError('exists', `${name} is there already`, { object: name });
  return { id, hash: Uint8Array.from(createHash('sha256').update(bytes).digest()) };
}
