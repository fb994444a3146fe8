/** An opened repository: where it is, what it is like, and its keys. */
import type { Configuration, ObjectId, Root } from '../../repo-format/mod.ts';
import { idFromBytes, type LaganError } from '../../repo-format/mod.ts';
import { type CacheOptions, cacheOf, withCache } from '../cache/mod.ts';
import { KeyRing, type PlainKeyRing } from '../keys/mod.ts';
import { openStorage, type Storage, type StorageDescription, withCheckedCreation } from '../storage/mod.ts';
import type { SeenRoot } from './_rolled-back.ts';
import { hiding } from './_unreadable-roots.ts';

/** `read`: nothing is written, a read-only disk suffices. `metadata`: the content of files cannot be read, the key may forbid it. */
export type RepositoryMode = 'read' | 'write' | 'metadata';

/** How the repository was opened: what is needed to add and change keys. Not passed to other threads. */
export interface RepositoryAccess {
  readonly slotId: ObjectId;
  /** Of the slot's grants: full or metadata. */
  readonly accessKey: Uint8Array;
}

export interface Repository {
  /** 32 hex digits. */
  readonly id: ObjectId;
  readonly storage: Storage;
  readonly mode: RepositoryMode;
  readonly configuration: Configuration;
  readonly keys: KeyRing;
  /** As it was when the repository was opened; see `readRoot`. */
  readonly root: Root;
  /** The key slot that opened it. */
  readonly slotId: ObjectId;
  /** Null in worker threads. */
  readonly access: RepositoryAccess | null;
  /** A root that this machine has seen before, if the store contradicts it: see {@link withSeenRoot}. */
  readonly seenRoot?: SeenRoot | undefined;
  /** Names of roots of higher numbers that do not open: in `storage` they cannot be seen. */
  readonly unreadableRoots?: readonly string[] | undefined;
  /** What is wrong but does not matter now, such as a damaged key slot. */
  readonly warnings: readonly LaganError[];
}

/** A repository as plain values, for worker threads. Holds its keys: it must not be stored or shown. */
export interface RepositoryDescription {
  readonly storage: StorageDescription;
  readonly cache: CacheOptions | null;
  readonly mode: RepositoryMode;
  readonly configuration: Configuration;
  readonly keys: PlainKeyRing;
  readonly root: Root;
  readonly slotId: ObjectId;
  readonly unreadableRoots: readonly string[];
}

export function describeRepository(repository: Repository): RepositoryDescription {
  const { storage, mode, configuration, keys, root, slotId, unreadableRoots = [] } = repository;
  return { storage: storage.describe(), cache: cacheOf(storage), mode, configuration, keys: keys.toPlain(), root, slotId, unreadableRoots };
}

/** The same repository in another thread, with a storage of its own; nothing is read or unlocked again. */
export function attachRepository(description: RepositoryDescription): Repository {
  const { mode, configuration, root, slotId, unreadableRoots } = description;
  const keys = KeyRing.fromPlain(description.keys);
  const id = idFromBytes<ObjectId>(keys.repositoryId);
  const storage = storageFor(configuration, hiding(openStorage(description.storage), unreadableRoots));
  const repository = { id, storage, mode, configuration, keys, root, slotId, access: null, unreadableRoots, warnings: [] };
  return description.cache === null ? repository : withCache(repository, description.cache);
}

/** The storage as a repository of this configuration uses it: one whose store was found not to create safely looks before it creates. */
export function storageFor({ collector }: Configuration, storage: Storage): Storage {
  return collector === null ? storage : withCheckedCreation(storage);
}
