import type { LaganError, SnapshotId, Time } from '../../repo-format/mod.ts';
import type { BackupLimits } from '../backup/mod.ts';
import type { Compression } from '../packs/mod.ts';
import type { Fate, SnapshotInfo } from '../repository/mod.ts';
import type { CopyLimits } from './_limits.ts';

export interface CopyOptions {
  /** Snapshots of the source; they are copied in this order. */
  readonly snapshots: readonly SnapshotInfo[];
  /** How blocks are compressed that are made anew. Default: `auto`. */
  readonly compression?: Compression | undefined;
  /** Copies of held snapshots are held as long. Default: true. */
  readonly keepHolds?: boolean | undefined;
  /** Nothing is written: only what would be copied is found out. */
  readonly dryRun?: boolean | undefined;
  /** Threads. Default: one for each processor. */
  readonly workers?: number | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** Is told of each snapshot when it is done with. What it returns is awaited. */
  readonly onSnapshot?: ((copied: CopiedSnapshot) => Promise<void> | undefined) | undefined;
  /** Ends the copy: what was stored up to the last checkpoint is found the next time. */
  readonly signal?: AbortSignal | undefined;
  /** For tests. */
  readonly limits?: Partial<BackupLimits & CopyLimits> | undefined;
}

/** Of the snapshot that is being copied. */
export interface CopyProgress {
  readonly phase: 'copy';
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Absolute path, raw bytes. */
  readonly currentPath: Uint8Array;
  readonly newBytes: number;
  readonly storedBytes: number;
}

export interface CopiedSnapshot {
  readonly source: SnapshotInfo;
  /** `present`: the target has a copy already, or it is a copy of what the target has. `failed`: it is damaged, see `error`. */
  readonly outcome: 'copied' | 'present' | 'dry-run' | 'failed';
  /** In the target; null where there is none. */
  readonly snapshotId: SnapshotId | null;
  readonly newBytes: number;
  readonly newChunks: number;
  readonly storedBytes: number;
  /** Undefined: the copy was not held just now. */
  readonly hold: { readonly until: Time | null; readonly fate: Fate } | undefined;
  readonly error: LaganError | undefined;
}

export interface CopyResult {
  readonly snapshots: readonly CopiedSnapshot[];
  /** `blocks`: both name chunks and cut files alike, so blocks were copied as they are. `files`: files were cut anew. */
  readonly method: 'blocks' | 'files';
}
