/** Where objects are kept: the interface, its implementations, and how they are opened. */
export { isLoopback } from './_served-place.ts';
export { abandonAll } from './_temporary-folder.ts';
export { withCheckedCreation } from './checked-creation.ts';
export { InMemory } from './in-memory.ts';
export { isStored } from './is-stored.ts';
export { JoinedStream } from './joined-stream.ts';
export { storageLimits } from './limits.ts';
export { LocalFolder } from './local-folder.ts';
export { type OpenStorageOptions, openStorage } from './open.ts';
export { withOverrides } from './overrides.ts';
export { pastOf } from './past.ts';
export { S3, type S3Options } from './s3.ts';
export { Served } from './served.ts';
export * from './served-protocol.ts';
export type {
  ByteRange,
  CallOptions,
  CreateOutcome,
  GetOptions,
  ListedObject,
  ListOptions,
  LockMode,
  LockPolicy,
  LockRule,
  ObjectEnd,
  ObjectVersion,
  ObjectWriter,
  PlaceState,
  Storage,
  StorageDescription,
  StorageHistory,
  StorageLocks,
  TransferLimitsDescription,
  TransferRates,
} from './storage.ts';
