import type { Extent } from '../../repo-format/mod.ts';
import type { PackTable } from '../index/mod.ts';
import { type Descriptor, FileStatus } from '../system/mod.ts';
import type { ContentTree } from './_content-tree.ts';
import { readExtents } from './_extent-records.ts';
import { shorter } from './_file-reader.ts';
import type { FileOutcome, ReadFault } from './_files.ts';
import { extrasAfterReading, type OpenedFile } from './_opened-file.ts';
import { unpackOutcomes } from './_packed-files.ts';
import type { FilePart } from './_stretches.ts';
import type { StoredContent } from './_tokens.ts';
import type { JobResult, WorkerPool } from './_worker-pool.ts';

/** What a {@link LargeFile} works with. */
export interface LargeFileParts {
  readonly pool: WorkerPool;
  readonly packs: PackTable;
  readonly content: ContentTree;
  readonly onResult: (result: JobResult) => void;
}

/**
 * One file that all workers share, each cutting parts of it: what comes back is put together in order. All read the same descriptor, so that it stays one file whatever is renamed
 * meanwhile. Should it change between the readings of two parts, their chunks may not meet: what overlaps is dropped, what is missing is read once more, so that every byte has its
 * place. (What such a file holds is of several moments, as with every reader of a file that is written to.)
 */
export class LargeFile {
  readonly #opened: OpenedFile;
  readonly #parts: LargeFileParts;
  /** The content is known up to here. */
  #end = 0;
  #fault: ReadFault | undefined;
  #assembled: Promise<void> = Promise.resolve();

  constructor(opened: OpenedFile, parts: LargeFileParts) {
    this.#opened = opened;
    this.#parts = parts;
  }

  /** Gives the next part to a worker; resolves when there is room for one more. */
  async give(part: FilePart): Promise<void> {
    const { result } = await this.#post(part);
    this.#assembled = this.#assembled.then(async () => this.#take(await result));
    this.#assembled.catch(() => undefined);
  }

  /** All parts were given. `fault`: why there are no more. */
  async finish(fault?: ReadFault): Promise<StoredContent> {
    await this.#assembled;
    this.#fault ??= fault;
    const { size, metadata } = this.#opened;
    await this.#fill(size);
    const extras = extrasAfterReading(this.#opened, new FileStatus());
    return {
      content: await this.#parts.content.finish(),
      outcome: { start: 0, extents: 0, bytes: this.#end, metadata, extras, error: this.#fault },
    };
  }

  async #take(result: JobResult): Promise<void> {
    const { outcome, extents } = this.#read(result);
    let { start } = outcome;
    let known = 0;
    while (known < extents.length && start < this.#end) start += extents[known++]!.length;
    if (known < extents.length) await this.#fill(start);
    await this.#append(extents.slice(known), outcome.error);
  }

  /** Reads what is missing before `to`. */
  async #fill(to: number): Promise<void> {
    const region = { start: this.#end, end: to };
    if (region.start >= region.end || this.#fault !== undefined) return;
    const { result } = await this.#post({ type: 'segment', region, from: 0, to: region.end - region.start });
    const { outcome, extents } = this.#read(await result);
    await this.#append(extents, outcome.error);
    if (this.#end < to) this.#fault ??= shorter(this.#opened.size);
  }

  async #append(extents: readonly Extent[], fault: ReadFault | undefined): Promise<void> {
    if (this.#fault !== undefined) return;
    await this.#parts.content.add(extents);
    for (const { length } of extents) this.#end += length;
    this.#fault = fault;
  }

  #read(result: JobResult): { outcome: FileOutcome; extents: Extent[] } {
    this.#parts.onResult(result);
    const outcome = unpackOutcomes(result.outcomes)[0]!;
    return { outcome, extents: readExtents(result.extents, { first: 0, count: outcome.extents, packs: this.#parts.packs }) };
  }

  #post(part: FilePart): Promise<{ result: Promise<JobResult> }> {
    const descriptor: Descriptor = this.#opened.descriptor;
    return this.#parts.pool.give({ ...part, descriptor });
  }
}
