import { idFromBytes, idToBytes, type Snapshot, type SnapshotId } from '../../repo-format/mod.ts';
import { program } from '../program/mod.ts';
import { isId, withoutCopied } from './copied-from.ts';
import type { Session } from './sessions.ts';
import type { SnapshotInfo } from './snapshots.ts';

/** The key of a snapshot's extension that says of which snapshot of this repository it was made: by leaving something out, or by a repair. */
const originKey = 'origin';

/** Of which snapshot another one was made, if it was. */
export function originOf({ extensions }: Pick<Snapshot, 'extensions'>): SnapshotId | null {
  const origin = extensions[originKey] as { readonly snapshot?: unknown } | null | undefined;
  const id = typeof origin === 'object' ? origin?.snapshot : undefined;
  return isId(id) ? idFromBytes<SnapshotId>(id) : null;
}

/** What a snapshot that a session makes of another one has of it: all but its trees and its counts. */
export function madeOf({ id, tags, description, snapshot: original }: SnapshotInfo, session: Pick<Session, 'id' | 'generation'>): Snapshot {
  const extensions = { ...withoutCopied(original.extensions), [originKey]: { snapshot: idToBytes(id) } };
  return { ...original, session: session.id, generation: session.generation, program, tags, description, extensions };
}
