/**
 * What a vector is, and its text form. The pieces here are written without repo-format, which they test.
 */

/** Bytes with what they are. */
export type Part = readonly [label: string, bytes: Uint8Array];

export interface Vector {
  readonly container: string;
  readonly name: string;
  /** `ok` or an error code. */
  readonly expect: string;
  readonly offset?: number | undefined;
  readonly covers: readonly string[];
  readonly comment: string;
  readonly result?: unknown;
  /** Keys, ids and so on that the decoder needs. */
  readonly inputs?: Readonly<Record<string, string | number>>;
  readonly parts: readonly Part[];
}

/** A vector as read from its file. */
export interface ParsedVector {
  readonly container: string;
  readonly expect: string;
  readonly header: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  /** The lines of the body, with comments. */
  readonly body: readonly string[];
}

const BYTES_PER_LINE = 32;
const RUN_BYTES = 64;

export function formatVector(vector: Vector): string {
  const { container, expect, offset, covers, comment, result, inputs = {} } = vector;
  const header: Record<string, unknown> = { container, expect, offset, covers: covers.join(' '), comment, ...inputs };
  if (expect === 'ok') header.result = JSON.stringify(result, jsonBytes);
  const lines = Object.entries(header)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${value}`);
  return [...lines, '', ...vector.parts.flatMap(formatPart), ''].join('\n');
}

export function parseVector(text: string): ParsedVector {
  const lines = text.split('\n');
  const blank = lines.indexOf('');
  const header = Object.fromEntries(lines.slice(0, blank).map(splitHeader));
  const body = lines.slice(blank + 1).filter((line) => line !== '');
  return { container: header.container!, expect: header.expect!, header, bytes: concat(...body.map(bytesOfLine)), body };
}

/** Replacer for JSON: byte strings as hex, bigints as decimal text. */
export function jsonBytes(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[key];
  if (original instanceof Uint8Array) return toHex(original);
  return typeof original === 'bigint' ? original.toString() : value;
}

export function join(parts: readonly Part[]): Uint8Array {
  return concat(...parts.map(([, bytes]) => bytes));
}

export function concat(...pieces: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** `count` bytes that count up from `first`: easy to recognize in a dump. */
export function counting(count: number, first = 0): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => first + index);
}

export function filled(count: number, value: number): Uint8Array {
  return new Uint8Array(count).fill(value);
}

export function u8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function u64(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

export function svarint(value: number | bigint): Uint8Array {
  const big = BigInt(value);
  return varint(big >= 0n ? big * 2n : -big * 2n - 1n);
}

export function prefixed(bytes: Uint8Array): Uint8Array {
  return concat(varint(bytes.length), bytes);
}

/** A copy with other bytes from `at`. */
export function patched(bytes: Uint8Array, at: number, replacement: Uint8Array | readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(replacement, at);
  return copy;
}

function formatPart([label, bytes]: Part): string[] {
  const comment = label === '' ? '' : `  # ${label}`;
  const run = runOf(bytes);
  if (run !== null) return [`${run}${comment}`];
  const separator = label === '' ? '' : ' ';
  const lines: string[] = [];
  for (let at = 0; at < Math.max(1, bytes.length); at += BYTES_PER_LINE) {
    const hex = Array.from(bytes.subarray(at, at + BYTES_PER_LINE), (byte) => byte.toString(16).padStart(2, '0')).join(separator);
    lines.push(at === 0 ? `${hex}${comment}`.trimStart() : hex);
  }
  return lines;
}

/** `xx * count` for a long run of one byte. */
function runOf(bytes: Uint8Array): string | null {
  const first = bytes[0];
  if (bytes.length < RUN_BYTES || first === undefined || bytes.some((byte) => byte !== first)) return null;
  return `${first.toString(16).padStart(2, '0')} * ${bytes.length}`;
}

/** The bytes of a line of the body. */
export function bytesOfLine(line: string): Uint8Array {
  const [hex, count] = line.replace(/#.*/, '').split('*');
  const bytes = fromHex(hex!);
  return count === undefined ? bytes : new Uint8Array(Number(count)).fill(bytes[0]!);
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
