/**
 * Small objects that are sealed with the secret of an old epoch, sealed with that of the newest. Objects never change under their names: what has a number gets the next
 * one, what has an id gets another. Packs, tables and catalogues are the collector's.
 */
import { randomBytes } from 'node:crypto';
import {
  idFromBytes,
  isLaganError,
  type ObjectId,
  type ObjectKind,
  objectNames,
  objectPrefixes,
  parseObjectName,
  parseSealedHeader,
  type SnapshotId,
} from '../../repo-format/mod.ts';
import { type CallOptions, isStored } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { createSealed, openSealed, seal } from './_sealed-objects.ts';
import { damageCodes } from './_stored-slots.ts';
import { repositoryLimits } from './limits.ts';
import type { Repository } from './repository.ts';

interface SmallObject {
  readonly name: string;
  readonly kind: ObjectKind;
}

/** The bytes of a small object as they are, or sealed anew if an old epoch was used. Codes: those of damage. */
export function resealed(repository: Repository, bytes: Uint8Array, { name, kind }: SmallObject): Uint8Array {
  const { epoch } = parseSealedHeader(bytes, { kind }, name);
  if (epoch >= repository.keys.newestEpoch) return bytes;
  const context = contextOf(repository);
  return seal(context, name, { kind, payload: openSealed(context, bytes, { kind, name }) });
}

/**
 * Configuration, annotations, holds, deletion marks, damage reports and verifications. What is damaged stays as it is. It may be cut short and run again at any point. Codes: those of the
 * storage.
 */
export async function resealOwnersObjects(repository: Repository, { signal }: CallOptions = {}): Promise<void> {
  const replaced = [
    ...(await resealNumbered(repository, { prefix: objectPrefixes.configurations, kind: 'configuration', signal })),
    ...(await resealNumbered(repository, { prefix: objectPrefixes.annotations, kind: 'annotation', signal })),
  ];
  await repository.storage.delete(replaced, { signal });
  for (const [kind, { prefix, nameOf }] of Object.entries(recordTypes))
    await resealRecords(repository, { kind: kind as RecordKind, prefix, nameOf, signal });
}

type RecordKind = 'hold' | 'deletion-mark' | 'damage-report' | 'verification';

const recordTypes: Readonly<Record<RecordKind, { readonly prefix: string; readonly nameOf: (id: ObjectId) => string }>> = {
  hold: { prefix: objectPrefixes.holds, nameOf: objectNames.hold },
  'deletion-mark': { prefix: objectPrefixes.deletionMarks, nameOf: objectNames.deletionMark },
  'damage-report': { prefix: objectPrefixes.damageReports, nameOf: objectNames.damageReport },
  verification: { prefix: objectPrefixes.verifications, nameOf: objectNames.verification },
};

/** Gives the newest of each series a successor that says the same, if it is sealed with an old epoch. Returns those that no longer count, also where a run before was cut short. */
async function resealNumbered(
  repository: Repository,
  { prefix, kind, signal }: { prefix: string; kind: 'configuration' | 'annotation' } & CallOptions,
): Promise<string[]> {
  const replaced: string[] = [];
  for (const [series, names] of await listSeries(repository, { prefix, signal })) {
    const newest = names.at(-1)!;
    const found = await readIntact(repository, { name: newest.name, kind, signal });
    if (found === 'too late') replaced.push(newest.name);
    if (found === null || found === 'too late') continue;
    replaced.push(...names.slice(0, -1).map((one) => one.name));
    if (!found.isOld) continue;
    const name =
      series === '' ? objectNames.configuration(newest.number + 1) : objectNames.annotation(series as SnapshotId, newest.number + 1);
    // If somebody else was faster, that one says what counts.
    await createSealed(contextOf(repository), name, { kind, payload: found.payload, signal });
    replaced.push(newest.name);
  }
  return replaced;
}

/** Numbered objects in ascending order, by the snapshot that they are about. */
async function listSeries({ storage }: Repository, { prefix, signal }: { prefix: string } & CallOptions) {
  const series = new Map<string, { name: string; number: number }[]>();
  for await (const { name } of storage.list(prefix, { signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type !== 'configuration' && parsed?.type !== 'annotation') continue;
    const key = parsed.type === 'annotation' ? parsed.snapshot : '';
    const names = series.get(key);
    if (names === undefined) series.set(key, [{ name, number: parsed.number }]);
    else names.push({ name, number: parsed.number });
  }
  return series;
}

async function resealRecords(
  repository: Repository,
  { kind, prefix, nameOf, signal }: { kind: RecordKind; prefix: string; nameOf: (id: ObjectId) => string } & CallOptions,
): Promise<void> {
  const { storage } = repository;
  const names: string[] = [];
  for await (const { name } of storage.list(prefix, { signal })) if (parseObjectName(name)?.type === kind) names.push(name);
  for (const name of names) {
    const found = await readIntact(repository, { name, kind, signal });
    if (found === 'too late') await storage.delete([name], { signal });
    if (found === null || found === 'too late' || !found.isOld) continue;
    const copy = nameOf(idFromBytes<ObjectId>(randomBytes(16)));
    await createSealed(contextOf(repository), copy, { kind, payload: found.payload, signal });
    // Whoever takes a record back looks again after he has deleted it: so one of the two sees what the other one did.
    const isTakenBack = !(await isStored(repository.storage, name, { signal }));
    await storage.delete([isTakenBack ? copy : name], { signal });
  }
}

/** What an object says, and whether it is sealed with an old epoch; null if it is gone or damaged. `too late`: that epoch was forgotten before the object came, so it says nothing (KEY-21). */
async function readIntact(
  repository: Repository,
  { name, kind, signal }: SmallObject & CallOptions,
): Promise<{ payload: Uint8Array; isOld: boolean } | 'too late' | null> {
  try {
    const bytes = await repository.storage.get(name, undefined, { limitBytes: repositoryLimits.sealedObjectSizeBytes, signal });
    const { epoch } = parseSealedHeader(bytes, { kind }, name);
    return { payload: openSealed(contextOf(repository), bytes, { kind, name }), isOld: epoch < repository.keys.newestEpoch };
  } catch (error) {
    if (repository.keys.isTooLate(error)) return 'too late';
    if (isLaganError(error) && (error.code === 'not-found' || damageCodes.has(error.code))) return null;
    throw error;
  }
}
