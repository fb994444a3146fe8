/**
 * The requests to an S3 store, each sent once, by the AWS SDK: the only file that knows it. It is loaded when the first request is made, as it takes a while.
 * An answer that lacks what it must have is a {@link WrongAnswer}.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { LaganError } from '../../repo-format/mod.ts';
import { type PieceBuffer, streamOf } from './_s3-body.ts';
import { WrongAnswer } from './_s3-errors.ts';
import type { S3Place } from './_s3-place.ts';
import { withTime } from './_s3-time.ts';
import { S3VersionRequests, wordOf } from './_s3-version-requests.ts';
import type { TransferLimits } from './_transfer-limits.ts';
import { storageLimits } from './limits.ts';

export interface S3Timeouts {
  /** Until a connection stands. */
  readonly connectMs: number;
  /** Without a byte in either direction. */
  readonly silenceMs: number;
}

export interface ListPage {
  readonly objects: readonly { readonly key: string; readonly sizeBytes: number }[];
  /** Undefined on the last page. */
  readonly next: string | undefined;
}

/** The bytes from `first` on of an object that has `totalBytes`. */
export interface Download {
  readonly body: Readable;
  readonly first: number;
  readonly totalBytes: number;
}

export interface UploadedPart {
  readonly number: number;
  readonly etag: string;
  readonly crc32: string;
}

export interface UnfinishedUpload {
  readonly key: string;
  readonly id: string;
  readonly begun: Date;
}

/** `unless-there`: the store is to refuse with 412 if an object of that name is there. */
export type Condition = 'unless-there' | 'always';

/** Metadata of large objects: which upload they are of. */
const uploadMark = 'lagan-upload';

export class S3Requests {
  /** About versions and locks. */
  readonly versions: S3VersionRequests;
  readonly #client: S3Client;
  readonly #place: S3Place;
  readonly #limits: TransferLimits;

