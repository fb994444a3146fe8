import type { Test } from 'tap';
import type { Storage } from '../../../engine/storage/mod.ts';

/** Every call of a storage whose line has stalled: an abort ends it at once. There is an object `a/b`; `large` is sent for a new one. */
export async function expectAbortsAtOnce(t: Test, storage: Storage, large: Uint8Array): Promise<void> {
  const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
    (signal) => storage.get('a/b', undefined, { signal }),
    (signal) => storage.size('a/b', { signal }),
    (signal) => storage.create('a/d', [], { signal }),
    (signal) => storage.create('a/d', [large], { signal }),
    (signal) => storage.delete(['a/b'], { signal }),
    (signal) => storage.state({ signal }),
    (signal) => storage.list('', { signal })[Symbol.asyncIterator]().next(),
  ];
  for (const call of calls) {
    const controller = new AbortController();
    const result = call(controller.signal);
    setTimeout(() => controller.abort(), 20);
    await t.rejects(async () => result, { code: 'interrupted' });
  }
}
