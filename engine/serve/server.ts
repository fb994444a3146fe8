/**
 * `lagan serve`: a storage for other machines, whose writers can add and neither change nor delete. It holds no key of the repository.
 */
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { LaganError } from '../../repo-format/mod.ts';
import { openStorage, type Storage } from '../storage/mod.ts';
import type { IncomingRequest, OutgoingAnswer } from './_body.ts';
import { Refusal } from './_refusal.ts';
import type { CertificateAndKey } from './certificate.ts';
import { appendOnly, type Grant } from './grants.ts';
import { RequestHandler, type ServedAccess } from './handler.ts';
import { type ServeLimits, serveLimits } from './limits.ts';
import { type Admission, ServedRepository } from './repository.ts';
import type { TokenFile } from './tokens.ts';
import { Usage } from './usage.ts';

export interface ServeOptions {
  /** What is served: repositories are there, or below it. A path or a URL. */
  readonly place: string;
  /** Roles that could delete do not count. */
  readonly appendOnly: boolean;
  /** Where it is written down what writers have stored. */
  readonly usageFolder: string;
  readonly onAccess?: ((access: ServedAccess) => void) | undefined;
  /** For tests. */
  readonly limits?: Partial<ServeLimits> | undefined;
  /** For tests. */
  readonly admission?: Admission | undefined;
  /** For tests. */
  readonly openPlace?: ((place: string) => Storage) | undefined;
}

export interface NetworkServeOptions extends ServeOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Undefined: plain HTTP, which is for loopback only. */
  readonly certificate: CertificateAndKey | undefined;
  readonly tokens: TokenFile;
}

export interface RunningServer {
  /** `127.0.0.1:8471` */
  readonly address: string;
  /** Takes no more requests, waits for those that are under way for as long as the limits say, and ends. */
  close(): Promise<void>;
}

type AnyServer = http.Server | https.Server;

