/**
 * Makes a repository. The format file comes last: only with it a place is a repository. What is there before it belongs to a creation that was
 * cut short; nothing can rely on it, and the next creation discards it.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import {
  type ChunkerParameters,
  type Configuration,
  encodeConfiguration,
  encodeFormatFile,
  encodeRoot,
  equalBytes,
  type Features,
  type FormatFile,
  LaganError,
  type NamingKeys,
  namingKeysFeature,
  noFeatures,
  objectNames,
  type Time,
} from '../../repo-format/mod.ts';
import { type KeyRing, metadataKeysOf, type NewSlot, newKeyring, randomKey, sealKeyrings, sealNewSlot } from '../keys/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { firstRoot } from './_first-root.ts';
import { inspectPlace, isMadeFirst, type PlaceContent } from './_place.ts';
import { isRememberedAsSafe } from './_probe-memory.ts';
import { seal } from './_sealed-objects.ts';
import { now } from './_time.ts';
import { repositoryDefaults, repositoryLimits } from './limits.ts';
import { collectorName } from './only-collector.ts';
import { openWithAccess, readFormatFile } from './open.ts';
import { type ProbeResult, probeStorage } from './probe.ts';
import type { Repository } from './repository.ts';

export interface CreateOptions extends CallOptions {
  /** At least one that grants everything. The repository is returned as opened by the first such. */
  readonly slots: readonly NewSlot[];
  /**
   * An opened repository: the new one cuts files and names chunks as it does, so that blocks can be copied between them as they are. It has its own id, keys and slots.
   * Code no-key, if that was opened by a key that grants metadata only.
   */
  readonly like?: Repository | undefined;
  readonly chunker?: ChunkerParameters;
  readonly blockSizeBytes?: number;
  readonly packSizeBytes?: number;
  /** Default: now. */
  readonly time?: Time;
  /** How long what another process may be making now is left in peace. Default: `repositoryLimits.creationPatienceMs`. */
  readonly patienceMs?: number;
  /** Folder of the caches, where it is remembered which stores create safely; every new repository probes its store without one. */
  readonly cacheFolder?: string | undefined;
  /** How long the store is probed. Default: `probeLimits.quick.limitMs`. */
  readonly probeLimitMs?: number | undefined;
  /** Is told what the probe of the store found, if there was one. */
  readonly onProbe?: ((result: ProbeResult) => void) | undefined;
}

interface NewObject {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Makes a repository at a place that is absent, empty or holds an unfinished one.
 *
 * Codes: repository-exists, exists (other things are there), usage (no full slot, an empty password …), malformed (a repository without its
 * format file is there), and those of the storage. After an error nothing of it remains, as far as the store lets us delete.
 */
export async function createRepository(storage: Storage, options: CreateOptions): Promise<Repository> {
  const { signal, patienceMs = repositoryLimits.creationPatienceMs } = options;
  if (!options.slots.some(({ grants = 'full' }) => grants === 'full'))
    throw new LaganError('usage', 'a repository needs a key that opens all of it');
  await clearPlace(storage, { patienceMs, signal });
  const collector = (await createsSafely(storage, options)) ? null : collectorName();
  const features = options.like === undefined ? noFeatures : { ...noFeatures, refuse: [namingKeysFeature] };
  const format: FormatFile = { repositoryId: Uint8Array.from(randomBytes(16)), features };
  const { objects, accessKey, slotId } = await makeObjects(storage, { ...options, format, collector });
  try {
    for (const { name, bytes } of objects) {
      if ((await storage.create(name, [bytes], { signal })) === 'created') continue;
      await afterOtherCreation(storage, { patienceMs, signal });
      throw repositoryExists(storage, name);
    }
    // Read back: whoever is told that there is a repository has one that opens.
    const stored = await readFormatFile(storage, { signal });
    return await openWithAccess(storage, { format: stored, access: { slotId, accessKey }, grants: 'full', mode: 'write', signal });
  } catch (error) {
    // The format file first: an unfinished repository is better than a broken one.
    for (const object of objects.toReversed()) await deleteIfOurs(storage, object).catch(() => undefined);
    throw error;
  }
}

interface Patience extends CallOptions {
  readonly patienceMs: number;
}

async function clearPlace(storage: Storage, patience: Patience): Promise<void> {
  const { signal } = patience;
  const state = await afterOtherCreation(storage, patience);
  if (state === 'absent') await storage.prepare({ signal });
  if (state === 'unfinished') await discardUnfinished(storage, { signal });
  if (state === 'repository') throw repositoryExists(storage);
  const { location } = storage;
  if (state === 'foreign') {
    throw new LaganError('exists', `${location} has other things in it`, { found: state, hint: 'a new repository needs an empty folder' });
  }
  if (state === 'unfinished-mirror') {
    const hint = 'lagan mirror completes it; a new repository needs an empty place';
    throw new LaganError('exists', `${location} is a mirror that is not complete yet`, { found: state, hint });
  }
  if (state === 'damaged') {
    const hint = `restore ${objectNames.format} from a copy of the repository, or choose another folder`;
    const message = `${location} holds the objects of a repository without its file ${objectNames.format}`;
    throw new LaganError('malformed', message, { object: objectNames.format, found: state, hint });
  }
}

/** What is at the place; what looks unfinished may be in the making, and gets some time. */
async function afterOtherCreation(storage: Storage, { patienceMs, signal }: Patience): Promise<PlaceContent> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const { state } = await inspectPlace(storage, { signal });
    if (state !== 'unfinished' || performance.now() >= end) return state;
    await setTimeout(repositoryLimits.creationPollMs);
  }
}

