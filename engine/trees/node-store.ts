import type { NodeReference, PackId } from '../../repo-format/mod.ts';
import { claimed, type Deduplicator, notFound, type PackTable, tableFull, unresolved } from '../index/mod.ts';
import type { Kernel } from '../kernel/mod.ts';
import type { SealingKeys } from '../objects/mod.ts';
import { BlockCompressor, PackWriter, type StoredPack } from '../packs/mod.ts';
import type { Storage } from '../storage/mod.ts';

/** Raw bytes after which a block of nodes is sealed: small enough that reading one directory does not cost a megabyte. */
const blockSizeBytes = 256 * 1024;
/** Raw bytes after which a pack of nodes is closed. */
const packRawSizeBytes = 32 * 1024 * 1024;
/** Sealed blocks that may wait for the store before `put` makes its caller wait. */
const waitingBlocksLimit = 4;
const nodeCompression = 'zstd:3';

/** A block of nodes being gathered. */
interface OpenBlock {
  readonly nodes: Uint8Array[];
  readonly names: Uint8Array[];
  sizeBytes: number;
}

/**
 * Stores tree nodes as chunks of metadata packs. A reference is known as soon as the node is put; the bytes follow in the
 * background, in order; {@link flush} waits for all of them.
 */
export class NodeStore {
  #kernel: Kernel;
  readonly #kernelOf: (dataSizeBytes: number) => Kernel;
  readonly #storage: Storage;
  readonly #keys: SealingKeys;
  readonly #deduplicator: Deduplicator;
  readonly #packs: PackTable;
  readonly #onPack: (pack: StoredPack) => void;
  readonly #dryRun: boolean;
  readonly #compressor = new BlockCompressor(nodeCompression);
  #writer: PackWriter;
  #packRawBytes = 0;
  #block: OpenBlock = emptyBlock();
  #writing: Promise<unknown> = Promise.resolve();
  #waitingBlocks = 0;
  #failure: unknown;

  /** `onPack` is told of each pack once it is durable. `kernel` computes names in its data area, which nobody else uses meanwhile; `kernelOf` makes a larger one for a node that does not fit. */
  constructor(parts: {
    kernel: Kernel;
    kernelOf: (dataSizeBytes: number) => Kernel;
    storage: Storage;
    keys: SealingKeys;
    deduplicator: Deduplicator;
    packs: PackTable;
    onPack: (pack: StoredPack) => void;
    dryRun?: boolean;
  }) {
    this.#dryRun = parts.dryRun ?? false;
    this.#kernel = parts.kernel;
    this.#kernelOf = parts.kernelOf;
    this.#storage = parts.storage;
    this.#keys = parts.keys;
    this.#deduplicator = parts.deduplicator;
    this.#packs = parts.packs;
    this.#onPack = parts.onPack;
    this.#writer = this.#newWriter();
  }

  /** The pack that the next new node goes to. */
  get pack(): PackId {
    return this.#writer.pack;
  }

  /** Stores a node unless the repository has it already. */
  async put(node: Uint8Array): Promise<NodeReference> {
    if (this.#failure !== undefined) throw this.#failure;
    const name = this.#nameOf(node);
    let answer = this.#deduplicator.claim(name, 0, this.#ordinal());
    if (answer === unresolved) {
      answer = await this.#deduplicator.lookUp(name, 0);
      if (answer === notFound) answer = this.#deduplicator.claimNew(name, 0, this.#ordinal());
    }
    if (answer !== claimed && answer !== tableFull) return { name, pack: this.#packs.packOf(answer) };
    const pack = this.#writer.pack;
    this.#append(node, name);
    if (this.#waitingBlocks > waitingBlocksLimit) await this.#writing;
    return { name, pack };
  }

  /** Seals and stores all that is waiting and closes the pack: every reference given out is good from then on. */
  async flush(): Promise<void> {
    this.#closeBlock();
    this.#closePack();
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async abort(): Promise<void> {
    this.#failure ??= new Error('aborted');
    await this.#writing;
    await this.#writer.abort();
  }

  #append(node: Uint8Array, name: Uint8Array): void {
    this.#block.nodes.push(node);
    this.#block.names.push(name);
    this.#block.sizeBytes += node.length;
    this.#packRawBytes += node.length;
    if (this.#block.sizeBytes >= blockSizeBytes) this.#closeBlock();
    if (this.#packRawBytes >= packRawSizeBytes) {
      this.#closeBlock();
      this.#closePack();
    }
  }

  #closeBlock(): void {
    const { nodes, names } = this.#block;
    if (nodes.length === 0) return;
    const writer = this.#writer;
    this.#block = emptyBlock();
    this.#waitingBlocks++;
    this.#enqueue(writer, async () => {
      this.#waitingBlocks--;
      if (this.#dryRun) return;
      const encoded = this.#compressor.compress(Buffer.concat(nodes), () => false);
      await writer.write({ ...encoded, chunkLengths: Uint32Array.from(nodes, (node) => node.length), names: Buffer.concat(names) });
    });
  }

  #closePack(): void {
    const writer = this.#writer;
    this.#writer = this.#newWriter();
    this.#packRawBytes = 0;
    this.#enqueue(writer, async () => {
      const stored = await writer.close();
      if (stored !== undefined) this.#onPack(stored);
    });
  }

  /** Writes in order. After a failure nothing more is written, and the packs that were begun are thrown away. */
  #enqueue(writer: PackWriter, write: () => Promise<void>): void {
    this.#writing = this.#writing.then(async () => {
      if (this.#failure === undefined) await write().catch((error: unknown) => (this.#failure = error));
      if (this.#failure !== undefined) await writer.abort();
    });
  }

  #ordinal(): number {
    return this.#packs.ordinalOf(this.#writer.pack);
  }

  #nameOf(node: Uint8Array): Uint8Array {
    if (32 + node.length > this.#kernel.data.length) this.#kernel = this.#kernelOf(2 * node.length);
    const { data } = this.#kernel;
    data.set(node, 32);
    this.#kernel.metadataName(32, node.length, 0);
    return data.slice(0, 32);
  }

  #newWriter(): PackWriter {
    return new PackWriter({ storage: this.#storage, keys: this.#keys, kind: 'metadata-pack' });
  }
}

/** A node store that notes the pack of every node that is put through it. */
export function recordingPacks(nodes: Pick<NodeStore, 'put'>, packs: Set<PackId>): Pick<NodeStore, 'put'> {
  return {
    put: async (node) => {
      const reference = await nodes.put(node);
      packs.add(reference.pack);
      return reference;
    },
  };
}

function emptyBlock(): OpenBlock {
  return { nodes: [], names: [], sizeBytes: 0 };
}
