/**
 * Requests and their answers, whichever way they came. The table of requests is in docs/append-only.md.
 *
 * Every request is judged by its grant alone: who came by which connection does not count, nothing is remembered of earlier requests but objects in parts.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isLaganError } from '../../repo-format/mod.ts';
import {
  type ByteRange,
  type CreateOutcome,
  formatListing,
  isStored,
  parseServedPath,
  type Storage,
  servedHeaders,
  servedOutcomes,
} from '../storage/mod.ts';
import { drain, type IncomingRequest, type OutgoingAnswer, Pace, readBody, sendPiece } from './_body.ts';
import { IncomingObject } from './_incoming.ts';
import { answerOf, Refusal } from './_refusal.ts';
import { type PartRange, Uploads } from './_uploads.ts';
import type { Grant } from './grants.ts';
import type { ServeLimits } from './limits.ts';
import { roleHint, type ServedRepository, type WantedRange } from './repository.ts';
import type { Usage } from './usage.ts';

/** One line of the access log. */
export interface ServedAccess {
  readonly time: Date;
  /** Null if it is not known who it was. */
  readonly writer: string | null;
  readonly address: string | null;
  readonly method: string;
  /** Path of the request, without its query. */
  readonly path: string;
  readonly status: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly durationMs: number;
  /** Why it was refused or failed, for whoever reads the log. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

export interface HandlerOptions {
  /** Who sends a request. Throws a {@link Refusal}. */
  readonly authenticate: (request: IncomingRequest) => Grant;
  readonly repositoryOf: (grant: Grant) => ServedRepository;
  readonly usageOf: (grant: Grant) => Usage;
  readonly limits: ServeLimits;
  readonly onAccess?: ((access: ServedAccess) => void) | undefined;
}

/** A request under way. */
interface Call {
  readonly request: IncomingRequest;
  readonly answer: OutgoingAnswer;
  readonly query: URLSearchParams;
  readonly grant: Grant;
  readonly repository: ServedRepository;
  /** Says that the body is wanted; the first time only. */
  readonly invite: () => void;
  readonly count: { received: number; sent: number; status: number };
}

type Route = (call: Call, rest: string) => Promise<void>;

export class RequestHandler {
  readonly #options: HandlerOptions;
  readonly #uploads: Uploads;
  readonly #underWay = new Map<string, number>();
  readonly #routes: Readonly<Record<string, Route>>;

