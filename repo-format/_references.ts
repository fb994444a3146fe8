/** How one object refers to another. Source: spec/root.md. */
import type { Field } from './_fields.ts';
import { idToBytes, type ObjectId } from './ids.ts';

const HASH_SIZE_BYTES = 32;

/** An object by id and content, so that the store cannot pass off an older one. */
export interface ObjectReference {
  readonly id: ObjectId;
  /** SHA-256 of the stored object, 32 bytes. */
  readonly hash: Uint8Array;
}

export function encodeReference({ id, hash }: ObjectReference): { id: Uint8Array; hash: Uint8Array } {
  return { id: idToBytes(id), hash };
}

export function readReference(field: Field): ObjectReference {
  return { id: field.at('id').id<ObjectId>(), hash: field.at('hash').bytes(HASH_SIZE_BYTES) };
}
