/** Deep trees and wide folders. */

import { closeDescriptor, openDirectory, reopenDirectory } from '../../../engine/system/mod.ts';
import { CaseFolder, raw } from '../case-folder.ts';
import type { FidelityCase } from '../make-cases.ts';

export const treeCases: readonly FidelityCase[] = [
  { name: 'beyond-path-max', make: (folder) => deep(folder, 60, (level) => `${level}-${'d'.repeat(200)}`) },
  { name: 'thousand-levels', make: (folder) => deep(folder, 1000, () => 'd') },
  {
    name: 'ten-thousand-files',
    make: (folder) => {
      for (let index = 0; index < 10_000; index++) folder.file(`file-${index}`, index % 10 === 0 ? `${index}` : '');
    },
  },
  {
    name: 'many-empty-folders',
    make: (folder) => {
      for (let outer = 0; outer < 30; outer++) {
        folder.directory(`${outer}`, {}, (inner) => {
          for (let index = 0; index < 30; index++) inner.directory(`${index}`);
        });
      }
    },
  },
  {
    name: 'file-and-folder-names-alike',
    make: (folder) => {
      folder.file('a.b', '1');
      folder.directory('a', {}, (inner) => inner.file('b', '2'));
      folder.file('a-b', '3');
      folder.file('a0', '4');
    },
  },
];

/** Nested folders with a file in the last. */
function deep(folder: CaseFolder, levels: number, nameOf: (level: number) => string): void {
  let current = reopenDirectory(folder.folder);
  for (let level = 0; level < levels; level++) {
    new CaseFolder(current).directory(nameOf(level));
    const next = openDirectory(current, raw(nameOf(level)));
    closeDescriptor(current);
    current = next;
  }
  new CaseFolder(current).file('bottom', 'content', { modified: { seconds: 1, nanoseconds: 2 } });
  closeDescriptor(current);
}
