import { realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LaganError } from '../../repo-format/mod.ts';
import type { Repository } from '../repository/mod.ts';
import { printable, statPath } from '../system/mod.ts';
import type { Identity } from './_messages.ts';

/** The folder of the repository and those above it: a restore deletes none of them. */
export function protectedFolders({ storage }: Repository): Identity[] {
  const description = storage.describe();
  if (description.kind !== 'local-folder') return [];
  const identities: Identity[] = [];
  for (let folder = realpathSync(description.path); ; folder = dirname(folder)) {
    const { device, inode } = statPath(folder, { symlink: 'keep' });
    identities.push({ device, inode });
    if (folder === dirname(folder)) return identities;
  }
}

/** Restoring into the repository would spoil it. Errors: `usage`. */
export function expectTargetOutside({ storage }: Repository, target: string | Uint8Array): void {
  const description = storage.describe();
  if (description.kind !== 'local-folder') return;
  const repository = realpathSync(description.path);
  const path = realPathOfExisting(resolve(printable(target)));
  if (path !== repository && !path.startsWith(`${repository}/`)) return;
  throw new LaganError('usage', `the target ${printable(target)} lies in the repository ${repository}`, { hint: 'choose another target' });
}

/** The path with the symbolic links of that part of it resolved that exists. */
function realPathOfExisting(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : `${realPathOfExisting(above)}/${path.slice(path.lastIndexOf('/') + 1)}`;
  }
}
