/**
 * A recovery key as 24 words: the 32 bytes and the first byte of their SHA-256, 11 bits for each word of the English list of BIP-39, most significant bit first. The words are
 * made to be copied by hand: the first four letters tell each from all others. Source: spec/keys.md, "Key words".
 */
import { createHash } from 'node:crypto';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { LaganError } from '../../repo-format/mod.ts';

const wordCount = 24;
const bitsPerWord = 11;
const keySizeBytes = 32;
/** Letters by which a word may be abbreviated. */
const distinctLetters = 4;
/** Of 24 words, so many may be missing, too many or misspelled for a text to be taken for a recovery key still. */
const toleratedWords = 4;
const suggestions = 3;

const numberOf = new Map(wordlist.map((word, number) => [word, number]));
for (const [number, word] of wordlist.entries()) if (word.length > distinctLetters) numberOf.set(word.slice(0, distinctLetters), number);

/** The words of a 32-byte key. */
export function encodeWords(key: Uint8Array): string[] {
  if (key.length !== keySizeBytes) throw new RangeError(`key: expected ${keySizeBytes} bytes, got ${key.length}`);
  const bits = [...key, checksumOf(key)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return Array.from(
    { length: wordCount },
    (_, index) => wordlist[Number.parseInt(bits.slice(index * bitsPerWord, (index + 1) * bitsPerWord), 2)]!,
  );
}

/** Whether a text can only have been meant as words of a recovery key, with a few typing mistakes at most. */
export function looksLikeWords(text: string): boolean {
  const words = wordsIn(text);
  const known = words.filter((word) => numberOf.has(word)).length;
  return Math.abs(words.length - wordCount) <= toleratedWords && known >= words.length - toleratedWords;
}

/**
 * The key that words stand for. Case, line ends, commas and numbers between them do not matter; a word may be cut after four letters. Code: malformed-key: `found` is the words
 * that are not in the list; the message says which, and what they may have been.
 */
export function decodeWords(text: string): Uint8Array {
  const words = wordsIn(text);
  const unknown = words.flatMap((word, index) => (numberOf.has(word) ? [] : [{ word, number: index + 1 }]));
  if (unknown.length > 0) throw unknownWords(unknown);
  if (words.length !== wordCount) {
    throw fault(`a recovery key has ${wordCount} words, these are ${words.length}`, {
      expected: wordCount,
      found: words.length,
      hint: words.length < wordCount ? 'a word is missing' : 'there is a word too many, perhaps one twice',
    });
  }
  const numbers = words.map((word) => numberOf.get(word)!);
  const key = keyOf(numbers);
  if (key === undefined) throw wrongChecksum(numbers);
  return key;
}

/** In lower case, without comments and without the numbers that a page puts before them. */
function wordsIn(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join(' ')
    .normalize('NFC')
    .toLowerCase()
    .split(/[\s,;.:)\d]+/)
    .filter((word) => word !== '');
}

/** Undefined if the checksum is wrong. */
function keyOf(numbers: readonly number[]): Uint8Array | undefined {
  const bits = numbers.map((number) => number.toString(2).padStart(bitsPerWord, '0')).join('');
  const bytes = Uint8Array.from({ length: bits.length / 8 }, (_, index) => Number.parseInt(bits.slice(index * 8, index * 8 + 8), 2));
  const key = bytes.subarray(0, keySizeBytes);
  return checksumOf(key) === bytes[keySizeBytes] ? key.slice() : undefined;
}

function checksumOf(key: Uint8Array): number {
  return createHash('sha256').update(key).digest()[0]!;
}

function unknownWords(unknown: readonly { readonly word: string; readonly number: number }[]): LaganError {
  const told = unknown.map(({ word, number }) => {
    const near = nearest(word);
    return `word ${number} (“${word}”) is not in the list${near.length === 0 ? '' : `: perhaps ${near.join(' or ')}`}`;
  });
  return fault(told.join('; '), { found: unknown.map(({ word }) => word), hint: 'compare it with the paper, letter by letter' });
}

/** Every word is one of the list, so that one was mistaken for another, or two were swapped. Those that are spelled nearly alike are tried. */
function wrongChecksum(numbers: readonly number[]): LaganError {
  const swapped = numbers.flatMap((_, index) => {
    const swap = [...numbers];
    [swap[index], swap[index + 1]] = [swap[index + 1]!, swap[index]!];
    return index + 1 < numbers.length && swap[index] !== swap[index + 1] && keyOf(swap) !== undefined
      ? [`words ${index + 1} and ${index + 2} the other way round`]
      : [];
  });
  const alike = numbers.flatMap((number, index) =>
    wordlist.flatMap((word, other) =>
      other !== number && distance(word, wordlist[number]!) === 1 && keyOf(numbers.with(index, other)) !== undefined
        ? [`“${word}” as word ${index + 1} instead of “${wordlist[number]}”`]
        : [],
    ),
  );
  const perhaps = [...alike, ...swapped].slice(0, suggestions);
  return fault('all words are in the list, but their checksum is wrong: one of them is another one, or two are swapped', {
    found: 'wrong checksum',
    hint: perhaps.length === 0 ? 'compare them with the paper, word by word' : `it would be right with ${perhaps.join(', or ')}`,
  });
}

/** The words of the list that are spelled most alike. */
function nearest(word: string): string[] {
  const byDistance = wordlist.map((candidate) => ({ candidate, away: distance(word, candidate) })).filter(({ away }) => away <= 2);
  const least = Math.min(...byDistance.map(({ away }) => away));
  return byDistance
    .filter(({ away }) => away === least)
    .slice(0, suggestions)
    .map(({ candidate }) => candidate);
}

/** Letters that were changed, added, left out, or swapped with their neighbour (optimal string alignment). */
function distance(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > 2) return 3;
  let [beforeLast, last] = [[] as number[], Array.from({ length: right.length + 1 }, (_, index) => index)];
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1];
      const isSwapped = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      const swap = isSwapped ? beforeLast[column - 2]! + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + Number(!isSame), swap));
    }
    [beforeLast, last] = [last, current];
  }
  return last[right.length]!;
}

function fault(message: string, fields: { expected?: unknown; found?: unknown; hint: string }): LaganError {
  return new LaganError('malformed-key', message, fields);
}
