/**
 * The repository's format: pure functions from bytes to values and back. No I/O, no clock, no randomness.
 * The specification is in spec/; offsets are in layout.ts, limits in limits.ts.
 */

export * from './aead.ts';
export * from './bytes.ts';
export { type CborMap, type CborValue, type DecodedCbor, decodeCbor, encodeCbor } from './cbor.ts';
export * from './configuration.ts';
export * from './entry.ts';
export * from './errors.ts';
export * from './format-file.ts';
export * from './ids.ts';
export * from './index-table.ts';
export * from './key-slot.ts';
export * from './keyring.ts';
export * from './layout.ts';
export * from './limits.ts';
export * from './node.ts';
export * from './node-types.ts';
export * from './node-writer.ts';
export * from './object-names.ts';
export * from './pack.ts';
export * from './records.ts';
export * from './root.ts';
export * from './sealed.ts';
export * from './snapshot.ts';
export * from './text-keys.ts';
