/** File flags (`chattr`) and project ids of opened files and folders, by ioctl. */

import { isUnsupported, learnsUnsupported } from './_device-memory.ts';
import { failure, libc } from './_libc.ts';
import * as scratch from './_scratch.ts';
import type { Descriptor } from './descriptors.ts';
import { errnoOf } from './errno.ts';

const FS_IOC_GETFLAGS = 0x8008_6601;
const FS_IOC_SETFLAGS = 0x4008_6602;
const FS_IOC_FSGETXATTR = 0x801c_581f;
const FS_IOC_FSSETXATTR = 0x401c_5820;
/** In struct fsxattr, as 32-bit words. */
const projectIdWord = 3;

/** Bits of FS_IOC_GETFLAGS, by the names of `chattr` and the kernel. */
export const fileFlag = {
  secureRemoval: 0x1,
  undelete: 0x2,
  compressed: 0x4,
  synchronous: 0x8,
  immutable: 0x10,
  appendOnly: 0x20,
  noDump: 0x40,
  noAccessTime: 0x80,
  noCompression: 0x400,
  journalData: 0x4000,
  noTail: 0x8000,
  directorySynchronous: 0x1_0000,
  topDirectory: 0x2_0000,
  noCopyOnWrite: 0x80_0000,
  directAccess: 0x200_0000,
  projectInherit: 0x2000_0000,
  caseFold: 0x4000_0000,
} as const;

/** What a user can set; all other bits (extents, index, encryption, verity, inline data) are the file system's own business. */
export const restorableFlags: number = Object.values(fileFlag).reduce((bits, bit) => bits | bit, 0);

/** Take effect only if they are set before there is content. */
export const creationFlags: number = fileFlag.noCopyOnWrite | fileFlag.compressed | fileFlag.noCompression | fileFlag.caseFold;

/** The flags of a file or folder that a restore can set again: 0 for an ordinary one and where the file system has none. */
export function readFileFlags(descriptor: Descriptor, device: number): number {
  if (isUnsupported('flags', device)) return 0;
  const flags = tryReadAllFlags(descriptor);
  if (flags < 0) {
    learnsUnsupported('flags', device, flags);
    return 0;
  }
  return flags & restorableFlags;
}

/** The project id (quota) of a file or folder; 0 is none. */
export function readProjectId(descriptor: Descriptor, device: number): number {
  if (isUnsupported('project', device)) return 0;
  const result = orFailure(libc.ioctl(descriptor, FS_IOC_FSGETXATTR, scratch.address.small));
  if (result < 0) {
    learnsUnsupported('project', device, result);
    return 0;
  }
  return scratch.words[(scratch.at.small >>> 2) + projectIdWord]!;
}

/** All flags, also those that only the file system sets; −errno if there are none to be had. */
export function tryReadAllFlags(descriptor: Descriptor): number {
  const result = orFailure(libc.ioctl(descriptor, FS_IOC_GETFLAGS, scratch.address.small));
  return result < 0 ? result : scratch.words[scratch.at.small >>> 2]!;
}

/**
 * Makes the restorable flags of `mask` those of `flags`; if the file system refuses them together, as many as it takes.
 * Returns 0 or −errno of the first that it refused.
 */
export function trySetFlags(descriptor: Descriptor, flags: number, mask: number = restorableFlags): number {
  const before = tryReadAllFlags(descriptor);
  if (before < 0) return (flags & mask) === 0 ? 0 : before;
  const wanted = ((before & ~mask) | (flags & mask)) >>> 0;
  if (wanted === before) return 0;
  const error = trySetAllFlags(descriptor, wanted);
  if (error === 0 || error === -errnoOf.EBADF) return error;
  let reached = before;
  for (let bit = 1; bit <= 0x4000_0000; bit *= 2) {
    if (((wanted ^ before) & bit) === 0) continue;
    const next = (reached ^ bit) >>> 0;
    if (trySetAllFlags(descriptor, next) === 0) reached = next;
  }
  return error;
}

/** Sets the project id. Returns 0 or −errno. */
export function trySetProjectId(descriptor: Descriptor, projectId: number): number {
  const result = orFailure(libc.ioctl(descriptor, FS_IOC_FSGETXATTR, scratch.address.small));
  if (result < 0) return projectId === 0 ? 0 : result;
  const word = (scratch.at.small >>> 2) + projectIdWord;
  if (scratch.words[word] === projectId) return 0;
  scratch.words[word] = projectId;
  return orFailure(libc.ioctl(descriptor, FS_IOC_FSSETXATTR, scratch.address.small));
}

function trySetAllFlags(descriptor: Descriptor, flags: number): number {
  scratch.words[scratch.at.small >>> 2] = flags;
  scratch.words[(scratch.at.small >>> 2) + 1] = 0;
  return orFailure(libc.ioctl(descriptor, FS_IOC_SETFLAGS, scratch.address.small));
}

function orFailure(result: number): number {
  return result < 0 ? failure() : result;
}
