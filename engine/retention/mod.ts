/** Which snapshots to keep: rules, groups, the plan that follows from them, and forgetting by it. */
export { type ForgetResult, forgetSnapshots } from './forget.ts';
export type { GroupKey, RetentionGroupValues } from './group.ts';
export { type KeepReason, type PlannedGroup, type PlannedSnapshot, type PlanOptions, planRetention } from './plan.ts';
export {
  type KeepCount,
  type KeepDuration,
  type KeepRule,
  parseKeepCount,
  parseKeepDuration,
  parseTimeZone,
  periods,
  type RetentionPolicy,
  type SnapshotPeriod,
} from './policy.ts';
export { type RetentionSnapshot, type RetentionSource, retentionSnapshotOf } from './snapshot.ts';
