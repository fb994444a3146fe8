/** Restoring: from a snapshot to files. */
export type {
  LossKind,
  NotRestored,
  OverwritePolicy,
  RestoreFault,
  RestoreOptions,
  RestoreProgress,
  RestoreResult,
  RestoreStatistics,
} from './options.ts';
export { restore } from './restore.ts';
