/**
 * Verifies the whole of a pack: every block opens, decompresses, and holds the chunks that the contents name. The name of every chunk is
 * computed anew from its bytes.
 */
import {
  decodeBlock,
  decodePackContents,
  expectBlock,
  footerLayout,
  isLaganError,
  LaganError,
  limits,
  objectNames,
  type PackBlock,
  type PackId,
  type PackKind,
  sealedLayout,
} from '../../repo-format/mod.ts';
import { createKernel, type Kernel } from '../kernel/mod.ts';
import { openSegmentedObject, type SealingKeys, type SegmentedObject } from '../objects/mod.ts';
import { decompressPayload } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { isDamage, type Problem } from './_findings.ts';
import { SegmentReader } from './_segments.ts';

const nameSizeBytes = 32;
const noNames = new Uint8Array(0);
/** In the kernel's data area: the names that were computed, then the block. */
const rawOffset = limits.chunksPerBlock * nameSizeBytes;
/** One byte more than a block can have: the decompressor notices by it that there is more. */
const verifierAreaBytes = rawOffset + limits.blockRawSizeBytes + 64;

/** What was found in one pack; plain values, made to be posted. */
export interface PackReport {
  readonly pack: PackId;
  readonly blocks: number;
  readonly chunks: number;
  readonly bytesRead: number;
  readonly problems: readonly PackProblem[];
  /** Nothing of the pack can be used. */
  readonly unusable: boolean;
}

export interface PackProblem extends Problem {
  /** Names of the chunks that are lost by it, 32 bytes each. */
  readonly lostChunks: Uint8Array;
}

export class PackVerifier {
  readonly #storage: Storage;
  readonly #keys: SealingKeys;
  readonly #kernel: Kernel;
  readonly #reader: SegmentReader;
  readonly #ranges = new Uint32Array(2 * limits.chunksPerBlock);

  /** The kernel has a data area of {@link verifierAreaBytes}, which nobody else uses. */
  constructor({ storage, keys, kernel }: { storage: Storage; keys: SealingKeys; kernel: Kernel }) {
    this.#storage = storage;
    this.#keys = keys;
    this.#kernel = kernel;
    this.#reader = new SegmentReader(storage);
  }

