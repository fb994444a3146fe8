/**
 * Offsets and sizes of everything that stands at a fixed place. Each group cites its section.
 */

/** spec/sealed.md, "Header". */
export const sealedLayout = {
  headerSizeBytes: 80,
  magic: 0,
  kind: 6,
  version: 7,
  epoch: 8,
  reserved: 12,
  repositoryId: 16,
  objectId: 32,
  salt: 48,
  saltSizeBytes: 32,
  keySizeBytes: 32,
  lengthFieldSizeBytes: 4,
  tagSizeBytes: 16,
  nonceSizeBytes: 12,
  /** A segment's plaintext has at least one byte. */
  smallestSealedLength: 17,
} as const;

/** spec/sealed.md, "Footer". */
export const footerLayout = {
  sizeBytes: 16,
  offset: 0,
  sealedLength: 8,
  magic: 12,
} as const;

/** spec/index-table.md, "Rows". */
export const packRowLayout = {
  sizeBytes: 32,
  packId: 0,
  kind: 16,
  reserved: 17,
  chunkCount: 20,
  storedSize: 24,
} as const;

/** spec/index-table.md, "Rows". */
export const indexRowLayout = {
  sizeBytes: 36,
  name: 0,
  packOrdinal: 32,
} as const;

/** spec/index-table.md, "Filter". */
export const filterLayout = {
  blockSizeBytes: 64,
  bitsPerRow: 12,
  bitsPerBlock: 512,
  probes: 8,
  probeBits: 9,
  probesOffset: 8,
} as const;

export const sealedMagic = new Uint8Array([0x4c, 0x41, 0x47, 0x41, 0x4e, 0x1a]);
/** "LGAN", read as a little-endian u32. */
export const footerMagic = 0x4e41474c;
export const sealedVersion = 1;
/** Number of the segment that holds the table of contents. */
export const contentsSegmentNumber = 0xffffffff;
