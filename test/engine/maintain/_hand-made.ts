/** Packs, nodes, index tables and commits that are made by hand, in a repository in memory: for tests of the parts of a collector, which take milliseconds. */
import type { Test } from 'tap';
import { type MergedRows, openMergedRows, writeIndexTable } from '../../../engine/index/mod.ts';
import { createKernel, type Kernel } from '../../../engine/kernel/mod.ts';
import { storeBaseIndex } from '../../../engine/maintain/_base-index.ts';
import type { Losses } from '../../../engine/maintain/_losses.ts';
import type { Replacements } from '../../../engine/maintain/_replacements.ts';
import { BlockCompressor, PackReader, PackWriter, type StoredPack } from '../../../engine/packs/mod.ts';
import { contextOf } from '../../../engine/repository/_context.ts';
import { createSealed } from '../../../engine/repository/_sealed-objects.ts';
import { type Repository, readRoot, type SessionIndexTable } from '../../../engine/repository/mod.ts';
import {
  type ByteRange,
  type CallOptions,
  type GetOptions,
  InMemory,
  type ListOptions,
  type Storage,
  withOverrides,
} from '../../../engine/storage/mod.ts';
import {
  type Extent,
  encodeSnapshot,
  type NodeReference,
  NodeWriter,
  objectNames,
  type PackId,
  type PackKind,
  type Root,
  type SessionId,
  type Snapshot,
} from '../../../repo-format/mod.ts';
import { randomBytesOf } from '../random.ts';
import { advanceRoot, makeRepository, namesIn, randomId, replaceObject, sampleSnapshot } from '../repository/sample.ts';
import { withFlippedBit } from '../storage/faulty-storage.ts';
import { fileNamed } from '../trees/_tree-parts.ts';

export interface Chunk {
  readonly name: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface PackOptions {
  readonly kind?: PackKind;
  readonly role?: 'writer' | 'collector';
  /** Whether blocks are compressed, where it pays. */
  readonly isCompressed?: boolean;
}

export interface SessionPlace {
  readonly id: SessionId;
  readonly generation: number;
}

export class HandMade {
  readonly repository: Repository;
  readonly #kernel: Kernel;

  private constructor(repository: Repository) {
    this.repository = repository;
    const { nameKey, metadataNameKey, cutKey } = repository.keys;
    const cutting = repository.configuration.chunker;
    this.#kernel = createKernel({ dataSizeBytes: 1 << 21, nameKey, metadataNameKey, cutKey, cutting });
  }

  static async create(storage: Storage = new InMemory()): Promise<HandMade> {
    return new HandMade(await makeRepository(storage));
  }

  /** The same repository at another place. */
  static over(repository: Repository, storage: Storage): HandMade {
    return new HandMade({ ...repository, storage });
  }

  get storage(): Storage {
    return this.repository.storage;
  }

  /** Bytes that a seed determines, under the name that the repository's keys give them. */
  chunk(seed: string, sizeBytes = 100): Chunk {
    return this.chunkOf(randomBytesOf(seed, sizeBytes));
  }

  chunkOf(bytes: Uint8Array): Chunk {
    return this.#named(bytes, 'pack');
  }

  chunks(seed: string, count: number, sizeBytes = 100): Chunk[] {
    return Array.from({ length: count }, (_, index) => this.chunk(`${seed} ${index}`, sizeBytes));
  }

  /** Stores a pack of these blocks. */
  async pack(
    blocks: readonly (readonly Chunk[])[],
    { kind = 'pack', role = 'writer', isCompressed = false }: PackOptions = {},
  ): Promise<StoredPack> {
    const { storage, keys } = this.repository;
    const writer = new PackWriter({ storage, keys, kind, role });
    for (const chunks of blocks)
      await writer.write({
        ...new BlockCompressor(isCompressed ? 'zstd:3' : 'none').compress(Buffer.concat(chunks.map(({ bytes }) => bytes)), () => false),
        chunkLengths: Uint32Array.from(chunks, ({ bytes }) => bytes.length),
        names: Buffer.concat(chunks.map(({ name }) => name)),
      });
    return (await writer.close())!;
  }