  constructor(options: HandlerOptions) {
    this.#options = options;
    this.#uploads = new Uploads(options.limits);
    this.#routes = {
      'GET objects': (call, name) => this.#get(call, name),
      'HEAD objects': (call, name) => this.#head(call, name),
      'PUT objects': (call, name) => this.#put(call, name),
      'DELETE objects': (call, name) => this.#delete(call, name),
      'POST uploads': (call, name) => this.#beginUpload(call, name),
      'PUT uploads': (call, id) => this.#addToUpload(call, id),
      'DELETE uploads': (call, id) => this.#abandonUpload(call, id),
      'GET list': (call) => this.#list(call),
      'PUT place': (call) => this.#prepare(call),
    };
  }

  /** Answers a request; never rejects. `address` is of the client, for the log. `isAsking`: it waits for the word to send its body. */
  async handle(
    request: IncomingRequest,
    answer: OutgoingAnswer,
    { address, isAsking }: { address: string | null; isAsking: boolean },
  ): Promise<void> {
    const begun = performance.now();
    const count = { received: 0, sent: 0, status: 0 };
    let grant: Grant | undefined;
    let failure: unknown;
    request.on('error', () => undefined);
    try {
      grant = this.#options.authenticate(request);
      await this.#counted(grant, (known) => this.#route(known, { request, answer, count, isAsking }));
    } catch (error) {
      failure = error;
      this.#refuse(error, { request, answer, count });
    }
    const access = {
      time: new Date(),
      writer: grant?.name ?? null,
      address,
      method: request.method ?? '',
      path: pathOf(request),
      ...countsOf(count, begun),
    };
    this.#options.onAccess?.(failure === undefined ? access : { ...access, error: reportOf(failure) });
  }

  /** Gives up what is unfinished. */
  close(): Promise<void> {
    return this.#uploads.close();
  }

  async #counted(grant: Grant, work: (grant: Grant) => Promise<void>): Promise<void> {
    const count = (this.#underWay.get(grant.name) ?? 0) + 1;
    if (count > this.#options.limits.requestsPerWriter) throw new Refusal(429, 'unavailable', 'too many requests at a time');
    this.#underWay.set(grant.name, count);
    try {
      await work(grant);
    } finally {
      const left = this.#underWay.get(grant.name)! - 1;
      if (left > 0) this.#underWay.set(grant.name, left);
      else this.#underWay.delete(grant.name);
    }
  }

  async #route(
    grant: Grant,
    { request, answer, count, isAsking }: Pick<Call, 'request' | 'answer' | 'count'> & { isAsking: boolean },
  ): Promise<void> {
    const place = parseServedPath(pathOf(request));
    if (place === undefined)
      throw new Refusal(404, 'no-repository', 'there is nothing of that path', { hint: 'check the URL of the repository' });
    if (place.repository.join('/') !== grant.repository.join('/')) throw wrongRepository(grant);
    const slash = place.operation.indexOf('/');
    const [verb, rest] = slash < 0 ? [place.operation, ''] : [place.operation.slice(0, slash), place.operation.slice(slash + 1)];
    const route = this.#routes[`${request.method} ${verb}`];
    if (route === undefined) throw new Refusal(405, 'unsupported', `${request.method} ${verb} is no request that is known here`);
    const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
    let mustInvite = isAsking;
    const invite = () => {
      if (mustInvite) answer.writeContinue();
      mustInvite = false;
    };
    await route({ request, answer, query, grant, count, invite, repository: this.#options.repositoryOf(grant) }, rest);
  }

  async #get(call: Call, name: string): Promise<void> {
    const { request, repository, grant } = call;
    const { storage } = repository;
    const objectSizeBytes = await storage.size(name);
    const range = rangeOf(headerOf(request, 'range'), objectSizeBytes);
    const headers = { [servedHeaders.objectSize]: objectSizeBytes };
    if (range === undefined) return this.#end(call, 416, { headers });
    const wanted = await repository.readable(name, grant, range);
    const status = wanted.length === objectSizeBytes ? 200 : 206;
    call.answer.writeHead(status, { ...headers, 'content-length': wanted.length, 'content-type': 'application/octet-stream' });
    call.count.status = status;
    await this.#send(call, storage, { name, ...wanted });
    call.answer.end();
  }

  async #send(call: Call, storage: Storage, { name, offset, length }: { name: string; offset: number; length: number }): Promise<void> {
    const { limits } = this.#options;
    const pace = new Pace(limits, () => call.answer.destroy());
    try {
      for (let at = offset; at < offset + length; ) {
        const piece = await storage.get(name, { offset: at, length: Math.min(limits.pieceSizeBytes, offset + length - at) });
        await sendPiece(call.answer, piece, pace);
        call.count.sent += piece.length;
        at += piece.length;
      }
    } finally {
      pace.end();
    }
  }

  async #head(call: Call, name: string): Promise<void> {
    const sizeBytes = await call.repository.storage.size(name);
    this.#end(call, 200, { headers: { [servedHeaders.objectSize]: sizeBytes } });
  }

  async #put(call: Call, name: string): Promise<void> {
    const { request } = call;
    const sizeBytes = bodySizeOf(request);
    const checksum = headerOf(request, servedHeaders.checksum) ?? '';
    if (!/^[0-9a-f]{64}$/.test(checksum)) throw new Refusal(400, 'usage', `the header ${servedHeaders.checksum} is missing`);
    const isAgain = headerOf(request, servedHeaders.again) === '1';
    const object = await this.#incoming(call, name);
    const settle = (outcome: CreateOutcome) => this.#settle(call, { name, outcome, isAgain, checksum, sizeBytes });
    if (await isStored(call.repository.storage, name)) return settle('exists');
    try {
      await object.reserve(sizeBytes);
      call.invite();
      await readBody(request, {
        sizeBytes,
        limits: this.#options.limits,
        take: async (bytes) => {
          call.count.received += bytes.length;
          await object.add(bytes);
        },
      });
      await settle(await object.finish(checksum));
    } finally {
      await object.abort();
    }
  }

  /** If the name is taken: by what the same client sent before, without getting the answer? */
  async #settle(
    call: Call,
    made: { name: string; outcome: CreateOutcome; isAgain: boolean; checksum: string; sizeBytes: number },
  ): Promise<void> {
    const isOurs = made.outcome === 'created' || (made.isAgain && (await this.#isSame(call.repository.storage, made)));
    if (isOurs) this.#end(call, servedOutcomes.created);
    else this.#tellExists(call, made.name);
  }

  async #isSame(storage: Storage, { name, checksum, sizeBytes }: { name: string; checksum: string; sizeBytes: number }): Promise<boolean> {
    if ((await storage.size(name)) !== sizeBytes) return false;
    const hash = createHash('sha256');
    const { pieceSizeBytes } = this.#options.limits;
    for (let at = 0; at < sizeBytes; at += pieceSizeBytes) {
      hash.update(await storage.get(name, { offset: at, length: Math.min(pieceSizeBytes, sizeBytes - at) }));
    }
    return timingSafeEqual(hash.digest(), Buffer.from(checksum, 'hex'));
  }

  async #delete(call: Call, name: string): Promise<void> {
    const { grant, repository } = call;
    repository.expectDeletable(name, grant);
    await repository.storage.delete([name]);
    this.#end(call, 204);
  }

  async #beginUpload(call: Call, name: string): Promise<void> {
    const object = await this.#incoming(call, name);
    if (await isStored(call.repository.storage, name)) return this.#tellExists(call, name);
    this.#end(call, 201, { text: this.#uploads.begin(ownerOf(call.grant), object) });
  }

  async #addToUpload(call: Call, id: string): Promise<void> {
    const { request, invite, grant, count } = call;
    const range = partRangeOf(headerOf(request, 'content-range'));
    if (range === undefined || range.sizeBytes !== bodySizeOf(request))
      throw new Refusal(400, 'usage', 'content-range and content-length do not fit');
    const outcome = await this.#uploads.add(id, ownerOf(grant), {
      range,
      checksum: headerOf(request, servedHeaders.checksum),
      request,
      invite,
    });
    count.received += range.sizeBytes;
    if (outcome === 'exists') this.#tellExists(call, '');
    else this.#end(call, outcome === undefined ? 204 : servedOutcomes.created);
  }

  async #abandonUpload(call: Call, id: string): Promise<void> {
    await this.#uploads.abandon(id, ownerOf(call.grant));
    this.#end(call, 204);
  }

  async #list(call: Call): Promise<void> {
    const { query, repository } = call;
    const objects: { name: string; sizeBytes: number }[] = [];
    const { namesPerPage } = this.#options.limits;
    let end: 'whole' | 'more' = 'whole';
    for await (const object of repository.storage.list(query.get('prefix') ?? '', { after: query.get('after') ?? '' })) {
      if (objects.length === namesPerPage) {
        end = 'more';
        break;
      }
      objects.push(object);
    }
    this.#end(call, 200, { text: formatListing(objects, end) });
  }

  async #prepare(call: Call): Promise<void> {
    const { grant, repository } = call;
    if (!grant.roles.includes('owner')) throw new Refusal(403, 'forbidden', `${grant.name} may not make a repository`, { hint: roleHint });
    await repository.storage.prepare();
    this.#end(call, 204);
  }

  async #incoming({ repository, grant }: Call, name: string): Promise<IncomingObject> {
    const check = await repository.checkOf(name, grant);
    return new IncomingObject({ name, grant, repository, check, usage: this.#options.usageOf(grant) });
  }

  #tellExists(call: Call, name: string): void {
    this.#end(call, servedOutcomes.exists, { text: JSON.stringify({ code: 'exists', message: `${name} is there already` }) });
  }

  #end(
    { request, answer, count }: Pick<Call, 'request' | 'answer' | 'count'>,
    status: number,
    { headers = {}, text = '' }: { headers?: Record<string, string | number>; text?: string } = {},
  ): void {
    const bytes = Buffer.from(text);
    count.status = status;
    count.sent += bytes.length;
    const hasBody = status !== 204 && request.method !== 'HEAD';
    answer.writeHead(status, {
      ...headers,
      'cache-control': 'no-store',
      ...(hasBody && { 'content-length': bytes.length, 'content-type': 'text/plain; charset=utf-8' }),
    });
    answer.end(hasBody ? bytes : undefined);
    drain(request, this.#options.limits);
  }

  #refuse(error: unknown, call: Pick<Call, 'request' | 'answer' | 'count'>): void {
    const { status, body } = answerOf(error);
    if (call.answer.headersSent) {
      // It was promised more than can be given: only an end before the promised one tells so.
      call.answer.destroy();
      return;
    }
    if (call.request.errored !== null) {
      call.count.status = status;
      call.answer.destroy();
      return;
    }
    const headers = { [servedHeaders.error]: body.code, ...(status === 401 && { 'www-authenticate': 'Bearer' }) };
    this.#end(call, status, { headers, text: JSON.stringify(body) });
  }
}

