/** Backing up: from files and streams to a snapshot. */
export { backup } from './backup.ts';
export { backupStream, type StreamBackupOptions } from './backup-stream.ts';
export type { ExcludeRules } from './excludes.ts';
export type { BackupOptions, BackupResult, CommonBackupOptions, ReadError } from './options.ts';
export type { BackupProgress } from './progress.ts';
