/**
 * A storage in a bucket of Google Cloud Storage: `gs://bucket/prefix?endpoint=URL&location=PLACE&project=ID`.
 *
 * Creation is `ifGenerationMatch=0` ("there is no live object of this name"), on an upload of one request as on the last request of a resumable one; the service
 * carries it out atomically. What a resumable upload has sent is invisible, and deleted by the service after a week. The library is loaded at the first call.
 *
 * Credentials are Google's application default credentials: GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, workload identity, the
 * service account of the machine. STORAGE_EMULATOR_HOST or an `endpoint=` with http: names an emulator, which gets none.
 */
import { Readable } from 'node:stream';
import type { Bucket, File, StorageOptions } from '@google-cloud/storage';
import { type ErrorCode, LaganError } from '../../repo-format/mod.ts';
import { codeOfStatus, isNetworkError } from './_http-errors.ts';
import {
  type ListedPage,
  markName,
  type ObjectHead,
  ObjectStore,
  type ObjectStoreCalls,
  type ObjectStoreOptions,
  type OpenedObject,
  type PartCalls,
} from './_object-store.ts';
import type { Part } from './_part-writer.ts';
import { endpointOf, type PlaceUrl, parsePlaceUrl } from './_place-url.ts';
import { storageLimits } from './limits.ts';
import type { ByteRange, CreateOutcome } from './storage.ts';

const form = 'gs://BUCKET/PREFIX';
const onlyIfAbsent = { ifGenerationMatch: 0 };
const contentType = 'application/octet-stream';

export class GoogleBucket extends ObjectStore {
  /** Errors: `usage`. */
  constructor(url: string, options: ObjectStoreOptions) {
    const place = parsePlaceUrl(url, { form, parameters: ['endpoint', 'location', 'project'] });
    if (place.host === '') throw new LaganError('usage', `${url} names no bucket`, { hint: `write ${form}` });
    super(new GoogleCalls(place, { url, endpoint: endpointOf(url, place) }), { url, path: place.path }, options);
  }
}

class GoogleCalls implements ObjectStoreCalls {
  readonly partSizeBytes = storageLimits.remote.partSizeBytes;
  /** A resumable upload takes one part after the other. */
  readonly partsInFlight = 1;
  readonly placeHint: string;
  readonly #place: PlaceUrl;
  readonly #url: string;
  readonly #endpoint: string | undefined;
  #client: Promise<Bucket> | undefined;

  constructor(place: PlaceUrl, { url, endpoint }: { url: string; endpoint: string | undefined }) {
    this.#place = place;
    this.#url = url;
    this.#endpoint = endpoint ?? emulatorOfEnvironment();
    this.placeHint = `make the bucket: gcloud storage buckets create gs://${place.host} --location=PLACE, or name its place as ?location=PLACE`;
  }

