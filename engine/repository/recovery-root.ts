/** The owner's way out when a store went back to an older root. Source: spec/root.md, ROOT-23. */
import { randomBytes } from 'node:crypto';
import {
  type Catalogue,
  decodeCatalogue,
  decodeRoot,
  isLaganError,
  type LaganError,
  limits,
  type ObjectReference,
  objectPrefixes,
  parseObjectName,
  type Root,
} from '../../repo-format/mod.ts';
import { type CallOptions, type ObjectVersion, type StorageHistory, withOverrides } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { readSealed } from './_sealed-objects.ts';
import { damageCodes } from './_stored-slots.ts';
import { createRoot } from './collector.ts';
import type { Repository } from './repository.ts';

/** Whether a root was made by a recovery: the step C under it catalogues and lists everything that is there. */
export function isRecoveryRoot({ number, previous }: Root): boolean {
  return previous === null && number > 0;
}

/**
 * Creates the root that comes after `before` and has no previous one: its number and generation must be above all that can have been. `baseIndex` and `catalogue` were made
 * for it. Null: somebody else has recovered. Codes: those of the storage.
 */
export async function createRecoveryRoot(
  repository: Repository,
  before: Root,
  {
    generation,
    baseIndex,
    catalogue,
    signal,
  }: { generation: number; baseIndex: ObjectReference | null; catalogue: ObjectReference | null } & CallOptions,
): Promise<Root | null> {
  const nonce = Uint8Array.from(randomBytes(16));
  const floors = { generation, floor: generation, phase: 'fencing', pastFloor: 0 } as const;
  const lists = { baseIndex, catalogue, condemned: null, doomed: null };
  return createRoot(repository, { ...before, number: before.number + 1, nonce, previous: null, ...floors, ...lists }, { signal });
}

/** All catalogues that are there, whether or not a root refers to them, the newest last. Of damaged ones is told. Codes: those of the storage. */
export async function readAllCatalogues(
  repository: Repository,
  { onDamage, signal }: { onDamage: (error: LaganError) => void } & CallOptions,
): Promise<Catalogue[]> {
  const names: string[] = [];
  for await (const { name } of repository.storage.list(objectPrefixes.catalogues, { signal }))
    if (parseObjectName(name)?.type === 'catalogue') names.push(name);
  const catalogues: Catalogue[] = [];
  for (const name of names) {
    try {
      catalogues.push(decodeCatalogue(await readSealed(contextOf(repository), name, { kind: 'catalogue', signal }), name));
    } catch (error) {
      if (!isLaganError(error) || !damageCodes.has(error.code)) throw error;
      onDamage(error);
    }
  }
  return catalogues;
}

/** A root that its name once had; null if it does not open: it is nobody's. Codes: those of the storage. */
export async function readRootVersion(
  repository: Repository,
  history: StorageHistory,
  version: ObjectVersion,
  { signal }: CallOptions = {},
): Promise<Root | null> {
  const { name } = version;
  const storage = withOverrides(repository.storage, {
    get: () => history.get(version, undefined, { limitBytes: limits.rootSizeBytes, signal }),
  });
  try {
    return decodeRoot(await readSealed(contextOf({ ...repository, storage }), name, { kind: 'root', signal }), name);
  } catch (error) {
    if (isLaganError(error) && damageCodes.has(error.code)) return null;
    throw error;
  }
}
