// Prints a digest of what the kernel gives for many inputs; run by wide-vectors.test.ts with different flags.

import { createHash } from 'node:crypto';
import { createKernel, enableWideVectors, preferredLanes } from '../../../engine/kernel/mod.ts';
import { integer, options, randomBytes, randomNumbers } from './_helpers.ts';

if ('wide' in globalThis) enableWideVectors();
const kernel = createKernel(options(1 << 20, { horizonBytes: 16384, gridBytes: 65536 }));
const random = randomNumbers(30);
kernel.data.set(randomBytes(900000, random));
const hash = createHash('sha256');

for (let round = 0; round < 300; round++) {
  const count = integer(random, 1, 30);
  const ranges = Uint32Array.from({ length: 2 * count }, (_, index) => integer(random, 0, index & 1 ? 100 * round : 800000));
  kernel.nameMany(ranges, 950000);
  hash.update(kernel.data.subarray(950000, 950000 + 32 * count));
}
for (let round = 0; round < 20; round++) {
  kernel.cutter.begin(0);
  hash.update(JSON.stringify([kernel.cutter.feed(integer(random, 0, 20), 800000), kernel.cutter.finish()]));
}
console.log(`${preferredLanes()} lanes: ${hash.digest('hex')}`);