  /** Stores nodes as a pack of metadata of one block; returns a reference to each. */
  async nodes(...nodes: readonly Uint8Array[]): Promise<{ pack: StoredPack; references: NodeReference[]; chunks: Chunk[] }> {
    const chunks = nodes.map((node) => this.#named(node, 'metadata-pack'));
    const pack = await this.pack([chunks], { kind: 'metadata-pack' });
    return { pack, chunks, references: chunks.map(({ name }) => ({ name, pack: pack.pack })) };
  }

  /** A table of a session of generation 0, or another one. */
  async table(packs: readonly StoredPack[], { id = randomId<SessionId>(), generation = 0 } = {}): Promise<SessionIndexTable> {
    const name = objectNames.sessionIndex(generation, id, 0, 0);
    const sizeBytes = await writeIndexTable(this.storage, { name, keys: this.repository.keys, packs });
    return { name, generation, session: id, from: 0, to: 0, sizeBytes };
  }

  /** Replaces the root by one with a base index that lists these packs. */
  async base(packs: readonly StoredPack[], { replaced = new Map() }: { replaced?: Replacements } = {}): Promise<Root> {
    const root = await readRoot(this.repository);
    const table = await this.table(packs);
    const baseIndex = await storeBaseIndex(this.repository, root, { tables: [table.name], without: new Set(), replaced });
    await this.storage.delete([table.name]);
    return advanceRoot(this.repository, { baseIndex });
  }

  /** The rows of tables as one. */
  rows(...tables: readonly { readonly name: string }[]): Promise<MergedRows> {
    return openMergedRows(this.storage, { keys: this.repository.keys, tables: tables.map(({ name }) => name) });
  }

  /** A folder with a file of each of these lists of extents, in a pack of its own. */
  async folder(...files: readonly (readonly Extent[])[]): Promise<{ pack: StoredPack; reference: NodeReference }> {
    const writer = new NodeWriter('directory', 0);
    for (const [index, extents] of files.entries()) {
      const size = extents.reduce((sum, { length }) => sum + length, 0);
      writer.addEntry(fileNamed(`file-${index}`, { size, content: { form: 'inline', extents } }));
    }
    const { pack, references } = await this.nodes(writer.finish());
    return { pack, reference: references[0]! };
  }

  /** The snapshot of a session that lists these packs. Its tree is none that can be read, if not said otherwise: a list tells what is needed. */
  async snapshot(session: SessionPlace, packs: readonly PackId[], changes: Partial<Snapshot> = {}): Promise<Snapshot> {
    if (packs.length === 0) return sampleSnapshot(session, { tree: null, packs: null, listPacks: [], ...changes });
    const { reference } = await this.packList(packs);
    const listPacks = [reference.pack];
    return sampleSnapshot(session, { tree: reference, packs: { ...reference, height: 0, count: packs.length }, listPacks, ...changes });
  }

  /** A commit that lists these packs, as it is stored, whether or not it counts. */
  async commit(packs: readonly PackId[], changes: Partial<Snapshot> = {}, session?: SessionPlace) {
    const { id, generation } = session ?? (await this.session());
    const snapshot = await this.snapshot({ id, generation }, packs, changes);
    const name = objectNames.snapshot(generation, id);
    await createSealed(contextOf(this.repository), name, { kind: 'snapshot', payload: encodeSnapshot(snapshot) });
    return { id, generation, name, snapshot };
  }

  /** A checkpoint of just now. */
  async checkpoint(packs: readonly PackId[], changes: Partial<Snapshot> = {}, session?: SessionPlace & { readonly number?: number }) {
    const { id, generation, number = 0 } = session ?? (await this.session());
    const ended = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };
    const snapshot = await this.snapshot({ id, generation }, packs, { partial: true, ended, ...changes });
    const name = objectNames.checkpoint(generation, id, number);
    await createSealed(contextOf(this.repository), name, { kind: 'checkpoint', payload: encodeSnapshot(snapshot) });
    return { id, generation, name, number, snapshot };
  }

  /** One of the present generation. */
  async session(): Promise<SessionPlace & { readonly number?: number }> {
    return { id: randomId<SessionId>(), generation: (await readRoot(this.repository)).generation };
  }

  /** A leaf of a list of packs, in a pack of its own. */
  async packList(packs: readonly PackId[]): Promise<{ pack: StoredPack; reference: NodeReference; chunk: Chunk }> {
    const stored = await this.nodes(packListNode(packs));
    return { pack: stored.pack, reference: stored.references[0]!, chunk: stored.chunks[0]! };
  }

