/** Every limit of the cache. */
const MiB = 1024 * 1024;

export const cacheLimits = {
  /** Size of the cache of all repositories together, if nobody says otherwise. */
  defaultSizeBytes: 1024 * MiB,
  /** When it is full, files are deleted down to this share of the limit. */
  lowWaterShare: 0.9,
  /** Larger answers are not kept. */
  itemSizeBytes: 8 * MiB,
  /** Parts of packs that wait in memory until it is known whether the pack holds metadata. */
  undecidedSizeBytes: 4 * MiB,
  /** What is fetched at once where someone reads on, and how much of that is kept in memory. */
  readAheadBytes: 4 * MiB,
  readAheadMemoryBytes: 24 * MiB,
  /** Bytes of an object that are kept while it is written; of a larger one nothing is cached before it is read. */
  writtenSizeBytes: 16 * MiB,
  /** A file that was used is marked as used, at most this often. */
  touchIntervalMs: 10 * 60 * 1000,
  /** Temporary files older than this belong to nobody. */
  litterAgeMs: 24 * 60 * 60 * 1000,
} as const;
