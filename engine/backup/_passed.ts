import { isLaganError } from '../../repo-format/mod.ts';
import { isSuperseded, type Repository, withNewestKeys } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import type { BackupSession } from './_session.ts';

/** Whether an error is because the collector has passed the session: it says so, or what it reads has been deleted, or sealed with newer keys. Another session can go on then. */
export async function isPassed(
  repository: Repository,
  { session }: BackupSession,
  { error, signal }: { error: unknown } & CallOptions,
): Promise<boolean> {
  if (!isLaganError(error)) return false;
  if (error.code === 'superseded') return true;
  // It cannot read what is sealed with newer keys.
  if (error.code === 'authentication-failed') return (await withNewestKeys(repository, { signal })) !== repository;
  const isGone = error.code === 'not-found' || error.code === 'object-missing' || error.code === 'pack-missing';
  return isGone && (await isSuperseded(repository, session, { signal }));
}
