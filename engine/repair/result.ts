import type { PackId, SnapshotId } from '../../repo-format/mod.ts';
import type { CheckProgress, CheckResult, Finding } from '../check/mod.ts';
import type { SnapshotInfo } from '../repository/mod.ts';
import type { CallOptions } from '../storage/mod.ts';

export interface RepairOptions extends CallOptions {
  /** Only says what would be done. */
  readonly dryRun?: boolean | undefined;
  /** All data is read and verified first. Otherwise the structure is checked, and the packs are read that it, or a report of damage, says are damaged. */
  readonly readData?: boolean | undefined;
  /**
   * Which damaged snapshots are marked for deletion, of those of which there is a repaired copy: `whole` those whose copy lost nothing, `all` the others, too. What is lost could still come back
   * with a backup of the source as long as they are there. Default: none.
   */
  readonly markOriginals?: 'whole' | 'all' | undefined;
  /** Threads that read packs. Default: one for each processor. */
  readonly workers?: number | undefined;
  readonly onProgress?: ((progress: CheckProgress) => void) | undefined;
}

/** What became of a damaged pack that is there. */
export interface SalvagedPack {
  readonly pack: PackId;
  /** Has what could be saved; null: there was nothing, or other packs have it. */
  readonly newPack: PackId | null;
  /** False: not even its header is good, so nothing of it can be opened. */
  readonly isReadable: boolean;
  readonly savedBlocks: number;
  readonly savedChunks: number;
  readonly savedBytes: number;
  /** Chunks that other packs have, too. */
  readonly elsewhereChunks: number;
  readonly lostBlocks: number;
  /** Of those blocks whose chunks are known. */
  readonly lostChunks: number;
}

/** A file of which bytes are lost, or a folder of which entries are. */
export interface Loss {
  /** Absolute, raw bytes. */
  readonly path: Uint8Array;
  readonly message: string;
  /** Bytes of the file, which are zeros now. */
  readonly lostBytes: number;
  /** Entries of the folder. */
  readonly lostEntries: number;
}

export interface RepairedSnapshot {
  readonly original: SnapshotInfo;
  /** `copied`: a repaired copy was made (or would be); `known`: an earlier repair has made it; `lost`: nothing of it can be read; `held`: a copy was made, and the pinned original was not marked. */
  readonly outcome: 'copied' | 'known' | 'lost' | 'held';
  /** The repaired copy; null in a dry run, and if there is none. */
  readonly copy: SnapshotId | null;
  /** At most 1,000. */
  readonly losses: readonly Loss[];
  readonly lossCount: number;
  readonly lostBytes: number;
  readonly isMarked: boolean;
}

export interface RepairResult {
  /** `sound`: there was nothing to do. */
  readonly outcome: 'sound' | 'repaired' | 'dry-run';
  /** What was found first. */
  readonly check: CheckResult;
  /** Packs that were in no index table, and are listed again. */
  readonly listedPacks: number;
  readonly salvaged: readonly SalvagedPack[];
  /** Damaged packs that are gone from the store. */
  readonly missingPacks: number;
  readonly snapshots: readonly RepairedSnapshot[];
  /** Damage that this cannot mend. */
  readonly left: readonly Finding[];
  readonly durationMs: number;
}
