/**
 * The sealed container: a header of 80 bytes, then segments under AES-256-GCM, each bound by its additional data to
 * the header, its number and its place in the file. Source: spec/sealed.md.
 *
 * Invariant: one key per object (the salt is random and part of the derivation) and one nonce per segment number,
 * so a nonce is never used twice under one key as long as a segment number is sealed once for each salt.
 */
import { hkdfSync } from 'node:crypto';
import { type Aead, type AeadInputs, nodeAead } from './aead.ts';
import { equalBytes } from './bytes.ts';
import { LaganError } from './errors.ts';
import { toHex } from './ids.ts';
import { contentsSegmentNumber, footerLayout, footerMagic, sealedLayout as layout, sealedMagic, sealedVersion } from './layout.ts';
import { limits } from './limits.ts';

/** What the header's kind byte says. */
export const objectKinds = {
  pack: 1,
  'index-table': 2,
  snapshot: 3,
  root: 4,
  configuration: 5,
  'metadata-pack': 6,
  checkpoint: 7,
  'damage-report': 8,
  hold: 9,
  'deletion-mark': 10,
  catalogue: 11,
  'lost-list': 12,
  annotation: 13,
  verification: 14,
} as const;
export type ObjectKind = keyof typeof objectKinds;

export interface SealedHeader {
  readonly kind: ObjectKind;
  readonly epoch: number;
  /** 16 bytes. */
  readonly repositoryId: Uint8Array;
  /** 16 bytes; see `objectIdOf`. */
  readonly objectId: Uint8Array;
  /** 32 random bytes, new for every object. */
  readonly salt: Uint8Array;
}

/** What the reader knows already; each that is given must agree. */
export interface ExpectedHeader {
  readonly kind?: ObjectKind | undefined;
  readonly repositoryId?: Uint8Array | undefined;
  readonly objectId?: Uint8Array | undefined;
}

/** Place of a segment: its number, and the file offset of its length field. */
export interface SegmentPlace {
  readonly number: number;
  readonly offset: number;
  readonly objectName?: string | undefined;
}

const kindNames = new Map<number, ObjectKind>(Object.entries(objectKinds).map(([name, code]) => [code, name as ObjectKind]));
const keyInfo = new TextEncoder().encode('lagan object key');

/** True for packs, whose class key is the data key; all else is under the metadata key. */
export function usesDataKey(kind: ObjectKind): boolean {
  return kind === 'pack';
}

export function sealedHeader(fields: SealedHeader): Uint8Array {
  expectSize('repositoryId', fields.repositoryId, 16);
  expectSize('objectId', fields.objectId, 16);
  expectSize('salt', fields.salt, layout.saltSizeBytes);
  const header = new Uint8Array(layout.headerSizeBytes);
  header.set(sealedMagic, layout.magic);
  header[layout.kind] = objectKinds[fields.kind];
  header[layout.version] = sealedVersion;
  view(header).setUint32(layout.epoch, fields.epoch, true);
  header.set(fields.repositoryId, layout.repositoryId);
  header.set(fields.objectId, layout.objectId);
  header.set(fields.salt, layout.salt);
  return header;
}

/** Reads the first 80 bytes of `bytes`. Codes: malformed, name-mismatch (another repository or object), repository-too-new. */
export function parseSealedHeader(bytes: Uint8Array, expect: ExpectedHeader = {}, objectName?: string): SealedHeader {
  if (bytes.length < layout.headerSizeBytes) {
    throw malformed('too short for a header', objectName, bytes.length, layout.headerSizeBytes, bytes.length);
  }
  const header = bytes.subarray(0, layout.headerSizeBytes);
  const magic = header.subarray(layout.magic, layout.kind);
  if (!equalBytes(magic, sealedMagic)) throw malformed('wrong magic', objectName, layout.magic, toHex(sealedMagic), toHex(magic));
  const version = header[layout.version]!;
  if (version > sealedVersion) throw tooNew(objectName, version);
  if (version !== sealedVersion) throw malformed('unknown version', objectName, layout.version, sealedVersion, version);
  const kind = kindNames.get(header[layout.kind]!);
  if (kind === undefined)
    throw malformed('unknown kind', objectName, layout.kind, expect.kind ?? `a kind of 1 to ${kindNames.size}`, header[layout.kind]);
  const reserved = view(header).getUint32(layout.reserved, true);
  if (reserved !== 0) throw malformed('reserved bytes are not zero', objectName, layout.reserved, 0, reserved);
  const parsed = {
    kind,
    epoch: view(header).getUint32(layout.epoch, true),
    repositoryId: header.slice(layout.repositoryId, layout.repositoryId + 16),
    objectId: header.slice(layout.objectId, layout.objectId + 16),
    salt: header.slice(layout.salt, layout.headerSizeBytes),
  };
  expectHeader(parsed, expect, objectName);
  return parsed;
}

