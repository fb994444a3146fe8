// What the tests of the kernels share: the kernels, and data from a seed.

import { type CuttingParameters, createKernel, createPlainKernel, type Kernel, type KernelOptions } from '../../../engine/kernel/mod.ts';

export const nameKey = new TextEncoder().encode('whats the Elvish word for friend');
export const metadataNameKey = new Uint8Array(32).map((_, index) => 3 * index + 1);
export const cutKey = new Uint8Array(32).map((_, index) => 255 - index);

/** Few bytes to a chunk, so that short files have many cuts. */
export const fineCutting: CuttingParameters = { horizonBytes: 512, gridBytes: 2048 };

/** Every kernel that has to give the same results. */
export const kernels: Record<string, (dataSizeBytes: number, cutting?: CuttingParameters) => Kernel> = {
  'four lanes': (dataSizeBytes, cutting) => createKernel({ ...options(dataSizeBytes, cutting), lanes: 4 }),
  'eight lanes': (dataSizeBytes, cutting) => createKernel({ ...options(dataSizeBytes, cutting), lanes: 8 }),
  plain: (dataSizeBytes, cutting) => createPlainKernel(options(dataSizeBytes, cutting)),
};

export function options(dataSizeBytes: number, cutting = fineCutting): KernelOptions {
  return { dataSizeBytes, nameKey, metadataNameKey, cutKey, cutting };
}

/** Numbers in [0, 1) from a seed: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomBytes(length: number, random: () => number): Uint8Array {
  return new Uint8Array(length).map(() => Math.floor(256 * random()));
}

/** An integer from `low` to `high`. */
export function integer(random: () => number, low: number, high: number): number {
  return low + Math.floor((high - low + 1) * random());
}
