/**
 * Key slots: the access key, sealed for a password, a key file or a recipient. Source: spec/keys.md, "Slots".
 * Argon2id and X25519 are done by the caller (engine/keys); their results come in as `keyEncryptionKey` or shared secret.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { Field } from './_fields.ts';
import { openAead, sealAead } from './aead.ts';
import { equalBytes } from './bytes.ts';
import { type CborMap, decodeCbor, encodeCbor } from './cbor.ts';
import type { Time } from './entry.ts';
import { LaganError } from './errors.ts';
import { expectSize, formatNumber } from './format-file.ts';
import { idToBytes, type ObjectId } from './ids.ts';
import { limits } from './limits.ts';
import { type Grants, parseObjectName } from './object-names.ts';
import { concatBytes } from './sealed.ts';

export interface PasswordKdf {
  /** 32 bytes. */
  readonly salt: Uint8Array;
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

interface SlotFields {
  readonly id: ObjectId;
  /** 16 bytes. */
  readonly repositoryId: Uint8Array;
  readonly label: string;
  readonly created: Time;
  readonly grants: Grants;
}

export type SlotDescription =
  | (SlotFields & { readonly kind: 'password'; readonly kdf: PasswordKdf })
  | (SlotFields & { readonly kind: 'key-file'; readonly salt: Uint8Array })
  | (SlotFields & {
      readonly kind: 'recipient';
      readonly salt: Uint8Array;
      readonly recipient: Uint8Array;
      readonly ephemeral: Uint8Array;
    });

export type KeySlot = SlotDescription & {
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
  /** What the tag covers besides; made from the slot as stored, so unknown keys are covered, too. */
  readonly additionalData: Uint8Array;
  /** That the slot was made by a holder of the full access key, see {@link isProven}; null in slots without. */
  readonly proof: Uint8Array | null;
  /** What the proof covers. */
  readonly provenData: Uint8Array;
};

export const defaultPasswordCost = { memoryKiB: 64 * 1024, passes: 3, lanes: 4 } as const;

const KEY_SIZE_BYTES = 32;
const NONCE_SIZE_BYTES = 12;
const TAG_SIZE_BYTES = 16;
const PROOF_SIZE_BYTES = 32;
const slotLabel = new TextEncoder().encode('lagan slot');
const keyFileInfo = new TextEncoder().encode('lagan key file');
const recipientInfo = new TextEncoder().encode('lagan recipient');

export interface SlotKeys {
  readonly keyEncryptionKey: Uint8Array;
  /** 32 bytes: what the slot holds. */
  readonly accessKey: Uint8Array;
  /** Random. */
  readonly nonce: Uint8Array;
  /** See `slotProofKey`. Undefined: a slot without proof. */
  readonly proofKey?: Uint8Array | undefined;
}

/** The stored slot: `accessKey` under `keyEncryptionKey`. */
export function encodeKeySlot(description: SlotDescription, { keyEncryptionKey, accessKey, nonce, proofKey }: SlotKeys): Uint8Array {
  if (accessKey.length !== KEY_SIZE_BYTES) throw new RangeError(`accessKey: expected 32 bytes, got ${accessKey.length}`);
  const unproven = slotMap(description);
  const map = proofKey === undefined ? unproven : { ...unproven, proof: proofOf(provenDataOf(unproven), proofKey) };
  const sealed = sealAead({ key: keyEncryptionKey, nonce, additionalData: additionalDataOf(map) }, accessKey);
  return encodeCbor({ ...map, nonce, sealed });
}

/** Codes: malformed, limit-exceeded, repository-too-new, name-mismatch (another id than in the object's name). */
export function decodeKeySlot(bytes: Uint8Array, objectName?: string): KeySlot {
  expectSize(bytes, objectName);
  const decoded = decodeCbor(bytes, { objectName });
  const root = Field.root(decoded);
  root.at('lagan').version(formatNumber);
  const slot = {
    ...readDescription(root),
    nonce: root.at('nonce').bytes(NONCE_SIZE_BYTES),
    sealed: root.at('sealed').bytes(KEY_SIZE_BYTES + TAG_SIZE_BYTES),
    additionalData: additionalDataOf(decoded.value as CborMap),
    proof: root.at('proof').orNull((field) => field.bytes(PROOF_SIZE_BYTES)),
    provenData: provenDataOf(decoded.value as CborMap),
  };
  expectName(slot.id, objectName);
  return slot;
}

