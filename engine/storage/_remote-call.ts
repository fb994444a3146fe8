/** One call of a client library: it ends at once when it is interrupted, and in time when nothing answers. */
import { LaganError } from '../../repo-format/mod.ts';
import { throwIfInterrupted } from './_names.ts';
import { storageLimits } from './limits.ts';

export interface RemoteCallOptions {
  readonly signal: AbortSignal | undefined;
  /** Bytes that go over the network: they are given time as on a slow line. */
  readonly sizeBytes?: number;
}

/**
 * `call` gets a signal that is aborted when the result does not matter any more; whether it heeds it or not, the promise settles at once.
 *
 * Errors: those of `call`; `interrupted`; `unavailable` after the time limit.
 */
export function remoteCall<T>({ signal, sizeBytes = 0 }: RemoteCallOptions, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limitMs = storageLimits.remote.callTimeoutMs + (sizeBytes / storageLimits.remote.slowestBytesPerSecond) * 1000;
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    throwIfInterrupted(signal);
    const clear = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const end = (error: LaganError) => {
      clear();
      reject(error);
      controller.abort(error);
    };
    const onAbort = () => end(new LaganError('interrupted', 'interrupted', { cause: signal?.reason }));
    const onTimeout = () => end(new LaganError('unavailable', `no answer came within ${Math.ceil(limitMs / 1000)} s`));
    const timer = setTimeout(onTimeout, limitMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    call(controller.signal).then(resolve, reject).finally(clear);
  });
}
