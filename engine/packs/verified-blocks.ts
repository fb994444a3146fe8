import { isLaganError, LaganError, type PackBlock, type PackId, type PackKind, sealedLayout } from '../../repo-format/mod.ts';
import { buffersDropped } from '../memory/mod.ts';
import { openSegmentOf } from '../objects/mod.ts';
import { BlockVerifier, type OpenPack, PackReader, type VerifiedBlock } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { maintainLimits } from './_limits.ts';
import { repackLimits } from './_repack-limits.ts';

/** A block of a pack, see {@link VerifiedBlock}. Views, valid until the next block is read. */
export interface PackedBlock extends VerifiedBlock {
  readonly number: number;
  readonly chunkLengths: Uint32Array;
  readonly names: Uint8Array;
}

/** Reads blocks of packs, and computes the name of every chunk anew. */
export class VerifiedBlocks {
  readonly #storage: Storage;
  readonly #packs: PackReader;
  readonly #verifier: BlockVerifier;

  /** Code: no-key, where the key grants metadata only. */
  constructor({ storage, keys, configuration }: Repository) {
    const { nameKey, metadataNameKey, cutKey } = keys;
    this.#storage = storage;
    this.#packs = new PackReader({ storage, keys, contentsLimit: maintainLimits.openPacks });
    this.#verifier = new BlockVerifier({ nameKey, metadataNameKey, cutKey, cutting: configuration.chunker });
  }

  /** The contents of a pack. Errors: those of a pack that is missing or damaged. */
  open(pack: PackId, kind: PackKind): Promise<OpenPack> {
    return this.#packs.open(pack, kind);
  }

  /** The blocks of these numbers, which ascend: several that follow each other are read at once. Errors: as of {@link open}, and name-mismatch. */
  async *read(pack: OpenPack, numbers: readonly number[]): AsyncGenerator<PackedBlock> {
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

  #open({ object, kind, blocks }: OpenPack, number: number, stored: Uint8Array): PackedBlock {
    const block = blocks[number]!;
    const { offset, chunkLengths, names } = block;
    const plaintext = openSegmentOf(object, { number, offset }, stored);
    return { ...this.#verifier.verify(plaintext, block, { kind, objectName: object.name }), number, chunkLengths, names };
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
