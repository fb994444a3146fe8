/** Opens the objects of a repository with repo-format and the store alone, to look at what a writer stored. */

import { decompressPayload } from '../../engine/packs/compression.ts';
import type { Storage } from '../../engine/storage/mod.ts';
import * as format from '../../repo-format/mod.ts';

export interface StoredPack {
  readonly id: format.PackId;
  readonly sizeBytes: number;
  readonly kind: format.PackKind;
  readonly blocks: readonly format.PackBlock[];
  readonly object: OpenedObject;
}

export interface StoredTable {
  readonly contents: format.IndexContents;
  /** Hex, in order. */
  readonly names: readonly string[];
  readonly sample: readonly string[];
  readonly filter: Uint8Array;
  readonly filterBlocks: number;
}

export interface StoredNode {
  readonly reference: format.NodeReference;
  readonly bytes: Uint8Array;
  readonly node: format.Node;
  /** The last of its height in its tree, which may end anywhere. */
  readonly isLast: boolean;
}

interface OpenedObject {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly header: format.SealedHeader;
  readonly key: Uint8Array;
}

export class StoredRepository {
  readonly #storage: Storage;
  readonly #repositoryId: Uint8Array;
  readonly #keyring: format.FullKeyring;
  readonly #packs = new Map<format.PackId, StoredPack>();

  private constructor(storage: Storage, repositoryId: Uint8Array, keyring: format.FullKeyring) {
    this.#storage = storage;
    this.#repositoryId = repositoryId;
    this.#keyring = keyring;
  }

  static async open(storage: Storage, secret: Uint8Array): Promise<StoredRepository> {
    const { repositoryId } = format.decodeFormatFile(await storage.get(format.objectNames.format));
    const names = await namesBelow(storage, format.objectPrefixes.keySlots);
    const slots = await Promise.all(names.map(async (name) => format.decodeKeySlot(await storage.get(name), name)));
    const slot = slots.find(({ kind }) => kind === 'key-file');
    if (slot?.kind !== 'key-file') throw new Error('there is no slot for a key file');
    const accessKey = format.openKeySlot(slot, format.keyFileEncryptionKey(secret, slot.salt));
    const name = (await namesBelow(storage, format.objectPrefixes.keyrings)).filter((one) => one.endsWith('-full')).at(-1)!;
    const number = Number.parseInt(name.slice(-13, -5), 16);
    return new StoredRepository(
      storage,
      repositoryId,
      format.decodeKeyring(await storage.get(name), 'full', { repositoryId, number, accessKey }),
    );
  }

