/** The newest snapshot of each source: what it reads when it is restored, and in which order. */
import { type Content, compareTimes, type Extent, type NodeReference, type PackId, type Snapshot } from '../../repo-format/mod.ts';
import { Breather } from '../look/mod.ts';
import { buffersDropped } from '../memory/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { TreeReader } from '../trees/mod.ts';
import type { NameFilter } from './_name-filter.ts';
import { repackLimits } from './_repack-limits.ts';
import { openTrees } from './_trees.ts';

type DataExtent = Extract<Extent, { kind: 'data' }>;

/** About what a leaf of a directory or of a content leaves behind. */
const garbagePerLeafBytes = 256 * 1024;

/** Of each source (host, user and paths) the snapshot that was begun last. */
export class NewestSnapshots {
  readonly #bySource = new Map<string, Snapshot>();

  add(snapshot: Snapshot): void {
    if (snapshot.tree === null || snapshot.partial) return;
    const source = JSON.stringify([snapshot.host, snapshot.user, ...snapshot.paths.map((path) => Buffer.from(path).toString('hex'))]);
    const known = this.#bySource.get(source);
    if (known === undefined || compareTimes(snapshot.started, known.started) > 0) this.#bySource.set(source, snapshot);
  }

  get all(): readonly Snapshot[] {
    return [...this.#bySource.values()];
  }
}

/** Walks snapshots file by file, as a restore does. */
export class ContentWalk {
  readonly #trees: TreeReader;
  readonly #breather: Breather;

  constructor(repository: Repository, { signal }: { signal: AbortSignal | undefined }) {
    this.#trees = openTrees(repository);
    this.#breather = new Breather(signal);
  }

  /** The chunks of all files below a folder, in order. Errors: those of damaged trees. */
  async *chunksBelow(folder: NodeReference | null): AsyncGenerator<DataExtent> {
    for await (const entries of this.#trees.entries(folder)) {
      for (const entry of entries) {
        if (entry.type === 'directory') yield* this.chunksBelow(entry.node);
        else if (entry.type === 'file') yield* this.#chunksOf(entry.content);
      }
      buffersDropped(garbagePerLeafBytes);
    }
  }

  async *#chunksOf(content: Content): AsyncGenerator<DataExtent> {
    await this.#breather.breathe();
    for await (const extents of this.#trees.extents(content)) {
      for (const extent of extents) if (extent.kind === 'data') yield extent;
      if (content.form === 'node') buffersDropped(garbagePerLeafBytes);
    }
  }
}

/**
 * What restoring a snapshot reads more than it needs, pack by pack; adds the names of its chunks to `filter`. A restore goes from file to file and keeps a few blocks open: a chunk
 * in none of the packs that were read last costs a block. Null if it is not much.
 */
export async function costlyPacks(
  { chunks, filter }: { chunks: AsyncIterable<DataExtent>; filter: NameFilter },
  blockSizeBytes: number,
): Promise<ReadonlySet<PackId> | null> {
  const { scatteredRatio, scatteredBlocks, streams } = repackLimits;
  const uses = new Map<PackId, { needed: number; read: number }>();
  const recent = new Set<PackId>();
  const total = { needed: 0, read: 0 };
  for await (const { name, pack, length } of chunks) {
    filter.add(name, 0);
    const read = recent.has(pack) ? length : Math.max(length, blockSizeBytes);
    recent.delete(pack);
    recent.add(pack);
    if (recent.size > streams) recent.delete(recent.values().next().value!);
    const use = uses.get(pack) ?? { needed: 0, read: 0 };
    uses.set(pack, use);
    for (const sum of [use, total]) {
      sum.needed += length;
      sum.read += read;
    }
  }
  const isMuch = ({ needed, read }: { needed: number; read: number }) => read > scatteredRatio * needed;
  if (!isMuch(total) || total.read - total.needed <= scatteredBlocks * blockSizeBytes) return null;
  return new Set([...uses].filter(([, use]) => isMuch(use)).map(([pack]) => pack));
}
