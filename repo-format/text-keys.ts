/**
 * Secrets and public keys as text that a person can copy: a word for the kind, then Crockford base32 of 32 bytes and a
 * checksum, in groups. Source: spec/keys.md, "Key text".
 */
import { createHash } from 'node:crypto';
import { LaganError } from './errors.ts';

export const textKeyKinds = ['key', 'identity', 'recipient'] as const;
/** A key file's secret (also the recovery key on paper), a recipient's private key, a recipient's public key. */
export type TextKeyKind = (typeof textKeyKinds)[number];

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const KEY_SIZE_BYTES = 32;
const CHECKSUM_SIZE_BYTES = 4;
/** 36 bytes are 288 bits: 57 symbols of 5 bits and one of 3, padded with two zero bits. */
const SYMBOLS = 58;
const GROUP_SYMBOLS = 6;
const TEXT_LIMIT = 64 * 1024;

/** One line, such as `lagan-key-1 3KD9WM-…`. */
export function encodeTextKey(kind: TextKeyKind, key: Uint8Array): string {
  if (key.length !== KEY_SIZE_BYTES) throw new RangeError(`key: expected 32 bytes, got ${key.length}`);
  const symbols = toSymbols(Buffer.concat([key, checksum(kind, key)]));
  const groups = symbols.match(new RegExp(`.{1,${GROUP_SYMBOLS}}`, 'g'))!;
  return `lagan-${kind}-1 ${groups.join('-')}`;
}

/** The text of a key file. */
export function encodeKeyFile(secret: Uint8Array, comment = 'lagan key file'): string {
  return `# ${comment}\n${encodeTextKey('key', secret)}\n`;
}

/**
 * Reads a key from text: comments (`#`) and empty lines are skipped, case and dashes do not matter, I and L are 1, O is 0.
 * Code: malformed-key; after a typing mistake, `expected` or the message names the group where that can be told.
 */
export function decodeTextKey(kind: TextKeyKind, text: string): Uint8Array {
  if (text.length > TEXT_LIMIT)
    throw fault(`a text of ${text.length} characters is no key`, { expected: `at most ${TEXT_LIMIT}`, found: text.length });
  const groups = groupsOf(kind, text);
  const symbols = normalize(groups);
  const bytes = fromSymbols(symbols);
  if (bytes !== null && checks(kind, bytes)) return bytes.slice(0, KEY_SIZE_BYTES);
  const group = groupOfMistake(kind, symbols, groups);
  const where = group === null ? 'in more than one place' : `in group ${group.number} (${group.text})`;
  throw fault(`the key has a typing mistake ${where}`, {
    found: group?.text,
    hint: 'Compare it with the original, character by character.',
  });
}

/** The groups after the word, from the first line that is no comment. A bare key without the word is read, too. */
function groupsOf(kind: TextKeyKind, text: string): string[] {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0) throw fault('the text has no key', { expected: `lagan-${kind}-1 …` });
  const words = lines.join(' ').split(/[\s-]+/);
  if (words[0]!.toLowerCase() !== 'lagan') return words;
  const [, foundKind = '', version, ...groups] = words;
  if (foundKind.toLowerCase() !== kind)
    throw fault(`a ${foundKind} where a ${kind} is needed`, { expected: `lagan-${kind}-1`, found: `lagan-${foundKind}` });
  if (version !== '1') throw fault(`version ${version} of a key`, { expected: 1, found: version });
  return groups;
}

function normalize(groups: readonly string[]): string {
  groups.forEach((group, index) => {
    const wrong = /[^0-9A-HJKMNP-TV-Z]/.exec(canonical(group));
    if (wrong !== null)
      throw fault(`group ${index + 1} (${group}) has a ${JSON.stringify(group[wrong.index])}, which no key has`, { found: group });
  });
  const symbols = canonical(groups.join(''));
  if (symbols.length !== SYMBOLS) {
    const odd = groups.findIndex((group, index) => index < groups.length - 1 && group.length !== groups[0]!.length);
    const where = odd < 0 ? '' : `; group ${odd + 1} (${groups[odd]}) has another length`;
    throw fault(`the key has ${symbols.length} characters instead of ${SYMBOLS}${where}`, { expected: SYMBOLS, found: symbols.length });
  }
  return symbols;
}

function canonical(text: string): string {
  return text.toUpperCase().replace(/[IL]/g, '1').replace(/O/g, '0');
}

function toSymbols(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(held >>> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + ALPHABET[(held << (5 - bits)) & 31];
}

/** Null if the padding is not zero. */
function fromSymbols(symbols: string): Uint8Array | null {
  const bytes = new Uint8Array(KEY_SIZE_BYTES + CHECKSUM_SIZE_BYTES);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const symbol of symbols) {
    held = ((held << 5) | ALPHABET.indexOf(symbol)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = held >>> bits;
  }
  return (held & ((1 << bits) - 1)) === 0 ? bytes : null;
}

function checks(kind: TextKeyKind, bytes: Uint8Array): boolean {
  return checksum(kind, bytes.subarray(0, KEY_SIZE_BYTES)).equals(bytes.subarray(KEY_SIZE_BYTES));
}

function checksum(kind: TextKeyKind, key: Uint8Array): Buffer {
  return createHash('sha256').update(`lagan-${kind}-1`).update(key).digest().subarray(0, CHECKSUM_SIZE_BYTES);
}

/** The group in which one changed character, or two swapped ones, would make the checksum right; null if there is none. */
function groupOfMistake(kind: TextKeyKind, symbols: string, groups: readonly string[]): { number: number; text: string } | null {
  const rights = (candidate: string) => {
    const bytes = fromSymbols(candidate);
    return bytes !== null && checks(kind, bytes);
  };
  for (let index = 0; index < SYMBOLS; index++) {
    const [before, after] = [symbols.slice(0, index), symbols.slice(index + 1)];
    const swapped = before + after.slice(0, 1) + symbols[index] + after.slice(1);
    if (rights(swapped) || [...ALPHABET].some((symbol) => rights(before + symbol + after))) return groupAt(index, groups);
  }
  return null;
}

function groupAt(index: number, groups: readonly string[]): { number: number; text: string } | null {
  let end = 0;
  for (const [number, text] of groups.entries()) {
    end += text.length;
    if (index < end) return { number: number + 1, text };
  }
  return null;
}

function fault(message: string, fields: { expected?: unknown; found?: unknown; hint?: string }): LaganError {
  return new LaganError('malformed-key', message, fields);
}
