/**
 * Opening folders and files by descriptor and name, so that nobody who swaps a folder for a symbolic link can lead a backup or a restore astray.
 *
 * Invariants: nothing below the folder that a person named is ever reached through a symbolic link; no path has to fit into PATH_MAX; opening
 * a fifo or a device never blocks; reading leaves access times alone where the kernel lets us.
 */

import { constants } from 'node:fs';
import { failure, libc, systemCall } from './_libc.ts';
import * as scratch from './_scratch.ts';
import { errnoOf, systemError } from './errno.ts';

/** A file descriptor: process-wide, usable in any thread and with Node's `fs.*Sync`. */
export type Descriptor = number;

/** What a path is opened for. `handle` (O_PATH) names any kind of entry without access to its content. */
export type OpenUse = 'directory' | 'file' | 'handle' | 'update';

const O_PATH = 0x20_0000;
const O_CLOEXEC = 0x8_0000;
const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_DIRECTORY, O_NONBLOCK, O_NOCTTY, O_NOATIME } = constants;
const AT_FDCWD = -100;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
/** The kernel says EAGAIN if a folder was renamed meanwhile; then it is asked again. */
const maxAttempts = 16;

const flagsOf: Readonly<Record<OpenUse, number>> = {
  directory: O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC,
  file: O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC,
  handle: O_PATH | O_NOFOLLOW | O_CLOEXEC,
  update: O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
};

/** Opens a folder that a person named, of any length. A symbolic link in its last place is followed unless refused. */
export function openRoot(path: string | Uint8Array, options: { symlink?: 'follow' | 'refuse' } = {}): Descriptor {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  const flags = options.symlink === 'refuse' ? flagsOf.directory : flagsOf.directory & ~O_NOFOLLOW;
  const result = tryOpenPath(bytes, flags);
  if (result < 0) throw systemError(result, 'open the folder', path);
  return result;
}

/** Opens a folder of a folder for reading. Returns a descriptor or −errno (ENOTDIR or ELOOP: it is none, or a symbolic link). */
export function tryOpenDirectory(parent: Descriptor, name: Uint8Array): number {
  return tryOpenAt(parent, name, flagsOf.directory);
}

export function openDirectory(parent: Descriptor, name: Uint8Array): Descriptor {
  return orThrow(tryOpenDirectory(parent, name), 'open the folder', name);
}

/**
 * Opens whatever has this name for reading, never blocking and never through a symbolic link (ELOOP). That it still is the file that was
 * scanned is for the caller to find out: type, device and inode of the descriptor.
 */
export function tryOpenFile(parent: Descriptor, name: Uint8Array): number {
  return tryOpenAt(parent, name, flagsOf.file);
}

export function openFile(parent: Descriptor, name: Uint8Array): Descriptor {
  return orThrow(tryOpenFile(parent, name), 'open', name);
}

/** Opens anything, a symbolic link itself too, as a handle without access to its content. Returns a descriptor or −errno. */
export function tryOpenHandle(parent: Descriptor, name: Uint8Array): number {
  return tryOpenAt(parent, name, flagsOf.handle);
}

export function openHandle(parent: Descriptor, name: Uint8Array): Descriptor {
  return orThrow(tryOpenHandle(parent, name), 'open a handle of', name);
}

/** Opens an existing file for reading and writing, never blocking and never through a symbolic link. Returns a descriptor or −errno. */
export function tryOpenForUpdate(parent: Descriptor, name: Uint8Array): number {
  return tryOpenAt(parent, name, flagsOf.update);
}

export function openForUpdate(parent: Descriptor, name: Uint8Array): Descriptor {
  return orThrow(tryOpenForUpdate(parent, name), 'open for writing', name);
}

/**
 * Opens a relative path of any length below `root`: never outside it and through no symbolic link. Empty means `root` again.
 * One openat2; a walk component by component where the kernel, or a filter on system calls, has none. Returns a descriptor or −errno.
 */
export function tryOpenBeneath(root: Descriptor, relativePath: Uint8Array, use: OpenUse): number {
  if (relativePath.length === 0) return tryOpenSelf(root, use);
  if (!isPlainRelative(relativePath)) return -errnoOf.EINVAL;
  return hasOpenat2(root) ? tryOpenInPieces(root, relativePath, use) : tryOpenStepwise(root, relativePath, use);
}

export function openBeneath(root: Descriptor, relativePath: Uint8Array, use: OpenUse): Descriptor {
  return orThrow(tryOpenBeneath(root, relativePath, use), 'open', relativePath);
}

/** Another descriptor of the same folder, with a position of its own. */
export function reopenDirectory(directory: Descriptor): Descriptor {
  return orThrow(tryOpenSelf(directory, 'directory'), 'open the folder again');
}

/** Closes a descriptor. Errors of closing have no meaning here: nothing is written without its own check. */
export function closeDescriptor(descriptor: Descriptor): void {
  libc.close(descriptor);
}

/** The components of a path, without empty ones. */
export function splitPath(path: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let index = 0; index <= path.length; index++) {
    if (index < path.length && path[index] !== 0x2f) continue;
    if (index > start) parts.push(path.subarray(start, index));
    start = index + 1;
  }
  return parts;
}

/** Components joined by `/`. */
export function joinPath(parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length + 1, 0);
  const path = new Uint8Array(Math.max(0, size - 1));
  let end = 0;
  for (const part of parts) {
    path.set(part, end);
    end += part.length;
    if (end < path.length) path[end++] = 0x2f;
  }
  return path;
}

