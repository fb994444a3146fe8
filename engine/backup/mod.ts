/** Backing up: from files and streams to a snapshot. */
export { backup, type BackupOptions, type BackupResult, type CommonBackupOptions, type ReadError } from './backup.ts';
export type { ExcludeRules } from './excludes.ts';
export type { BackupProgress } from './progress.ts';
