/** How far a backup is. The total is not known beforehand: `files` and `bytes` are those that are done, `scannedFiles` those that were seen. */
export interface BackupProgress {
  readonly phase: 'backup';
  readonly filesDone: number;
  readonly bytesDone: number;
  readonly scannedEntries: number;
  /** Absolute path, raw bytes, of what the scan is at. */
  readonly currentPath: Uint8Array;
  readonly newBytes: number;
  readonly storedBytes: number;
  readonly errors: number;
}
