/**
 * Giving a restored entry its owner, mode, times, attributes and flags, through a descriptor that already holds it.
 *
 * Nothing here fails because the kernel refuses: what could not be set comes back as a list of losses. The order matters: a change of owner
 * clears setuid, setgid and capabilities; a mode may forbid setting user attributes; flags such as immutable forbid everything else, so they are last.
 */

import { failure, libc, systemCall } from './_libc.ts';
import * as scratch from './_scratch.ts';
import { closeDescriptor, type Descriptor, tryOpenHandle } from './descriptors.ts';
import { errnoName, errnoOf, systemError } from './errno.ts';
import { type ExtendedAttribute, listAttributeNames, tryRemoveAttribute, trySetAttribute } from './extended-attributes.ts';
import { creationFlags, restorableFlags, tryReadAllFlags, trySetFlags, trySetProjectId } from './file-flags.ts';
import { type EntryType, FileStatus, statDescriptor, tryStatDescriptor } from './stat.ts';

/** Seconds since 1970, negative before; nanoseconds 0..999,999,999 forward from there. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What an entry is to have. What is left out stays as it is; `flags` and `projectId` 0 mean none. */
export interface Metadata {
  readonly type: EntryType;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** 0..0o7777; of no meaning for symbolic links. */
  readonly mode?: number | undefined;
  readonly modified?: FileTime | undefined;
  readonly accessed?: FileTime | undefined;
  readonly extendedAttributes?: readonly ExtendedAttribute[] | undefined;
  /** FS_IOC_GETFLAGS bits; files and folders only, as is `projectId`. */
  readonly flags?: number | undefined;
  readonly projectId?: number | undefined;
}

export interface ApplyOptions {
  /** What the entry has for certain already: calls that would change nothing are left out. */
  readonly known?: { readonly uid?: number; readonly gid?: number; readonly mode?: number };
  /** `remove`: attributes, ACLs and flags that `metadata` lacks are taken away. For entries that existed before or inherited something. */
  readonly surplus?: 'keep' | 'remove';
}

/** Something that could not be set, and why. `detail`: the attribute's name. */
export interface MetadataLoss {
  readonly kind: 'owner' | 'mode' | 'times' | 'xattr' | 'acl' | 'capability' | 'flags' | 'project';
  readonly errno: string;
  readonly detail?: Uint8Array;
}

const noLosses: readonly MetadataLoss[] = Object.freeze([]);

const AT_EMPTY_PATH = 0x1000;
const AT_FDCWD = -100;
const UTIME_OMIT = 0x3fff_fffe;
const unchangedId = 0xffff_ffff;
const setuid = 0o4000;
const setgid = 0o2000;
const ownerReadWrite = 0o600;
const aclAccess = 'system.posix_acl_access';
const aclDefault = 'system.posix_acl_default';
const capability = 'security.capability';
/** Beyond these seconds some file systems store another time without an error. */
const safeSeconds = { from: -0x8000_0000, to: 0x7fff_ffff };

/** Applies `metadata` to a file or folder by any descriptor of it (reading is enough). Returns what could not be set. */
export function applyMetadata(descriptor: Descriptor, metadata: Metadata, options: ApplyOptions = {}): readonly MetadataLoss[] {
  return apply({ kind: 'descriptor', descriptor }, metadata, options);
}

/**
 * Applies `metadata` to an entry that cannot be opened: a symbolic link, fifo, socket or device. Nothing is followed. If the entry is gone, or
 * is not of `metadata.type`: LaganError `io` (ENOENT, ESTALE).
 */
