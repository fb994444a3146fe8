/**
 * Roots that do not open: the newest was damaged, or somebody without a key has put something under such a name. Who only reads goes by the newest that opens, and is told; so does the owner who
 * recovers. Nobody else does: what the root that does not open had doomed may be gone.
 */
import { decodeRoot, isLaganError, LaganError, objectNames, objectPrefixes, parseObjectName, type Root } from '../../repo-format/mod.ts';
import { type CallOptions, type GetOptions, type ListedObject, type ListOptions, type Storage, withOverrides } from '../storage/mod.ts';
import { firstRoot } from './_first-root.ts';
import { readSealed, type SealingContext } from './_sealed-objects.ts';
import { damageCodes } from './_stored-slots.ts';
import { recoveryReach } from './limits.ts';

export interface NewestThatOpens {
  readonly root: Root;
  /** Those of higher numbers, the highest first; of root 0, if there is none that opens. */
  readonly unreadable: readonly LaganError[];
}

/**
 * The root of the highest number that opens. If there is none, that of a repository in which nothing was ever collected: what snapshots have objects of their own can be read by it; those that only
 * a catalogue has come back with a recovery. Codes: repository-too-new, and those of the storage.
 */
export async function readNewestThatOpens(context: SealingContext, { signal }: CallOptions): Promise<NewestThatOpens> {
  const names: string[] = [];
  for await (const { name } of context.storage.list(objectPrefixes.roots, { signal }))
    if (parseObjectName(name)?.type === 'root') names.push(name);
  const unreadable: LaganError[] = [];
  for (const name of names.reverse()) {
    try {
      const root = decodeRoot(await readSealed(context, name, { kind: 'root', signal }), name);
      return expectNoneNewer({ root, unreadable });
    } catch (error) {
      if (isLaganError(error, 'not-found')) continue;
      if (!isUnreadable(error) || unreadable.includes(error)) throw error;
      unreadable.push(passedOver(name, error));
    }
  }
  const message = `${objectPrefixes.roots} has no root that opens: of the snapshots only those with objects of their own are seen`;
  const missing = new LaganError('object-missing', message, { object: objectNames.root(0) });
  return expectNoneNewer({ root: firstRoot(new Uint8Array(16)), unreadable: [...unreadable, missing] });
}

/** What says that a later version of this program has made it is not passed over, unless nobody can have. Code: repository-too-new. */
function expectNoneNewer(found: NewestThatOpens): NewestThatOpens {
  const newer = found.unreadable.find(({ code, object }) => code === 'repository-too-new' && !isOutOfReach(object!, found.root));
  if (newer !== undefined) throw newer;
  return found;
}

/** The same store, in which these objects cannot be read. They can be deleted. Of root 0 the name is seen: whoever lists roots finds one. */
export function hiding(storage: Storage, names: readonly string[]): Storage {
  if (names.length === 0) return storage;
  const hidden = new Set(names);
  return withOverrides(storage, {
    get: async (name: string, range?: Parameters<Storage['get']>[1], options?: GetOptions) => {
      if (hidden.has(name)) throw new LaganError('not-found', `${name} is passed over`, { object: name });
      return storage.get(name, range, options);
    },
    async *list(prefix: string, options?: ListOptions): AsyncGenerator<ListedObject> {
      const first = objectNames.root(0);
      if (hidden.has(first) && first.startsWith(prefix) && (options?.after ?? '') < first) yield { name: first, sizeBytes: 0 };
      for await (const object of storage.list(prefix, options)) if (!hidden.has(object.name)) yield object;
    },
  });
}

/** Whether reading a root says that it is damaged, or nobody's. */
export function isUnreadable(error: unknown): error is LaganError {
  return isLaganError(error) && damageCodes.has(error.code);
}

/** The error of a newest root that does not open, for whoever must not go by an older one. */
export function unreadableRoot(number: number, error: LaganError): LaganError {
  return new LaganError(error.code, error.message, {
    ...error,
    cause: error,
    object: objectNames.root(number),
    hint: 'it was damaged, or made by somebody who has no key: put a copy of it back; or stop all other programs that use the repository, then: lagan repository recover. Commands that only read go by the root before it',
  });
}

/** Whether a root has a number that none can have had: see {@link recoveryReach}. */
export function isOutOfReach(name: string, { number }: Root): boolean {
  const parsed = parseObjectName(name);
  return parsed?.type === 'root' && parsed.number > number + recoveryReach;
}

function passedOver(object: string, cause: LaganError): LaganError {
  return new LaganError(cause.code, `${object} does not open with the keys, and is passed over: an older root is used`, { object, cause });
}
