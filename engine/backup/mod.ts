/** Backing up: from files and streams to a snapshot; and from a snapshot to one without some of its paths. */
export { importedFrom } from './_imported.ts';
export { isPassed } from './_passed.ts';
export { BackupSession, type StoredTree } from './_session.ts';
export { backup } from './backup.ts';
export { backupEntries, type EntriesBackupOptions, type GivenContent, type GivenEntry, type GivenFields } from './backup-entries.ts';
export { backupStream, type StreamBackupOptions } from './backup-stream.ts';
export type { ExcludeRules } from './excludes.ts';
export type { BackupOptions, BackupResult, CommonBackupOptions, ImportedFrom, ImportedLabels, ReadError } from './options.ts';
export type { BackupProgress } from './progress.ts';
export { originOf, type RemovedCounts, type RemovedEntry, type RewriteOptions, type RewriteResult, rewriteSnapshot } from './rewrite.ts';
