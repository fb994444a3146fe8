/**
 * Opened blocks are buffers outside of V8's heap, which it does not hurry to free: where the launcher allows it (`--expose-gc`), collections are asked for, so
 * that the memory of the process stays flat.
 */
import { checkLimits } from './_limits.ts';

let nodes = 0;

/** A node was read: the blocks of nodes live long enough to be moved to the old generation, so that it takes a whole collection (some 20 ms) now and then. */
export function leaveNode(): void {
  if (++nodes % checkLimits.nodesPerCollection === 0) globalThis.gc?.();
}
