/** How requests get to `lagan serve`. */
import type { Readable } from 'node:stream';

export interface ServedRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** With the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}

export interface ServedResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Errors of the connection destroy it. */
  readonly body: Readable;
}

export interface ServedTransport {
  /** One request, not tried again. Rejects if there is no answer. */
  request(request: ServedRequest): Promise<ServedResponse>;
  /** Ends all connections. */
  close(): void;
}
