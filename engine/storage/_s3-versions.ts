/** Versions and locks of the objects in a bucket: the past of an S3 store, and what keeps it from being taken away. */
import pLimit from 'p-limit';
import { isLaganError } from '../../repo-format/mod.ts';
import { checkPrefix, isObjectName, throwIfInterrupted } from './_names.ts';
import { statusOf } from './_s3-errors.ts';
import type { S3Place } from './_s3-place.ts';
import type { KeyVersion, S3VersionRequests, VersionPage } from './_s3-version-requests.ts';
import { storageLimits } from './limits.ts';
import type {
  ByteRange,
  CallOptions,
  GetOptions,
  ListOptions,
  LockMode,
  LockPolicy,
  ObjectEnd,
  ObjectVersion,
  StorageHistory,
  StorageLocks,
} from './storage.ts';

/** What the store's calls need of the storage: its place, and how a request is sent until it succeeds. */
export interface VersionCalls {
  readonly place: S3Place;
  call<Result>(
    task: { attempt: string; object?: string | undefined } & CallOptions,
    send: (requests: S3VersionRequests, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result>;
  /** Reads a part of an object, in the state that `id` names. */
  getPart(name: string, range: ByteRange | undefined, options: GetOptions & { id: string }): Promise<ObjectEnd>;
}

export class S3Versions implements StorageHistory, StorageLocks {
  readonly #place: S3Place;
  readonly #calls: VersionCalls;

  constructor(calls: VersionCalls) {
    this.#place = calls.place;
    this.#calls = calls;
  }

  async keepsVersions({ signal }: CallOptions = {}): Promise<boolean> {
    throwIfInterrupted(signal);
    const task = { attempt: 'asking whether the bucket keeps versions', signal };
    return this.#calls.call(task, (requests, signal) => requests.isVersioned(signal)).catch((error) => orIfUnknown(error, false));
  }

  async *list(prefix: string, { signal, after = '' }: ListOptions = {}): AsyncGenerator<ObjectVersion> {
    checkPrefix(prefix);
    throwIfInterrupted(signal);
    const { prefix: place } = this.#place;
    for (let next: VersionPage['next']; ; ) {
      const task = { attempt: `listing the versions of ${prefix || 'all objects'}`, signal };
      const from = after === '' ? undefined : place + after;
      const page = await this.#calls.call(task, (requests, signal) => requests.list({ prefix: place + prefix, after: from, next }, signal));
      for (const { key, id, kind, sizeBytes, since, isLatest, etag } of page.versions) {
        throwIfInterrupted(signal);
        const name = key.slice(place.length);
        if (!key.startsWith(place + prefix) || !isObjectName(name) || name <= after) continue;
        yield { name, id, kind, sizeBytes, sinceMs: since.getTime(), isCurrent: isLatest, tag: etag };
      }
      if (page.next === undefined) return;
      next = page.next;
    }
  }

  async get({ name, id }: ObjectVersion, range?: ByteRange, options: GetOptions = {}): Promise<Uint8Array> {
    return (await this.#calls.getPart(name, range, { ...options, id })).bytes;
  }

  getEnd({ name, id }: ObjectVersion, last: number, options: GetOptions = {}): Promise<ObjectEnd> {
    return this.#calls.getPart(name, { last }, { ...options, id });
  }

  async bringBack(version: ObjectVersion, { signal }: CallOptions = {}): Promise<void> {
    throwIfInterrupted(signal);
    const task = { attempt: `bringing back ${version.name}`, object: version.name, signal };
    await this.#calls.call(task, (requests, signal) => requests.copy(this.#keyOf(version), signal));
  }

  async purge(versions: readonly ObjectVersion[], { signal }: CallOptions = {}): Promise<ObjectVersion[]> {
    const refused = new Set<string>();
    const { namesPerDeletion } = storageLimits.s3;
    for (let offset = 0; offset < versions.length; offset += namesPerDeletion) {
      throwIfInterrupted(signal);
      const keys = versions.slice(offset, offset + namesPerDeletion).map((version) => this.#keyOf(version));
      for (const { id, key } of await this.#purgeSome(keys, signal)) refused.add(`${key}\n${id}`);
    }
    return versions.filter((version) => {
      const { key, id } = this.#keyOf(version);
      return refused.has(`${key}\n${id}`);
    });
  }

  async policy({ signal }: CallOptions = {}): Promise<LockPolicy> {
    throwIfInterrupted(signal);
    const task = { attempt: 'asking whether the bucket locks objects', signal };
    const found = await this.#calls
      .call(task, (requests, signal) => requests.lockRule(signal))
      .catch((error) => orIfUnknown(error, { isEnabled: false, rule: null, now: undefined }));
    const rule = found.isEnabled ? (this.#place.retention ?? found.rule) : null;
    return { isEnabled: found.isEnabled, rule, nowMs: (found.now ?? new Date()).getTime() };
  }

  async extend(
    version: ObjectVersion,
    { mode, untilMs }: { mode: LockMode; untilMs: number },
    { signal }: CallOptions = {},
  ): Promise<'extended' | 'longer'> {
    throwIfInterrupted(signal);
    const task = { attempt: `extending the lock of ${version.name}`, object: version.name, signal };
    const key = this.#keyOf(version);
    const lock = (as: LockMode) =>
      this.#calls.call(task, (requests, signal) => requests.lock(key, { mode: as, until: new Date(untilMs) }, signal));
    try {
      await lock(mode);
      return 'extended';
    } catch (error) {
      // So the store answers, too, to who would shorten a lock, or make it weaker.
      if (!isLaganError(error, 'forbidden')) throw error;
      const found = await this.#calls.call(task, (requests, signal) => requests.lockOf(key, signal)).catch(() => null);
      if (found !== null && found.until.getTime() >= untilMs) return 'longer';
      if (found === null || found.mode === mode || found.mode === 'governance') throw error;
      await lock(found.mode);
      return 'extended';
    }
  }

  /** Returns those that were refused. */
  async #purgeSome(keys: readonly KeyVersion[], signal: AbortSignal | undefined): Promise<readonly KeyVersion[]> {
    const task = { attempt: `deleting ${keys.length} versions`, signal };
    try {
      return await this.#calls.call(task, (requests, signal) => requests.purge(keys, signal));
    } catch (error) {
      throwIfInterrupted(signal);
      if (!isLaganError(error, 'unsupported') && !isLaganError(error, 'io')) throw error;
      return this.#purgeSingly(keys, signal);
    }
  }

  /** For stores that cannot delete many at once. */
  async #purgeSingly(keys: readonly KeyVersion[], signal: AbortSignal | undefined): Promise<KeyVersion[]> {
    const refused: KeyVersion[] = [];
    await pLimit(storageLimits.remote.deletionsInFlight).map(keys, async (key) => {
      const task = { attempt: 'deleting a version', object: key.key, signal };
      await this.#calls
        .call(task, (requests, signal) => requests.purgeOne(key, signal))
        .catch((error: unknown) => {
          if (isLaganError(error, 'forbidden')) refused.push(key);
          else if (!isLaganError(error, 'not-found')) throw error;
        });
    });
    return refused;
  }

  #keyOf({ name, id }: ObjectVersion): KeyVersion {
    return { key: this.#place.prefix + name, id };
  }
}

/** What stores answer that know no versions or locks, or have none here. */
function orIfUnknown<Result>(error: unknown, otherwise: Result): Result {
  if (isLaganError(error) && [400, 404, 405, 501].includes(statusOf(error.cause) ?? 0) && error.code !== 'no-repository') return otherwise;
  throw error;
}
