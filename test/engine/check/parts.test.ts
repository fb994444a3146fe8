import { createHash } from 'node:crypto';
import t from 'tap';
import { ChunkSet } from '../../../engine/check/_chunk-set.ts';
import { checkLimits } from '../../../engine/check/_limits.ts';
import { PackSets } from '../../../engine/check/_pack-sets.ts';
import { isInPart } from '../../../engine/check/read-data.ts';
import type { PackId } from '../../../repo-format/mod.ts';

const names = (count: number, seed: string) =>
  new Uint8Array(Buffer.concat(Array.from({ length: count }, (_, index) => createHash('sha256').update(`${seed} ${index}`).digest())));

t.test('ChunkSet: a chunk is in the packs that it was added for, and in no other', async (t) => {
  const rows = 10_000;
  const [added, others] = [names(rows, 'added'), names(rows, 'others')];
  const chunks = new ChunkSet(2 * rows);
  for (let row = 0; row < rows; row++) chunks.add(added, 32 * row, row % 7);
  t.equal(chunks.size, rows);
  t.notOk(chunks.add(added, 0, 0), 'it is there already');
  t.ok(chunks.add(added, 0, 1), 'in another pack it is another');
  let wrong = 0;
  for (let row = 1; row < rows; row++) {
    if (!chunks.has(added, 32 * row, row % 7)) wrong++;
    if (chunks.has(added, 32 * row, (row % 7) + 1)) wrong++;
    if (chunks.has(others, 32 * row, row % 7)) wrong++;
  }
  t.equal(wrong, 0);
});

t.test('ChunkSet: names of zeros, and as many rows as were expected', async (t) => {
  const zeros = new Uint8Array(64);
  const chunks = new ChunkSet(1);
  t.notOk(chunks.has(zeros, 0, 0));
  t.ok(chunks.add(zeros, 0, 0));
  t.ok(chunks.has(zeros, 32, 0));
  for (const count of [0, 1, 11, 12, 13, 100]) {
    const full = new ChunkSet(count);
    const all = names(count, 'full');
    for (let row = 0; row < count; row++) full.add(all, 32 * row, 3);
    t.equal(full.size, count);
    t.notOk(full.has(zeros, 0, 3), 'a search for what is not there ends');
  }
});

t.test('PackSets: the same set has the same number; large sets are not remembered', async (t) => {
  const sets = new PackSets();
  const small = Uint32Array.of(1, 5, 9);
  t.equal(sets.numberOf(small), sets.numberOf(Uint32Array.of(1, 5, 9)));
  t.not(sets.numberOf(small), sets.numberOf(Uint32Array.of(1, 5)));
  t.same(sets.get(sets.numberOf(small)), small);
  for (const size of [64, 65, checkLimits.setPacks]) {
    const set = Uint32Array.from({ length: size }, (_, index) => index);
    t.same(sets.get(sets.numberOf(set)), set, `${size} packs`);
  }
  const large = Uint32Array.from({ length: checkLimits.setPacks + 1 }, (_, index) => index);
  t.equal(sets.get(sets.numberOf(large)), undefined);
  t.equal(sets.get(-1), undefined);
});

t.test('isInPart: parts are disjoint and together everything', async (t) => {
  const ids = Array.from(
    { length: 4_000 },
    (_, index) => createHash('md5').update(String(index)).digest('hex').replace(/^./, '3') as PackId,
  );
  for (const parts of [1, 2, 3, 10, 97]) {
    const counts = ids.map((id) => Array.from({ length: parts }, (_, part) => isInPart(id, [part + 1, parts])).filter(Boolean).length);
    t.ok(
      counts.every((count) => count === 1),
      `${parts} parts`,
    );
  }
  const inFirst = ids.filter((id) => isInPart(id, [1, 4])).length;
  t.ok(inFirst > 850 && inFirst < 1150, `a quarter of writers' packs, whose first bit is always 0: ${inFirst}`);
});
