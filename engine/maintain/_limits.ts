/** Every limit of the collector, and its policies. */
const MiB = 1024 * 1024;

export const maintainLimits = {
  /** Small objects that are read at a time. */
  concurrentReads: 16,
  /** How often a step is begun anew because another collector was faster. */
  attempts: 64,
  /** Roots that are kept. ROOT-7 asks for the highest; those that began within the last two collections find what they refer to. */
  keptRoots: 8,
  /** Stored snapshots up to this size are put into the catalogue, as long as all of them together are not larger than the second. */
  cataloguedSnapshotBytes: 256 * 1024,
  cataloguedBytes: 32 * MiB,
  /** Where all is sealed anew what has its own object and is sealed with an old key has so much room instead; each snapshot takes some more of it (the record may have 64 MiB). */
  resealedSnapshotBytes: 8 * MiB,
  resealedBytes: 60 * MiB,
  bytesPerEntry: 64,
  /** Index tables that are merged at once; more are merged in several rounds. Each takes at least two pages (72 KiB) of memory. */
  mergedTables: 256,
  /** Index tables that are read at once, to find out which are damaged. */
  tablesReadAtOnce: 4,
  /** A table of the base index is merged with what is newer if it has not so many times its rows, or so few, or if so large a part of its rows no longer counts; there are so many at most. */
  baseTableRatio: 8,
  smallTableRows: 256 * 1024,
  unusedRowsPart: 0.25,
  baseTables: 6,
  /** So many index tables of sessions, or snapshots beside the catalogue, are a reason to collect though nothing can be freed. */
  foldedObjects: 16,
  /** So many make a maintenance due by itself, after a backup. */
  dueObjects: 64,
  /** So many make it due even while a backup runs, as one seems to whose last checkpoint is not older than this. */
  urgentObjects: 512,
  runningSeconds: 5 * 60,
  /** So do forgotten snapshots after this time, in which they can still be brought back. */
  dueMarkSeconds: 24 * 3600,
  /** Verifications of packs up to so many are all kept. */
  keptVerifications: 32,
  /** When all is sealed anew, so many collections in which nothing changes mean that the rest cannot be: the third deletes the last root that was there before. */
  idleCollections: 3,
  /** Of what is left then, so many are named. */
  namedObjects: 10,
  /** Names in one call of delete. */
  namesPerDelete: 1_000,
  /** Packs that are reported or lost and there: so many are read in one step, whole (8 GiB with packs of 32 MiB). */
  askedPacks: 256,
  /** Packs that are newly called lost in one collection: the names of their chunks are in memory, some 500 of each. */
  newlyLostPacks: 1024,
  /** Opened packs and blocks of trees and of lists of packs (256 KiB each). */
  openPacks: 64,
  openBlocks: 32,
  /** A checkpoint whose session neither goes on nor is gone on from ends after so many collections, or seconds. That costs uploads, never data. */
  checkpointCollections: 7,
  checkpointSeconds: 30 * 24 * 3600,
} as const;
