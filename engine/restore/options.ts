import type { MetadataLoss } from '../system/mod.ts';

/**
 * What happens to something that exists in the target and is no folder: `always` it is replaced; `if-newer` only if the snapshot's is newer (mtime); `if-changed` unless type,
 * size and mtime agree, which is how an interrupted restore goes on; `never` it is left alone.
 */
export type OverwritePolicy = 'always' | 'if-newer' | 'if-changed' | 'never';

export interface RestoreOptions {
  /** The folder to restore into; made, with those above it, if it is not there. Symbolic links in this path are followed, none below it. */
  readonly target: string | Uint8Array;
  /**
   * Absolute path in the snapshot of the folder that becomes the target: its content lies directly in the target, which gets its owner, mode and times. A path of anything
   * else is put into the target by its name. Default: the top of the snapshot.
   */
  readonly from?: string | Uint8Array | undefined;
  /** Absolute paths in the snapshot: only these and what is below, at their place below `from`. Default: all. */
  readonly paths?: readonly (string | Uint8Array)[] | undefined;
  /** Patterns (as in `.gitignore`, on paths in the snapshot) of what is restored, with all below it. Default: everything. */
  readonly include?: readonly string[] | undefined;
  /** Patterns of what is left out, with all below it. */
  readonly exclude?: readonly string[] | undefined;
  /** Default: `never`. */
  readonly overwrite?: OverwritePolicy | undefined;
  /**
   * Removes from restored folders what the snapshot does not have, unless it is excluded: at or below the paths that were backed up, never beside them. Folders with
   * things in them that are in the way of something else are removed only with this.
   */
  readonly delete?: boolean | undefined;
  /** Default: as they were, holes as holes and zeros as written zeros; true: both as holes, which takes less room; false: both are written. */
  readonly sparse?: boolean | undefined;
  /** Reads all files again after everything was restored, and compares the names of their chunks. */
  readonly verify?: boolean | undefined;
  /** Only looks and counts. */
  readonly dryRun?: boolean | undefined;
  /** Owners by their numbers; default: by name where this machine has the name. */
  readonly numericOwner?: boolean | undefined;
  /** Threads that decrypt and write. Default: one for each processor. */
  readonly workers?: number | undefined;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  /** Told of each error as it happens, and of what is noteworthy without being one. */
  readonly onWarning?: ((warning: RestoreFault) => void) | undefined;
  /** Ends the restore; what is restored stays, `if-changed` goes on from there. */
  readonly signal?: AbortSignal | undefined;
}

/** How far a restore is. What was left alone counts as done. Totals shrink when patterns leave something out. */
export interface RestoreProgress {
  readonly phase: 'restore' | 'verify';
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Path in the snapshot, absolute, raw bytes. */
  readonly currentPath: Uint8Array;
  readonly errors: number;
}

/** Something that could not be restored, or not as it was. */
export interface RestoreFault {
  /** Path in the snapshot, absolute, raw bytes. */
  readonly path: Uint8Array;
  /** Code of a LaganError (`pack-missing`, `authentication-failed`, `exists`, …); `incomplete` if the backup could not read all of it; `path-not-found`. */
  readonly code: string;
  readonly message: string;
  /** Name of the damaged object in the repository. */
  readonly object?: string | undefined;
  /** Name of the system's error. */
  readonly errno?: string | undefined;
}

/** `device`: could not be made at all. `link`: a hard link that became a file of its own. */
export type LossKind = MetadataLoss['kind'] | 'device' | 'link';

/** Something that the system refuses here, once for each kind. */
export interface NotRestored {
  readonly kind: LossKind;
  /** How many entries. */
  readonly count: number;
  /** Path in the snapshot of one of them. */
  readonly example: Uint8Array;
  /** Name of the system's error. */
  readonly reason: string;
}

export interface RestoreStatistics {
  /** Files, hard links included, that were written or got their metadata. */
  readonly files: number;
  readonly directories: number;
  /** Links, devices, fifos and sockets. */
  readonly others: number;
  /** Content of the restored files; that of a file with several names once. */
  readonly bytes: number;
  /** Left as they were. */
  readonly skipped: number;
  readonly deleted: number;
  /** Files that were read again and are right. */
  readonly verified: number;
  readonly errors: number;
}

export interface RestoreResult {
  readonly statistics: RestoreStatistics;
  /** At most 1,000 (`statistics.errors` counts all). */
  readonly errors: readonly RestoreFault[];
  readonly notRestored: readonly NotRestored[];
  readonly durationMs: number;
}
