/**
 * What the kernel knows about a file, by statx, without following a symbolic link in the last place.
 *
 * A {@link FileStatus} is made once and filled again and again: a scan of millions of entries allocates nothing here.
 */

import { failure, libc, systemCall } from './_libc.ts';
import * as scratch from './_scratch.ts';
import type { Descriptor } from './descriptors.ts';
import { systemError } from './errno.ts';

export type EntryType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character-device' | 'block-device';

/** By the top four bits of a mode, which are also the numbers that getdents64 uses. Index 0 and the gaps are types that Linux does not have. */
const typeOfNumber: readonly EntryType[] = Array.from({ length: 16 }, (): EntryType => 'file');
Object.assign(typeOfNumber, { 1: 'fifo', 2: 'character-device', 4: 'directory', 6: 'block-device', 10: 'symlink', 12: 'socket' });

const AT_SYMLINK_NOFOLLOW = 0x100;
/** As stat and lstat do: looking at a mount point of the automounter mounts nothing. */
const AT_NO_AUTOMOUNT = 0x800;
const AT_EMPTY_PATH = 0x1000;
const AT_FDCWD = -100;
/** Everything that struct stat has, birth time and mount id. */
const wanted = 0x7ff | 0x800 | 0x1000;
const maskHasBirthTime = 0x800;
const maskHasMountId = 0x1000;

/** STATX_ATTR_MOUNT_ROOT in {@link FileStatus.attributes}: something is mounted here. */
export const attributeMountRoot = 0x2000;

/** One entry's status. Numbers are exact: a number that a double cannot hold becomes a bigint (inode) or does not occur (all others). */
export class FileStatus {
  type: EntryType = 'file';
  /** The permission bits with setuid, setgid and sticky: 0..0o7777. */
  mode = 0;
  uid = 0;
  gid = 0;
  linkCount = 0;
  /** In bytes. */
  size = 0;
  /** Of 512 bytes. */
  blocks = 0;
  inode: number | bigint = 0;
  /** major * 2^20 + minor of the device that holds the file system. */
  device = 0;
  /** 0 where the kernel doesn't say. */
  mountId = 0;
  /** Of a device node. */
  deviceMajor = 0;
  deviceMinor = 0;
  modifiedSeconds = 0;
  modifiedNanoseconds = 0;
  changedSeconds = 0;
  changedNanoseconds = 0;
  accessedSeconds = 0;
  accessedNanoseconds = 0;
  hasBirthTime = false;
  bornSeconds = 0;
  bornNanoseconds = 0;
  /** STATX_ATTR_*, the low 32 bits. */
  attributes = 0;
}

/** Fills `status` for an entry of a folder, never following a symbolic link. Returns 0 or −errno. */
export function tryStat(parent: Descriptor, name: Uint8Array, status: FileStatus): number {
  const address = scratch.putName('first', name);
  return address < 0 ? address : tryStatx(parent, address, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, status);
}

/** A name inside a larger array. */
export interface NameRange {
  readonly nameBytes: Uint8Array;
  readonly nameStart: number;
  readonly nameEnd: number;
}

/** As {@link tryStat}, without a view of the name. */
export function tryStatName(parent: Descriptor, name: NameRange, status: FileStatus): number {
  const address = scratch.putName('first', name.nameBytes, name.nameStart, name.nameEnd);
  return address < 0 ? address : tryStatx(parent, address, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, status);
}

/** Fills `status` for something opened. Returns 0 or −errno. */
export function tryStatDescriptor(descriptor: Descriptor, status: FileStatus): number {
  scratch.bytes[scratch.at.first] = 0;
  return tryStatx(descriptor, scratch.address.first, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, status);
}

/** The status of an entry of a folder. */
export function statAt(parent: Descriptor, name: Uint8Array, status: FileStatus = new FileStatus()): FileStatus {
  const result = tryStat(parent, name, status);
  if (result < 0) throw systemError(result, 'read the status of', name);
  return status;
}

