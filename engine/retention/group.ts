/** Groups of snapshots: the rules of a policy hold in each of them by itself. */
import type { RetentionSnapshot } from './snapshot.ts';

/** By what snapshots are put together. */
export type GroupKey = 'host' | 'paths' | 'tags';

/** What the snapshots of a group have in common; without the keys that it was not grouped by. */
export interface RetentionGroupValues {
  readonly host?: string;
  /** Sorted, raw bytes. */
  readonly paths?: readonly Uint8Array[];
  /** Sorted. */
  readonly tags?: readonly string[];
}

export interface SnapshotGroup<Source extends RetentionSnapshot> {
  readonly values: RetentionGroupValues;
  readonly snapshots: readonly Source[];
}

/** The groups in an order that does not depend on that of the snapshots. Without keys all are one group. */
export function groupSnapshots<Source extends RetentionSnapshot>(
  snapshots: readonly Source[],
  keys: readonly GroupKey[],
): SnapshotGroup<Source>[] {
  const groups = new Map<string, { values: RetentionGroupValues; snapshots: Source[] }>();
  for (const snapshot of snapshots) {
    const values = valuesOf(snapshot, keys);
    const name = JSON.stringify([values.host, values.paths?.map((path) => Buffer.from(path).toString('latin1')), values.tags]);
    const group = groups.get(name) ?? { values, snapshots: [] };
    group.snapshots.push(snapshot);
    groups.set(name, group);
  }
  return [...groups].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, group]) => group);
}

function valuesOf({ host, paths, tags }: RetentionSnapshot, keys: readonly GroupKey[]): RetentionGroupValues {
  return {
    ...(keys.includes('host') && { host }),
    ...(keys.includes('paths') && { paths: [...paths].sort(Buffer.compare) }),
    ...(keys.includes('tags') && { tags: [...tags].sort() }),
  };
}
