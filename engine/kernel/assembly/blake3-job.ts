// A job: one chunk or one parent to be compressed. 16 bytes: source address, chunk counter, target address, length with flags above it.

// @ts-ignore: decorator
@inline
export function setJob(job: usize, source: usize, counter: u32, target: usize, length: u32, flags: u32): void {
  store<u32>(job, <u32>source);
  store<u32>(job, counter, 4);
  store<u32>(job, <u32>target, 8);
  store<u32>(job, length | (flags << 16), 12);
}

// @ts-ignore: decorator
@inline
export function jobSource(job: usize): usize {
  return load<u32>(job);
}

// @ts-ignore: decorator
@inline
export function jobCounter(job: usize): u32 {
  return load<u32>(job, 4);
}

/** Where the 32 bytes of the chaining value go. */
// @ts-ignore: decorator
@inline
export function jobTarget(job: usize): usize {
  return load<u32>(job, 8);
}

/** Bytes of a chunk, 0 to 1024; of a parent 64. */
// @ts-ignore: decorator
@inline
export function jobLength(job: usize): u32 {
  return load<u16>(job, 12);
}

/** Flags of a parent; of a chunk those that go with its last block. */
// @ts-ignore: decorator
@inline
export function jobFlags(job: usize): u32 {
  return load<u16>(job, 14);
}
