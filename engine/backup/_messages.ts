/**
 * What the main thread and the workers of a backup say to each other. Messages are few (a batch of files, a segment): the names of chunks,
 * the filters and the table of chunks in flight are in shared memory.
 */
import type { FileEntry, PackId } from '../../repo-format/mod.ts';
import type { PackTableBuffers, StoredTable } from '../index/mod.ts';
import type { Lanes } from '../kernel/mod.ts';
import type { Compression, StoredPack } from '../packs/mod.ts';
import type { RepositoryDescription } from '../repository/mod.ts';
import type { Descriptor } from '../system/mod.ts';
import type { SerializedError } from '../workers/mod.ts';
import type { ChunkList } from './_block-copier.ts';
import type { FilePiece } from './_file-copier.ts';
import type { PackedFiles, PackedOutcomes } from './_packed-files.ts';
import type { FilePart } from './_stretches.ts';

/** Everything that a worker needs to know at its start. */
export interface WorkerSetup {
  readonly repository: RepositoryDescription;
  readonly kernelModule: WebAssembly.Module;
  readonly lanes: Lanes;
  readonly compression: Compression;
  readonly chunkTable: SharedArrayBuffer;
  readonly packTable: PackTableBuffers;
  readonly storedTables: readonly StoredTable[];
  readonly excludedPacks: readonly PackId[];
  /** Nothing is stored: only what would be new is counted. */
  readonly dryRun: boolean;
  /** Packs that a worker may have on their way into the store while it fills the next one. */
  readonly packsAhead: number;
  /** Every block is verified before it is stored, not one in some. */
  readonly verifyAll: boolean;
  /** The repository from which is copied, and the chunks that are needed of it where it names them alike (see `WantedNames`). Undefined in a backup. */
  readonly source?: { readonly repository: RepositoryDescription; readonly wanted: SharedArrayBuffer | undefined } | undefined;
  /** One 32-bit word: 1 once the backup ends. A job that reads looks at it now and then and gives up. */
  readonly stopFlag: SharedArrayBuffer;
}

export type WorkerJob =
  /** Whole files. */
  | { readonly type: 'files'; readonly job: number; readonly root: number; readonly files: PackedFiles }
  /** A part of a large file, which the main thread has opened and keeps open. */
  | ({ readonly job: number; readonly descriptor: Descriptor } & FilePart)
  /** The next bytes of a stream (`last`: with its end). */
  | { readonly type: 'stream'; readonly job: number; readonly bytes: Uint8Array; readonly last: boolean }
  /** Whole files of another repository. */
  | { readonly type: 'copied-files'; readonly job: number; readonly files: readonly FileEntry[] }
  | { readonly type: 'copied-piece'; readonly job: number; readonly piece: FilePiece }
  /** Chunks of another repository that names them alike. */
  | { readonly type: 'copied-chunks'; readonly job: number; readonly list: ChunkList }
  /** Seal and store everything that is open. */
  | { readonly type: 'flush'; readonly job: number }
  /** New index tables to ask. */
  | { readonly type: 'tables'; readonly job: number; readonly tables: readonly StoredTable[] }
  /** Throw away what is open and end. */
  | { readonly type: 'stop'; readonly job: number };

export type WorkerReply =
  | { readonly type: 'ready' }
  | {
      readonly type: 'done';
      readonly job: number;
      readonly outcomes: PackedOutcomes;
      readonly extents: Uint8Array;
      readonly newBytes: number;
      readonly newChunks: number;
      readonly chunks: number;
    }
  | { readonly type: 'pack'; readonly stored: StoredPack }
  | { readonly type: 'index-damage'; readonly error: SerializedError }
  | { readonly type: 'failed'; readonly job: number; readonly error: SerializedError };
