/** The folder into which a peer restores a snapshot before it is backed up. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { LaganError, systemError } from '../shared/errors.ts';
import { formatSize } from '../shared/sizes.ts';

/** What must be free beyond the size of the files. */
const reserveBytes = 64 * 1024 * 1024;

/** Makes an empty folder that only its owner can enter, lets `use` do its work in it, and takes it away with all that is in it. */
export async function withScratch<Result>(place: string, use: (folder: string) => Promise<Result>): Promise<Result> {
  let folder: string;
  try {
    folder = await mkdtemp(join(place, 'lagan-import-'));
  } catch (error) {
    throw systemError('make a folder in', place, error);
  }
  try {
    return await use(folder);
  } finally {
    await removeAll(folder);
  }
}

/** Code: no-space, if files of that size do not fit. */
export async function expectSpace(place: string, sizeBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(place).catch((error: unknown) => {
    throw systemError('look at the free space of', place, error);
  });
  const free = bavail * bsize;
  if (free >= sizeBytes + reserveBytes) return;
  throw new LaganError(
    'no-space',
    `the snapshot has ${formatSize(sizeBytes)}, but ${place} has only ${formatSize(free)} free to restore it to`,
    {
      object: place,
      expected: sizeBytes + reserveBytes,
      found: free,
      hint: 'name a folder with more space by --scratch-dir; for sparse files that need less, --no-space-check',
    },
  );
}

/** Folders above what was backed up, of which the peer knows nothing, get what says so: the same in every snapshot. */
export async function neutralFoldersAbove(folder: string, paths: readonly Uint8Array[]): Promise<void> {
  const recorded = paths.map((path) => Buffer.from(path).toString());
  const isWithin = (path: string) => recorded.some((one) => one === '/' || path === one || path.startsWith(`${one}/`));
  const above = new Set(recorded.flatMap((path) => foldersAbove(path)).filter((path) => !isWithin(path)));
  for (const path of [...above].sort().reverse()) {
    await chmod(join(folder, path), 0o755).catch(() => undefined);
    await utimes(join(folder, path), 0, 0).catch(() => undefined);
  }
}

/** `/a/b/c` lies in `/a/b` and `/a`. */
function foldersAbove(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  return names.slice(0, -1).map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}

/** By the system's own programs: names may be any bytes, and flags such as `immutable` may have been restored. */
async function removeAll(folder: string): Promise<void> {
  if ((await runQuietly('rm', ['-rf', '--', folder])) === 0) return;
  await runQuietly('chattr', ['-R', '-f', '-ia', '--', folder]);
  await runQuietly('chmod', ['-R', 'u+rwx', '--', folder]);
  if ((await runQuietly('rm', ['-rf', '--', folder])) === 0) return;
  throw new LaganError('io', `the folder ${folder}, into which a snapshot was restored, could not be removed`, {
    object: folder,
    hint: 'remove it by hand: it holds a copy of the files in clear',
  });
}

function runQuietly(program: string, parameters: string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, { stdio: 'ignore' });
    child.on('error', () => resolve(-1));
    child.on('close', (status) => resolve(status ?? -1));
  });
}
