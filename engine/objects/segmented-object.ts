import { randomBytes } from 'node:crypto';
import {
  contentsSegmentNumber,
  equalBytes,
  footerLayout,
  isLaganError,
  LaganError,
  limits,
  type ObjectKind,
  objectIdOf,
  objectKey,
  openSegment,
  openStoredSegment,
  parseSealedFooter,
  parseSealedHeader,
  sealedFooter,
  sealedHeader,
  sealedLayout,
  sealSegment,
  segmentOverheadBytes,
} from '../../repo-format/mod.ts';
import { aead } from '../native/mod.ts';
import type { ObjectWriter, Storage } from '../storage/mod.ts';
import { isConcatenation, wrongBytes } from './verified.ts';

/** How much of an object's end is fetched at first: footer and contents of nearly all packs and small index tables. */
export const tailSizeBytes = 64 * 1024;

/** Which keys seal and open the objects of one repository. */
export interface SealingKeys {
  readonly repositoryId: Uint8Array;
  readonly newestEpoch: number;
  /** The key that objects of `kind` derive theirs from. Throws LaganError `no-key` where this key ring has none. */
  classKey(kind: ObjectKind, epoch: number): Uint8Array;
}

/** Where a segment stands in its object. */
export interface SegmentPlace {
  readonly offset: number;
  readonly sealedLength: number;
}

/** What {@link SegmentedObjectWriter} needs of a storage. */
export type ObjectTarget = Pick<Storage, 'createWriter' | 'get'>;

/** Where this thread opens again what it has sealed, to compare it with what went in. */
let openedAgain = new Uint8Array(0);

/**
 * Writes a pack or an index table: a clear header, sealed segments, a sealed table of contents, a footer (spec/sealed.md).
 * Nothing is visible in the store before {@link finish}; {@link abort} leaves nothing behind.
 *
 * A segment is opened again before it goes to the store. Code `io` if it is not what went in: the memory of the machine may be faulty.
 */
export class SegmentedObjectWriter {
  readonly name: string;
  readonly #storage: ObjectTarget;
  readonly #writer: ObjectWriter;
  readonly #header: Uint8Array;
  readonly #key: Uint8Array;
  #segments = 0;
  /** Where segments are sealed, one after another. */
  #buffer = new Uint8Array(0);

  static async create(
    storage: ObjectTarget,
    options: { name: string; kind: ObjectKind; keys: SealingKeys },
  ): Promise<SegmentedObjectWriter> {
    const { name, kind, keys } = options;
    const epoch = keys.newestEpoch;
    const header = sealedHeader({ kind, epoch, repositoryId: keys.repositoryId, objectId: objectIdOf(name), salt: randomBytes(32) });
    const key = objectKey(keys.classKey(kind, epoch), header);
    const writer = await storage.createWriter(name);
    await writer.append([header]);
    return new SegmentedObjectWriter(writer, { storage, name, header, key });
  }

  private constructor(
    writer: ObjectWriter,
    { storage, name, header, key }: { storage: ObjectTarget; name: string; header: Uint8Array; key: Uint8Array },
  ) {
    this.name = name;
    this.#storage = storage;
    this.#writer = writer;
    this.#header = header;
    this.#key = key;
  }

  get sizeBytes(): number {
    return this.#writer.sizeBytes;
  }

  get segments(): number {
    return this.#segments;
  }

  /** Seals the concatenation of `parts` as the next segment. `verify` false: without opening it again, where so much is written that some of it must do. */
  append(parts: Uint8Array[], { verify = true }: { verify?: boolean } = {}): Promise<SegmentPlace> {
    return this.#append(this.#segments++, parts, verify);
  }

