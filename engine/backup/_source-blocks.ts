import { isLaganError, LaganError, type PackBlock, type PackId, sealedLayout } from '../../repo-format/mod.ts';
import { movedChunks } from '../index/mod.ts';
import { buffersDropped } from '../memory/mod.ts';
import { openSegmentOf } from '../objects/mod.ts';
import { BlockVerifier, type OpenPack, PackReader, type VerifiedBlock } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';

/** Bytes of a pack that are read at once, while what was read before is copied. */
const readSizeBytes = 4 * 1024 * 1024;
/** Packs whose contents are kept. */
const openPacks = 64;

/** A block of a pack of data, every chunk of which has the name that the pack gives it. Views, valid until the next block is read. */
export interface SourceBlock extends VerifiedBlock {
  readonly chunkLengths: Uint32Array;
  readonly names: Uint8Array;
}

/** Reads blocks of data as they are stored in a repository from which is copied, and computes the name of every chunk anew. */
export class SourceBlocks {
  readonly #repository: Repository;
  readonly #packs: PackReader;
  readonly #verifier: BlockVerifier;

  constructor(repository: Repository) {
    const { storage, keys, configuration } = repository;
    const { nameKey, metadataNameKey, cutKey } = keys;
    this.#repository = repository;
    this.#packs = new PackReader({ storage, keys, moved: movedChunks(repository), contentsLimit: openPacks });
    this.#verifier = new BlockVerifier({ nameKey, metadataNameKey, cutKey, cutting: configuration.chunker });
  }

  /** The pack that has a chunk now. Codes: as of `PackReader.holder`. */
  holder(name: Uint8Array, pack: PackId): Promise<OpenPack> {
    return this.#packs.holder(name, pack, 'pack');
  }

  /** Says that a pack vanished after it was opened. */
  forget(pack: PackId): void {
    this.#packs.forget(pack);
  }

  /** The blocks of these numbers, which ascend. Codes: pack-missing (it vanished), name-mismatch, malformed, authentication-failed. */
  async *read(open: OpenPack, numbers: readonly number[]): AsyncGenerator<SourceBlock> {
    const runs = runsOf(open.blocks, numbers);
    let next = this.#fetch(open, runs[0]!);
    for (const [index, run] of runs.entries()) {
      const stored = await next;
      const following = runs[index + 1];
      if (following !== undefined) {
        next = this.#fetch(open, following);
        next.catch(() => undefined); // Whoever waits for it is told.
      }
      const start = open.blocks[run[0]!]!.offset;
      for (const number of run) {
        const block = open.blocks[number]!;
        yield this.#open(open, number, stored.subarray(block.offset - start, endOf(block) - start));
        buffersDropped(2 * block.sealedLength);
      }
    }
  }

  async #fetch({ object, blocks }: OpenPack, run: readonly number[]): Promise<Uint8Array> {
    const start = blocks[run[0]!]!.offset;
    const length = endOf(blocks[run.at(-1)!]!) - start;
    try {
      return await this.#repository.storage.get(object.name, { offset: start, length });
    } catch (cause) {
      if (!isLaganError(cause, 'not-found')) throw cause;
      throw new LaganError('pack-missing', `${object.name} vanished while it was copied`, { object: object.name, cause });
    }
  }

  #open({ object, kind, blocks }: OpenPack, number: number, stored: Uint8Array): SourceBlock {
    const block = blocks[number]!;
    const plaintext = openSegmentOf(object, { number, offset: block.offset }, stored);
    const verified = this.#verifier.verify(plaintext, block, { kind, objectName: object.name });
    return { ...verified, chunkLengths: block.chunkLengths, names: block.names };
  }
}

function endOf({ offset, sealedLength }: PackBlock): number {
  return offset + sealedLayout.lengthFieldSizeBytes + sealedLength;
}

/** Blocks that follow each other, up to the size that is read at once. */
function runsOf(blocks: readonly PackBlock[], numbers: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    const isNext = run?.at(-1) === number - 1 && endOf(blocks[number]!) - blocks[run[0]!]!.offset <= readSizeBytes;
    if (run !== undefined && isNext) run.push(number);
    else runs.push([number]);
  }
  return runs;
}
