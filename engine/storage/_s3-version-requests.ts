/** The requests about versions and locks, each sent once: the part of `_s3-requests.ts` that most commands do without. */
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { WrongAnswer } from './_s3-errors.ts';
import { withTime } from './_s3-time.ts';
import { storageLimits } from './limits.ts';
import type { LockMode, LockRule } from './storage.ts';

/** A version of an object, or a delete marker. */
export interface StoredVersion {
  readonly key: string;
  readonly id: string;
  readonly kind: 'object' | 'deletion';
  readonly sizeBytes: number;
  readonly since: Date;
  readonly isLatest: boolean;
  readonly etag: string;
}

export interface VersionPage {
  readonly versions: readonly StoredVersion[];
  /** Undefined on the last page. */
  readonly next: { readonly key: string; readonly id: string | undefined } | undefined;
}

export interface KeyVersion {
  readonly key: string;
  readonly id: string;
}

export class S3VersionRequests {
  readonly #client: S3Client;
  readonly #bucket: { readonly Bucket: string };
  /** What a new object gets besides its bytes. */
  readonly #kindOfObject: (key: string) => object;

  constructor(client: S3Client, { bucket, kindOfObject }: { bucket: string; kindOfObject: (key: string) => object }) {
    this.#client = client;
    this.#bucket = { Bucket: bucket };
    this.#kindOfObject = kindOfObject;
  }

  async isVersioned(signal: AbortSignal): Promise<boolean> {
    const { Status } = await this.#client.send(new GetBucketVersioningCommand(this.#bucket), { abortSignal: signal });
    return Status === 'Enabled';
  }

  /** In ascending order of keys, the newest version of each first. */
  async list(
    { prefix, after, next }: { prefix: string; after?: string | undefined; next?: VersionPage['next'] },
    signal: AbortSignal,
  ): Promise<VersionPage> {
    const command = new ListObjectVersionsCommand({
      ...this.#bucket,
      Prefix: prefix,
      KeyMarker: next?.key ?? after,
      VersionIdMarker: next?.id,
      MaxKeys: storageLimits.s3.namesPerListing,
    });
    const page = await this.#client.send(command, { abortSignal: signal });
    if (page.IsTruncated === undefined) throw new WrongAnswer('the answer to a listing of versions is none');
    if (page.Prefix !== undefined && page.Prefix !== prefix) throw new WrongAnswer('the answer to a listing is that of another listing');
    if (page.IsTruncated && !page.NextKeyMarker) throw new WrongAnswer('a page of versions says that there are more, but not where');
    const versions = [...(page.Versions ?? []).map(versionOf), ...(page.DeleteMarkers ?? []).map(deletionOf)].sort(byKeyAndAge);
    return { versions, next: page.IsTruncated ? { key: page.NextKeyMarker!, id: page.NextVersionIdMarker || undefined } : undefined };
  }

