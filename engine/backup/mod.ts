/** Backing up: from files and streams to a snapshot; and from a snapshot to one without some of its paths. */

// For engine/copy: what a session of writing is made of.
export { Assembler, type AssemblyCounts } from './_assembler.ts';
export { stretchesOfContent } from './_content-stretches.ts';
export type { ContentTree } from './_content-tree.ts';
export type { CopyDispatcher } from './_copy-dispatcher.ts';
export { importedFrom } from './_imported.ts';
export { type BackupLimits, backupLimits } from './_limits.ts';
export { isPassed } from './_passed.ts';
export { BackupSession, type StoredTree } from './_session.ts';
export { TokenQueue } from './_token-queue.ts';
export type { Token } from './_tokens.ts';
export { WantedNames } from './_wanted-names.ts';
export { backup } from './backup.ts';
export { backupEntries, type EntriesBackupOptions, type GivenContent, type GivenEntry, type GivenFields } from './backup-entries.ts';
export { backupStream, type StreamBackupOptions } from './backup-stream.ts';
export type { ExcludeRules } from './excludes.ts';
export type { BackupOptions, BackupResult, CommonBackupOptions, ImportedFrom, ImportedLabels, ParentChoice, ReadError } from './options.ts';
export type { BackupProgress } from './progress.ts';
export { type RemovedCounts, type RemovedEntry, type RewriteOptions, type RewriteResult, rewriteSnapshot } from './rewrite.ts';
