/** The keys of a repository: listed, added, removed and changed by someone who has a full one. */
import {
  decodeKeySlot,
  type Grants,
  isLaganError,
  isProven,
  type KeySlot,
  LaganError,
  type ObjectId,
  objectNames,
  slotProofKey,
  type Time,
} from '../../repo-format/mod.ts';
import { type NewSlot, type Secret, sealNewSlot, unlock } from '../keys/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { fullAccess } from './_full-access.ts';
import { readFullKeyring } from './_stored-keyring.ts';
import { readSlots } from './_stored-slots.ts';
import { now } from './_time.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';

export interface KeySlotInfo {
  readonly id: ObjectId;
  readonly label: string;
  /** `unknown` if the slot is damaged. */
  readonly kind: KeySlot['kind'] | 'unknown';
  readonly grants: Grants | 'none';
  readonly created: Time;
  /** The repository was opened by it. */
  readonly isCurrent: boolean;
  /**
   * `proven`: a holder of the full access key made it. `unproven`: it does not say, as slots of older programs, or who asks has a key for metadata only. `stale`: it
   * was made for another access key, so it opens nothing any more, or never did.
   */
  readonly standing: 'proven' | 'unproven' | 'stale';
  /** What is wrong with it, if anything is. */
  readonly damaged?: string;
}

export interface AddKeyOptions extends NewSlot, CallOptions {
  /** Default: now. */
  readonly time?: Time | undefined;
}

export interface ChangeKeyOptions extends CallOptions {
  /** What is replaced: an id, its beginning or a label. Default: the slot that opened the repository. */
  readonly id?: string | undefined;
  readonly slot: NewSlot;
  readonly time?: Time | undefined;
}

export interface RelabelKeyOptions extends CallOptions {
  /** Default: the slot that opened the repository. */
  readonly id?: string | undefined;
  readonly label: string;
  /** What opens the slot: its label is sealed with it. Not needed for a recipient's. */
  readonly secret?: Secret | undefined;
  readonly time?: Time | undefined;
}

/** All key slots, by time; damaged ones last. Codes: those of the storage. */
export async function listKeys(repository: Repository, { signal }: CallOptions = {}): Promise<KeySlotInfo[]> {
  const { slots, damaged } = await readSlots(repository.storage, { repositoryId: repository.keys.repositoryId, signal });
  const infos = slots.map((slot) => infoOfSlot(slot, repository)).sort(compareKeys);
  return [...infos, ...damaged.map(({ id, error }) => damagedKey(id, error))];
}

/** Adds a slot. Codes: no-key (the repository was not opened with a full key), those of {@link sealNewSlot}, and those of the storage. */
export async function addKey(repository: Repository, { time = now(), signal, ...slot }: AddKeyOptions): Promise<KeySlotInfo> {
  const { accessKey: fullAccessKey } = fullAccess(repository);
  const { name, bytes } = await sealNewSlot(slot, { repositoryId: repository.keys.repositoryId, fullAccessKey, created: time });
  const outcome = await repository.storage.create(name, [bytes], { signal });
  if (outcome === 'exists') throw new LaganError('exists', `${name} is there already`, { object: name });
  await expectSameAccessKey(repository, name, { signal });
  return infoOfSlot(decodeKeySlot(bytes, name), repository);
}

/** If all keys were replaced while a slot was made, it is for an access key that opens nothing any more. */
async function expectSameAccessKey(repository: Repository, name: string, { signal }: CallOptions): Promise<void> {
  try {
    await readFullKeyring(repository, fullAccess(repository).accessKey, { signal });
  } catch (error) {
    if (!isLaganError(error, 'authentication-failed')) throw error;
    await repository.storage.delete([name]);
    throw new LaganError('unavailable', 'the keys of the repository were replaced meanwhile', { cause: error, hint: 'run it again' });
  }
}

/**
 * Removes a slot, given by its id or the beginning of it, or by its label. The last one that grants everything stays.
 *
 * Codes: no-key (there is none of that id or label, or the repository was not opened with a full key), ambiguous (`found`: ids), usage (the last full one).
 */
export async function removeKey(repository: Repository, idOrLabel: string, { signal }: CallOptions = {}): Promise<KeySlotInfo> {
  fullAccess(repository);
  const keys = await listKeys(repository, { signal });
  const key = findKey(keys, idOrLabel);
  if (isLastFull(key, keys)) throw lastKey(key);
  const name = objectNames.keySlot(key.id);
  const bytes = await repository.storage.get(name, undefined, { signal }).catch(nullIfAbsent);
  await repository.storage.delete([name], { signal });
  // Someone else may have removed the other ones at the same time.
  if (fullKeys([key]).length > 0 && bytes !== null && fullKeys(await listKeys(repository)).length === 0) {
    await repository.storage.create(name, [bytes]);
    throw lastKey(key);
  }
  return key;
}

/**
 * Replaces a slot by a new one: another password, or the same under another label. The new one is durable before the old one goes; after an
 * error both may be there.
 *
 * Codes: those of {@link addKey} and {@link removeKey}.
 */