/** The access key in the slot. Code: wrong-key. */
export function openKeySlot(slot: KeySlot, keyEncryptionKey: Uint8Array): Uint8Array {
  const { nonce, additionalData, sealed } = slot;
  const opened = openAead({ key: keyEncryptionKey, nonce, additionalData }, sealed);
  if (opened !== null) return opened;
  throw new LaganError('wrong-key', `the key does not open slot ${slot.id} (${slot.label})`, { object: `owner/keys/${slot.id}` });
}

/** Whether a holder of that full access key made the slot. Anyone who writes to the store can put a slot there that says what he likes. */
export function isProven({ proof, provenData }: KeySlot, proofKey: Uint8Array): boolean {
  return proof !== null && equalBytes(proof, proofOf(provenData, proofKey));
}

/** Key encryption key of a key file's 32-byte secret. */
export function keyFileEncryptionKey(secret: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, keyFileInfo, KEY_SIZE_BYTES));
}

/** Key encryption key of a recipient's slot; `sharedSecret` is X25519 of one private and the other public key. */
export function recipientEncryptionKey(
  sharedSecret: Uint8Array,
  { salt, ephemeral, recipient }: { salt: Uint8Array; ephemeral: Uint8Array; recipient: Uint8Array },
): Uint8Array {
  const info = concatBytes([recipientInfo, ephemeral, recipient]);
  return new Uint8Array(hkdfSync('sha256', sharedSecret, salt, info, KEY_SIZE_BYTES));
}

function slotMap(description: SlotDescription): CborMap {
  const { id, repositoryId, created, ...rest } = description;
  return {
    ...(rest as unknown as CborMap),
    lagan: formatNumber,
    id: idToBytes(id),
    repository: repositoryId,
    created: [created.seconds, created.nanoseconds],
  };
}

function additionalDataOf(map: CborMap): Uint8Array {
  const { nonce: _nonce, sealed: _sealed, ...rest } = map;
  return concatBytes([slotLabel, encodeCbor(rest)]);
}

function provenDataOf(map: CborMap): Uint8Array {
  const { proof: _proof, ...rest } = map;
  return additionalDataOf(rest);
}

function proofOf(provenData: Uint8Array, proofKey: Uint8Array): Uint8Array {
  return Uint8Array.from(createHmac('sha256', proofKey).update(provenData).digest());
}

function readDescription(root: Field): SlotDescription {
  const fields = {
    id: root.at('id').id<ObjectId>(),
    repositoryId: root.at('repository').bytes(16),
    label: root.at('label').text(),
    created: root.at('created').time(),
    grants: root.at('grants').oneOf(['full', 'metadata']),
  };
  const kind = root.at('kind').oneOf(['password', 'key-file', 'recipient']);
  if (kind === 'password') return { ...fields, kind, kdf: readKdf(root.at('kdf')) };
  const salt = root.at('salt').bytes(KEY_SIZE_BYTES);
  if (kind === 'key-file') return { ...fields, kind, salt };
  const [recipient, ephemeral] = [root.at('recipient').bytes(KEY_SIZE_BYTES), root.at('ephemeral').bytes(KEY_SIZE_BYTES)];
  return { ...fields, kind, salt, recipient, ephemeral };
}

function readKdf(field: Field): PasswordKdf {
  const atLeast = (name: string, least: number, limit: number) => {
    const value = field.at(name).uint(limit);
    if (value < least) throw field.at(name).wrong(`at least ${least}`);
    return value;
  };
  const lanes = atLeast('lanes', 1, limits.kdfLanes);
  return {
    salt: field.at('salt').bytes(KEY_SIZE_BYTES),
    memoryKiB: atLeast('memoryKiB', 8 * lanes, limits.kdfMemoryKiB),
    passes: atLeast('passes', 1, limits.kdfPasses),
    lanes,
  };
}

function expectName(id: ObjectId, objectName: string | undefined): void {
  const name = objectName === undefined ? null : parseObjectName(objectName);
  if (name === null || name.type !== 'key-slot' || name.id === id) return;
  throw new LaganError('name-mismatch', `${objectName}: the slot's id is ${id}`, {
    object: objectName,
    offset: 0,
    expected: name.id,
    found: id,
  });
}