export function applyMetadataAt(
  parent: Descriptor,
  name: Uint8Array,
  options: ApplyOptions & { metadata: Metadata },
): readonly MetadataLoss[] {
  const handle = tryOpenHandle(parent, name);
  if (handle < 0) throw systemError(handle, 'set the metadata of', name);
  try {
    const result = tryStatDescriptor(handle, status);
    const error = result < 0 ? result : status.type !== options.metadata.type ? -errnoOf.ESTALE : 0;
    if (error < 0) throw systemError(error, `set the metadata of the ${options.metadata.type}`, name);
    return apply({ kind: 'handle', descriptor: handle }, options.metadata, options);
  } finally {
    closeDescriptor(handle);
  }
}

/** Sets those flags that must be there before the content: no copy-on-write, compression, case folding. To be called on empty files and folders. */
export function applyCreationFlags(descriptor: Descriptor, flags: number): readonly MetadataLoss[] {
  if ((flags & creationFlags) === 0) return noLosses;
  const error = trySetFlags(descriptor, flags, creationFlags);
  return error === 0 ? noLosses : [{ kind: 'flags', errno: errnoName(-error) }];
}

/** Which things new entries of a folder would inherit from it. If any is true, they need `surplus: 'remove'` and no `known`. */
export function inheritance(directory: Descriptor): { group: boolean; acl: boolean; flags: boolean } {
  const group = (statDescriptor(directory, status).mode & setgid) !== 0;
  const name = scratch.putText('second', Buffer.from(aclDefault));
  const acl = libc.fgetxattr(directory, name, scratch.address.value, scratch.attributeMaxBytes) >= 0;
  const flags = tryReadAllFlags(directory);
  return { group, acl, flags: flags > 0 && (flags & restorableFlags) !== 0 };
}

/** Changes the mode of something opened, or of anything but a symbolic link by its O_PATH handle. Returns 0 or −errno. */
export function tryChangeMode(kind: 'descriptor' | 'handle', descriptor: Descriptor, mode: number): number {
  if (kind === 'descriptor') return orFailure(libc.fchmod(descriptor, mode));
  const result = orFailure(libc.syscall(systemCall.fchmodat2, descriptor, emptyPath(), mode, AT_EMPTY_PATH, 0, 0));
  // Before Linux 6.6, or behind an old filter on system calls.
  if (result !== -errnoOf.ENOSYS && result !== -errnoOf.EPERM) return result;
  return orFailure(libc.chmod(scratch.putDescriptorPath('first', descriptor), mode));
}

/** The effective user and groups of this process. */
export function currentIdentity(): { uid: number; gid: number; groups: number[] } {
  return { uid: process.geteuid!(), gid: process.getegid!(), groups: process.getgroups!() };
}

interface Subject {
  readonly kind: 'descriptor' | 'handle';
  readonly descriptor: Descriptor;
}

const status = new FileStatus();

function apply(subject: Subject, metadata: Metadata, options: ApplyOptions): readonly MetadataLoss[] {
  const losses: MetadataLoss[] = [];
  const hasFlags = metadata.type === 'file' || metadata.type === 'directory';
  const refusedBits = applyOwner(subject, metadata, { options, losses });
  const { groupBits, opened } = applyAttributes(subject, metadata, { options, losses });
  const mode = metadata.mode ?? opened;
  if (mode !== undefined && metadata.type !== 'symlink') {
    const known = opened === undefined ? options.known?.mode : undefined;
    applyMode(subject, { mode, applied: mode & ~refusedBits & groupBits, known }, losses);
  }
  if (hasFlags) applyProject(subject, metadata, { options, losses });
  applyTimes(subject, metadata, losses);
  if (hasFlags) applyFlags(subject, metadata, { options, losses });
  return losses.length === 0 ? noLosses : losses;
}

interface Context {
  readonly options: ApplyOptions;
  readonly losses: MetadataLoss[];
}

