import { type ErrorCode, LaganError } from '../../repo-format/mod.ts';
import type { SerializedError } from './_messages.ts';

/** An error as it goes from thread to thread: classes do not survive the way, codes and fields do. */
export function serializeError(error: unknown): SerializedError {
  if (!(error instanceof Error)) return { code: undefined, message: String(error), fields: {}, stack: undefined };
  const code = error instanceof LaganError ? error.code : undefined;
  const fields = Object.fromEntries(
    Object.entries(error).filter(([name, value]) => name !== 'code' && ['string', 'number', 'boolean'].includes(typeof value)),
  );
  return { code, message: error.message, fields, stack: error.stack };
}

export function deserializeError({ code, message, fields, stack }: SerializedError): Error {
  if (code !== undefined) return new LaganError(code as ErrorCode, message, fields);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
