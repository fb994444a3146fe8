/**
 * Reading and writing of the numbers and byte strings that the format is made of: little endian,
 * `varint` (unsigned LEB128, shortest form), `svarint` (zigzag) and `bytes` (varint length, then the bytes).
 *
 * A reader never looks beyond its bytes and never copies them; what it returns are views.
 * Source: spec/README.md, "Conventions".
 */
import { LaganError } from './errors.ts';

const VARINT_MAX_BYTES = 10;
const VARINT_NUMBER_BYTES = 7;
const U64_MAX = (1n << 64n) - 1n;
const I64_MIN = -(1n << 63n);
const I64_MAX = (1n << 63n) - 1n;

/** Reads values one after another; everything malformed is a {@link LaganError} that says where. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly objectName: string | undefined;
  /** Offset of the next byte. */
  offset = 0;

  constructor(bytes: Uint8Array, objectName?: string) {
    this.bytes = bytes;
    this.objectName = objectName;
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  u8(): number {
    const value = this.bytes[this.offset];
    if (value === undefined) throw this.#truncated(1);
    this.offset++;
    return value;
  }

  u32(): number {
    const at = this.#advance(4);
    const { bytes } = this;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)) + bytes[at + 3]! * 0x1000000;
  }

  /** A u64 that must fit into a safe integer. */
  u64(): number {
    const at = this.offset;
    const low = this.u32();
    const value = low + this.u32() * 0x100000000;
    if (!Number.isSafeInteger(value)) throw this.#tooBig(at, Number.MAX_SAFE_INTEGER, value);
    return value;
  }

  u64big(): bigint {
    const low = this.u32();
    return BigInt(low) | (BigInt(this.u32()) << 32n);
  }

  /** An unsigned number of at most `limit`; `what` names it in the error. */
  varint(limit: number = Number.MAX_SAFE_INTEGER, what = 'number'): number {
    const at = this.offset;
    const first = this.bytes[at];
    if (first === undefined) throw this.#truncated(1);
    if (first >= 0x80) return this.#longVarint(limit, what);
    if (first > limit) throw this.#tooBig(at, limit, first, what);
    this.offset = at + 1;
    return first;
  }

  /** Any unsigned 64-bit number: a number where that is exact, else a bigint. */
  bigVarint(): number | bigint {
    return this.#varint64();
  }

  /** A signed number that must be a safe integer. */
  svarint(): number {
    const at = this.offset;
    const zigzag = this.bigVarint();
    if (typeof zigzag === 'number') return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    const value = (zigzag & 1n) === 0n ? zigzag >> 1n : -((zigzag + 1n) >> 1n);
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw this.#tooBig(at, Number.MAX_SAFE_INTEGER, value);
    return number;
  }

  /** A length of at most `limit` and as many bytes, as a view. */
  byteString(limit: number, what = 'byte string'): Uint8Array {
    return this.raw(this.varint(limit, what));
  }

  /** The next `count` bytes, as a view. */
  raw(count: number): Uint8Array {
    const at = this.#advance(count);
    return this.bytes.subarray(at, at + count);
  }

  /** Checks that `count` items of at least `size` bytes can follow, before anything is allocated for them. */
  expectItems(count: number, size: number, what: string): void {
    if (count * size > this.remaining) {
      throw this.malformed(`${what}: ${count} of at least ${size} bytes each cannot fit`, {
        expected: `at most ${Math.floor(this.remaining / size)}`,
        found: count,
      });
    }
  }

  /** Checks that nothing is left. */
  end(): void {
    if (this.remaining === 0) return;
    throw this.malformed('bytes follow the end', { expected: 0, found: this.remaining });
  }

  /** An error of code `malformed` at `at`, by default the current offset. */
  malformed(what: string, fields: { expected?: unknown; found?: unknown; at?: number } = {}): LaganError {
    const { at = this.offset, expected, found } = fields;
    return new LaganError('malformed', `${this.objectName ?? 'bytes'}: ${what} (at offset ${at})`, {
      object: this.objectName,
      offset: at,
      expected,
      found,
    });
  }

  #advance(count: number): number {
    const at = this.offset;
    if (count > this.bytes.length - at) throw this.#truncated(count);
    this.offset = at + count;
    return at;
  }

  #longVarint(limit: number, what: string): number {
    const at = this.offset;
    const value = this.#varint64();
    if (typeof value === 'bigint' || value > limit) {
      this.offset = at;
      throw this.#tooBig(at, limit, value, what);
    }
    return value;
  }

  /** A number while seven bytes suffice, a bigint only above 2^53-1. */
  #varint64(): number | bigint {
    const { bytes, offset } = this;
    let value = 0;
    let scale = 1;
    for (let index = 0; index < VARINT_NUMBER_BYTES; index++) {
      const byte = bytes[offset + index];
      if (byte === undefined) throw this.#truncated(index + 1);
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) {
        if (byte === 0 && index > 0) throw this.#notShortest();
        this.offset = offset + index + 1;
        return value;
      }
    }
    return this.#varintTail(value);
  }

  #varintTail(low: number): number | bigint {
    const { bytes, offset } = this;
    let value = BigInt(low);
    for (let index = VARINT_NUMBER_BYTES; index < VARINT_MAX_BYTES; index++) {
      const byte = bytes[offset + index];
      if (byte === undefined) throw this.#truncated(index + 1);
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte >= 0x80) continue;
      if (byte === 0) throw this.#notShortest();
      if (value > U64_MAX) break;
      this.offset = offset + index + 1;
      return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
    }
    throw this.malformed('a varint of more than 64 bits', { expected: 'at most 64 bits' });
  }

  #truncated(count: number): LaganError {
    return this.malformed('the bytes end too early', { expected: count, found: this.remaining });
  }

  #notShortest(): LaganError {
    return this.malformed('a varint that is not in its shortest form');
  }

  #tooBig(at: number, limit: number, found: unknown, what = 'number'): LaganError {
    const message = `${this.objectName ?? 'bytes'}: ${what} is ${found}, the limit is ${limit} (at offset ${at})`;
    return new LaganError('limit-exceeded', message, { object: this.objectName, offset: at, expected: limit, found });
  }
}

