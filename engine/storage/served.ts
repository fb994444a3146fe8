/**
 * A storage that `lagan serve` holds on another machine, which lets writers create and never overwrite or delete: `https://host:port/repository?fingerprint=…`, by a
 * token; `ssh://user@host/repository`, where the key of the user has a forced command; `exec:command`, any command that runs `lagan serve --stdio`.
 *
 * Each body is sent with its SHA-256. If the answer to a creation is lost, it is sent again with the word that it was sent before: the server then compares the
 * object that is there with it.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type ErrorCode, errorTable, LaganError } from '../../repo-format/mod.ts';
import { codeOfStatus, isNetworkError } from './_http-errors.ts';
import {
  type ListedPage,
  type ObjectHead,
  ObjectStore,
  type ObjectStoreCalls,
  type ObjectStoreOptions,
  type OpenedObject,
  type PartCalls,
} from './_object-store.ts';
import type { Part } from './_part-writer.ts';
import { type ServedPlace, servedPlaceOf } from './_served-place.ts';
import type { ServedRequest, ServedResponse, ServedTransport } from './_served-transport.ts';
import { storageLimits } from './limits.ts';
import { parseListing, type ServedError, servedHeaders, servedOutcomes, servedPath } from './served-protocol.ts';
import type { ByteRange, CreateOutcome } from './storage.ts';

export class Served extends ObjectStore {
  readonly #served: ServedCalls;

  /** Errors: `usage`. */
  constructor(url: string, options: ObjectStoreOptions) {
    const calls = new ServedCalls(servedPlaceOf(url), url);
    super(calls, { url, path: [] }, options);
    this.#served = calls;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#served.close();
  }
}

type Request = Omit<ServedRequest, 'path'>;

class ServedCalls implements ObjectStoreCalls {
  readonly partSizeBytes = storageLimits.served.partSizeBytes;
  /** The server writes down one part after the other. */
  readonly partsInFlight = 1;
  readonly placeHint = 'make the repository there with lagan init, by a token that may';
  readonly #repository: readonly string[];
  readonly #place: ServedPlace;
  #transport: Promise<ServedTransport> | undefined;
  readonly #url: string;
  /** Marks of creations that were sent and not answered. */
  readonly #unanswered = new Set<string>();

  constructor(place: ServedPlace, url: string) {
    this.#repository = place.repository;
    this.#place = place;
    this.#url = url.split('?')[0]!;
  }

