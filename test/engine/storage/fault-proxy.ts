/** An HTTP proxy between a store's client and its server that fails on purpose, by a plan, and counts what passes. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** What happens to a request; without one it passes. */
export type Fault =
  /** Answered by the proxy. `after`: the server has seen it, and its answer is lost. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly body?: string;
      readonly headers?: Record<string, string>;
      readonly after?: boolean;
    }
  /** No answer ever. `after` as above. */
  | { readonly kind: 'stall'; readonly after?: boolean }
  /** The connection ends before the answer. */
  | { readonly kind: 'reset'; readonly after?: boolean }
  /** Only some bytes of the answer come; then the connection ends, or there is silence. */
  | { readonly kind: 'cut' | 'halt'; readonly bytes: number }
  /** The request arrives twice, and the second answer is passed on. */
  | { readonly kind: 'twice' };

export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  /** Of all requests, from 1. */
  readonly number: number;
}

export class FaultProxy {
  /** Decides on each request. */
  plan: (request: SeenRequest) => Fault | undefined = () => undefined;
  /** Added to each request. */
  latencyMs = 0;
  readonly seen: SeenRequest[] = [];
  readonly #targetPort: number;
  readonly #server: http.Server;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = http.createServer((request, response) => void this.#handle(request, response).catch(() => response.destroy()));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests of a method whose path and query match. */
  count(method: string, pattern = /./): number {
    return this.seen.filter((request) => request.method === method && pattern.test(request.url)).length;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const seen = { method, url, headers, number: this.seen.length + 1 };
    this.seen.push(seen);
    const fault = this.plan(seen);
    if (this.latencyMs > 0) await sleep(this.latencyMs);
    const body = await buffer(request);
    if (fault?.kind === 'twice') await this.#forward(request, body);
    const passes =
      fault === undefined ||
      fault.kind === 'twice' ||
      fault.kind === 'cut' ||
      fault.kind === 'halt' ||
      ('after' in fault && fault.after === true);
    const answer = passes ? await this.#forward(request, body) : undefined;
    if (fault === undefined || fault.kind === 'twice') return void response.writeHead(answer!.status, answer!.headers).end(answer!.body);
    if (fault.kind === 'status')
      return void response.writeHead(fault.status, fault.headers).end(method === 'HEAD' ? '' : (fault.body ?? ''));
    if (fault.kind === 'reset') return void request.socket.destroy();
    if (fault.kind === 'stall') return;
    response.writeHead(answer!.status, answer!.headers);
    response.write(answer!.body.subarray(0, fault.bytes));
    if (fault.kind === 'cut') setTimeout(() => request.socket.destroy(), 20);
  }

  #forward(request: http.IncomingMessage, body: Buffer): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }> {
    return new Promise((resolve, reject) => {
      // The signature covers the name of the host as the client knows it.
      const { expect: _, ...headers } = request.headers;
      const options = { host: '127.0.0.1', port: this.#targetPort, method: request.method, path: request.url, headers };
      const forwarded = http.request(options, async (answer) => {
        const bytes = await buffer(answer);
        const { 'transfer-encoding': _, ...answerHeaders } = answer.headers;
        resolve({ status: answer.statusCode!, headers: answerHeaders, body: bytes });
      });
      forwarded.on('error', reject);
      forwarded.end(body);
    });
  }
}
