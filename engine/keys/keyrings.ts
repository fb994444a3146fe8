/** The keyring of a repository, as stored: made, opened, and limited to metadata. Source: spec/keys.md, "Keyring". */
import { randomBytes } from 'node:crypto';
import {
  decodeKeyring,
  deriveKey,
  encodeKeyring,
  type FullKeyring,
  type Grants,
  isLaganError,
  type Keyring,
  LaganError,
  type MetadataKeyring,
  metadataAccessKey,
  type NamingKeys,
  namingKeysOf,
  objectNames,
} from '../../repo-format/mod.ts';
import { randomKey } from './secrets.ts';

/** A keyring with one new master secret. `naming`: the keys of another repository, to name chunks and cut files as it does. */
export function newKeyring(naming?: NamingKeys): FullKeyring {
  return { grants: 'full', number: 0, newest: 0, epochs: [{ epoch: 0, master: randomKey() }], ...(naming && { naming }) };
}

/** The same with another new master secret, which is the one that writers use from then on. `number`: the highest that there is, plus one. */
export function withNewEpoch(keyring: FullKeyring, number: number): FullKeyring {
  const epoch = keyring.newest + 1;
  return { ...keyring, number, newest: epoch, epochs: [...keyring.epochs, { epoch, master: randomKey() }] };
}

/** The same with the newest master secret only. What names and cuts chunks stays as it is. */
export function withoutOldEpochs(
  keyring: FullKeyring,
  { number, ...place }: { number: number; repositoryId: Uint8Array; nameEpoch: number },
): FullKeyring {
  const { newest } = keyring;
  const naming = namingKeysOf(keyring, place);
  if (naming === undefined) throw new RangeError(`nameEpoch: ${place.nameEpoch} is not in the keyring`);
  return { grants: 'full', number, newest, epochs: keyring.epochs.filter(({ epoch }) => epoch === newest), naming };
}

/** What suffices to read trees and index, but no file's content. */
export function metadataKeyringOf(
  keyring: FullKeyring,
  { repositoryId, nameEpoch }: { repositoryId: Uint8Array; nameEpoch: number },
): MetadataKeyring {
  const naming = namingKeysOf(keyring, { repositoryId, nameEpoch });
  if (naming === undefined) throw new RangeError(`nameEpoch: ${nameEpoch} is not in the keyring`);
  return {
    grants: 'metadata',
    number: keyring.number,
    newest: keyring.newest,
    epochs: keyring.epochs.map(({ epoch, master }) => ({ epoch, metadataKey: deriveKey(master, repositoryId, 'metadata') })),
    metadataNameKey: naming.metadataName,
  };
}

/** Both stored forms of a keyring: for slots that grant everything, and for those that grant metadata. */
export function sealKeyrings(
  keyring: FullKeyring,
  { repositoryId, fullAccessKey, nameEpoch }: { repositoryId: Uint8Array; fullAccessKey: Uint8Array; nameEpoch: number },
): { name: string; bytes: Uint8Array }[] {
  const accessKeys = { full: fullAccessKey, metadata: metadataAccessKey(fullAccessKey, repositoryId) };
  return [keyring, metadataKeyringOf(keyring, { repositoryId, nameEpoch })].map((form) => {
    const { number, grants } = form;
    const accessKey = accessKeys[grants];
    const bytes = encodeKeyring(form, { repositoryId, accessKey, nonce: randomBytes(12) });
    // One that does not open would cost everything.
    const opened = openKeyring(bytes, { repositoryId, number, grants, accessKey });
    if (opened.newest !== form.newest || opened.epochs.length !== form.epochs.length)
      throw new LaganError('io', 'a new keyring does not open again', { hint: 'the memory of this machine may be faulty' });
    return { name: objectNames.keyring(number, grants), bytes };
  });
}

/** Opens a stored keyring. The access key came out of a slot, so it is right: what does not open was damaged, code `authentication-failed`. */
export function openKeyring(
  bytes: Uint8Array,
  place: { repositoryId: Uint8Array; number: number; grants: Grants; accessKey: Uint8Array },
): Keyring {
  const objectName = objectNames.keyring(place.number, place.grants);
  try {
    return decodeKeyring(bytes, place.grants, { ...place, objectName });
  } catch (error) {
    if (!isLaganError(error, 'wrong-key')) throw error;
    throw new LaganError('authentication-failed', `${objectName} was changed or damaged`, { cause: error, object: objectName, offset: 0 });
  }
}
