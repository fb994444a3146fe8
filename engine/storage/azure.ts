/**
 * A storage in a container of Azure Blob Storage: `az://account/container/prefix?endpoint=URL`.
 *
 * Creation is `If-None-Match: *` on Put Blob, and for large objects on Put Block List; the service carries it out atomically. Blocks that were never committed are
 * invisible and deleted by the service after a week. The library is loaded at the first call.
 *
 * Credentials come from the environment: AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING (the first that is set), or else whatever
 * the chain of `@azure/identity` finds (service principal, workload identity, managed identity, Azure CLI).
 */
import type { Readable } from 'node:stream';
import type { BlobServiceClient, BlockBlobClient, ContainerClient, RestError, StoragePipelineOptions } from '@azure/storage-blob';
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

const form = 'az://ACCOUNT/CONTAINER/PREFIX';
const onlyIfAbsent = { ifNoneMatch: '*' };
const contentHeaders = { blobContentType: 'application/octet-stream' };

export class AzureContainer extends ObjectStore {
  /** Errors: `usage`. */
  constructor(url: string, options: ObjectStoreOptions) {
    const place = parsePlaceUrl(url, { form, parameters: ['endpoint'] });
    const [container, ...path] = place.path;
    if (place.host === '' || container === undefined)
      throw new LaganError('usage', `${url} names no account and container`, { hint: `write ${form}` });
    const endpoint = endpointOf(url, place) ?? `https://${place.host}.blob.core.windows.net`;
    super(new AzureCalls(place, { url, container, endpoint }), { url, path }, options);
  }
}

class AzureCalls implements ObjectStoreCalls {
  readonly partSizeBytes = storageLimits.remote.partSizeBytes;
  readonly partsInFlight = storageLimits.remote.partsInFlight;
  readonly placeHint: string;
  readonly #place: PlaceUrl;
  readonly #url: string;
  readonly #containerName: string;
  readonly #endpoint: string;
  #client: Promise<ContainerClient> | undefined;

  constructor(place: PlaceUrl, { url, container, endpoint }: { url: string; container: string; endpoint: string }) {
    this.#place = place;
    this.#url = url;
    this.#containerName = container;
    this.#endpoint = endpoint;
    this.placeHint = `lagan init makes the container; az storage container create --name ${container} does so, too`;
  }

