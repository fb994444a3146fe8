/**
 * What can still be opened of a damaged pack, block by block. With the pack's contents it is known where each block lies; without them one block leads to the next: a block says how long
 * it is, opens in its own place only, and the names of its chunks are computed from their bytes.
 */
import {
  contentsSegmentNumber,
  decodePackContents,
  footerLayout,
  isLaganError,
  limits,
  objectIdOf,
  objectKey,
  objectNames,
  type PackBlock,
  type PackId,
  type PackKind,
  parseSealedHeader,
  sealedLayout,
} from '../../repo-format/mod.ts';
import { openSegmentedObject, openSegmentOf, readSegment, type SegmentedObject } from '../objects/mod.ts';
import { BlockVerifier, isDamage, type NamedBlock } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';

/** A block that can be opened, or (null) one that cannot, with the number of its chunks, if that is known. */
export type FoundBlock = { readonly block: NamedBlock } | { readonly block: null; readonly lostChunks: number | null };

/** A damaged pack whose header is good. */
export interface DamagedPack {
  readonly kind: PackKind;
  readonly object: SegmentedObject;
}

const { lengthFieldSizeBytes, tagSizeBytes, smallestSealedLength, headerSizeBytes } = sealedLayout;
const largestSealedLength = limits.blockPlaintextSizeBytes + tagSizeBytes;

export class DamagedPackReader {
  readonly #repository: Repository;
  readonly #verifier: BlockVerifier;

  /** Code: no-key, where the key grants metadata only. */
  constructor(repository: Repository) {
    const { keys, configuration } = repository;
    const { nameKey, metadataNameKey, cutKey } = keys;
    this.#repository = repository;
    this.#verifier = new BlockVerifier({ nameKey, metadataNameKey, cutKey, cutting: configuration.chunker });
  }

  /** Undefined if the pack is gone, or its header is damaged, without which nothing of it can be opened. */
  async open(pack: PackId): Promise<DamagedPack | undefined> {
    const { storage, keys } = this.#repository;
    const name = objectNames.pack(pack);
    try {
      const sizeBytes = await storage.size(name);
      const header = await storage.get(name, { offset: 0, length: headerSizeBytes });
      const { kind, epoch } = parseSealedHeader(header, { repositoryId: keys.repositoryId, objectId: objectIdOf(name) }, name);
      if (kind !== 'pack' && kind !== 'metadata-pack') return undefined;
      return { kind, object: { name, header, key: objectKey(keys.classKey(kind, epoch), header), sizeBytes } };
    } catch (error) {
      return undefinedIfLost(error);
    }
  }

  /** All blocks, in order. Views, valid until the next one. Codes: those of the storage, but not of damage. */
  async *blocks(pack: DamagedPack): AsyncGenerator<FoundBlock> {
    const contents = await this.#contentsOf(pack);
    if (contents === undefined) yield* this.#byLengths(pack);
    else yield* this.#byContents(pack, contents);
  }

  async #contentsOf({ kind, object: { name } }: DamagedPack): Promise<PackBlock[] | undefined> {
    const { storage, keys } = this.#repository;
    try {
      const { contents } = await openSegmentedObject(storage, { name, kind, keys });
      return decodePackContents(contents, name, { kind });
    } catch (error) {
      return undefinedIfLost(error);
    }
  }

  async *#byContents({ kind, object }: DamagedPack, contents: readonly PackBlock[]): AsyncGenerator<FoundBlock> {
    for (const [number, place] of contents.entries()) {
      const { chunkLengths, names } = place;
      let found: FoundBlock = { block: null, lostChunks: chunkLengths.length };
      try {
        const plaintext = await readSegment(this.#repository.storage, object, { number, place });
        found = { block: { ...this.#verifier.verify(plaintext, place, { kind, objectName: object.name }), chunkLengths, names } };
      } catch (error) {
        undefinedIfLost(error);
      }
      yield found;
    }
  }

  /** Ends where the contents were, or where a length is none. */
  async *#byLengths({ kind, object }: DamagedPack): AsyncGenerator<FoundBlock> {
    let offset: number = headerSizeBytes;
    for (let number = 0; number < limits.blocksPerPack; number++) {
      const stored = await this.#storedAt(object, offset);
      if (stored === undefined) return;
      const plaintext = openedAt(object, { number, offset }, stored);
      if (plaintext === undefined && isContents(object, { offset, stored })) return;
      const block = plaintext && this.#named(plaintext, { kind, objectName: object.name });
      yield block === undefined ? { block: null, lostChunks: null } : { block };
      offset += stored.length;
    }
  }

  /** The segment at an offset, as long as it says that it is; undefined if it cannot be so long, or cannot be read. */
  async #storedAt({ name, sizeBytes }: SegmentedObject, offset: number): Promise<Uint8Array | undefined> {
    const { storage } = this.#repository;
    if (offset + lengthFieldSizeBytes > sizeBytes) return undefined;
    try {
      const field = await storage.get(name, { offset, length: lengthFieldSizeBytes });
      const sealedLength = new DataView(field.buffer, field.byteOffset).getUint32(0, true);
      const length = lengthFieldSizeBytes + sealedLength;
      const isPossible = sealedLength >= smallestSealedLength && sealedLength <= largestSealedLength && offset + length <= sizeBytes;
      return isPossible ? await storage.get(name, { offset, length }) : undefined;
    } catch (error) {
      return undefinedIfLost(error);
    }
  }

  #named(plaintext: Uint8Array, where: { kind: PackKind; objectName: string }): NamedBlock | undefined {
    try {
      return this.#verifier.nameAnew(plaintext, where);
    } catch (error) {
      return undefinedIfLost(error);
    }
  }
}

/** Whether a segment that is no block is the contents: it opens as such, or ends where the footer begins. */
function isContents(object: SegmentedObject, { offset, stored }: { offset: number; stored: Uint8Array }): boolean {
  if (offset + stored.length === object.sizeBytes - footerLayout.sizeBytes) return true;
  return openedAt(object, { number: contentsSegmentNumber, offset }, stored) !== undefined;
}

function openedAt(object: SegmentedObject, place: { number: number; offset: number }, stored: Uint8Array): Uint8Array | undefined {
  try {
    return openSegmentOf(object, place, stored);
  } catch (error) {
    return undefinedIfLost(error);
  }
}

/** Undefined for what is damaged, gone, or on a disk that cannot read it; other errors, such as of a store that does not answer, are thrown. */
function undefinedIfLost(error: unknown): undefined {
  const isLost = isLaganError(error, 'not-found') || isLaganError(error, 'io') || isLaganError(error, 'repository-too-new');
  if (isDamage(error) || isLost) return undefined;
  throw error;
}
