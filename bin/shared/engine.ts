/**
 * The part of the engine that the command line calls, and the types that go with it. The engine is loaded when a command first
 * needs it, so that help, errors of usage and `lagan --version` do without.
 */
import type { BackupOptions, SnapshotId } from '../../engine/mod.ts';

export type {
  BackupResult,
  CacheOptions,
  ChangedKeys,
  CheckResult,
  CopiedSnapshot,
  Difference,
  DirectoryEntry,
  Entry,
  EntryType,
  ExcludeRules,
  Fate,
  FileEntry,
  Finding,
  FindOptions,
  FoundEntry,
  GivenContent,
  GivenEntry,
  GivenFields,
  ImportedFrom,
  ImportedLabels,
  KeepReason,
  KeySlotInfo,
  LockResult,
  LockStatus,
  Loss,
  MaintainResult,
  MirrorProblem,
  MirrorResult,
  NewSlot,
  OldEpochUse,
  OldVersions,
  OpenedFile,
  PlannedGroup,
  PlannedSnapshot,
  ProbeResult,
  RecoveredSnapshot,
  RecoverResult,
  RemovedEntry,
  RepairedSnapshot,
  RepairResult,
  Repository,
  RepositoryStatistics,
  RestoreOptions,
  RestoreResult,
  RetentionPolicy,
  RetentionSource,
  RevertedObject,
  RevertResult,
  RevocationPlan,
  RewriteEpochsResult,
  RewriteResult,
  SalvagedPack,
  Secret,
  Snapshot,
  SnapshotFilter,
  SnapshotId,
  SnapshotInfo,
  Storage,
  StoredHold,
  Time,
  TransferRates,
  WalkedEntry,
} from '../../engine/mod.ts';

export type Engine = Pick<
  typeof import('../../engine/mod.ts'),
  | 'abandonAll'
  | 'addKey'
  | 'annotateSnapshot'
  | 'backup'
  | 'backupEntries'
  | 'backupStream'
  | 'cacheClear'
  | 'cacheLimit'
  | 'cacheStatus'
  | 'changeKey'
  | 'check'
  | 'collectorName'
  | 'copySnapshots'
  | 'createRepository'
  | 'diffSnapshots'
  | 'endProcess'
  | 'findEntries'
  | 'forgetSnapshots'
  | 'heldSnapshots'
  | 'holdSnapshots'
  | 'importedFrom'
  | 'inspectPlace'
  | 'isHolding'
  | 'keyText'
  | 'keyWords'
  | 'listHolds'
  | 'listKeys'
  | 'listSnapshots'
  | 'lockStatus'
  | 'locksHoldUntilMs'
  | 'lookup'
  | 'maintain'
  | 'maintenanceIsDue'
  | 'mirrorRepository'
  | 'newIdentity'
  | 'newKeyFileSecret'
  | 'oldEpochUse'
  | 'openFile'
  | 'openRepository'
  | 'openStorage'
  | 'parseKeepCount'
  | 'parseKeepDuration'
  | 'parseKeyText'
  | 'parseRecipient'
  | 'parseTimeZone'
  | 'pastOf'
  | 'planRetention'
  | 'planRevocation'
  | 'probeStorage'
  | 'publicKeyOf'
  | 'readKeyFile'
  | 'readPasswordFile'
  | 'recipientText'
  | 'recover'
  | 'releaseSnapshots'
  | 'rememberNewestRoot'
  | 'repair'
  | 'removeHold'
  | 'removeKey'
  | 'resolveSnapshot'
  | 'resolveUnreadable'
  | 'restore'
  | 'retentionSnapshotOf'
  | 'revert'
  | 'retireEpochs'
  | 'revokeKeys'
  | 'rewriteEpochs'
  | 'rewriteSnapshot'
  | 'rotateMasterKey'
  | 'secretsInText'
  | 'setCollector'
  | 'statistics'
  | 'unmarkSnapshots'
  | 'walkSnapshot'
  | 'withCache'
  | 'rollbackWarning'
  | 'withSeenRoot'
  | 'writeKeyFile'
>;

/** What the progress of every long call has; each call knows some of it. */
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

/** A file that could not be read or restored as it should. */
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
export type SnapshotLabels = Pick<BackupOptions, 'tags' | 'description' | 'host' | 'compression' | 'verifyAll' | 'time'> & {
  readonly parent: 'auto' | 'none' | SnapshotId;
};

let loaded: Engine | undefined;

/** Loads the engine. */
export async function loadEngine(): Promise<Engine> {
  loaded ??= await import('../../engine/mod.ts');
  return loaded;
}

/** Before the process ends without waiting: takes away its temporary files. */
export function abandonAll(): void {
  loaded?.abandonAll();
}

/** Ends the process, also while threads of the engine are at work, or after something was broken off. */
export async function endProcess(exitCode: number, options: { readonly isBrokenOff: boolean }): Promise<never> {
  const engine = options.isBrokenOff ? await loadEngine() : loaded;
  engine?.endProcess(exitCode, options);
  process.exit(exitCode);
}
