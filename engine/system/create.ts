/**
 * Making entries of a restored tree, each relative to the descriptor of its folder.
 *
 * Invariants: nothing is followed, nothing that exists is overwritten (EEXIST instead), a name is one component or EINVAL; so a repository that
 * says `../../etc/passwd`, or a symbolic link planted meanwhile, leads nowhere. `try…` returns 0 (or a descriptor) or −errno and never throws.
 */

import { constants } from 'node:fs';
import { failure, libc, systemCall } from './_libc.ts';
import * as scratch from './_scratch.ts';
import { closeDescriptor, type Descriptor, openRoot, splitPath, tryOpenDirectory } from './descriptors.ts';
import { errnoOf, systemError } from './errno.ts';

/** What mknod makes. A character device 0:0 is the whiteout of an overlay. */
export interface NodeKind {
  readonly type: 'fifo' | 'socket' | 'character-device' | 'block-device';
  readonly major?: number;
  readonly minor?: number;
}

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
const O_CLOEXEC = 0x8_0000;
const AT_FDCWD = -100;
const AT_REMOVEDIR = 0x200;
const AT_SYMLINK_FOLLOW = 0x400;
const AT_EMPTY_PATH = 0x1000;
const RENAME_NOREPLACE = 1;
const typeBits = {
  fifo: constants.S_IFIFO,
  socket: constants.S_IFSOCK,
  'character-device': constants.S_IFCHR,
  'block-device': constants.S_IFBLK,
} as const;
const maxAttempts = 16;

/** Opens the folder to restore into, which a person named: symbolic links in it are followed. With `create`, makes what is missing of it. */
export function openTarget(path: string | Uint8Array, options: { create?: boolean } = {}): Descriptor {
  if (options.create !== true) return openRoot(path);
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  let folder = openRoot(bytes[0] === 0x2f ? '/' : '.');
  try {
    for (const part of splitPath(bytes)) {
      const next = openOrMake(folder, part);
      closeDescriptor(folder);
      folder = next;
    }
    return folder;
  } catch (error) {
    closeDescriptor(folder);
    throw error;
  }
}

/** Makes a folder. Returns 0 or −errno; −EEXIST if anything of that name is there. */
export function tryMakeDirectory(parent: Descriptor, name: Uint8Array, mode = 0o700): number {
  const address = scratch.putName('first', name);
  return address < 0 ? address : orFailure(libc.mkdirat(parent, address, mode));
}

/** Makes a folder, unless something of that name is there, whatever it is. */
export function makeDirectory(parent: Descriptor, name: Uint8Array, mode = 0o700): 'created' | 'exists' {
  const result = tryMakeDirectory(parent, name, mode);
  if (result < 0 && result !== -errnoOf.EEXIST) throw systemError(result, 'make the folder', name);
  return result < 0 ? 'exists' : 'created';
}

