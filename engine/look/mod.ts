/** Looking into snapshots: walking, finding paths, reading files by offset, comparing snapshots, counting. */

export { type Difference, type DiffOptions, diffSnapshots } from './diff.ts';
export { type FindOptions, type FoundEntry, findEntries } from './find.ts';
export { Breather, throwIfInterrupted } from './interruption.ts';
export { type FoundPath, type LookupOptions, lookup } from './lookup.ts';
export { type FileStretch, type OpenedFile, openFile, type StreamOptions } from './open-file.ts';
export type { SnapshotTree } from './snapshot-tree.ts';
export { type RepositoryStatistics, type StatisticsOptions, statistics } from './statistics.ts';
export { type WalkedEntry, type WalkOptions, walkSnapshot } from './walk.ts';
