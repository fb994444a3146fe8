/**
 * The part of the engine that the command line calls, and the types that go with it. The engine is loaded when a command first
 * needs it, so that help, errors of usage and `lagan --version` do without.
 */
import type { BackupOptions, SnapshotId, Time } from '../../engine/mod.ts';

export type {
  BackupResult,
  CheckResult,
  Difference,
  DirectoryEntry,
  Entry,
  EntryType,
  ExcludeRules,
  FileEntry,
  Finding,
  FindOptions,
  FoundEntry,
  KeySlotInfo,
  NewSlot,
  Repository,
  RepositoryStatistics,
  RestoreOptions,
  RestoreResult,
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
  /** Damaged object of the repository. */
  readonly object?: string | undefined;
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
    | 'backupStream'
    | 'restore'
    | 'check'
    | 'walkSnapshot'
    | 'findEntries'
    | 'lookup'
    | 'openFile'
    | 'diffSnapshots'
    | 'statistics'
  > {
  cacheStatus(options: { folder: string }): Promise<CacheStatus>;
  cacheClear(options: {
    folder: string;
    repository?: string;
    dryRun?: boolean;
  }): Promise<{ readonly removedBytes: number; readonly repositories: readonly string[] }>;
  cacheLimit(options: { folder: string; limitBytes: number }): Promise<{ readonly removedBytes: number }>;
}

let loaded: Engine | undefined;

/** Loads the engine. */
export async function loadEngine(): Promise<Engine> {
  loaded ??= (await import('../../engine/mod.ts')) as unknown as Engine;
  return loaded;
}

/** Before the process ends without waiting: takes away its temporary files. */
export function abandonAll(): void {
  loaded?.abandonAll();
}
