import type { ErrorCode, PackId, SnapshotId } from '../../repo-format/mod.ts';

/** A code of an error, or of a note: `litter` (packs that nothing names), `unverified` (what this key cannot see). */
export type FindingCode = ErrorCode | 'litter' | 'unverified';

/** What a check found about one object. */
export interface Finding {
  /** `damage`: something is lost, or will be. `note`: nothing is. */
  readonly severity: 'damage' | 'note';
  readonly code: FindingCode;
  readonly message: string;
  /** Name of the object in the store. */
  readonly object: string | undefined;
  /** Where in the object, in bytes, if that is known. */
  readonly offset: number | undefined;
  /** The pack, if the object is one. */
  readonly pack: PackId | undefined;
  /** How often: blocks of a pack, chunks that are missing, rows. */
  readonly count: number;
  /** Snapshots that cannot be restored whole. */
  readonly snapshots: readonly SnapshotId[];
  /** Files that are hurt, and folders of which nothing can be read: at most 100, absolute, raw bytes. */
  readonly paths: readonly Uint8Array[];
  /** All of them, each path once however many snapshots have it. Counting ends at 65,536. */
  readonly pathCount: number;
}
