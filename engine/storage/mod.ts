/** Where objects are kept: the interface, its implementations, and how they are opened. */
export { abandonAll } from './_temporary-folder.ts';
export { InMemory } from './in-memory.ts';
export { storageLimits } from './limits.ts';
export { LocalFolder } from './local-folder.ts';
export { openStorage } from './open.ts';
export type {
  ByteRange,
  CallOptions,
  CreateOutcome,
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectWriter,
  PlaceState,
  Storage,
  StorageDescription,
} from './storage.ts';
