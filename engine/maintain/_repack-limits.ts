/** Limits of repacking, and its policies. */
const MiB = 1024 * 1024;

export const repackLimits = {
  /** Share of the repository that may stay unused, and bytes that are copied at most, if not said otherwise. */
  maxUnused: 0.05,
  maxRepackBytes: 8 * 1024 * MiB,
  /** Packs below this size are small; so many of a kind are put together. */
  smallPackBytes: 8 * MiB,
  smallPacks: 64,
  /** Chunks that packs which are repacked at once may have (about 60 bytes of memory each). */
  chunks: 512 * 1024,
  /** Room for the filter of names that are needed: 3 bytes for each, or 1.5 where that is too much. */
  liveFilterBytes: 128 * MiB,
  /** Nodes of trees whose names are remembered (20 bytes each, at most three quarters of the slots in use), so that none is read twice. */
  rememberedNodes: 768 * 1024,
  /** Opened packs and blocks of trees (256 KiB each). */
  openPacks: 64,
  openBlocks: 32,
  /** Stored bytes that are read at once where block follows block. */
  readAheadBytes: 4 * MiB,
  /** Blocks and packs of metadata that repacking makes. */
  nodeBlockBytes: 256 * 1024,
  nodePackBytes: 16 * MiB,
  /** Index tables of sessions whose packs may be repacked before they are folded. */
  tables: 48,
} as const;
