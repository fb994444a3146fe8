/**
 * Names gathered in any order and handed out in bytewise order.
 *
 * Sorting takes the names four bytes at a time: key and position are packed into one double, and the engine's native sort of doubles does the
 * work; only names with equal keys are looked at again, four bytes further. Names hold no NUL, so a NUL after the end sorts a prefix first.
 */

import assert from 'node:assert/strict';

/** Position and key share the 53 bits of a double. */
const positionLimit = 2 ** 21;
/** Below this many names, insertion sort wins. */
const smallCount = 12;

/** Names behind each other in one array; grows, and keeps its memory for the next folder. */
export class NameBuffer {
  bytes: Uint8Array;
  /** Name `i` is bytes[ends[i-1]..ends[i]) in the order of arrival. */
  ends: Uint32Array;
  /** d_type of each. */
  types: Uint8Array;
  count = 0;
  usedBytes = 0;

  constructor(capacity: { names: number; bytes: number } = { names: 1024, bytes: 32_768 }) {
    this.bytes = new Uint8Array(capacity.bytes);
    this.ends = new Uint32Array(capacity.names);
    this.types = new Uint8Array(capacity.names);
  }

  /** Adds the name source[start..end). */
  add(source: Uint8Array, start: number, end: number, type: number): void {
    const length = end - start;
    if (this.usedBytes + length > this.bytes.length)
      this.bytes = grown(this.bytes, Math.max(this.bytes.length * 2, this.usedBytes + length));
    if (this.count === this.ends.length) {
      const longer = new Uint32Array(this.ends.length * 2);
      longer.set(this.ends);
      this.ends = longer;
      this.types = grown(this.types, this.types.length * 2);
    }
    const { bytes, usedBytes } = this;
    for (let index = 0; index < length; index++) bytes[usedBytes + index] = source[start + index]!;
    this.usedBytes = usedBytes + length;
    this.types[this.count] = type;
    this.ends[this.count++] = this.usedBytes;
  }

  startOf(position: number): number {
    return position === 0 ? 0 : this.ends[position - 1]!;
  }

  /** The positions in bytewise order of their names. Valid until the next call of `clear` or `order`. */
  order(): Uint32Array {
    assert(this.count < positionLimit, 'more names in memory than can be sorted at once');
    const order = new Uint32Array(this.count);
    for (let position = 0; position < order.length; position++) order[position] = position;
    sortRange(this, order, { from: 0, to: order.length, depth: 0 });
    return order;
  }

  /** Forgets the names. Memory beyond what ordinary folders need is given back. */
  clear(): void {
    this.count = 0;
    this.usedBytes = 0;
    if (this.bytes.length > 1_048_576) this.bytes = new Uint8Array(32_768);
    if (this.ends.length > 65_536) {
      this.ends = new Uint32Array(1024);
      this.types = new Uint8Array(1024);
    }
  }
}

/** Sorts order[from..to), whose names agree in their first `depth` bytes. */
function sortRange(names: NameBuffer, order: Uint32Array, range: { from: number; to: number; depth: number }): void {
  const { from, to, depth } = range;
  if (to - from <= smallCount) {
    sortSmall(names, order, range);
    return;
  }
  const keys = new Float64Array(to - from);
  for (let index = from; index < to; index++) keys[index - from] = keyAt(names, order[index]!, depth) * positionLimit + order[index]!;
  keys.sort();
  let runStart = 0;
  let runKey = Math.floor(keys[0]! / positionLimit);
  for (let index = 0; index <= keys.length; index++) {
    const key = index < keys.length ? Math.floor(keys[index]! / positionLimit) : -1;
    if (index < keys.length) order[from + index] = keys[index]! - key * positionLimit;
    if (key === runKey) continue;
    // A key that ends in NUL is the end of its name: such names are equal.
    if (index - runStart > 1 && (runKey & 0xff) !== 0)
      sortRange(names, order, { from: from + runStart, to: from + index, depth: depth + 4 });
    runStart = index;
    runKey = key;
  }
}

/** Insertion sort. */
function sortSmall(names: NameBuffer, order: Uint32Array, range: { from: number; to: number; depth: number }): void {
  for (let index = range.from + 1; index < range.to; index++) {
    const position = order[index]!;
    let hole = index;
    while (hole > range.from && isGreater(names, order[hole - 1]!, position, range.depth)) {
      order[hole] = order[hole - 1]!;
      hole--;
    }
    order[hole] = position;
  }
}

function isGreater(names: NameBuffer, left: number, right: number, depth: number): boolean {
  const { bytes, ends } = names;
  const leftEnd = ends[left]!;
  const rightEnd = ends[right]!;
  let leftIndex = names.startOf(left) + depth;
  let rightIndex = names.startOf(right) + depth;
  while (leftIndex < leftEnd && rightIndex < rightEnd) {
    const difference = bytes[leftIndex++]! - bytes[rightIndex++]!;
    if (difference !== 0) return difference > 0;
  }
  return leftIndex < leftEnd;
}

/** Four bytes of a name as a big-endian number, NULs behind its end. */
function keyAt(names: NameBuffer, position: number, depth: number): number {
  const { bytes } = names;
  const end = names.ends[position]!;
  const start = names.startOf(position) + depth;
  let key = 0;
  for (let index = start; index < start + 4; index++) key = key * 256 + (index < end ? bytes[index]! : 0);
  return key;
}

function grown(bytes: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(size);
  larger.set(bytes);
  return larger;
}
