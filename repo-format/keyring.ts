/**
 * The keyring: the secrets of all epochs under an access key, and what is derived from them. Source: spec/keys.md, "Keyring".
 */
import { hkdfSync } from 'node:crypto';
import { Field } from './_fields.ts';
import { openAead, sealAead } from './aead.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { LaganError } from './errors.ts';
import { expectSize } from './format-file.ts';
import { limits } from './limits.ts';
import type { Grants } from './object-names.ts';
import { concatBytes } from './sealed.ts';

/** What names chunks and cuts files, 32 bytes each. */
export interface NamingKeys {
  readonly name: Uint8Array;
  readonly metadataName: Uint8Array;
  readonly cut: Uint8Array;
}

export interface FullKeyring {
  readonly grants: 'full';
  readonly number: number;
  /** The epoch that writers use. */
  readonly newest: number;
  /** Epochs ascend; 32-byte master secrets. */
  readonly epochs: readonly { readonly epoch: number; readonly master: Uint8Array }[];
  /** Of a repository that names chunks as another one does, or whose naming epoch was retired; undefined: they come of that epoch's master secret. */
  readonly naming?: NamingKeys | undefined;
}

/** What suffices to read trees and index, but no file's content. */
export interface MetadataKeyring {
  readonly grants: 'metadata';
  readonly number: number;
  readonly newest: number;
  readonly epochs: readonly { readonly epoch: number; readonly metadataKey: Uint8Array }[];
  readonly metadataNameKey: Uint8Array;
}

export type Keyring = FullKeyring | MetadataKeyring;

/** What is known about the object before it is opened. */
export interface KeyringPlace {
  readonly repositoryId: Uint8Array;
  readonly number: number;
  readonly accessKey: Uint8Array;
  readonly objectName?: string | undefined;
}

export const derivedKeys = {
  data: 'lagan data key',
  metadata: 'lagan metadata key',
  name: 'lagan name key',
  metadataName: 'lagan metadata name key',
  cut: 'lagan cut key',
} as const;

const VERSION = 1;
const KEY_SIZE_BYTES = 32;
const NONCE_SIZE_BYTES = 12;
const encoder = new TextEncoder();

/** The keys that name chunks and cut files: the keyring's own, or those of its naming epoch; undefined if it has neither. */
export function namingKeysOf(
  { naming, epochs }: Pick<FullKeyring, 'naming' | 'epochs'>,
  { repositoryId, nameEpoch }: { repositoryId: Uint8Array; nameEpoch: number },
): NamingKeys | undefined {
  const master = epochs.find(({ epoch }) => epoch === nameEpoch)?.master;
  if (naming !== undefined || master === undefined) return naming;
  const derive = (key: keyof NamingKeys) => deriveKey(master, repositoryId, key);
  return { name: derive('name'), metadataName: derive('metadataName'), cut: derive('cut') };
}

/** HKDF of a 32-byte master secret. */
export function deriveKey(master: Uint8Array, repositoryId: Uint8Array, key: keyof typeof derivedKeys): Uint8Array {
  return derive(master, repositoryId, derivedKeys[key]);
}

/** What slots that were made by a holder of the full access key are proven with. */
export function slotProofKey(fullAccessKey: Uint8Array, repositoryId: Uint8Array): Uint8Array {
  return derive(fullAccessKey, repositoryId, 'lagan slot proof');
}

/** The access key of slots that grant metadata, from that of slots that grant everything. */
export function metadataAccessKey(fullAccessKey: Uint8Array, repositoryId: Uint8Array): Uint8Array {
  return derive(fullAccessKey, repositoryId, 'lagan metadata access');
}

