import type { SnapshotId, SnapshotStatistics, Time } from '../../repo-format/mod.ts';
import type { Compression } from '../packs/mod.ts';
import type { SnapshotInfo } from '../repository/mod.ts';
import type { ExcludeRules } from './excludes.ts';
import type { BackupProgress } from './progress.ts';

/** A file or folder that could not be backed up, or not wholly. */
export interface ReadError {
  /** Absolute path, raw bytes. */
  readonly path: Uint8Array;
  /** `vanished`, `replaced`, `shorter`, `grew`, or the system's name (`EACCES`). */
  readonly code: string;
  readonly message: string;
}

/** The backup, of another program or another repository, of which a snapshot is made. */
export interface ImportedFrom {
  /** What made it: `restic`, `tar`, … */
  readonly program: string;
  /** What that program calls its repository, and the backup in it. The same backup is known again by these. */
  readonly repository: string;
  readonly snapshot: string;
}

/** What a snapshot that is made of another backup says of it. */
export interface ImportedLabels {
  /** Left out if nobody could know the backup again. */
  readonly from?: ImportedFrom | undefined;
  readonly started: Time;
  readonly ended: Time;
  readonly user: string;
}

/** What all backups have, whatever their source. */
export interface CommonBackupOptions {
  readonly tags?: readonly string[];
  readonly description?: string;
  /** Default: the machine's name. */
  readonly host?: string;
  /** What is equal for backups of the same source. Default: host and paths. */
  readonly source?: string;
  /** What else the snapshot is to say, for programs: records under names of their own. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly compression?: Compression;
  /**
   * Every block of data is opened, decompressed and named again before it is stored, and compared with what went in; otherwise one in eight is. Folders, lists and index tables always are.
   */
  readonly verifyAll?: boolean;
  /** Nothing is written; what would be new is counted. */
  readonly dryRun?: boolean;
  /** The time that the snapshot says; default: now. */
  readonly time?: Date;
  /** The snapshot is made of another backup: its times and user count, not those of now. */
  readonly imported?: ImportedLabels;
  /** Threads that read, compress and seal. Default: one for each processor. */
  readonly workers?: number;
  readonly onProgress?: (progress: BackupProgress) => void;
  /** Told of each file that could not be read, as it happens, and of what is left out for a reason; and of index tables that are damaged: then `path` is the object's name. */
  readonly onWarning?: (warning: ReadError) => void;
  /** Ends the backup: nothing is committed, the next one finds what the last checkpoint had. */
  readonly signal?: AbortSignal;
}

export interface BackupOptions extends CommonBackupOptions {
  readonly paths: readonly (string | Uint8Array)[];
  /**
   * A folder that stands for `/`: `paths` are in it, and the snapshot does not say where it was. No symbolic link leads out of it. With `imported`, another backup was restored
   * into it: all of it is read, and `paths` are only what the snapshot says. Of inodes and the times that a restore cannot set nothing is kept then: so equal files have
   * equal entries, whenever they were restored.
   */
  readonly root?: string | Uint8Array;
  readonly excludes?: ExcludeRules;
  readonly oneFileSystem?: boolean;
  /** What to compare with: the newest snapshot of the same source (`auto`), nothing, a snapshot by its id, or one that is chosen among all there are, from old to new. */
  readonly parent?: 'auto' | 'none' | SnapshotId | ParentChoice;
  /** A changed ctime alone does not make a file changed. */
  readonly ignoreCtime?: boolean;
  readonly ignoreInode?: boolean;
  /** Read every file again. */
  readonly force?: boolean;
  /** No snapshot if nothing at all changed since the parent. */
  readonly skipIfUnchanged?: boolean;
}

/** Gives the snapshot to compare with, if there is one. */
export type ParentChoice = (snapshots: readonly SnapshotInfo[]) => SnapshotInfo | undefined;

export interface BackupResult {
  /** Null after a dry run, or if it was skipped as unchanged. */
  readonly snapshotId: SnapshotId | null;
  readonly parent: SnapshotId | null;
  /** All that was to be backed up is as the parent has it, metadata included. */
  readonly unchangedFromParent: boolean;
  readonly statistics: SnapshotStatistics & { readonly unchangedFiles: number };
  /** At most 1,000 (`statistics.errors` counts all). */
  readonly errors: readonly ReadError[];
  readonly durationMs: number;
}
