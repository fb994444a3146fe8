import type { Content, Extent, FileEntry } from '../../repo-format/mod.ts';
import type { PackTable } from '../index/mod.ts';
import type { ChunkList } from './_block-copier.ts';
import type { ContentTree } from './_content-tree.ts';
import { readExtents } from './_extent-records.ts';
import type { FilePiece } from './_file-copier.ts';
import type { FileDispatcher } from './_file-dispatcher.ts';
import { unpackOutcomes } from './_packed-files.ts';
import type { JobResult, WorkerPool } from './_worker-pool.ts';

/** Gives the workers what is copied from another repository, and reads what comes back. */
export class CopyDispatcher {
  /** How many workers there are. */
  readonly workers: number;
  readonly #pool: WorkerPool;
  readonly #packs: PackTable;
  readonly #files: FileDispatcher;

  constructor({ pool, packs, files }: { pool: WorkerPool; packs: PackTable; files: FileDispatcher }) {
    this.workers = pool.size;
    this.#pool = pool;
    this.#packs = packs;
    this.#files = files;
  }

  /** Has files cut and named anew. Resolves when a worker has room for them. */
  async giveFiles(files: readonly FileEntry[]): Promise<{ readonly contents: Promise<readonly Promise<Content>[]> }> {
    const { result } = await this.#pool.give({ type: 'copied-files', files });
    return { contents: unhandled(result.then((answer) => this.#contentsOf(answer))) };
  }

  /** The same with a piece of a large file. All go to one worker, which gets nothing else meanwhile but what it had before. */
  async givePiece(piece: FilePiece): Promise<{ readonly extents: Promise<readonly Extent[]> }> {
    const { result } = await this.#pool.giveTo(0, { type: 'copied-piece', piece });
    return { extents: unhandled(result.then((answer) => this.#extentsOf(answer))) };
  }

  /** Has chunks copied that both repositories name alike; those of one pack are best given to one worker. The extents are in their order. */
  async giveChunks(worker: number, list: ChunkList): Promise<{ readonly extents: Promise<readonly Extent[]> }> {
    const { result } = await this.#pool.giveTo(worker, { type: 'copied-chunks', list });
    return { extents: unhandled(result.then((answer) => this.#extentsOf(answer))) };
  }

  newContent(): ContentTree {
    return this.#files.newContent();
  }

  #contentsOf(result: JobResult): Promise<Content>[] {
    this.#files.count(result);
    let first = 0;
    return unpackOutcomes(result.outcomes).map(({ extents: count }) => {
      const extents = readExtents(result.extents, { first, count, packs: this.#packs });
      first += count;
      const content = this.newContent();
      return unhandled(content.add(extents).then(() => content.finish()));
    });
  }

  #extentsOf(result: JobResult): Extent[] {
    this.#files.count(result);
    const { extents: count } = unpackOutcomes(result.outcomes)[0]!;
    return readExtents(result.extents, { first: 0, count, packs: this.#packs });
  }
}

/** Whoever awaits it is told; nobody need be there yet. */
function unhandled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
