import type { Cutter, Kernel } from '../kernel/mod.ts';
import type { ChunkStore } from './_chunk-store.ts';
import type { ExtentRecords } from './_extent-records.ts';
import type { FileOutcome } from './_files.ts';
import { backupLimits } from './_limits.ts';

/** Chunks a stream whose length nobody knows beforehand (standard input, the output of a command). */
export class StreamChunker {
  readonly #cutter: Cutter;
  readonly #store: ChunkStore;
  readonly #extents: ExtentRecords;
  /** Bytes that are fed to the cutter and not in a chunk yet. */
  #pending = Buffer.alloc(0);
  /** Offset of the first pending byte in the stream. */
  #pendingOffset = 0;
  #started = false;

  constructor({ kernel, store, extents }: { kernel: Kernel; store: ChunkStore; extents: ExtentRecords }) {
    this.#cutter = kernel.cutter;
    this.#store = store;
    this.#extents = extents;
  }

  /** Adds the next bytes; with the `last` ones the stream ends. The outcome's extents are those that became certain. */
  async add(bytes: Uint8Array, { last }: { last: boolean }): Promise<FileOutcome> {
    const first = this.#extents.count;
    if (!this.#started) this.#cutter.begin(0);
    this.#started = true;
    for (let offset = 0; offset < bytes.length; offset += backupLimits.readSizeBytes)
      await this.#feed(bytes.subarray(offset, offset + backupLimits.readSizeBytes), first);
    if (last) await this.#finish(first);
    return {
      start: 0,
      extents: this.#extents.count - first,
      bytes: bytes.length,
      metadata: undefined,
      extras: undefined,
      error: undefined,
    };
  }

  async #feed(bytes: Uint8Array, first: number): Promise<void> {
    const at = this.#store.blockEnd;
    this.#store.data.set(bytes, at);
    const cuts = this.#cutter.feed(at, bytes.length);
    this.#pending = Buffer.concat([this.#pending, bytes]);
    await this.#addChunks(cuts, first);
  }

  async #finish(first: number): Promise<void> {
    await this.#addChunks(this.#cutter.finish(), first);
    if (this.#pending.length > 0) await this.#addChunk(this.#pending.length, first);
    this.#pendingOffset = 0;
    this.#started = false;
  }

  async #addChunks(cuts: readonly number[], first: number): Promise<void> {
    for (const cut of cuts) await this.#addChunk(cut - this.#pendingOffset, first);
  }

  async #addChunk(length: number, first: number): Promise<void> {
    const store = this.#store;
    if (store.blockIsFull) await store.closeBlock();
    const at = store.blockEnd;
    store.data.set(this.#pending.subarray(0, length), at);
    if (store.isZero(at, length)) this.#extents.addEmpty('zeros', length, first);
    else {
      store.nameAll(Uint32Array.of(at, length));
      this.#extents.addData(length, { ordinal: await store.add(0, at, length), names: store.data, offset: store.nameOffset(0) });
    }
    this.#pending = this.#pending.subarray(length);
    this.#pendingOffset += length;
  }
}
