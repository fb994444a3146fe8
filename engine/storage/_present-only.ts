/** The past of a store that keeps no versions: what is there now, and since when. */
import { LaganError } from '../../repo-format/mod.ts';
import type { ListedObject, Storage, StorageHistory } from './storage.ts';

/** `sinceMs` says when an object came to be; undefined if it is gone by now. */
export function presentOnly(storage: Storage, sinceMs: (object: ListedObject) => number | undefined): StorageHistory {
  const refuse = async (): Promise<never> => {
    throw new LaganError('unsupported', `${storage.location} keeps no versions of what is overwritten or deleted`, {
      object: storage.location,
    });
  };
  return {
    keepsVersions: async () => false,
    async *list(prefix, options) {
      for await (const object of storage.list(prefix, options)) {
        const since = sinceMs(object);
        if (since !== undefined) yield { ...object, id: '', kind: 'object', sinceMs: since, isCurrent: true, tag: '' };
      }
    },
    get: ({ name }, range, options) => storage.get(name, range, options),
    getEnd: ({ name }, last, options) => storage.getEnd(name, last, options),
    bringBack: refuse,
    purge: refuse,
  };
}
