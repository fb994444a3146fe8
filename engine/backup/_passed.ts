import { isLaganError } from '../../repo-format/mod.ts';
import { isSuperseded, type Repository } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import type { BackupSession } from './_session.ts';

/** Whether an error is because the collector has passed the session: it says so, or what it reads has been deleted. Another session can go on then. */
export async function isPassed(
  repository: Repository,
  { session }: BackupSession,
  { error, signal }: { error: unknown } & CallOptions,
): Promise<boolean> {
  if (!isLaganError(error)) return false;
  if (error.code === 'superseded') return true;
  const isGone = error.code === 'not-found' || error.code === 'object-missing' || error.code === 'pack-missing';
  return isGone && (await isSuperseded(repository, session, { signal }));
}
