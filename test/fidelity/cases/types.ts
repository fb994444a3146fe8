/** Types of entries and every bit of a mode. */

import type { FidelityCase } from '../make-cases.ts';

export const typeCases: readonly FidelityCase[] = [
  { name: 'file', make: (folder) => folder.file('file', 'content') },
  { name: 'empty-file', make: (folder) => folder.file('empty') },
  { name: 'empty-folder', make: (folder) => folder.directory('empty') },
  { name: 'nothing-at-all', make: () => {} },
  { name: 'fifo', make: (folder) => folder.node('fifo', { type: 'fifo' }, { mode: 0o622 }) },
  { name: 'socket', make: (folder) => folder.node('socket', { type: 'socket' }, { mode: 0o755 }) },
  {
    name: 'character-device',
    needs: 'root',
    make: (folder) => folder.node('null', { type: 'character-device', major: 1, minor: 3 }, { mode: 0o666 }),
  },
  {
    name: 'block-device',
    needs: 'root',
    make: (folder) => folder.node('disk', { type: 'block-device', major: 8, minor: 17 }, { mode: 0o660 }),
  },
  {
    name: 'large-device-numbers',
    needs: 'root',
    make: (folder) => {
      folder.node('most', { type: 'character-device', major: 4095, minor: 1_048_575 });
      folder.node('minor-above-byte', { type: 'block-device', major: 259, minor: 256 });
    },
  },
  { name: 'overlay-whiteout', make: (folder) => folder.node('removed', { type: 'character-device', major: 0, minor: 0 }, { mode: 0 }) },
  {
    name: 'every-permission',
    needs: 'readable by root',
    make: (folder) => {
      for (let mode = 0; mode <= 0o777; mode++) folder.file(`mode-${mode.toString(8).padStart(3, '0')}`, `${mode}`, { mode });
    },
  },
  {
    name: 'every-permission-of-folders',
    needs: 'readable by root',
    make: (folder) => {
      for (let mode = 0; mode <= 0o777; mode += 7)
        folder.directory(`mode-${mode.toString(8).padStart(3, '0')}`, { mode }, (inner) => inner.file('in'));
    },
  },
  { name: 'setuid-file', make: (folder) => folder.file('program', '#!/bin/true\n', { mode: 0o4755 }) },
  { name: 'setgid-file', make: (folder) => folder.file('program', '#!/bin/true\n', { mode: 0o2755 }) },
  { name: 'sticky-file', make: (folder) => folder.file('program', '#!/bin/true\n', { mode: 0o1755 }) },
  { name: 'setuid-setgid-sticky-without-execute', make: (folder) => folder.file('odd', '', { mode: 0o7644 }) },
  {
    name: 'setgid-folder',
    make: (folder) => folder.directory('shared', { mode: 0o2775 }, (inner) => inner.file('in', 'x', { mode: 0o664 })),
  },
  { name: 'sticky-folder', make: (folder) => folder.directory('tmp', { mode: 0o1777 }, (inner) => inner.file('in')) },
  { name: 'setuid-folder', make: (folder) => folder.directory('odd', { mode: 0o4755 }) },
  { name: 'unreadable-file', needs: 'readable by root', make: (folder) => folder.file('secret', 'content', { mode: 0 }) },
  {
    name: 'unreadable-folder',
    needs: 'readable by root',
    make: (folder) => folder.directory('secret', { mode: 0 }, (inner) => inner.file('in', 'content')),
  },
  {
    name: 'read-only-folder',
    make: (folder) =>
      folder.directory('fixed', { mode: 0o555 }, (inner) => {
        inner.file('file', 'content', { mode: 0o444 });
        inner.directory('deeper', { mode: 0o500 }, (deeper) => deeper.file('file', 'content', { mode: 0o400 }));
        inner.symlink('link', 'file');
        inner.node('fifo', { type: 'fifo' });
      }),
  },
  {
    name: 'passable-only-folder',
    needs: 'readable by root',
    make: (folder) => folder.directory('drop', { mode: 0o311 }, (inner) => inner.file('in', 'content')),
  },
];
