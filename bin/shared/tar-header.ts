/** The fixed and the extended headers of a tar archive. */
import { LaganError } from './errors.ts';

/** A stretch of data in a file with holes. */
export interface DataRange {
  readonly start: number;
  readonly end: number;
}

export interface Header {
  readonly block: Uint8Array;
  readonly path: Uint8Array;
  readonly target: Uint8Array;
  /** One character. */
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly userName: string;
  readonly groupName: string;
  readonly major: number;
  readonly minor: number;
}

/** Values of an extended header by their keys (Latin-1), all that there are of one key. */
export type Records = Map<string, Uint8Array[]>;

/** Of owners, modes and devices. */
const maximumNumber = 2 ** 32 - 1;
const checksum = { offset: 148, size: 8 };

/** Reads a header block. Code: malformed, if it is none. `offset`: where it is in the archive. */
export function decodeHeader(block: Uint8Array, offset: number): Header {
  if (numberField(block, checksum.offset, checksum.size) !== sumOf(block)) throw noHeader(offset);
  const isPosix = Buffer.from(block.subarray(257, 263)).toString('latin1') === 'ustar\0';
  const [name, prefix] = [field(block, 0, 100), isPosix ? field(block, 345, 155) : new Uint8Array(0)];
  // What is no number, or none that a file can have, says nothing.
  const number = (at: number): number => {
    const value = numberField(block, at, 8);
    return value >= 0 && value <= maximumNumber ? value : 0;
  };
  return {
    block,
    path: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name,
    target: field(block, 157, 100),
    type: String.fromCharCode(block[156]!),
    mode: number(100),
    uid: number(108),
    gid: number(116),
    size: sizeField(block, offset),
    mtime: Math.trunc(numberField(block, 136, 12)) || 0,
    userName: text(field(block, 265, 32))!,
    groupName: text(field(block, 297, 32))!,
    major: number(329),
    minor: number(337),
  };
}

/** Octal digits, or, if the top bit is set, a signed number of big-endian bytes. */
export function numberField(block: Uint8Array, offset: number, size: number): number {
  const first = block[offset]!;
  if ((first & 0x80) === 0)
    return Number.parseInt(
      text(block.subarray(offset, offset + size))!
        .replaceAll('\0', ' ')
        .trim() || '0',
      8,
    );
  let value = first & 0x40 ? BigInt(first & 0x7f) - 0x80n : BigInt(first & 0x3f);
  for (const byte of block.subarray(offset + 1, offset + size)) value = value * 256n + BigInt(byte);
  return Number(value);
}

export function isEmptyBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** The records of an extended header: `length key=value\n`, where the length counts itself. Code: malformed. */
export function readRecords(bytes: Uint8Array): Records {
  const records: Records = new Map();
  for (let start = 0; start < bytes.length && bytes[start] !== 0; ) {
    const space = bytes.indexOf(0x20, start);
    const length = space < 0 ? Number.NaN : Number(text(bytes.subarray(start, space)));
    const equals = bytes.indexOf(0x3d, space);
    const end = start + length;
    if (!(length > 0 && end <= bytes.length && equals > space && equals < end && bytes[end - 1] === 0x0a))
      throw new LaganError('malformed', 'an extended header of the archive is damaged', { offset: start });
    const key = Buffer.from(bytes.subarray(space + 1, equals)).toString('latin1');
    records.set(key, [...(records.get(key) ?? []), bytes.subarray(equals + 1, end - 1)]);
    start = end;
  }
  return records;
}

/** UTF-8. */
export function text(bytes: Uint8Array): string;
export function text(bytes: Uint8Array | undefined): string | undefined;
export function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

function field(block: Uint8Array, offset: number, size: number): Uint8Array {
  const bytes = block.subarray(offset, offset + size);
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function sizeField(block: Uint8Array, offset: number): number {
  const size = numberField(block, 124, 12);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new LaganError('malformed', `the archive is damaged: at byte ${offset} an entry has ${size} bytes`, { offset });
}

/** Of all bytes, those of the checksum as spaces. */
function sumOf(block: Uint8Array): number {
  let sum = 0;
  for (const [index, byte] of block.entries()) sum += index >= checksum.offset && index < checksum.offset + checksum.size ? 0x20 : byte;
  return sum;
}

/** Code: malformed, if an archive begins as a compressed one does. */
export function expectUncompressed(start: Uint8Array): void {
  const digits = Buffer.from(start).toString('hex');
  const program = Object.entries(compressions).find(([magic]) => digits.startsWith(magic))?.[1];
  if (program === undefined) return;
  throw new LaganError('malformed', `this is no tar archive but one that ${program} has compressed`, {
    offset: 0,
    hint: `decompress it on the way: ${program} -dc FILE | lagan import tar -`,
  });
}

const compressions: Readonly<Record<string, string>> = { '1f8b': 'gzip', '28b52ffd': 'zstd', fd377a585a00: 'xz', '425a68': 'bzip2' };

function noHeader(offset: number): LaganError {
  const message = offset === 0 ? 'this is no tar archive' : `the archive is damaged: at byte ${offset} there is no header`;
  return new LaganError('malformed', message, { offset });
}
