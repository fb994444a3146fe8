/**
 * A storage in a bucket of S3, or of a server that speaks its language.
 *
 * Objects are created by `If-None-Match: *`. A refusal does not say whose object is there: an earlier attempt of ours, or one that somebody between us
 * and the store has sent twice, may have arrived although its answer was lost. So the object is read back and compared before anyone is told `exists`.
 * After an error it is sent again: a second arrival of the same request changes nothing.
 */
import { randomUUID } from 'node:crypto';
import pLimit from 'p-limit';
import { equalBytes, isLaganError, LaganError } from '../../repo-format/mod.ts';
import {
  checkGetSize,
  checkObjectName,
  checkPrefix,
  checkRange,
  isObjectName,
  throwIfInterrupted,
  tooShort,
  totalSizeBytes,
} from './_names.ts';
import { type Part, type PartUpload, PartWriter } from './_part-writer.ts';
import { Retries, type RetryOptions, untilAborted } from './_retries.ts';
import { PieceBuffer, readInto } from './_s3-body.ts';
import {
  explainS3,
  isExpired,
  isNotImplemented,
  isPreconditionFailed,
  judgeS3,
  pauseAskedBy,
  statusOf,
  WrongAnswer,
  wordOf,
} from './_s3-errors.ts';
import { parseS3Url, type S3Place, s3Url } from './_s3-place.ts';
import type { Condition, Download, ListPage, S3Requests, S3Timeouts, UnfinishedUpload, UploadedPart } from './_s3-requests.ts';
import { S3Versions } from './_s3-versions.ts';
import { TransferLimits } from './_transfer-limits.ts';
import { storageLimits } from './limits.ts';
import type {
  ByteRange,
  CallOptions,
  CreateOutcome,
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectEnd,
  ObjectWriter,
  PlaceState,
  Storage,
  StorageDescription,
  StorageHistory,
  StorageLocks,
} from './storage.ts';

export interface S3Options {
  readonly limits?: TransferLimits | undefined;
  /** Somebody has talked to the store at this address. */
  readonly hasAnswered?: boolean | undefined;
  /** For tests. */
  readonly timeouts?: S3Timeouts | undefined;
  /** For tests. */
  readonly retries?: RetryOptions | undefined;
}

/** What is being done, for errors. */
interface Task extends CallOptions {
  readonly attempt: string;
  readonly object?: string | undefined;
}

type Send<Result> = (requests: S3Requests, signal: AbortSignal) => Promise<Result>;

export class S3 implements Storage {
  readonly location: string;
  readonly history: StorageHistory;
  readonly locks: StorageLocks;
  readonly #place: S3Place;
  readonly #limits: TransferLimits;
  readonly #timeouts: S3Timeouts;
  readonly #retries: Retries;
  /** Requests under way, with their bodies. */
  readonly #slots: ReturnType<typeof pLimit>;
  readonly #writers = new Set<ObjectWriter>();
  #requests: Promise<S3Requests> | undefined;
  #hasAnswered: boolean;
  /** False once the store has said that it does not know conditions. */
  #hasConditions = true;

