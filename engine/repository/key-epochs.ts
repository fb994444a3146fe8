/**
 * Rotation: a new master secret for what is written from now on, and the end of the old ones once nothing is sealed with them. What makes it safe beside backups that
 * know the old secrets alone: a root that is sealed with the new one can be read by nobody else. Source: spec/keys.md, "Rotation".
 */
import { LaganError } from '../../repo-format/mod.ts';
import { KeyRing, withNewEpoch, withoutOldEpochs } from '../keys/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { fullAccess } from './_full-access.ts';
import { deleteOlderKeyrings, readKeyring, replaceKeyring } from './_stored-keyring.ts';
import type { Repository } from './repository.ts';

/** What a change of the keyring led to. */
export interface ChangedKeys {
  /** With the keys as they are now. */
  readonly repository: Repository;
  /** The epoch that new objects are sealed with. */
  readonly epoch: number;
  /** All epochs of the keyring, ascending. */
  readonly epochs: readonly number[];
  /** False: the store does not let us delete the keyrings before, so that what they hold stays readable there. */
  readonly oldKeyringsDeleted: boolean;
}

/**
 * Gives the repository a new master secret, with which everything is sealed that is written by those who open it from now on. Backups that run end with the old one.
 *
 * Codes: no-key (it was not opened with a full key), unavailable (others change the keys again and again), and those of the storage.
 */
export async function rotateMasterKey(repository: Repository, { signal }: CallOptions = {}): Promise<ChangedKeys> {
  const { accessKey } = fullAccess(repository);
  const keyring = await replaceKeyring(repository, { accessKey, nextAccessKey: accessKey, change: withNewEpoch, signal });
  return changedKeys(repository, keyring, { signal });
}

/**
 * Takes the master secrets of all epochs but the newest out of the keyring. Only for whoever has made sure that nothing is sealed with them, see `retireEpochs` of the
 * collector. Codes as of {@link rotateMasterKey}; unavailable also if there is a newer epoch than the repository was opened with.
 */
export async function dropOldEpochs(repository: Repository, { signal }: CallOptions = {}): Promise<ChangedKeys> {
  const { accessKey } = fullAccess(repository);
  const { keys, configuration } = repository;
  const keyring = await replaceKeyring(repository, {
    accessKey,
    nextAccessKey: accessKey,
    change: (before, number) => {
      if (before.newest !== keys.newestEpoch) throw rotatedMeanwhile();
      return withoutOldEpochs(before, { repositoryId: keys.repositoryId, nameEpoch: configuration.nameEpoch, number });
    },
    signal,
  });
  return changedKeys(repository, keyring, { signal });
}

/** The repository with the keys as they are now; itself if they have not changed, or in a worker thread. Codes: those of the storage and of damage. */
export async function withNewestKeys(repository: Repository, { signal }: CallOptions = {}): Promise<Repository> {
  const { access, keys, storage, configuration } = repository;
  if (access === null) return repository;
  const { repositoryId, grants } = keys;
  const keyring = await readKeyring(storage, { repositoryId, grants, accessKey: access.accessKey, signal });
  if (keyring.newest === keys.newestEpoch) return repository;
  return { ...repository, keys: KeyRing.fromKeyring(keyring, { repositoryId, nameEpoch: configuration.nameEpoch }) };
}

/** After the next keyring is durable: those before it go. */
export async function changedKeys(
  repository: Repository,
  keyring: Awaited<ReturnType<typeof replaceKeyring>>,
  { signal }: CallOptions,
): Promise<ChangedKeys> {
  const { keys, configuration } = repository;
  const oldKeyringsDeleted = await deleteOlderKeyrings(repository, keyring.number, { signal });
  return {
    repository: {
      ...repository,
      keys: KeyRing.fromKeyring(keyring, { repositoryId: keys.repositoryId, nameEpoch: configuration.nameEpoch }),
    },
    epoch: keyring.newest,
    epochs: keyring.epochs.map(({ epoch }) => epoch),
    oldKeyringsDeleted,
  };
}

function rotatedMeanwhile(): LaganError {
  return new LaganError('unavailable', 'the keys were rotated again meanwhile', { hint: 'run it again' });
}
