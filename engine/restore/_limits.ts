const KiB = 1024;
const MiB = 1024 * KiB;

/** Every limit of a running restore, in one place. */
export const restoreLimits = {
  /** A batch for a worker ends at this many entries, bytes of content, or stretches of folders. */
  batchEntries: 2_048,
  batchBytes: 16 * MiB,
  batchParts: 96,
  /** … or of leaves of directories that go with it. */
  batchLeafBytes: 256 * KiB,
  /** Batches that are being filled at once, one for each pack that files were found in lately. */
  openBatches: 12,
  /** Batches that a worker may have at once: the one at work and those waiting. */
  batchesPerWorker: 4,
  /** Folders that jobs under way need open. */
  pinnedFolders: 384,
  /** Folders kept open beside them, for the way back up. */
  openFolders: 64,
  /** … and as many of those on each level that this number divides: the way back to a folder is never longer, however deep it is. */
  landingEvery: 64,
  /** Larger files are written by all workers, in segments: two for each, but not smaller or larger than this. Where two of them meet, both need the same blocks of each pack. */
  segmentedFromBytes: 64 * MiB,
  segmentsPerWorker: 2,
  smallestSegmentBytes: 32 * MiB,
  largestSegmentBytes: 128 * MiB,
  /** What so much of a segment needs is read ahead. */
  portionBytes: 32 * MiB,
  segmentedFilesAtOnce: 4,
  /** Larger files are written under another name first, so that none is half there after a crash. */
  temporaryFromBytes: 1 * MiB,
  /** Room of all workers for opened blocks, and of each at least and at most: a block of a file that was changed day by day is needed again after a dozen others. */
  blockArenasBytes: 64 * MiB,
  smallestArenaBytes: 8 * MiB,
  largestArenaBytes: 12 * MiB,
  /** Batches with so many bytes are looked through first for what they need: they need more than one block. */
  expectedFromBytes: 1 * MiB,
  /** Stored bytes that are read at once where block follows block: three blocks of the usual size, of which each has a little more than a MiB. */
  readAheadBytes: 3 * MiB + 64 * KiB,
  /** Stretches of packs that a worker keeps until all of them was asked for, or nothing in so many reads: one for so many bytes of room for opened blocks. */
  arenaBytesPerWindow: 2 * MiB,
  idleReads: 32,
  /** An opened block of which so much was used is not kept longer than others. */
  usedUpShare: 0.75,
  /** Contents of packs that a worker remembers (about 100 KiB each): files that were changed day by day lie in many. */
  openPacks: 12,
  /** Leaves of directories whose entries a worker keeps decoded. */
  decodedLeaves: 4,
  /** Zeros written at once where holes are not wanted. */
  zerosBytes: 256 * KiB,
  /** Packs of which it is remembered which worker had them last. */
  rememberedPacks: 4_096,
  /** Errors that are listed (all are counted). */
  listedErrors: 1_000,
  /** How long the walk may keep the main thread before messages of workers are looked at. */
  walkSliceMs: 4,
  progressIntervalMs: 100,
  /** Threads, if not said otherwise. */
  workers: 8,
} as const;
