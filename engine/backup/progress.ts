/** How far a backup is. The total is not known beforehand; the parent snapshot's is a guess. */
export interface BackupProgress {
  readonly phase: 'backup';
  readonly filesDone: number;
  readonly bytesDone: number;
  /** Of the parent snapshot: about what there will be. Undefined without one. */
  readonly filesTotal?: number | undefined;
  readonly bytesTotal?: number | undefined;
  readonly scannedEntries: number;
  /** Absolute path, raw bytes, of what the scan is at. */
  readonly currentPath: Uint8Array;
  readonly newBytes: number;
  readonly storedBytes: number;
  readonly errors: number;
}
