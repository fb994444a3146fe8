/**
 * Ids: 16 random bytes on the wire, 32 lower-case hex digits in values, names and maps.
 * Branded so that one kind is not taken for another.
 */

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type PackId = Branded<'PackId'>;
/** The id of a session is also the id of its snapshot. */
export type SessionId = Branded<'SessionId'>;
export type SnapshotId = SessionId;
/** Any other id: slots, holds, catalogues and so on. */
export type ObjectId = Branded<'ObjectId'>;

export const ID_SIZE_BYTES = 16;
/** Size of a chunk's name. */
export const NAME_SIZE_BYTES = 32;

const idPattern = /^[0-9a-f]{32}$/;

export function isId(text: string): boolean {
  return idPattern.test(text);
}

/** The 16 bytes at `offset` as hex digits. */
export function idFromBytes<Id extends string = PackId>(bytes: Uint8Array, offset = 0): Id {
  if (bytes.length - offset < ID_SIZE_BYTES) throw new RangeError(`an id needs 16 bytes, got ${bytes.length - offset}`);
  return asBuffer(bytes).toString('hex', offset, offset + ID_SIZE_BYTES) as Id;
}

export function idToBytes(id: string): Uint8Array {
  if (!isId(id)) throw new TypeError(`an id is 32 lower-case hex digits, got ${JSON.stringify(id)}`);
  return new Uint8Array(Buffer.from(id, 'hex'));
}

/** Top bit of the first byte: set in packs that a collector made, clear in those of writers. */
export function isCollectorPack(id: PackId): boolean {
  return id.charCodeAt(0) >= 0x38;
}

export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex');
}

export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new TypeError(`not hex: ${JSON.stringify(text)}`);
  return new Uint8Array(Buffer.from(text, 'hex'));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
