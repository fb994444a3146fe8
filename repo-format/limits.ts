/**
 * Every limit of the format. A decoder checks a length against these, and against what is left, before it allocates.
 * Sizes are bytes unless the name says otherwise. See spec/README.md, "Limits".
 */

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  // sealed
  /** Ciphertext and tag of the only segment of a small object. */
  smallObjectSizeBytes: 64 * MiB,
  rootSizeBytes: 64 * KiB,
  /** Objects outside of the sealed container: format file and key slots. */
  clearObjectSizeBytes: 64 * KiB,
  keyringSizeBytes: 1 * MiB,

  // pack
  dataChunkSizeBytes: 1 * MiB,
  metadataChunkSizeBytes: 16 * MiB,
  blockRawSizeBytes: 32 * MiB,
  /** Encoded block with its prefix: the raw limit, room for 65,536 lengths and for codecs that grow their input. */
  blockPlaintextSizeBytes: 33 * MiB,
  packSizeBytes: 256 * MiB,
  chunksPerBlock: 65_536,
  blocksPerPack: 65_536,
  chunksPerPack: 4 * MiB,
  packContentsSizeBytes: 192 * MiB,

  // index table
  indexRows: 2 ** 32 - 1,
  packRowsPerSegment: 2_048,
  rowsPerPage: 1_024,
  filterSegmentSizeBytes: 64 * KiB,
  indexContentsSizeBytes: 256 * MiB,
  /** Tables of a base index besides the newest. */
  olderTables: 64,
  leftOutPacks: 1_048_576,
  replacedPacks: 1_048_576,
  replacementsPerPack: 65_536,

  // node
  nodeSizeBytes: 16 * MiB,
  /** From the first item of a node to the beginning of the last: a writer ends a node at 64 KiB, whatever the last item adds. */
  nodeItemsSizeBytes: 1 * MiB,
  nodeHeight: 32,
  /** Folders in each other, the top counted. A path has at most `pathSizeBytes`. */
  folderDepth: 4_096,
  nameSizeBytes: 255,
  mode: 0o7777,
  userNameSizeBytes: 1_024,
  symlinkTargetSizeBytes: 64 * KiB,
  /** More packs are not listed in the entry: count 0 sends the reader to the content's nodes. */
  listedPacksPerFile: 4_096,
  inlineExtents: 65_536,
  extensionsPerEntry: 64,
  extensionType: 2 ** 32 - 1,
  extensionSizeBytes: 1 * MiB,
  xattrsPerEntry: 65_536,
  xattrNameSizeBytes: 1_024,
  /** Uid, gid, device numbers, flags and link counts. */
  u32: 2 ** 32 - 1,
  nanoseconds: 999_999_999,

  // records
  cborDepth: 16,
  /** Values in arrays and maps, keys included. */
  cborValues: 8 * MiB,
  textSizeBytes: 64 * KiB,
  pathSizeBytes: 64 * KiB,
  pathsPerSnapshot: 65_536,
  tagsPerSnapshot: 1_024,
  errorsPerSnapshot: 1_000,
  listPacksPerSnapshot: 65_536,
  featuresPerSet: 256,
  epochs: 65_536,
  snapshotsPerRecord: 1_048_576,
  findingsPerReport: 65_536,
  chunksPerRecord: 1_048_576,
  packsPerRecord: 1_048_576,

  // cutting
  smallestHorizonBytes: 64,
  /** Chunks are shorter than three times the grid. */
  gridBytes: Math.floor(MiB / 3),

  // keys
  kdfMemoryKiB: 4 * MiB,
  kdfPasses: 64,
  kdfLanes: 64,
} as const;
