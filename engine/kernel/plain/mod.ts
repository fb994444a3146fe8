// The kernel in plain TypeScript, and the definitions that both kernels are tested against.

export { keyedBlake3 } from './blake3.ts';
export { candidatesOf, cutsOf, isCandidate, isHit } from './cut-definition.ts';
export { createPlainKernel } from './plain-kernel.ts';
