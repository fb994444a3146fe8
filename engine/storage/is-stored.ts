import { isLaganError } from '../../repo-format/mod.ts';
import type { CallOptions, Storage } from './storage.ts';

/** Whether there is an object of this name, by a request for it: a listing may not show it yet. */
export async function isStored(storage: Storage, name: string, { signal }: CallOptions = {}): Promise<boolean> {
  try {
    await storage.size(name, { signal });
    return true;
  } catch (error) {
    if (isLaganError(error, 'not-found')) return false;
    throw error;
  }
}
