/** The kernel's error numbers: their names, and the one class of error that the rest of the program sees. */

import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { type ErrorCode, LaganError } from '../../repo-format/mod.ts';

/** Those that Node's table lacks. */
const further = {
  ENOTBLK: 15,
  EUCLEAN: 117,
  EREMOTEIO: 121,
  ENOMEDIUM: 123,
  EMEDIUMTYPE: 124,
  ENOKEY: 126,
  EKEYREJECTED: 129,
  ESHUTDOWN: 108,
  EHWPOISON: 133,
} as const;

/** Numbers by name: `errnoOf.ENOENT` is 2. */
export const errnoOf: typeof constants.errno & typeof further = { ...constants.errno, ...further };

const names = new Map<number, string>(Object.entries(errnoOf).map(([name, number]) => [number, name]));
names.set(errnoOf.EAGAIN, 'EAGAIN').set(errnoOf.EOPNOTSUPP, 'EOPNOTSUPP');

const codes = new Map<number, ErrorCode>([
  [errnoOf.ENOSPC, 'no-space'],
  [errnoOf.EDQUOT, 'no-space'],
  [errnoOf.EROFS, 'read-only'],
  [errnoOf.EACCES, 'forbidden'],
  [errnoOf.EPERM, 'forbidden'],
  [errnoOf.EEXIST, 'exists'],
  [errnoOf.EOPNOTSUPP, 'unsupported'],
  [errnoOf.ENOSYS, 'unsupported'],
]);

/** `ENOENT` for 2; a number without a name gives `E<number>`. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`;
}

/**
 * What the kernel refused, as an error: code `no-space`, `read-only`, `forbidden`, `exists`, `unsupported` or `io`, field `errno` with its name.
 * `attempt` continues “could not”: `systemError(2, 'open the folder', path)`.
 */
export function systemError(errno: number, attempt: string, path?: Uint8Array | string): LaganError {
  const number = Math.abs(errno);
  const name = errnoName(number);
  const meaning = getSystemErrorMap().get(-number)?.[1];
  const text = path === undefined ? undefined : printable(path);
  const place = text === undefined ? '' : ` ${JSON.stringify(text)}`;
  const reason = meaning === undefined ? name : `${meaning} (${name})`;
  return new LaganError(codes.get(number) ?? 'io', `could not ${attempt}${place}: ${reason}`, { object: text, errno: name });
}

/** A path for people to read: bytes that are not UTF-8 become U+FFFD. */
export function printable(path: Uint8Array | string): string {
  return typeof path === 'string' ? path : Buffer.from(path.buffer, path.byteOffset, path.length).toString('utf8');
}
