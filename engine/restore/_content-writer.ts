import { ftruncateSync, writeSync } from 'node:fs';
import { type Extent, type FileEntry, LaganError } from '../../repo-format/mod.ts';
import type { Descriptor } from '../system/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import type { WorkerContext } from '../workers/mod.ts';
import type { BlockCache, CachedBlock } from './_block-cache.ts';
import { restoreLimits } from './_limits.ts';
import type { ContentLeaf, Emptiness } from './_messages.ts';
import { interrupted, onTarget } from './_target-errors.ts';

/** What a job asks while it works. */
export type JobContext = Pick<WorkerContext<unknown>, 'isStopping' | 'pause'>;

/** Puts the content of an entry into a new, empty file. */
export interface ContentTarget {
  /** Resolves when all is written and the file has its size. Returns how many bytes the content has. */
  write(descriptor: Descriptor, entry: FileEntry): Promise<number>;
}

/** Verified bytes of one block that belong to one place in the file, not written yet. */
interface Run {
  block: CachedBlock;
  from: number;
  to: number;
  position: number;
}

/** Writes the content of files from opened blocks, for one worker. What lies side by side in a block and in the file is written by one call. */
export class ContentWriter implements ContentTarget {
  readonly #cache: BlockCache;
  readonly #trees: TreeReader;
  readonly #emptiness: Emptiness;
  readonly #context: JobContext;
  #run: Run | undefined;
  #endsInHole = false;

  constructor({ cache, trees, emptiness, context }: { cache: BlockCache; trees: TreeReader; emptiness: Emptiness; context: JobContext }) {
    this.#cache = cache;
    this.#trees = trees;
    this.#emptiness = emptiness;
    this.#context = context;
  }

  async write(descriptor: Descriptor, { content, size, extensions }: FileEntry): Promise<number> {
    if (content.form === 'none') return 0;
    let end = 0;
    if (content.form === 'inline') end = await this.#writeExtents(descriptor, content.extents, 0);
    else {
      const before = this.#cache.expected;
      for await (const extents of this.#trees.extents(content)) {
        this.#cache.expected = extents;
        end = await this.#writeExtents(descriptor, extents, end);
      }
      this.#cache.expected = before;
    }
    expectLength(end, size, { mayBeShort: extensions.readError !== undefined });
    if (this.#endsInHole) onTarget('set the size of a file', () => ftruncateSync(descriptor, end));
    return end;
  }

  /** Writes what a stretch of a large file holds, which has its size already. */
  async writeLeaves(descriptor: Descriptor, leaves: readonly ContentLeaf[]): Promise<void> {
    for (const portion of portionsOf(leaves)) {
      const stretches: { extents: readonly Extent[]; start: number }[] = [];
      for (const { node, start } of portion) {
        // A leaf is one node.
        for await (const extents of this.#trees.extents({ form: 'node', node, height: 0, packs: [] })) stretches.push({ extents, start });
      }
      this.#cache.expected = stretches.flatMap(({ extents }) => extents);
      for (const { extents, start } of stretches) await this.#writeExtents(descriptor, extents, start);
    }
  }

  /** Returns where the extents end in the file. */
  async #writeExtents(descriptor: Descriptor, extents: readonly Extent[], start: number): Promise<number> {
    let position = start;
    try {
      for (const extent of extents) {
        if (extent.kind !== 'data') {
          this.#flush(descriptor);
          if (!this.#becomesHole(extent)) this.#writeZeros(descriptor, position, extent.length);
        } else {
          let chunk = this.#cache.find(extent);
          if (chunk === undefined) {
            this.#flush(descriptor);
            await this.#context.pause();
            chunk = await this.#cache.load(extent);
          }
          this.#append(descriptor, chunk, position);
        }
        position += extent.length;
      }
      this.#endsInHole = extents.length > 0 && this.#becomesHole(extents.at(-1)!);
      this.#flush(descriptor);
    } finally {
      this.#run = undefined;
    }
    return position;
  }

  #becomesHole({ kind }: Extent): boolean {
    if (kind === 'data' || this.#emptiness === 'written') return false;
    return kind === 'hole' || this.#emptiness === 'holes';
  }

  #append(descriptor: Descriptor, { block, from, to }: { block: CachedBlock; from: number; to: number }, position: number): void {
    const run = this.#run;
    if (run !== undefined && run.block === block && run.to === from) {
      run.to = to;
      return;
    }
    this.#flush(descriptor);
    this.#run = { block, from, to, position };
  }

  #flush(descriptor: Descriptor): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    this.#write(descriptor, run.block.bytes, run);
  }

  #writeZeros(descriptor: Descriptor, start: number, length: number): void {
    for (let done = 0; done < length; done += zeros.length) {
      this.#write(descriptor, zeros, { from: 0, to: Math.min(zeros.length, length - done), position: start + done });
    }
  }

  #write(descriptor: Descriptor, bytes: Uint8Array, { from, to, position }: { from: number; to: number; position: number }): void {
    if (this.#context.isStopping()) throw interrupted();
    onTarget('write a file', () => {
      for (let at = from; at < to; ) at += writeSync(descriptor, bytes, at, to - at, position + at - from);
    });
  }
}

const zeros = new Uint8Array(restoreLimits.zerosBytes);

/** A directory entry's extents add up already when it is decoded; those of a tree of nodes only here. */
export function expectLength(found: number, size: number, { mayBeShort }: { mayBeShort: boolean }): void {
  if (found === size || (mayBeShort && found < size)) return;
  throw new LaganError('malformed', `the content of the file has ${found} bytes, its entry says ${size}`, { expected: size, found });
}

/** Leaves of which it is looked through at once what they need: blocks that are needed later are not read ahead. */
function* portionsOf(leaves: readonly ContentLeaf[]): Generator<readonly ContentLeaf[]> {
  let from = 0;
  for (let to = 1; to <= leaves.length; to++) {
    if (to < leaves.length && leaves[to]!.start - leaves[from]!.start < restoreLimits.portionBytes) continue;
    yield leaves.slice(from, to);
    from = to;
  }
}