  /** Copies a version within the store: the copy is the newest. */
  async copy({ key, id }: KeyVersion, signal: AbortSignal): Promise<void> {
    const source = [this.#bucket.Bucket, ...key.split('/')].map(encodeURIComponent).join('/');
    const command = new CopyObjectCommand({
      ...this.#bucket,
      ...this.#kindOfObject(key),
      Key: key,
      CopySource: `${source}?versionId=${encodeURIComponent(id)}`,
    });
    const { CopyObjectResult } = await this.#client.send(command, { abortSignal: signal });
    if (!CopyObjectResult?.ETag) throw new WrongAnswer('the store copied an object without telling its tag');
  }

  /** Deletes versions for good. Returns those that were refused. */
  async purge(versions: readonly KeyVersion[], signal: AbortSignal): Promise<readonly KeyVersion[]> {
    const objects = versions.map(({ key, id }) => ({ Key: key, VersionId: id }));
    const command = new DeleteObjectsCommand({ ...this.#bucket, Delete: { Objects: objects } });
    const { Errors = [], $metadata } = await this.#client.send(command, { abortSignal: signal });
    const refused = new Set<string>();
    for (const { Key = '', VersionId = '', Code = 'UnknownError', Message = '' } of Errors) {
      if (Code === 'NoSuchVersion' || Code === 'NoSuchKey') continue;
      const isRefused = Code === 'AccessDenied' || Code === 'InvalidRequest';
      if (!isRefused) throw Object.assign(new Error(Message), { name: Code, $metadata: { ...$metadata, httpStatusCode: 503 } });
      refused.add(`${Key}\n${VersionId}`);
    }
    return versions.filter(({ key, id }) => refused.has(`${key}\n${id}`));
  }

  async purgeOne({ key, id }: KeyVersion, signal: AbortSignal): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ ...this.#bucket, Key: key, VersionId: id }), { abortSignal: signal });
  }

  /** What the bucket does with new objects; `isEnabled` without a rule: it can lock them, but does not by itself. */
  async lockRule(signal: AbortSignal): Promise<{ isEnabled: boolean; rule: LockRule | null; now: Date | undefined }> {
    const command = new GetObjectLockConfigurationCommand(this.#bucket);
    const { now, output } = await withTime(command, (timed) => this.#client.send(timed, { abortSignal: signal }));
    const { ObjectLockEnabled, Rule } = output.ObjectLockConfiguration ?? {};
    const { Mode, Days, Years } = Rule?.DefaultRetention ?? {};
    const days = Days ?? (Years ?? 0) * storageLimits.s3.daysPerYear;
    if (days < 0 || days > storageLimits.s3.longestRetentionDays) throw new WrongAnswer(`the bucket has a retention of ${days} days`);
    const rule: LockRule | null = days > 0 ? { mode: modeOf(Mode), periodSeconds: days * 86_400 } : null;
    return { isEnabled: ObjectLockEnabled === 'Enabled', rule, now };
  }

  async lock({ key, id }: KeyVersion, { mode, until }: { mode: LockMode; until: Date }, signal: AbortSignal): Promise<void> {
    const command = new PutObjectRetentionCommand({
      ...this.#bucket,
      Key: key,
      VersionId: id,
      Retention: { Mode: wordOf(mode), RetainUntilDate: until },
    });
    await this.#client.send(command, { abortSignal: signal });
  }

  /** Until when an object is locked; null: it has no lock of its own. */
  async lockOf({ key, id }: KeyVersion, signal: AbortSignal): Promise<{ mode: LockMode; until: Date } | null> {
    const command = new GetObjectRetentionCommand({ ...this.#bucket, Key: key, VersionId: id });
    const { Mode, RetainUntilDate } = (await this.#client.send(command, { abortSignal: signal })).Retention ?? {};
    return RetainUntilDate === undefined ? null : { mode: modeOf(Mode), until: RetainUntilDate };
  }
}

/** How the service writes a mode. */
export function wordOf(mode: LockMode): 'GOVERNANCE' | 'COMPLIANCE' {
  return mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE';
}

function modeOf(word: string | undefined): LockMode {
  return word === 'COMPLIANCE' ? 'compliance' : 'governance';
}

type Listed = NonNullable<ListObjectVersionsCommandOutput['Versions']>[number];

function versionOf({ Key, VersionId, Size, LastModified, IsLatest, ETag }: Listed): StoredVersion {
  if (Key === undefined || VersionId === undefined || Size === undefined || LastModified === undefined)
    throw new WrongAnswer('a listing has a version without name, id, size or time');
  return {
    key: Key,
    id: VersionId,
    kind: 'object',
    sizeBytes: Size,
    since: sinceOf(VersionId, LastModified),
    isLatest: IsLatest ?? false,
    etag: ETag ?? '',
  };
}

function deletionOf({ Key, VersionId, LastModified, IsLatest }: Listed): StoredVersion {
  if (Key === undefined || VersionId === undefined || LastModified === undefined)
    throw new WrongAnswer('a listing has a deletion without name, id or time');
  return {
    key: Key,
    id: VersionId,
    kind: 'deletion',
    sizeBytes: 0,
    since: sinceOf(VersionId, LastModified),
    isLatest: IsLatest ?? false,
    etag: '',
  };
}

const ulid = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const ulidDigits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Of an id of that form: digits of 5 bits that are its time in milliseconds. */
const ulidTimeLength = 10;

/** When a version was made. versitygw tells of an old one when it became old; but its ids, which no other store has, begin with the time at which they were made. */
function sinceOf(id: string, lastModified: Date): Date {
  if (!ulid.test(id)) return lastModified;
  return new Date([...id.slice(0, ulidTimeLength)].reduce((time, digit) => time * ulidDigits.length + ulidDigits.indexOf(digit), 0));
}

/** The store tells versions and deletions apart from each other; each of both is in order, and the sort keeps that where times are equal. */
function byKeyAndAge(left: StoredVersion, right: StoredVersion): number {
  if (left.key !== right.key) return left.key < right.key ? -1 : 1;
  if (left.isLatest !== right.isLatest) return left.isLatest ? -1 : 1;
  return right.since.getTime() - left.since.getTime();
}