async function discardUnfinished(storage: Storage, { signal }: CallOptions): Promise<void> {
  const names: string[] = [];
  for (const role of ['owner/', 'collector/']) {
    for await (const { name } of storage.list(role, { signal })) if (isMadeFirst(name)) names.push(name);
  }
  await storage.delete(names, { signal });
}

/** All objects of a new repository, in the order in which they are created. */
async function makeObjects(
  storage: Storage,
  { format, slots, time = now(), ...options }: CreateOptions & { format: FormatFile; collector: string | null },
): Promise<{ objects: NewObject[]; accessKey: Uint8Array; slotId: Repository['id'] }> {
  const { repositoryId, features } = format;
  const keyring = newKeyring(options.like && namingKeysIn(options.like.keys));
  const accessKey = randomKey();
  const nameEpoch = keyring.newest;
  const sealedSlots = [];
  for (const slot of slots) sealedSlots.push(await sealNewSlot(slot, { repositoryId, fullAccessKey: accessKey, created: time }));
  const context = { storage, repositoryId, newestEpoch: keyring.newest, metadataKeyOf: metadataKeysOf(keyring, repositoryId) };
  const configuration = encodeConfiguration(configurationOf({ ...options, time, nameEpoch, features }));
  const [configurationName, rootName] = [objectNames.configuration(0), objectNames.root(0)];
  const objects = [
    ...sealKeyrings(keyring, { repositoryId, fullAccessKey: accessKey, nameEpoch }),
    ...sealedSlots.map(({ name, bytes }) => ({ name, bytes })),
    { name: configurationName, bytes: seal(context, configurationName, { kind: 'configuration', payload: configuration }) },
    { name: rootName, bytes: seal(context, rootName, { kind: 'root', payload: encodeRoot(firstRoot(Uint8Array.from(randomBytes(16)))) }) },
    { name: objectNames.format, bytes: encodeFormatFile(format) },
  ];
  const fullSlot = slots.findIndex(({ grants = 'full' }) => grants === 'full');
  return { objects, accessKey, slotId: sealedSlots[fullSlot]!.id };
}

function configurationOf({
  time,
  nameEpoch,
  ...options
}: Omit<CreateOptions, 'slots' | 'time'> & {
  time: Time;
  nameEpoch: number;
  collector: string | null;
  features: Features;
}): Configuration {
  const { chunker, blockSizeBytes, packSizeBytes } = options.like?.configuration ?? repositoryDefaults;
  return {
    created: time,
    chunker: options.chunker ?? chunker,
    blockSizeBytes: options.blockSizeBytes ?? blockSizeBytes,
    packSizeBytes: options.packSizeBytes ?? packSizeBytes,
    nameEpoch,
    collector: options.collector,
    features: options.features,
  };
}

function namingKeysIn({ nameKey, metadataNameKey, cutKey }: KeyRing): NamingKeys {
  return { name: nameKey, metadataName: metadataNameKey, cut: cutKey };
}

/** Asks the store by racing writers, or the memory of an earlier race. A folder of this machine creates by link(2). */
async function createsSafely(storage: Storage, { cacheFolder, probeLimitMs, onProbe, signal }: CreateOptions): Promise<boolean> {
  if (storage.describe().kind !== 'url') return true;
  if (cacheFolder !== undefined && isRememberedAsSafe(cacheFolder, storage)) return true;
  const result = await probeStorage(storage, { limitMs: probeLimitMs, cacheFolder, signal });
  onProbe?.(result);
  return result.isSafe;
}

/** Of two creations at once each removes what it made itself, which the random bytes in every object tell. */
async function deleteIfOurs(storage: Storage, { name, bytes }: NewObject): Promise<void> {
  const stored = await storage.get(name, undefined, { limitBytes: bytes.length });
  if (equalBytes(stored, bytes)) await storage.delete([name]);
}

function repositoryExists(storage: Storage, object?: string): LaganError {
  const message = `there is a repository at ${storage.location} already`;
  return new LaganError('repository-exists', message, { object, hint: 'use it as it is, or choose another folder' });
}