/** The status of something opened. */
export function statDescriptor(descriptor: Descriptor, status: FileStatus = new FileStatus()): FileStatus {
  const result = tryStatDescriptor(descriptor, status);
  if (result < 0) throw systemError(result, `read the status of descriptor ${descriptor}`);
  return status;
}

/** The status of a path that a person gave, of at most PATH_MAX bytes. */
export function statPath(
  path: string | Uint8Array,
  options: { symlink: 'follow' | 'keep' },
  status: FileStatus = new FileStatus(),
): FileStatus {
  const address = scratch.putText('first', typeof path === 'string' ? Buffer.from(path) : path);
  const result =
    address < 0 ? address : tryStatx(AT_FDCWD, address, AT_NO_AUTOMOUNT | (options.symlink === 'keep' ? AT_SYMLINK_NOFOLLOW : 0), status);
  if (result < 0) throw systemError(result, 'read the status of', path);
  return status;
}

/**
 * Whether asking for extents can find a hole. A file without holes takes at least its size in blocks, unless the file system compresses;
 * blocks reserved behind the end can hide a hole, so large files are always asked, where the question costs nothing beside the reading.
 */
export function mayHaveHoles(status: FileStatus): boolean {
  return status.blocks * 512 < status.size || status.size >= 1_048_576;
}

/** The type that a d_type of getdents64 means; `undefined` if the file system does not say. */
export function typeOfDirectoryType(directoryType: number): EntryType | undefined {
  return directoryType === 0 ? undefined : typeOfNumber[directoryType & 15];
}

libc.statx ??= (parent, name, flags, mask, status) => libc.syscall(systemCall.statx, parent, name, flags, mask, status, 0);

function tryStatx(parent: Descriptor, address: number, flags: number, status: FileStatus): number {
  if (libc.statx!(parent, address, flags, wanted, scratch.address.status) < 0) return failure();
  decode(status);
  return 0;
}

/** struct statx, as 32-bit words of the scratch memory. */
function decode(status: FileStatus): void {
  const { words } = scratch;
  const first = scratch.at.status >>> 2;
  const mask = words[first]!;
  const typeAndMode = words[first + 7]! & 0xffff;
  status.type = typeOfNumber[typeAndMode >>> 12]!;
  status.mode = typeAndMode & 0o7777;
  status.attributes = words[first + 2]!;
  status.linkCount = words[first + 4]!;
  status.uid = words[first + 5]!;
  status.gid = words[first + 6]!;
  status.inode = exactNumber(words[first + 8]!, words[first + 9]!);
  status.size = words[first + 10]! + words[first + 11]! * 0x1_0000_0000;
  status.blocks = words[first + 12]! + words[first + 13]! * 0x1_0000_0000;
  status.accessedSeconds = secondsAt(first + 16);
  status.accessedNanoseconds = words[first + 18]!;
  status.hasBirthTime = (mask & maskHasBirthTime) !== 0;
  status.bornSeconds = secondsAt(first + 20);
  status.bornNanoseconds = words[first + 22]!;
  status.changedSeconds = secondsAt(first + 24);
  status.changedNanoseconds = words[first + 26]!;
  status.modifiedSeconds = secondsAt(first + 28);
  status.modifiedNanoseconds = words[first + 30]!;
  status.deviceMajor = words[first + 32]!;
  status.deviceMinor = words[first + 33]!;
  status.device = words[first + 34]! * 0x10_0000 + words[first + 35]!;
  status.mountId = (mask & maskHasMountId) !== 0 ? words[first + 36]! + words[first + 37]! * 0x1_0000_0000 : 0;
}

function exactNumber(low: number, high: number): number | bigint {
  return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low);
}

function secondsAt(word: number): number {
  return scratch.words[word]! + scratch.signedWords[word + 1]! * 0x1_0000_0000;
}
