/** What the numbers of HTTP and of the network mean. */
import type { ErrorCode } from '../../repo-format/mod.ts';

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ERR_STREAM_PREMATURE_CLOSE',
  'REQUEST_SEND_ERROR',
]);

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
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if ('code' in cause && networkCodes.has(String(cause.code))) return true;
    if (/socket hang up|premature close|was aborted|other side closed/i.test(cause.message)) return true;
  }
  return false;
}
