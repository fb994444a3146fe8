/**
 * The part of the engine that the command line calls, and the types that go with it. The engine is loaded when a command first
 * needs it, so that help, errors of usage and `lagan --version` do without.
 */
import type { BackupOptions, BackupResult, Repository, SnapshotId, SnapshotInfo, Time } from '../../engine/mod.ts';

export type {
  BackupResult,
  Difference,
  DirectoryEntry,
  Entry,
  EntryType,
  ExcludeRules,
  FileEntry,
  FindOptions,
  FoundEntry,
  KeySlotInfo,
  NewSlot,
  Repository,
  RepositoryStatistics,
  Secret,
  SnapshotFilter,
  SnapshotId,
  SnapshotInfo,
  Storage,
  Time,
  WalkedEntry,
} from '../../engine/mod.ts';

export interface EngineProgress {
  readonly phase: string;
  readonly filesDone: number;
  /** What the scan has seen, where the total is not known beforehand. */
  readonly scannedEntries?: number | undefined;
  readonly filesTotal?: number | undefined;
  readonly bytesDone: number;
  readonly bytesTotal?: number | undefined;
  readonly currentPath?: Uint8Array | undefined;
  readonly newBytes?: number | undefined;
  readonly storedBytes?: number | undefined;
  readonly errors?: number | undefined;
}

export interface PathProblem {
  readonly path: Uint8Array;
  readonly code: string;
  readonly message: string;
}

export interface EngineWarning {
  readonly code: string;
  readonly message: string;
  readonly path?: Uint8Array | undefined;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: EngineProgress) => void) | undefined;
  readonly onWarning?: ((warning: EngineWarning) => void) | undefined;
}

/** What a backup says about its snapshot. */
export type SnapshotLabels = Pick<BackupOptions, 'tags' | 'description' | 'host' | 'compression' | 'time'> & {
  readonly parent: 'auto' | 'none' | SnapshotId;
};

export interface BackupStreamOptions extends RunOptions, SnapshotLabels {
  readonly name: Uint8Array;
  readonly stream: AsyncIterable<Uint8Array>;
  readonly dryRun?: boolean;
}

export interface RestoreOptions extends RunOptions {
  readonly target: Uint8Array;
  /** The folder of the snapshot that becomes the target; default: the top. */
  readonly path?: Uint8Array | undefined;
  /** Only these, with their place below the target; default: all. */
  readonly paths?: readonly Uint8Array[];
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly overwrite: 'always' | 'if-newer' | 'if-changed' | 'never';
  readonly delete?: boolean;
  readonly sparse?: boolean;
  readonly verify?: boolean;
  readonly dryRun?: boolean;
}

export interface RestoreStatistics {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  readonly bytes: number;
  readonly skipped: number;
  readonly deleted: number;
  readonly verified: number;
}

export interface RestoreResult {
  readonly statistics: RestoreStatistics;
  readonly errors: readonly PathProblem[];
  readonly notRestored: ReadonlyMap<string, { readonly count: number; readonly example: Uint8Array; readonly reason: string }>;
}

export interface Finding {
  readonly code: string;
  readonly message: string;
  readonly object?: string | undefined;
  readonly snapshots?: readonly string[] | undefined;
  readonly paths?: readonly Uint8Array[] | undefined;
}

export interface CheckResult {
  readonly errors: readonly Finding[];
  readonly snapshots: number;
  readonly packs: number;
  readonly packsRead: number;
  readonly chunks: number;
  readonly bytesRead: number;
}

export interface CacheStatus {
  readonly folder: string;
  readonly limitBytes: number;
  readonly repositories: readonly { readonly repository: string; readonly sizeBytes: number; readonly lastUsed: Time }[];
}

type Door = typeof import('../../engine/mod.ts');

export interface Engine
  extends Pick<
    Door,
    | 'openStorage'
    | 'abandonAll'
    | 'inspectPlace'
    | 'createRepository'
    | 'openRepository'
    | 'readKeyFile'
    | 'readPasswordFile'
    | 'writeKeyFile'
    | 'parseKeyText'
    | 'newKeyFileSecret'
    | 'keyText'
    | 'parseRecipient'
    | 'publicKeyOf'
    | 'listSnapshots'
    | 'resolveSnapshot'
    | 'annotateSnapshot'
    | 'listKeys'
    | 'addKey'
    | 'removeKey'
    | 'changeKey'
    | 'backup'
    | 'walkSnapshot'
    | 'findEntries'
    | 'lookup'
    | 'openFile'
    | 'diffSnapshots'
    | 'statistics'
  > {
  backupStream(repository: Repository, options: BackupStreamOptions): Promise<BackupResult>;
  restore(repository: Repository, snapshot: SnapshotInfo, options: RestoreOptions): Promise<RestoreResult>;
  check(
    repository: Repository,
    options: { readData: boolean | { percent: number } | { part: readonly [number, number] } } & RunOptions,
  ): Promise<CheckResult>;

  cacheStatus(options: { folder: string }): Promise<CacheStatus>;
  cacheClear(options: {
    folder: string;
    repository?: string;
    dryRun?: boolean;
  }): Promise<{ readonly removedBytes: number; readonly repositories: readonly string[] }>;
  cacheLimit(options: { folder: string; limitBytes: number }): Promise<{ readonly removedBytes: number }>;
}

/** Loads the engine. */
export async function loadEngine(): Promise<Engine> {
  return (await import('../../engine/mod.ts')) as unknown as Engine;
}