  /** Errors that are not damage, such as `unavailable`, reject; `interrupted` as soon as `isStopping`. */
  async verify(pack: PackId, kind: PackKind, { isStopping }: { isStopping: () => boolean }): Promise<PackReport> {
    const name = objectNames.pack(pack);
    try {
      const { object, contents } = await openSegmentedObject(this.#storage, { name, kind, keys: this.#keys });
      const contentsOffset = contentsOffsetOf(object, contents);
      const blocks = decodePackContents(contents, name, { kind, contentsOffset });
      const inBlocks = await this.#verifyBlocks(object, { blocks, kind, isStopping });
      const problems = [...inBlocks, ...(await this.#verifyContentsLength(object, contents))];
      const chunks = blocks.reduce((sum, { chunkLengths }) => sum + chunkLengths.length, 0);
      return { pack, blocks: blocks.length, chunks, bytesRead: object.sizeBytes, problems, unusable: false };
    } catch (error) {
      if (!isDamage(error)) throw error;
      const problem = isLaganError(error, 'not-found') ? missing(name) : problemOf(error, name);
      return { pack, blocks: 0, chunks: 0, bytesRead: 0, problems: [{ ...problem, lostChunks: noNames }], unusable: true };
    }
  }

  async #verifyBlocks(
    object: SegmentedObject,
    { blocks, kind, isStopping }: { blocks: readonly PackBlock[]; kind: PackKind; isStopping: () => boolean },
  ): Promise<PackProblem[]> {
    const problems: PackProblem[] = [];
    const segments = blocks.map((place, number) => ({ number, place }));
    for await (const { segment, plaintext, error } of this.#reader.read(object, segments)) {
      if (isStopping()) throw new LaganError('interrupted', 'interrupted');
      const block = blocks[segment.number]!;
      const problem = error ?? this.#verifyBlock(plaintext, block, { kind, objectName: object.name });
      if (problem !== undefined)
        problems.push({ ...problemOf(problem, object.name), offset: block.offset, lostChunks: block.names.slice() });
    }
    return problems;
  }

  /** What is wrong with an opened block, if anything. */
  #verifyBlock(
    plaintext: Uint8Array,
    block: PackBlock,
    { kind, objectName }: { kind: PackKind; objectName: string },
  ): LaganError | undefined {
    try {
      const decoded = decodeBlock(plaintext, objectName, kind);
      expectBlock(decoded, block, objectName);
      const { codec, rawLength, payload } = decoded;
      const area = this.#kernel.data.subarray(rawOffset);
      const raw = decompressPayload(payload, { codec, rawLength, objectName, into: area });
      if (raw.buffer !== area.buffer) area.set(raw);
      this.#expectNames(block, { kind, objectName });
      return undefined;
    } catch (error) {
      if (isDamage(error)) return error;
      throw error;
    }
  }

  /** The block's chunks, one after another in the kernel's data area, have the names that the contents say. */
  #expectNames({ chunkLengths, names, offset }: PackBlock, { kind, objectName }: { kind: PackKind; objectName: string }): void {
    const ranges = this.#ranges.subarray(0, 2 * chunkLengths.length);
    let at = rawOffset;
    for (let chunk = 0; chunk < chunkLengths.length; chunk++) {
      ranges[2 * chunk] = at;
      ranges[2 * chunk + 1] = chunkLengths[chunk]!;
      at += chunkLengths[chunk]!;
    }
    if (kind === 'pack') this.#kernel.nameMany(ranges, 0);
    else this.#kernel.metadataNameMany(ranges, 0);
    if (Buffer.compare(this.#kernel.data.subarray(0, names.length), names) === 0) return;
    const message = `${objectName}: the chunks of the block at offset ${offset} are not those that their names promise`;
    throw new LaganError('name-mismatch', message, { object: objectName, offset });
  }

  /** The length field before the contents says what the footer says, too. */
  async #verifyContentsLength(object: SegmentedObject, contents: Uint8Array): Promise<PackProblem[]> {
    const offset = contentsOffsetOf(object, contents);
    const [expected, found] = [contents.length + sealedLayout.tagSizeBytes, await this.#reader.readLengthField(object, offset)];
    return found === expected ? [] : [{ ...wrongLengthField(object.name, { offset, expected, found }), lostChunks: noNames }];
  }
}

/** A verifier with a kernel of its own. Code `no-key` where the key grants metadata only. */
export function createVerifier({ storage, keys, configuration }: Repository, module?: WebAssembly.Module): PackVerifier {
  const { nameKey, metadataNameKey, cutKey } = keys;
  const options = { dataSizeBytes: verifierAreaBytes, nameKey, metadataNameKey, cutKey, cutting: configuration.chunker };
  return new PackVerifier({ storage, keys, kernel: createKernel(module === undefined ? options : { ...options, module }) });
}

/** Where the contents of an opened pack or index table begin: the footer was found to agree with the size. */
export function contentsOffsetOf({ sizeBytes }: SegmentedObject, contents: Uint8Array): number {
  return sizeBytes - footerLayout.sizeBytes - sealedLayout.tagSizeBytes - contents.length - sealedLayout.lengthFieldSizeBytes;
}

export function wrongLengthField(
  object: string,
  { offset, expected, found }: { offset: number; expected: number; found: number },
): Problem {
  return {
    code: 'malformed',
    message: `${object}: the length before the contents is ${found}, the footer says ${expected}`,
    object,
    offset,
  };
}

function problemOf({ code, message, object, offset }: LaganError, name: string): Problem {
  return { code, message, object: object ?? name, ...(offset !== undefined && { offset }) };
}

function missing(object: string): Problem {
  return { code: 'pack-missing', message: `${object} was there when the packs were listed, but not when it was to be read`, object };
}
