/** Maintenance: the collector. It frees what no snapshot needs and folds snapshots and index tables together. */
export { maintenanceIsDue } from './due.ts';
export { maintain } from './maintain.ts';
export type { MaintainOptions, MaintainPhase, MaintainProgress, MaintainResult } from './options.ts';
export { type RecoveredSnapshot, type RecoverOptions, type RecoverResult, recover } from './recover.ts';
export { type RevertedObject, type RevertOptions, type RevertResult, revert } from './revert.ts';
