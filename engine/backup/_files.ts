/** What is known of a file on its way from the scan through a worker to the assembly. */

/** What the scan saw of a file: if it is another by now, the worker says so. */
export interface ExpectedFile {
  /** Relative to the batch's root. */
  readonly path: Uint8Array;
  readonly size: number;
  readonly inode: number | bigint;
  readonly modifiedSeconds: number;
  readonly modifiedNanoseconds: number;
  readonly changedSeconds: number;
  readonly changedNanoseconds: number;
}

/** A file's metadata as the worker saw it when it opened the file (only if it differs from what the scan saw). */
export interface FileMetadata {
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: number | bigint;
  readonly device: number;
  readonly linkCount: number;
  readonly modified: { readonly seconds: number; readonly nanoseconds: number };
  readonly changed: { readonly seconds: number; readonly nanoseconds: number };
}

/** What befell a file, as the snapshot lists it. */
export interface ReadFault {
  /** `vanished`, `replaced`, `shorter`, `grew`, or the system's name (`EACCES`). */
  readonly code: string;
  readonly message: string;
}

/** What is known of a file beside its content. */
export interface FileExtras {
  readonly extendedAttributes: readonly { readonly name: Uint8Array; readonly value: Uint8Array }[];
  /** Attributes that are there but could not be read, or are too large for an entry. */
  readonly faults: readonly ReadFault[];
  /** Why attributes are missing that could not be read: kept in the entry, so that the next backup does not take it for unchanged. */
  readonly unread: ReadFault | undefined;
  readonly flags: number;
  readonly projectId: number;
}

export interface FileOutcome {
  /** Offset in the file of the first extent: 0 but for a segment of a large file. */
  readonly start: number;
  /** Number of extent records (see `_extent-records.ts`) in the job's list that belong to this file. */
  readonly extents: number;
  /** Bytes that were read and are in the extents. */
  readonly bytes: number;
  readonly metadata: FileMetadata | undefined;
  readonly extras: FileExtras | undefined;
  readonly error: ReadFault | undefined;
}
