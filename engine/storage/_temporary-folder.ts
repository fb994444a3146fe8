/**
 * The folder of a local repository that holds what is unfinished. A file in it is an object's future content; it gets its name by link(2) when it is
 * complete and durable, and leaves this folder then. Whatever stays here was left by a process that died.
 */
import fs from 'node:fs';
import path from 'node:path';
import { errnoOf, type FileCalls } from './_file-calls.ts';
import { temporaryFolderName } from './_names.ts';
import { fateOfMaker, ownNamePrefix } from './_process-identity.ts';
import { storageLimits } from './limits.ts';

const foldersInUse = new Set<string>();

export function temporaryFolderOf(root: string): string {
  return path.join(root, temporaryFolderName);
}

/** From now on {@link abandonAll} looks after this folder. */
export function rememberTemporaryFolder(folder: string): void {
  foldersInUse.add(folder);
}

/**
 * Deletes every temporary file of this process, whichever thread made it, in all folders that this thread has opened. Synchronous and
 * never throws, for signal handlers and `exit` events: afterwards the process must end, because what it was writing is gone.
 */
export function abandonAll(): void {
  for (const folder of foldersInUse) {
    for (const name of namesOf(folder)) {
      if (name.startsWith(ownNamePrefix())) removeQuietly(path.join(folder, name));
    }
  }
}

/** Deletes the files whose makers have died. Returns how many. */
export function removeLitterIn(folder: string, calls: FileCalls): number {
  let removed = 0;
  for (const { name } of unlessAbsent(() => calls.readFolder(folder)) ?? []) {
    const file = path.join(folder, name);
    if (!isLitter(file, calls)) continue;
    // Another process may be removing it, too.
    unlessAbsent(() => calls.unlink(file));
    removed++;
  }
  return removed;
}

function isLitter(file: string, calls: FileCalls): boolean {
  const fate = fateOfMaker(path.basename(file));
  if (fate === 'alive') return false;
  if (fate === 'dead') return true;
  const limit = fate === 'dead-since-reboot' ? storageLimits.ownLitterAgeSeconds : storageLimits.foreignLitterAgeSeconds;
  const status = unlessAbsent(() => calls.statusAt(file));
  return status?.isFile() === true && Date.now() - status.mtimeMs > limit * 1000;
}

function unlessAbsent<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function namesOf(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}

function removeQuietly(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch {
    // Gone already, or not ours to delete: the next opening for writing tries again.
  }
}
