/**
 * What a directory entry is, once decoded. Source: spec/node.md, "Entries".
 */
import type { PackId } from './ids.ts';

/** A point in time; before 1970 the seconds are negative and the nanoseconds still count forward. */
export interface Time {
  /** A safe integer. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
}

/** Negative if `time` is earlier than `other`, positive if later. */
export function compareTimes(time: Time, other: Time): number {
  return time.seconds - other.seconds || time.nanoseconds - other.nanoseconds;
}

export const entryTypes = {
  file: 1,
  directory: 2,
  symlink: 3,
  fifo: 4,
  socket: 5,
  'character-device': 6,
  'block-device': 7,
} as const;
export type EntryType = keyof typeof entryTypes;

/** Where a chunk is: its name, and the pack in which it was when this was written (a hint: packs are repacked). */
export interface NodeReference {
  readonly pack: PackId;
  /** 32 bytes. */
  readonly name: Uint8Array;
}

export type Extent =
  | { readonly kind: 'data'; readonly length: number; readonly name: Uint8Array; readonly pack: PackId }
  | { readonly kind: 'hole' | 'zeros'; readonly length: number };

export type Content =
  | { readonly form: 'none' }
  | { readonly form: 'inline'; readonly extents: readonly Extent[] }
  /**
   * The root of a tree of content nodes. `packs` are all packs that the content relies on, data and nodes;
   * empty when they are more than `limits.listedPacksPerFile`: then the pack tables of the nodes say it.
   */
  | { readonly form: 'node'; readonly node: NodeReference; readonly height: number; readonly packs: readonly PackId[] };

export interface Extensions {
  /** Sorted by name, names unique. */
  readonly xattrs?: readonly { readonly name: Uint8Array; readonly value: Uint8Array }[];
  /** Number of hard links and device; with the inode it tells which entries are one file. */
  readonly link?: { readonly count: number; readonly device: number | bigint };
  /** Bits of FS_IOC_GETFLAGS. */
  readonly flags?: number;
  readonly birthTime?: Time;
  readonly projectId?: number;
  /** The content, or what else is said of it, is incomplete, and why. */
  readonly readError?: { readonly code: string; readonly message: string };
  readonly accessTime?: Time;
  /** Of types that this program does not know, ascending; kept when an entry is copied. */
  readonly unknown?: readonly { readonly type: number; readonly value: Uint8Array }[];
}

interface EntryFields {
  /** Raw bytes: 1 to 255, no '/', no NUL, not '.' or '..'. */
  readonly name: Uint8Array;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** '' if the system has no name for the number. */
  readonly userName: string;
  readonly groupName: string;
  readonly mtime: Time;
  readonly ctime: Time;
  readonly inode: number | bigint;
  readonly extensions: Extensions;
}

export interface FileEntry extends EntryFields {
  readonly type: 'file';
  /** The length of the content, unless there is a read error. */
  readonly size: number;
  readonly content: Content;
}

export interface DirectoryEntry extends EntryFields {
  readonly type: 'directory';
  /** Root of the directory's nodes, null if it has no entries. */
  readonly node: NodeReference | null;
  /** Files in it and below. */
  readonly filesBelow: number;
  readonly bytesBelow: number;
}

export interface SymlinkEntry extends EntryFields {
  readonly type: 'symlink';
  readonly target: Uint8Array;
}

export interface DeviceEntry extends EntryFields {
  readonly type: 'character-device' | 'block-device';
  readonly major: number;
  readonly minor: number;
}

export interface SpecialEntry extends EntryFields {
  readonly type: 'fifo' | 'socket';
}

export type Entry = FileEntry | DirectoryEntry | SymlinkEntry | DeviceEntry | SpecialEntry;

/** The shared value of an entry without extensions. */
export const noExtensions: Extensions = Object.freeze({});
/** The shared value of a file without content. */
export const noContent: Content = Object.freeze({ form: 'none' });

/** Numbers of the extensions in an entry. */
export const extensionTypes = {
  xattrs: 1,
  link: 2,
  flags: 3,
  birthTime: 4,
  projectId: 5,
  readError: 6,
  accessTime: 7,
} as const;
