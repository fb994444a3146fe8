import { hash } from 'node:crypto';
import { LaganError } from '../../repo-format/mod.ts';
import {
  type Descriptor,
  errnoOf,
  FileStatus,
  type Place,
  removeTree,
  systemError,
  tryRemoveDirectory,
  tryRename,
  tryStat,
} from '../system/mod.ts';
import type { Identity, RestoreRules } from './_messages.ts';

const status = new FileStatus();

/** What an entry is called until it is whole: always the same for a name, so that what a killed restore leaves is found and replaced by the next. */
export function temporaryName(name: Uint8Array): Uint8Array {
  return Buffer.from(`.lagan-restore-${hash('sha256', name, 'hex').slice(0, 24)}`);
}

/** Gives something finished its name. Returns 0 or −errno. Errors: as {@link clearTheWay}. */
export function tryPutIntoPlace(from: Place, name: Uint8Array, rules: RestoreRules): number {
  const to = { parent: from.parent, name };
  const result = tryRename(from, to, 'replace');
  if (result !== -errnoOf.EPERM && result !== -errnoOf.EACCES && result !== -errnoOf.EISDIR) return result;
  // What has the name is immutable, or a folder.
  clearTheWay(from.parent, name, rules);
  return tryRename(from, to, 'replace');
}

/**
 * Removes what is in the way of something else: anything but a folder, or an empty folder; a folder with things in it only if the rules allow deletions, and never the
 * repository. Errors: `exists`, and what the system says.
 */
export function clearTheWay(parent: Descriptor, name: Uint8Array, rules: RestoreRules): void {
  const isFolder = tryStat(parent, name, status) === 0 && status.type === 'directory';
  if (isFolder && tryRemoveDirectory(parent, name) === 0) return;
  if (isFolder && (!rules.delete || isProtected(status, rules.protectedFolders))) {
    throw new LaganError('exists', 'a folder with things in it is in the way', {
      errno: 'ENOTEMPTY',
      hint: 'it is removed only if deletions are allowed',
    });
  }
  const { failures } = removeTree(parent, name);
  if (failures.length > 0) throw systemError(failures[0]!.errno, 'remove', failures[0]!.path);
}

export function isProtected({ device, inode }: Identity, folders: readonly Identity[]): boolean {
  return folders.some((folder) => folder.inode === inode && folder.device === device);
}
