/** A thread that claims names in a shared table: every name of the list from its own place on, as often as it is told. Answers with the numbers of those it got. */
import { parentPort, workerData } from 'node:worker_threads';
import { ChunkTable, claimed } from '../../../engine/index/mod.ts';

export interface ClaimerSetup {
  readonly table: SharedArrayBuffer;
  readonly names: Uint8Array;
  readonly ordinal: number;
  readonly first: number;
  /** Raised by the main thread once all are there. */
  readonly start: SharedArrayBuffer;
}

const { table, names, ordinal, first, start } = workerData as ClaimerSetup;
const chunks = new ChunkTable(table);
const count = names.length / 32;
const got: number[] = [];
Atomics.wait(new Int32Array(start), 0, 0);
for (let round = 0; round < 2; round++) {
  for (let step = 0; step < count; step++) {
    const index = (first + step) % count;
    if (chunks.claim(names, index * 32, ordinal) === claimed) got.push(index);
  }
}
parentPort!.postMessage(got);
