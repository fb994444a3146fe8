/** Copying snapshots between repositories. */
export { copySnapshots } from './copy.ts';
export type { CopiedSnapshot, CopyOptions, CopyProgress, CopyResult } from './options.ts';
