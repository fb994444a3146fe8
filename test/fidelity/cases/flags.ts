/** File flags (`chattr`) and project ids. */

import { fileFlag } from '../../../engine/system/mod.ts';
import { attribute } from '../case-folder.ts';
import type { FidelityCase } from '../make-cases.ts';

const dated = { modified: { seconds: 1_000_000_000, nanoseconds: 1 } };

export const flagCases: readonly FidelityCase[] = [
  { name: 'immutable-file', needs: 'root', make: (folder) => folder.file('file', 'content', { ...dated, flags: fileFlag.immutable }) },
  {
    name: 'immutable-folder',
    needs: 'root',
    make: (folder) =>
      folder.directory('folder', { ...dated, flags: fileFlag.immutable }, (inner) => {
        inner.file('file', 'content');
        inner.directory('deeper', {}, (deeper) => deeper.symlink('link', 'nowhere'));
      }),
  },
  { name: 'append-only-file', needs: 'root', make: (folder) => folder.file('log', 'line\n', { ...dated, flags: fileFlag.appendOnly }) },
  {
    name: 'append-only-folder',
    needs: 'root',
    make: (folder) => folder.directory('logs', { ...dated, flags: fileFlag.appendOnly }, (inner) => inner.file('log', 'line\n')),
  },
  { name: 'no-dump', make: (folder) => folder.file('file', 'content', { flags: fileFlag.noDump }) },
  { name: 'no-access-time', make: (folder) => folder.file('file', 'content', { flags: fileFlag.noAccessTime }) },
  { name: 'synchronous', make: (folder) => folder.file('file', 'content', { flags: fileFlag.synchronous }) },
  {
    name: 'synchronous-folder',
    make: (folder) => folder.directory('folder', { flags: fileFlag.directorySynchronous }, (inner) => inner.file('file')),
  },
  { name: 'top-folder', make: (folder) => folder.directory('folder', { flags: fileFlag.topDirectory }) },
  {
    name: 'secure-removal-and-undelete',
    make: (folder) => folder.file('file', 'content', { flags: fileFlag.secureRemoval | fileFlag.undelete }),
  },
  {
    name: 'flags-that-folders-hand-down',
    make: (folder) =>
      folder.directory('folder', { flags: fileFlag.noDump | fileFlag.noAccessTime }, (inner) => {
        inner.file('plain', 'content');
        inner.directory('plain-too', {}, (deeper) => deeper.file('plain'));
      }),
  },
  {
    name: 'several-flags-with-attribute',
    needs: 'root',
    make: (folder) =>
      folder.file('file', 'content', {
        ...dated,
        mode: 0o4755,
        uid: 1234,
        flags: fileFlag.immutable | fileFlag.noDump | fileFlag.noAccessTime,
        extendedAttributes: [attribute('user.comment', 'text')],
      }),
  },
  {
    name: 'immutable-hard-links',
    needs: 'root',
    make: (folder) => {
      folder.file('first', 'content');
      folder.link('second', 'first');
      folder.dress('first', { flags: fileFlag.immutable });
    },
  },
  { name: 'no-copy-on-write', make: (folder) => folder.file('file', 'content', { flags: fileFlag.noCopyOnWrite }) },
  { name: 'project-id', needs: 'root', make: (folder) => folder.file('file', 'content', { projectId: 4711 }) },
  {
    name: 'project-id-handed-down',
    needs: 'root',
    make: (folder) => folder.directory('folder', { projectId: 4711, flags: fileFlag.projectInherit }, (inner) => inner.file('file')),
  },
];
