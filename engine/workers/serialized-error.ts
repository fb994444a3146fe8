import { type ErrorCode, LaganError } from '../../repo-format/mod.ts';

/** A LaganError (or any other) on its way between threads: classes do not survive the way, codes and fields do. */
export interface SerializedError {
  readonly code: string | undefined;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly stack: string | undefined;
}

export function serializeError(error: unknown): SerializedError {
  if (!(error instanceof Error)) return { code: undefined, message: String(error), fields: {}, stack: undefined };
  const code = error instanceof LaganError ? error.code : undefined;
  const fields = Object.entries(error).filter(([name, value]) => name !== 'code' && ['string', 'number', 'boolean'].includes(typeof value));
  return { code, message: error.message, fields: Object.fromEntries(fields), stack: error.stack };
}

export function deserializeError({ code, message, fields, stack }: SerializedError): Error {
  if (code !== undefined) return new LaganError(code as ErrorCode, message, fields);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
