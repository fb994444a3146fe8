/** Small sealed objects: read whole, checked and opened; sealed, opened again as a test, and created. */
import { createHash, randomBytes } from 'node:crypto';
import {
  equalBytes,
  isLaganError,
  LaganError,
  limits,
  type ObjectKind,
  type ObjectReference,
  objectIdOf,
  openObject,
  sealObject,
  toHex,
} from '../../repo-format/mod.ts';
import type { CallOptions, CreateOutcome, Storage } from '../storage/mod.ts';
import { repositoryLimits } from './limits.ts';

/** The part of a repository that sealing needs; there is no whole one yet while it is opened. */
export interface SealingContext {
  readonly storage: Storage;
  readonly repositoryId: Uint8Array;
  readonly newestEpoch: number;
  readonly metadataKeyOf: (epoch: number) => Uint8Array;
}

interface ReadOptions {
  readonly kind: ObjectKind;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The payload of a stored object.
 *
 * Codes: not-found, malformed, authentication-failed, name-mismatch, limit-exceeded, repository-too-new.
 */
export async function readSealed(context: SealingContext, name: string, { kind, signal }: ReadOptions): Promise<Uint8Array> {
  const limitBytes = kind === 'root' ? limits.rootSizeBytes : repositoryLimits.sealedObjectSizeBytes;
  return openSealed(context, await context.storage.get(name, undefined, { limitBytes, signal }), { kind, name });
}

/** The payload of an object that a root refers to by id and hash. Codes as of {@link readSealed}, and object-missing. */
export async function readReferenced(
  context: SealingContext,
  reference: ObjectReference,
  { name, ...options }: ReadOptions & { name: string },
): Promise<Uint8Array> {
  const bytes = await orMissing(
    name,
    context.storage.get(name, undefined, { limitBytes: repositoryLimits.sealedObjectSizeBytes, signal: options.signal }),
  );
  const hash = createHash('sha256').update(bytes).digest();
  if (!equalBytes(hash, reference.hash)) {
    const fields = { object: name, expected: toHex(reference.hash), found: toHex(hash) };
    throw new LaganError('authentication-failed', `${name} is not the object that the root refers to`, fields);
  }
  return openSealed(context, bytes, { kind: options.kind, name });
}

/** The payload of an object's bytes. */
export function openSealed(context: SealingContext, bytes: Uint8Array, { kind, name }: { kind: ObjectKind; name: string }): Uint8Array {
  try {
    return openObject(bytes, {
      kind,
      repositoryId: context.repositoryId,
      objectId: objectIdOf(name),
      classKeyOf: context.metadataKeyOf,
      objectName: name,
    }).payload;
  } catch (error) {
    throw about(name, error);
  }
}

/** Seals a payload and creates the object, durably, if there is none of that name. */
export async function createSealed(
  context: SealingContext,
  name: string,
  { kind, payload, signal }: ReadOptions & { payload: Uint8Array },
): Promise<CreateOutcome> {
  return createOwn(context.storage, name, { bytes: seal(context, name, { kind, payload }), signal });
}

/**
 * Creates an object whose bytes are like no other's. `created` also if it is there already with just these bytes: a network may deliver a request twice, and the answer that
 * comes may be the second one's.
 */
export async function createOwn(
  storage: Storage,
  name: string,
  { bytes, signal }: { bytes: Uint8Array } & CallOptions,
): Promise<CreateOutcome> {
  if ((await storage.create(name, [bytes], { signal })) === 'created') return 'created';
  try {
    return equalBytes(await storage.get(name, undefined, { limitBytes: bytes.length, signal }), bytes) ? 'created' : 'exists';
  } catch (error) {
    if (isLaganError(error, 'not-found') || isLaganError(error, 'limit-exceeded')) return 'exists';
    throw error;
  }
}

/** The object's bytes; they were opened again, so that an error of memory or library is not stored for years. */
export function seal(context: SealingContext, name: string, { kind, payload }: { kind: ObjectKind; payload: Uint8Array }): Uint8Array {
  const { repositoryId, newestEpoch: epoch } = context;
  const classKey = context.metadataKeyOf(epoch);
  const bytes = sealObject({ kind, epoch, repositoryId, objectId: objectIdOf(name), salt: randomBytes(32), classKey }, payload);
  if (!equalBytes(openSealed(context, bytes, { kind, name }), payload)) {
    throw new LaganError('io', `${name}: what was sealed does not open again`, {
      object: name,
      hint: 'the memory of this machine may be faulty',
    });
  }
  return bytes;
}

/** For objects that something else relies on: their absence is damage. */
export async function orMissing<T>(name: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!isLaganError(error, 'not-found')) throw error;
    throw new LaganError('object-missing', `${name} is missing, but the repository relies on it`, { cause: error, object: name });
  }
}

/** The same error, naming the object, if it names none yet. */
function about(name: string, error: unknown): unknown {
  if (!isLaganError(error) || error.object !== undefined) return error;
  return new LaganError(error.code, `${name}: ${error.message}`, { ...error, cause: error, object: name });
}
