// How many inputs the kernel hashes side by side. Names do not depend on it, only the speed.
//
// V8 has vectors of 128 bits: four lanes. With --experimental-wasm-revectorize (x64 with AVX2) it fuses pairs of them to 256 bits, and
// eight lanes are 1.5 times as fast as four; without the flag they are half as fast. The flag must be set before the kernel is compiled.

import { setFlagsFromString } from 'node:v8';

/** Number of lanes: 4 suits every machine, 8 only V8 with vectors of 256 bits. */
export type Lanes = 4 | 8;

const FLAG = '--experimental-wasm-revectorize';

let enabled = process.execArgv.includes(FLAG);

/**
 * Lets V8 use vectors of 256 bits from now on, in all threads of this process; to be called before the first `compileKernel` or `createKernel`.
 * The same as starting node with --experimental-wasm-revectorize, which is to be preferred. Does nothing on other processors than x64.
 */
export function enableWideVectors(): void {
  if (process.arch !== 'x64') return;
  setFlagsFromString(FLAG);
  enabled = true;
}

/**
 * The number of lanes that suits this thread: 8 if node was started with the flag or `enableWideVectors` was called in this thread. Workers
 * that were started without the flag are to be given this number in `KernelOptions.lanes`.
 */
export function preferredLanes(): Lanes {
  return enabled && process.arch === 'x64' ? 8 : 4;
}
