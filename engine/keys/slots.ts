/**
 * Key slots: each holds an access key, sealed for one password, key file or recipient. Slots that grant everything hold the full access key, slots
 * for metadata one that is derived from it. Source: spec/keys.md, "Slots".
 */
import { randomBytes } from 'node:crypto';
import {
  decodeKeySlot,
  defaultPasswordCost,
  encodeKeySlot,
  type Grants,
  idFromBytes,
  isLaganError,
  type KeySlot,
  keyFileEncryptionKey,
  LaganError,
  limits,
  metadataAccessKey,
  type ObjectId,
  objectNames,
  openKeySlot,
  recipientEncryptionKey,
  type SlotDescription,
  slotProofKey,
  type Time,
} from '../../repo-format/mod.ts';
import { argon2id } from './argon2id.ts';
import { keyLimits } from './limits.ts';
import { agree, newIdentity, publicKeyOf, randomKey, type Secret } from './secrets.ts';

export interface PasswordCost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

/** A slot to be made: for a password, for a key file, or for whoever has the private half of a public key (an identity stands for its public half). */
export interface NewSlot {
  readonly secret:
    | { readonly kind: 'password'; readonly password: string; readonly cost?: PasswordCost | undefined }
    | { readonly kind: 'key-file'; readonly secret: Uint8Array }
    | { readonly kind: 'recipient'; readonly publicKey: Uint8Array }
    | { readonly kind: 'identity'; readonly privateKey: Uint8Array };
  readonly label: string;
  /** Default: full. */
  readonly grants?: Grants | undefined;
}

/** A slot that was opened. */
export interface OpenedSlot {
  readonly slot: KeySlot;
  /** Of the slot's grants: full or metadata. */
  readonly accessKey: Uint8Array;
}