  async open(key: string, range: ByteRange | undefined, signal: AbortSignal): Promise<OpenedObject | undefined> {
    const file = (await this.#bucket()).file(key);
    const { baseUrl } = file.storage;
    const response = await request<Readable>(file, {
      url: `${baseUrl}/b/${encodeURIComponent(file.bucket.name)}/o/${encodeURIComponent(key)}?alt=media`,
      headers: { 'cache-control': 'no-store', ...(range !== undefined && { range: rangeHeader(range) }) },
      responseType: 'stream',
      signal,
    });
    if (response.status === 416) {
      response.data.destroy();
      return undefined;
    }
    return openedObject(response);
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectHead> {
    signal.throwIfAborted();
    const [metadata] = await (await this.#bucket()).file(key).getMetadata();
    const mark = metadata.metadata?.[markName];
    return { sizeBytes: Number(metadata.size), mark: typeof mark === 'string' ? mark : undefined };
  }

  async create(key: string, bytes: Uint8Array, { mark, signal }: { mark: string; signal: AbortSignal }): Promise<CreateOutcome> {
    signal.throwIfAborted();
    const file = (await this.#bucket()).file(key);
    return createdOrExists(
      file.save(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), {
        resumable: false,
        // It would read back, and delete what seems to be damaged. Whoever reads an object authenticates it.
        validation: false,
        preconditionOpts: onlyIfAbsent,
        metadata: { contentType, metadata: { [markName]: mark } },
      }),
    );
  }

  async beginParts(key: string, { mark, signal }: { mark: string; signal: AbortSignal }): Promise<PartCalls> {
    signal.throwIfAborted();
    const file = (await this.#bucket()).file(key);
    try {
      const [url] = await file.createResumableUpload({
        preconditionOpts: onlyIfAbsent,
        metadata: { contentType, metadata: { [markName]: mark } },
      });
      return new ResumableUpload(file, url);
    } catch (error) {
      if (statusOf(error) === 412) return takenName;
      throw error;
    }
  }

  async list(prefix: string, options: { after: string; next: string | undefined; signal: AbortSignal }): Promise<ListedPage> {
    const { after, next, signal } = options;
    signal.throwIfAborted();
    const bucket = await this.#bucket();
    // With fields chosen the library gives what the service sent, not objects of its own.
    const [, query, response] = await bucket.getFiles({
      prefix,
      autoPaginate: false,
      maxResults: storageLimits.remote.namesPerListing,
      fields: 'items(name,size),nextPageToken',
      ...(after !== '' && { startOffset: after }),
      ...(next !== undefined && { pageToken: next }),
    });
    const { items = [] } = response as { items?: { name: string; size: string }[] };
    const objects = items.map(({ name, size }) => ({ key: name, sizeBytes: Number(size) }));
    return { objects, next: (query as { pageToken?: string } | null)?.pageToken || undefined };
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await (await this.#bucket()).file(key).delete();
  }

  /** A bucket stays where it was made: only with a place that somebody has named. */
  async makePlace(): Promise<void> {
    const location = this.#place.parameters.get('location');
    if (location === undefined) {
      throw new LaganError('no-repository', `there is no bucket ${this.#place.host}`, { found: 'absent', hint: this.placeHint });
    }
    const bucket = await this.#bucket();
    try {
      await bucket.create({ location, iamConfiguration: { uniformBucketLevelAccess: { enabled: true } } });
    } catch (error) {
      if (statusOf(error) !== 409) throw error;
    }
  }

  explain(error: unknown, { attempt, name }: { attempt: string; name: string | undefined }): unknown {
    if (error instanceof LaganError || !(error instanceof Error)) return error;
    const status = statusOf(error);
    const text = error.message.split('\n', 1)[0]!;
    const isUnknown = /credential|invalid_grant|invalid_client|unauthorized_client|project id/i.test(error.message);
    const meaning = isUnknown ? 'forbidden' : status === undefined ? undefined : codeOfStatus(status);
    const code: ErrorCode = meaning ?? (isNetworkError(error) ? 'unavailable' : 'io');
    return new LaganError(code, `${attempt} at ${this.#url} failed: ${text}`, {
      cause: error,
      object: name,
      found: status,
      hint: code === 'forbidden' ? credentialHint : undefined,
    });
  }

  #bucket(): Promise<Bucket> {
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  async #connect(): Promise<Bucket> {
    const { Storage } = await import('@google-cloud/storage');
    // We try again ourselves: only so is it known whether an answer was lost.
    const options: StorageOptions = { retryOptions: { autoRetry: false, maxRetries: 0 }, ...(await this.#endpointOptions()) };
    const project = this.#place.parameters.get('project');
    if (project !== undefined) options.projectId = project;
    return new Storage(options).bucket(this.#place.host);
  }

  async #endpointOptions(): Promise<StorageOptions> {
    if (this.#endpoint === undefined) return {};
    if (this.#endpoint.startsWith('https:')) return { apiEndpoint: this.#endpoint, useAuthWithCustomEndpoint: true };
    const { PassThroughClient } = await import('google-auth-library');
    return { apiEndpoint: this.#endpoint, projectId: 'emulator', authClient: new PassThroughClient() };
  }
}

/** The service may look at the condition when an upload begins, too. */
const takenName: PartCalls = {
  put: async () => undefined,
  complete: async () => 'exists',
  abandon: async () => undefined,
};

/** A session of the service that takes an object piece by piece. */
class ResumableUpload implements PartCalls {
  readonly #file: File;
  readonly #url: string;

  constructor(file: File, url: string) {
    this.#file = file;
    this.#url = url;
  }

  async put(part: Part, options: { signal: AbortSignal; retried: boolean }): Promise<void> {
    await this.#send(part, { ...options, total: '*' });
  }

  complete(last: Part, options: { signal: AbortSignal; retried: boolean }): Promise<CreateOutcome> {
    return createdOrExists(this.#send(last, { ...options, total: last.offset + last.content.sizeBytes }));
  }

  async abandon(): Promise<void> {
    await request(this.#file, {
      method: 'DELETE',
      url: this.#url,
      responseType: 'text',
      signal: AbortSignal.timeout(storageLimits.remote.abandonTimeoutMs),
    });
  }

  /** The service may keep less than it was sent; it tells how much, and the rest is sent again. */
  async #send(part: Part, options: { signal: AbortSignal; retried: boolean; total: number | '*' }): Promise<void> {
    const { signal, retried, total } = options;
    const end = part.offset + part.content.sizeBytes;
    let from = retried ? await this.#bytesKept(signal, total) : part.offset;
    while (from < end) {
      if (from < part.offset)
        throw new LaganError('io', `the store lost bytes of an upload: it has ${from} of ${part.offset}`, { found: from });
      const piece = part.content.bytes.subarray(from - part.offset);
      const response = await this.#put(piece, `bytes ${from}-${end - 1}/${total}`, signal);
      if (response.status !== 308) return;
      const kept = keptBytes(response.headers);
      if (kept <= from) throw new LaganError('unavailable', 'the store kept nothing of what it was sent', { found: kept });
      from = kept;
    }
  }

  async #bytesKept(signal: AbortSignal, total: number | '*'): Promise<number> {
    const response = await this.#put(undefined, `bytes */${total}`, signal);
    return response.status === 308 ? keptBytes(response.headers) : Number.POSITIVE_INFINITY;
  }

  #put(bytes: Uint8Array | undefined, range: string, signal: AbortSignal): Promise<Response<string>> {
    return request<string>(this.#file, {
      method: 'PUT',
      url: this.#url,
      headers: { 'content-range': range, 'content-length': String(bytes?.length ?? 0) },
      ...(bytes !== undefined && { body: quietStream(bytes) }),
      responseType: 'text',
      signal,
    });
  }
}

/** The answer to the deletion of an upload. */
const uploadGivenUp = 499;
const credentialHint =
  'log in with gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account that may read and write objects of the bucket';

interface Response<Data> {
  readonly status: number;
  readonly headers: unknown;
  readonly data: Data;
}

interface Request {
  readonly method?: 'GET' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readable;
  readonly responseType: 'stream' | 'text';
  readonly signal: AbortSignal;
}

/** A request by the library's authenticated client: its own functions for uploads and downloads cannot be interrupted. */
function request<Data>(file: File, options: Request): Promise<Response<Data>> {
  const client = file.storage.authClient as unknown as { request(options: object): Promise<Response<Data>> };
  return client.request({
    ...options,
    retry: false,
    validateStatus: (status: number) => status < 300 || [308, 416, uploadGivenUp].includes(status),
  });
}

/** An aborted request destroys its body with an error that nobody listens to. */
function quietStream(bytes: Uint8Array): Readable {
  return Readable.from([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)]).on('error', () => undefined);
}

function openedObject({ headers, data: body }: Response<Readable>): OpenedObject {
  const total = /\/([0-9]+)$/.exec(headerOf(headers, 'content-range') ?? '')?.[1];
  const length = headerOf(headers, 'content-length') ?? headerOf(headers, 'x-goog-stored-content-length');
  if (length === undefined) throw new LaganError('io', 'the store does not tell how long an object is');
  return { objectSizeBytes: Number(total ?? length), bodySizeBytes: Number(length), body };
}

/** The answer to a part of an upload: `Range: bytes=0-N` tells that N + 1 bytes are there. */
function keptBytes(headers: unknown): number {
  const last = /-([0-9]+)$/.exec(headerOf(headers, 'range') ?? '')?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}

/** The library's headers are those of some implementation of fetch. */
function headerOf(headers: unknown, name: string): string | undefined {
  return (headers as Headers).get(name) ?? undefined;
}

function rangeHeader(range: ByteRange): string {
  return 'last' in range ? `bytes=-${range.last}` : `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

async function createdOrExists(upload: Promise<unknown>): Promise<CreateOutcome> {
  try {
    await upload;
    return 'created';
  } catch (error) {
    if (statusOf(error) === 412) return 'exists';
    throw error;
  }
}

function statusOf(error: unknown): number | undefined {
  const { code, status, response } = error as { code?: unknown; status?: unknown; response?: { status?: unknown } };
  for (const value of [code, status, response?.status]) {
    const number = typeof value === 'string' && /^[1-5][0-9]{2}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number') return number;
  }
  return undefined;
}

/** As Google's libraries understand it: with or without a scheme and the path of the interface. */
function emulatorOfEnvironment(): string | undefined {
  const text = process.env.STORAGE_EMULATOR_HOST;
  if (!text) return undefined;
  const url = /^https?:/.test(text) ? text : `http://${text}`;
  return url.replace(/\/+$/, '').replace(/\/storage\/v1$/, '');
}
