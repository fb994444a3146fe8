import assert from 'node:assert/strict';
import { idFromBytes, type PackId } from '../../repo-format/mod.ts';

const idSizeBytes = 16;
/** Room reserved (address space, not memory) for the ids of the packs that one backup touches. */
const maximumPacks = 1 << 22;

/** The two shared buffers of a {@link PackTable}, as they are posted to worker threads. */
export interface PackTableBuffers {
  readonly count: SharedArrayBuffer;
  readonly ids: SharedArrayBuffer;
}

/**
 * Numbers for pack ids, shared by all threads of one backup: a 16-byte id becomes a small *ordinal*, so that a row of
 * the chunk table needs 4 bytes to say where its chunk is. Rows are only ever added; one id may have several ordinals.
 */
export class PackTable {
  readonly buffers: PackTableBuffers;
  readonly #count: Int32Array;
  readonly #ids: Uint8Array;
  readonly #known: (PackId | undefined)[] = [];
  readonly #ordinals = new Map<PackId, number>();

  constructor(buffers: PackTableBuffers = emptyBuffers()) {
    this.buffers = buffers;
    this.#count = new Int32Array(buffers.count);
    this.#ids = new Uint8Array(buffers.ids);
  }

  /** The ordinal of `pack`, given by this thread before or taken now. */
  ordinalOf(pack: PackId): number {
    const known = this.#ordinals.get(pack);
    if (known !== undefined) return known;
    const ordinal = Atomics.add(this.#count, 0, 1);
    assert(ordinal < maximumPacks, 'a backup touches fewer than 4 million packs');
    this.#ids.set(Buffer.from(pack, 'hex'), ordinal * idSizeBytes);
    this.#ordinals.set(pack, ordinal);
    this.#known[ordinal] = pack;
    return ordinal;
  }

  /** The pack that a thread registered under `ordinal`. */
  packOf(ordinal: number): PackId {
    return (this.#known[ordinal] ??= idFromBytes<PackId>(this.#ids.subarray(ordinal * idSizeBytes, (ordinal + 1) * idSizeBytes)));
  }
}

function emptyBuffers(): PackTableBuffers {
  return { count: new SharedArrayBuffer(4), ids: new SharedArrayBuffer(maximumPacks * idSizeBytes) };
}
