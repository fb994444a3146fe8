/** Every limit of a copy beside those of a backup. */
export const copyLimits = {
  /** Chunks that are looked for together, where both repositories name them alike: many, so that a worker gets all of a pack at once. */
  windowChunks: 8_192,
  /** Files whose content waits for that, or is under way. */
  windowFiles: 4_096,
  /** Entries that may be read before the tree of the copy has them: more than wait for a window. */
  waitingTokens: 16_384,
  /** Files that are cut anew go to a worker in batches. */
  batchFiles: 256,
  batchBytes: 4 * 1024 * 1024,
  /** A larger file goes to a worker in pieces of this size, so that a checkpoint need not wait for all of it. */
  pieceBytes: 32 * 1024 * 1024,
  /** Pieces under way: one at work, one waiting. */
  piecesAtOnce: 2,
  /** Files with several names whose copy is remembered until the other names are met. */
  linkedFiles: 16_384,
  /** Chunks are taken to have at least so many bytes, to know about how many there are. */
  leastChunkBytes: 16 * 1024,
  /** How often progress is told of. */
  progressIntervalMs: 100,
} as const;

/** Those that a test may lower. */
export type CopyLimits = { readonly [Limit in 'windowChunks' | 'windowFiles' | 'batchFiles' | 'batchBytes' | 'pieceBytes']: number };