  async sealedObjects(): Promise<OpenedObject[]> {
    const clear = ['owner/format', 'owner/keys/', 'owner/keyring/'];
    const names = (await namesBelow(this.#storage, '')).filter(
      (name) => format.parseObjectName(name) !== null && !clear.some((prefix) => name.startsWith(prefix)),
    );
    return Promise.all(names.map((name) => this.#open(name)));
  }

  async packs(): Promise<StoredPack[]> {
    const names = await namesBelow(this.#storage, format.objectPrefixes.writerPacks);
    return Promise.all(names.map((name) => this.#pack(name.slice(-32) as format.PackId)));
  }

  async indexTables(): Promise<StoredTable[]> {
    return Promise.all((await namesBelow(this.#storage, format.objectPrefixes.sessionIndexes)).map((name) => this.#table(name)));
  }

  async snapshots(): Promise<format.Snapshot[]> {
    const names = await namesBelow(this.#storage, format.objectPrefixes.snapshots);
    return Promise.all(
      names.map(async (name) => format.decodeSnapshot(this.#segment(await this.#open(name), { number: 0, offset: 80 }), name)),
    );
  }

  async listedPacks({ packs }: format.Snapshot): Promise<format.PackId[]> {
    const found: format.PackId[] = [];
    for await (const { node } of this.nodes(packs!)) if (node.kind === 'pack-list' && node.leaf) found.push(...node.items);
    return found;
  }

  /** All nodes below a reference: of the tree itself, of subdirectories and of contents. */
  async *nodes(
    reference: format.NodeReference,
    parent?: { node: format.Node; index: number; isLast: boolean },
  ): AsyncGenerator<StoredNode> {
    const bytes = await this.#chunk(reference);
    const node = format.decodeNode(bytes);
    if (parent !== undefined) format.expectChild(parent.node, parent.index, node);
    const isLast = parent === undefined || (parent.isLast && parent.index === parent.node.items.length - 1);
    yield { reference, bytes, node, isLast };
    for (const [index, item] of node.items.entries()) {
      const child = childOf(item);
      if (child !== null) yield* this.nodes(child, node.leaf ? undefined : { node, index, isLast });
    }
  }

  async #chunk({ pack, name }: format.NodeReference): Promise<Uint8Array> {
    const { blocks, object, kind } = this.#packs.get(pack) ?? (await this.#pack(pack));
    for (const [number, row] of blocks.entries()) {
      const index = indexOfName(row.names, name);
      if (index < 0) continue;
      const block = format.decodeBlock(this.#segment(object, { number, offset: row.offset, length: row.sealedLength }), object.name, kind);
      format.expectBlock(block, row, object.name);
      const raw = decompressPayload(block.payload, { codec: block.codec, rawLength: block.rawLength, objectName: object.name });
      const start = block.chunkLengths.slice(0, index).reduce((sum, length) => sum + length, 0);
      return raw.slice(start, start + block.chunkLengths[index]!);
    }
    throw new Error(`chunk ${format.toHex(name)} is not in ${pack}`);
  }

  async #pack(id: format.PackId): Promise<StoredPack> {
    const object = await this.#open(format.objectNames.pack(id));
    const { contents, offset } = this.#contents(object);
    const kind = object.header.kind as format.PackKind;
    const pack = {
      id,
      sizeBytes: object.bytes.length,
      kind,
      object,
      blocks: format.decodePackContents(contents, object.name, { kind, contentsOffset: offset }),
    };
    this.#packs.set(id, pack);
    return pack;
  }

  async #table(name: string): Promise<StoredTable> {
    const object = await this.#open(name);
    const { contents: payload, offset } = this.#contents(object);
    const contents = format.decodeIndexContents(payload, name, offset);
    const { packs, pages, filter, sample } = format.indexSegments(contents);
    const read = (run: format.SegmentRun) =>
      Array.from({ length: format.segmentCount(run) }, (_, index) => {
        const { number, place, items } = format.segmentAt(run, index);
        return { items, bytes: this.#segment(object, { number, offset: place.offset, length: place.sealedLength }) };
      });
    for (const { bytes } of read(packs)) format.decodePackRows(bytes, name);
    const firstName = (page: number) => contents.firstNames.subarray(page * 32, page * 32 + 32);
    const rows = read(pages).flatMap(({ items, bytes }, page) => {
      const below = page + 1 < format.segmentCount(pages) ? firstName(page + 1) : undefined;
      return this.#names(bytes, { packs: contents.packs, rows: items, firstName: firstName(page), below });
    });
    const filterBytes = format.concatBytes(read(filter).map(({ bytes }) => bytes));
    return {
      contents,
      names: rows,
      filter: filterBytes,
      filterBlocks: filter.items,
      sample: read(sample).flatMap(({ items, bytes }) => this.#names(bytes, { packs: contents.packs, rows: items })),
    };
  }

  #names(page: Uint8Array, expect: format.RowsExpectation): string[] {
    return Array.from({ length: format.checkRows(page, expect) }, (_, index) => format.toHex(page.subarray(index * 36, index * 36 + 32)));
  }

  async #open(name: string): Promise<OpenedObject> {
    const bytes = await this.#storage.get(name);
    const header = format.parseSealedHeader(bytes, { repositoryId: this.#repositoryId, objectId: format.objectIdOf(name) }, name);
    const { master } = this.#keyring.epochs.find(({ epoch }) => epoch === header.epoch)!;
    const classKey = format.deriveKey(master, this.#repositoryId, format.usesDataKey(header.kind) ? 'data' : 'metadata');
    return { name, bytes, header, key: format.objectKey(classKey, bytes.subarray(0, 80)) };
  }

  #contents(object: OpenedObject): { contents: Uint8Array; offset: number } {
    const place = format.parseSealedFooter(object.bytes.subarray(-16), { objectName: object.name, fileSizeBytes: object.bytes.length });
    return { contents: this.#segment(object, { number: format.contentsSegmentNumber, ...place }), offset: place.offset };
  }

  #segment(
    { name, bytes, key }: OpenedObject,
    { number, offset, length }: { number: number; offset: number; length?: number },
  ): Uint8Array {
    const end = length === undefined ? bytes.length : offset + 4 + length;
    return format.openStoredSegment(key, bytes.subarray(0, 80), { number, offset, objectName: name }, bytes.subarray(offset, end));
  }
}

function childOf(item: format.Node['items'][number]): format.NodeReference | null {
  if (typeof item === 'string' || 'kind' in item) return null;
  if (!('type' in item)) return item.node;
  if (item.type === 'directory') return item.node;
  return item.type === 'file' && item.content.form === 'node' ? item.content.node : null;
}

function indexOfName(names: Uint8Array, name: Uint8Array): number {
  for (let index = 0; index * 32 < names.length; index++) if (format.compareNames(names, index * 32, name, 0) === 0) return index;
  return -1;
}

async function namesBelow(storage: Storage, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list(prefix)) names.push(name);
  return names;
}