/** Creates a file and opens it for reading and writing. Returns its descriptor or −errno; −EEXIST if anything of that name is there. */
export function tryCreateFile(parent: Descriptor, name: Uint8Array, mode = 0o600): number {
  const address = scratch.putName('first', name);
  if (address < 0) return address;
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const result = orFailure(libc.openat(parent, address, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (result !== -errnoOf.EINTR) return result;
  }
  return -errnoOf.EINTR;
}

export function createFile(parent: Descriptor, name: Uint8Array, mode = 0o600): Descriptor {
  return orThrow(tryCreateFile(parent, name, mode), 'create the file', name);
}

/** Makes a symbolic link. Returns 0 or −errno. */
export function tryCreateSymlink(parent: Descriptor, name: Uint8Array, target: Uint8Array): number {
  const address = scratch.putName('first', name);
  const targetAddress = scratch.putText('second', target);
  return Math.min(address, targetAddress) < 0
    ? Math.min(address, targetAddress)
    : orFailure(libc.symlinkat(targetAddress, parent, address));
}

export function createSymlink(parent: Descriptor, name: Uint8Array, target: Uint8Array): void {
  orThrow(tryCreateSymlink(parent, name, target), 'make the symbolic link', name);
}

/** An entry of a folder. */
export interface Place {
  readonly parent: Descriptor;
  readonly name: Uint8Array;
}

/** Makes one more name for an entry of any type but a folder; a symbolic link gets one itself. Returns 0 or −errno. */
export function tryCreateLink(from: Place, to: Place): number {
  const [fromAddress, address] = [scratch.putName('first', from.name), scratch.putName('second', to.name)];
  if (Math.min(fromAddress, address) < 0) return Math.min(fromAddress, address);
  return orFailure(libc.linkat(from.parent, fromAddress, to.parent, address, 0));
}

export function createLink(from: Place, to: Place): void {
  orThrow(tryCreateLink(from, to), 'make the hard link', to.name);
}

/** Makes one more name for what a descriptor or an O_PATH handle holds. Returns 0 or −errno. */
export function tryCreateLinkFromHandle(handle: Descriptor, to: Place): number {
  const address = scratch.putName('second', to.name);
  if (address < 0) return address;
  scratch.bytes[scratch.at.first] = 0;
  const direct = orFailure(libc.linkat(handle, scratch.address.first, to.parent, address, AT_EMPTY_PATH));
  // Before Linux 6.10 the empty path is for the privileged only; the way through /proc is for everybody.
  if (direct !== -errnoOf.ENOENT && direct !== -errnoOf.EPERM) return direct;
  return orFailure(libc.linkat(AT_FDCWD, scratch.putDescriptorPath('first', handle), to.parent, address, AT_SYMLINK_FOLLOW));
}

export function createLinkFromHandle(handle: Descriptor, to: Place): void {
  orThrow(tryCreateLinkFromHandle(handle, to), 'make the hard link', to.name);
}

/** Makes a fifo, a socket or a device, readable by its owner only. Returns 0 or −errno (EPERM: devices are for the privileged). */
export function tryCreateNode(parent: Descriptor, name: Uint8Array, kind: NodeKind): number {
  const address = scratch.putName('first', name);
  if (address < 0) return address;
  return orFailure(libc.mknodat(parent, address, typeBits[kind.type] | 0o600, deviceNumber(kind.major ?? 0, kind.minor ?? 0)));
}

export function createNode(parent: Descriptor, name: Uint8Array, kind: NodeKind): void {
  orThrow(tryCreateNode(parent, name, kind), `make the ${kind.type}`, name);
}

/** Removes anything but a folder. Returns 0 or −errno. */
export function tryRemoveFile(parent: Descriptor, name: Uint8Array): number {
  const address = scratch.putName('first', name);
  return address < 0 ? address : orFailure(libc.unlinkat(parent, address, 0));
}

export function removeFile(parent: Descriptor, name: Uint8Array): void {
  orThrow(tryRemoveFile(parent, name), 'remove', name);
}

/** Removes an empty folder. Returns 0 or −errno. */
export function tryRemoveDirectory(parent: Descriptor, name: Uint8Array): number {
  const address = scratch.putName('first', name);
  return address < 0 ? address : orFailure(libc.unlinkat(parent, address, AT_REMOVEDIR));
}

export function removeDirectory(parent: Descriptor, name: Uint8Array): void {
  orThrow(tryRemoveDirectory(parent, name), 'remove the folder', name);
}

/** Renames within a file system. `keep`: −EEXIST if the new name is taken. Returns 0 or −errno. */
export function tryRename(from: Place, to: Place, mode: 'replace' | 'keep'): number {
  const [fromAddress, address] = [scratch.putName('first', from.name), scratch.putName('second', to.name)];
  if (Math.min(fromAddress, address) < 0) return Math.min(fromAddress, address);
  const flags = mode === 'keep' ? RENAME_NOREPLACE : 0;
  return orFailure(libc.syscall(systemCall.renameat2, from.parent, fromAddress, to.parent, address, flags, 0));
}

export function rename(from: Place, to: Place, mode: 'replace' | 'keep'): void {
  orThrow(tryRename(from, to, mode), 'rename', from.name);
}

/** Makes everything of the file system that holds `descriptor` durable. */
export function syncFileSystem(descriptor: Descriptor): void {
  orThrow(orFailure(libc.syncfs(descriptor)), 'write the file system to its disk');
}

function openOrMake(folder: Descriptor, part: Uint8Array): Descriptor {
  const isDots = part[0] === 0x2e && (part.length === 1 || (part.length === 2 && part[1] === 0x2e));
  const address = scratch.putText('first', part);
  const followed = orFailure(libc.openat(folder, address, constants.O_RDONLY | constants.O_DIRECTORY | O_CLOEXEC, 0));
  if (followed !== -errnoOf.ENOENT || isDots) return orThrow(followed, 'open the folder', part);
  makeDirectory(folder, part, 0o777);
  return orThrow(tryOpenDirectory(folder, part), 'open the folder', part);
}

/** dev_t of the C library. */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) + (major & 0xfff) * 0x100 + (minor & ~0xff) * 0x1000;
}

function orThrow(result: number, attempt: string, name?: Uint8Array): number {
  if (result < 0) throw systemError(result, attempt, name);
  return result;
}

function orFailure(result: number): number {
  return result < 0 ? failure() : result;
}
