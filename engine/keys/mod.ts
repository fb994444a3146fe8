/** Secrets, key slots and the keys of a repository. */
export { argon2id } from './argon2id.ts';
export { type ReadKeyFile, readKeyFile, readPasswordFile, writeKeyFile } from './key-files.ts';
export { KeyRing, metadataKeysOf, type PlainKeyRing } from './key-ring.ts';
export { metadataKeyringOf, newKeyring, openKeyring, sealKeyrings, withNewEpoch, withoutOldEpochs } from './keyrings.ts';
export { keyLimits } from './limits.ts';
export {
  type Identity,
  keyFileText,
  keyText,
  keyWords,
  newIdentity,
  newKeyFileSecret,
  parseKeyText,
  parseRecipient,
  parseSecretText,
  publicKeyOf,
  randomKey,
  recipientText,
  type Secret,
  secretsInText,
} from './secrets.ts';
export { checkLabel, type NewSlot, type OpenedSlot, openWith, type PasswordCost, type StoredSlot, sealNewSlot, unlock } from './slots.ts';
