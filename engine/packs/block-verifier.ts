import {
  type Block,
  type Codec,
  decodeBlock,
  expectBlock,
  LaganError,
  limits,
  type PackBlock,
  type PackKind,
} from '../../repo-format/mod.ts';
import { createKernel, type Kernel, type KernelOptions } from '../kernel/mod.ts';
import { decompressPayload } from './compression.ts';

const nameSizeBytes = 32;
/** In the kernel's data area: names that were computed, then the block. */
const rawOffset = limits.chunksPerBlock * nameSizeBytes;
/** One byte more than a block can have: the decompressor notices by it that there is more. */
const areaBytes = rawOffset + limits.blockRawSizeBytes + 64;

/** A block whose chunks have the names that its pack gives them. Views, valid until the next one is verified. */
export interface VerifiedBlock {
  readonly codec: Codec;
  readonly rawLength: number;
  /** As it was stored. */
  readonly payload: Uint8Array;
  readonly raw: Uint8Array;
}

/** A block with the lengths and names of its chunks. */
export interface NamedBlock extends VerifiedBlock {
  readonly chunkLengths: Uint32Array;
  /** 32 bytes each. */
  readonly names: Uint8Array;
}

/** Decompresses opened blocks, and computes the name of every chunk anew from its bytes, in a kernel of its own. */
export class BlockVerifier {
  readonly #kernel: Kernel;
  readonly #ranges = new Uint32Array(2 * limits.chunksPerBlock);

  constructor(options: Omit<KernelOptions, 'dataSizeBytes'>) {
    this.#kernel = createKernel({ ...options, dataSizeBytes: areaBytes });
  }

  /** `block` is what the pack's contents say. Errors: malformed, name-mismatch, and those of a payload that does not decompress. */
  verify(plaintext: Uint8Array, block: PackBlock, { kind, objectName }: { kind: PackKind; objectName: string }): VerifiedBlock {
    const decoded = decodeBlock(plaintext, objectName, kind);
    expectBlock(decoded, block, objectName);
    const verified = this.#decompress(decoded, objectName);
    if (Buffer.compare(this.#namesOf(block.chunkLengths, kind), block.names) === 0) return verified;
    const message = `${objectName}: the chunks of the block at offset ${block.offset} are not those that their names promise`;
    throw new LaganError('name-mismatch', message, { object: objectName, offset: block.offset });
  }

  /** The same for a block of a pack whose contents are lost: the names of its chunks are what their bytes say. Errors: malformed, and those of a payload that does not decompress. */
  nameAnew(plaintext: Uint8Array, { kind, objectName }: { kind: PackKind; objectName: string }): NamedBlock {
    const decoded = decodeBlock(plaintext, objectName, kind);
    const verified = this.#decompress(decoded, objectName);
    const chunkLengths = Uint32Array.from(decoded.chunkLengths);
    return { ...verified, chunkLengths, names: this.#namesOf(chunkLengths, kind).slice() };
  }

  #decompress({ codec, rawLength, payload }: Block, objectName: string): VerifiedBlock {
    const area = this.#kernel.data.subarray(rawOffset);
    const raw = decompressPayload(payload, { codec, rawLength, objectName, into: area });
    if (raw.buffer !== area.buffer) area.set(raw);
    return { codec, rawLength, payload, raw: area.subarray(0, rawLength) };
  }

  /** The names of chunks that lie one after another in the kernel's data area. A view. */
  #namesOf(chunkLengths: Uint32Array, kind: PackKind): Uint8Array {
    const ranges = this.#ranges.subarray(0, 2 * chunkLengths.length);
    let at = rawOffset;
    for (let chunk = 0; chunk < chunkLengths.length; chunk++) {
      ranges[2 * chunk] = at;
      ranges[2 * chunk + 1] = chunkLengths[chunk]!;
      at += chunkLengths[chunk]!;
    }
    if (kind === 'pack') this.#kernel.nameMany(ranges, 0);
    else this.#kernel.metadataNameMany(ranges, 0);
    return this.#kernel.data.subarray(0, chunkLengths.length * nameSizeBytes);
  }
}
