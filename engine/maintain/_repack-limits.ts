/** Limits of repacking, and its policies. */
const MiB = 1024 * 1024;

export const repackLimits = {
  /** Share of the repository that may stay unused, and bytes that are copied at most, if not said otherwise. */
  maxUnused: 0.05,
  maxRepackBytes: 8 * 1024 * MiB,
  /** Packs below this share of the usual size are small; so many of a kind are put together. */
  smallPackShare: 0.25,
  smallPacks: 64,
  /** The newest snapshot of a source is regrouped if restoring it would read so many times what it needs, as far as it can be told from the order of its packs, and so many blocks more. */
  scatteredRatio: 1.3,
  scatteredBlocks: 16,
  /** Packs that a restore reads from at a time without reading anything twice. */
  streams: 4,
  /** Then packs of which it uses a smaller share than this are put in its order. */
  scatteredShare: 0.7,
  /** Room for the filter of names that it has, and bytes of opened blocks when chunks are put in order. */
  newestFilterBytes: 16 * MiB,
  openedBlockBytes: 32 * MiB,
  /** Ids of packs in all entries of replaced packs: who opens the base index reads them. */
  replacingPacks: 128 * 1024,
  /** Chunks that packs which are repacked at once may have (about 60 bytes of memory each). */
  chunks: 512 * 1024,
  /** Room for the filter of names that are needed: 3 bytes for each, or 1.5 where that is too much. With 100 million of them one in eleven of the others is taken for needed. */
  liveFilterBytes: 72 * MiB,
  /** Nodes of trees whose names are remembered (20 bytes each, at most three quarters of the slots in use), so that none is read twice. */
  rememberedNodes: 384 * 1024,
  /** Blocks and packs of metadata that repacking makes. */
  nodeBlockBytes: 256 * 1024,
  nodePackBytes: 16 * MiB,
  /** Index tables of sessions whose packs may be repacked before they are folded. */
  tables: 48,
} as const;
