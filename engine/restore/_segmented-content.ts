import { ftruncateSync } from 'node:fs';
import { type Content, type FileEntry, LaganError, type Node, objectNames } from '../../repo-format/mod.ts';
import type { Descriptor } from '../system/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import { type ContentTarget, expectLength } from './_content-writer.ts';
import type { RestorePool } from './_dispatcher.ts';
import { restoreLimits } from './_limits.ts';
import type { ContentLeaf, JobResult } from './_messages.ts';
import { onTarget } from './_target-errors.ts';

/** Whether a file is written by several workers at once. */
export function isSegmented({ size, content }: FileEntry): boolean {
  return size > restoreLimits.segmentedFromBytes && content.form === 'node' && content.height > 0;
}

/** A leaf of a content with the number of bytes that it covers. */
interface SizedLeaf extends ContentLeaf {
  readonly sizeBytes: number;
}

/** Writes the content of one large file by all workers: each gets stretches of leaves, which it reads and writes at their offsets. */
export class SegmentedContent implements ContentTarget {
  readonly #pool: RestorePool;
  readonly #trees: TreeReader;
  readonly #onSegment: (sizeBytes: number) => void;

  /** `onSegment` is told of each stretch that is written. */
  constructor({ pool, trees, onSegment }: { pool: RestorePool; trees: TreeReader; onSegment: (sizeBytes: number) => void }) {
    this.#pool = pool;
    this.#trees = trees;
    this.#onSegment = onSegment;
  }

  async write(descriptor: Descriptor, { content, size, extensions }: FileEntry): Promise<number> {
    onTarget('set the size of a file', () => ftruncateSync(descriptor, size));
    const writing = new Segments(this.#pool, { descriptor, fileBytes: size, onSegment: this.#onSegment });
    let end = 0;
    try {
      for await (const leaf of contentLeaves(this.#trees, content)) {
        await writing.add(leaf);
        end = leaf.start + leaf.sizeBytes;
      }
    } finally {
      // Nobody may write to a descriptor that is closed.
      await writing.settled();
    }
    writing.throwFault();
    expectLength(end, size, { mayBeShort: extensions.readError !== undefined });
    if (end < size) onTarget('set the size of a file', () => ftruncateSync(descriptor, end));
    return end;
  }
}

/** The stretches of one file. */
class Segments {
  readonly #pool: RestorePool;
  readonly #descriptor: Descriptor;
  readonly #onSegment: (sizeBytes: number) => void;
  readonly #segmentBytes: number;
  readonly #running: Promise<void>[] = [];
  #leaves: SizedLeaf[] = [];
  #sizeBytes = 0;
  #fault: JobResult['faults'][number] | undefined;

  constructor(
    pool: RestorePool,
    { descriptor, fileBytes, onSegment }: { descriptor: Descriptor; fileBytes: number; onSegment: (sizeBytes: number) => void },
  ) {
    const { segmentsPerWorker, smallestSegmentBytes, largestSegmentBytes } = restoreLimits;
    this.#pool = pool;
    this.#descriptor = descriptor;
    this.#onSegment = onSegment;
    this.#segmentBytes = Math.min(Math.max(fileBytes / (segmentsPerWorker * pool.size), smallestSegmentBytes), largestSegmentBytes);
  }

  async add(leaf: SizedLeaf): Promise<void> {
    this.throwFault();
    this.#leaves.push(leaf);
    this.#sizeBytes += leaf.sizeBytes;
    if (this.#sizeBytes < this.#segmentBytes) return;
    await this.#pool.ready();
    this.#send();
  }

  /** Resolves when no worker has to do with the file any more. */
  async settled(): Promise<void> {
    if (this.#leaves.length > 0 && this.#fault === undefined) this.#send();
    const failed = (await Promise.allSettled(this.#running)).find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Damage that a worker found. */
  throwFault(): void {
    if (this.#fault === undefined) return;
    const { code, message, object, errno } = this.#fault;
    throw new LaganError(code as LaganError['code'], message, { object, errno });
  }

  #send(): void {
    const [leaves, sizeBytes] = [this.#leaves, this.#sizeBytes];
    this.#leaves = [];
    this.#sizeBytes = 0;
    const job = { type: 'segment', descriptor: this.#descriptor, leaves: leaves.map(({ node, start }) => ({ node, start })) } as const;
    const done = this.#pool.run(job).then(({ faults }) => {
      this.#fault ??= faults[0];
      this.#onSegment(sizeBytes);
    });
    done.catch(() => undefined);
    this.#running.push(done);
  }
}

/** The leaves of a tree of content nodes, of which only the inner nodes are read. */
async function* contentLeaves(trees: TreeReader, content: Content): AsyncGenerator<SizedLeaf> {
  if (content.form !== 'node') return;
  const root = expectContent(await trees.node(content.node), objectNames.pack(content.node.pack));
  yield* leavesBelow(trees, root, 0);
}

async function* leavesBelow(trees: TreeReader, node: ContentNode, start: number): AsyncGenerator<SizedLeaf> {
  if (node.leaf) throw new LaganError('malformed', 'a leaf of a content stands where an inner node was expected');
  for (const { node: child, bytesBelow } of node.items) {
    if (node.height === 1) yield { node: child, start, sizeBytes: bytesBelow };
    else yield* leavesBelow(trees, expectContent(await trees.node(child), objectNames.pack(child.pack)), start);
    start += bytesBelow;
  }
}

type ContentNode = Extract<Node, { kind: 'content' }>;

function expectContent(node: Node, object: string): ContentNode {
  if (node.kind === 'content') return node;
  throw new LaganError('malformed', `a content node was expected in ${object}, a ${node.kind} node is there`, {
    object,
    expected: 'content',
    found: node.kind,
  });
}
