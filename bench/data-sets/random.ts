/** One file of random bytes: nothing to find, nothing to compress. What is left is reading, cutting, hashing, sealing, writing. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSet } from './data-set.ts';
import { Keystream } from './seeded.ts';

const pieceBytes = 8 * 2 ** 20;

export function randomSet({ sizeBytes }: { sizeBytes: number }): DataSet {
  return {
    name: 'random',
    scenarios: ['first', 'restore'],
    recipe: `random 1: ${sizeBytes} bytes`,
    spaceBytes: sizeBytes,
    async make(folder) {
      const stream = new Keystream('lagan bench random');
      const file = openSync(join(folder, 'random.bin'), 'wx');
      for (let left = sizeBytes; left > 0; left -= pieceBytes) writeSync(file, stream.next(Math.min(left, pieceBytes)));
      closeSync(file);
      return { description: 'a file of random bytes', files: 1, bytes: sizeBytes };
    },
  };
}
