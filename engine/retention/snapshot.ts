/** What the rules of retention look at of a snapshot. */
import type { SnapshotId, Time } from '../../repo-format/mod.ts';
import type { SnapshotInfo } from '../repository/mod.ts';

export interface RetentionSnapshot {
  readonly id: SnapshotId;
  readonly started: Time;
  readonly host: string;
  readonly paths: readonly Uint8Array[];
  readonly tags: readonly string[];
  /** Equal for backups of the same source. */
  readonly source: string;
  /** What it was compared with, which was there before it. */
  readonly parent: SnapshotId | null;
  readonly partial: boolean;
  /** Files that could not be read completely. */
  readonly errors: number;
}

/** A snapshot with the whole of what is known of it. */
export interface RetentionSource extends RetentionSnapshot {
  readonly info: SnapshotInfo;
}

/** What the rules look at, of a snapshot of a repository: its tags are those that it has now. */
export function retentionSnapshotOf(info: SnapshotInfo): RetentionSource {
  const { id, tags, snapshot } = info;
  const { started, host, paths, source, parent, partial, statistics } = snapshot;
  return { id, started, host, paths, tags, source, parent, partial, errors: statistics.errors, info };
}
