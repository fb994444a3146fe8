import type { LaganError } from '../../repo-format/mod.ts';
import type { Repository } from '../repository/mod.ts';

export interface MirrorOptions {
  /** The source, opened: then what is copied is opened, too, and what never counted is left out. Without it lengths, headers and ends are compared. */
  readonly repository?: Repository | undefined;
  /** Everything that was copied is read back whole; with a key, each of its parts is opened. */
  readonly verify?: boolean | undefined;
  /** Deletes in the mirror what was deleted in the source. Needs `repository`. */
  readonly deleteSuperfluous?: boolean | undefined;
  /** Nothing is written or deleted. */
  readonly dryRun?: boolean | undefined;
  readonly onProgress?: ((progress: MirrorProgress) => void) | undefined;
  /** Is told of every object that was not copied, or not deleted, and why. */
  readonly onProblem?: ((problem: MirrorProblem) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface MirrorProgress {
  readonly phase: 'mirror';
  /** Objects. */
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** `source`: the object is damaged there and was not copied. `mirror`: it is damaged there. `kept`: the source has lost what it relies on, and the mirror keeps it. */
export interface MirrorProblem {
  readonly kind: 'source' | 'mirror' | 'kept';
  readonly object: string;
  readonly error: LaganError;
}

export interface MirrorResult {
  /** `complete`: the mirror has all that the source has. `partial`: but for the problems. */
  readonly outcome: 'complete' | 'partial' | 'dry-run';
  /** 32 hex digits. */
  readonly repository: string;
  /** Number of the newest root that the mirror has now. */
  readonly root: number;
  /** Objects that were copied, and their sizes; in a dry run: would be. */
  readonly copiedObjects: number;
  readonly copiedBytes: number;
  /** Objects that were there already. */
  readonly presentObjects: number;
  /** Objects of the mirror that the source does not have, of any kind. */
  readonly extraObjects: number;
  readonly extraBytes: number;
  /** Of these, key slots: what was taken from the source still opens the mirror. */
  readonly extraKeySlots: number;
  /** Of these, pins and deletion marks that were taken back in the source. */
  readonly extraRecords: number;
  /** Objects that were deleted in the mirror; in a dry run: would be. */
  readonly deletedObjects: number;
  readonly deletedBytes: number;
  readonly problems: number;
}