/** For tests: take the way of kernels without openat2. */
export function pretendNoOpenat2(pretend: boolean): void {
  openat2State = pretend ? 'absent' : 'unknown';
}

let openat2State: 'unknown' | 'present' | 'absent' = 'unknown';

function hasOpenat2(root: Descriptor): boolean {
  if (openat2State === 'unknown') {
    const result = tryOpenat2(root, scratch.putText('first', Buffer.from('.')), flagsOf.handle | O_DIRECTORY);
    openat2State = result >= 0 ? 'present' : 'absent';
    if (result >= 0) closeDescriptor(result);
  }
  return openat2State === 'present';
}

function orThrow(result: number, attempt: string, name?: Uint8Array): Descriptor {
  if (result < 0) throw systemError(result, attempt, name);
  return result;
}

function tryOpenAt(parent: Descriptor, name: Uint8Array, flags: number): number {
  const address = scratch.putName('first', name);
  return address < 0 ? address : tryOpenAddress(parent, address, flags);
}

function tryOpenSelf(directory: Descriptor, use: OpenUse): number {
  return tryOpenAddress(directory, scratch.putText('first', Buffer.from('.')), flagsOf[use]);
}

/** O_NOATIME is for owners only: without the right to it, the file is opened plainly. */
function tryOpenAddress(parent: Descriptor, address: number, flags: number): number {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const result = libc.openat(parent, address, flags, 0);
    if (result >= 0) return result;
    const error = failure();
    if (error === -errnoOf.EPERM && (flags & O_NOATIME) !== 0) flags &= ~O_NOATIME;
    else if (error !== -errnoOf.EINTR) return error;
  }
  return -errnoOf.EINTR;
}

function tryOpenat2(parent: Descriptor, address: number, flags: number): number {
  const { words } = scratch;
  const how = scratch.at.small >>> 2;
  words.fill(0, how, how + 6);
  words[how + 4] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    words[how] = flags;
    const result = libc.syscall(systemCall.openat2, parent, address, scratch.address.small, 24, 0, 0);
    if (result >= 0) return result;
    const error = failure();
    if (error === -errnoOf.EPERM && (flags & O_NOATIME) !== 0) flags &= ~O_NOATIME;
    else if (error !== -errnoOf.EINTR && error !== -errnoOf.EAGAIN) return error;
  }
  return -errnoOf.EAGAIN;
}

/** openat2 for each stretch of the path that fits into PATH_MAX. */
function tryOpenInPieces(root: Descriptor, path: Uint8Array, use: OpenUse): number {
  let folder = root;
  let start = 0;
  for (;;) {
    const end = endOfPiece(path, start);
    const address = scratch.putText('first', path, start, end);
    if (address < 0) return closeUnless(folder, root, address);
    const isLast = end === path.length;
    const opened = tryOpenat2(folder, address, isLast ? flagsOf[use] : flagsOf.handle | O_DIRECTORY);
    closeUnless(folder, root, 0);
    if (opened < 0 || isLast) return opened;
    folder = opened;
    start = end + 1;
  }
}

function endOfPiece(path: Uint8Array, start: number): number {
  if (path.length - start < scratch.pathMaxBytes) return path.length;
  const end = path.lastIndexOf(0x2f, start + scratch.pathMaxBytes - 1);
  return end > start ? end : path.length;
}

function tryOpenStepwise(root: Descriptor, path: Uint8Array, use: OpenUse): number {
  const parts = splitPath(path);
  let folder = root;
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    const opened = tryOpenAt(folder, part, isLast ? flagsOf[use] : flagsOf.handle | O_DIRECTORY);
    closeUnless(folder, root, 0);
    if (opened < 0 || isLast) return opened;
    folder = opened;
  }
  return -errnoOf.EINVAL;
}

/** A path from outside, of any length; symbolic links on the way to it are the person's own. */
function tryOpenPath(path: Uint8Array, flags: number): number {
  if (path.length < scratch.pathMaxBytes) {
    const address = scratch.putText('first', path);
    return address < 0 ? address : tryOpenAddress(AT_FDCWD, address, flags);
  }
  let folder = AT_FDCWD;
  let rest = path;
  while (rest.length >= scratch.pathMaxBytes) {
    const end = endOfPiece(rest, 0);
    const address = scratch.putText('first', rest, 0, end);
    const opened = address < 0 ? address : tryOpenAddress(folder, address, O_PATH | O_DIRECTORY | O_CLOEXEC);
    closeUnless(folder, AT_FDCWD, 0);
    if (opened < 0) return opened;
    folder = opened;
    rest = rest.subarray(end);
    while (rest[0] === 0x2f) rest = rest.subarray(1);
  }
  const result = tryOpenAddress(folder, scratch.putText('first', rest.length === 0 ? Buffer.from('.') : rest), flags);
  return closeUnless(folder, AT_FDCWD, result);
}

function closeUnless(descriptor: Descriptor, kept: Descriptor, result: number): number {
  if (descriptor !== kept) closeDescriptor(descriptor);
  return result;
}

/** Components only: no empty ones, no `.` and `..`, no NUL, not absolute. */
function isPlainRelative(path: Uint8Array): boolean {
  let start = 0;
  for (let index = 0; index <= path.length; index++) {
    const byte = index < path.length ? path[index] : 0x2f;
    if (byte === 0) return false;
    if (byte !== 0x2f) continue;
    const length = index - start;
    if (length === 0 || (length <= 2 && path[start] === 0x2e && path[index - 1] === 0x2e)) return false;
    start = index + 1;
  }
  return true;
}
