/** Maintenance: the collector. It frees what no snapshot needs and folds snapshots and index tables together. */

export type { LockResult, MaintainWarning } from './_keep-locks.ts';
export type { OldVersions } from './_old-versions.ts';
export { locksHoldUntilMs } from './_retention-locks.ts';
export { maintenanceIsDue } from './due.ts';
export { type LockedKind, type LockedObjects, type LockStatus, lockStatus } from './lock-status.ts';
export { maintain } from './maintain.ts';
export type { MaintainOptions, MaintainPhase, MaintainProgress, MaintainResult } from './options.ts';
export { type RecoveredSnapshot, type RecoverOptions, type RecoverResult, recover } from './recover.ts';
export { type RevertedObject, type RevertOptions, type RevertResult, revert } from './revert.ts';
export {
  type OldEpochUse,
  oldEpochUse,
  type RewriteEpochsOptions,
  type RewriteEpochsResult,
  retireEpochs,
  rewriteEpochs,
} from './rewrite-epochs.ts';
