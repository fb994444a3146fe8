/** The keys of a repository: listed, added, removed and changed by someone who has a full one. */
import { type Grants, isLaganError, type KeySlot, LaganError, type ObjectId, objectNames, type Time } from '../../repo-format/mod.ts';
import { type NewSlot, sealNewSlot } from '../keys/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { readSlots } from './_stored-slots.ts';
import { now } from './_time.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository, RepositoryAccess } from './repository.ts';

export interface KeySlotInfo {
  readonly id: ObjectId;
  readonly label: string;
  readonly kind: KeySlot['kind'] | 'damaged';
  readonly grants: Grants | null;
  readonly created: Time | null;
  /** The repository was opened by it. */
  readonly current: boolean;
  /** What is wrong with it. */
  readonly error: LaganError | null;
}

/** All key slots, by time; damaged ones last. Codes: those of the storage. */
export async function listKeys(repository: Repository, { signal }: CallOptions = {}): Promise<KeySlotInfo[]> {
  const { slots, damaged } = await readSlots(repository.storage, { repositoryId: repository.keys.repositoryId, signal });
  const infos = slots
    .map((slot) => infoOf(slot, repository))
    .sort((left, right) => left.created!.seconds - right.created!.seconds || (left.id < right.id ? -1 : 1));
  return [
    ...infos,
    ...damaged.map(({ id, error }) => ({ id, label: '', kind: 'damaged' as const, grants: null, created: null, current: false, error })),
  ];
}

/** Adds a slot. Codes: no-key (the repository was not opened with a full key), those of {@link sealNewSlot}, and those of the storage. */
export async function addKey(
  repository: Repository,
  slot: NewSlot,
  { time = now(), signal }: { time?: Time } & CallOptions = {},
): Promise<KeySlotInfo> {
  const { accessKey: fullAccessKey } = fullAccess(repository);
  const { id, name, bytes } = await sealNewSlot(slot, { repositoryId: repository.keys.repositoryId, fullAccessKey, created: time });
  const outcome = await repository.storage.create(name, [bytes], { signal });
  if (outcome === 'exists') throw new LaganError('exists', `${name} is there already`, { object: name });
  return { id, label: slot.label, kind: slot.secret.kind, grants: slot.grants ?? 'full', created: time, current: false, error: null };
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
  if (key.grants === 'full' && fullKeys(keys).length === 1) throw lastKey(key);
  const name = objectNames.keySlot(key.id);
  const bytes = await repository.storage.get(name, undefined, { signal }).catch(nullIfAbsent);
  await repository.storage.delete([name], { signal });
  // Someone else may have removed the other ones at the same time.
  if (key.grants === 'full' && bytes !== null && fullKeys(await listKeys(repository)).length === 0) {
    await repository.storage.create(name, [bytes]);
    throw lastKey(key);
  }
  return key;
}

/**
 * Replaces a slot by a new one: another password, or the same under another label. By default the one that opened the repository. The new one is
 * durable before the old one goes.
 */
export async function changeKey(
  repository: Repository,
  slot: NewSlot,
  { replaces, time, signal }: { replaces?: string | undefined; time?: Time } & CallOptions = {},
): Promise<KeySlotInfo> {
  const old = findKey(await listKeys(repository, { signal }), replaces ?? fullAccess(repository).slotId);
  const added = await addKey(repository, slot, { time, signal });
  if (old.kind !== 'damaged' && old.grants === 'full' && added.grants !== 'full')
    await removeOrTakeBack(repository, { old, added, signal });
  else await removeKey(repository, old.id, { signal });
  return added;
}

/** A full key that is replaced by one for metadata may have been the last. */
async function removeOrTakeBack(
  repository: Repository,
  { old, added, signal }: { old: KeySlotInfo; added: KeySlotInfo } & CallOptions,
): Promise<void> {
  try {
    await removeKey(repository, old.id, { signal });
  } catch (error) {
    await repository.storage.delete([objectNames.keySlot(added.id)]);
    throw error;
  }
}

function infoOf({ id, label, kind, grants, created }: KeySlot, { access }: Repository): KeySlotInfo {
  return { id, label, kind, grants, created, current: access?.slotId === id, error: null };
}

function fullKeys(keys: readonly KeySlotInfo[]): KeySlotInfo[] {
  return keys.filter(({ grants }) => grants === 'full');
}

function findKey(keys: readonly KeySlotInfo[], idOrLabel: string): KeySlotInfo {
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

function fullAccess({ access, keys }: Repository): RepositoryAccess {
  if (access !== null && keys.grants === 'full') return access;
  throw new LaganError('no-key', 'the keys can only be changed by someone who has opened the repository with a full key', {
    expected: 'full',
    found: keys.grants,
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
