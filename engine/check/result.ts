import type { LaganError, PackId } from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import type { Finding } from './findings.ts';
import type { ReadData } from './read-data.ts';

export interface CheckOptions extends CallOptions {
  /** Which packs are read and verified whole, beside the structure. Default: false, none. */
  readonly readData?: ReadData | undefined;
  /** After so long no pack is begun any more; the structure is always checked whole. */
  readonly maxDurationMs?: number | undefined;
  /**
   * Whether it is remembered in the repository which packs were verified, so that parts add up; and which are damaged, so that writers store what they had again. Where the credentials
   * do not allow it, it is not. Default: false, nothing is written.
   */
  readonly record?: boolean | undefined;
  /** Threads that read packs. Default: one for each processor. */
  readonly workers?: number | undefined;
  /** Told ten times a second. */
  readonly onProgress?: ((progress: CheckProgress) => void) | undefined;
  /** Told of each damaged object as soon as it is found; which files it hurts is only in the result. */
  readonly onFinding?: ((finding: Finding) => void) | undefined;
}

export interface CheckProgress {
  readonly phase: 'check';
  /** Files whose chunks are known to be there. */
  readonly filesDone: number;
  /** Bytes of packs that were read, and that are to be read. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Damaged objects. */
  readonly errors: number;
}

export interface CheckResult {
  /** Damage, one finding for each object and code. */
  readonly errors: readonly Finding[];
  /** What is worth knowing but hurts nothing, such as packs that no index table names. */
  readonly notes: readonly Finding[];
  /** False if damage hid something from the check: there may be more. */
  readonly complete: boolean;
  readonly snapshots: number;
  /** Distinct nodes of trees. */
  readonly nodes: number;
  /** Files in them, those in shared nodes once. */
  readonly files: number;
  /** Packs in the store. */
  readonly packs: number;
  /** Packs that were read whole, with their blocks, chunks and size. */
  readonly packsRead: number;
  readonly blocks: number;
  /** Chunks that were read; without reading data, those in the index. */
  readonly chunks: number;
  readonly bytesRead: number;
  /** Packs that were to be read, but the time was over. */
  readonly packsLeft: number;
  readonly bytesLeft: number;
  /** Packs that the repository remembers as verified by this check. */
  readonly remembered: number;
  /** Reports of damaged packs that it has stored for writers and the collector: none of what others have reported. */
  readonly reports: number;
  /** Why it does not remember all that were verified, or not all that is damaged. */
  readonly notRecorded: LaganError | null;
  readonly durationMs: number;
}

/** What a check tells a repair. */
export interface Diagnosis {
  readonly result: CheckResult;
  /** Packs that snapshots or the index rely on, of which all or something is lost. */
  readonly damagedPacks: ReadonlySet<PackId>;
  readonly presentPacks: ReadonlySet<PackId>;
  /** Whether a chunk cannot be read where it is said to be. */
  isHurt(pack: PackId, name: Uint8Array): boolean;
  /** Packs that snapshots rely on, and that are in no index table. */
  readonly unlistedPacks: readonly PackId[];
}
