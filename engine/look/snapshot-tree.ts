import type { Snapshot, SnapshotId } from '../../repo-format/mod.ts';

/** A snapshot to look into: what `listSnapshots` and `resolveSnapshot` give. */
export interface SnapshotTree {
  readonly id: SnapshotId;
  readonly snapshot: Pick<Snapshot, 'tree'>;
}
