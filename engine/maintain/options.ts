import type { LaganError } from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import type { LockResult, MaintainWarning } from './_keep-locks.ts';

/** What a maintenance is doing: looking what is needed, copying what is needed of packs that are repacked, collecting (the three replacements of the root), deleting, extending locks; making the store what it was. */
export type MaintainPhase = 'survey' | 'repack' | 'collect' | 'delete' | 'lock' | 'revert';

export interface MaintainProgress {
  readonly phase: MaintainPhase;
  /** Snapshots whose lists of packs were read, and nodes of their trees; when deleting, objects that were deleted; locks that were extended. */
  readonly filesDone: number;
  /** Bytes of packs that were deleted; when repacking, bytes that were copied. */
  readonly bytesDone: number;
}

export interface MaintainOptions extends CallOptions {
  /** Only says what would be done. */
  readonly dryRun?: boolean | undefined;
  /**
   * Share of the repository, 0 to 1, that may stay unused in packs that are needed for the rest. Default: 0.05, and 0 after a snapshot was rewritten. If it is given, it is looked
   * for what is unused even where no snapshot is dropped, which reads all metadata.
   */
  readonly maxUnused?: number | undefined;
  /** Bytes that are copied at most to get there. Default: 8 GiB. */
  readonly maxRepackBytes?: number | undefined;
  /** Who collects, where the configuration allows only one. Default: this machine, see `collectorName`. */
  readonly collector?: string | undefined;
  readonly onProgress?: ((progress: MaintainProgress) => void) | undefined;
  /** Is told of damage, which keeps packs from being freed. */
  readonly onDamage?: ((error: LaganError) => void) | undefined;
  readonly onWarning?: ((warning: MaintainWarning) => void) | undefined;
}

export interface MaintainResult {
  /** `idle`: there was nothing to do, or nothing worth it. */
  readonly outcome: 'collected' | 'idle' | 'dry-run';
  /** Collections that were finished, those included that another collector had begun. */
  readonly collections: number;
  /** In a dry run: a collection has begun and not ended; somebody may be at it. */
  readonly isUnderWay: boolean;
  /** Snapshots that stand. */
  readonly snapshots: number;
  /** Snapshots that were marked and are gone now; in a dry run: that would go. */
  readonly droppedSnapshots: number;
  /** Marked snapshots that stay because they are held. */
  readonly heldSnapshots: number;
  /** Backups that have not ended, whose checkpoints keep packs. */
  readonly unfinishedSessions: number;
  /** Checkpoints of unfinished backups that ended now, because they were abandoned or another backup went on from them. */
  readonly endedCheckpoints: number;
  /** Packs that are needed, and their size. */
  readonly neededPacks: number;
  readonly neededBytes: number;
  /** Packs that were deleted, and their size; in a dry run: that would be. */
  readonly freedPacks: number;
  readonly freedBytes: number;
  /** Packs that were replaced by others, with what is needed of them alone; in a dry run: that would be. */
  readonly repackedPacks: number;
  /** Why: of `repackedPacks`, those with much unused, those sealed with an old key, those much too small, and those of which the newest snapshot of a source needs chunks here and there. */
  readonly repackReasons: { readonly unused: number; readonly epoch: number; readonly small: number; readonly scattered: number };
  /** Size of these others; in a dry run: about what it would be. */
  readonly repackedBytes: number;
  /** About how many bytes stay unused in packs that are needed for the rest; null: it was not looked. */
  readonly unusedBytes: number | null;
  /** Packs of this collection that stay until the next because a backup came to need them. */
  readonly rescuedPacks: number;
  /** Packs that the root calls lost, gone or damaged, and chunks of them that are nowhere else: backups store those again if their sources still have them. */
  readonly lostPacks: number;
  readonly lostChunks: number;
  /** Index tables of sessions, and snapshots, that were folded into base index and catalogue; in a dry run: that would be. */
  readonly foldedTables: number;
  readonly foldedSnapshots: number;
  /** Other objects that were deleted. */
  readonly deletedObjects: number;
  /** What was done about locks and old versions; null: the store does not lock what it stores. */
  readonly locks: LockResult | null;
  /** Damage that kept packs from being freed. */
  readonly damage: readonly LaganError[];
  readonly durationMs: number;
}
