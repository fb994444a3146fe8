/**
 * Verifies the whole of a pack: every block opens, decompresses, and holds the chunks that the contents name. The name of every chunk is
 * computed anew from its bytes.
 */
import {
  decodePackContents,
  footerLayout,
  isLaganError,
  LaganError,
  objectNames,
  type PackBlock,
  type PackId,
  type PackKind,
  sealedLayout,
} from '../../repo-format/mod.ts';
import { openSegmentedObject, type SealingKeys, type SegmentedObject } from '../objects/mod.ts';
import { BlockVerifier } from '../packs/mod.ts';
import type { Repository } from '../repository/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { isDamage, type Problem } from './_findings.ts';
import { checkLimits } from './_limits.ts';
import { SegmentReader } from './_segments.ts';

const noNames = new Uint8Array(0);

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
  readonly #blocks: BlockVerifier;
  readonly #reader: SegmentReader;

  constructor({ storage, keys, blocks }: { storage: Storage; keys: SealingKeys; blocks: BlockVerifier }) {
    this.#storage = storage;
    this.#keys = keys;
    this.#blocks = blocks;
    this.#reader = new SegmentReader(storage, { ahead: checkLimits.windowsAhead });
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
      this.#blocks.verify(plaintext, block, { kind, objectName });
      return undefined;
    } catch (error) {
      if (isDamage(error)) return error;
      throw error;
    }
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
  const options = { nameKey, metadataNameKey, cutKey, cutting: configuration.chunker };
  return new PackVerifier({ storage, keys, blocks: new BlockVerifier(module === undefined ? options : { ...options, module }) });
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
