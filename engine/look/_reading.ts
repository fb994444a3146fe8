/** What all looks at one repository share: opened packs and blocks, and the kernel that verifies chunks. */

import { LaganError, limits, objectNames, type PackId } from '../../repo-format/mod.ts';
import { movedChunks } from '../index/mod.ts';
import { createKernel, type Kernel } from '../kernel/mod.ts';
import { PackReader } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import { TreeReader } from '../trees/mod.ts';
import { lookLimits } from './_limits.ts';

const nameSizeBytes = 32;
/** In the kernel's data area: the name that was computed, then the chunk. */
const chunkOffset = 64;

export class Reading {
  readonly packs: PackReader;
  readonly trees: TreeReader;
  readonly #repository: Repository;
  #kernel: Kernel | undefined;

  constructor(repository: Repository) {
    const { storage, keys } = repository;
    this.#repository = repository;
    this.packs = new PackReader({
      storage,
      keys,
      moved: movedChunks(repository),
      contentsLimit: lookLimits.openPacks,
      blocksLimit: lookLimits.openBlocks,
    });
    this.trees = new TreeReader(this.packs);
  }

  /** Throws `name-mismatch` unless `chunk` is what its name, a keyed hash of its bytes, promises. */
  verify(chunk: Uint8Array, name: Uint8Array, pack: PackId): void {
    const kernel = this.#verifyingKernel();
    kernel.data.set(chunk, chunkOffset);
    kernel.name(chunkOffset, chunk.length, 0);
    if (Buffer.compare(kernel.data.subarray(0, nameSizeBytes), name) === 0) return;
    const object = objectNames.pack(pack);
    throw new LaganError('name-mismatch', `a chunk of ${object} does not have the bytes that its name promises`, {
      object,
      expected: Buffer.from(name).toString('hex'),
      hint: 'lagan check --read-data names the files that are hurt',
    });
  }

  /** Code `no-key` where the key grants metadata only. */
  #verifyingKernel(): Kernel {
    if (this.#kernel !== undefined) return this.#kernel;
    const { keys, configuration } = this.#repository;
    const { nameKey, metadataNameKey, cutKey } = keys;
    const dataSizeBytes = chunkOffset + limits.dataChunkSizeBytes;
    this.#kernel = createKernel({ dataSizeBytes, nameKey, metadataNameKey, cutKey, cutting: configuration.chunker });
    return this.#kernel;
  }
}

const readings = new WeakMap<Repository, Reading>();

/** The same for every call with this repository: what one call has opened serves the next. */
export function readingOf(repository: Repository): Reading {
  let reading = readings.get(repository);
  if (reading === undefined) readings.set(repository, (reading = new Reading(repository)));
  return reading;
}