  async close(): Promise<void> {
    (await this.#transport)?.close();
  }

  async open(key: string, range: ByteRange | undefined, signal: AbortSignal): Promise<OpenedObject | undefined> {
    const headers: Record<string, string> = range === undefined ? {} : { range: rangeHeader(range) };
    const { status, headers: answer, body } = await this.#send(`objects/${key}`, { method: 'GET', headers, signal }, [200, 206, 416]);
    if (status !== 416)
      return { objectSizeBytes: sizeIn(answer, servedHeaders.objectSize), bodySizeBytes: sizeIn(answer, 'content-length'), body };
    body.destroy();
    return undefined;
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectHead> {
    const { headers, body } = await this.#send(`objects/${key}`, { method: 'HEAD', signal });
    body.resume();
    return { sizeBytes: sizeIn(headers, servedHeaders.objectSize), mark: undefined };
  }

  async create(key: string, bytes: Uint8Array, { mark, signal }: { mark: string; signal: AbortSignal }): Promise<CreateOutcome> {
    const checksum = createHash('sha256').update(bytes).digest('hex');
    const again = this.#unanswered.has(mark) ? '1' : '0';
    this.#unanswered.add(mark);
    const headers = { [servedHeaders.checksum]: checksum, [servedHeaders.again]: again };
    const outcome = await this.#create(`objects/${key}`, { method: 'PUT', headers, body: bytes, signal });
    this.#unanswered.delete(mark);
    return outcome;
  }

  async beginParts(key: string, { signal }: { signal: AbortSignal }): Promise<PartCalls> {
    const { body } = await this.#send(`uploads/${key}`, { method: 'POST', signal }, [201]);
    const id = (await textOf(body)).trim();
    if (/^[0-9a-f]{32}$/.test(id)) return new ServedUpload((request) => this.#create(`uploads/${id}`, request));
    throw new LaganError('io', 'the server began an upload without a name');
  }

  async list(
    prefix: string,
    { after, next, signal }: { after: string; next: string | undefined; signal: AbortSignal },
  ): Promise<ListedPage> {
    const query = new URLSearchParams({ prefix, after: next ?? after });
    const { body } = await this.#send('list', { method: 'GET', signal }, [200], query);
    const { objects, end } = parseListing(await textOf(body));
    const last = objects.at(-1)?.name;
    return { objects: objects.map(({ name, sizeBytes }) => ({ key: name, sizeBytes })), next: end === 'more' ? last : undefined };
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    const { body } = await this.#send(`objects/${key}`, { method: 'DELETE', signal }, [204]);
    body.resume();
  }

  async makePlace(signal: AbortSignal): Promise<void> {
    const { body } = await this.#send('place', { method: 'PUT', signal }, [204]);
    body.resume();
  }

  explain(error: unknown, { attempt, name }: { attempt: string; name: string | undefined }): unknown {
    if (error instanceof LaganError) {
      const { message, hint, expected, found, cause } = error;
      return new LaganError(error.code, `${attempt} at ${this.#url} failed: ${message}`, {
        object: error.object ?? name,
        hint,
        expected,
        found,
        cause,
      });
    }
    if (!(error instanceof Error)) return error;
    const code = String((error as { code?: unknown }).code ?? '');
    const trust = trustTrouble(code, error.message);
    const meaning: ErrorCode =
      trust === undefined ? (isNetworkError(error) || /^ERR_HTTP2/.test(code) ? 'unavailable' : 'io') : 'forbidden';
    const text = trust?.text ?? error.message.split('\n', 1)[0];
    return new LaganError(meaning, `${attempt} at ${this.#url} failed: ${text}`, { cause: error, object: name, hint: trust?.hint });
  }

  async #create(operation: string, request: Request): Promise<CreateOutcome> {
    const { created, exists } = servedOutcomes;
    const { status, body } = await this.#send(operation, request, [created, 204, exists]);
    body.resume();
    return status === exists ? 'exists' : 'created';
  }

  /** An answer with one of these numbers. Every other one is an error, of which the server tells in the body. */
  async #send(operation: string, request: Request, expected: readonly number[] = [200], query?: URLSearchParams): Promise<ServedResponse> {
    const path = servedPath(this.#repository, operation) + (query === undefined ? '' : `?${query}`);
    this.#transport ??= transportTo(this.#place);
    const response = await (await this.#transport).request({ ...request, path });
    if (expected.includes(response.status)) return response;
    throw errorOf(response, await textOf(response.body).catch(() => ''));
  }
}

/** An object that goes up in parts. What is sent twice the server passes over: it knows how much it has. */
class ServedUpload implements PartCalls {
  readonly #send: (request: Request) => Promise<CreateOutcome>;
  readonly #hash: Hash = createHash('sha256');
  #hashedBytes = 0;
  #checksum: string | undefined;

  constructor(send: (request: Request) => Promise<CreateOutcome>) {
    this.#send = send;
  }

  async put(part: Part, { signal }: { signal: AbortSignal }): Promise<void> {
    this.#add(part);
    await this.#send({ method: 'PUT', headers: rangeOf(part, '*'), body: part.content.bytes, signal });
  }

  complete(last: Part, { signal }: { signal: AbortSignal }): Promise<CreateOutcome> {
    this.#add(last);
    this.#checksum ??= this.#hash.digest('hex');
    const headers = { ...rangeOf(last, last.offset + last.content.sizeBytes), [servedHeaders.checksum]: this.#checksum };
    return this.#send({ method: 'PUT', headers, body: last.content.bytes, signal });
  }

  async abandon(): Promise<void> {
    await this.#send({ method: 'DELETE', signal: AbortSignal.timeout(storageLimits.remote.abandonTimeoutMs) });
  }

  #add({ offset, content }: Part): void {
    if (offset !== this.#hashedBytes) return;
    this.#hash.update(content.bytes);
    this.#hashedBytes += content.sizeBytes;
  }
}

function rangeOf({ offset, content }: Part, total: number | '*'): Record<string, string> {
  return { 'content-range': `bytes ${offset}-${offset + content.sizeBytes - 1}/${total}` };
}

function rangeHeader(range: ByteRange): string {
  return 'last' in range ? `bytes=-${range.last}` : `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

function sizeIn(headers: ServedResponse['headers'], name: string): number {
  const text = headers[name] ?? '';
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new LaganError('io', `the server does not tell ${name}: it may be no lagan serve`);
}

async function textOf(body: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > storageLimits.served.textSizeBytes) throw new LaganError('io', 'the server sent more than was asked for');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Loaded when it is needed: most commands talk to no server. */
async function transportTo(place: ServedPlace): Promise<ServedTransport> {
  if (place.kind === 'network') return new (await import('./_served-network.ts')).NetworkTransport(place);
  return new (await import('./_served-command.ts')).CommandTransport(place);
}

/** What the server says of itself counts; what stands before it (a proxy) has only a number. */
function errorOf({ status, headers }: ServedResponse, text: string): LaganError {
  const { code = headers[servedHeaders.error], message, hint, object, expected, found } = bodyOf(text);
  if (code !== undefined && Object.hasOwn(errorTable, code)) {
    const fields = { hint, object, expected, found: code === 'unavailable' ? status : found };
    return new LaganError(code as ErrorCode, String(message ?? code).slice(0, 1000), fields);
  }
  const hint404 = status === 404 ? 'check host, port and path: what answers there is no lagan serve' : undefined;
  return new LaganError(status === 404 ? 'no-repository' : (codeOfStatus(status) ?? 'io'), `the server says ${status}`, {
    found: status,
    hint: hint404,
  });
}

function bodyOf(text: string): Partial<ServedError> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function trustTrouble(code: string, message: string): { text: string; hint: string } | undefined {
  if (code === 'CERT_HAS_EXPIRED') {
    return {
      text: 'its certificate has expired',
      hint: 'give the server a new certificate; or name this one with fingerprint= in the URL: then its dates do not count',
    };
  }
  if (code === 'CERT_NOT_YET_VALID') return { text: 'its certificate is not valid yet', hint: 'compare the clocks of both machines' };
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      text: `its certificate is for another host (${message})`,
      hint: 'use the name that is in the certificate; or name the certificate with fingerprint= in the URL',
    };
  }
  if (!/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/.test(code)) return undefined;
  if (/wrong version number|packet length/i.test(message))
    return { text: 'it does not speak TLS', hint: 'check the port; lagan serve speaks plain HTTP on loopback only, as http:' };
  const hint =
    'name the certificate with fingerprint=sha256:… as lagan serve prints it, or the file of its authority with ca=FILE in the URL';
  return { text: `its certificate is not trusted (${message.split(';')[0]})`, hint };
}
