/**
 * Makes repositories that no writer makes: everything is sealed with the right keys, and says what the test wants.
 */
import { randomBytes } from 'node:crypto';
import { createBLAKE3 } from 'hash-wasm';
import { createRepository, openRepository, type Repository } from '../../engine/mod.ts';
import { InMemory } from '../../engine/storage/mod.ts';
import * as format from '../../repo-format/mod.ts';

export const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;

export interface ForgedBlock {
  readonly chunks: readonly Uint8Array[];
  readonly codec?: format.Codec;
  /** Default: the chunks one after another. */
  readonly payload?: Uint8Array;
  /** What the contents say, where it differs from the block. */
  readonly row?: Partial<format.PackBlock>;
  /** Names, where they differ from those of the chunks. */
  readonly names?: readonly Uint8Array[];
  /** All of the block, instead of what the other fields make. */
  readonly plaintext?: Uint8Array;
}

export interface ForgedPack {
  /** Default: a new one of a writer's pack. */
  readonly id?: format.PackId;
  /** The plaintext of the table of contents. */
  readonly contents?: Uint8Array;
}

type Hasher = Awaited<ReturnType<typeof createBLAKE3>>;

export class Forge {
  readonly storage: InMemory;
  readonly repositoryId: Uint8Array;
  readonly epoch: number;
  readonly #master: Uint8Array;
  readonly #hashers: Readonly<Record<format.PackKind, Hasher>>;

  private constructor(fields: {
    storage: InMemory;
    repositoryId: Uint8Array;
    epoch: number;
    master: Uint8Array;
    hashers: Record<format.PackKind, Hasher>;
  }) {
    this.storage = fields.storage;
    this.repositoryId = fields.repositoryId;
    this.epoch = fields.epoch;
    this.#master = fields.master;
    this.#hashers = fields.hashers;
  }

  /** A new repository without snapshots. */
  static async create(): Promise<Forge> {
    const storage = new InMemory();
    await createRepository(storage, { slots: [{ secret, label: 'test' }] });
    const { repositoryId } = format.decodeFormatFile(await storage.get(format.objectNames.format));
    const { epoch, master } = await readMaster(storage, repositoryId);
    const hasher = (key: 'name' | 'metadataName') => createBLAKE3(256, format.deriveKey(master, repositoryId, key));
    const hashers = { pack: await hasher('name'), 'metadata-pack': await hasher('metadataName') };
    return new Forge({ storage, repositoryId, epoch, master, hashers });
  }

  open(mode: 'read' | 'write' = 'read'): Promise<Repository> {
    return openRepository(this.storage, { secret, mode });
  }

  /** The name that a chunk should have. */
  nameOf(chunk: Uint8Array, kind: format.PackKind): Uint8Array {
    return this.#hashers[kind].init().update(chunk).digest('binary');
  }

