/** A repository: made, opened, its roots, snapshots, sessions, annotations, marks, holds and keys. */

export { inspectPlace, mirrorPrefix, type PlaceContent } from './_place.ts';
export { type RollbackEvidence, rolledBack, type SeenRoot } from './_rolled-back.ts';
export { type AnnotateOptions, annotateSnapshot } from './annotate.ts';
export type { Annotated } from './annotations.ts';
export {
  idForSuccessor,
  listRoots,
  type RootChanges,
  replaceRoot,
  rootNumberOf,
  storeCatalogue,
  storeLostPacks,
  storePackList,
} from './collector.ts';
export { copiedExtension, copiedFrom, isId, type SnapshotPlace, withoutCopied } from './copied-from.ts';
export { type CreateOptions, createRepository } from './create.ts';
export { listDamageReports, listReportedPacks, type StoredReport, type WriteReportOptions, writeDamageReport } from './damage-reports.ts';
export {
  type ChangeOptions,
  type Fate,
  type HoldOptions,
  holdSnapshots,
  type MarkOptions,
  markSnapshots,
  releaseSnapshots,
  removeHold,
  unmarkSnapshots,
} from './hold-and-mark.ts';
export { type ChangedKeys, dropOldEpochs, rotateMasterKey, withNewestKeys } from './key-epochs.ts';
export {
  type AddKeyOptions,
  addKey,
  type ChangeKeyOptions,
  changeKey,
  type KeySlotInfo,
  listKeys,
  type RelabelKeyOptions,
  relabelKey,
  removeKey,
} from './key-slots.ts';
export { recoveryDistance, recoveryReach, repositoryDefaults, repositoryLimits } from './limits.ts';
export { collectorName, expectCollector } from './only-collector.ts';
export { type OpenOptions, openRepository, readFormatFile } from './open.ts';
export { madeOf, originOf } from './origin.ts';
export {
  droppable,
  heldSnapshots,
  isHolding,
  type ListRecordsOptions,
  listDroppable,
  listHolds,
  listMarks,
  type StoredHold,
  type StoredMark,
  type StoredRecord,
} from './owner-records.ts';
export { type ProbeOptions, type ProbeResult, probeStorage } from './probe.ts';
export { createRecoveryRoot, isRecoveryRoot, readAllCatalogues, readRootVersion } from './recovery-root.ts';
export {
  attachRepository,
  describeRepository,
  type Repository,
  type RepositoryAccess,
  type RepositoryDescription,
  type RepositoryMode,
} from './repository.ts';
export { resealed, resealOwnersObjects } from './reseal.ts';
export { resolveSnapshot, resolveUnreadable } from './resolve-snapshot.ts';
export { planRevocation, type RevocationPlan, type RevokeOptions, revokeKeys } from './revoke-keys.ts';
export { findRollback, readRootSince, rollbackWarning } from './rollback.ts';
export {
  type LostPacks,
  readLostPacks,
  readMarkedPackList,
  readPackList,
  readRoot,
} from './roots.ts';
export { rememberNewestRoot, withSeenRoot } from './seen-roots.ts';
export {
  beginSession,
  type Checkpoint,
  type CheckpointPlace,
  commitSnapshot,
  isSuperseded,
  listCheckpointPlaces,
  listCheckpoints,
  listIndexTables,
  readCheckpoint,
  type Session,
  type SessionIndexTable,
  writeCheckpoint,
} from './sessions.ts';
export { setCollector } from './set-collector.ts';
export {
  type ListSnapshotsOptions,
  listCommits,
  listSnapshots,
  lowestGeneration,
  readCatalogue,
  readCatalogueRecord,
  readStandingSnapshot,
  type SnapshotFilter,
  type SnapshotInfo,
  type StandingSnapshot,
  standingOf,
} from './snapshots.ts';
export { isSameTopFolder, topFolderExtension, topFolderOf } from './top-folder.ts';
export { lastVerified, listVerifications, type StoredVerification, storeVerification } from './verifications.ts';
