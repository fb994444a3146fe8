/** Opens a repository: format file, key slots, keyring, configuration, root. */
import {
  type Configuration,
  decodeConfiguration,
  decodeFormatFile,
  expectAccess,
  expectFeaturesWithin,
  type FormatFile,
  type Grants,
  idFromBytes,
  isLaganError,
  LaganError,
  limits,
  type ObjectId,
  objectNames,
  objectPrefixes,
  parseObjectName,
} from '../../repo-format/mod.ts';
import { KeyRing, metadataKeysOf, type Secret, unlock } from '../keys/mod.ts';
import type { CallOptions, Storage } from '../storage/mod.ts';
import { EarlyReads } from './_early-reads.ts';
import { inspectPlace, noRepository } from './_place.ts';
import { orMissing, readSealed, type SealingContext } from './_sealed-objects.ts';
import { readKeyring } from './_stored-keyring.ts';
import { readSlots, type StoredSlots } from './_stored-slots.ts';
import { hiding, isUnreadable, type NewestThatOpens, readNewestThatOpens } from './_unreadable-roots.ts';
import { repositoryLimits } from './limits.ts';
import { type Repository, type RepositoryAccess, type RepositoryMode, storageFor } from './repository.ts';
import { readNewestRoot } from './roots.ts';

export type Secrets = Secret | readonly Secret[];

export interface OpenOptions extends CallOptions {
  /** Tried one after the other on the slots of their kind. A function is called once it is known that there is a repository. */
  readonly secret: Secrets | (() => Secrets | Promise<Secrets>);
  readonly mode: RepositoryMode;
  /**
   * Whether a root of a higher number that does not open is passed over, with a warning, or an error. Default: an error for `write`; whoever passes it over must not write anything but a recovery.
   */
  readonly unreadableRoots?: 'passed-over' | 'error' | undefined;
}

/** A name that no object gets: what is written under it is always aborted. */
const probeName = 'writer/probe';

/**
 * Opens a repository. For writing it is first made sure that the store can be written, and what dead processes left is removed.
 *
 * Codes: no-repository (`found`: absent, file, empty, foreign or unfinished), repository-too-new, feature-unknown, wrong-key, no-key, and for
 * what is damaged or missing: malformed, authentication-failed, name-mismatch, limit-exceeded, object-missing, each naming the object.
 */
export async function openRepository(storage: Storage, options: OpenOptions): Promise<Repository> {
  const { mode, signal } = options;
  const early = new EarlyReads(storage, { signal });
  try {
    const format = await readFormatFile(early.storage, { signal });
    expectAccess(format.features, mode === 'write' ? 'write' : 'read', objectNames.format);
    const [opening, preparing] = await Promise.allSettled([
      openWithSecret(early.storage, format, options),
      mode === 'write' ? prepareToWrite(storage, { signal }) : undefined,
    ]);
    if (opening.status === 'rejected') throw opening.reason;
    if (preparing.status === 'rejected') throw preparing.reason;
    const { configuration, unreadableRoots = [] } = opening.value;
    return { ...opening.value, storage: storageFor(configuration, hiding(storage, unreadableRoots)) };
  } finally {
    early.end();
  }
}

async function openWithSecret(storage: Storage, format: FormatFile, options: OpenOptions): Promise<Repository> {
  const { repositoryId } = format;
  const { secret, signal } = options;
  let stored = await readSlots(storage, { repositoryId, signal });
  expectSlots(stored);
  const secrets = [typeof secret === 'function' ? await secret() : secret].flat();
  for (let attempt = 1; ; attempt++) {
    try {
      return await openWithSlots(storage, { format, stored, secrets, ...options });
    } catch (error) {
      if (!isReplacedKeyring(error) || attempt === repositoryLimits.keyAttempts) throw error;
      // Perhaps slots and keyring were replaced between the two readings.
      const before = stored;
      stored = await readSlots(storage, { repositoryId, signal });
      if (sameSlots(before, stored)) throw error;
    }
  }
}

/** A slot that opens but whose access key does not fit the keyring was given up, or put there by somebody: then others are tried (KEY-14). */
async function openWithSlots(
  storage: Storage,
  {
    format,
    stored,
    secrets,
    mode,
    unreadableRoots,
    signal,
  }: Omit<OpenOptions, 'secret'> & { format: FormatFile; stored: StoredSlots; secrets: readonly Secret[] },
): Promise<Repository> {
  const needs = mode === 'metadata' ? 'metadata' : 'full';
  let { slots } = stored;
  for (let replaced: unknown; ; ) {
    const { slot, accessKey } = await unlock(slots, secrets, { needs }).catch((error: unknown) => {
      throw replaced ?? error;
    });
    const access = { slotId: slot.id, accessKey };
    try {
      const repository = await openWithAccess(storage, { format, access, grants: slot.grants, mode, unreadableRoots, signal });
      return { ...repository, warnings: [...stored.damaged.map(({ error }) => error), ...repository.warnings] };
    } catch (error) {
      if (!isReplacedKeyring(error)) throw error;
      replaced ??= error;
      slots = slots.filter(({ id }) => id !== slot.id);
    }
  }
}

/** The keyring does not open with the access key of a slot: it was replaced, or it is damaged. */
function isReplacedKeyring(error: unknown): boolean {
  return isLaganError(error, 'authentication-failed') && error.object?.startsWith(objectPrefixes.keyrings) === true;
}

