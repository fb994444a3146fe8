/** Packs: writing blocks of chunks into them, reading chunks back. */
export { BlockVerifier, type NamedBlock, type VerifiedBlock } from './block-verifier.ts';
export { BlockCompressor, type Compression, decompressPayload, parseCompression } from './compression.ts';
export { isDamage } from './damage.ts';
export {
  type ChunkPlace,
  locateChunk,
  type MovedChunks,
  type OpenBlock,
  type OpenPack,
  openBlockPlaintext,
  PackReader,
} from './pack-reader.ts';
export { type EncodedBlock, PackWriter, type StoredPack } from './pack-writer.ts';
export { listPresentPacks } from './present-packs.ts';
export { type PackedBlock, VerifiedBlocks } from './verified-blocks.ts';
