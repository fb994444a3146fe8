import pLimit from 'p-limit';
import { LaganError, objectNames, type Root, type SnapshotId } from '../../repo-format/mod.ts';
import { listCommits, type Repository, type SessionIndexTable } from '../repository/mod.ts';
import { type CallOptions, isStored } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';

/**
 * A store that leaves commits out of a listing without saying so would have what they need deleted. A session that has tables and no commit is unfinished, or the listing lacks
 * its commit: so that one is asked for by its name. One that was stored after the listing is in the next.
 *
 * Codes: unavailable, and those of the storage.
 */
export async function expectCommitsListed(
  repository: Repository,
  root: Root,
  { tables, listed, signal }: { tables: readonly SessionIndexTable[]; listed: ReadonlyMap<SnapshotId, unknown> } & CallOptions,
): Promise<void> {
  const names = new Map(tables.map(({ session, generation }) => [session, objectNames.snapshot(generation, session)]));
  const unfinished = [...names].filter(([session]) => !listed.has(session));
  const found = await pLimit(maintainLimits.concurrentReads).map(unfinished, async ([session, name]) =>
    (await isStored(repository.storage, name, { signal })) ? [{ session, name }] : [],
  );
  if (found.flat().length === 0) return;
  const listedNow = new Set((await listCommits(repository, root, { signal })).map(({ id }) => id));
  const missing = found.flat().find(({ session }) => !listedNow.has(session));
  if (missing === undefined) return;
  throw new LaganError('unavailable', `the store lists its snapshots without ${missing.name}, which is there`, {
    object: missing.name,
    hint: 'nothing is collected by a listing that is not whole; try again later, and if it happens again, use another store',
  });
}