  /** `url` as in docs/object-stores.md. Code: usage. */
  constructor(url: string, { limits = new TransferLimits(), hasAnswered = false, timeouts, retries }: S3Options = {}) {
    this.#place = parseS3Url(url);
    this.location = s3Url(this.#place);
    this.#limits = limits;
    this.#hasAnswered = hasAnswered;
    this.#timeouts = timeouts ?? { connectMs: storageLimits.s3.connectTimeoutMs, silenceMs: storageLimits.s3.silenceTimeoutMs };
    this.#retries = new Retries(retries);
    this.#slots = pLimit(this.#place.connections);
    const versions = new S3Versions({
      place: this.#place,
      call: (task, send) => this.#call(task, (requests, signal) => send(requests.versions, signal)),
      getPart: (name, range, options) => this.#getPart(name, range, options),
    });
    this.history = versions;
    this.locks = versions;
  }

  async state({ signal }: CallOptions = {}): Promise<PlaceState> {
    throwIfInterrupted(signal);
    try {
      const { prefix } = this.#place;
      const task = { attempt: 'looking', signal };
      const { objects } = await this.#call(task, (requests, signal) => requests.list({ prefix, limit: lookedAt }, signal));
      return objects.some(({ key }) => !key.endsWith('/')) || objects.length === lookedAt ? 'occupied' : 'empty';
    } catch (error) {
      if (isLaganError(error, 'no-repository')) return 'absent';
      throw error;
    }
  }

  async prepare({ signal }: CallOptions = {}): Promise<void> {
    if ((await this.state({ signal })) !== 'absent') return;
    await this.#call({ attempt: 'making the bucket', signal }, async (requests, signal) => {
      try {
        await requests.makeBucket(signal);
      } catch (error) {
        if (wordOf(error) !== 'BucketAlreadyOwnedByYou') throw error;
      }
    });
  }

  async removeLitter({ signal }: CallOptions = {}): Promise<number> {
    throwIfInterrupted(signal);
    let removed = 0;
    for await (const { upload, now } of this.#unfinishedUploads(signal)) {
      if (!(await this.#isAbandoned(upload, now, signal))) continue;
      await this.#call({ attempt: 'ending an old upload', signal }, (requests, signal) => requests.abortUpload(upload, signal)).catch(
        unlessGone,
      );
      removed++;
    }
    return removed;
  }

  async get(name: string, range?: ByteRange, options: GetOptions = {}): Promise<Uint8Array> {
    const { bytes } = await this.#getPart(name, range, options);
    return bytes;
  }

  getEnd(name: string, last: number, options: GetOptions = {}): Promise<ObjectEnd> {
    return this.#getPart(name, { last }, options);
  }

  /** `id` names a version; without it the current one is read. */
  async #getPart(name: string, range: ByteRange | undefined, options: GetOptions & { id?: string }): Promise<ObjectEnd> {
    checkObjectName(name);
    checkRange(range);
    throwIfInterrupted(options.signal);
    if (range !== undefined && 'length' in range) checkGetSize(name, range.length, options);
    // HTTP has no way to ask for nothing.
    if (range !== undefined && ('last' in range ? range.last : range.length) === 0) return this.#getNothing(name, range, options);
    const reading = new RangeReading(name, range, options);
    try {
      await this.#call({ attempt: `reading ${name}`, object: name, signal: options.signal }, async (requests, signal) => {
        const download = await requests.get({ key: this.#keyOf(name), version: options.id }, reading.header, signal);
        await reading.take(download, (target, skip) =>
          this.#fill(download, { target, skip, signal, onBytes: (count) => reading.add(count) }),
        );
      });
    } catch (error) {
      if (!isLaganError(error) || statusOf(error.cause) !== 416) throw error;
      return this.#getBeyondEnd(name, range, options);
    }
    return { bytes: reading.result, objectSizeBytes: reading.objectSizeBytes };
  }

  async size(name: string, { signal }: CallOptions = {}): Promise<number> {
    checkObjectName(name);
    const { sizeBytes } = await this.#head(name, signal);
    return sizeBytes;
  }

  async create(name: string, parts: readonly Uint8Array[], { signal }: CallOptions = {}): Promise<CreateOutcome> {
    checkObjectName(name);
    throwIfInterrupted(signal);
    if (totalSizeBytes(parts) > storageLimits.s3.partSizeBytes) {
      const writer = await this.createWriter(name, { signal });
      await writer.append(parts);
      return writer.commit();
    }
    const content = new PieceBuffer();
    for (const part of parts) content.append(part);
    return this.#store(name, content, signal);
  }

  async createWriter(name: string, { signal }: CallOptions = {}): Promise<ObjectWriter> {
    checkObjectName(name);
    throwIfInterrupted(signal);
    const { partSizeBytes, parts } = storageLimits.s3;
    const writer = new PartWriter({
      name,
      partSizeBytes,
      // One at a time: each is as large as a pack.
      partsInFlight: 1,
      largestSizeBytes: Math.min(storageLimits.objectSizeBytes, partSizeBytes * parts),
      newContent: () => new PieceBuffer(),
      begin: (signal) => this.#beginUpload(name, signal),
      createWhole: (content, signal) => this.#store(name, content, signal),
      onEnd: (writer) => this.#writers.delete(writer),
      signal,
    });
    this.#writers.add(writer);
    return writer;
  }

  async *list(prefix: string, { signal, after = '' }: ListOptions = {}): AsyncGenerator<ListedObject> {
    checkPrefix(prefix);
    throwIfInterrupted(signal);
    const { prefix: place } = this.#place;
    let last = after;
    for (let next: string | undefined; ; ) {
      const page: ListPage = await this.#call({ attempt: `listing ${prefix || 'all objects'}`, signal }, (requests, signal) => {
        const from = after === '' ? undefined : place + after;
        return requests.list({ prefix: place + prefix, after: from, next, limit: storageLimits.s3.namesPerListing }, signal);
      });
      for (const { key, sizeBytes } of page.objects) {
        throwIfInterrupted(signal);
        const name = key.slice(place.length);
        if (!key.startsWith(place + prefix)) throw this.#badListing(`has ${key}, which was not asked for`);
        if (!isObjectName(name)) continue; // Somebody else's.
        if (name <= after) continue;
        if (name <= last) throw this.#badListing(`is not in order: ${name} comes after ${last}`);
        last = name;
        yield { name, sizeBytes };
      }
      if (page.next === undefined) return;
      if (page.next === next) throw this.#badListing('gives the same page again and again');
      next = page.next;
    }
  }

  async delete(names: readonly string[], { signal }: CallOptions = {}): Promise<void> {
    for (const name of names) checkObjectName(name);
    throwIfInterrupted(signal);
    const { namesPerDeletion } = storageLimits.s3;
    let firstError: unknown;
    for (let offset = 0; offset < names.length; offset += namesPerDeletion) {
      const some = [...new Set(names.slice(offset, offset + namesPerDeletion))];
      const error = await this.#deleteSome(some, signal);
      throwIfInterrupted(signal);
      firstError ??= error;
    }
    if (firstError !== undefined) throw firstError;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
    const requests = this.#requests;
    this.#requests = undefined;
    (await requests?.catch(() => undefined))?.close();
  }

  describe(): StorageDescription {
    return { kind: 'url', url: this.location, limits: this.#limits.describe(), hasAnswered: this.#hasAnswered };
  }

  /** Sends a request until it succeeds, fails for good, or there is no point in trying any longer. */
  async #call<Result>({ attempt, object, signal }: Task, send: Send<Result>): Promise<Result> {
    try {
      return await this.#retries.run(
        () =>
          untilAborted(
            this.#slots(() => this.#send(send, signal)),
            signal,
          ),
        {
          judge: (error, attempt) => judgeS3(error, { attempt, hasAnswered: this.#hasAnswered }),
          pauseAsked: pauseAskedBy,
          signal,
        },
      );
    } catch (error) {
      throw explainS3(error, { place: this.#place, attempt, object });
    }
  }

  async #send<Result>(send: Send<Result>, signal: AbortSignal = neverAborted): Promise<Result> {
    throwIfInterrupted(signal);
    await this.#limits.request(signal);
    const requests = await this.#connect();
    try {
      const result = await send(requests, signal);
      this.#hasAnswered = true;
      return result;
    } catch (error) {
      if (statusOf(error) !== undefined) this.#hasAnswered = true;
      // The next attempt looks for credentials anew.
      if (isExpired(error)) this.#requests = undefined;
      throw error;
    }
  }

  async #connect(): Promise<S3Requests> {
    try {
      this.#requests ??= openRequests(this.#place, { limits: this.#limits, timeouts: this.#timeouts });
      return await this.#requests;
    } catch (error) {
      this.#requests = undefined;
      throw error;
    }
  }

  /** Fills `target` from an answer. */
  #fill(
    { body }: Download,
    { target, skip, signal, onBytes }: { target: Uint8Array; skip: number; signal: AbortSignal; onBytes: (count: number) => void },
  ): Promise<void> {
    return readInto(body, target, { skip, silenceMs: this.#timeouts.silenceMs, limits: this.#limits, signal, onBytes });
  }

  async #getNothing(name: string, range: ByteRange, options: GetOptions & { id?: string }): Promise<ObjectEnd> {
    const { sizeBytes: objectSizeBytes } = await this.#head(name, options.signal, options.id);
    if ('length' in range && range.offset > objectSizeBytes) throw tooShort(name, range, objectSizeBytes);
    return { bytes: options.into?.subarray(0, 0) ?? new Uint8Array(0), objectSizeBytes };
  }

  /** After the store said that there is nothing in the range. */
  async #getBeyondEnd(name: string, range: ByteRange | undefined, options: GetOptions & { id?: string }): Promise<ObjectEnd> {
    const { sizeBytes } = await this.#head(name, options.signal, options.id);
    if (sizeBytes === 0 && (range === undefined || 'last' in range))
      return { bytes: options.into?.subarray(0, 0) ?? new Uint8Array(0), objectSizeBytes: 0 };
    if (range !== undefined && 'length' in range && range.offset + range.length > sizeBytes) throw tooShort(name, range, sizeBytes);
    const message = `${name} has ${sizeBytes} bytes, but the store says that there are none where it was to be read`;
    throw new LaganError('unavailable', message, { object: name, found: sizeBytes });
  }

  /** Code `not-found` only if the bucket is there. */
  async #head(name: string, signal: AbortSignal | undefined, version?: string): Promise<{ sizeBytes: number; upload: string | undefined }> {
    throwIfInterrupted(signal);
    try {
      return await this.#call({ attempt: `reading the size of ${name}`, object: name, signal }, (requests, signal) =>
        requests.head({ key: this.#keyOf(name), version }, signal),
      );
    } catch (error) {
      // The answer to this request has no text that would tell one from the other.
      if (isLaganError(error, 'not-found') && (await this.state({ signal })) === 'absent') throw this.#noBucket(error);
      throw error;
    }
  }

  #noBucket(cause: unknown): LaganError {
    return new LaganError('no-repository', `there is no bucket ${this.#place.bucket}`, { cause, found: 'absent' });
  }

  async #store(name: string, content: PieceBuffer, signal: AbortSignal | undefined): Promise<CreateOutcome> {
    for (let round = 0; round < vanishings; round++) {
      if ((await this.#put(name, content, signal)) === 'created') return 'created';
      const isOurs = await this.#holds(name, content, signal);
      if (isOurs !== undefined) return isOurs ? 'created' : 'exists';
    }
    throw new LaganError('unavailable', `storing ${name} failed: the store says that it is there, and that it is not`, { object: name });
  }

  /** `refused`: an object of that name is there. */
  async #put(name: string, content: PieceBuffer, signal: AbortSignal | undefined): Promise<'created' | 'refused'> {
    const task = { attempt: `storing ${name}`, object: name, signal };
    const condition = await this.#conditionFor(name, signal);
    if (condition === 'refused') return 'refused';
    try {
      await this.#call(task, (requests, signal) => requests.put(this.#keyOf(name), content, { condition, signal }));
      return 'created';
    } catch (error) {
      if (isLaganError(error) && isPreconditionFailed(error.cause)) return 'refused';
      if (!this.#isIgnorant(condition, error)) throw error;
      return this.#put(name, content, signal);
    }
  }

  /** Stores that know no conditions are asked first: the best that can be done, which the probe of a new repository finds out. */
  async #conditionFor(name: string, signal: AbortSignal | undefined): Promise<Condition | 'refused'> {
    if (this.#hasConditions) return 'unless-there';
    return (await this.#head(name, signal).catch(unlessNotFound)) === undefined ? 'always' : 'refused';
  }

  /** Whether the store says that it knows no conditions; notes it. */
  #isIgnorant(condition: Condition, error: unknown): boolean {
    if (condition === 'always' || !isLaganError(error) || !isNotImplemented(error.cause)) return false;
    this.#hasConditions = false;
    return true;
  }

  /** Whether an object has just these bytes; undefined if it is not there. */
  async #holds(name: string, content: PieceBuffer, signal: AbortSignal | undefined): Promise<boolean | undefined> {
    try {
      const stored = await this.get(name, undefined, { limitBytes: content.sizeBytes, signal });
      if (stored.length !== content.sizeBytes) return false;
      let offset = 0;
      return content.pieces.every((piece) => equalBytes(piece, stored.subarray(offset, (offset += piece.length))));
    } catch (error) {
      if (isLaganError(error, 'limit-exceeded')) return false;
      if (isLaganError(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async #beginUpload(name: string, signal: AbortSignal): Promise<PartUpload<PieceBuffer>> {
    const task = { attempt: `storing ${name}`, object: name, signal };
    const key = this.#keyOf(name);
    const mark = randomUUID();
    const id = await this.#call(task, (requests, signal) => requests.beginUpload(key, mark, signal));
    const parts: UploadedPart[] = [];
    const put = async ({ number, content }: Part<PieceBuffer>): Promise<void> => {
      // Parts are numbered from 1.
      const part = { number: number + 1, content };
      parts.push(await this.#call(task, (requests, signal) => requests.uploadPart({ key, id }, { ...part, signal })));
    };
    return {
      put,
      complete: async (last) => {
        await put(last);
        return this.#complete(name, { id, mark, parts, signal });
      },
      abandon: () => this.#abortUpload({ key, id }),
    };
  }

  async #complete(
    name: string,
    upload: { id: string; mark: string; parts: readonly UploadedPart[]; signal: AbortSignal | undefined },
  ): Promise<CreateOutcome> {
    const { id, mark, parts, signal } = upload;
    const key = this.#keyOf(name);
    const condition = await this.#conditionFor(name, signal);
    if (condition === 'refused') return this.#outcomeOf(name, upload, new LaganError('io', `${name} vanished`, { object: name }));
    try {
      const task = { attempt: `storing ${name}`, object: name, signal };
      await this.#call(task, (requests, signal) => requests.completeUpload({ key, id }, { parts, condition, signal }));
      return 'created';
    } catch (error) {
      if (this.#isIgnorant(condition, error)) return this.#complete(name, upload);
      // Refused, or the upload is gone: perhaps because it was completed, and the answer was lost.
      const isUnclear = isLaganError(error) && (isPreconditionFailed(error.cause) || wordOf(error.cause) === 'NoSuchUpload');
      if (!isUnclear) throw error;
      return this.#outcomeOf(name, { id, mark, signal }, error);
    }
  }

  /** Whose object is there, by the mark that each upload gives to its object. */
  async #outcomeOf(
    name: string,
    { id, mark, signal }: { id: string; mark: string; signal: AbortSignal | undefined },
    otherwise: unknown,
  ): Promise<CreateOutcome> {
    const found = await this.#head(name, signal).catch(unlessNotFound);
    if (found === undefined) throw otherwise;
    if (found.upload === mark) return 'created';
    await this.#abortUpload({ key: this.#keyOf(name), id });
    return 'exists';
  }

  /** Never rejects, and takes no longer than a person waits: what remains is litter. */
  async #abortUpload(upload: { key: string; id: string }): Promise<void> {
    const signal = AbortSignal.timeout(storageLimits.s3.abortTimeoutMs);
    await this.#call({ attempt: 'ending an upload', signal }, (requests, signal) => requests.abortUpload(upload, signal)).catch(
      () => undefined,
    );
  }

  async *#unfinishedUploads(signal: AbortSignal | undefined): AsyncGenerator<{ upload: UnfinishedUpload; now: Date }> {
    for (let next: { key: string; id: string } | undefined; ; ) {
      const { prefix } = this.#place;
      const task = { attempt: 'listing unfinished uploads', signal };
      const page = await this.#call(task, (requests, signal) => requests.unfinishedUploads({ prefix, next }, signal)).catch(
        unlessUnsupported,
      );
      if (page === undefined) return;
      for (const upload of page.uploads) {
        if (upload.key.startsWith(prefix) && isObjectName(upload.key.slice(prefix.length))) yield { upload, now: page.now ?? new Date() };
      }
      if (page.next === undefined) return;
      next = page.next;
    }
  }

  /** By the store's clock, nothing was added for a day. A writer that sleeps for longer is told of it when it goes on, and has to begin anew. */
  async #isAbandoned(upload: UnfinishedUpload, now: Date, signal: AbortSignal | undefined): Promise<boolean> {
    const isOld = (time: Date) => now.getTime() - time.getTime() > storageLimits.s3.litterAgeSeconds * 1000;
    if (!isOld(upload.begun)) return false;
    const task = { attempt: 'looking at an old upload', signal };
    const newest = await this.#call(task, (requests, signal) => requests.newestPart(upload, signal)).catch(unlessGone);
    return newest === undefined || isOld(newest);
  }

  /** Returns the first error. */
  async #deleteSome(names: readonly string[], signal: AbortSignal | undefined): Promise<unknown> {
    const task = { attempt: `deleting ${names.length === 1 ? names[0] : `${names.length} objects`}`, object: names[0], signal };
    let left = names.map((name) => this.#keyOf(name));
    try {
      await this.#call(task, async (requests, signal) => {
        const errors = await requests.deleteMany(left, signal);
        left = [...errors.keys()];
        for (const error of errors.values()) throw error;
      });
      return undefined;
    } catch (error) {
      throwIfInterrupted(signal);
      const mayWorkSingly = isLaganError(error) && ['unsupported', 'io'].includes(error.code) && left.length > 0;
      return mayWorkSingly ? this.#deleteSingly(left, signal) : error;
    }
  }

  /** For stores that cannot delete many at once. */
  async #deleteSingly(keys: readonly string[], signal: AbortSignal | undefined): Promise<unknown> {
    const results = await Promise.allSettled(
      keys.map((key) => {
        const name = key.slice(this.#place.prefix.length);
        const task = { attempt: `deleting ${name}`, object: name, signal };
        return this.#call(task, (requests, signal) => requests.deleteOne(key, signal)).catch(unlessNotFound);
      }),
    );
    return results.find((result) => result.status === 'rejected')?.reason;
  }

  #badListing(problem: string): LaganError {
    return new LaganError('unavailable', `the listing of ${this.location} ${problem}`, {
      object: this.location,
      hint: 'the store does not list as S3 does: it cannot hold a repository',
    });
  }

  #keyOf(name: string): string {
    return this.#place.prefix + name;
  }
}