/** Returns the mode bits that would be dangerous now: setuid or setgid for somebody who is not the owner that was meant. */
function applyOwner(subject: Subject, metadata: Metadata, { options, losses }: Context): number {
  const { uid = unchangedId, gid = unchangedId } = metadata;
  const wantsUid = uid !== unchangedId && uid !== options.known?.uid;
  const wantsGid = gid !== unchangedId && gid !== options.known?.gid;
  if (!wantsUid && !wantsGid) return 0;
  const error = tryChangeOwner(subject, uid, gid);
  if (error === 0) return 0;
  losses.push({ kind: 'owner', errno: errnoName(-error) });
  const uidRefused = uid !== unchangedId && tryChangeOwner(subject, uid, unchangedId) !== 0;
  const gidRefused = gid !== unchangedId && tryChangeOwner(subject, unchangedId, gid) !== 0;
  return (uidRefused ? setuid : 0) | (gidRefused && metadata.type !== 'directory' ? setgid : 0);
}

/**
 * Returns `groupBits`, a mask for the mode: without an ACL that was refused, the group may have no more than the ACL gave it. And `opened`, the
 * mode before, if it had to be changed because it forbade its owner to set attributes.
 */
function applyAttributes(
  subject: Subject,
  metadata: Metadata,
  { options, losses }: Context,
): { groupBits: number; opened: number | undefined } {
  const wanted = metadata.extendedAttributes ?? [];
  let groupBits = 0o7777;
  let opened: number | undefined;
  if (options.surplus === 'remove') removeSurplus(subject, wanted, losses);
  for (const attribute of wanted) {
    let error = trySetAttribute(subject.kind, subject.descriptor, attribute);
    if (error === -errnoOf.EACCES && opened === undefined && metadata.type !== 'symlink') {
      opened = openToOwner(subject);
      error = trySetAttribute(subject.kind, subject.descriptor, attribute);
    }
    if (error === 0) continue;
    losses.push({ kind: lossKind(attribute.name), errno: errnoName(-error), detail: attribute.name });
    if (latin1(attribute.name) === aclAccess) groupBits = 0o7707 | (groupPermissions(attribute.value) << 3);
  }
  return { groupBits, opened };
}

/** User attributes need write permission, even for the owner. Returns the mode before, or undefined if it could not be changed. */
function openToOwner(subject: Subject): number | undefined {
  if (tryStatDescriptor(subject.descriptor, status) < 0) return undefined;
  const { mode } = status;
  return tryChangeMode(subject.kind, subject.descriptor, mode | ownerReadWrite) === 0 ? mode : undefined;
}

/** Attributes that belong to the system's own policy (labels, measurements) are not ours to remove. */
function removeSurplus(subject: Subject, wanted: readonly ExtendedAttribute[], losses: MetadataLoss[]): void {
  const names = new Set(wanted.map((attribute) => latin1(attribute.name)));
  for (const name of listAttributeNames(subject.kind, subject.descriptor)) {
    const text = latin1(name);
    const isOurs = /^(user|trusted)\./.test(text) || text === aclAccess || text === aclDefault || text === capability;
    if (!isOurs || names.has(text)) continue;
    const error = tryRemoveAttribute(subject.kind, subject.descriptor, name);
    if (error < 0 && error !== -errnoOf.ENODATA) losses.push({ kind: lossKind(name), errno: errnoName(-error), detail: name });
  }
}

function applyMode(subject: Subject, change: { mode: number; applied: number; known: number | undefined }, losses: MetadataLoss[]): void {
  const { mode, applied, known } = change;
  const privileged = mode & (setuid | setgid);
  // A change of owner may have cleared setuid and setgid, so what is known of them counts for nothing.
  if (known === applied && applied === mode && privileged === 0) return;
  const error = tryChangeMode(subject.kind, subject.descriptor, applied);
  if (error < 0) losses.push({ kind: 'mode', errno: errnoName(-error) });
  else if (applied !== mode) losses.push({ kind: 'mode', errno: 'EPERM' });
  // The kernel drops setgid without a word if the caller is not in the group.
  else if (privileged !== 0 && tryStatDescriptor(subject.descriptor, status) === 0 && status.mode !== mode)
    losses.push({ kind: 'mode', errno: 'EPERM' });
}

