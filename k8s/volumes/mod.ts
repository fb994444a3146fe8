/** One volume, here and now: into a snapshot and back. Knows nothing of clusters and their resources: those who do say which volume it is and where. */

export { type ClaimTimes, claimTimes } from './_claim.ts';
export { halfRestored, type Mark, readMark } from './_mark.ts';
export { backUpVolume, type VolumeBackupOptions } from './back-up.ts';
export { isFilled } from './filled.ts';
export { parentOf, snapshotsOf, sourceOf } from './parent.ts';
export { recordOf, type VolumeRecord } from './record.ts';
export { type EmptyVolumeRestoreOptions, restoreEmptyVolume, restoreVolume, type VolumeRestoreOptions } from './restore.ts';
export { type RetainOptions, retainVolume } from './retain.ts';
export type { VolumeIdentity, VolumeManifest, VolumePlace, VolumeRestoreResult } from './volume.ts';