/** Starts to serve on a port. Codes: usage, io, forbidden (the port cannot be had). */
export async function serve(options: NetworkServeOptions): Promise<RunningServer> {
  const limits = { ...serveLimits, ...options.limits };
  const { tokens } = options;
  const place = new ServedPlace(options, limits);
  const handler = place.handler((request) => bearer(request, tokens));
  const server = newServer(options, limits);
  const listen = (isAsking: boolean) => (request: http.IncomingMessage, response: http.ServerResponse) =>
    void handler.handle(request, response as unknown as OutgoingAnswer, { address: request.socket.remoteAddress ?? null, isAsking });
  server.on('request', listen(false)).on('checkContinue', listen(true));
  server.on('tlsClientError', (_, socket: Socket) => socket.destroy());
  server.on('clientError', (_, socket: Duplex) => socket.destroy());
  server.maxConnections = limits.connections;
  await listening(server, options);
  const { address, port, family } = server.address() as AddressInfo;
  return {
    address: family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`,
    close: async () => {
      await ended(server, limits);
      await handler.close();
      await place.close();
    },
  };
}

/** Serves one client by a stream, as long as it is there. `signal` ends it. */
export async function serveStream(
  stream: Duplex,
  { grant, signal, ...options }: ServeOptions & { grant: Grant; signal: AbortSignal },
): Promise<void> {
  const limits = { ...serveLimits, ...options.limits };
  const place = new ServedPlace(options, limits);
  const handler = place.handler(() => grant);
  const server = http2.createServer({
    maxSessionMemory: 64,
    settings: {
      initialWindowSize: limits.pieceSizeBytes * 4,
      maxConcurrentStreams: limits.requestsPerWriter,
      maxHeaderListSize: limits.headerSizeBytes,
    },
  });
  server.on('session', (session) => session.setLocalWindowSize(limits.pieceSizeBytes * 16));
  server.on('request', (request, response) => {
    void handler.handle(request as unknown as IncomingRequest, response as unknown as OutgoingAnswer, { address: null, isAsking: false });
  });
  server.on('sessionError', () => stream.destroy());
  const over = new Promise<void>((resolve) => {
    stream
      .once('close', resolve)
      .once('end', resolve)
      .on('error', () => resolve());
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  server.emit('connection', stream);
  await over;
  stream.destroy();
  await handler.close();
  await place.close();
}

/** The repositories of a place, opened when they are asked for. */
class ServedPlace {
  readonly #options: ServeOptions;
  readonly #limits: ServeLimits;
  readonly #repositories = new Map<string, ServedRepository>();
  readonly #usages = new Map<string, Usage>();

  constructor(options: ServeOptions, limits: ServeLimits) {
    this.#options = options;
    this.#limits = limits;
  }

  handler(authenticate: (request: IncomingRequest) => Grant): RequestHandler {
    const { appendOnly: isAppendOnly, onAccess } = this.#options;
    return new RequestHandler({
      authenticate: (request) => (isAppendOnly ? appendOnly(authenticate(request)) : authenticate(request)),
      repositoryOf: (grant) => this.#repositoryOf(grant.repository),
      usageOf: (grant) => this.#usageOf(grant),
      limits: this.#limits,
      onAccess,
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#repositories.values()].map(({ storage }) => storage.close()));
  }

  #repositoryOf(parts: readonly string[]): ServedRepository {
    const key = parts.join('/');
    const known = this.#repositories.get(key);
    if (known !== undefined) return known;
    const { place, openPlace = openStorage, admission } = this.#options;
    const repository = new ServedRepository(openPlace(placeBelow(place, parts)), admission);
    this.#repositories.set(key, repository);
    // What earlier servers left that died in the middle of something.
    repository.storage.removeLitter().catch(() => undefined);
    return repository;
  }

  #usageOf({ name, repository }: Grant): Usage {
    const file = path.join(this.#options.usageFolder, ...repository, `${name}.usage`);
    const known = this.#usages.get(file);
    if (known !== undefined) return known;
    const usage = new Usage(file, this.#limits);
    this.#usages.set(file, usage);
    return usage;
  }
}

/** The place of a repository below a path or URL. */
export function placeBelow(place: string, parts: readonly string[]): string {
  if (parts.length === 0) return place;
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(place)) return path.join(place, ...parts);
  const url = new URL(place);
  url.pathname = [url.pathname.replace(/\/+$/, ''), ...parts].join('/');
  return url.href;
}

function bearer(request: IncomingRequest, tokens: TokenFile): Grant {
  const [, token] = /^Bearer ([\x21-\x7e]{1,1000})$/i.exec(String(request.headers.authorization ?? '')) ?? [];
  const grant = token === undefined ? undefined : tokens.find(token);
  if (grant !== undefined) return grant;
  const message = token === undefined ? 'a token is wanted' : 'the token is not known here';
  throw new Refusal(401, 'forbidden', message, { hint: 'lagan serve token list shows who has one; one that was removed stays unknown' });
}

function newServer({ certificate }: NetworkServeOptions, limits: ServeLimits): AnyServer {
  const options = {
    keepAlive: true,
    maxHeaderSize: limits.headerSizeBytes,
    headersTimeout: limits.headersTimeoutMs,
    // How slow a body may be is decided by its pace.
    requestTimeout: 0,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headersTimeoutMs),
  };
  if (certificate === undefined) return http.createServer(options);
  const { certificate: cert, key } = certificate;
  try {
    return https.createServer({ ...options, cert, key, minVersion: 'TLSv1.2', handshakeTimeout: limits.handshakeTimeoutMs });
  } catch (cause) {
    throw new LaganError('usage', `the certificate and its key do not belong together: ${(cause as Error).message}`, { cause });
  }
}

function listening(server: AnyServer, { host, port }: NetworkServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = {
        EADDRINUSE: 'another program listens there',
        EACCES: 'the system forbids it',
        EADDRNOTAVAIL: 'this machine has no such address',
      };
      const text = reason[error.code as keyof typeof reason] ?? error.message;
      reject(
        new LaganError(error.code === 'EACCES' ? 'forbidden' : 'io', `cannot listen on ${host}:${port}: ${text}`, {
          cause: error,
          errno: error.code,
        }),
      );
    });
    server.listen(port, host, () => resolve());
  });
}

function ended(server: AnyServer, { graceMs }: ServeLimits): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
