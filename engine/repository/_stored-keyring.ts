/**
 * The keyring as it is in the store: numbered objects, of which the highest number counts. Replaced by creating the next number: the full form decides who was
 * first, the one for metadata follows from it, and whoever comes next makes up for one that is missing.
 */
import {
  type FullKeyring,
  type Grants,
  isLaganError,
  type Keyring,
  LaganError,
  limits,
  objectNames,
  objectPrefixes,
  parseObjectName,
} from '../../repo-format/mod.ts';
import { openKeyring, sealKeyrings } from '../keys/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { createOwn, orMissing } from './_sealed-objects.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';

interface KeyringAccess extends CallOptions {
  readonly repositoryId: Uint8Array;
  readonly grants: Grants;
  readonly accessKey: Uint8Array;
}

/** The keyring that counts. Codes: object-missing, authentication-failed (damaged, or the access key was replaced), and those of the storage. */
export async function readKeyring(storage: Storage, { repositoryId, grants, accessKey, signal }: KeyringAccess): Promise<Keyring> {
  for (let attempt = 1; ; attempt++) {
    const number = (await listKeyrings(storage, { signal })).findLast((keyring) => keyring.grants === grants)?.number;
    if (number === undefined) {
      const message = `there is no object under ${objectPrefixes.keyrings}, but the repository relies on one`;
      throw new LaganError('object-missing', message, { object: objectPrefixes.keyrings });
    }
    const name = objectNames.keyring(number, grants);
    try {
      const bytes = await orMissing(name, storage.get(name, undefined, { limitBytes: limits.keyringSizeBytes, signal }));
      return openKeyring(bytes, { repositoryId, number, grants, accessKey });
    } catch (error) {
      // It was replaced since it was listed.
      if (!isLaganError(error, 'object-missing') || attempt === repositoryLimits.keyAttempts) throw error;
    }
  }
}

/** The keyring with the master secrets. Codes as of {@link readKeyring}. */
export async function readFullKeyring(repository: Repository, accessKey: Uint8Array, { signal }: CallOptions = {}): Promise<FullKeyring> {
  const { repositoryId } = repository.keys;
  return (await readKeyring(repository.storage, { repositoryId, grants: 'full', accessKey, signal })) as FullKeyring;
}

export interface KeyringChange extends CallOptions {
  /** What opens the keyring that counts now. */
  readonly accessKey: Uint8Array;
  /** What opens the next one. */
  readonly nextAccessKey: Uint8Array;
  /** The next keyring, with its number. Asked again if another one was faster; what it throws ends it. */
  readonly change: (keyring: FullKeyring, number: number) => FullKeyring;
}

/** Creates the next keyring, durably. Codes: unavailable (others are always faster), and those of {@link readKeyring}. */
export async function replaceKeyring(repository: Repository, options: KeyringChange): Promise<FullKeyring> {
  const { storage } = repository;
  const { accessKey, nextAccessKey, change, signal } = options;
  for (let attempt = 1; attempt <= repositoryLimits.numberAttempts; attempt++) {
    const keyring = await readFullKeyring(repository, accessKey, { signal });
    await completeKeyring(repository, keyring, { accessKey, signal });
    const next = change(keyring, keyring.number + 1);
    const [full, metadata] = sealedForms(repository, next, nextAccessKey);
    if ((await createOwn(storage, full!.name, { bytes: full!.bytes, signal })) === 'exists') continue;
    await createOwn(storage, metadata!.name, { bytes: metadata!.bytes, signal });
    return next;
  }
  throw new LaganError('unavailable', 'the keyring is changed by others again and again', { object: objectPrefixes.keyrings });
}

/** Makes the form for metadata, where whoever made the full one was cut short. */
async function completeKeyring(
  repository: Repository,
  keyring: FullKeyring,
  { accessKey, signal }: { accessKey: Uint8Array } & CallOptions,
): Promise<void> {
  const { storage } = repository;
  const listed = await listKeyrings(storage, { signal });
  if (listed.some(({ number, grants }) => number === keyring.number && grants === 'metadata')) return;
  const [, metadata] = sealedForms(repository, keyring, accessKey);
  await createOwn(storage, metadata!.name, { bytes: metadata!.bytes, signal });
}

/** Deletes the keyrings of lower numbers; false if the store does not let us. Readers that have listed them list again. */
export async function deleteOlderKeyrings({ storage }: Repository, number: number, { signal }: CallOptions = {}): Promise<boolean> {
  const older = (await listKeyrings(storage, { signal })).filter((keyring) => keyring.number < number);
  try {
    await storage.delete(
      older.map((keyring) => objectNames.keyring(keyring.number, keyring.grants)),
      { signal },
    );
    return true;
  } catch (error) {
    if (isLaganError(error, 'forbidden')) return false;
    throw error;
  }
}

function sealedForms({ keys, configuration }: Repository, keyring: FullKeyring, fullAccessKey: Uint8Array) {
  return sealKeyrings(keyring, { repositoryId: keys.repositoryId, fullAccessKey, nameEpoch: configuration.nameEpoch });
}

/** In ascending order. */
async function listKeyrings(storage: Storage, { signal }: CallOptions): Promise<{ number: number; grants: Grants }[]> {
  const found: { number: number; grants: Grants }[] = [];
  for await (const { name } of storage.list(objectPrefixes.keyrings, { signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type === 'keyring') found.push(parsed);
  }
  return found;
}
