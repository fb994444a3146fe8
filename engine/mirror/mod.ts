/** Keeping the objects of a repository in a second store as they are. */
export { mirrorRepository } from './mirror.ts';
export type { MirrorOptions, MirrorProblem, MirrorProgress, MirrorResult } from './options.ts';
