/** Contents around the sizes at which something changes. */

import { noise } from '../case-folder.ts';
import type { FidelityCase } from '../make-cases.ts';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

export const contentCases: readonly FidelityCase[] = [
  { name: 'sizes-around-blocks', make: sized([1, 2, 511, 512, 513, 4095, 4096, 4097, 8191, 8192, 8193]) },
  { name: 'sizes-around-chunks', make: sized([32, 64, 128, 256].flatMap((size) => around(size * kibibyte))) },
  { name: 'sizes-around-blocks-of-packs', make: sized([1, 2, 4].flatMap((size) => around(size * mebibyte))) },
  { name: 'random-content', make: sized([9 * mebibyte + 12_345]) },
  { name: 'repeated-content', make: (folder) => folder.file('file', Buffer.alloc(5 * mebibyte + 1, 'lagan ')) },
  { name: 'constant-content', make: (folder) => folder.file('file', Buffer.alloc(3 * mebibyte + 1, 0xff)) },
  {
    name: 'equal-files',
    make: (folder) => {
      for (let index = 0; index < 5; index++) folder.file(`${index}`, noise(300 * kibibyte), { mode: 0o600 + index });
    },
  },
  {
    name: 'shifted-content',
    make: (folder) => [0, 1, 4095].map((shift) => folder.file(`${shift}`, Buffer.concat([Buffer.alloc(shift, 'x'), noise(2 * mebibyte)]))),
  },
  {
    name: 'content-like-our-own-files',
    make: (folder) => folder.file('pack', Buffer.concat([Buffer.from('LAGAN\x1a\x01\x01'), noise(200 * kibibyte), Buffer.from('LGAN')])),
  },
];

function around(size: number): number[] {
  return [size - 1, size, size + 1];
}

function sized(sizes: readonly number[]): FidelityCase['make'] {
  return (folder) => {
    for (const size of sizes) folder.file(`${size}`, noise(size, size));
  };
}
