import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LaganError } from '../../engine/mod.ts';
import type { VolumeMetrics } from './volume-metrics.ts';

export interface ProbeServerOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly metrics: VolumeMetrics;
  /** Whether it can do its work now; what keeps it from that if not. */
  readonly readiness: () => { readonly isReady: boolean; readonly reason?: string };
}

export interface ProbeServer {
  /** `HOST:PORT` */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * `/healthz` (the process answers), `/readyz` (200, or 503 with the reason) and `/metrics`, by HTTP. It tells nothing that is secret, and asks nobody who they are.
 *
 * Code: unavailable if the address cannot be listened on.
 */
export async function serveProbes({ host, port, metrics, readiness }: ProbeServerOptions): Promise<ProbeServer> {
  const answers: Readonly<Record<string, (response: ServerResponse) => Promise<void> | void>> = {
    '/healthz': (response) => send(response, 200, 'ok\n'),
    '/readyz': (response) => {
      const { isReady, reason = 'not ready' } = readiness();
      send(response, isReady ? 200 : 503, isReady ? 'ok\n' : `${reason}\n`);
    },
    '/metrics': async (response) => send(response, 200, await metrics.text(), metrics.contentType),
  };
  const server = createServer({ requestTimeout: 10_000 }, async ({ method, url = '' }, response) => {
    const path = url.split('?')[0]!;
    if (!Object.hasOwn(answers, path)) return send(response, 404, 'there are /healthz, /readyz and /metrics\n');
    if (method !== 'GET' && method !== 'HEAD') return send(response, 405, 'only GET\n');
    await answers[path]!(response);
  });
  server.listen(port, host);
  await once(server, 'listening').catch((cause: Error) => {
    throw new LaganError('unavailable', `cannot listen on ${host}:${port}: ${cause.message}`, { cause, hint: 'name another port' });
  });
  const { address, port: listening } = server.address() as AddressInfo;
  return {
    address: `${address.includes(':') ? `[${address}]` : address}:${listening}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function send(response: ServerResponse, status: number, text: string, contentType = 'text/plain; charset=utf-8'): void {
  response
    .writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' })
    .end(text);
}
