/** Many small files: what counts is the cost of a file. Half of them are text of made-up words, half are random bytes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSet } from './data-set.ts';
import { Keystream, SeededNumbers } from './seeded.ts';

const filesPerFolder = 100;
const [smallestBytes, largestBytes] = [100, 4000];
const wordCount = 4096;
const lineWords = 12;

export function tinySet({ fileCount }: { fileCount: number }): DataSet {
  return {
    name: 'tiny',
    scenarios: ['first', 'unchanged', 'restore'],
    recipe: `tiny 1: ${fileCount} files`,
    spaceBytes: fileCount * 4096,
    async make(folder) {
      const bytes = makeFiles(folder, fileCount);
      return {
        description: `files of ${smallestBytes} to ${largestBytes} bytes in folders of ${filesPerFolder}, half of them text`,
        files: fileCount,
        bytes,
      };
    },
  };
}

function makeFiles(folder: string, fileCount: number): number {
  const numbers = new SeededNumbers('lagan bench tiny');
  const random = new Keystream('lagan bench tiny random');
  const text = new TextMaker();
  let totalBytes = 0;
  for (let index = 0; index < fileCount; index++) {
    const inFolder = join(folder, `folder-${String(Math.floor(index / filesPerFolder)).padStart(4, '0')}`);
    if (index % filesPerFolder === 0) mkdirSync(inFolder);
    const sizeBytes = smallestBytes + numbers.below(largestBytes - smallestBytes + 1);
    const isText = index % 2 === 0;
    const name = `file-${String(index).padStart(6, '0')}.${isText ? 'txt' : 'bin'}`;
    writeFileSync(join(inFolder, name), isText ? text.next(sizeBytes) : random.next(sizeBytes));
    totalBytes += sizeBytes;
  }
  return totalBytes;
}

class TextMaker {
  readonly #numbers = new SeededNumbers('lagan bench tiny text');
  readonly #words = makeWords(wordCount);
  readonly #buffer = Buffer.alloc(largestBytes + 64);

  /** Valid until the next call. */
  next(sizeBytes: number): Buffer {
    let position = 0;
    for (let count = 1; position < sizeBytes; count++) {
      // The product of two numbers prefers the front of the list, as language does.
      const word = this.#words[Math.floor((this.#numbers.below(wordCount) * this.#numbers.below(wordCount)) / wordCount)]!;
      position += word.copy(this.#buffer, position);
      this.#buffer[position++] = count % lineWords === 0 ? 0x0a : 0x20;
    }
    return this.#buffer.subarray(0, sizeBytes);
  }
}

function makeWords(count: number): Buffer[] {
  const numbers = new SeededNumbers('lagan bench words');
  const syllables = [
    'an',
    'be',
    'cor',
    'di',
    'el',
    'fa',
    'gri',
    'ho',
    'in',
    'ju',
    'ka',
    'lo',
    'mer',
    'no',
    'os',
    'pra',
    'qui',
    'ra',
    'sto',
    'tu',
    'ul',
    've',
    'win',
    'yo',
    'za',
  ];
  const syllable = () => syllables[numbers.below(syllables.length)]!;
  return Array.from({ length: count }, () => Buffer.from(Array.from({ length: 1 + numbers.below(4) }, syllable).join(''), 'latin1'));
}
