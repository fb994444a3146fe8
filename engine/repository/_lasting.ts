/**
 * Small objects that must be readable as long as they are there. Whoever opened the repository before the master key was rotated may come so late that the old key is forgotten meanwhile
 * (KEY-17): what he seals with it nobody could read. So he looks at the keyring after he has stored it. If there was no newer epoch until then, whoever forgets this one sees the object before.
 */
import { isLaganError, LaganError } from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { withNewestKeys } from './key-epochs.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';

export interface Created<Result> {
  /** Of the objects. */
  readonly names: readonly string[];
  readonly result: Result;
}

/**
 * Calls `create`, and if the keys were rotated since the repository was opened deletes what it made and calls it again with the keys as they are now.
 *
 * Codes: those of `create` and of the storage; authentication-failed (all keys were replaced, and ours opens nothing any more), unavailable (the keys are rotated again and again).
 */
export async function createLasting<Result>(
  repository: Repository,
  create: (repository: Repository) => Promise<Created<Result>>,
  { signal }: CallOptions = {},
): Promise<Result> {
  let current = repository;
  for (let attempt = 1; attempt <= repositoryLimits.keyAttempts; attempt++) {
    const { names, result } = await create(current);
    const newest = names.length === 0 ? current : await newestOrTakeBack(current, names, { signal });
    if (newest === current) return result;
    await takeBack(current, names, { signal });
    current = newest;
  }
  throw new LaganError('unavailable', 'the keys are rotated by others again and again', { hint: 'run it again' });
}

async function newestOrTakeBack(repository: Repository, names: readonly string[], { signal }: CallOptions): Promise<Repository> {
  try {
    return await withNewestKeys(repository, { signal });
  } catch (error) {
    if (isLaganError(error, 'authentication-failed')) await takeBack(repository, names, { signal });
    throw error;
  }
}

/** A writer may not: then it stays, and is no more than what damaged ones are. */
async function takeBack({ storage }: Repository, names: readonly string[], { signal }: CallOptions): Promise<void> {
  try {
    await storage.delete(names, { signal });
  } catch (error) {
    if (!isLaganError(error, 'forbidden')) throw error;
  }
}
