/**
 * An HTTP proxy that makes the way to a server on this machine as long as that to one far away: each answer comes so much later, and bodies take as long as the line
 * needs for them. It counts what passes.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoggedRequest, RequestLog } from './request-log.ts';

export interface ProxyOptions {
  /** Added to each request. */
  readonly latencyMs: number;
  /** Of each direction, all connections together. */
  readonly bitsPerSecond?: number | undefined;
}

export class LatencyProxy {
  readonly log = new RequestLog();
  latencyMs: number;
  readonly #targetPort: number;
  readonly #server: http.Server;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly #up: Line;
  readonly #down: Line;

  constructor(targetPort: number, { latencyMs, bitsPerSecond = Number.POSITIVE_INFINITY }: ProxyOptions) {
    this.#targetPort = targetPort;
    this.latencyMs = latencyMs;
    this.#up = new Line(bitsPerSecond / 8);
    this.#down = new Line(bitsPerSecond / 8);
    this.#server = http.createServer({ highWaterMark: 256 * 1024 }, (request, response) => {
      this.#pass(request, response).catch(() => response.destroy());
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #pass(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const logged = this.log.begin(nameOf(request), performance.now());
    const answer = await this.#forward(request, logged);
    await sleep(this.latencyMs);
    response.writeHead(answer.statusCode!, headersOf(answer));
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      logged.receivedBytes += chunk.length;
      await this.#down.take(chunk.length);
      if (!response.write(chunk)) await drained(response);
    }
    logged.ended = performance.now();
    response.end();
  }

  /** Sends the request on, as fast as the line allows. Resolves when its answer begins. */
  #forward(request: http.IncomingMessage, logged: LoggedRequest): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      // The signature covers the name of the host as the client knows it.
      const { expect: _, ...headers } = request.headers;
      const options = { host: '127.0.0.1', port: this.#targetPort, method: request.method, path: request.url, headers, agent: this.#agent };
      const forwarded = http.request(options, resolve).on('error', reject);
      request.once('error', (error) => forwarded.destroy(error));
      const send = async (): Promise<void> => {
        for await (const chunk of request as AsyncIterable<Buffer>) {
          logged.sentBytes += chunk.length;
          await this.#up.take(chunk.length);
          if (!forwarded.write(chunk)) await drained(forwarded);
        }
        forwarded.end();
      };
      send().catch(reject);
    });
  }
}

function drained(stream: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const goOn = (): void => {
    stream.off('drain', goOn).off('close', goOn);
    resolve();
  };
  stream.on('drain', goOn).on('close', goOn);
  return promise;
}

/** What waits at the beginning of a line, as in the buffers of a router. */
const queueMs = 10;

/** A line that passes so many bytes in a second. */
class Line {
  readonly #bytesPerSecond: number;
  #freeAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when the bytes are in the line, at most {@link queueMs} before they are through: so it is not idle because a timer comes late. */
  async take(bytes: number): Promise<void> {
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now) + (bytes / this.#bytesPerSecond) * 1000;
    if (this.#freeAt - now > queueMs) await sleep(this.#freeAt - now - queueMs);
  }
}

/** `PUT writer/packs/…`, `LIST collector/roots/`. */
function nameOf({ method, url }: http.IncomingMessage): string {
  const { pathname, searchParams } = new URL(url!, 'http://host');
  const key = decodeURIComponent(pathname).split('/').slice(2).join('/');
  if (searchParams.has('list-type')) return `LIST ${searchParams.get('prefix')}`;
  if (searchParams.has('uploads')) return `${method} uploads`;
  return `${method} ${key}`;
}

function headersOf({ headers }: http.IncomingMessage): http.OutgoingHttpHeaders {
  const { 'transfer-encoding': _, connection: __, 'keep-alive': ___, ...passed } = headers;
  return passed;
}
