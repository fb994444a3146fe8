/** What the server says no to. Its words are for the client; those of other errors, which may tell of the machine, are for the log. */
import { type ErrorCode, type ErrorFields, errorTable, isLaganError, LaganError } from '../../repo-format/mod.ts';
import type { ServedError } from '../storage/mod.ts';

export class Refusal extends LaganError {
  /** Of HTTP. */
  readonly status: number;

  constructor(status: number, code: ErrorCode, message: string, fields: ErrorFields = {}) {
    super(code, message, fields);
    this.status = status;
  }
}

const statuses: Partial<Record<ErrorCode, number>> = {
  'not-found': 404,
  'no-repository': 404,
  exists: 409,
  'limit-exceeded': 413,
  malformed: 422,
  'name-mismatch': 422,
  'repository-too-new': 422,
  'no-space': 507,
  'read-only': 503,
  unavailable: 503,
};

/** The answer to a request that failed. */
export function answerOf(error: unknown): { status: number; body: ServedError } {
  if (error instanceof Refusal) return { status: error.status, body: bodyOf(error) };
  if (error instanceof TypeError || error instanceof RangeError)
    return { status: 400, body: { code: 'usage', message: 'the request makes no sense' } };
  if (!isLaganError(error)) return { status: 500, body: { code: 'io', message: 'the server made a mistake; its log says more' } };
  const message = `${errorTable[error.code].meaning} (at the server, whose log says more)`;
  const status = statuses[error.code] ?? 500;
  return { status, body: { code: status === 503 ? 'unavailable' : error.code, message, object: error.object } };
}

/** What the format's own checks found: the words are about the object alone. */
export function refused(error: unknown): unknown {
  if (!isLaganError(error) || error instanceof Refusal) return error;
  const status = statuses[error.code] ?? 422;
  return new Refusal(status, error.code, error.message, {
    object: error.object,
    expected: error.expected,
    found: error.found,
    cause: error,
  });
}

function bodyOf({ code, message, hint, object, expected, found }: Refusal): ServedError {
  return { code, message, hint, object, expected: plain(expected), found: plain(found) };
}

function plain(value: unknown): string | number | undefined {
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}