  async open(key: string, range: ByteRange | undefined, signal: AbortSignal): Promise<OpenedObject | undefined> {
    // The service knows no ranges that are counted from the end.
    const wanted = range !== undefined && 'last' in range ? await this.#lastBytes(key, range.last, signal) : range;
    if (wanted?.length === 0) return undefined;
    const blob = await this.#blob(key);
    try {
      const response = await blob.download(wanted?.offset ?? 0, wanted?.length, { abortSignal: signal, maxRetryRequests: 0 });
      const bodySizeBytes = response.contentLength ?? 0;
      const objectSizeBytes = Number(/\/([0-9]+)$/.exec(response.contentRange ?? '')?.[1] ?? bodySizeBytes);
      return { objectSizeBytes, bodySizeBytes, body: response.readableStreamBody as Readable };
    } catch (error) {
      if (statusOf(error) === 416) return undefined;
      throw error;
    }
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectHead> {
    const { contentLength, metadata } = await (await this.#blob(key)).getProperties({ abortSignal: signal });
    return { sizeBytes: contentLength ?? 0, mark: metadata?.[markName] };
  }

  async create(key: string, bytes: Uint8Array, { mark, signal }: { mark: string; signal: AbortSignal }): Promise<CreateOutcome> {
    const blob = await this.#blob(key);
    return createdOrExists(
      blob.upload(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length, {
        abortSignal: signal,
        conditions: onlyIfAbsent,
        metadata: { [markName]: mark },
        blobHTTPHeaders: contentHeaders,
      }),
    );
  }

  async beginParts(key: string, { mark }: { mark: string }): Promise<PartCalls> {
    return new BlockUpload(await this.#blob(key), mark);
  }

  async list(prefix: string, { next, signal }: { next: string | undefined; signal: AbortSignal }): Promise<ListedPage> {
    const container = await this.#container();
    const pages = container
      .listBlobsFlat({ prefix, abortSignal: signal })
      .byPage({ maxPageSize: storageLimits.remote.namesPerListing, ...(next !== undefined && { continuationToken: next }) });
    for await (const { segment, continuationToken } of pages) {
      const objects = segment.blobItems.map(({ name, properties }) => ({ key: name, sizeBytes: properties.contentLength ?? 0 }));
      return { objects, next: continuationToken || undefined };
    }
    return { objects: [], next: undefined };
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    await (await this.#blob(key)).delete({ abortSignal: signal, deleteSnapshots: 'include' });
  }

  async makePlace(signal: AbortSignal): Promise<void> {
    await (await this.#container()).createIfNotExists({ abortSignal: signal });
  }

  explain(error: unknown, { attempt, name }: { attempt: string; name: string | undefined }): unknown {
    if (error instanceof LaganError || !(error instanceof Error)) return error;
    const { code, text, hint } = this.#meaning(error);
    return new LaganError(code, `${attempt} at ${this.#url} failed: ${text}`, { cause: error, object: name, found: statusOf(error), hint });
  }

  #meaning(error: Error): { code: ErrorCode; text: string; hint?: string } {
    const [status, service] = [statusOf(error), serviceCodeOf(error)];
    const text = `${service ?? ''} ${firstLine(error.message)}`.trim();
    if (service === 'ContainerNotFound')
      return { code: 'no-repository', text: `there is no container ${this.#containerName}`, hint: this.placeHint };
    if (service === 'ContainerBeingDeleted') return { code: 'unavailable', text: `the container ${this.#containerName} is being deleted` };
    if (service !== undefined && /Immutable|LegalHold|LeaseId/.test(service))
      return { code: 'forbidden', text: `a policy or a lease forbids it (${service})` };
    if (status === 404) return { code: 'not-found', text: 'it is not in the store' };
    if (status === 401 || status === 403 || /Authentication|CredentialUnavailable/.test(error.name))
      return { code: 'forbidden', text, hint: credentialHint };
    const code = status === undefined ? undefined : codeOfStatus(status);
    return { code: code ?? (isNetworkError(error) ? 'unavailable' : 'io'), text };
  }

  async #lastBytes(key: string, last: number, signal: AbortSignal): Promise<{ offset: number; length: number }> {
    const { sizeBytes } = await this.head(key, signal);
    const length = Math.min(last, sizeBytes);
    return { offset: sizeBytes - length, length };
  }

  async #blob(key: string): Promise<BlockBlobClient> {
    return (await this.#container()).getBlockBlobClient(key);
  }

  #container(): Promise<ContainerClient> {
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  async #connect(): Promise<ContainerClient> {
    const azure = await import('@azure/storage-blob');
    // We try again ourselves: only so is it known whether an answer was lost.
    const options: StoragePipelineOptions = { retryOptions: { maxTries: 1 } };
    const service = await this.#openService(azure, options);
    return service.getContainerClient(this.#containerName);
  }

  async #openService(azure: typeof import('@azure/storage-blob'), options: StoragePipelineOptions): Promise<BlobServiceClient> {
    const { AZURE_STORAGE_KEY: key, AZURE_STORAGE_SAS_TOKEN: token, AZURE_STORAGE_CONNECTION_STRING: connection } = process.env;
    const { BlobServiceClient, StorageSharedKeyCredential } = azure;
    if (key) return new BlobServiceClient(this.#endpoint, new StorageSharedKeyCredential(this.#place.host, key), options);
    if (token) return new BlobServiceClient(`${this.#endpoint}?${token.replace(/^\?/, '')}`, undefined, options);
    if (connection) return this.#checkAccount(() => BlobServiceClient.fromConnectionString(connection, options));
    const { DefaultAzureCredential } = await import('@azure/identity');
    return new BlobServiceClient(this.#endpoint, new DefaultAzureCredential(), options);
  }

  #checkAccount(open: () => BlobServiceClient): BlobServiceClient {
    const service = withoutSecret(open);
    if (service.accountName === this.#place.host) return service;
    throw new LaganError('usage', `AZURE_STORAGE_CONNECTION_STRING is of the account ${service.accountName}, not of ${this.#place.host}`, {
      expected: this.#place.host,
      found: service.accountName,
      hint: 'unset it, or name its account in the URL',
    });
  }
}

/** Blocks of one blob that nobody sees until their list is committed. */
class BlockUpload implements PartCalls {
  readonly #blob: BlockBlobClient;
  readonly #mark: string;

  constructor(blob: BlockBlobClient, mark: string) {
    this.#blob = blob;
    this.#mark = mark;
  }

  async put({ number, content: { bytes } }: Part, { signal }: { signal: AbortSignal }): Promise<void> {
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    await this.#blob.stageBlock(this.#blockId(number), body, body.length, { abortSignal: signal });
  }

  async complete(last: Part, options: { signal: AbortSignal }): Promise<CreateOutcome> {
    await this.put(last, options);
    const ids = Array.from({ length: last.number + 1 }, (_, number) => this.#blockId(number));
    try {
      return await createdOrExists(
        this.#blob.commitBlockList(ids, {
          abortSignal: options.signal,
          conditions: onlyIfAbsent,
          metadata: { [markName]: this.#mark },
          blobHTTPHeaders: contentHeaders,
        }),
      );
    } catch (error) {
      // Whoever creates the blob makes the service forget the blocks of all others.
      if (serviceCodeOf(error) === 'InvalidBlockList' && (await this.#blob.exists({ abortSignal: options.signal }))) return 'exists';
      throw error;
    }
  }

  /** The service deletes the blocks after a week; there is no request to do so. */
  async abandon(): Promise<void> {}

  /** All of one length, as the service demands, and different from those of other writers of this name. */
  #blockId(number: number): string {
    return Buffer.from(`${this.#mark.slice(0, 16)}${String(number).padStart(8, '0')}`).toString('base64');
  }
}

const credentialHint =
  'set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or log in with az login; a clock that is wrong by 15 minutes is refused as well';

/** The library's error may repeat the text, which holds a key. */
function withoutSecret(open: () => BlobServiceClient): BlobServiceClient {
  try {
    return open();
  } catch {
    throw new LaganError('usage', 'the text in AZURE_STORAGE_CONNECTION_STRING is not a connection string', {
      hint: 'it looks like DefaultEndpointsProtocol=https;AccountName=NAME;AccountKey=KEY;EndpointSuffix=core.windows.net',
    });
  }
}

async function createdOrExists(request: Promise<unknown>): Promise<CreateOutcome> {
  try {
    await request;
    return 'created';
  } catch (error) {
    if (serviceCodeOf(error) === 'BlobAlreadyExists' || statusOf(error) === 412) return 'exists';
    throw error;
  }
}

function statusOf(error: unknown): number | undefined {
  const status = (error as Partial<RestError>).statusCode;
  return typeof status === 'number' ? status : undefined;
}

/** What the service calls the error; answers without a body have it in a header. */
function serviceCodeOf(error: unknown): string | undefined {
  const { code, response } = error as Partial<RestError>;
  return response?.headers.get('x-ms-error-code') ?? code;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}
