const beforeCollectionBytes = 3 * 1024 * 1024;
let uncollectedBytes = 0;

/**
 * To be told of short-lived buffers, of whose memory V8 knows but which it does not hurry to free: a short collection of the young generation now and then (under a
 * millisecond) keeps the memory of the process flat. Does nothing unless Node runs with `--expose-gc`.
 */
export function countGarbage(bytes: number): void {
  uncollectedBytes += bytes;
  if (uncollectedBytes < beforeCollectionBytes || globalThis.gc === undefined) return;
  uncollectedBytes = 0;
  globalThis.gc({ type: 'minor' });
}