/** Writes values one after another into a buffer that grows. */
export class ByteWriter {
  /** The buffer; only the first `length` bytes count. */
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Forgets what was written and keeps the buffer. */
  reset(): void {
    this.length = 0;
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    const { bytes, length } = this;
    bytes[length] = value;
    bytes[length + 1] = value >>> 8;
    bytes[length + 2] = value >>> 16;
    bytes[length + 3] = value >>> 24;
    this.length = length + 4;
  }

  u64(value: number | bigint): void {
    const big = BigInt(value);
    if (big < 0n || big > U64_MAX) throw new RangeError(`u64: ${value} is not an unsigned 64-bit number`);
    this.u32(Number(big & 0xffffffffn));
    this.u32(Number(big >> 32n));
  }

  varint(value: number): void {
    if ((value & 0x7f) === value) {
      this.u8(value);
      return;
    }
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`varint: ${value} is not an unsigned safe integer`);
    this.reserve(VARINT_MAX_BYTES);
    const { bytes } = this;
    let rest = value;
    let at = this.length;
    while (rest >= 0x10000000) {
      bytes[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  bigVarint(value: number | bigint): void {
    if (typeof value === 'number' || value <= Number.MAX_SAFE_INTEGER) {
      this.varint(Number(value));
      return;
    }
    if (value > U64_MAX) throw new RangeError(`varint: ${value} is not an unsigned 64-bit number`);
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.u8(Number(rest & 0x7fn) | 0x80);
    this.u8(Number(rest));
  }

  svarint(value: number | bigint): void {
    if (typeof value === 'number' && Math.abs(value) < 2 ** 52 && Number.isInteger(value)) {
      this.varint(value >= 0 ? value * 2 : value * -2 - 1);
      return;
    }
    const big = BigInt(value);
    if (big < I64_MIN || big > I64_MAX) throw new RangeError(`svarint: ${value} is not a signed 64-bit number`);
    this.bigVarint(big >= 0n ? big << 1n : (-big << 1n) - 1n);
  }

  raw(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** A length and the bytes. */
  byteString(source: Uint8Array): void {
    this.varint(source.length);
    this.raw(source);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** How many bytes a varint of `value` takes. */
export function varintSizeBytes(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Bytewise order: negative if `left` comes first, 0 if equal. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const common = Math.min(left.length, right.length);
  for (let index = 0; index < common; index++) {
    const difference = left[index]! - right[index]!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && compareBytes(left, right) === 0;
}