/** HKDF-SHA256 of the class key with the header's salt; the whole header is in the derivation. */
export function objectKey(classKey: Uint8Array, header: Uint8Array): Uint8Array {
  expectSize('classKey', classKey, layout.keySizeBytes);
  expectSize('header', header, layout.headerSizeBytes);
  const info = new Uint8Array(keyInfo.length + header.length);
  info.set(keyInfo);
  info.set(header, keyInfo.length);
  return new Uint8Array(hkdfSync('sha256', classKey, header.subarray(layout.salt), info, layout.keySizeBytes));
}

/** What seals or opens, and where the result goes; a new buffer if `into` is not given. */
export interface SegmentOptions {
  readonly aead?: Aead;
  /** Large enough for the result, which is a view of its beginning. */
  readonly into?: Uint8Array | undefined;
}

/** What a segment has beside its plaintext: length field and tag. */
export const segmentOverheadBytes = layout.lengthFieldSizeBytes + layout.tagSizeBytes;

/** Seals `parts`, one after another, as one segment: length field, ciphertext, tag. */
export function sealSegment(
  key: Uint8Array,
  header: Uint8Array,
  place: SegmentPlace,
  parts: readonly Uint8Array[],
  { aead = nodeAead, into }: SegmentOptions = {},
): Uint8Array {
  let size = segmentOverheadBytes;
  for (const part of parts) size += part.length;
  if (size === segmentOverheadBytes) throw new RangeError('a segment must not be empty');
  const segment = into === undefined ? new Uint8Array(size) : into.subarray(0, size);
  if (segment.length < size) throw new RangeError(`a segment of ${size} bytes does not fit into ${segment.length}`);
  view(segment).setUint32(0, size - layout.lengthFieldSizeBytes, true);
  aead.seal(inputsOf(key, header, place), parts, segment.subarray(layout.lengthFieldSizeBytes));
  return segment;
}

/** Opens ciphertext and tag. Codes: authentication-failed, malformed (too short). */
export function openSegment(
  key: Uint8Array,
  header: Uint8Array,
  place: SegmentPlace,
  sealed: Uint8Array,
  { aead = nodeAead, into }: SegmentOptions = {},
): Uint8Array {
  if (sealed.length < layout.smallestSealedLength) {
    throw malformed('a segment too short', place.objectName, place.offset, `at least ${layout.smallestSealedLength}`, sealed.length);
  }
  const size = sealed.length - layout.tagSizeBytes;
  const plaintext = into === undefined ? new Uint8Array(size) : into.subarray(0, size);
  if (plaintext.length < size) throw new RangeError(`a plaintext of ${size} bytes does not fit into ${plaintext.length}`);
  if (!aead.open(inputsOf(key, header, place), sealed, plaintext)) throw authenticationFailed(place);
  return plaintext;
}

/** Opens a segment as it is stored, length field first; the length must be that of the bytes. */
export function openStoredSegment(
  key: Uint8Array,
  header: Uint8Array,
  place: SegmentPlace,
  stored: Uint8Array,
  options: SegmentOptions = {},
): Uint8Array {
  const { lengthFieldSizeBytes } = layout;
  const expected = stored.length - lengthFieldSizeBytes;
  if (expected < 0) throw malformed('a segment without length', place.objectName, place.offset, lengthFieldSizeBytes, stored.length);
  const length = view(stored).getUint32(0, true);
  if (length !== expected) throw malformed('the length of a segment differs', place.objectName, place.offset, expected, length);
  return openSegment(key, header, place, stored.subarray(lengthFieldSizeBytes), options);
}

/** A small object, whole: the header and one segment. */
export function sealObject(fields: SealedHeader & { readonly classKey: Uint8Array }, payload: Uint8Array): Uint8Array {
  const header = sealedHeader(fields);
  const place = { number: 0, offset: layout.headerSizeBytes };
  return concatBytes([header, sealSegment(objectKey(fields.classKey, header), header, place, [payload])]);
}

export interface OpenObjectOptions extends ExpectedHeader {
  readonly kind: ObjectKind;
  readonly repositoryId: Uint8Array;
  /** The class key of an epoch; throws LaganError no-key or wrong-key if there is none. */
  readonly classKeyOf: (epoch: number) => Uint8Array;
  readonly objectName?: string | undefined;
}

/** Opens a small object; its one segment must reach to the end of the bytes. */
export function openObject(bytes: Uint8Array, options: OpenObjectOptions): { header: SealedHeader; payload: Uint8Array } {
  const { objectName } = options;
  const header = parseSealedHeader(bytes, options, objectName);
  const place = { number: 0, offset: layout.headerSizeBytes, objectName };
  const limit = options.kind === 'root' ? limits.rootSizeBytes : limits.smallObjectSizeBytes;
  if (bytes.length > limit) throw tooLong(objectName, { at: 0, limit, found: bytes.length });
  const rawHeader = bytes.subarray(0, layout.headerSizeBytes);
  const key = objectKey(options.classKeyOf(header.epoch), rawHeader);
  return { header, payload: openStoredSegment(key, rawHeader, place, bytes.subarray(layout.headerSizeBytes)) };
}

