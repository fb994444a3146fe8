/** Owners and groups. */

import { groupId, userId } from '../../../engine/system/mod.ts';
import { CannotMake } from '../case-folder.ts';
import type { FidelityCase } from '../make-cases.ts';

const nobody = { uid: 54_321, gid: 54_322 };

export const ownerCases: readonly FidelityCase[] = [
  {
    name: 'owner-by-number',
    needs: 'root',
    make: (folder) => {
      folder.file('file', 'content', nobody);
      folder.directory('folder', nobody, (inner) => inner.file('inner', '', { uid: 1, gid: 54_322 }));
    },
  },
  {
    name: 'owner-by-name',
    needs: 'root',
    make: (folder) => {
      const [uid, gid] = [userId('daemon') ?? userId('bin'), groupId('daemon') ?? groupId('bin')];
      if (uid === undefined || gid === undefined) throw new CannotMake('this system has neither the user daemon nor bin');
      folder.file('file', 'content', { uid, gid });
    },
  },
  { name: 'largest-owner-numbers', needs: 'root', make: (folder) => folder.file('file', '', { uid: 4_294_967_294, gid: 4_294_967_294 }) },
  { name: 'group-of-another', needs: 'root', make: (folder) => folder.file('file', '', { gid: 54_322 }) },
  { name: 'owner-of-symlink', needs: 'root', make: (folder) => folder.symlink('link', 'nowhere', nobody) },
  {
    name: 'owner-of-specials',
    needs: 'root',
    make: (folder) => {
      folder.node('fifo', { type: 'fifo' }, { ...nobody, mode: 0o640 });
      folder.node('socket', { type: 'socket' }, { ...nobody, mode: 0o606 });
      folder.node('device', { type: 'character-device', major: 1, minor: 5 }, { ...nobody, mode: 0o444 });
    },
  },
  {
    name: 'setuid-of-another',
    needs: 'root',
    make: (folder) => {
      folder.file('setuid', '#!/bin/true\n', { ...nobody, mode: 0o4711 });
      folder.file('setgid', '#!/bin/true\n', { ...nobody, mode: 0o2711 });
      folder.directory('folder', { ...nobody, mode: 0o7777 });
    },
  },
  { name: 'unreadable-of-another', needs: 'root', make: (folder) => folder.file('file', 'content', { ...nobody, mode: 0o600 }) },
  {
    name: 'folder-of-another',
    needs: 'root',
    make: (folder) =>
      folder.directory('home', { ...nobody, mode: 0o700 }, (inner) => inner.file('mine', 'content', { ...nobody, mode: 0o600 })),
  },
];
