/**
 * What is done after a key was stolen. Whoever has a slot's secret and a copy of the slot has the access key, for ever. So all slots that stay are made anew for
 * another access key, and the next keyring opens with that one only; it has a new master secret, too, so that nothing is readable to him that is written from then on.
 */
import {
  equalBytes,
  isLaganError,
  isProven,
  type KeySlot,
  LaganError,
  metadataAccessKey,
  type ObjectId,
  objectNames,
  slotProofKey,
} from '../../repo-format/mod.ts';
import { type NewSlot, openWith, randomKey, type Secret, type StoredSlot, sealNewSlot, withNewEpoch } from '../keys/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { fullAccess } from './_full-access.ts';
import { readFullKeyring, replaceKeyring } from './_stored-keyring.ts';
import { readSlots } from './_stored-slots.ts';
import { now } from './_time.ts';
import { type ChangedKeys, changedKeys } from './key-epochs.ts';
import { findKey, infoOfSlot, type KeySlotInfo, listKeys } from './key-slots.ts';
import type { Repository } from './repository.ts';

export interface RevokeOptions extends CallOptions {
  /** The slots that go: ids, their beginnings, or labels. */
  readonly slots: readonly string[];
  /** What opens slots that stay; that of the slot in use must be among them, unless that one goes. Slots of recipients need none. */
  readonly secrets: readonly Secret[];
}

export interface RevocationPlan {
  readonly revoked: readonly KeySlotInfo[];
  readonly kept: readonly KeySlotInfo[];
  /** Those that cannot be made anew: because their secret is not known, or because it cannot be told who made them. */
  readonly lost: readonly { readonly key: KeySlotInfo; readonly reason: 'secret' | 'unproven' }[];
  /** Of other access keys: they open nothing and go. */
  readonly stale: readonly KeySlotInfo[];
}

/** A slot that stays, with what it is made anew for. */
interface KeptSlot {
  readonly slot: KeySlot;
  readonly secret: NewSlot['secret'];
}

interface Sorted extends RevocationPlan {
  readonly renewed: readonly KeptSlot[];
}

/** What {@link revokeKeys} would do. Codes: as there. */
export async function planRevocation(repository: Repository, options: RevokeOptions): Promise<RevocationPlan> {
  const { renewed: _renewed, ...plan } = await sortSlots(repository, options);
  return plan;
}

/**
 * Replaces access key, slots, keyring and master secret. What was written before stays readable to whoever had a key and has a copy of it. Cut short before the next
 * keyring is there nothing has changed but for slots that open nothing; after that the old slots open nothing, and are deleted the next time.
 *
 * Codes: no-key (it was not opened with a full key; there is no such slot), ambiguous, usage (nothing that opens everything would be left), unavailable, and those of the storage.
 */
export async function revokeKeys(repository: Repository, options: RevokeOptions): Promise<ChangedKeys & { readonly plan: RevocationPlan }> {
  const { signal } = options;
  const { accessKey } = fullAccess(repository);
  const { renewed, ...plan } = await sortSlots(repository, options);
  const nextAccessKey = randomKey();
  const made: { slot: StoredSlot; old: KeySlot }[] = [];
  try {
    for (const kept of renewed) made.push({ slot: await createSlot(repository, kept, { nextAccessKey, signal }), old: kept.slot });
    const keyring = await replaceKeyring(repository, { accessKey, nextAccessKey, change: withNewEpoch, signal });
    await deleteSlots(repository, { but: new Set(made.map(({ slot }) => slot.id)), signal });
    const current = made.find(({ old }) => old.id === repository.slotId) ?? made.find(({ old }) => old.grants === 'full')!;
    const access = { slotId: current.slot.id, accessKey: nextAccessKey };
    return { ...(await changedKeys({ ...repository, slotId: access.slotId, access }, keyring, { signal })), plan };
  } catch (error) {
    await deleteIfUseless(repository, made, { nextAccessKey });
    throw error;
  }
}

