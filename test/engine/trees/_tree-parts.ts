/** A store of nodes in memory, as a backup has it, for one thread. */
import { randomBytes } from 'node:crypto';
import { ChunkTable, Deduplicator, PackTable, StoredIndex } from '../../../engine/index/mod.ts';
import { createKernel } from '../../../engine/kernel/mod.ts';
import { PackReader, type StoredPack } from '../../../engine/packs/mod.ts';
import { InMemory, type Storage } from '../../../engine/storage/mod.ts';
import { NodeStore, TreeBuilder, TreeReader, type TreeRoot } from '../../../engine/trees/mod.ts';
import { type Entry, type Extent, idFromBytes, noContent, noExtensions, type PackId } from '../../../repo-format/mod.ts';
import { testKeys as keys, randomBytesOf } from '../random.ts';

export interface TreeParts {
  readonly storage: Storage;
  readonly nodes: NodeStore;
  readonly reader: TreeReader;
  readonly stored: StoredPack[];
}

const kernelOf = (dataSizeBytes: number) =>
  createKernel({
    dataSizeBytes,
    nameKey: new Uint8Array(32).fill(1),
    metadataNameKey: new Uint8Array(32).fill(2),
    cutKey: new Uint8Array(32).fill(3),
    cutting: { horizonBytes: 1024, gridBytes: 4096 },
  });

export function treeParts(storage: Storage = new InMemory()): TreeParts {
  const packs = new PackTable();
  const packReader = new PackReader({ storage, keys });
  const deduplicator = new Deduplicator({
    written: new ChunkTable({ capacityRows: 1 << 14 }),
    packs,
    stored: new StoredIndex(storage, []),
    reader: packReader,
    kind: 'metadata-pack',
  });
  const stored: StoredPack[] = [];
  const nodes = new NodeStore({
    kernel: kernelOf(1 << 20),
    kernelOf,
    storage,
    keys,
    deduplicator,
    packs,
    onPack: (pack) => stored.push(pack),
  });
  return { storage, nodes, reader: new TreeReader(packReader), stored };
}

/** Nodes that were put since it was made. */
export function countingNodes(nodes: NodeStore): Pick<NodeStore, 'put'> & { readonly puts: number; readonly names: Set<string> } {
  const names = new Set<string>();
  const counting = {
    puts: 0,
    names,
    put: async (node: Uint8Array) => {
      counting.puts++;
      const reference = await nodes.put(node);
      names.add(Buffer.from(reference.name).toString('hex'));
      return reference;
    },
  };
  return counting;
}

export function fileNamed(name: string, changes: Partial<Extract<Entry, { type: 'file' }>> = {}): Entry {
  const time = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };
  const fields = { mode: 0o644, uid: 1000, gid: 1000, userName: 'user', groupName: 'users', mtime: time, ctime: time, inode: 12_345 };
  return {
    ...fields,
    name: new Uint8Array(Buffer.from(name)),
    type: 'file',
    size: 0,
    content: noContent,
    extensions: noExtensions,
    ...changes,
  };
}

/** `count` entries, names ascending. */
export function entries(count: number): Entry[] {
  return Array.from({ length: count }, (_, index) => fileNamed(`file-${String(index).padStart(7, '0')}`));
}

/** Extents of several kinds and lengths. */
export function extents(count: number): Extent[] {
  const names = randomBytesOf('extents', count * 32);
  const packs = Array.from({ length: 5 }, (_, index) => packNumber(index));
  return Array.from({ length: count }, (_, index): Extent => {
    if (index % 10 === 3) return { kind: 'hole', length: 1 + index };
    if (index % 10 === 7) return { kind: 'zeros', length: 4_096 };
    return { kind: 'data', length: 1_000 + (index % 77), name: names.slice(index * 32, index * 32 + 32), pack: packs[index % 5]! };
  });
}

export const packNumber = (number: number) => idFromBytes<PackId>(randomBytesOf(`pack ${number}`, 16));
export const randomPack = () => idFromBytes<PackId>(Uint8Array.from(randomBytes(16)));

export async function buildDirectory(nodes: Pick<NodeStore, 'put'>, all: readonly Entry[]): Promise<TreeRoot | undefined> {
  const builder = new TreeBuilder(nodes, 'directory');
  for (const entry of all) await builder.addEntry(entry);
  return builder.finish();
}

export async function buildContent(nodes: Pick<NodeStore, 'put'>, all: readonly Extent[]): Promise<TreeRoot | undefined> {
  const builder = new TreeBuilder(nodes, 'content');
  for (const extent of all) await builder.addExtent(extent);
  return builder.finish();
}

export async function gather<Item>(leaves: AsyncIterable<readonly Item[]>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const leaf of leaves) all.push(...leaf);
  return all;
}
