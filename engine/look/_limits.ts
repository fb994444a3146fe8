/** Every limit of looking into snapshots. */
const KiB = 1024;

export const lookLimits = {
  /** Packs whose contents stay in memory, for each repository. */
  openPacks: 64,
  /** Opened blocks that stay in memory (of about 1 MiB, blocks of nodes 256 KiB), for each repository. */
  openBlocks: 24,
  /** Blocks that a stream fetches ahead. */
  blocksAhead: 4,
  /** Chunks that a stream locates ahead. */
  chunksAhead: 256,
  /** Bytes of a hole that a stream gives at once. */
  zerosSizeBytes: 256 * KiB,
  /** Most bytes of one read of a file. */
  readSizeBytes: 512 * KiB * KiB,
  /** Folders of which a search over several snapshots remembers that nothing in them fits. */
  rememberedFolders: 65_536,
  /** Packs whose contents are read at the same time. */
  concurrentReads: 16,
} as const;