export async function changeKey(repository: Repository, { id, slot, time, signal }: ChangeKeyOptions): Promise<KeySlotInfo> {
  const keys = await listKeys(repository, { signal });
  const old = findKey(keys, id ?? fullAccess(repository).slotId);
  if (isLastFull(old, keys) && slot.grants === 'metadata') throw lastKey(old);
  const added = await addKey(repository, { ...slot, time, signal });
  await removeKey(repository, old.id, { signal });
  return added;
}

/**
 * Gives a slot another label. Slots never change, so that makes a new one for the same secret, with another id.
 *
 * Codes: those of {@link changeKey}; wrong-key (the secret does not open the slot), no-key (it is needed, or the slot is damaged).
 */
export async function relabelKey(repository: Repository, { id, label, secret, time, signal }: RelabelKeyOptions): Promise<KeySlotInfo> {
  const old = findKey(await listKeys(repository, { signal }), id ?? fullAccess(repository).slotId);
  const { slots } = await readSlots(repository.storage, { repositoryId: repository.keys.repositoryId, signal });
  const slot = slots.find((candidate) => candidate.id === old.id);
  if (slot === undefined) throw new LaganError('no-key', `key ${old.id} is damaged`, { object: objectNames.keySlot(old.id) });
  const sameSecret = await secretOfSlot(slot, secret);
  return changeKey(repository, { id: old.id, slot: { secret: sameSecret, label, grants: slot.grants }, time, signal });
}

async function secretOfSlot(slot: KeySlot, secret: Secret | undefined): Promise<NewSlot['secret']> {
  if (slot.kind === 'recipient') return { kind: 'recipient', publicKey: slot.recipient };
  const fields = { object: objectNames.keySlot(slot.id), hint: 'give the password or key file that it is for' };
  if (secret === undefined) throw new LaganError('no-key', `the label of “${slot.label}” can only be changed with its secret`, fields);
  await unlock([slot], [secret], { needs: slot.grants });
  return slot.kind === 'password' && secret.kind === 'password' ? { ...secret, cost: slot.kdf } : secret;
}

/** What is told of a slot. */
export function infoOfSlot(slot: KeySlot, repository: Repository): KeySlotInfo {
  const { id, label, kind, grants, created } = slot;
  return { id, label, kind, grants, created, isCurrent: repository.access?.slotId === id, standing: standingOf(slot, repository) };
}

function standingOf(slot: KeySlot, { access, keys }: Repository): KeySlotInfo['standing'] {
  if (slot.proof === null || access === null || keys.grants !== 'full') return 'unproven';
  return isProven(slot, slotProofKey(access.accessKey, keys.repositoryId)) ? 'proven' : 'stale';
}

function damagedKey(id: ObjectId, error: LaganError): KeySlotInfo {
  return {
    id,
    label: '',
    kind: 'unknown',
    grants: 'none',
    created: { seconds: 0, nanoseconds: 0 },
    isCurrent: false,
    standing: 'unproven',
    damaged: error.message,
  };
}

function compareKeys({ id: leftId, created: left }: KeySlotInfo, { id: rightId, created: right }: KeySlotInfo): number {
  return left.seconds - right.seconds || left.nanoseconds - right.nanoseconds || (leftId < rightId ? -1 : 1);
}

function fullKeys(keys: readonly KeySlotInfo[]): KeySlotInfo[] {
  return keys.filter(({ grants, standing }) => grants === 'full' && standing !== 'stale');
}

function isLastFull(key: KeySlotInfo, keys: readonly KeySlotInfo[]): boolean {
  const full = fullKeys(keys);
  return full.length === 1 && full[0]!.id === key.id;
}

/** The key that an id, its beginning or a label names. Codes: no-key, ambiguous. */
export function findKey(keys: readonly KeySlotInfo[], idOrLabel: string): KeySlotInfo {
  const isPrefix = /^[0-9a-f]{4,32}$/i.test(idOrLabel) && idOrLabel.length >= repositoryLimits.shortestIdPrefix;
  const byId = isPrefix ? keys.filter(({ id }) => id.startsWith(idOrLabel.toLowerCase())) : [];
  const found = byId.length > 0 ? byId : keys.filter(({ label }) => label === idOrLabel && label !== '');
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    const message = `there is no key with the id or label ${JSON.stringify(idOrLabel)}`;
    throw new LaganError('no-key', message, { expected: idOrLabel, found: keys.map(({ id }) => id), hint: 'lagan key list shows them' });
  }
  throw new LaganError('ambiguous', `${JSON.stringify(idOrLabel)} fits ${found.length} keys`, {
    expected: idOrLabel,
    found: found.map(({ id }) => id),
    hint: 'write the id',
  });
}

function lastKey({ id, label }: KeySlotInfo): LaganError {
  return new LaganError('usage', `“${label}” is the last key that opens everything; without it all is lost`, {
    object: objectNames.keySlot(id),
    hint: 'add another key first',
  });
}

function nullIfAbsent(error: unknown): null {
  if (isLaganError(error, 'not-found')) return null;
  throw error;
}
