// The kernel: what is done with every byte of a backup (naming, cutting, zero test, compressibility), in one WebAssembly memory.

export { compileKernel, createKernel } from './wasm-kernel.ts';
export { createPlainKernel } from './plain/plain-kernel.ts';
export { INCOMPRESSIBLE_FROM, KEY_SIZE_BYTES, LARGEST_DATA_SIZE_BYTES, NAME_SIZE_BYTES, type Kernel, type KernelOptions } from './kernel.ts';
export { lookAheadBytes, smallestCutSizeBytes, warmUpBytes, type Cutter, type CuttingParameters } from './cutter.ts';
