// The kernel: what is done with every byte of a backup (naming, cutting, zero test, compressibility), in one WebAssembly memory.

export type { Cutter } from './cutter.ts';
export { type CuttingParameters, lookAheadBytes, smallestCutSizeBytes, warmUpBytes } from './cutting.ts';
export {
  INCOMPRESSIBLE_FROM,
  KEY_SIZE_BYTES,
  type Kernel,
  type KernelOptions,
  LARGEST_DATA_SIZE_BYTES,
  NAME_SIZE_BYTES,
} from './kernel.ts';
export { enableWideVectors, type Lanes, preferredLanes } from './lanes.ts';
export { createPlainKernel } from './plain/mod.ts';
export { compileKernel, createKernel } from './wasm-kernel.ts';
