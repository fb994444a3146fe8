import { LaganError } from '../../repo-format/mod.ts';

export function interrupted(signal: AbortSignal): LaganError {
  return new LaganError('interrupted', 'the copy was interrupted; what was copied since the last checkpoint is copied again next time', {
    cause: signal.reason,
  });
}

/** The promise; or `interrupted` as soon as the copy is, whatever becomes of the promise. */
export async function untilAborted<Result>(signal: AbortSignal | undefined, promise: Promise<Result>): Promise<Result> {
  if (signal === undefined) return promise;
  promise.catch(() => undefined);
  if (signal.aborted) throw interrupted(signal);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(interrupted(signal));
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', abort));
}