  private constructor(client: S3Client, { place, limits }: { place: S3Place; limits: TransferLimits }) {
    this.#client = client;
    this.#place = place;
    this.#limits = limits;
    this.versions = new S3VersionRequests(client, { bucket: place.bucket, kindOfObject: (key) => this.#kindOfObject(key) });
  }

  /** Finds region and proxy; credentials are looked for by the first request. */
  static async open(place: S3Place, { limits, timeouts }: { limits: TransferLimits; timeouts: S3Timeouts }): Promise<S3Requests> {
    const client = new S3Client(configurationOf(place, timeouts));
    try {
      await client.config.region();
      return new S3Requests(client, { place, limits });
    } catch {
      // Named nowhere. Other stores than that of AWS mostly do not care, and that of AWS answers with the right one.
      client.destroy();
      return new S3Requests(new S3Client({ ...configurationOf(place, timeouts), region: 'us-east-1' }), { place, limits });
    }
  }

  close(): void {
    this.#client.destroy();
  }

  async list(
    { prefix, after, next, limit }: { prefix: string; after?: string | undefined; next?: string | undefined; limit: number },
    signal: AbortSignal,
  ): Promise<ListPage> {
    const command = new ListObjectsV2Command({
      ...this.#bucket,
      Prefix: prefix,
      StartAfter: next === undefined ? after : undefined,
      ContinuationToken: next,
      MaxKeys: limit,
    });
    const page = await this.#client.send(command, { abortSignal: signal });
    // An empty page with all its marks is an answer; an empty body, or that of somebody else, is none.
    if (page.IsTruncated === undefined) throw new WrongAnswer('the answer to a listing is not a listing');
    if (page.Prefix !== undefined && page.Prefix !== prefix) throw new WrongAnswer('the answer to a listing is that of another listing');
    if (page.IsTruncated && !page.NextContinuationToken)
      throw new WrongAnswer('a page of a listing says that there are more, but not where');
    const objects = (page.Contents ?? []).map(({ Key, Size }) => {
      if (Key === undefined || Size === undefined) throw new WrongAnswer('a listing has an object without name or size');
      return { key: Key, sizeBytes: Size };
    });
    return { objects, next: page.IsTruncated ? page.NextContinuationToken : undefined };
  }

  /** The size of an object, and which upload made it, if it was a large one. */
  async head(
    { key, version }: { key: string; version?: string | undefined },
    signal: AbortSignal,
  ): Promise<{ sizeBytes: number; upload: string | undefined }> {
    const command = new HeadObjectCommand({ ...this.#bucket, Key: key, VersionId: version });
    const answer = await this.#client.send(command, { abortSignal: signal });
    if (answer.ContentLength === undefined) throw new WrongAnswer('the store does not tell the size of an object');
    return { sizeBytes: answer.ContentLength, upload: answer.Metadata?.[uploadMark] };
  }

  /** `range` as in HTTP: `bytes=0-9`, `bytes=-10`. `version`: another state than the current one. */
  async get(
    { key, version }: { key: string; version?: string | undefined },
    range: string | undefined,
    signal: AbortSignal,
  ): Promise<Download> {
    const command = new GetObjectCommand({ ...this.#bucket, Key: key, VersionId: version, Range: range });
    const answer = await this.#client.send(command, { abortSignal: signal });
    const body = answer.Body as Readable;
    try {
      return { body, ...placeOf(answer) };
    } catch (error) {
      body?.destroy();
      throw error;
    }
  }

  async put(key: string, content: PieceBuffer, { condition, signal }: { condition: Condition; signal: AbortSignal }): Promise<void> {
    const command = new PutObjectCommand({
      ...this.#bucket,
      Key: key,
      ...this.#kindOfObject(key),
      ...(condition === 'unless-there' && { IfNoneMatch: '*' }),
      ...this.#content(content),
    });
    await this.#withBody(command, content, signal, (ready) => this.#client.send(ready, { abortSignal: signal }));
  }

  /** Deletes objects; those that are not there are no error. Returns the errors by key. */
  async deleteMany(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Error>> {
    const command = new DeleteObjectsCommand({ ...this.#bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } });
    const { Deleted = [], Errors = [], $metadata } = await this.#client.send(command, { abortSignal: signal });
    const problems = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
    const accounted = new Set([...Deleted, ...Errors].map(({ Key }) => Key));
    const forgotten = keys.find((key) => !accounted.has(key));
    if (forgotten !== undefined) throw new WrongAnswer(`the store does not say whether it deleted ${forgotten}`);
    return new Map(
      problems.map(({ Key = '', Code = 'UnknownError', Message = '' }) => {
        // What a single request would have thrown.
        const status = Code === 'AccessDenied' ? 403 : Code === 'SlowDown' ? 503 : Code === 'InternalError' ? 500 : 400;
        return [Key, Object.assign(new Error(Message), { name: Code, $metadata: { ...$metadata, httpStatusCode: status } })];
      }),
    );
  }

  async deleteOne(key: string, signal: AbortSignal): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ ...this.#bucket, Key: key }), { abortSignal: signal });
  }

  /** Begins an upload in parts. `mark` is kept with the object that comes of it. Returns the upload's id. */
  async beginUpload(key: string, mark: string, signal: AbortSignal): Promise<string> {
    const command = new CreateMultipartUploadCommand({
      ...this.#bucket,
      Key: key,
      ...this.#kindOfObject(key),
      Metadata: { [uploadMark]: mark },
      ...(this.#place.checksum === 'crc32' && { ChecksumAlgorithm: 'CRC32' }),
    });
    const { UploadId } = await this.#client.send(command, { abortSignal: signal });
    if (!UploadId) throw new WrongAnswer('the store began an upload without telling its id');
    return UploadId;
  }

  async uploadPart(
    upload: { key: string; id: string },
    { number, content, signal }: { number: number; content: PieceBuffer; signal: AbortSignal },
  ): Promise<UploadedPart> {
    const command = new UploadPartCommand({
      ...this.#bucket,
      Key: upload.key,
      UploadId: upload.id,
      PartNumber: number,
      ...this.#content(content),
    });
    const { ETag } = await this.#withBody(command, content, signal, (ready) => this.#client.send(ready, { abortSignal: signal }));
    if (!ETag) throw new WrongAnswer('the store took a part without telling its tag');
    return { number, etag: ETag, crc32: content.crc32 };
  }

  async completeUpload(
    upload: { key: string; id: string },
    { parts, condition, signal }: { parts: readonly UploadedPart[]; condition: Condition; signal: AbortSignal },
  ): Promise<void> {
    const withChecksum = this.#place.checksum === 'crc32';
    const command = new CompleteMultipartUploadCommand({
      ...this.#bucket,
      Key: upload.key,
      UploadId: upload.id,
      MultipartUpload: {
        Parts: parts.map(({ number, etag, crc32 }) => ({ PartNumber: number, ETag: etag, ...(withChecksum && { ChecksumCRC32: crc32 }) })),
      },
      ...(condition === 'unless-there' && { IfNoneMatch: '*' }),
    });
    const { ETag } = await this.#client.send(command, { abortSignal: signal });
    if (!ETag) throw new WrongAnswer('the store completed an upload without telling its tag');
  }

  async abortUpload(upload: { key: string; id: string }, signal: AbortSignal): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.#bucket, Key: upload.key, UploadId: upload.id });
    await this.#client.send(command, { abortSignal: signal });
  }

  /** Unfinished uploads below a prefix, a page of them, and the store's time. */
  async unfinishedUploads(
    { prefix, next }: { prefix: string; next?: { key: string; id: string } | undefined },
    signal: AbortSignal,
  ): Promise<{ uploads: readonly UnfinishedUpload[]; next: { key: string; id: string } | undefined; now: Date | undefined }> {
    const command = new ListMultipartUploadsCommand({ ...this.#bucket, Prefix: prefix, KeyMarker: next?.key, UploadIdMarker: next?.id });
    const { now, output } = await withTime(command, (timed) => this.#client.send(timed, { abortSignal: signal }));
    const uploads = (output.Uploads ?? []).flatMap(({ Key, UploadId, Initiated }) =>
      Key !== undefined && UploadId !== undefined && Initiated !== undefined ? [{ key: Key, id: UploadId, begun: Initiated }] : [],
    );
    const { NextKeyMarker: key, NextUploadIdMarker: id = '' } = output;
    return { uploads, next: output.IsTruncated && key ? { key, id } : undefined, now };
  }

  /** When the newest part of an upload came; undefined if it has none. */
  async newestPart({ key, id }: { key: string; id: string }, signal: AbortSignal): Promise<Date | undefined> {
    let newest: Date | undefined;
    for (let marker: string | undefined; ; ) {
      const command = new ListPartsCommand({ ...this.#bucket, Key: key, UploadId: id, PartNumberMarker: marker });
      const page = await this.#client.send(command, { abortSignal: signal });
      for (const { LastModified } of page.Parts ?? []) if (LastModified && !(newest && newest >= LastModified)) newest = LastModified;
      if (!page.IsTruncated || !page.NextPartNumberMarker) return newest;
      marker = page.NextPartNumberMarker;
    }
  }

  async makeBucket(signal: AbortSignal): Promise<void> {
    const region = await this.#client.config.region();
    const configuration =
      this.#place.endpoint === undefined && region !== 'us-east-1'
        ? { CreateBucketConfiguration: { LocationConstraint: region as 'eu-west-1' } }
        : {};
    await this.#client.send(new CreateBucketCommand({ ...this.#bucket, ...configuration }), { abortSignal: signal });
  }

  get #bucket(): { Bucket: string } {
    return { Bucket: this.#place.bucket };
  }

  #kindOfObject(
    key: string,
  ): Pick<
    ConstructorParameters<typeof PutObjectCommand>[0],
    'StorageClass' | 'ServerSideEncryption' | 'SSEKMSKeyId' | 'ObjectLockMode' | 'ObjectLockRetainUntilDate'
  > {
    const { prefix, storageClass, encryption, kmsKey, retention } = this.#place;
    const isPack = /^(writer|collector)\/packs\//.test(key.slice(prefix.length));
    return {
      ...(storageClass !== undefined && isPack && { StorageClass: storageClass as 'STANDARD' }),
      ...(encryption !== undefined && { ServerSideEncryption: encryption }),
      ...(kmsKey !== undefined && { SSEKMSKeyId: kmsKey }),
      ...(retention !== undefined && {
        ObjectLockMode: wordOf(retention.mode),
        ObjectLockRetainUntilDate: new Date(this.#nowMs + retention.periodSeconds * 1000),
      }),
    };
  }

  /** This machine's clock, set by the store's where the SDK found that they differ. */
  get #nowMs(): number {
    return Date.now() + this.#client.config.systemClockOffset;
  }

  #content(content: PieceBuffer): { ContentLength: number; ChecksumCRC32?: string } {
    return { ContentLength: content.sizeBytes, ...(this.#place.checksum === 'crc32' && { ChecksumCRC32: content.crc32 }) };
  }

  /** Sends a small body as it is, a large one as a stream, whose hash is only needed where TLS does not guard it. */
  async #withBody<C extends PutObjectCommand | UploadPartCommand, Output>(
    command: C,
    content: PieceBuffer,
    signal: AbortSignal,
    send: (command: C) => Promise<Output>,
  ): Promise<Output> {
    if (content.sizeBytes <= storageLimits.s3.wholeBodySizeBytes) {
      await this.#limits.upload(content.sizeBytes, signal);
      command.input.Body = Buffer.concat(content.pieces);
      return send(command);
    }
    const isPlain = this.#place.endpoint?.startsWith('http:') ?? false;
    const hash = isPlain ? content.sha256 : 'UNSIGNED-PAYLOAD';
    const stack = command.middlewareStack as PutObjectCommand['middlewareStack'];
    stack.add(
      (next) => (args) => {
        (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = hash;
        return next(args);
      },
      { step: 'build', name: 'laganContentHash' },
    );
    const body = streamOf(content.pieces, { limits: this.#limits, signal });
    command.input.Body = body;
    try {
      return await send(command);
    } finally {
      body.destroy();
    }
  }
}

function configurationOf(place: S3Place, { connectMs, silenceMs }: S3Timeouts): S3ClientConfig {
  // The number of connections is limited before requests are made: waiting for one must not look like a connection that does not come about.
  const agentOptions = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, proxyEnv: process.env };
  const ca = place.certificates === undefined ? undefined : [...tls.getCACertificates('default'), readCertificates(place.certificates)];
  return {
    ...(place.region !== undefined && { region: place.region }),
    ...(place.endpoint !== undefined && { endpoint: place.endpoint }),
    ...(place.profile !== undefined && { profile: place.profile }),
    forcePathStyle: place.pathStyle,
    maxAttempts: 1,
    // Otherwise it prints warnings to the terminal.
    logger: { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    // Everything that is read is authenticated by its reader; ranges have no checksum.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: silenceMs,
      httpAgent: new http.Agent(agentOptions),
      httpsAgent: new https.Agent({ ...agentOptions, ...(ca !== undefined && { ca }) }),
    },
  };
}

function ignore(): void {}

function readCertificates(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length <= storageLimits.s3.certificatesSizeBytes && text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (cause) {
    throw new LaganError('usage', `the certificates in ${file} cannot be read: ${(cause as Error).message}`, { cause, object: file });
  }
  throw new LaganError('usage', `${file} is not a file of certificates`, { object: file, hint: 'ca= names a file in PEM form' });
}

/** Where the bytes of an answer stand in the object: by Content-Range, else the answer is the whole object. */
function placeOf(answer: { ContentRange?: string | undefined; ContentLength?: number | undefined }): { first: number; totalBytes: number } {
  if (answer.ContentRange === undefined) {
    if (answer.ContentLength === undefined) throw new WrongAnswer('the store does not tell how long its answer is');
    return { first: 0, totalBytes: answer.ContentLength };
  }
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange) ?? [];
  if (first === undefined || Number(last) < Number(first) || Number(total) <= Number(last)) {
    throw new WrongAnswer(`the answer has a range that makes no sense: ${answer.ContentRange}`);
  }
  return { first: Number(first), totalBytes: Number(total) };
}