/** The footer of packs and index tables; `offset` is that of the contents' length field, `length` its sealed length. */
export function sealedFooter(contents: { readonly offset: number; readonly length: number }): Uint8Array {
  const footer = new Uint8Array(footerLayout.sizeBytes);
  view(footer).setBigUint64(footerLayout.offset, BigInt(contents.offset), true);
  view(footer).setUint32(footerLayout.sealedLength, contents.length, true);
  view(footer).setUint32(footerLayout.magic, footerMagic, true);
  return footer;
}

/**
 * Reads the last 16 bytes of a pack or index table. With the file's size, the contents must end where the footer begins.
 */
export function parseSealedFooter(
  footer: Uint8Array,
  { objectName, fileSizeBytes, limit }: { objectName?: string | undefined; fileSizeBytes?: number; limit?: number } = {},
): { offset: number; length: number } {
  const at = (fileSizeBytes ?? footerLayout.sizeBytes) - footerLayout.sizeBytes;
  if (footer.length !== footerLayout.sizeBytes) throw malformed('no footer', objectName, at, footerLayout.sizeBytes, footer.length);
  const magic = view(footer).getUint32(footerLayout.magic, true);
  if (magic !== footerMagic) throw malformed('wrong magic of the footer', objectName, at + footerLayout.magic, footerMagic, magic);
  const offset = Number(view(footer).getBigUint64(footerLayout.offset, true));
  const length = view(footer).getUint32(footerLayout.sealedLength, true);
  if (offset < layout.headerSizeBytes || !Number.isSafeInteger(offset)) {
    throw malformed('contents before the end of the header', objectName, at, `at least ${layout.headerSizeBytes}`, offset);
  }
  if (length < layout.smallestSealedLength) {
    throw malformed('contents too short', objectName, at + footerLayout.sealedLength, layout.smallestSealedLength, length);
  }
  if (limit !== undefined && length > limit) throw tooLong(objectName, { at: at + footerLayout.sealedLength, limit, found: length });
  if (fileSizeBytes !== undefined && offset + layout.lengthFieldSizeBytes + length !== at) {
    throw malformed('contents do not end at the footer', objectName, at, at, offset + layout.lengthFieldSizeBytes + length);
  }
  return { offset, length };
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function expectHeader(header: SealedHeader, expect: ExpectedHeader, objectName: string | undefined): void {
  if (expect.kind !== undefined && header.kind !== expect.kind) {
    throw malformed('another kind of object', objectName, layout.kind, expect.kind, header.kind);
  }
  for (const field of ['repositoryId', 'objectId'] as const) {
    const expected = expect[field];
    if (expected === undefined || equalBytes(expected, header[field])) continue;
    throw new LaganError('name-mismatch', `${objectName ?? 'object'}: ${field} in the header is not the expected one`, {
      object: objectName,
      offset: layout[field],
      expected: toHex(expected),
      found: toHex(header[field]),
    });
  }
}

function inputsOf(key: Uint8Array, header: Uint8Array, place: SegmentPlace): AeadInputs {
  return { key, nonce: segmentNonce(place.number), additionalData: additionalData(header, place) };
}

function additionalData(header: Uint8Array, place: SegmentPlace): Uint8Array {
  const data = new Uint8Array(layout.headerSizeBytes + 12);
  data.set(header);
  view(data).setUint32(layout.headerSizeBytes, place.number, true);
  view(data).setBigUint64(layout.headerSizeBytes + 4, BigInt(place.offset), true);
  return data;
}

function segmentNonce(number: number): Uint8Array {
  const nonce = new Uint8Array(layout.nonceSizeBytes);
  view(nonce).setUint32(0, number, true);
  return nonce;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function expectSize(what: string, bytes: Uint8Array, size: number): void {
  if (bytes.length !== size) throw new RangeError(`${what}: expected ${size} bytes, got ${bytes.length}`);
}

function malformed(what: string, object: string | undefined, offset: number, expected: unknown, found: unknown): LaganError {
  return new LaganError('malformed', `${object ?? 'object'}: ${what} (at offset ${offset})`, { object, offset, expected, found });
}

function tooLong(object: string | undefined, { at, limit, found }: { at: number; limit: number; found: number }): LaganError {
  const message = `${object ?? 'object'}: ${found} bytes, the limit is ${limit} (at offset ${at})`;
  return new LaganError('limit-exceeded', message, { object, offset: at, expected: limit, found });
}

function tooNew(object: string | undefined, found: number): LaganError {
  return new LaganError('repository-too-new', `${object ?? 'object'}: version ${found}, this program knows ${sealedVersion}`, {
    object,
    offset: layout.version,
    expected: sealedVersion,
    found,
    hint: 'Use a newer release of Lagan.',
  });
}

function authenticationFailed({ number, offset, objectName }: SegmentPlace): LaganError {
  const which = number === contentsSegmentNumber ? 'the contents' : `segment ${number}`;
  return new LaganError('authentication-failed', `${objectName ?? 'object'}: ${which} at offset ${offset} was changed or damaged`, {
    object: objectName,
    offset,
  });
}
