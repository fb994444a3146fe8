import { isLaganError, LaganError, type PackBlock, type PackId, type PackKind, sealedLayout } from '../../repo-format/mod.ts';
import type { CuttingParameters } from '../kernel/mod.ts';
import type { KeyRing } from '../keys/mod.ts';
import { buffersDropped } from '../memory/mod.ts';
import { openSegmentOf } from '../objects/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { BlockVerifier, type NamedBlock } from './block-verifier.ts';
import { type MovedChunks, type OpenPack, PackReader } from './pack-reader.ts';

/** Stored bytes that are read at once where block follows block. */
const readSizeBytes = 4 * 1024 * 1024;

/** A block of a pack, every chunk of which has the name that the pack gives it. Views, valid until the next block is read. */
export interface PackedBlock extends NamedBlock {
  readonly number: number;
}

export interface VerifiedBlocksOptions {
  readonly storage: Storage;
  readonly keys: KeyRing;
  readonly configuration: { readonly chunker: CuttingParameters };
  /** Packs whose contents are kept. */
  readonly openPacks: number;
  /** Is asked where chunks are whose pack is gone or damaged; without it they are lost. */
  readonly moved?: MovedChunks;
  /** Whether what follows is read while the caller works at what was read: faster, for another {@link readSizeBytes} of memory. */
  readonly readsAhead?: boolean;
}

/** Reads blocks of packs as they are stored, and computes the name of every chunk anew. */
export class VerifiedBlocks {
  readonly #storage: Storage;
  readonly #packs: PackReader;
  readonly #verifier: BlockVerifier;
  readonly #readsAhead: boolean;

  /** Code: no-key, where the key grants metadata only. */
  constructor({ storage, keys, configuration, openPacks: contentsLimit, moved, readsAhead = false }: VerifiedBlocksOptions) {
    const { nameKey, metadataNameKey, cutKey } = keys;
    this.#storage = storage;
    this.#packs = new PackReader({ storage, keys, moved, contentsLimit });
    this.#verifier = new BlockVerifier({ nameKey, metadataNameKey, cutKey, cutting: configuration.chunker });
    this.#readsAhead = readsAhead;
  }

  /** The contents of a pack. Errors: those of a pack that is missing or damaged. */
  open(pack: PackId, kind: PackKind): Promise<OpenPack> {
    return this.#packs.open(pack, kind);
  }

  /** The pack that has a chunk of data now. Codes: as of `PackReader.holder`. */
  holder(name: Uint8Array, pack: PackId): Promise<OpenPack> {
    return this.#packs.holder(name, pack, 'pack');
  }

  /** Says that a pack vanished after it was opened. */
  forget(pack: PackId): void {
    this.#packs.forget(pack);
  }

  /** The blocks of these numbers, which ascend: several that follow each other are read at once. Errors: as of {@link open}, and name-mismatch. */
  async *read(pack: OpenPack, numbers: readonly number[]): AsyncGenerator<PackedBlock> {
    const runs = runsOf(pack.blocks, numbers);
    let ahead: Promise<Uint8Array> | undefined;
    for (const [index, run] of runs.entries()) {
      const stored = await (ahead ?? this.#fetch(pack, run));
      const following = this.#readsAhead ? runs[index + 1] : undefined;
      ahead = following && this.#fetch(pack, following);
      ahead?.catch(() => undefined); // Whoever waits for it is told.
      const start = pack.blocks[run[0]!]!.offset;
      for (const number of run) {
        const block = pack.blocks[number]!;
        yield this.#open(pack, number, stored.subarray(block.offset - start, endOf(block) - start));
        buffersDropped(2 * block.sealedLength);
      }
    }
  }

  async #fetch({ object: { name: object }, blocks }: OpenPack, run: readonly number[]): Promise<Uint8Array> {
    const offset = blocks[run[0]!]!.offset;
    const length = endOf(blocks[run.at(-1)!]!) - offset;
    try {
      return await this.#storage.get(object, { offset, length });
    } catch (cause) {
      if (!isLaganError(cause, 'not-found')) throw cause;
      throw new LaganError('pack-missing', `${object} vanished while it was read`, { object, cause });
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