/** A range on its way: what is wanted, and how much of it came. */
class RangeReading {
  readonly #name: string;
  readonly #range: ByteRange | undefined;
  readonly #options: GetOptions;
  /** Known after the first answer. */
  objectSizeBytes = 0;
  #wanted: { offset: number; length: number } | undefined;
  #target: Uint8Array | undefined;
  #filled = 0;

  constructor(name: string, range: ByteRange | undefined, options: GetOptions) {
    this.#name = name;
    this.#range = range;
    this.#options = options;
    if (range !== undefined && 'length' in range) this.#wanted = range;
  }

  /** What to ask for now: the rest, if some came. */
  get header(): string | undefined {
    if (this.#wanted !== undefined && (this.#range !== undefined || this.#filled > 0)) {
      const { offset, length } = this.#wanted;
      return `bytes=${offset + this.#filled}-${offset + length - 1}`;
    }
    return this.#range !== undefined && 'last' in this.#range ? `bytes=-${this.#range.last}` : undefined;
  }

  /** Takes an answer. `fill` puts its bytes into a target, after leaving some out. */
  async take({ body, first, totalBytes }: Download, fill: (target: Uint8Array, skip: number) => Promise<void>): Promise<void> {
    try {
      this.objectSizeBytes = totalBytes;
      this.#wanted ??= this.#resolve(totalBytes);
      const { offset, length } = this.#wanted;
      if (offset + length > totalBytes) throw tooShort(this.#name, this.#wanted, totalBytes);
      checkGetSize(this.#name, length, this.#options);
      if (first > offset + this.#filled) throw new WrongAnswer(`the answer begins at byte ${first} instead of ${offset + this.#filled}`);
      this.#target ??= this.#options.into?.subarray(0, length) ?? new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      await fill(this.#target.subarray(this.#filled), offset + this.#filled - first);
    } finally {
      body.destroy();
    }
  }

  add(count: number): void {
    this.#filled += count;
  }

  get result(): Uint8Array {
    return this.#target!;
  }

  #resolve(totalBytes: number): { offset: number; length: number } {
    const length = this.#range !== undefined && 'last' in this.#range ? Math.min(this.#range.last, totalBytes) : totalBytes;
    return { offset: totalBytes - length, length };
  }
}

/** Objects that are looked at to tell whether there is anything. */
const lookedAt = 16;
/** How often an object may be there when we create it, and gone when we look. */
const vanishings = 4;
const neverAborted = new AbortController().signal;

/** The SDK takes a while to load, and many commands do without. */
async function openRequests(place: S3Place, options: { limits: TransferLimits; timeouts: S3Timeouts }): Promise<S3Requests> {
  const { S3Requests } = await import('./_s3-requests.ts');
  return S3Requests.open(place, options);
}

function unlessNotFound(error: unknown): undefined {
  if (!isLaganError(error, 'not-found')) throw error;
}

function unlessGone(error: unknown): undefined {
  if (!isLaganError(error) || statusOf(error.cause) !== 404) throw error;
}

/** Servers that know no uploads in parts, or do not list them, have no litter of ours. */
function unlessUnsupported(error: unknown): undefined {
  if (!isLaganError(error, 'unsupported')) throw error;
}
