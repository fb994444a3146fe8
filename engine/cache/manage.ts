import fs from 'node:fs';
import path from 'node:path';
import { LaganError, type Time } from '../../repo-format/mod.ts';
import { type CacheFile, listCacheFiles, shrink } from './_cache-files.ts';
import { cacheLimits } from './_limits.ts';

/** What the caches in a folder hold. */
export interface CacheStatus {
  readonly folder: string;
  readonly limitBytes: number;
  readonly repositories: readonly {
    /** The repository's id, 32 hex digits. */
    readonly repository: string;
    readonly sizeBytes: number;
    readonly lastUsed: Time;
  }[];
}

/** What is cached, by repository, the one that was used last first. `limitBytes`: that which is in force, to be told again. Codes: forbidden, io. */
export async function cacheStatus({
  folder,
  limitBytes = cacheLimits.defaultSizeBytes,
}: {
  readonly folder: string;
  readonly limitBytes?: number | undefined;
}): Promise<CacheStatus> {
  const byRepository = Map.groupBy(listed(folder), ({ repository }) => repository);
  const repositories = [...byRepository].map(([repository, files]) => {
    const usedMs = files.reduce((latest, file) => Math.max(latest, file.usedMs), 0);
    return { repository, sizeBytes: sizeOf(files), lastUsed: timeOf(usedMs) };
  });
  return { folder: path.resolve(folder), limitBytes, repositories: repositories.sort((a, b) => b.lastUsed.seconds - a.lastUsed.seconds) };
}

/** Deletes the cache of all repositories in a folder, or of one. Other files in the folder stay. Codes: forbidden, read-only, io. */
export async function cacheClear({
  folder,
  repository,
  dryRun = false,
}: {
  readonly folder: string;
  readonly repository?: string | undefined;
  readonly dryRun?: boolean | undefined;
}): Promise<{ readonly removedBytes: number; readonly repositories: readonly string[] }> {
  const files = listed(folder, repository);
  const repositories = [...new Set(files.map((file) => file.repository))];
  if (!dryRun) {
    explain(folder, () => {
      for (const name of repositories) fs.rmSync(path.join(folder, name), { recursive: true, force: true });
    });
  }
  return { removedBytes: sizeOf(files), repositories };
}

/** Deletes what was not used for longest until the caches of all repositories together are no larger than the limit. Codes: forbidden, read-only, io. */
export async function cacheLimit({
  folder,
  limitBytes,
}: {
  readonly folder: string;
  readonly limitBytes: number;
}): Promise<{ readonly removedBytes: number }> {
  if (!(limitBytes >= 0)) throw new RangeError(`limitBytes: ${limitBytes} is not a number of bytes`);
  return { removedBytes: explain(folder, () => shrink(path.resolve(folder), limitBytes)) };
}

function listed(folder: string, only?: string): CacheFile[] {
  return explain(folder, () => [...listCacheFiles(path.resolve(folder), only)]);
}

function sizeOf(files: readonly CacheFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function timeOf(milliseconds: number): Time {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.floor((milliseconds - seconds * 1000) * 1e6) };
}

function explain<Result>(folder: string, act: () => Result): Result {
  try {
    return act();
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    const code = errno === 'EACCES' || errno === 'EPERM' ? 'forbidden' : errno === 'EROFS' ? 'read-only' : 'io';
    throw new LaganError(code, `the cache in ${folder} cannot be used: ${(cause as Error).message}`, { cause, object: folder, errno });
  }
}