/** The stored object. The nonce must be random. */
export function encodeKeyring(
  keyring: Keyring,
  { repositoryId, accessKey, nonce }: { repositoryId: Uint8Array; accessKey: Uint8Array; nonce: Uint8Array },
): Uint8Array {
  const payload = encodeCbor({ ...keyring, version: VERSION, repository: repositoryId });
  const additionalData = additionalDataOf(repositoryId, keyring.number, keyring.grants);
  return concatBytes([nonce, sealAead({ key: accessKey, nonce, additionalData }, payload)]);
}

/** Opens a keyring. Codes: authentication-failed, malformed, limit-exceeded. */
export function decodeKeyring<Granted extends Grants>(
  bytes: Uint8Array,
  grants: Granted,
  place: KeyringPlace,
): Extract<Keyring, { grants: Granted }> {
  const { objectName, number, repositoryId } = place;
  expectSize(bytes, objectName, limits.keyringSizeBytes);
  const nonce = bytes.subarray(0, NONCE_SIZE_BYTES);
  const additionalData = additionalDataOf(repositoryId, number, grants);
  const payload =
    nonce.length < NONCE_SIZE_BYTES ? null : openAead({ key: place.accessKey, nonce, additionalData }, bytes.subarray(NONCE_SIZE_BYTES));
  if (payload === null) throw damaged(place);
  const root = Field.root(decodeCbor(payload, { objectName }));
  root.at('version').version(VERSION);
  root.at('number').exactly(number);
  root.at('grants').oneOf([grants]);
  if (Buffer.compare(root.at('repository').bytes(16), repositoryId) !== 0) throw root.at('repository').wrong('this repository');
  const keyring = grants === 'full' ? readFull(root, number) : readMetadata(root, number);
  expectEpochs(root, keyring);
  return keyring as Extract<Keyring, { grants: Granted }>;
}

function readFull(root: Field, number: number): FullKeyring {
  const epochs = root
    .at('epochs')
    .list(limits.epochs, (item) => ({ epoch: item.at('epoch').uint(limits.u32), master: item.at('master').bytes(KEY_SIZE_BYTES) }));
  const naming = root.at('naming').orNull(readNaming);
  return { grants: 'full', number, newest: root.at('newest').uint(limits.u32), epochs, ...(naming && { naming }) };
}

function readNaming(field: Field): NamingKeys {
  const key = (name: keyof NamingKeys) => field.at(name).bytes(KEY_SIZE_BYTES);
  return { name: key('name'), metadataName: key('metadataName'), cut: key('cut') };
}

function readMetadata(root: Field, number: number): MetadataKeyring {
  const epochs = root.at('epochs').list(limits.epochs, (item) => ({
    epoch: item.at('epoch').uint(limits.u32),
    metadataKey: item.at('metadataKey').bytes(KEY_SIZE_BYTES),
  }));
  const metadataNameKey = root.at('metadataNameKey').bytes(KEY_SIZE_BYTES);
  return { grants: 'metadata', number, newest: root.at('newest').uint(limits.u32), epochs, metadataNameKey };
}

function expectEpochs(root: Field, { epochs, newest }: Keyring): void {
  for (let index = 1; index < epochs.length; index++) {
    if (epochs[index - 1]!.epoch >= epochs[index]!.epoch) throw root.at('epochs').wrong('epochs that ascend');
  }
  if (!epochs.some(({ epoch }) => epoch === newest)) throw root.at('newest').wrong('an epoch of the keyring');
}

function additionalDataOf(repositoryId: Uint8Array, number: number, grants: Grants): Uint8Array {
  const numberBytes = new Uint8Array(4);
  new DataView(numberBytes.buffer).setUint32(0, number, true);
  return concatBytes([encoder.encode('lagan keyring'), repositoryId, numberBytes, encoder.encode(grants)]);
}

function damaged({ objectName }: KeyringPlace): LaganError {
  return new LaganError('authentication-failed', `${objectName ?? 'keyring'}: the access key of the slot does not open it`, {
    object: objectName,
    offset: 0,
  });
}

function derive(key: Uint8Array, salt: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, encoder.encode(info), KEY_SIZE_BYTES));
}
