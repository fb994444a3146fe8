/** What checkers leave for each other: which packs were read whole, and found good, and when. Source: spec/records.md. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import pLimit from 'p-limit';
import {
  compareTimes,
  decodeVerification,
  encodeVerification,
  idFromBytes,
  isLaganError,
  type LaganError,
  type ObjectId,
  objectNames,
  objectPrefixes,
  type PackId,
  parseObjectName,
  type Time,
  type Verification,
} from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { createLasting } from './_lasting.ts';
import { createSealed, readSealed } from './_sealed-objects.ts';
import { damageCodes } from './_stored-slots.ts';
import { now } from './_time.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';

export interface StoredVerification {
  /** Name of the object. */
  readonly name: string;
  readonly value: Verification;
}

/** All verifications. `onDamage` is told of each that is damaged; the others are listed. Codes: those of the storage. */
export async function listVerifications(
  repository: Repository,
  { onDamage, signal }: { onDamage: (error: LaganError) => void } & CallOptions,
): Promise<StoredVerification[]> {
  const names: string[] = [];
  for await (const { name } of repository.storage.list(objectPrefixes.verifications, { signal }))
    if (parseObjectName(name)?.type === 'verification') names.push(name);
  const read = async (name: string): Promise<StoredVerification | null> => {
    try {
      return { name, value: decodeVerification(await readSealed(contextOf(repository), name, { kind: 'verification', signal }), name) };
    } catch (error) {
      if (isLaganError(error, 'not-found') || repository.keys.isTooLate(error)) return null; // Deleted since it was listed, or came too late.
      if (!isLaganError(error) || !damageCodes.has(error.code)) throw error;
      onDamage(error);
      return null;
    }
  };
  const found = await pLimit(repositoryLimits.concurrentReads).map(names, read);
  return found.filter((verification) => verification !== null);
}

/** When each pack was verified last. */
export function lastVerified(verifications: readonly StoredVerification[]): Map<PackId, Time> {
  const last = new Map<PackId, Time>();
  for (const { value } of verifications) {
    for (const pack of value.packs) {
      const known = last.get(pack);
      if (known === undefined || compareTimes(known, value.time) < 0) last.set(pack, value.time);
    }
  }
  return last;
}

/** Remembers packs of which every block was opened, and every chunk's name computed anew. Codes: those of the storage. */
export async function storeVerification(
  repository: Repository,
  packs: readonly PackId[],
  { time = now(), signal }: { time?: Time | undefined } & CallOptions = {},
): Promise<void> {
  const payload = encodeVerification({ time, host: hostname(), packs: packs.toSorted() });
  const create = async (current: Repository) => {
    const name = objectNames.verification(idFromBytes<ObjectId>(randomBytes(16)));
    await createSealed(contextOf(current), name, { kind: 'verification', payload, signal });
    return { names: [name], result: undefined };
  };
  await createLasting(repository, create, { signal });
}
