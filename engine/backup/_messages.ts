/**
 * What the main thread and the workers of a backup say to each other. Messages are few (a batch of files, a segment): the names of chunks,
 * the filters and the table of chunks in flight are in shared memory.
 */
import type { PackId } from '../../repo-format/mod.ts';
import type { PackedFiles, PackedOutcomes } from './_packed-files.ts';
import type { PackTableBuffers, StoredTable } from '../index/mod.ts';
import type { RepositoryDescription } from '../repository/mod.ts';
import type { Compression, StoredPack } from '../packs/mod.ts';

/** Everything that a worker needs to know at its start. */
export interface WorkerSetup {
  readonly repository: RepositoryDescription;
  readonly kernelModule: WebAssembly.Module;
  readonly compression: Compression;
  readonly chunkTable: SharedArrayBuffer;
  readonly packTable: PackTableBuffers;
  readonly storedTables: readonly StoredTable[];
  readonly excludedPacks: readonly PackId[];
  /** Nothing is stored: only what would be new is counted. */
  readonly dryRun: boolean;
}

/** What the scan saw of a file: if it is another by now, the worker says so. */
export interface ExpectedFile {
  /** Relative to the batch's root. */
  readonly path: Uint8Array;
  readonly size: number;
  readonly inode: number | bigint;
  readonly modifiedSeconds: number;
  readonly modifiedNanoseconds: number;
  readonly changedSeconds: number;
  readonly changedNanoseconds: number;
}

export type WorkerJob =
  /** Whole files. */
  | { readonly type: 'files'; readonly job: number; readonly root: number; readonly files: PackedFiles }
  /** The chunks of one large file that begin in [from, to). */
  | { readonly type: 'segment'; readonly job: number; readonly root: number; readonly file: ExpectedFile; readonly from: number; readonly to: number }
  /** The next bytes of a stream (`last`: with its end). */
  | { readonly type: 'stream'; readonly job: number; readonly bytes: Uint8Array; readonly last: boolean }
  /** Seal and store everything that is open. */
  | { readonly type: 'flush'; readonly job: number }
  /** New index tables to ask. */
  | { readonly type: 'tables'; readonly job: number; readonly tables: readonly StoredTable[] }
  /** Throw away what is open and end. */
  | { readonly type: 'stop'; readonly job: number };

/** A file's metadata as the worker saw it when it opened the file (only if it differs from what the scan saw). */
export interface FileMetadata {
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: number | bigint;
  readonly device: number;
  readonly linkCount: number;
  readonly modified: { readonly seconds: number; readonly nanoseconds: number };
  readonly changed: { readonly seconds: number; readonly nanoseconds: number };
}

/** What is known of a file beside its content. */
export interface FileExtras {
  readonly extendedAttributes: readonly { readonly name: Uint8Array; readonly value: Uint8Array }[];
  readonly flags: number;
  readonly projectId: number;
}

export interface FileOutcome {
  /** Number of extent records (see `_extent-records.ts`) in the job's list that belong to this file. */
  readonly extents: number;
  /** Bytes that were read and are in the extents. */
  readonly bytes: number;
  readonly metadata: FileMetadata | undefined;
  readonly extras: FileExtras | undefined;
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

export type WorkerReply =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly job: number; readonly outcomes: PackedOutcomes; readonly extents: Uint8Array; readonly newBytes: number; readonly newChunks: number; readonly chunks: number }
  | { readonly type: 'pack'; readonly stored: StoredPack }
  | { readonly type: 'failed'; readonly job: number; readonly error: SerializedError };

/** A LaganError (or any other) on its way between threads. */
export interface SerializedError {
  readonly code: string | undefined;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly stack: string | undefined;
}
