/**
 * Lagan as a library: a deduplicating, encrypting backup engine. The command line uses this door alone.
 *
 * What the world does is a `LaganError` with a stable `code` (`errorTable` lists them all); bad arguments are TypeError or RangeError. Long
 * calls take `signal`: when it is aborted they reject with `interrupted` and leave nothing half done. Sizes are in bytes, names and paths of files are
 * raw bytes (Uint8Array), times are seconds and nanoseconds since 1970 unless a Date is asked for.
 */

// The values of the format that these calls take and give.
export {
  type Configuration,
  type Content,
  type DirectoryEntry,
  type Entry,
  type EntryType,
  type ErrorCode,
  type Extensions,
  type Extent,
  errorTable,
  exitCodeOf,
  type FileEntry,
  isLaganError,
  LaganError,
  type NodeReference,
  type PackId,
  type Snapshot,
  type SnapshotId,
  type SnapshotStatistics,
  type Time,
} from '../repo-format/mod.ts';
// Backing up.
export {
  type BackupOptions,
  type BackupProgress,
  type BackupResult,
  backup,
  backupEntries,
  backupStream,
  type CommonBackupOptions,
  type EntriesBackupOptions,
  type ExcludeRules,
  type GivenContent,
  type GivenEntry,
  type GivenFields,
  type ImportedFrom,
  type ImportedLabels,
  importedFrom,
  type ParentChoice,
  type ReadError,
  type RemovedEntry,
  type RewriteOptions,
  type RewriteResult,
  rewriteSnapshot,
  type StreamBackupOptions,
} from './backup/mod.ts';
// What is kept on this machine of repositories that are far away.
export { type CacheOptions, type CacheStatus, cacheClear, cachedStorage, cacheLimit, cacheStatus, withCache } from './cache/mod.ts';
// Looking for damage.
export {
  type CheckOptions,
  type CheckProgress,
  type CheckResult,
  check,
  type Finding,
  type FindingCode,
  type ReadData,
} from './check/mod.ts';
// Copying snapshots into other repositories.
export { type CopiedSnapshot, type CopyOptions, type CopyProgress, type CopyResult, copySnapshots } from './copy/mod.ts';
// Passwords, key files, recovery keys, identities.
export {
  type Identity,
  keyFileText,
  keyText,
  keyWords,
  type NewSlot,
  newIdentity,
  newKeyFileSecret,
  type PasswordCost,
  parseKeyText,
  parseRecipient,
  parseSecretText,
  publicKeyOf,
  type ReadKeyFile,
  readKeyFile,
  readPasswordFile,
  recipientText,
  type Secret,
  secretsInText,
  writeKeyFile,
} from './keys/mod.ts';
// Looking into snapshots.
export {
  type Difference,
  type DiffOptions,
  diffSnapshots,
  type FileStretch,
  type FindOptions,
  type FoundEntry,
  type FoundPath,
  findEntries,
  type LookupOptions,
  lookup,
  type OpenedFile,
  openFile,
  type RepositoryStatistics,
  type SnapshotTree,
  type StatisticsOptions,
  type StreamOptions,
  statistics,
  type WalkedEntry,
  type WalkOptions,
  walkSnapshot,
} from './look/mod.ts';
// Freeing what no snapshot needs.
export {
  type LockedObjects,
  type LockResult,
  type LockStatus,
  lockStatus,
  locksHoldUntilMs,
  type MaintainOptions,
  type MaintainPhase,
  type MaintainProgress,
  type MaintainResult,
  type MaintainWarning,
  maintain,
  maintenanceIsDue,
  type OldEpochUse,
  type OldVersions,
  oldEpochUse,
  type RecoveredSnapshot,
  type RecoverOptions,
  type RecoverResult,
  type RevertedObject,
  type RevertOptions,
  type RevertResult,
  type RewriteEpochsOptions,
  type RewriteEpochsResult,
  recover,
  retireEpochs,
  revert,
  rewriteEpochs,
} from './maintain/mod.ts';
// Keeping a second store at the state of a repository.
export { type MirrorOptions, type MirrorProblem, type MirrorProgress, type MirrorResult, mirrorRepository } from './mirror/mod.ts';
export { type Compression, parseCompression } from './packs/mod.ts';
// Mending what is damaged.
export { type Loss, type RepairedSnapshot, type RepairOptions, type RepairResult, repair, type SalvagedPack } from './repair/mod.ts';
// Repositories, their snapshots and their keys.
export {
  type Annotated,
  type AnnotateOptions,
  addKey,
  annotateSnapshot,
  type ChangedKeys,
  type CreateOptions,
  changeKey,
  collectorName,
  createRepository,
  expectCollector,
  type Fate,
  heldSnapshots,
  holdSnapshots,
  inspectPlace,
  isHolding,
  type KeySlotInfo,
  type ListSnapshotsOptions,
  listHolds,
  listKeys,
  listSnapshots,
  type OpenOptions,
  openRepository,
  originOf,
  type PlaceContent,
  type ProbeOptions,
  type ProbeResult,
  planRevocation,
  probeStorage,
  type Repository,
  type RepositoryMode,
  type RevocationPlan,
  type RevokeOptions,
  releaseSnapshots,
  rememberNewestRoot,
  removeHold,
  removeKey,
  resolveSnapshot,
  resolveUnreadable,
  revokeKeys,
  rollbackWarning,
  rotateMasterKey,
  type SnapshotFilter,
  type SnapshotInfo,
  type StoredHold,
  setCollector,
  unmarkSnapshots,
  withSeenRoot,
} from './repository/mod.ts';
// Restoring.
export {
  type LossKind,
  type NotRestored,
  type OverwritePolicy,
  type RestoreFault,
  type RestoreOptions,
  type RestoreProgress,
  type RestoreResult,
  type RestoreStatistics,
  restore,
} from './restore/mod.ts';
// Which snapshots to keep.
export {
  type ForgetResult,
  forgetSnapshots,
  type GroupKey,
  type KeepReason,
  type PlannedGroup,
  type PlannedSnapshot,
  type PlanOptions,
  parseKeepCount,
  parseKeepDuration,
  parseTimeZone,
  planRetention,
  type RetentionGroupValues,
  type RetentionPolicy,
  type RetentionSource,
  retentionSnapshotOf,
} from './retention/mod.ts';
// Where a repository is kept.
export {
  abandonAll,
  type OpenStorageOptions,
  openStorage,
  pastOf,
  type Storage,
  type StorageDescription,
  type TransferRates,
} from './storage/mod.ts';
// The process.
export { endProcess } from './workers/mod.ts';