async function sortSlots(repository: Repository, { slots: named, secrets, signal }: RevokeOptions): Promise<Sorted> {
  const { accessKey } = fullAccess(repository);
  const { repositoryId } = repository.keys;
  const keys = await listKeys(repository, { signal });
  const revoked = named.map((name) => findKey(keys, name));
  const { slots } = await readSlots(repository.storage, { repositoryId, signal });
  const others = slots.filter(({ id }) => !revoked.some((key) => key.id === id));
  const accessKeys = [accessKey, metadataAccessKey(accessKey, repositoryId)];
  const renewed: KeptSlot[] = [];
  const lost: { key: KeySlotInfo; reason: 'secret' | 'unproven' }[] = [];
  const stale: KeySlotInfo[] = [];
  for (const slot of others) {
    const key = infoOfSlot(slot, repository);
    const secret =
      key.standing === 'stale'
        ? undefined
        : await secretFor(slot, { secrets, accessKeys, proofKey: slotProofKey(accessKey, repositoryId) });
    if (secret !== undefined) renewed.push({ slot, secret });
    else if (key.standing === 'stale') stale.push(key);
    else lost.push({ key, reason: slot.kind === 'recipient' ? 'unproven' : 'secret' });
  }
  if (!renewed.some(({ slot }) => slot.grants === 'full')) throw nothingLeft(revoked);
  return { revoked, kept: renewed.map(({ slot }) => infoOfSlot(slot, repository)), lost, stale, renewed };
}

/** What a slot is made anew for. The public key of a recipient is believed only if a holder of the access key put it there, or if its owner is here. */
async function secretFor(
  slot: KeySlot,
  { secrets, accessKeys, proofKey }: { secrets: readonly Secret[]; accessKeys: readonly Uint8Array[]; proofKey: Uint8Array },
): Promise<NewSlot['secret'] | undefined> {
  if (slot.kind === 'recipient' && isProven(slot, proofKey)) return { kind: 'recipient', publicKey: slot.recipient };
  for (const secret of secrets) {
    const opened = await openWith(slot, secret);
    if (opened === null || !accessKeys.some((accessKey) => equalBytes(accessKey, opened))) continue;
    return slot.kind === 'password' && secret.kind === 'password' ? { ...secret, cost: slot.kdf } : secret;
  }
  return undefined;
}

async function createSlot(
  repository: Repository,
  { slot: { label, grants }, secret }: KeptSlot,
  { nextAccessKey, signal }: { nextAccessKey: Uint8Array } & CallOptions,
): Promise<StoredSlot> {
  const { repositoryId } = repository.keys;
  const slot = await sealNewSlot({ secret, label, grants }, { repositoryId, fullAccessKey: nextAccessKey, created: now() });
  const outcome = await repository.storage.create(slot.name, [slot.bytes], { signal });
  if (outcome === 'exists') throw new LaganError('exists', `${slot.name} is there already`, { object: slot.name });
  return slot;
}

async function deleteSlots(repository: Repository, { but, signal }: { but: ReadonlySet<ObjectId> } & CallOptions): Promise<void> {
  const keys = await listKeys(repository, { signal });
  await repository.storage.delete(
    keys.filter(({ id }) => !but.has(id)).map(({ id }) => objectNames.keySlot(id)),
    { signal },
  );
}

/** After an error: the new slots go, unless it came after the keyring that they open. If that cannot be found out, they stay: they open nothing, or everything. */
async function deleteIfUseless(
  repository: Repository,
  made: readonly { slot: StoredSlot }[],
  { nextAccessKey }: { nextAccessKey: Uint8Array },
): Promise<void> {
  try {
    const isInForce = await opensKeyring(repository, nextAccessKey);
    if (!isInForce) await repository.storage.delete(made.map(({ slot }) => slot.name));
  } catch {
    // The first error is told.
  }
}

async function opensKeyring(repository: Repository, accessKey: Uint8Array): Promise<boolean> {
  try {
    await readFullKeyring(repository, accessKey);
    return true;
  } catch (error) {
    if (isLaganError(error, 'authentication-failed')) return false;
    throw error;
  }
}

function nothingLeft(revoked: readonly KeySlotInfo[]): LaganError {
  const message = `without ${revoked.map(({ label }) => `“${label}”`).join(', ')} no key that opens everything would be left`;
  return new LaganError('usage', message, { hint: 'open the repository with another key, or add one first' });
}
