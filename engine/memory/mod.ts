/**
 * Keeping the memory of a process flat. V8 lets garbage pile up as long as it hopes to be rid of it cheaply later; buffers count little for it. Where the program
 * knows that much garbage was made, it says so. Without `--expose-gc` (the launcher gives it) nothing happens here.
 */

const youngGarbageBytes = 4 * 1024 * 1024;
const objectsBetweenCollections = 24_576;
/** A node's block is a buffer outside of V8's heap, which it does not hurry to free. */
const nodesBetweenCollections = 4_096;

let garbageBytes = 0;
let garbageObjects = 0;
let garbageNodes = 0;

/** Says that buffers of about so many bytes became garbage: after 4 MiB the young generation is collected (under a millisecond). */
export function buffersDropped(bytes: number): void {
  garbageBytes += bytes;
  if (garbageBytes < youngGarbageBytes || globalThis.gc === undefined) return;
  garbageBytes = 0;
  globalThis.gc({ type: 'minor' });
}

/** Says that a long-lived object (an entry, a token) became garbage: after some ten thousands everything is collected (about ten milliseconds). */
export function objectDropped(): void {
  if (++garbageObjects < objectsBetweenCollections || globalThis.gc === undefined) return;
  garbageObjects = 0;
  globalThis.gc({ type: 'major' });
}

/** Says that a node of a tree became garbage: its block lives long enough to be moved to the old generation, so that it takes a whole collection now and then. */
export function nodeDropped(): void {
  if (++garbageNodes < nodesBetweenCollections || globalThis.gc === undefined) return;
  garbageNodes = 0;
  globalThis.gc({ type: 'major' });
}

/** Says that much became garbage at once, before as much is needed anew: everything is collected. */
export function muchDropped(): void {
  if (globalThis.gc === undefined) return;
  garbageBytes = 0;
  garbageObjects = 0;
  globalThis.gc({ type: 'major' });
}