  /** Stores a small sealed object. */
  async seal(name: string, kind: format.ObjectKind, payload: Uint8Array): Promise<Uint8Array> {
    const bytes = format.sealObject({ ...this.#header(name, kind), classKey: this.#classKey(kind) }, payload);
    await this.storage.create(name, [bytes]);
    return bytes;
  }

  /** The same repository at a place of its own. */
  async fork(): Promise<Forge> {
    const storage = new InMemory();
    for await (const { name } of this.storage.list('')) await storage.create(name, [await this.storage.get(name)]);
    return new Forge({ storage, repositoryId: this.repositoryId, epoch: this.epoch, master: this.#master, hashers: this.#hashers });
  }

  async pack(
    kind: format.PackKind,
    blocks: readonly ForgedBlock[],
    { id = newPackId(), contents }: ForgedPack = {},
  ): Promise<format.PackId> {
    const rows: format.PackBlock[] = [];
    let offset: number = format.sealedLayout.headerSizeBytes;
    const segments = blocks.map((block) => {
      const row = this.#row(block, kind);
      const prefix = () => format.encodeBlockPrefix({ codec: row.codec, rawLength: row.rawLength, chunkLengths: row.chunkLengths });
      const plaintext = block.plaintext ?? format.concatBytes([prefix(), block.payload ?? format.concatBytes(block.chunks)]);
      rows.push({ ...row, offset, sealedLength: plaintext.length + format.sealedLayout.tagSizeBytes, ...block.row });
      offset += plaintext.length + format.segmentOverheadBytes;
      return plaintext;
    });
    await this.segmented(format.objectNames.pack(id), kind, { segments, contents: contents ?? format.encodePackContents(rows) });
    return id;
  }

  /** Stores a pack or an index table of such plaintexts. */
  async segmented(
    name: string,
    kind: format.ObjectKind,
    { segments, contents }: { segments: readonly Uint8Array[]; contents: Uint8Array },
  ): Promise<void> {
    const header = format.sealedHeader(this.#header(name, kind));
    const key = format.objectKey(this.#classKey(kind), header);
    const parts = [header];
    let offset = header.length;
    const append = (number: number, plaintext: Uint8Array) => {
      parts.push(format.sealSegment(key, header, { number, offset }, [plaintext]));
      offset += parts.at(-1)!.length;
    };
    for (const [number, plaintext] of segments.entries()) append(number, plaintext);
    const place = { offset, length: contents.length + format.sealedLayout.tagSizeBytes };
    append(format.contentsSegmentNumber, contents);
    await this.storage.create(name, [...parts, format.sealedFooter(place)]);
  }

  /** Stores nodes as one pack and gives a reference to each. */
  async nodes(nodes: readonly Uint8Array[]): Promise<format.NodeReference[]> {
    const pack = await this.pack('metadata-pack', [{ chunks: nodes }]);
    return nodes.map((node) => ({ pack, name: this.nameOf(node, 'metadata-pack') }));
  }

  async snapshot(tree: format.NodeReference, packs: readonly format.PackId[]): Promise<format.Snapshot> {
    const list = format.encodeNode({ kind: 'pack-list', height: 0, items: [...packs].sort() });
    const [reference] = await this.nodes([list]);
    const session = format.idFromBytes<format.SessionId>(randomBytes(16));
    const snapshot = {
      ...emptySnapshot(session),
      tree,
      packs: { ...reference!, height: 0, count: packs.length },
      listPacks: [reference!.pack],
    };
    await this.seal(format.objectNames.snapshot(0, session), 'snapshot', format.encodeSnapshot(snapshot));
    return snapshot;
  }

  #row({ chunks, codec = 'raw', names }: ForgedBlock, kind: format.PackKind): format.PackBlock {
    return {
      offset: 0,
      sealedLength: 0,
      codec,
      rawLength: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      chunkLengths: Uint32Array.from(chunks, (chunk) => chunk.length),
      names: format.concatBytes(names ?? chunks.map((chunk) => this.nameOf(chunk, kind))),
    };
  }

  #header(name: string, kind: format.ObjectKind): format.SealedHeader {
    return { kind, epoch: this.epoch, repositoryId: this.repositoryId, objectId: format.objectIdOf(name), salt: randomBytes(32) };
  }

  #classKey(kind: format.ObjectKind): Uint8Array {
    return format.deriveKey(this.#master, this.repositoryId, format.usesDataKey(kind) ? 'data' : 'metadata');
  }
}

export function emptySnapshot(session: format.SessionId): format.Snapshot {
  const time = { seconds: 1_700_000_000, nanoseconds: 0 };
  const statistics = { files: 0, directories: 0, others: 0, bytes: 0, newBytes: 0, storedBytes: 0, chunks: 0, newChunks: 0, errors: 0 };
  return {
    session,
    generation: 0,
    started: time,
    ended: time,
    host: 'h',
    user: 'u',
    paths: [],
    tags: [],
    description: '',
    program: 'test',
    tree: null,
    packs: null,
    listPacks: [],
    parent: null,
    source: '',
    partial: false,
    statistics,
    errors: [],
    extensions: {},
  };
}

function newPackId(): format.PackId {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  return format.idFromBytes(bytes);
}

async function readMaster(storage: InMemory, repositoryId: Uint8Array): Promise<{ epoch: number; master: Uint8Array }> {
  const slotName = await firstName(storage, format.objectPrefixes.keySlots);
  const slot = format.decodeKeySlot(await storage.get(slotName), slotName);
  if (slot.kind !== 'key-file') throw new Error('the slot is not the one that was made');
  const accessKey = format.openKeySlot(slot, format.keyFileEncryptionKey(secret.secret, slot.salt));
  const name = await firstName(storage, format.objectPrefixes.keyrings);
  const parsed = format.parseObjectName(name);
  if (parsed?.type !== 'keyring' || parsed.grants !== 'full') throw new Error(`${name} is no full keyring`);
  const keyring = format.decodeKeyring(await storage.get(name), 'full', { repositoryId, number: parsed.number, accessKey });
  return keyring.epochs.find(({ epoch }) => epoch === keyring.newest)!;
}

async function firstName(storage: InMemory, prefix: string): Promise<string> {
  for await (const { name } of storage.list(prefix)) return name;
  throw new Error(`nothing below ${prefix}`);
}