  /** Writes the contents and the footer and makes the object visible, durably. */
  async finish(contents: Uint8Array): Promise<void> {
    const place = await this.#append(contentsSegmentNumber, [contents], true);
    await this.#writer.append([sealedFooter({ offset: place.offset, length: place.sealedLength })]);
    if ((await this.#writer.commit()) === 'created' || (await this.#isThere())) return;
    throw new LaganError('exists', `a new object was to be stored as ${this.name}, but one is there already`, { object: this.name });
  }

  abort(): Promise<void> {
    return this.#writer.abort();
  }

  /** A network may deliver a request twice, and the answer that comes may be the second one's. The salt in its header tells whose an object is, and it is there whole. */
  async #isThere(): Promise<boolean> {
    try {
      return equalBytes(await this.#storage.get(this.name, { offset: 0, length: this.#header.length }), this.#header);
    } catch (error) {
      if (isLaganError(error, 'not-found') || isLaganError(error, 'malformed')) return false;
      throw error;
    }
  }

  async #append(number: number, parts: Uint8Array[], verify: boolean): Promise<SegmentPlace> {
    const offset = this.#writer.sizeBytes;
    const into = this.#bufferOf(parts.reduce((sum, part) => sum + part.length, segmentOverheadBytes));
    const sealed = sealSegment(this.#key, this.#header, { number, offset }, parts, { aead: aead(), into });
    if (verify) this.#expectOpens({ number, offset }, sealed, parts);
    await this.#writer.append([sealed]);
    return { offset, sealedLength: this.#writer.sizeBytes - offset - sealedLayout.lengthFieldSizeBytes };
  }

  #expectOpens({ number, offset }: { number: number; offset: number }, sealed: Uint8Array, parts: readonly Uint8Array[]): void {
    const { name } = this;
    if (openedAgain.length < sealed.length) openedAgain = new Uint8Array(sealed.length);
    let opened: Uint8Array;
    try {
      opened = openStoredSegment(this.#key, this.#header, { number, offset, objectName: name }, sealed, {
        aead: aead(),
        into: openedAgain,
      });
    } catch (cause) {
      throw wrongBytes(name, 'sealed', cause);
    }
    if (!isConcatenation(parts, opened)) throw wrongBytes(name, 'sealed');
  }

  #bufferOf(size: number): Uint8Array {
    if (this.#buffer.length < size) this.#buffer = new Uint8Array(size);
    return this.#buffer;
  }
}

/** What a thread needs to read segments of an object without reading its header again; can be posted to workers. */
export interface SegmentedObject {
  readonly name: string;
  readonly header: Uint8Array;
  readonly key: Uint8Array;
  readonly sizeBytes: number;
}

/**
 * Opens a pack or an index table: header, footer and contents are read (usually by one request) and authenticated. What comes before the contents must end at `contentsOffset`.
 *
 * Errors: `not-found`, `malformed`, `limit-exceeded`, `authentication-failed`, `no-key`, and what the store says.
 */
export async function openSegmentedObject(
  storage: Storage,
  expected: { name: string; kind: ObjectKind; keys: SealingKeys; signal?: AbortSignal },
): Promise<{ object: SegmentedObject; contents: Uint8Array; contentsOffset: number }> {
  const { name, kind, keys, signal } = expected;
  const { bytes: tail, objectSizeBytes: sizeBytes } = await storage.getEnd(name, tailSizeBytes, { signal });
  const smallest = sealedLayout.headerSizeBytes + footerLayout.sizeBytes;
  if (sizeBytes < smallest)
    throw new LaganError('malformed', `${name} has ${sizeBytes} bytes; the smallest object of its kind has more`, {
      object: name,
      offset: 0,
      expected: `at least ${smallest} bytes`,
      found: sizeBytes,
    });
  const header =
    sizeBytes <= tail.length
      ? tail.subarray(0, sealedLayout.headerSizeBytes)
      : await storage.get(name, { offset: 0, length: sealedLayout.headerSizeBytes }, { signal });
  const { epoch } = parseSealedHeader(header, { kind, repositoryId: keys.repositoryId, objectId: objectIdOf(name) }, name);
  const object = { name, header: header.slice(), key: objectKey(keys.classKey(kind, epoch), header), sizeBytes };
  const limit = (kind === 'index-table' ? limits.indexContentsSizeBytes : limits.packContentsSizeBytes) + sealedLayout.tagSizeBytes;
  const place = parseSealedFooter(tail.subarray(-footerLayout.sizeBytes), { fileSizeBytes: sizeBytes, limit, objectName: name });
  const tailStart = sizeBytes - tail.length;
  const sealed =
    place.offset >= tailStart
      ? tail.subarray(place.offset + 4 - tailStart, place.offset + 4 - tailStart + place.length)
      : await storage.get(name, { offset: place.offset + 4, length: place.length }, { signal });
  const contents = openSegment(
    object.key,
    object.header,
    { number: contentsSegmentNumber, offset: place.offset, objectName: name },
    sealed,
    { aead: aead() },
  );
  return { object, contents, contentsOffset: place.offset };
}

/** Opens a segment as it is stored; `into` is where the plaintext goes, by default a new buffer. Errors: `authentication-failed`, `malformed`. */
export function openSegmentOf(
  { key, header, name }: SegmentedObject,
  { number, offset }: { number: number; offset: number },
  stored: Uint8Array,
  into?: Uint8Array,
): Uint8Array {
  return openStoredSegment(key, header, { number, offset, objectName: name }, stored, { aead: aead(), into });
}

/** Reads and opens one segment of an opened object. */
export async function readSegment(
  storage: Storage,
  object: SegmentedObject,
  { number, place, signal }: { number: number; place: SegmentPlace; signal?: AbortSignal },
): Promise<Uint8Array> {
  const stored = await storage.get(
    object.name,
    { offset: place.offset, length: sealedLayout.lengthFieldSizeBytes + place.sealedLength },
    { signal },
  );
  return openSegmentOf(object, { number, offset: place.offset }, stored);
}
