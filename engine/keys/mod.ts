/** Secrets, key slots and the keys of a repository. */
export { argon2id } from './argon2id.ts';
export { type ReadKeyFile, readKeyFile, readPasswordFile, writeKeyFile } from './key-files.ts';
export { KeyRing, metadataKeysOf, type PlainKeyRing } from './key-ring.ts';
export { metadataKeyringOf, newKeyring, openKeyring, sealKeyrings } from './keyrings.ts';
export { keyLimits } from './limits.ts';
export {
  type Identity,
  keyFileText,
  keyText,
  newIdentity,
  newKeyFileSecret,
  parseKeyText,
  parseRecipient,
  publicKeyOf,
  randomKey,
  recipientText,
  type Secret,
} from './secrets.ts';
export { checkLabel, type NewSlot, type OpenedSlot, type PasswordCost, type StoredSlot, sealNewSlot, unlock } from './slots.ts';
