/** The key slots of a repository, as they are in the store. */
import pLimit from 'p-limit';
import {
  decodeKeySlot,
  equalBytes,
  idFromBytes,
  isLaganError,
  type KeySlot,
  LaganError,
  limits,
  type ObjectId,
  objectPrefixes,
  parseObjectName,
  toHex,
} from '../../repo-format/mod.ts';
import { keyLimits } from '../keys/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { repositoryLimits } from './limits.ts';

export interface StoredSlots {
  readonly slots: readonly KeySlot[];
  /** Slots that cannot be read; the others still open the repository. */
  readonly damaged: readonly { readonly id: ObjectId; readonly error: LaganError }[];
}

/** Reads all slots. Codes: those of the storage; limit-exceeded. Damaged slots are set apart. */
export async function readSlots(
  storage: Storage,
  { repositoryId, signal }: { repositoryId: Uint8Array } & CallOptions,
): Promise<StoredSlots> {
  const names: { id: ObjectId; name: string }[] = [];
  for await (const { name } of storage.list(objectPrefixes.keySlots, { signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type === 'key-slot') names.push({ id: parsed.id, name });
    if (names.length > keyLimits.slots) {
      throw new LaganError('limit-exceeded', `there are more than ${keyLimits.slots} key slots`, {
        object: objectPrefixes.keySlots,
        expected: keyLimits.slots,
      });
    }
  }
  const read = await pLimit(repositoryLimits.concurrentReads).map(names, ({ id, name }) =>
    readSlot(storage, { id, name, repositoryId, signal }),
  );
  return {
    slots: read.flatMap((result) => ('slot' in result ? [result.slot] : [])),
    damaged: read.flatMap((result) => ('error' in result ? [result] : [])),
  };
}

interface SlotPlace extends CallOptions {
  readonly id: ObjectId;
  readonly name: string;
  readonly repositoryId: Uint8Array;
}

type ReadSlot = { readonly slot: KeySlot } | { readonly id: ObjectId; readonly error: LaganError } | Record<never, never>;

async function readSlot(storage: Storage, { id, name, repositoryId, signal }: SlotPlace): Promise<ReadSlot> {
  try {
    const bytes = await storage.get(name, undefined, { limitBytes: limits.clearObjectSizeBytes, signal });
    const slot = decodeKeySlot(bytes, name);
    expectRepository(slot, { name, repositoryId });
    return { slot };
  } catch (error) {
    if (isLaganError(error, 'not-found')) return {}; // Removed since it was listed.
    if (!isLaganError(error) || !damageCodes.has(error.code)) throw error;
    return { id, error };
  }
}

/** What a damaged object, and nothing else, makes a decoder say. */
export const damageCodes: ReadonlySet<string> = new Set([
  'malformed',
  'authentication-failed',
  'limit-exceeded',
  'name-mismatch',
  'repository-too-new',
  'object-missing',
]);

function expectRepository(slot: KeySlot, { name, repositoryId }: { name: string; repositoryId: Uint8Array }): void {
  if (equalBytes(slot.repositoryId, repositoryId)) return;
  const fields = { object: name, expected: idFromBytes(repositoryId), found: toHex(slot.repositoryId) };
  throw new LaganError('name-mismatch', `${name} is a key slot of another repository`, fields);
}