  /** The bytes of a chunk as a pack holds it; undefined if it does not. */
  async chunkIn(pack: PackId, { name }: Chunk, kind: PackKind = 'pack'): Promise<Uint8Array | undefined> {
    const reader = new PackReader({ storage: this.storage, keys: this.repository.keys });
    const open = await reader.open(pack, kind);
    return open.chunks.get(name, 0) < 0 ? undefined : (await reader.chunk(name, pack, kind)).slice();
  }

  /** One bit of an object flips. Bytes from `offset` on: below 0 from its end on. */
  async damage(name: string, offset: number): Promise<void> {
    const bytes = await this.storage.get(name);
    await replaceObject(this.storage, name, withFlippedBit(bytes, 8 * (offset < 0 ? bytes.length + offset : offset)));
  }

  /** A bit of the first block of a pack flips: the list of what it holds stays good. */
  damageBlock(pack: PackId): Promise<void> {
    return this.damage(objectNames.pack(pack), 120);
  }

  removePack(...packs: readonly PackId[]): Promise<void> {
    return this.storage.delete(packs.map(objectNames.pack));
  }

  names(prefix?: string): Promise<string[]> {
    return namesIn(this.storage, prefix);
  }

  #named(bytes: Uint8Array, kind: PackKind): Chunk {
    const target = this.#kernel.data.length - 32;
    this.#kernel.data.set(bytes);
    if (kind === 'pack') this.#kernel.name(0, bytes.length, target);
    else this.#kernel.metadataName(0, bytes.length, target);
    return { name: this.#kernel.data.slice(target), bytes };
  }
}

export function packListNode(packs: readonly PackId[]): Uint8Array {
  const writer = new NodeWriter('pack-list', 0);
  for (const pack of packs.toSorted()) writer.addPack(pack);
  return writer.finish();
}

/** An inner node of a list of packs over these leaves. */
export function innerPackList(children: readonly { readonly node: NodeReference; readonly packs: readonly PackId[] }[]): Uint8Array {
  const writer = new NodeWriter('pack-list', 1);
  for (const { node, packs } of children) writer.addInnerPackList({ lastPack: packs.toSorted().at(-1)!, packsBelow: packs.length, node });
  return writer.finish();
}

/** The extent of a chunk in a pack. */
export const extentOf = ({ name, bytes }: Chunk, { pack }: StoredPack): Extract<Extent, { kind: 'data' }> => ({
  kind: 'data',
  name,
  length: bytes.length,
  pack,
});

export function lossesOf(changes: Partial<Losses>): Losses {
  return { before: new Map(), reports: [], lost: new Map(), unknown: new Set(), sound: new Set(), unasked: new Set(), ...changes };
}

/** Changes limits for one test. */
export function withLimits<Limits extends object>(
  t: Pick<Test, 'teardown'>,
  limits: Limits,
  changes: Partial<Record<keyof Limits, number>>,
): void {
  const before = { ...limits };
  Object.assign(limits, changes);
  t.teardown(() => Object.assign(limits, before));
}

export const hexOf = (names: readonly Uint8Array[]): string[] => names.map((name) => Buffer.from(name).toString('hex')).sort();

/** A storage that notes which listings, and which reads and writes of other objects than packs and tables, come without the signal. */
export function signalsOf(storage: Storage, signal: AbortSignal): { storage: Storage; without: string[] } {
  const without: string[] = [];
  const note = (what: string, name: string, options: CallOptions | undefined) => {
    if (options?.signal !== signal && (what === 'list' || !/index\/.*\/|packs\/.*\/|collector\/index\/./.test(name)))
      without.push(`${what} ${name}`);
  };
  const spy = withOverrides(storage, {
    get: (name: string, range?: ByteRange, options?: GetOptions) => {
      note('get', name, options);
      return storage.get(name, range, options);
    },
    create: (name: string, parts: readonly Uint8Array[], options?: CallOptions) => {
      note('create', name, options);
      return storage.create(name, parts, options);
    },
    list: (prefix: string, options?: ListOptions) => {
      note('list', prefix, options);
      return storage.list(prefix, options);
    },
  });
  return { storage: spy, without };
}
