import { readSync } from 'node:fs';
import { type Extent, type FileEntry, LaganError, toHex } from '../../repo-format/mod.ts';
import type { Kernel } from '../kernel/mod.ts';
import { closeDescriptor, type Descriptor, FileStatus, nextExtent, openFile, statDescriptor } from '../system/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import { expectLength, type JobContext } from './_content-writer.ts';
import type { FolderState } from './_messages.ts';
import { interrupted, onTarget } from './_target-errors.ts';

/** Where bytes of files are compared in the kernel's data area: behind a name. */
const bytesAt = 64;

/** Reads restored files again and compares their bytes with the names of their chunks, for one worker. */
export class FileVerifier {
  readonly #kernel: Kernel;
  readonly #trees: TreeReader;
  readonly #context: JobContext;
  readonly #room: number;
  readonly #status = new FileStatus();

  constructor({ kernel, trees, context }: { kernel: Kernel; trees: TreeReader; context: JobContext }) {
    this.#kernel = kernel;
    this.#trees = trees;
    this.#context = context;
    this.#room = kernel.data.length - bytesAt;
  }

  /**
   * `verified`, or `other` if `mayBeOther` and the file has another size or mtime: it was left alone on purpose. Errors: `name-mismatch` (with `offset`), `malformed` if its length is wrong,
   * and what the system says.
   */
  async verify(entry: FileEntry, folder: FolderState, { mayBeOther }: { mayBeOther: boolean }): Promise<'verified' | 'other'> {
    const descriptor = openFile(folder.descriptor, entry.name);
    try {
      const status = statDescriptor(descriptor, this.#status);
      const { mtime } = entry;
      const isOther =
        status.type !== 'file' || status.modifiedSeconds !== mtime.seconds || status.modifiedNanoseconds !== mtime.nanoseconds;
      if (isOther && mayBeOther) return 'other';
      if (status.type !== 'file')
        throw new LaganError('name-mismatch', `a file was restored, a ${status.type} is there`, { expected: 'file', found: status.type });
      await this.#verifyContent(descriptor, entry, status.size);
      return 'verified';
    } finally {
      closeDescriptor(descriptor);
    }
  }

  async #verifyContent(descriptor: Descriptor, { content, size, extensions }: FileEntry, found: number): Promise<void> {
    let end = 0;
    if (content.form === 'inline') end = await this.#verifyExtents(descriptor, content.extents, 0);
    else if (content.form === 'node')
      for await (const extents of this.#trees.extents(content)) end = await this.#verifyExtents(descriptor, extents, end);
    expectLength(end, size, { mayBeShort: extensions.readError !== undefined });
    if (found !== end) throw new LaganError('name-mismatch', `the file has ${found} bytes, ${end} were restored`, { expected: end, found });
  }

  async #verifyExtents(descriptor: Descriptor, extents: readonly Extent[], start: number): Promise<number> {
    let position = start;
    for (const extent of extents) {
      if (this.#context.isStopping()) throw interrupted();
      const pausing = this.#context.pause();
      if (pausing !== undefined) await pausing;
      if (extent.kind === 'data') this.#verifyChunk(descriptor, extent, position);
      else this.#verifyZeros(descriptor, position, position + extent.length);
      position += extent.length;
    }
    return position;
  }

  #verifyChunk(descriptor: Descriptor, { length, name }: { length: number; name: Uint8Array }, position: number): void {
    const isThere = length <= this.#room && this.#read(descriptor, position, length) === length;
    if (isThere) this.#kernel.name(bytesAt, length, 0);
    if (!isThere || Buffer.compare(this.#kernel.data.subarray(0, name.length), name) !== 0)
      throw mismatch(position, `chunk ${toHex(name)}`);
  }

  #verifyZeros(descriptor: Descriptor, start: number, end: number): void {
    const extent = { kind: 'data' as 'data' | 'hole', start: 0, end: 0 };
    for (let position = start; position < end && nextExtent(descriptor, { offset: position, size: end }, extent); position = extent.end) {
      if (extent.kind === 'data') this.#verifyWrittenZeros(descriptor, extent.start, extent.end);
    }
  }

  #verifyWrittenZeros(descriptor: Descriptor, start: number, end: number): void {
    for (let position = start; position < end; ) {
      const length = this.#read(descriptor, position, Math.min(this.#room, end - position));
      if (length === 0 || !this.#kernel.isZero(bytesAt, length)) throw mismatch(position, 'zeros');
      position += length;
    }
  }

  #read(descriptor: Descriptor, position: number, length: number): number {
    return onTarget('read a file', () => {
      let done = 0;
      while (done < length) {
        const count = readSync(descriptor, this.#kernel.data, bytesAt + done, length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }
}

function mismatch(offset: number, expected: string): LaganError {
  return new LaganError('name-mismatch', `the file was written, but reading it again gives something else at offset ${offset}`, {
    offset,
    expected,
  });
}
