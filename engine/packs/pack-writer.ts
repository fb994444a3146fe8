import { randomBytes } from 'node:crypto';
import {
  type Codec,
  encodeBlockPrefix,
  encodePackContents,
  idFromBytes,
  objectNames,
  type PackBlock,
  type PackId,
  type PackKind,
} from '../../repo-format/mod.ts';
import { type SealingKeys, SegmentedObjectWriter } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';

/** A pack that is whole and durable in the store. */
export interface StoredPack {
  readonly pack: PackId;
  readonly kind: PackKind;
  /** 32 bytes for each chunk. */
  readonly names: Uint8Array;
  readonly sizeBytes: number;
}

/** A block ready to be sealed. */
export interface EncodedBlock {
  readonly codec: Codec;
  /** Raw lengths of the chunks, in order. */
  readonly chunkLengths: Uint32Array;
  /** 32 bytes for each chunk, in order. */
  readonly names: Uint8Array;
  /** The chunks' concatenation, encoded by `codec`. */
  readonly payload: Uint8Array;
}

export interface PackWriterOptions {
  readonly storage: Storage;
  readonly keys: SealingKeys;
  readonly kind: PackKind;
  /** Whose pack it is. Default: a writer's. */
  readonly role?: 'writer' | 'collector';
}

/**
 * Writes one pack. Its id is known from the start ({@link pack}), so that references to its chunks can be made before they are
 * stored. Nothing is in the store before {@link close}.
 */
export class PackWriter {
  readonly pack: PackId;
  readonly #options: PackWriterOptions;
  #object: SegmentedObjectWriter | undefined;
  readonly #blocks: PackBlock[] = [];

  constructor(options: PackWriterOptions) {
    this.#options = options;
    this.pack = randomPackId(options.role ?? 'writer');
  }

  /** Bytes written so far. */
  get sizeBytes(): number {
    return this.#object?.sizeBytes ?? 0;
  }

  /** Seals a block and appends it. `verify` false: without opening it again (see `SegmentedObjectWriter`). Code `io`: it does not open as what it was. */
  async write({ codec, chunkLengths, names, payload }: EncodedBlock, options: { verify?: boolean } = {}): Promise<void> {
    this.#object ??= await this.#begin();
    let rawLength = 0;
    for (const length of chunkLengths) rawLength += length;
    const place = await this.#object.append([encodeBlockPrefix({ codec, rawLength, chunkLengths }), payload], options);
    this.#blocks.push({ ...place, codec, rawLength, chunkLengths, names });
  }

  /** Makes the pack visible and durable. Nothing to do (undefined) where it has no block. */
  async close(): Promise<StoredPack | undefined> {
    const object = this.#object;
    if (object === undefined) return undefined;
    await object.finish(encodePackContents(this.#blocks));
    const names = Buffer.concat(this.#blocks.map((block) => block.names));
    return { pack: this.pack, kind: this.#options.kind, names, sizeBytes: object.sizeBytes };
  }

  /** Throws the unfinished pack away. */
  async abort(): Promise<void> {
    await this.#object?.abort();
  }

  #begin(): Promise<SegmentedObjectWriter> {
    const { storage, keys, kind } = this.#options;
    return SegmentedObjectWriter.create(storage, { name: objectNames.pack(this.pack), kind, keys });
  }
}

/** A random id whose top bit says whose pack it is. */
function randomPackId(role: 'writer' | 'collector'): PackId {
  const id = randomBytes(16);
  id[0] = (id[0]! & 0x7f) | (role === 'collector' ? 0x80 : 0);
  return idFromBytes<PackId>(id);
}
