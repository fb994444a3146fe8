/** Hard links of every type, and symbolic links. */

import { attribute, latin1 } from '../case-folder.ts';
import type { FidelityCase } from '../make-cases.ts';

export const linkCases: readonly FidelityCase[] = [
  { name: 'hard-link', make: (folder) => [folder.file('first', 'content'), folder.link('second', 'first')] },
  {
    name: 'hard-links-across-folders',
    make: (folder) => {
      folder.file('m', 'content');
      folder.directory('a', {}, (a) => {
        a.link('1', 'm', folder);
        a.directory('deeper', {}, (deeper) => deeper.link('2', '1', a));
      });
      folder.directory('z', {}, (z) => z.link('3', 'm', folder));
    },
  },
  {
    name: 'hundred-names',
    make: (folder) => {
      folder.file('0', 'content');
      for (let index = 1; index < 100; index++) folder.link(`${index}`, '0');
    },
  },
  { name: 'hard-link-of-empty-file', make: (folder) => [folder.file('first'), folder.link('second', 'first')] },
  {
    name: 'hard-link-with-everything',
    make: (folder) => {
      folder.file('first', 'content', {
        mode: 0o4700,
        modified: { seconds: -1, nanoseconds: 1 },
        extendedAttributes: [attribute('user.comment', 'text')],
      });
      folder.link('second', 'first');
    },
  },
  { name: 'hard-link-of-symlink', make: (folder) => [folder.symlink('first', 'nowhere'), folder.link('second', 'first')] },
  { name: 'hard-link-of-fifo', make: (folder) => [folder.node('first', { type: 'fifo' }), folder.link('second', 'first')] },
  { name: 'hard-link-of-socket', make: (folder) => [folder.node('first', { type: 'socket' }), folder.link('second', 'first')] },
  {
    name: 'hard-link-of-device',
    needs: 'root',
    make: (folder) => [folder.node('first', { type: 'character-device', major: 1, minor: 9 }), folder.link('second', 'first')],
  },
  {
    name: 'hard-link-from-outside',
    make: (folder, outside) => [folder.file('inside', 'content'), outside.link('hard-link-from-outside', 'inside', folder)],
  },
  {
    name: 'two-groups-with-equal-content',
    make: (folder) => {
      for (const group of ['a', 'b']) {
        folder.file(`${group}1`, 'content');
        folder.link(`${group}2`, `${group}1`);
      }
    },
  },
  { name: 'dangling-symlink', make: (folder) => folder.symlink('link', 'no/such/file') },
  { name: 'symlink-to-itself', make: (folder) => folder.symlink('link', 'link') },
  { name: 'symlink-loop', make: (folder) => [folder.symlink('a', 'b'), folder.symlink('b', 'a')] },
  { name: 'absolute-symlink', make: (folder) => folder.symlink('link', '/etc/passwd') },
  { name: 'symlink-out-of-the-tree', make: (folder) => folder.symlink('link', '../../../../../../..') },
  {
    name: 'symlink-to-folder',
    make: (folder) => [folder.directory('folder', {}, (inner) => inner.file('file')), folder.symlink('link', 'folder/')],
  },
  { name: 'symlink-of-4095-bytes', make: (folder) => folder.symlink('link', `${'x/'.repeat(2047)}x`) },
  { name: 'symlink-not-utf-8', make: (folder) => folder.symlink('link', latin1('\xff\xfe/\x80')) },
  { name: 'symlink-with-newline', make: (folder) => folder.symlink('link', 'a\nb -> c\r\t') },
  { name: 'symlink-around-inline-size', make: (folder) => [59, 60, 61].map((length) => folder.symlink(`${length}`, 'y'.repeat(length))) },
];
