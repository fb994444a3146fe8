/**
 * Extended attributes, and with them ACLs (`system.posix_acl_*`) and capabilities (`security.capability`), of anything that has a name.
 *
 * Names and values are bytes. Files and folders are read by descriptor; what cannot be opened (symbolic links, fifos, devices, unreadable files)
 * by its folder and name: with listxattrat and getxattrat (Linux 6.13), before that through `/proc/self/fd`. O_PATH handles always go through
 * `/proc/self/fd`: the kernel refuses them in the newer calls (EBADF).
 */

import { isUnsupported, learnsUnsupported } from './_device-memory.ts';
import { failure, libc, systemCall } from './_libc.ts';
import * as scratch from './_scratch.ts';
import type { Descriptor } from './descriptors.ts';
import { errnoOf } from './errno.ts';

export interface ExtendedAttribute {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

export interface ExtendedAttributes {
  /** Sorted bytewise by name. */
  readonly attributes: readonly ExtendedAttribute[];
  /** What is there but could not be read; an empty name stands for the list itself. */
  readonly failures: readonly { readonly name: Uint8Array; readonly errno: number }[];
}

/** The answer for nearly every file. */
export const noExtendedAttributes: ExtendedAttributes = Object.freeze({ attributes: Object.freeze([]), failures: Object.freeze([]) });

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_FDCWD = -100;

/** Where attributes are: an opened file or folder, an entry of a folder, or an O_PATH handle. */
type Place =
  | { readonly kind: 'descriptor' | 'handle'; readonly descriptor: Descriptor }
  | { readonly kind: 'entry'; readonly parent: Descriptor; readonly name: Uint8Array };

/** All attributes of an opened file or folder. `device`: that of its status, by which a file system without attributes is remembered. */
export function readExtendedAttributes(descriptor: Descriptor, device: number): ExtendedAttributes {
  if (isUnsupported('extended-attributes', device)) return noExtendedAttributes;
  const length = libc.flistxattr(descriptor, scratch.address.list, scratch.attributeMaxBytes);
  if (length === 0) return noExtendedAttributes;
  return readListed({ kind: 'descriptor', descriptor }, length < 0 ? failure() : length, device);
}

/** All attributes of an entry of a folder, which is neither opened nor followed. */
export function readExtendedAttributesAt(parent: Descriptor, name: Uint8Array, device: number): ExtendedAttributes {
  if (isUnsupported('extended-attributes', device)) return noExtendedAttributes;
  const place: Place = { kind: 'entry', parent, name };
  return readListed(place, tryList(place), device);
}

/** Sets an attribute of an opened file or folder (`descriptor`) or of anything by its O_PATH handle. Returns 0 or −errno. */
export function trySetAttribute(kind: 'descriptor' | 'handle', descriptor: Descriptor, attribute: ExtendedAttribute): number {
  const { value } = attribute;
  const name = scratch.putText('second', attribute.name);
  if (name < 0) return name;
  if (value.length > scratch.attributeMaxBytes) return -errnoOf.E2BIG;
  scratch.bytes.set(value, scratch.at.value);
  if (kind === 'descriptor') return orFailure(libc.fsetxattr(descriptor, name, scratch.address.value, value.length, 0));
  return orFailure(libc.setxattr(scratch.putDescriptorPath('first', descriptor), name, scratch.address.value, value.length, 0));
}

/** Takes an attribute away. Returns 0 or −errno. */
export function tryRemoveAttribute(kind: 'descriptor' | 'handle', descriptor: Descriptor, attributeName: Uint8Array): number {
  const name = scratch.putText('second', attributeName);
  if (name < 0) return name;
  if (kind === 'descriptor') return orFailure(libc.fremovexattr(descriptor, name));
  return orFailure(libc.removexattr(scratch.putDescriptorPath('first', descriptor), name));
}

/** The names of all attributes of something opened or handled; empty where there are none or they cannot be listed. */
export function listAttributeNames(kind: 'descriptor' | 'handle', descriptor: Descriptor): Uint8Array[] {
  const length = tryList({ kind, descriptor });
  return length <= 0 ? [] : splitList(length);
}

/** For tests: take the way of kernels before 6.13. */
export function pretendNoAttributesAt(pretend: boolean): void {
  atCalls = pretend ? 'absent' : 'unknown';
}

function readListed(place: Place, length: number, device: number): ExtendedAttributes {
  if (length === 0) return noExtendedAttributes;
  if (length < 0) {
    if (learnsUnsupported('extended-attributes', device, length)) return noExtendedAttributes;
    return { attributes: [], failures: [{ name: new Uint8Array(0), errno: -length }] };
  }
  const attributes: ExtendedAttribute[] = [];
  const failures: { name: Uint8Array; errno: number }[] = [];
  for (const name of splitList(length).sort(Buffer.compare)) {
    const size = tryGet(place, name);
    if (size >= 0) attributes.push({ name, value: scratch.copyOut('value', size) });
    else if (size !== -errnoOf.ENODATA) failures.push({ name, errno: -size });
  }
  return attributes.length === 0 && failures.length === 0 ? noExtendedAttributes : { attributes, failures };
}

/** Fills the list region. Returns its length or −errno. */
function tryList(place: Place): number {
  const { list } = scratch.address;
  const size = scratch.attributeMaxBytes;
  if (place.kind === 'descriptor') return orFailure(libc.flistxattr(place.descriptor, list, size));
  if (place.kind === 'entry' && hasAtCalls()) {
    const path = scratch.putName('first', place.name);
    return path < 0 ? path : orFailure(libc.syscall(systemCall.listxattrat, place.parent, path, AT_SYMLINK_NOFOLLOW, list, size, 0));
  }
  const path = procPath(place);
  if (path < 0) return path;
  return orFailure(place.kind === 'entry' ? libc.llistxattr(path, list, size) : libc.listxattr(path, list, size));
}

/** Fills the value region. Returns the value's length or −errno. */
function tryGet(place: Place, attributeName: Uint8Array): number {
  const name = scratch.putText('second', attributeName);
  if (name < 0) return name;
  const { value } = scratch.address;
  const size = scratch.attributeMaxBytes;
  if (place.kind === 'descriptor') return orFailure(libc.fgetxattr(place.descriptor, name, value, size));
  if (place.kind === 'entry' && hasAtCalls()) {
    const path = scratch.putName('first', place.name);
    putArguments(size);
    return path < 0
      ? path
      : orFailure(libc.syscall(systemCall.getxattrat, place.parent, path, AT_SYMLINK_NOFOLLOW, name, scratch.address.small, 16));
  }
  const path = procPath(place);
  return path < 0 ? path : orFailure(libc.lgetxattr(path, name, value, size));
}

/** `/proc/self/fd/N/name` is not followed in its last place; `/proc/self/fd/N` of a handle leads to just what it holds. */
function procPath(place: Place): number {
  if (place.kind !== 'entry') return scratch.putDescriptorPath('first', place.descriptor);
  const checked = scratch.putName('first', place.name);
  return checked < 0 ? checked : scratch.putDescriptorPath('first', place.parent, place.name);
}

/** struct xattr_args: u64 value, u32 size, u32 flags. */
function putArguments(size: number): void {
  const small = scratch.at.small >>> 2;
  scratch.words[small] = scratch.address.value % 0x1_0000_0000;
  scratch.words[small + 1] = Math.floor(scratch.address.value / 0x1_0000_0000);
  scratch.words[small + 2] = size;
  scratch.words[small + 3] = 0;
}

let atCalls: 'unknown' | 'present' | 'absent' = 'unknown';

/** Whether the kernel, and the filter on system calls that a container may have, know listxattrat. */
function hasAtCalls(): boolean {
  if (atCalls === 'unknown') {
    const result = orFailure(libc.syscall(systemCall.listxattrat, AT_FDCWD, scratch.putText('first', Buffer.from('/')), 0, 0, 0, 0));
    atCalls = result >= 0 || result === -errnoOf.EOPNOTSUPP ? 'present' : 'absent';
  }
  return atCalls === 'present';
}

function splitList(length: number): Uint8Array[] {
  const names: Uint8Array[] = [];
  const list = scratch.copyOut('list', length);
  let start = 0;
  for (let end = list.indexOf(0); end >= 0; end = list.indexOf(0, start)) {
    names.push(list.slice(start, end));
    start = end + 1;
  }
  return names;
}

function orFailure(result: number): number {
  return result < 0 ? failure() : result;
}
