/** Every limit of a check. */
const MiB = 1024 * 1024;

export const checkLimits = {
  /** Neighbouring segments are read by one request of about this size. */
  windowSizeBytes: 2 * MiB,
  /** Packs that a worker may have at once: one at work, the others waiting. */
  packsPerWorker: 3,
  /** Windows that a worker fetches while it verifies the one before: a store that is far away is waited for less. */
  windowsAhead: 3,
  /** Packs that one record says are verified, and how often a record is stored. */
  rememberedPacks: 65_536,
  rememberIntervalMs: 5 * 60_000,
  /** How long an interrupted check may take to store what it has verified. */
  lastWordsMs: 2_000,
  /** Rows of the index that are in memory at once (8 bytes each, at most three quarters of the slots in use); more are looked at in several passes. */
  rowsPerPass: 6 * MiB,
  /** Packs in a set of packs that is remembered for a folder; larger sets, of folders near the top, are made anew when they are met again. */
  setPacks: 512,
  /** Opened packs and blocks of nodes (256 KiB) that the walk keeps. */
  openPacks: 64,
  openBlocks: 64,
  /** Findings that are listed, each about one object. */
  findings: 10_000,
  /** Paths that a finding lists, and paths that it counts. */
  listedPaths: 100,
  countedPaths: 65_536,
  /** Bytes that leave garbage behind before it is collected. */
  garbageSizeBytes: 2 * MiB,
  progressIntervalMs: 100,
  concurrentReads: 16,
} as const;
