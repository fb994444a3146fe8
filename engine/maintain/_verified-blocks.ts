import {
  type Codec,
  decodeBlock,
  expectBlock,
  isLaganError,
  LaganError,
  limits,
  type PackBlock,
  type PackId,
  type PackKind,
  sealedLayout,
} from '../../repo-format/mod.ts';
import { createKernel, type Kernel } from '../kernel/mod.ts';
import { buffersDropped } from '../memory/mod.ts';
import { openSegmentOf } from '../objects/mod.ts';
import { decompressPayload, type OpenPack, PackReader } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { repackLimits } from './_repack-limits.ts';

const nameSizeBytes = 32;
/** In the kernel's data area: names that were computed, then the block, and a byte by which a decompressor notices that there is more. */
const rawOffset = limits.chunksPerBlock * nameSizeBytes;
const areaBytes = rawOffset + limits.blockRawSizeBytes + 64;

/** A block whose chunks have the names that its pack gives them. Views, valid until the next block is read. */
export interface VerifiedBlock {
  readonly number: number;
  readonly codec: Codec;
  readonly rawLength: number;
  readonly chunkLengths: Uint32Array;
  readonly names: Uint8Array;
  /** As it was stored. */
  readonly payload: Uint8Array;
  readonly raw: Uint8Array;
}

/** Reads blocks of packs, and computes the name of every chunk anew. */
export class VerifiedBlocks {
  readonly #storage: Storage;
  readonly #packs: PackReader;
  readonly #kernel: Kernel;
  readonly #ranges = new Uint32Array(2 * limits.chunksPerBlock);

  /** Code: no-key, where the key grants metadata only. */
  constructor({ storage, keys, configuration }: Repository) {
    const { nameKey, metadataNameKey, cutKey } = keys;
    this.#storage = storage;
    this.#packs = new PackReader({ storage, keys, contentsLimit: repackLimits.openPacks });
    this.#kernel = createKernel({ dataSizeBytes: areaBytes, nameKey, metadataNameKey, cutKey, cutting: configuration.chunker });
  }

  /** The contents of a pack. Errors: those of a pack that is missing or damaged. */
  open(pack: PackId, kind: PackKind): Promise<OpenPack> {
    return this.#packs.open(pack, kind);
  }

  /** The blocks of these numbers, which ascend: several that follow each other are read at once. Errors: as of {@link open}, and name-mismatch. */
  async *read(pack: OpenPack, numbers: readonly number[]): AsyncGenerator<VerifiedBlock> {
    for (const run of runsOf(pack.blocks, numbers)) {
      const start = pack.blocks[run[0]!]!.offset;
      const end = endOf(pack.blocks[run.at(-1)!]!);
      const stored = await this.#storage.get(pack.object.name, { offset: start, length: end - start }).catch((cause: unknown) => {
        if (!isLaganError(cause, 'not-found')) throw cause;
        throw new LaganError('pack-missing', `${pack.object.name} vanished while it was read`, { object: pack.object.name, cause });
      });
      for (const number of run) {
        const block = pack.blocks[number]!;
        yield this.#open(pack, number, stored.subarray(block.offset - start, endOf(block) - start));
        buffersDropped(2 * block.sealedLength);
      }
    }
  }

  #open({ object, kind, blocks }: OpenPack, number: number, stored: Uint8Array): VerifiedBlock {
    const block = blocks[number]!;
    const decoded = decodeBlock(openSegmentOf(object, { number, offset: block.offset }, stored), object.name, kind);
    expectBlock(decoded, block, object.name);
    const { codec, rawLength, payload } = decoded;
    const area = this.#kernel.data.subarray(rawOffset);
    const raw = decompressPayload(payload, { codec, rawLength, objectName: object.name, into: area });
    if (raw.buffer !== area.buffer) area.set(raw);
    this.#expectNames(block, { kind, objectName: object.name });
    return { number, codec, rawLength, chunkLengths: block.chunkLengths, names: block.names, payload, raw: area.subarray(0, rawLength) };
  }

  #expectNames({ chunkLengths, names, offset }: PackBlock, { kind, objectName }: { kind: PackKind; objectName: string }): void {
    const ranges = this.#ranges.subarray(0, 2 * chunkLengths.length);
    let at = rawOffset;
    for (let chunk = 0; chunk < chunkLengths.length; chunk++) {
      ranges[2 * chunk] = at;
      ranges[2 * chunk + 1] = chunkLengths[chunk]!;
      at += chunkLengths[chunk]!;
    }
    if (kind === 'pack') this.#kernel.nameMany(ranges, 0);
    else this.#kernel.metadataNameMany(ranges, 0);
    if (Buffer.compare(this.#kernel.data.subarray(0, names.length), names) === 0) return;
    const message = `${objectName}: the chunks of the block at offset ${offset} are not those that their names promise`;
    throw new LaganError('name-mismatch', message, { object: objectName, offset });
  }
}

function endOf({ offset, sealedLength }: PackBlock): number {
  return offset + sealedLayout.lengthFieldSizeBytes + sealedLength;
}

/** Blocks that follow each other, up to the size that is read at once. */
function* runsOf(blocks: readonly PackBlock[], numbers: readonly number[]): Generator<readonly number[]> {
  let run: number[] = [];
  for (const number of numbers) {
    const last = run.at(-1);
    const isNext = last === number - 1 && endOf(blocks[number]!) - blocks[run[0]!]!.offset <= repackLimits.readAheadBytes;
    if (last !== undefined && !isNext) {
      yield run;
      run = [];
    }
    run.push(number);
  }
  if (run.length > 0) yield run;
}