function applyProject(subject: Subject, metadata: Metadata, { options, losses }: Context): void {
  const { projectId } = metadata;
  if (projectId === undefined || (projectId === 0 && options.surplus !== 'remove')) return;
  const error = trySetProjectId(subject.descriptor, projectId);
  if (error < 0) losses.push({ kind: 'project', errno: errnoName(-error) });
}

function applyTimes(subject: Subject, metadata: Metadata, losses: MetadataLoss[]): void {
  const { modified, accessed } = metadata;
  if (modified === undefined && accessed === undefined) return;
  putTime(0, accessed);
  putTime(16, modified);
  const error = trySetTimes(subject);
  if (error < 0) losses.push({ kind: 'times', errno: errnoName(-error) });
  else if (modified !== undefined && !isKept(subject, modified)) losses.push({ kind: 'times', errno: 'ERANGE' });
}

function applyFlags(subject: Subject, metadata: Metadata, { options, losses }: Context): void {
  const { flags } = metadata;
  if (flags === undefined || (flags === 0 && options.surplus !== 'remove')) return;
  const error = trySetFlags(subject.descriptor, flags);
  if (error < 0) losses.push({ kind: 'flags', errno: errnoName(-error) });
}

function tryChangeOwner(subject: Subject, uid: number, gid: number): number {
  if (subject.kind === 'descriptor') return orFailure(libc.fchown(subject.descriptor, uid, gid));
  return orFailure(libc.fchownat(subject.descriptor, emptyPath(), uid, gid, AT_EMPTY_PATH));
}

function trySetTimes(subject: Subject): number {
  const { small } = scratch.address;
  if (subject.kind === 'descriptor') return orFailure(libc.futimens(subject.descriptor, small));
  const result = orFailure(libc.utimensat(subject.descriptor, emptyPath(), small, AT_EMPTY_PATH));
  // Linux before 5.8.
  if (result !== -errnoOf.EINVAL) return result;
  return orFailure(libc.utimensat(AT_FDCWD, scratch.putDescriptorPath('first', subject.descriptor), small, 0));
}

/** struct timespec, at an offset in the small region. */
function putTime(offset: number, time: FileTime | undefined): void {
  const word = (scratch.at.small + offset) >>> 2;
  const seconds = time?.seconds ?? 0;
  scratch.words[word] = seconds - Math.floor(seconds / 0x1_0000_0000) * 0x1_0000_0000;
  scratch.signedWords[word + 1] = Math.floor(seconds / 0x1_0000_0000);
  scratch.words[word + 2] = time?.nanoseconds ?? UTIME_OMIT;
  scratch.words[word + 3] = 0;
}

function isKept(subject: Subject, time: FileTime): boolean {
  if (time.seconds >= safeSeconds.from && time.seconds <= safeSeconds.to) return true;
  return tryStatDescriptor(subject.descriptor, status) < 0 || status.modifiedSeconds === time.seconds;
}

/** Permissions of the owning group in a POSIX ACL: u32 version, then u16 tag, u16 permissions, u32 id. None if it is no such ACL. */
function groupPermissions(acl: Uint8Array): number {
  const owningGroup = 0x04;
  for (let entry = 4; entry + 8 <= acl.length; entry += 8) {
    if (acl[entry] === owningGroup && acl[entry + 1] === 0) return acl[entry + 2]! & 7;
  }
  return 0;
}

function lossKind(name: Uint8Array): MetadataLoss['kind'] {
  const text = latin1(name);
  if (text === aclAccess || text === aclDefault || text === 'system.nfs4_acl') return 'acl';
  return text === capability ? 'capability' : 'xattr';
}

function latin1(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}

function emptyPath(): number {
  scratch.bytes[scratch.at.first] = 0;
  return scratch.address.first;
}

function orFailure(result: number): number {
  return result < 0 ? failure() : result;
}
