/**
 * `owner/format`: the only object that is read before a key is known. Source: spec/configuration.md, "Format file".
 */
import { Field } from './_fields.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { type Features, readFeatures } from './configuration.ts';
import { LaganError } from './errors.ts';
import { limits } from './limits.ts';

export const formatNumber = 1;

export interface FormatFile {
  /** 16 random bytes. */
  readonly repositoryId: Uint8Array;
  readonly features: Features;
}

const REPOSITORY_ID_SIZE_BYTES = 16;

export function encodeFormatFile({ repositoryId, features }: FormatFile): Uint8Array {
  return encodeCbor({ lagan: formatNumber, repository: repositoryId, features });
}

/** Codes: repository-too-new for a later format, whatever else it has; malformed; limit-exceeded. */
export function decodeFormatFile(bytes: Uint8Array, objectName = 'owner/format'): FormatFile {
  expectSize(bytes, objectName);
  const root = Field.root(decodeCbor(bytes, { objectName }));
  root.at('lagan').version(formatNumber);
  return { repositoryId: root.at('repository').bytes(REPOSITORY_ID_SIZE_BYTES), features: readFeatures(root.at('features')) };
}

/** Clear objects are small. */
export function expectSize(bytes: Uint8Array, objectName: string | undefined, limit: number = limits.clearObjectSizeBytes): void {
  if (bytes.length <= limit) return;
  throw new LaganError('limit-exceeded', `${objectName}: ${bytes.length} bytes, the limit is ${limit}`, {
    object: objectName,
    offset: 0,
    expected: limit,
    found: bytes.length,
  });
}
