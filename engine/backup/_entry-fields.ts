import { type Entry, type Extensions, limits, type Time } from '../../repo-format/mod.ts';
import {
  type Descriptor,
  type EntryType,
  type ExtendedAttribute,
  type ExtendedAttributes,
  errnoName,
  type FileStatus,
  groupName,
  readExtendedAttributes,
  readExtendedAttributesAt,
  readFileFlags,
  readLink,
  readProjectId,
  userName,
} from '../system/mod.ts';
import type { ExpectedFile, FileExtras, FileMetadata, ReadFault } from './_files.ts';
import type { EntryFields } from './_tokens.ts';

/** What an entry holds whatever its type, from what the kernel says of it. */
export function entryFields(status: FileStatus, name: Uint8Array, extras: FileExtras | undefined): EntryFields {
  return {
    name,
    mode: status.mode,
    uid: status.uid,
    gid: status.gid,
    userName: userName(status.uid),
    groupName: groupName(status.gid),
    mtime: { seconds: status.modifiedSeconds, nanoseconds: status.modifiedNanoseconds },
    ctime: { seconds: status.changedSeconds, nanoseconds: status.changedNanoseconds },
    inode: status.inode,
    extensions: {
      ...(status.linkCount > 1 && status.type !== 'directory' ? { link: { count: status.linkCount, device: status.device } } : undefined),
      ...extraExtensions(extras),
      accessTime: { seconds: status.accessedSeconds, nanoseconds: status.accessedNanoseconds },
    },
  };
}

/** The fields of a file after a worker opened it: what it saw then, if that differs, and what the scan does not ask for. */
export function fieldsWhenOpened(fields: EntryFields, metadata: FileMetadata | undefined, extras: FileExtras | undefined): EntryFields {
  if (metadata === undefined)
    return extras === undefined ? fields : { ...fields, extensions: { ...fields.extensions, ...extraExtensions(extras) } };
  const { mode, uid, gid, inode, modified, changed, linkCount, device } = metadata;
  const { link: _, ...extensions } = fields.extensions;
  return {
    ...fields,
    mode,
    uid,
    gid,
    userName: userName(uid),
    groupName: groupName(gid),
    mtime: modified,
    ctime: changed,
    inode,
    extensions: { ...extensions, ...(linkCount > 1 ? { link: { count: linkCount, device } } : undefined), ...extraExtensions(extras) },
  };
}

/** Entries without content: links, fifos, sockets, devices. */
export function otherEntry(
  fields: EntryFields,
  { type, status, parent }: { type: EntryType; status: FileStatus; parent: Descriptor },
): Entry {
  if (type === 'symlink') return { ...fields, type, target: readLink(parent, fields.name) };
  if (type === 'character-device' || type === 'block-device')
    return { ...fields, type, major: status.deviceMajor, minor: status.deviceMinor };
  return { ...fields, type: type as 'fifo' | 'socket' };
}

/** Attributes, flags and project of something opened; undefined if there are none. */
export function readExtras(descriptor: Descriptor, device: number): FileExtras | undefined {
  const attributes = readExtendedAttributes(descriptor, device);
  return extrasOf(attributes, readFileFlags(descriptor, device), readProjectId(descriptor, device));
}

/** The attributes of something that is not opened. */
export function readExtrasAt(parent: Descriptor, name: Uint8Array, device: number): FileExtras | undefined {
  return extrasOf(readExtendedAttributesAt(parent, name, device), 0, 0);
}

/** Whether nothing of the entry changed, and all of it is known: whatever changes, changes ctime. */
export function isSameStatus(entry: Entry, status: FileStatus): boolean {
  return (
    entry.extensions.readError === undefined &&
    isSameTime(entry.ctime, status.changedSeconds, status.changedNanoseconds) &&
    entry.inode === status.inode &&
    isSameTime(entry.mtime, status.modifiedSeconds, status.modifiedNanoseconds) &&
    (entry.type !== 'file' || entry.size === status.size)
  );
}

export function isSameTime(time: Time, seconds: number, nanoseconds: number): boolean {
  return time.nanoseconds === nanoseconds && time.seconds === seconds;
}

/** What a worker is told of a file. */
export function expectedFile(path: Uint8Array, status: FileStatus): ExpectedFile {
  const { size, inode, modifiedSeconds, modifiedNanoseconds, changedSeconds, changedNanoseconds } = status;
  return { path, size, inode, modifiedSeconds, modifiedNanoseconds, changedSeconds, changedNanoseconds };
}

/** What an attribute takes in an entry beside its name and value. */
const attributeOverheadBytes = 8;

/** Attributes as far as an entry has room for them; the others are told of. */
function extrasOf({ attributes, failures }: ExtendedAttributes, flags: number, projectId: number): FileExtras | undefined {
  if (attributes.length === 0 && failures.length === 0 && flags === 0 && projectId === 0) return undefined;
  const faults = failures.map(({ name, errno }) => attributeFault(name, errnoName(errno), 'could not be read'));
  const [unread] = faults;
  const extendedAttributes: ExtendedAttribute[] = [];
  let usedBytes = attributeOverheadBytes;
  for (const attribute of attributes) {
    const sizeBytes = attribute.name.length + attribute.value.length + attributeOverheadBytes;
    if (usedBytes + sizeBytes > limits.extensionSizeBytes)
      faults.push(attributeFault(attribute.name, 'E2BIG', 'is too large for a snapshot'));
    else {
      usedBytes += sizeBytes;
      extendedAttributes.push(attribute);
    }
  }
  return { extendedAttributes, faults, unread, flags, projectId };
}

function attributeFault(name: Uint8Array, code: string, what: string): ReadFault {
  const which = name.length === 0 ? 'the list of its extended attributes' : `its extended attribute ${Buffer.from(name).toString()}`;
  return { code, message: `${which} ${what} (${code})` };
}

function extraExtensions(extras: FileExtras | undefined): Extensions | undefined {
  if (extras === undefined) return undefined;
  const { extendedAttributes, unread, flags, projectId } = extras;
  return {
    ...(extendedAttributes.length > 0 ? { xattrs: extendedAttributes } : undefined),
    ...(flags !== 0 ? { flags } : undefined),
    ...(projectId !== 0 ? { projectId } : undefined),
    ...(unread !== undefined ? { readError: unread } : undefined),
  };
}
