/**
 * What the main thread and the workers of a restore say to each other. A worker gets leaves of directories as they are stored, with the numbers of the entries that it is
 * to restore, and the descriptor of the folder (descriptors belong to the process); it decodes the entries itself.
 */
import type { NodeReference } from '../../repo-format/mod.ts';
import type { RepositoryDescription } from '../repository/mod.ts';
import type { Descriptor } from '../system/mod.ts';
import type { LossKind, OverwritePolicy, RestoreFault } from './options.ts';

/** Which folder something is in; two numbers are exact for every file system that matters here, else the inode is a bigint. */
export interface Identity {
  readonly device: number;
  readonly inode: number | bigint;
}

/** How stretches of zeros are restored: as they were, as holes only, or written. */
export type Emptiness = 'as-stored' | 'holes' | 'written';

/** What decides how an entry is restored, the same for all. */
export interface RestoreRules {
  readonly overwrite: OverwritePolicy;
  readonly delete: boolean;
  readonly emptiness: Emptiness;
  readonly numericOwner: boolean;
  readonly dryRun: boolean;
  readonly umask: number;
  /** Folders that are never removed: that of the repository and those above it. */
  readonly protectedFolders: readonly Identity[];
}

export interface RestoreSetup {
  readonly repository: RepositoryDescription;
  readonly kernelModule: WebAssembly.Module;
  readonly rules: RestoreRules;
  /** Room of a worker for opened blocks. */
  readonly arenaBytes: number;
}

/** What is known of the folder that entries are restored into. */
export interface FolderState {
  /** -1 in a dry run, if the folder does not exist. */
  readonly descriptor: Descriptor;
  /** It was there before: so may be what is to be restored. */
  readonly existed: boolean;
  /** New entries inherit a group, an ACL or flags from it. */
  readonly inherits: boolean;
}

/** A leaf of a directory, and where its entries go. */
export interface LeafPart {
  readonly folder: FolderState;
  /** The node's bytes, and the object that it is from. */
  readonly bytes: Uint8Array;
  readonly object: string;
}

/** Entries of several leaves, none of them a directory. */
export interface Batch {
  readonly parts: readonly LeafPart[];
  /** Pairs: number of a part, number of an entry in its leaf; in the order in which they are to be restored. */
  readonly entries: readonly number[];
  /** Of the files among them. */
  readonly sizeBytes: number;
}

/** A leaf of a file's content, with the offset in the file of its first byte. */
export interface ContentLeaf {
  readonly node: NodeReference;
  readonly start: number;
}

export type RestoreJob =
  | { readonly type: 'restore' | 'verify'; readonly batch: Batch }
  /** A stretch of a large file that is open for writing. */
  | { readonly type: 'segment'; readonly descriptor: Descriptor; readonly leaves: readonly ContentLeaf[] };

/** A fault of an entry, in a message: its folder is that of the part. */
export type PartFault = Omit<RestoreFault, 'path'> & { readonly part: number; readonly name: Uint8Array; readonly isNote: boolean };

export interface PartLoss {
  readonly kind: LossKind;
  readonly count: number;
  readonly reason: string;
  readonly part: number;
  readonly name: Uint8Array;
}

/**
 * What became of an entry: `restored`; `same`: it was there already, as in the snapshot; `kept`: something else is there and stays; `refused`: the
 * system does not allow it; `failed`: reported as a fault.
 */
export type Outcome = 'restored' | 'same' | 'kept' | 'refused' | 'failed';

/** What became of an entry with several names; `identity` where it is there. */
export interface LinkedOutcome {
  readonly part: number;
  readonly name: Uint8Array;
  /** Where it was backed up. */
  readonly device: number | bigint;
  readonly inode: number | bigint;
  readonly outcome: Outcome;
  readonly identity: Identity | undefined;
}

export interface JobResult {
  readonly files: number;
  readonly others: number;
  readonly skipped: number;
  readonly verified: number;
  /** Content written. */
  readonly bytes: number;
  /** What the progress counts: files done in any way, with their sizes. */
  readonly filesDone: number;
  readonly bytesDone: number;
  readonly faults: readonly PartFault[];
  readonly losses: readonly PartLoss[];
  readonly linked: readonly LinkedOutcome[];
}
