/**
 * Names and paths are bytes; the command line shows and reads them as text.
 *
 * Bytes that are not UTF-8 live in text as the lone surrogates U+DC80…U+DCFF (as Python's "surrogateescape" does), so that
 * `bytesOfText(textOfBytes(bytes))` is `bytes` for every name. Nothing is printed to a terminal before `escapeText`.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';

const escapeBase = 0xdc00;
const replacementCharacter = '\ufffd';
/** Controls, line and paragraph separators, lone surrogates, and what turns the writing direction round. */
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** Text that stands for exactly these bytes. */
export function textOfBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? buffer.toString('utf8') : decodeWithEscapes(buffer);
}

/** The bytes that {@link textOfBytes} was given. */
export function bytesOfText(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  return Buffer.concat(Array.from(text, bytesOfCharacter));
}

/** True if the text is plain UTF-8, so that nothing is lost when it is printed as it is. */
export function isExact(text: string): boolean {
  return text.isWellFormed();
}

/** Text for JSON: bytes that are not UTF-8 become U+FFFD. */
export function replaceEscapes(text: string): string {
  return text.toWellFormed();
}

/** A name or path, safe on a terminal and reversible: controls, bytes that are not UTF-8 and backslashes are escaped. */
export function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replace(unsafe, escapeCharacter);
}

/** Words that may hold a name somewhere: safe on a terminal, one line. */
export function escapeMessage(text: string): string {
  return text.replace(unsafe, escapeCharacter);
}

/**
 * The arguments with their exact bytes. Node decodes them as UTF-8 with replacement characters; where there are any, the
 * kernel is asked again. `argv` are the last arguments of the process.
 */
export function exactArguments(argv: readonly string[], commandLine: () => Uint8Array = readOwnCommandLine): string[] {
  if (!argv.some((argument) => argument.includes(replacementCharacter))) return [...argv];
  const exact = splitAtNul(commandLine()).map(textOfBytes);
  return argv.map((argument, index) => exact[exact.length - argv.length + index] ?? argument);
}

/** The pieces between NUL bytes; an empty last piece is left out. */
export function splitAtNul(bytes: Uint8Array): Uint8Array[] {
  return splitAtByte(bytes, 0);
}

/** The pieces between the bytes of one value; an empty last piece is left out. */
export function splitAtByte(bytes: Uint8Array, separator: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(separator, start);
    const end = found < 0 ? bytes.length : found;
    pieces.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return pieces;
}

function readOwnCommandLine(): Uint8Array {
  return readFileSync('/proc/self/cmdline');
}

function decodeWithEscapes(bytes: Uint8Array): string {
  let text = '';
  for (let offset = 0; offset < bytes.length; ) {
    const size = sequenceSize(bytes, offset);
    text +=
      size === 0 ? String.fromCharCode(escapeBase + bytes[offset]!) : Buffer.from(bytes.subarray(offset, offset + size)).toString('utf8');
    offset += Math.max(size, 1);
  }
  return text;
}

/** Size of the valid UTF-8 sequence at `offset`, or 0 if there is none. */
function sequenceSize(bytes: Uint8Array, offset: number): number {
  const first = bytes[offset]!;
  const size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (size === 0 || offset + size > bytes.length) return 0;
  return isUtf8(bytes.slice(offset, offset + size)) ? size : 0;
}

function bytesOfCharacter(character: string): Uint8Array {
  const code = character.charCodeAt(0);
  const isEscape = character.length === 1 && code >= escapeBase + 0x80 && code <= escapeBase + 0xff;
  return isEscape ? Uint8Array.of(code - escapeBase) : Buffer.from(character, 'utf8');
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0)!;
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  if (character === '\r') return '\\r';
  if (code >= escapeBase + 0x80 && code <= escapeBase + 0xff) return `\\x${(code - escapeBase).toString(16)}`;
  return code < 0x80 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}