function sameSlots(left: StoredSlots, right: StoredSlots): boolean {
  const ids = ({ slots }: StoredSlots) => slots.map(({ id }) => id).join();
  return ids(left) === ids(right);
}

/** The part of opening that comes after a slot was opened. */
export async function openWithAccess(
  storage: Storage,
  {
    format,
    access,
    grants,
    mode,
    unreadableRoots = mode === 'write' ? 'error' : 'passed-over',
    signal,
  }: { format: FormatFile; access: RepositoryAccess; grants: Grants } & Pick<OpenOptions, 'mode' | 'unreadableRoots'> & CallOptions,
): Promise<Repository> {
  const { repositoryId } = format;
  const keyring = await readKeyring(storage, { repositoryId, grants, accessKey: access.accessKey, signal });
  const context = { storage, repositoryId, newestEpoch: keyring.newest, metadataKeyOf: metadataKeysOf(keyring, repositoryId) };
  const readRoot = async (): Promise<NewestThatOpens> => {
    try {
      return { root: await readNewestRoot(context, { signal }), unreadable: [] };
    } catch (error) {
      if (unreadableRoots === 'error' || !isUnreadable(error)) throw error;
      return readNewestThatOpens(context, { signal });
    }
  };
  const [configuration, { root, unreadable }] = await Promise.all([readConfiguration(context, { format, mode, signal }), readRoot()]);
  const keys = KeyRing.fromKeyring(keyring, { repositoryId, nameEpoch: configuration.nameEpoch });
  const id = idFromBytes<ObjectId>(repositoryId);
  const hidden = unreadable.map(({ object }) => object!);
  return {
    id,
    storage: storageFor(configuration, hiding(storage, hidden)),
    mode,
    configuration,
    keys,
    root,
    slotId: access.slotId,
    access,
    ...(hidden.length > 0 && { unreadableRoots: hidden }),
    warnings: unreadable,
  };
}

/** The format file. Codes: no-repository, repository-too-new, malformed, limit-exceeded. */
export async function readFormatFile(storage: Storage, options: CallOptions = {}): Promise<FormatFile> {
  try {
    const bytes = await storage.get(objectNames.format, undefined, { limitBytes: limits.clearObjectSizeBytes, ...options });
    return decodeFormatFile(bytes, objectNames.format);
  } catch (error) {
    const isAbsent = isLaganError(error, 'not-found') || (isLaganError(error, 'no-repository') && error.found !== 'file');
    if (!isAbsent) throw error;
    const { state } = await inspectPlace(storage, options);
    if (state === 'repository') throw error;
    throw noRepository(storage.location, state);
  }
}

function expectSlots({ slots, damaged }: StoredSlots): void {
  if (slots.length > 0) return;
  if (damaged[0] !== undefined) throw damaged[0].error;
  throw new LaganError('object-missing', 'the repository has no key slot', { object: objectPrefixes.keySlots });
}

async function readConfiguration(
  context: SealingContext,
  { format, mode, signal }: { format: FormatFile; mode: RepositoryMode } & CallOptions,
): Promise<Configuration> {
  const { name, payload } = await readNewestConfiguration(context, { signal });
  const configuration = decodeConfiguration(payload, name);
  expectFeaturesWithin(format.features, configuration.features, objectNames.format);
  expectAccess(configuration.features, mode === 'write' ? 'write' : 'read', name);
  return configuration;
}

async function readNewestConfiguration(context: SealingContext, { signal }: CallOptions): Promise<{ name: string; payload: Uint8Array }> {
  for (let attempt = 1; ; attempt++) {
    const number = await highestNumber(context.storage, {
      prefix: objectPrefixes.configurations,
      numberOf: (name) => {
        const parsed = parseObjectName(name);
        return parsed?.type === 'configuration' ? parsed.number : undefined;
      },
      signal,
    });
    const name = objectNames.configuration(number);
    try {
      return { name, payload: await orMissing(name, readSealed(context, name, { kind: 'configuration', signal })) };
    } catch (error) {
      // It was replaced since it was listed.
      if (!isLaganError(error, 'object-missing') || attempt === repositoryLimits.keyAttempts) throw error;
    }
  }
}

async function highestNumber(
  storage: Storage,
  { prefix, numberOf, signal }: { prefix: string; numberOf: (name: string) => number | undefined } & CallOptions,
): Promise<number> {
  let highest: number | undefined;
  for await (const { name } of storage.list(prefix, { signal })) highest = numberOf(name) ?? highest;
  if (highest !== undefined) return highest;
  throw new LaganError('object-missing', `there is no object under ${prefix}, but the repository relies on one`, { object: prefix });
}

/** A disk that is full, read-only or forbidden is found out before the files are read. */
async function prepareToWrite(storage: Storage, { signal }: CallOptions): Promise<void> {
  await storage.removeLitter({ signal }).catch((error: unknown) => {
    // Litter of another user's processes: not ours to remove, and no reason to stop.
    if (!isLaganError(error, 'forbidden')) throw error;
  });
  try {
    await (await storage.createWriter(probeName, { signal })).abort();
  } catch (error) {
    if (!isLaganError(error) || error.errno === undefined) throw error;
    const { code, errno, hint } = error;
    throw new LaganError(code, `the repository at ${storage.location} cannot be written (${errno})`, { cause: error, errno, hint });
  }
}
