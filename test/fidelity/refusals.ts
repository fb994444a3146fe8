/**
 * What the kernel refuses to this user, found out by trying. A loss counts as honest only if its kind is among these and the restore told of it.
 */

import { closeSync, mkdtempSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { applyMetadata, createFile, fileFlag, type Metadata, openRoot, removeTree, tryCreateNode } from '../../engine/system/mod.ts';
import { attribute } from './case-folder.ts';
import type { Difference } from './compare.ts';

/** Each kind with something of it that only the privileged may do. */
const attempts: Readonly<Record<string, Metadata>> = {
  owner: { type: 'file', uid: 54_321, gid: 54_322 },
  xattr: { type: 'file', extendedAttributes: [attribute('trusted.test', '1')] },
  capability: {
    type: 'file',
    extendedAttributes: [attribute('security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex'))],
  },
  flags: { type: 'file', flags: fileFlag.immutable },
  project: { type: 'file', projectId: 4711 },
};

/** Kinds of loss that this user cannot avoid on the file system of `folder`; 'device' stands for making one. */
export function refusedKinds(folder: string): string[] {
  const own = mkdtempSync(join(folder, 'refused-'));
  const [parent, root] = [openRoot(dirname(own)), openRoot(own)];
  const file = createFile(root, Buffer.from('file'));
  const kinds = Object.entries(attempts).flatMap(([kind, metadata]) => (applyMetadata(file, metadata).length > 0 ? [kind] : []));
  const device = tryCreateNode(root, Buffer.from('device'), { type: 'character-device', major: 1, minor: 3 });
  closeSync(file);
  closeSync(root);
  removeTree(parent, Buffer.from(basename(own)));
  closeSync(parent);
  return device < 0 ? [...kinds, 'device'] : kinds;
}

export interface Report {
  /** Kinds that the kernel refuses to the user who restored. */
  readonly refused: readonly string[];
  /** Kinds of loss that the restore reported. */
  readonly notRestored: readonly string[];
  /** Paths (latin1) that the restore named with an error. */
  readonly errorPaths: readonly string[];
}

/** Whether a difference is one that the kernel made inevitable and that the restore told of. `others` are all of the same case. */
export function isHonestLoss(difference: Difference, others: readonly Difference[], report: Report): boolean {
  const { aspect, path } = difference;
  const isReported = (kind: string): boolean => report.refused.includes(kind) && report.notRestored.includes(kind);
  switch (aspect) {
    case 'owner':
    case 'capability':
    case 'project':
      return isReported(aspect);
    case 'xattr':
      return !difference.expected.startsWith('user.') && isReported('xattr');
    case 'flags':
      return isReported('flags') && onlyPrivilegedFlagsDiffer(difference);
    case 'mode':
      // setuid and setgid for the wrong owner would be a gift to a stranger: the restore leaves them off and says so.
      return (
        onlyPrivilegedModeDiffers(difference) &&
        report.notRestored.includes('mode') &&
        others.some((other) => other.path === path && other.aspect === 'owner')
      );
    case 'missing':
      return report.refused.includes('device') && isNamed(path, report);
    case 'links':
      return others.some((other) => other.aspect === 'missing' && isHonestLoss(other, [], report));
    default:
      return false;
  }
}

function isNamed(path: string, report: Report): boolean {
  return report.notRestored.includes('device') || report.errorPaths.some((named) => named.endsWith(path));
}

function onlyPrivilegedFlagsDiffer({ expected, found }: Difference): boolean {
  const privileged = fileFlag.immutable | fileFlag.appendOnly | fileFlag.journalData;
  return ((Number.parseInt(expected, 16) ^ Number.parseInt(found, 16)) & ~privileged) === 0;
}

function onlyPrivilegedModeDiffers({ expected, found }: Difference): boolean {
  return ((Number.parseInt(expected, 8) ^ Number.parseInt(found, 8)) & ~0o6000) === 0;
}
