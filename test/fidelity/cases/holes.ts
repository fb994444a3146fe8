/** Sparse files: what was a hole is a hole again, what was zeros on the disk is that. */

import { noise } from '../case-folder.ts';
import type { FidelityCase } from '../make-cases.ts';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const tebibyte = 1024 * 1024 * mebibyte;

export const holeCases: readonly FidelityCase[] = [
  { name: 'hole-in-front', make: (folder) => folder.sparse('file', 3 * mebibyte, [{ offset: 2 * mebibyte, content: noise(mebibyte) }]) },
  {
    name: 'hole-in-the-middle',
    make: (folder) =>
      folder.sparse('file', 3 * mebibyte, [
        { offset: 0, content: noise(mebibyte) },
        { offset: 2 * mebibyte, content: noise(mebibyte, 2) },
      ]),
  },
  { name: 'hole-at-the-end', make: (folder) => folder.sparse('file', 3 * mebibyte, [{ offset: 0, content: noise(mebibyte) }]) },
  { name: 'nothing-but-a-hole', make: (folder) => folder.sparse('file', 10 * mebibyte, []) },
  { name: 'small-hole', make: (folder) => folder.sparse('file', 100, []) },
  {
    name: 'tebibyte-with-few-megabytes',
    make: (folder) =>
      folder.sparse(
        'file',
        tebibyte,
        [0, 1, 2, 3].map((quarter) => ({ offset: quarter * (tebibyte / 4) + 4096 * quarter, content: noise(mebibyte, quarter + 1) })),
      ),
  },
  {
    name: 'hundreds-of-holes',
    make: (folder) =>
      folder.sparse(
        'file',
        8 * mebibyte,
        Array.from({ length: 256 }, (_, index) => ({ offset: index * 32 * kibibyte, content: noise(4 * kibibyte, index + 1) })),
      ),
  },
  { name: 'data-off-the-blocks', make: (folder) => folder.sparse('file', mebibyte + 7, [{ offset: 300_001, content: noise(123) }]) },
  { name: 'last-byte-is-data', make: (folder) => folder.sparse('file', 5 * mebibyte + 1, [{ offset: 5 * mebibyte, content: noise(1) }]) },
  { name: 'zeros-that-are-data', make: (folder) => folder.file('file', new Uint8Array(4 * mebibyte)) },
  {
    name: 'zeros-beside-a-hole',
    make: (folder) =>
      folder.sparse('file', 6 * mebibyte, [
        { offset: 0, content: new Uint8Array(mebibyte) },
        { offset: 3 * mebibyte, content: noise(mebibyte) },
        { offset: 4 * mebibyte, content: new Uint8Array(mebibyte) },
      ]),
  },
  { name: 'few-zeros', make: (folder) => folder.file('file', new Uint8Array(100)) },
];