export interface StoredSlot {
  readonly id: ObjectId;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Makes a slot for the object store. Codes: usage (an empty password or label, impossible costs), malformed-key (recipient). */
export async function sealNewSlot(
  { secret, label, grants = 'full' }: NewSlot,
  { repositoryId, fullAccessKey, created }: { repositoryId: Uint8Array; fullAccessKey: Uint8Array; created: Time },
): Promise<StoredSlot> {
  checkLabel(label);
  const id = idFromBytes<ObjectId>(randomBytes(16));
  const { description, keyEncryptionKey } = await describeSlot(secret, { id, repositoryId, label, created, grants });
  const accessKey = grants === 'full' ? fullAccessKey : metadataAccessKey(fullAccessKey, repositoryId);
  const proofKey = slotProofKey(fullAccessKey, repositoryId);
  const bytes = encodeKeySlot(description, { keyEncryptionKey, accessKey, nonce: randomBytes(12), proofKey });
  const name = objectNames.keySlot(id);
  expectOpens(bytes, { name, keyEncryptionKey, accessKey });
  return { id, name, bytes };
}

/**
 * Tries the secrets on the slots that fit their kind, one after the other, until one opens that grants enough.
 *
 * Codes: wrong-key (slots of that kind were tried), no-key (there is no slot of that kind, or what opens grants only metadata), unsupported (the
 * only slot needs more memory than there is).
 */
export async function unlock(slots: readonly KeySlot[], secrets: readonly Secret[], { needs }: { needs: Grants }): Promise<OpenedSlot> {
  const tried: KeySlot[] = [];
  const obstacles: LaganError[] = [];
  const likeliestFirst = slots.toSorted(
    (left, right) => costOf(left) - costOf(right) || Number(right.grants === 'full') - Number(left.grants === 'full'),
  );
  for (const [secret, slot] of secrets.flatMap((secret) => likeliestFirst.map((slot) => [secret, slot] as const))) {
    const attempt = await tryOpen(slot, secret);
    if (attempt === 'not-for-it') continue;
    tried.push(slot);
    if (attempt instanceof LaganError) obstacles.push(attempt);
    if (!(attempt instanceof Uint8Array)) continue;
    if (needs === 'metadata' || slot.grants === 'full') return { slot, accessKey: attempt };
    obstacles.unshift(metadataOnly(slot));
  }
  throw obstacles[0] ?? noSlotOpens(tried, { slots, secrets });
}

/** Work for the key of a slot. The cheap ones come first: whoever can add a slot to the store could otherwise make everybody wait for his. */
function costOf(slot: KeySlot): number {
  return slot.kind === 'password' ? slot.kdf.memoryKiB * slot.kdf.passes : 0;
}

/** The access key in a slot, if the secret opens it; null if it does not, or cannot be tried. */
export async function openWith(slot: KeySlot, secret: Secret): Promise<Uint8Array | null> {
  const attempt = await tryOpen(slot, secret);
  return attempt instanceof Uint8Array ? attempt : null;
}

/** The access key; an error if this slot cannot be tried at all, which must not keep others from being tried. */
async function tryOpen(slot: KeySlot, secret: Secret): Promise<Uint8Array | 'not-for-it' | 'wrong' | LaganError> {
  try {
    const keyEncryptionKey = await keyFor(slot, secret);
    return keyEncryptionKey === undefined ? 'not-for-it' : openKeySlot(slot, keyEncryptionKey);
  } catch (error) {
    if (isLaganError(error, 'wrong-key')) return 'wrong';
    if (isLaganError(error, 'unsupported') || isLaganError(error, 'malformed-key')) return error;
    throw error;
  }
}

/** The key encryption key that a secret gives for a slot; undefined if the slot is for another kind, or for another recipient. */
async function keyFor(slot: KeySlot, secret: Secret): Promise<Uint8Array | undefined> {
  if (slot.kind === 'password' && secret.kind === 'password') return argon2id(passwordBytes(secret.password), slot.kdf);
  if (slot.kind === 'key-file' && secret.kind === 'key-file') return keyFileEncryptionKey(secret.secret, slot.salt);
  if (slot.kind !== 'recipient' || secret.kind !== 'identity') return undefined;
  if (Buffer.compare(publicKeyOf(secret.privateKey), slot.recipient) !== 0) return undefined;
  return recipientEncryptionKey(agree(secret.privateKey, slot.ephemeral), slot);
}

type SlotFields = Pick<SlotDescription, 'id' | 'repositoryId' | 'label' | 'created' | 'grants'>;

async function describeSlot(
  secret: NewSlot['secret'],
  fields: SlotFields,
): Promise<{ description: SlotDescription; keyEncryptionKey: Uint8Array }> {
  const salt = randomKey();
  if (secret.kind === 'password') {
    const kdf = { salt, ...checkedCost(secret.cost ?? defaultPasswordCost) };
    if (secret.password === '') throw new LaganError('usage', 'a password must not be empty');
    return { description: { ...fields, kind: 'password', kdf }, keyEncryptionKey: await argon2id(passwordBytes(secret.password), kdf) };
  }
  if (secret.kind === 'key-file') {
    return { description: { ...fields, kind: 'key-file', salt }, keyEncryptionKey: keyFileEncryptionKey(secret.secret, salt) };
  }
  const recipient = secret.kind === 'identity' ? publicKeyOf(secret.privateKey) : secret.publicKey;
  const { privateKey, publicKey: ephemeral } = newIdentity();
  const description = { ...fields, kind: 'recipient' as const, salt, recipient, ephemeral };
  return { description, keyEncryptionKey: recipientEncryptionKey(agree(privateKey, recipient), description) };
}

/** The same password in every keyboard's spelling: Unicode NFC. */
function passwordBytes(password: string): Uint8Array {
  const bytes = new TextEncoder().encode(password.normalize('NFC'));
  if (bytes.length <= keyLimits.passwordSizeBytes) return bytes;
  throw new LaganError('usage', `a password of ${bytes.length} bytes; the limit is ${keyLimits.passwordSizeBytes}`, {
    expected: keyLimits.passwordSizeBytes,
    found: bytes.length,
  });
}

function checkedCost({ memoryKiB, passes, lanes }: PasswordCost): PasswordCost {
  const ranges = [
    ['lanes', lanes, 1, limits.kdfLanes],
    ['passes', passes, 1, limits.kdfPasses],
    ['memoryKiB', memoryKiB, 8 * lanes, limits.kdfMemoryKiB],
  ] as const;
  for (const [name, value, least, most] of ranges) {
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    throw new LaganError('usage', `Argon2id: ${name} is ${value}, it must be ${least} to ${most}`, {
      expected: `${least} to ${most}`,
      found: value,
    });
  }
  return { memoryKiB, passes, lanes };
}

export function checkLabel(label: string): void {
  if (label !== '' && label.length <= keyLimits.labelLength && !/\p{Cc}/u.test(label)) return;
  throw new LaganError('usage', `${JSON.stringify(label)} is no label for a key`, {
    expected: `1 to ${keyLimits.labelLength} printable characters`,
    found: label,
  });
}

/** A slot that does not open is found out now, not on the day of the restore. */
function expectOpens(
  bytes: Uint8Array,
  { name, keyEncryptionKey, accessKey }: { name: string; keyEncryptionKey: Uint8Array; accessKey: Uint8Array },
): void {
  const opened = openKeySlot(decodeKeySlot(bytes, name), keyEncryptionKey);
  if (Buffer.compare(opened, accessKey) !== 0) throw new LaganError('io', `${name}: the new key slot does not open`, { object: name });
}

function metadataOnly(slot: KeySlot): LaganError {
  const message = `the key “${slot.label}” opens names, sizes and structure only, not the content of files`;
  return new LaganError('no-key', message, { object: objectNames.keySlot(slot.id), expected: 'full', found: 'metadata' });
}

const slotKindOf = { password: 'password', 'key-file': 'key-file', identity: 'recipient' } as const;
const kindTexts = { password: 'password', 'key-file': 'key file', recipient: 'recipient' } as const;

function noSlotOpens(tried: readonly KeySlot[], { slots, secrets }: { slots: readonly KeySlot[]; secrets: readonly Secret[] }): LaganError {
  const given = [...new Set(secrets.map(({ kind }) => kindTexts[slotKindOf[kind]]))].join(' or ') || 'key';
  const present = Object.entries(kindTexts).flatMap(([kind, text]) => {
    const count = slots.filter((slot) => slot.kind === kind).length;
    return count === 0 ? [] : [`${count} of kind ${text}`];
  });
  const inventory = present.join(', ') || 'none';
  if (tried.length === 0) {
    return new LaganError('no-key', `no key slot is for the ${given} that was given; key slots: ${inventory}`, {
      expected: inventory,
      found: 0,
    });
  }
  const labels = [...new Set(tried.map(({ label }) => `“${label}”`))].join(', ');
  const hint = tried.some(({ kind }) => kind === 'password')
    ? 'check the keyboard layout and capital letters; another key slot may open with a key file or a recovery key'
    : 'check that the key belongs to this repository';
  const message = `wrong ${given}: ${tried.length === 1 ? 'the key slot that it may be for does' : `the ${tried.length} key slots that it may be for do`} not open (${labels}); key slots: ${inventory}`;
  return new LaganError('wrong-key', message, { expected: inventory, found: tried.length, hint });
}
