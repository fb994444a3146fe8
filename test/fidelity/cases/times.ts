/** Times of modification: to the nanosecond, of every type, far from now. */

import type { Look } from '../case-folder.ts';
import type { FidelityCase } from '../make-cases.ts';

const far = at(1_234_567_890, 987_654_321);

export const timeCases: readonly FidelityCase[] = [
  {
    name: 'nanoseconds',
    make: (folder) => {
      for (const nanoseconds of [0, 1, 99, 100, 999, 1000, 123_456_789, 999_999_999])
        folder.file(`${nanoseconds}`, '', at(1_600_000_000, nanoseconds));
    },
  },
  { name: 'epoch', make: (folder) => folder.file('file', '', at(0, 0)) },
  { name: 'second-before-1970', make: (folder) => folder.file('file', '', at(-1, 500_000_000)) },
  { name: 'before-1970', make: (folder) => folder.file('file', '', at(-1_000_000_000, 123_456_789)) },
  { name: 'december-1901', make: (folder) => folder.file('file', '', at(-2_147_483_648, 0)) },
  { name: 'last-second-of-2038-problem', make: (folder) => folder.file('file', '', at(2_147_483_647, 999_999_999)) },
  { name: 'after-2038', make: (folder) => folder.file('file', '', at(2_147_483_648, 1)) },
  { name: 'after-2106', make: (folder) => folder.file('file', '', at(4_294_967_296, 123_456_789)) },
  { name: 'year-2400', make: (folder) => folder.file('file', '', at(13_569_465_600, 1)) },
  {
    name: 'folder-after-its-content',
    make: (folder) =>
      folder.directory('outer', far, (outer) => {
        outer.file('file', 'content');
        outer.directory('inner', at(-5, 5), (inner) => {
          inner.file('file', 'content');
          inner.directory('empty', at(7, 7));
        });
      }),
  },
  { name: 'times-of-symlink', make: (folder) => folder.symlink('link', 'nowhere', far) },
  {
    name: 'times-of-symlink-and-target',
    make: (folder) => [folder.file('file', 'content', at(1, 1)), folder.symlink('link', 'file', at(2, 2))],
  },
  {
    name: 'fifo-and-socket-times',
    make: (folder) => [folder.node('fifo', { type: 'fifo' }, far), folder.node('socket', { type: 'socket' }, at(-3, 3))],
  },
  { name: 'device-times', needs: 'root', make: (folder) => folder.node('device', { type: 'block-device', major: 7, minor: 0 }, far) },
  {
    name: 'read-only-folder-times',
    make: (folder) => folder.directory('fixed', { ...far, mode: 0o555 }, (inner) => inner.file('file', '', at(9, 9))),
  },
  { name: 'folder-before-1970', make: (folder) => folder.directory('old', at(-86_400 * 365, 1), (inner) => inner.file('file')) },
  { name: 'folder-after-2106', make: (folder) => folder.directory('future', at(5_000_000_000, 1), (inner) => inner.file('file')) },
  { name: 'symlink-before-1970', make: (folder) => folder.symlink('old', 'nowhere', at(-77, 77)) },
];

function at(seconds: number, nanoseconds: number): Look {
  return { modified: { seconds, nanoseconds } };
}
