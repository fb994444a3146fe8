/** `lagan serve` by HTTPS, or by plain HTTP on this machine. */
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { LaganError } from '../../repo-format/mod.ts';
import { certificatesOf, type NetworkPlace, tokenOf } from './_served-place.ts';
import type { ServedRequest, ServedResponse, ServedTransport } from './_served-transport.ts';
import { storageLimits } from './limits.ts';

type Connected = (error: Error | null, socket: Duplex) => void;

export class NetworkTransport implements ServedTransport {
  readonly #place: NetworkPlace;
  #agent: http.Agent | undefined;
  #token: string | undefined;

  constructor(place: NetworkPlace) {
    this.#place = place;
  }

  async request({ method, path, headers, body, signal }: ServedRequest): Promise<ServedResponse> {
    const { host, port, protocol } = this.#place;
    this.#token ??= tokenOf(this.#place);
    this.#agent ??= newAgent(this.#place);
    // A large body waits for the word that it is wanted: an answer that comes in the middle of it would be lost with the connection.
    const isLarge = (body?.length ?? 0) > storageLimits.served.unaskedSizeBytes;
    const request = (protocol === 'https:' ? https : http).request({
      method,
      path,
      host,
      port,
      agent: this.#agent,
      signal,
      headers: {
        ...headers,
        authorization: `Bearer ${this.#token}`,
        ...(body !== undefined && { 'content-length': body.length }),
        ...(isLarge && { expect: '100-continue' }),
      },
    });
    return exchange(request, body, { isAsked: isLarge });
  }

  close(): void {
    this.#agent?.destroy();
  }
}

function exchange(request: http.ClientRequest, body: Uint8Array | undefined, { isAsked }: { isAsked: boolean }): Promise<ServedResponse> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      response.on('error', () => undefined);
      resolve({ status: response.statusCode ?? 0, headers: response.headers as Record<string, string | undefined>, body: response });
    });
    if (!isAsked) return request.end(body);
    const timer = setTimeout(
      () => request.destroy(new LaganError('unavailable', 'the server does not answer')),
      storageLimits.served.askTimeoutMs,
    );
    for (const event of ['continue', 'response', 'close'] as const) request.once(event, () => clearTimeout(timer));
    request.once('continue', () => request.end(body));
    request.flushHeaders();
  });
}

function newAgent(place: NetworkPlace): http.Agent {
  const options = { keepAlive: true, maxSockets: place.connections };
  if (place.protocol === 'http:') return new http.Agent(options);
  if (place.fingerprint !== undefined) return new PinningAgent(options, place.fingerprint);
  const ca = place.certificates === undefined ? undefined : [...tls.getCACertificates('default'), certificatesOf(place.certificates)];
  return new https.Agent({ ...options, ...(ca !== undefined && { ca }) });
}

/** Trusts one certificate, whoever signed it and whatever names and dates are in it, and sends nothing before it was seen. */
class PinningAgent extends https.Agent {
  readonly #fingerprint: string;

  constructor(options: https.AgentOptions, fingerprint: string) {
    super(options);
    this.#fingerprint = fingerprint;
  }

  override createConnection(options: https.RequestOptions, connected?: Connected): undefined {
    const socket = tls.connect({ ...(options as tls.ConnectionOptions), rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    const onError = (error: Error) => connected?.(error, socket);
    socket.once('error', onError);
    socket.once('secureConnect', () => {
      socket.removeListener('error', onError);
      const found = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase();
      if (found === this.#fingerprint) return connected?.(null, socket);
      socket.on('error', () => undefined).destroy();
      connected?.(wrongFingerprint(this.#fingerprint, found), socket);
    });
    return undefined;
  }
}

function wrongFingerprint(expected: string, found: string | undefined): LaganError {
  return new LaganError(
    'forbidden',
    `the server shows another certificate than the one whose fingerprint is in the URL: sha256:${found ?? 'none'}`,
    {
      expected,
      found,
      hint: 'somebody may stand between here and the server; if its certificate was made anew, compare with what lagan serve prints there and change fingerprint=',
    },
  );
}
