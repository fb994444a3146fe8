/**
 * Roots: numbered objects that the collector creates and nobody changes; the highest number counts. Source: spec/root.md.
 */
import {
  decodeLostList,
  decodeRoot,
  isLaganError,
  LaganError,
  type LostList,
  type ObjectReference,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Root,
} from '../../repo-format/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { rolledBack } from './_rolled-back.ts';
import { readReferenced, readSealed, type SealingContext } from './_sealed-objects.ts';
import { isUnreadable, unreadableRoot } from './_unreadable-roots.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';

/**
 * The root as it is now.
 *
 * Codes: object-missing (there is none), rolled-back (there is none as new as the one that was seen before), malformed,
 * authentication-failed, name-mismatch.
 */
export async function readRoot(repository: Repository, options: CallOptions = {}): Promise<Root> {
  return readNewestRoot(contextOf(repository), { atLeast: repository.root, ...options });
}

/** {@link readRoot} for a repository that is being opened. `atLeast`: a root that was seen before. */
export async function readNewestRoot(
  context: SealingContext,
  { atLeast, signal }: { atLeast?: Root | undefined } & CallOptions = {},
): Promise<Root> {
  for (let attempt = 1; ; attempt++) {
    const number = await newestNumber(context.storage, { atLeast, signal });
    if (number === atLeast?.number) return atLeast;
    const name = objectNames.root(number);
    try {
      return decodeRoot(await readSealed(context, name, { kind: 'root', signal }), name);
    } catch (error) {
      if (isUnreadable(error)) throw unreadableRoot(number, error);
      // The collector may remove old roots: then there is a newer one.
      if (!isLaganError(error, 'not-found') || attempt === repositoryLimits.attempts) throw error;
    }
  }
}

/**
 * Runs `read` so that the root is the same before and after it: what it lists belongs together. `sameView` says what counts as the same. The root before it is the one that the
 * repository was opened with: if there is a newer one by now, the reading begins anew with that.
 *
 * `read` may call `listed` as soon as its listings are complete: then the root is read again while it goes on to read objects, which never change. If it finds that one
 * is missing, it calls `listed` once more.
 *
 * Code: unavailable, if the collector moves faster than this reads.
 */
export async function readUnderRoot<T>(
  repository: Repository,
  read: (root: Root, listed: () => void) => Promise<T>,
  { sameView, signal }: { sameView: (before: Root, after: Root) => boolean } & CallOptions,
): Promise<T> {
  let before = repository.root;
  for (let attempt = 1; attempt <= repositoryLimits.attempts; attempt++) {
    const readAgain = () => readNewestRoot(contextOf(repository), { atLeast: before, signal });
    let reading: Promise<Root> | undefined;
    const listed = (): void => {
      reading = readAgain();
      reading.catch(() => undefined); // Whoever waits for it is told.
    };
    const result = await read(before, listed).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    // An error asks what the root is after it.
    const after = await ('value' in result && reading !== undefined ? reading : readAgain());
    if ('value' in result && (after.number === before.number || sameView(before, after))) return result.value;
    if ('error' in result) {
      // What vanished while the root stayed is missing; while it moved, the collector has put it elsewhere.
      const mayHaveMoved = isLaganError(result.error, 'not-found') || isLaganError(result.error, 'object-missing');
      if (after.number === before.number || !mayHaveMoved) throw result.error;
    }
    before = after;
  }
  throw new LaganError('unavailable', `the repository changed ${repositoryLimits.attempts} times while it was read`, { hint: 'try again' });
}

/** The packs of a list that a root refers to: condemned, doomed. */
export async function readPackList(
  repository: Repository,
  reference: ObjectReference | null,
  options: CallOptions = {},
): Promise<readonly PackId[]> {
  return (await readMarkedPackList(repository, reference, options)).packs;
}

/** The same with the sessions that go with condemned packs. */
export async function readMarkedPackList(
  repository: Repository,
  reference: ObjectReference | null,
  options: CallOptions = {},
): Promise<Pick<LostList, 'packs' | 'marked'>> {
  if (reference === null) return { packs: [], marked: [] };
  const name = objectNames.lostList(reference.id);
  return decodeLostList(await readReferenced(contextOf(repository), reference, { name, kind: 'lost-list', ...options }), name);
}

/** Packs that are lost, gone or damaged, each with the names of those of its chunks that are not back. */
export type LostPacks = ReadonlyMap<PackId, readonly Uint8Array[]>;

/** What a root calls lost. Codes: object-missing, and those of damage. */
export async function readLostPacks(repository: Repository, { lost }: Pick<Root, 'lost'>, options: CallOptions = {}): Promise<LostPacks> {
  if (lost === null) return new Map();
  const name = objectNames.lostList(lost.id);
  const payload = await readReferenced(contextOf(repository), lost, { name, kind: 'lost-list', ...options });
  const { packs, chunks, counts } = decodeLostList(payload, name);
  let first = 0;
  return new Map(packs.map((pack, index) => [pack, chunks.slice(first, (first += counts[index] ?? 0))]));
}

const noRootHint =
  'stop all programs that use the repository, then: lagan repository recover. Commands that only read find what snapshots have objects of their own';

async function newestNumber(
  storage: Storage,
  { atLeast, signal }: { atLeast: Root | undefined; signal: AbortSignal | undefined },
): Promise<number> {
  // Roots before the one that was seen are of no interest: the listing begins with that one.
  const after = atLeast === undefined || atLeast.number === 0 ? undefined : objectNames.root(atLeast.number - 1);
  let newest: number | undefined;
  for await (const { name } of storage.list(objectPrefixes.roots, { after, signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type === 'root') newest = parsed.number;
  }
  if (newest !== undefined) return newest;
  if (atLeast === undefined)
    throw new LaganError('object-missing', 'the repository has no root', { object: objectPrefixes.roots, hint: noRootHint });
  const message = `root ${atLeast.number} was seen before, and there is none as new now`;
  throw rolledBack({ object: objectNames.root(atLeast.number), message });
}
