import { idFromBytes, idToBytes, type ObjectId, type Snapshot, type SnapshotId } from '../../repo-format/mod.ts';

/** A snapshot, wherever it is. */
export interface SnapshotPlace {
  readonly repository: ObjectId;
  readonly snapshot: SnapshotId;
}

/** The key of a snapshot's extension that says of which snapshots it is a copy, the first one first. Source: spec/snapshot.md. */
const copiedKey = 'copied';

/** The snapshots that one is a copy of, those of which that was a copy included. What is malformed is left out. */
export function copiedFrom({ extensions }: Pick<Snapshot, 'extensions'>): SnapshotPlace[] {
  const list = extensions[copiedKey];
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: { readonly repository?: unknown; readonly snapshot?: unknown } | null) => {
    const [repository, snapshot] = [item?.repository, item?.snapshot];
    if (!isId(repository) || !isId(snapshot)) return [];
    return [{ repository: idFromBytes<ObjectId>(repository), snapshot: idFromBytes<SnapshotId>(snapshot) }];
  });
}

/** The extension of a copy. */
export function copiedExtension(places: readonly SnapshotPlace[]): Snapshot['extensions'] {
  return {
    [copiedKey]: places.map(({ repository, snapshot }) => ({ repository: idToBytes(repository), snapshot: idToBytes(snapshot) })),
  };
}

/** The extensions of a snapshot that is no copy any more. */
export function withoutCopied({ [copiedKey]: _, ...extensions }: Snapshot['extensions']): Snapshot['extensions'] {
  return extensions;
}

/** Whether a value in an extension is an id: 16 bytes. */
export function isId(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 16;
}
