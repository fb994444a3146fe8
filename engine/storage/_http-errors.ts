/** What the numbers of HTTP and of the network mean. */
import type { ErrorCode } from '../../repo-format/mod.ts';

/** A connection that stood, or nearly. */
const brokenConnectionCodes = ['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'];
const networkCodes = [
  ...brokenConnectionCodes,
  'ECONNREFUSED',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  'ENOTFOUND',
  'REQUEST_SEND_ERROR',
];

/** Undefined for what an HTTP status alone does not tell. */
export function codeOfStatus(status: number): ErrorCode | undefined {
  if (status === 401 || status === 403) return 'forbidden';
  if (status === 404) return 'not-found';
  if (status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505 && status !== 507)) return 'unavailable';
  if (status === 413) return 'limit-exceeded';
  if (status === 507) return 'no-space';
  return undefined;
}

/** Whether the request failed below HTTP, so that it may have been carried out or not. */
export function isNetworkError(error: unknown): boolean {
  return isCausedBy(error, networkCodes);
}

/** Whether there was a connection, which broke: so somebody is at that address. */
export function isBrokenConnection(error: unknown): boolean {
  return isCausedBy(error, brokenConnectionCodes);
}

function isCausedBy(error: unknown, codes: readonly string[]): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if ('code' in cause && codes.includes(String(cause.code))) return true;
    if (/socket hang up|premature close|was aborted|other side closed/i.test(cause.message)) return true;
  }
  return false;
}
