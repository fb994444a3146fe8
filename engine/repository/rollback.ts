/**
 * A store that was restored from a copy may show an older root beside packs and snapshots of a future which that root knows nothing of: they stand by their generation, but
 * rely on packs that it may condemn. Whoever sees that neither writes, collects nor deletes; the owner recovers, see `recovery-root.ts`. Source: spec/root.md, ROOT-19 to ROOT-23.
 */
import { equalBytes, isLaganError, LaganError, objectNames, objectPrefixes, parseObjectName, type Root } from '../../repo-format/mod.ts';
import { openSegmentedObject } from '../objects/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { readNumberedRoot } from './_numbered-root.ts';
import { type RollbackEvidence, rolledBack } from './_rolled-back.ts';
import { readSealed, type SealingContext } from './_sealed-objects.ts';
import { damageCodes } from './_stored-slots.ts';
import { isUnreadable } from './_unreadable-roots.ts';
import { recoveryReach, repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';
import { readNewestRoot, readRoot } from './roots.ts';
import { contradiction } from './seen-roots.ts';
import { generationFolder } from './snapshots.ts';

/** Codes: rolled-back, unavailable, and those of the storage. All requests go at once. */
export async function expectNoRollback(repository: Repository, root: Root, options: CallOptions = {}): Promise<void> {
  const evidence = await findRollback(repository, root, options);
  if (evidence !== null) throw rolledBack(evidence);
}

/**
 * For who only reads: what shows that the store went back, as an error to warn of, unless that was told when the repository was opened. What is there can be read; what is not may have been collected
 * under a root that the store has lost.
 */
export async function rollbackWarning(repository: Repository, options: CallOptions = {}): Promise<LaganError | null> {
  if (repository.unreadableRoots !== undefined || repository.seenRoot !== undefined) return null;
  const evidence = await findRollback(repository, repository.root, options);
  if (evidence === null) return null;
  const { object, message } = evidence;
  return new LaganError('rolled-back', `the store was set back to an older state: ${message}; what is there is restored`, { object });
}

/**
 * What the roots and the names of later objects tell; null if nothing is wrong. `find`: to look for more evidence under the same root. While collectors go on, a root that
 * was read is soon an old one, and what seems to be ahead of it is not: then it is looked again under the root as it is.
 */
export async function findRollback(
  repository: Repository,
  root: Root,
  { find = async () => null, signal }: CallOptions & { find?: (root: Root) => Promise<RollbackEvidence | null> } = {},
): Promise<RollbackEvidence | null> {
  for (let attempt = 1; attempt <= repositoryLimits.attempts; attempt++) {
    const [line, future, more, other] = await Promise.all([
      brokenLine(contextOf(repository), root, { signal }),
      fromTheFuture(repository, root, { signal }),
      find(root),
      repository.seenRoot === undefined ? null : contradiction(repository, { root, seen: repository.seenRoot, signal }),
    ]);
    const evidence = unreadable(repository) ?? line ?? future ?? more ?? other;
    if (evidence === null) return null;
    const newest = await readRoot(repository, { signal });
    if (newest.number === root.number) return evidence;
    root = newest;
  }
  throw new LaganError('unavailable', `the root changed ${repositoryLimits.attempts} times while it was looked at`, { hint: 'try again' });
}

/**
 * The root as it is now, for whoever relies on one that was read before: that one must still be there, unless it was pruned (`isPruned`). Both are asked for at once.
 *
 * Codes: rolled-back, and those of {@link readRoot}.
 */
export async function readRootSince(
  repository: Repository,
  seen: Root,
  { signal }: CallOptions = {},
): Promise<{ readonly root: Root; readonly isPruned: boolean }> {
  const context = contextOf(repository);
  const newestRoot = () => readNewestRoot(context, { atLeast: seen, signal });
  let [root, again] = await Promise.all([newestRoot(), readNumberedRoot(context, seen.number, { signal })]);
  // It may have been pruned after the roots were listed.
  if (again === null) root = await newestRoot();
  const object = objectNames.root(seen.number);
  if (again === null && root.number === seen.number) throw rolledBack({ object, message: `${object} is gone` });
  if (again !== null && !equalBytes(again.nonce, seen.nonce))
    throw rolledBack({ object, message: `${object} is another one than was read before` });
  return { root, isPruned: again === null };
}

function unreadable({ unreadableRoots: [object] = [] }: Repository): RollbackEvidence | null {
  return object === undefined ? null : { object, message: `${object} is gone, or does not open with the keys: it is damaged, or nobody's` };
}

/** The root before must be there, and be the one that this one replaced. */
async function brokenLine(context: SealingContext, root: Root, options: CallOptions): Promise<RollbackEvidence | null> {
  if (root.number === 0 || root.previous === null) return null;
  const object = objectNames.root(root.number - 1);
  try {
    const before = await readNumberedRoot(context, root.number - 1, options);
    if (before === null) return { object, message: `${object} is missing` };
    if (equalBytes(before.nonce, root.previous)) return null;
    return { object, message: `${object} is another one than root ${root.number} replaced` };
  } catch (error) {
    if (!isLaganError(error) || !damageCodes.has(error.code)) throw error;
    return { object, message: error.message };
  }
}

/**
 * Sessions begin in the root's generation or an earlier one. A name alone shows nothing: whoever may create objects can make one up, and needs no key for it. What is farther ahead than any lost
 * future is not even looked at.
 */
async function fromTheFuture(repository: Repository, { generation }: Root, { signal }: CallOptions): Promise<RollbackEvidence | null> {
  const found = await Promise.all(
    sessionObjects.map(async ({ prefix, kind }) => {
      for await (const { name } of repository.storage.list(prefix, { after: generationFolder(prefix, generation + 1), signal })) {
        const parsed = parseObjectName(name);
        if (parsed === null || !('generation' in parsed) || parsed.generation > generation + recoveryReach) continue;
        if (await opens(repository, name, { kind, signal })) return name;
      }
      return null;
    }),
  );
  const object = found.find((name) => name !== null);
  return object === undefined ? null : { object, message: `${object} is of a generation after the root's, ${generation}` };
}

const sessionObjects = [
  { prefix: objectPrefixes.snapshots, kind: 'snapshot' },
  { prefix: objectPrefixes.checkpoints, kind: 'checkpoint' },
  { prefix: objectPrefixes.sessionIndexes, kind: 'index-table' },
] as const;

/** Whether somebody who has a key has made the object. One that is gone was nothing that stays. */
async function opens(
  repository: Repository,
  name: string,
  { kind, signal }: { kind: (typeof sessionObjects)[number]['kind'] } & CallOptions,
): Promise<boolean> {
  const { storage, keys } = repository;
  try {
    if (kind === 'index-table') await openSegmentedObject(storage, { name, kind, keys, signal });
    else await readSealed(contextOf(repository), name, { kind, signal });
    return true;
  } catch (error) {
    if (isUnreadable(error) || isLaganError(error, 'not-found')) return false;
    throw error;
  }
}