/** Two tokens of one name never are at a time, but one of the name may come later. */
function ownerOf({ name, repository }: Grant): string {
  return `${name} ${repository.join('/')}`;
}

function wrongRepository(grant: Grant): Refusal {
  const own = grant.repository.join('/');
  return new Refusal(403, 'forbidden', `the token of ${grant.name} is not for this repository`, {
    hint: own === '' ? 'its URL ends after the port' : `its URL ends with /${own}`,
  });
}

function headerOf(request: IncomingRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

function pathOf(request: IncomingRequest): string {
  return (request.url ?? '').split('?')[0]!;
}

/** Bodies without a length are refused: nobody could tell one that was cut off. */
function bodySizeOf(request: IncomingRequest): number {
  const text = headerOf(request, 'content-length') ?? '';
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new Refusal(411, 'usage', 'the header content-length is missing');
}

/** Of one range, as clients of this server ask for it; undefined if it lies beyond the end. What is no range at all gets the whole. */
function rangeOf(header: string | undefined, sizeBytes: number): WantedRange | undefined {
  const range = parseRange(header);
  if (range === undefined) return { offset: 0, length: sizeBytes, isTail: false };
  if ('last' in range) return { offset: Math.max(0, sizeBytes - range.last), length: Math.min(range.last, sizeBytes), isTail: true };
  if (range.offset >= sizeBytes) return undefined;
  return { offset: range.offset, length: Math.min(range.length, sizeBytes - range.offset), isTail: false };
}

function parseRange(header: string | undefined): ByteRange | undefined {
  const [, first, last] = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') return { last: Number(last) };
  const length = last === '' ? Number.MAX_SAFE_INTEGER - Number(first) : Number(last) - Number(first) + 1;
  return length < 1 ? undefined : { offset: Number(first), length };
}

function partRangeOf(header: string | undefined): PartRange | undefined {
  const [, first, last, total] = /^bytes ([0-9]{1,15})-([0-9]{1,15})\/(\*|[0-9]{1,15})$/.exec(header ?? '') ?? [];
  if (first === undefined || Number(last) < Number(first)) return undefined;
  return { offset: Number(first), sizeBytes: Number(last) - Number(first) + 1, totalBytes: total === '*' ? undefined : Number(total) };
}

function countsOf({ received, sent, status }: Call['count'], begun: number) {
  return { status, receivedBytes: received, sentBytes: sent, durationMs: Math.round(performance.now() - begun) };
}

function reportOf(error: unknown): { code: string; message: string } {
  const { message } = error instanceof Error ? error : new Error(String(error));
  return { code: isLaganError(error) ? error.code : 'internal', message };
}
