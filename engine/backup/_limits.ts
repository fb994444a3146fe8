/** Every limit of a running backup, in one place. */
export const backupLimits = {
  /** Bytes read from a file at once: what is scanned next is then still in the processor's cache. */
  readSizeBytes: 512 * 1024,
  /** Chunks in a block: more are possible in the format, but small blocks of tiny files restore faster. */
  chunksPerBlock: 16_384,
  /** One block in so many is verified before it is stored, if not all are. */
  verifiedShare: 8,
  /** Rows of the table of chunks in flight (20 bytes each). */
  chunkTableRows: 1 << 18,
  /** A batch of small files for a worker ends at this many files or bytes. */
  batchFiles: 96,
  batchBytes: 2 * 1024 * 1024,
  /** Batches that a worker may have at once: one at work, one waiting. */
  batchesPerWorker: 3,
  /** Larger files are cut by several workers, in segments of this size. */
  segmentSizeBytes: 32 * 1024 * 1024,
  /** Stretches of data and holes of a sparse file that a worker gets at once. */
  stretchesPerJob: 1_024,
  /** What the scan may be ahead of the assembly. */
  waitingTokens: 1_024,
  /** Bytes of an extent list that stay in a file's entry; longer ones get a tree of their own. */
  inlineExtents: 16,
  /** Entries of an unchanged directory that wait for the first change before nodes are built; of all open directories together. */
  heldEntries: 1_024,
  heldEntriesOfAll: 16_384,
  /** Files with several names whose content is remembered until the other names are met. */
  linkedFiles: 16_384,
  /** Checkpoints of interrupted backups that one is compared with. */
  comparedCheckpoints: 2,
  /** Sessions of one backup: it begins another one when the collector has passed it. */
  sessions: 1_000,
  checkpointNewBytes: 1024 * 1024 * 1024,
  checkpointIntervalMs: 60_000,
  /** Bytes of a stream since its last checkpoint that are kept in memory, as nobody can read them again; with so many a checkpoint is due. */
  retainedStreamBytes: 128 * 1024 * 1024,
  /** How long a stream waits for a collection that is deciding about packs that it needs, and how often it looks. */
  decisionPatienceMs: 10 * 60_000,
  decisionPollMs: 250,
  /** Entries of an archive that are sorted in memory; more of them wait in a temporary file. */
  sortedEntriesBytes: 64 * 1024 * 1024,
  /** Files of an archive whose content is on its way to the worker, and bytes of them. */
  filesUnderWay: 128,
  pieceBytesUnderWay: 4 * 1024 * 1024,
  /** Errors that the snapshot lists by path (all are counted). */
  listedErrors: 1_000,
  /** Packs of a worker that are on their way to the store while it fills another: with one the line is idle whenever the workers wait for answers at the same time. */
  packsAhead: 2,
  /** Bytes of packs that may be in memory, filled or on their way to a store that is far away. With many workers each waits until its pack is stored. */
  packMemoryBytes: 256 * 1024 * 1024,
  /** Index tables that are opened at the same time when a session begins. */
  tablesOpenedAtOnce: 6,
  /** Tables of one level that a session has before they are merged. */
  tablesPerLevel: 8,
  /** How often it is looked whether a checkpoint is due while a large file is stored. */
  largeFilePollMs: 500,
  /** How long workers may take to clean up when a backup ends: one that hangs in a call of the system is not waited for. */
  stopTimeoutMs: 700,
  /** Files that changed so short a time ago are read that much later: ticks of the kernel's clock are up to 10 ms. */
  clockTickMs: 20,
  /** How long the scan may keep the main thread before messages of workers are looked at. */
  scanSliceMs: 4,
} as const;

/** Those that a test may lower. */
export type BackupLimits = {
  readonly [Limit in
    | 'batchFiles'
    | 'segmentSizeBytes'
    | 'stretchesPerJob'
    | 'waitingTokens'
    | 'inlineExtents'
    | 'heldEntries'
    | 'heldEntriesOfAll'
    | 'linkedFiles'
    | 'chunkTableRows'
    | 'checkpointNewBytes'
    | 'checkpointIntervalMs'
    | 'largeFilePollMs'
    | 'retainedStreamBytes'
    | 'decisionPatienceMs'
    | 'sessions']: number;
};
