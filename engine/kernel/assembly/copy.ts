// Copies of a few bytes. memory.copy and memory.fill are calls into V8 and take longer than a whole compression.

/** 64 bytes of ones, then 64 of zeros: read `64 - length` bytes after its start it keeps `length` bytes. */
const KEEP = memory.data<u64>([-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0], 16);

/** Copies `length` bytes, at most 64, and zeros up to 64. Reads 64 bytes whatever the length; there is a page after the data. */
export function copyPadded(source: usize, length: usize, target: usize): void {
  const keep = KEEP + 64 - length;
  v128.store(target, v128.and(v128.load(source), v128.load(keep)));
  v128.store(target, v128.and(v128.load(source, 16), v128.load(keep, 16)), 16);
  v128.store(target, v128.and(v128.load(source, 32), v128.load(keep, 32)), 32);
  v128.store(target, v128.and(v128.load(source, 48), v128.load(keep, 48)), 48);
}

/** Copies 32 bytes: a chaining value. */
// @ts-ignore: decorator
@inline
export function copyValue(source: usize, target: usize): void {
  const low = v128.load(source), high = v128.load(source, 16);
  v128.store(target, low);
  v128.store(target, high, 16);
}
