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
 * `call` gets a signal that is aborted when the result does not matter any more; whether it heeds it or not, the promise settles at once. It tells of bytes that
 * got through, so that a line that is slow, or slowed down on purpose, is not taken for a dead one.
 *
 * Errors: those of `call`; `interrupted`; `unavailable` after the time limit.
 */
export function remoteCall<T>(
  { signal, sizeBytes = 0 }: RemoteCallOptions,
  call: (signal: AbortSignal, onProgress: () => void) => Promise<T>,
): Promise<T> {
  const limitMs = storageLimits.remote.callTimeoutMs + (sizeBytes / storageLimits.remote.slowestBytesPerSecond) * 1000;
  const controller = new AbortController();
  let deadline = Date.now() + limitMs;
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
    const onTimeout = () => {
      const leftMs = deadline - Date.now();
      if (leftMs > 0) timer = setTimeout(onTimeout, leftMs);
      else end(new LaganError('unavailable', `no answer came within ${Math.ceil(limitMs / 1000)} s`));
    };
    const onProgress = () => {
      deadline = Math.max(deadline, Date.now() + storageLimits.remote.callTimeoutMs);
    };
    let timer = setTimeout(onTimeout, limitMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    call(controller.signal, onProgress).then(resolve, reject).finally(clear);
  });
}
