import { type ObjectName, parseObjectName } from '../../repo-format/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { listedFirst, listedThen } from './_stages.ts';

export interface ListedObject {
  readonly name: string;
  readonly sizeBytes: number;
  readonly parsed: ObjectName;
}

/** The objects of a repository that have a name of the format, by name, without verifications. */
export type Listing = ReadonlyMap<string, ListedObject>;

/** Lists all objects, those that refer to others first: what a listed object refers to is listed, too, unless it was deleted. */
export async function listObjects(storage: Storage, { signal }: CallOptions): Promise<Listing> {
  const found = new Map<string, ListedObject>();
  const isFirst = (name: string) => listedFirst.some((prefix) => name.startsWith(prefix));
  const list = async (prefix: string, accept: (name: string) => boolean) => {
    for await (const { name, sizeBytes } of storage.list(prefix, { signal })) {
      const parsed = parseObjectName(name);
      // What was read and verified was so in that store.
      if (parsed !== null && parsed.type !== 'verification' && accept(name)) found.set(name, { name, sizeBytes, parsed });
    }
  };
  for (const prefix of listedFirst) await list(prefix, () => true);
  for (const prefix of listedThen) await list(prefix, (name) => !isFirst(name));
  return found;
}

/** The newest root of a listing. */
export function newestRoot(listing: Listing): { readonly name: string; readonly number: number } | undefined {
  let newest: { name: string; number: number } | undefined;
  for (const { name, parsed } of listing.values())
    if (parsed.type === 'root' && (newest === undefined || parsed.number > newest.number)) newest = { name, number: parsed.number };
  return newest;
}
