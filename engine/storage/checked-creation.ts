/** For stores that do not keep to their conditions. */
import { withOverrides } from './overrides.ts';
import type { CallOptions, CreateOutcome, Storage } from './storage.ts';

/**
 * The same store, where an object is looked for before it is created. A store that ignores conditions would overwrite it; so it is only overwritten by who
 * creates it at the same moment, which repositories on such stores avoid by having one collector only. Objects that are written bit by bit have random names.
 */
export function withCheckedCreation(storage: Storage): Storage {
  return withOverrides(storage, {
    create: (name: string, parts: readonly Uint8Array[], options?: CallOptions) => createAfterLook(storage, { name, parts, options }),
  });
}

async function createAfterLook(
  storage: Storage,
  { name, parts, options }: { name: string; parts: readonly Uint8Array[]; options: CallOptions | undefined },
): Promise<CreateOutcome> {
  for await (const listed of storage.list(name, options)) {
    if (listed.name === name) return 'exists';
    break;
  }
  return storage.create(name, parts, options);
}
