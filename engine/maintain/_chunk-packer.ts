import type { Codec, PackId, PackKind } from '../../repo-format/mod.ts';
import type { SealingKeys } from '../objects/mod.ts';
import { BlockCompressor, PackWriter, type StoredPack } from '../packs/mod.ts';
import type { Storage } from '../storage/mod.ts';

const nameSizeBytes = 32;

/** A chunk that is copied. */
export interface CopiedChunk {
  readonly name: Uint8Array;
  readonly bytes: Uint8Array;
  /** Whether its block was compressed: then its new one is, too. */
  readonly wasCompressed: boolean;
}

/** A whole block as it was stored. */
export interface CopiedBlock {
  readonly codec: Codec;
  readonly rawLength: number;
  readonly chunkLengths: Uint32Array;
  readonly names: Uint8Array;
  readonly payload: Uint8Array;
}

/** Writes chunks of one kind into packs of the collector, in the order in which they come. */
export class ChunkPacker {
  /** The packs that are whole and durable. */
  readonly stored: StoredPack[] = [];
  readonly #options: { storage: Storage; keys: SealingKeys; kind: PackKind; blockSizeBytes: number; packSizeBytes: number };
  readonly #compressor = new BlockCompressor('zstd:3');
  #writer: PackWriter;
  #block = new Uint8Array(0);
  #blockLength = 0;
  #lengths: number[] = [];
  #names: Uint8Array[] = [];
  #isCompressed = false;

  constructor(options: { storage: Storage; keys: SealingKeys; kind: PackKind; blockSizeBytes: number; packSizeBytes: number }) {
    this.#options = options;
    this.#writer = this.#newWriter();
  }

  /** Adds a chunk, whose bytes are copied; returns its pack. */
  async add({ name, bytes, wasCompressed }: CopiedChunk): Promise<PackId> {
    const { pack } = this.#writer;
    this.#makeRoom(bytes.length);
    this.#block.set(bytes, this.#blockLength);
    this.#blockLength += bytes.length;
    this.#lengths.push(bytes.length);
    this.#names.push(name.slice());
    this.#isCompressed ||= wasCompressed;
    if (this.#blockLength >= this.#options.blockSizeBytes) await this.#closeBlock();
    return pack;
  }

  /** Whether a block of that size may be stored as it is, without leaving the open one much too small. */
  takesBlock(rawLength: number): boolean {
    return this.#blockLength === 0 || 2 * rawLength >= this.#options.blockSizeBytes;
  }

  /** Adds a block as it is, behind what is open; returns its pack. */
  async addBlock({ codec, chunkLengths, names, payload }: CopiedBlock): Promise<PackId> {
    await this.#closeBlock();
    const { pack } = this.#writer;
    await this.#writer.write({ codec, chunkLengths, names: names.slice(), payload });
    await this.#closeIfFull();
    return pack;
  }

  /** Stores all that is open. */
  async finish(): Promise<void> {
    await this.#closeBlock();
    await this.#closePack();
  }

  async abort(): Promise<void> {
    await this.#writer.abort();
  }

  async #closeBlock(): Promise<void> {
    if (this.#blockLength === 0) return;
    const raw = this.#block.subarray(0, this.#blockLength);
    const isCompressed = this.#isCompressed;
    const encoded = isCompressed ? this.#compressor.compress(raw, () => false) : ({ codec: 'raw', payload: raw } as const);
    await this.#writer.write({
      ...encoded,
      chunkLengths: Uint32Array.from(this.#lengths),
      names: Buffer.concat(this.#names, this.#names.length * nameSizeBytes),
    });
    this.#blockLength = 0;
    this.#lengths = [];
    this.#names = [];
    this.#isCompressed = false;
    await this.#closeIfFull();
  }

  async #closeIfFull(): Promise<void> {
    if (this.#writer.sizeBytes >= this.#options.packSizeBytes) await this.#closePack();
  }

  async #closePack(): Promise<void> {
    const stored = await this.#writer.close();
    if (stored === undefined) return;
    this.stored.push(stored);
    this.#writer = this.#newWriter();
  }

  #makeRoom(length: number): void {
    if (this.#blockLength + length <= this.#block.length) return;
    const larger = new Uint8Array(2 * (this.#blockLength + length));
    larger.set(this.#block.subarray(0, this.#blockLength));
    this.#block = larger;
  }

  #newWriter(): PackWriter {
    const { storage, keys, kind } = this.#options;
    return new PackWriter({ storage, keys, kind, role: 'collector' });
  }
}
