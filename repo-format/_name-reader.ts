import { type ByteReader, compareBytes } from './bytes.ts';
import { limits } from './limits.ts';

const DOT = 0x2e;
const SLASH = 0x2f;

/** Why `name` cannot be the name of a directory entry, or null if it can. */
export function nameFault(name: Uint8Array): string | null {
  const { length } = name;
  if (length === 0) return 'an empty name';
  if (length > limits.nameSizeBytes) return 'a name too long';
  if (name[0] === DOT && (length === 1 || (length === 2 && name[1] === DOT))) return "a name '.' or '..'";
  for (let index = 0; index < length; index++) {
    const byte = name[index];
    if (byte === SLASH || byte === 0) return "a name with '/' or NUL";
  }
  return null;
}

/** A name that comes after `previous`. */
export function readName(reader: ByteReader, previous: Uint8Array | null): Uint8Array {
  const at = reader.offset;
  const name = reader.byteString(limits.nameSizeBytes, 'length of a name');
  const fault = nameFault(name);
  if (fault !== null) throw reader.malformed(fault, { expected: 'a name of one path component', found: printable(name), at });
  if (previous !== null && compareBytes(previous, name) >= 0) {
    throw reader.malformed('names do not ascend', { expected: `after ${printable(previous)}`, found: printable(name), at });
  }
  return name;
}

function printable(name: Uint8Array): string {
  return JSON.stringify(Buffer.from(name).toString('latin1'));
}
