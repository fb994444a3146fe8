/**
 * A server that speaks as much of S3 as a repository needs, in memory: for machines without a real one, and for stores that behave badly on purpose. It does not look at
 * signatures. Real servers are tested by s3-server.test.ts.
 */
import { createHash, randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';

export interface StubOptions {
  /** `ignored`: every creation succeeds. `unknown`: 501. `racy`: looked at before the body arrives. */
  readonly conditions?: 'kept' | 'ignored' | 'unknown' | 'racy';
  /** Names in a page of a listing. */
  readonly pageSize?: number;
  readonly canDeleteMany?: boolean;
  readonly knowsRanges?: boolean;
}

interface Upload {
  readonly key: string;
  readonly mark: string | undefined;
  readonly begun: Date;
  readonly parts: Map<number, { bytes: Buffer; at: Date }>;
}

export class S3Stub {
  readonly requests: string[] = [];
  readonly uploads = new Map<string, Upload>();
  readonly #buckets = new Map<string, Map<string, { bytes: Buffer; mark: string | undefined }>>();
  readonly #options: StubOptions;
  readonly #server: http.Server;

  constructor(options: StubOptions = {}) {
    this.#options = options;
    this.#server = http.createServer((request, response) => void this.#answer(request, response).catch(() => response.destroy()));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  makeBucket(name: string): void {
    this.#buckets.set(name, new Map());
  }

  object(bucket: string, key: string): Buffer | undefined {
    return this.#buckets.get(bucket)?.get(key)?.bytes;
  }

  keys(bucket: string): string[] {
    return [...(this.#buckets.get(bucket)?.keys() ?? [])].sort();
  }

  put(bucket: string, key: string, bytes: Uint8Array): void {
    this.#buckets.get(bucket)!.set(key, { bytes: Buffer.from(bytes), mark: undefined });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://host');
    const [, bucketName = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
    const key = rest.join('/');
    const query = url.searchParams;
    this.requests.push(`${request.method} ${key}${[...query.keys()].map((name) => ` ${name}`).join('')}`);
    const before = this.#options.conditions === 'racy' ? this.#buckets.get(bucketName)?.has(key) : undefined;
    const body = await buffer(request);
    if (before === false) await sleep(20);
    const bucket = this.#buckets.get(bucketName);
    if (key === '' && request.method === 'PUT') {
      if (bucket === undefined) this.makeBucket(bucketName);
      return void response.end();
    }
    if (bucket === undefined) return void fail(request, response, 404, 'NoSuchBucket');
    if (key === '' && query.has('uploads')) return void this.#listUploads(response);
    if (key === '' && query.has('delete')) return void this.#deleteMany(request, response, { bucket, body });
    if (key === '') return void this.#list(response, bucket, query);
    const given = { bucket, key, query, body, existed: before ?? bucket.has(key) };
    const handlers: Record<string, () => void> = {
      GET: () => (query.has('uploadId') ? this.#listParts(response, query) : this.#get(request, response, given)),
      HEAD: () => this.#get(request, response, given),
      PUT: () => this.#put(request, response, given),
      POST: () => this.#post(request, response, given),
      DELETE: () => {
        if (query.has('uploadId')) this.uploads.delete(query.get('uploadId')!);
        else bucket.delete(key);
        response.writeHead(204).end();
      },
    };
    handlers[request.method!]!();
  }

  #get(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    { bucket, key }: { bucket: Map<string, { bytes: Buffer; mark: string | undefined }>; key: string },
  ): void {
    const object = bucket.get(key);
    if (object === undefined) return void fail(request, response, 404, 'NoSuchKey');
    const { bytes, mark } = object;
    const headers: Record<string, string | number> = {
      etag: etagOf(bytes),
      ...(mark !== undefined && { 'x-amz-meta-lagan-upload': mark }),
    };
    const range = this.#options.knowsRanges === false ? null : /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
    if (range === null)
      return void response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(request.method === 'HEAD' ? '' : bytes);
    const first = range[1] === '' ? Math.max(0, bytes.length - Number(range[2])) : Number(range[1]);
    const last = range[1] === '' || range[2] === '' ? bytes.length - 1 : Math.min(bytes.length - 1, Number(range[2]));
    if (first > last) return void fail(request, response, 416, 'InvalidRange');
    const part = bytes.subarray(first, last + 1);
    response
      .writeHead(206, { ...headers, 'content-length': part.length, 'content-range': `bytes ${first}-${last}/${bytes.length}` })
      .end(request.method === 'HEAD' ? '' : part);
  }

  #put(request: http.IncomingMessage, response: http.ServerResponse, { bucket, key, query, body, existed }: Given): void {
    const checksum = request.headers['x-amz-checksum-crc32'];
    if (checksum !== undefined && checksum !== crcOf(body)) return void fail(request, response, 400, 'BadDigest');
    if (query.has('uploadId')) {
      const upload = this.uploads.get(query.get('uploadId')!);
      if (upload === undefined) return void fail(request, response, 404, 'NoSuchUpload');
      upload.parts.set(Number(query.get('partNumber')), { bytes: body, at: new Date() });
      return void response.writeHead(200, { etag: etagOf(body) }).end();
    }
    if (!this.#mayCreate(request, response, existed)) return;
    bucket.set(key, { bytes: body, mark: undefined });
    response.writeHead(200, { etag: etagOf(body) }).end();
  }

  #post(request: http.IncomingMessage, response: http.ServerResponse, { bucket, key, query, existed }: Given): void {
    if (query.has('uploads')) {
      const id = randomUUID();
      const mark = request.headers['x-amz-meta-lagan-upload'] as string | undefined;
      this.uploads.set(id, { key, mark, begun: new Date(), parts: new Map() });
      return void xml(response, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    const upload = this.uploads.get(query.get('uploadId')!);
    if (upload === undefined) return void fail(request, response, 404, 'NoSuchUpload');
    if (!this.#mayCreate(request, response, existed)) return;
    const bytes = Buffer.concat([...upload.parts].sort(([left], [right]) => left - right).map(([, part]) => part.bytes));
    bucket.set(key, { bytes, mark: upload.mark });
    this.uploads.delete(query.get('uploadId')!);
    xml(response, `<CompleteMultipartUploadResult><ETag>${etagOf(bytes)}</ETag></CompleteMultipartUploadResult>`);
  }

  #mayCreate(request: http.IncomingMessage, response: http.ServerResponse, existed: boolean): boolean {
    const { conditions = 'kept' } = this.#options;
    if (request.headers['if-none-match'] === undefined || conditions === 'ignored') return true;
    if (conditions === 'unknown') fail(request, response, 501, 'NotImplemented');
    else if (existed) fail(request, response, 412, 'PreconditionFailed');
    return conditions !== 'unknown' && !existed;
  }

  #list(response: http.ServerResponse, bucket: Map<string, { bytes: Buffer }>, query: URLSearchParams): void {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
    const keys = [...bucket.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, Math.min(Number(query.get('max-keys') ?? 1000), this.#options.pageSize ?? 1000));
    const isTruncated = page.length < keys.length;
    const contents = page.map((key) => `<Contents><Key>${key}</Key><Size>${bucket.get(key)!.bytes.length}</Size></Contents>`);
    const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    xml(
      response,
      `<ListBucketResult><Prefix>${prefix}</Prefix><KeyCount>${page.length}</KeyCount><IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`,
    );
  }

  #listUploads(response: http.ServerResponse): void {
    const uploads = [...this.uploads].map(
      ([id, { key, begun }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${begun.toISOString()}</Initiated></Upload>`,
    );
    xml(response, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${uploads.join('')}</ListMultipartUploadsResult>`);
  }

  #listParts(response: http.ServerResponse, query: URLSearchParams): void {
    const parts = [...this.uploads.get(query.get('uploadId')!)!.parts].map(
      ([number, { at, bytes }]) =>
        `<Part><PartNumber>${number}</PartNumber><LastModified>${at.toISOString()}</LastModified><Size>${bytes.length}</Size></Part>`,
    );
    xml(response, `<ListPartsResult><IsTruncated>false</IsTruncated>${parts.join('')}</ListPartsResult>`);
  }

  #deleteMany(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    { bucket, body }: { bucket: Map<string, { bytes: Buffer }>; body: Buffer },
  ): void {
    if (this.#options.canDeleteMany === false) return void fail(request, response, 501, 'NotImplemented');
    const keys = [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!);
    for (const key of keys) bucket.delete(key);
    xml(response, `<DeleteResult>${keys.map((key) => `<Deleted><Key>${key}</Key></Deleted>`).join('')}</DeleteResult>`);
  }
}

interface Given {
  readonly bucket: Map<string, { bytes: Buffer; mark: string | undefined }>;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly existed: boolean;
}

/** The error of S3 of that name. */
export function errorXml(code: string, message = code): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

function fail(request: http.IncomingMessage, response: http.ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' }).end(request.method === 'HEAD' ? '' : errorXml(code));
}

function xml(response: http.ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
}

function etagOf(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function crcOf(bytes: Uint8Array): string {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(crc32(bytes));
  return value.toString('base64');
}
