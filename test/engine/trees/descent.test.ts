/** How deep a walk may go, and what a backup does with what is deeper. */
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { restore } from '../../../engine/mod.ts';
import { listSnapshots } from '../../../engine/repository/mod.ts';
import { Descent } from '../../../engine/trees/mod.ts';
import { idFromBytes, limits } from '../../../repo-format/mod.ts';
import { backUp, makePlace } from '../backup/_fixture.ts';

const node = (number: number) => {
  const name = new Uint8Array(32);
  new DataView(name.buffer).setUint32(0, number);
  return { pack: idFromBytes(new Uint8Array(16)), name };
};
const folder = (nameSizeBytes: number, number: number | null) => ({
  name: new Uint8Array(nameSizeBytes).fill(0x64),
  node: number === null ? null : node(number),
});

t.test('Descent: as many folders in each other as the limit says, the top counted', async (t) => {
  const descent = new Descent(node(0));
  for (let depth = 1; depth < limits.folderDepth; depth++) descent.enter(folder(1, depth));
  t.throws(() => descent.enter(folder(1, limits.folderDepth)), { code: 'limit-exceeded', expected: limits.folderDepth });
  descent.leave();
  descent.enter(folder(1, limits.folderDepth));
});

t.test('Descent: paths as long as the limit says, a slash before each name', async (t) => {
  const descent = new Descent(null);
  for (let count = 0; count < limits.pathSizeBytes / 256 - 1; count++) descent.enter(folder(255, null));
  descent.enter(folder(253, 1));
  t.throws(() => descent.enter(folder(2, 2)), { code: 'limit-exceeded', expected: limits.pathSizeBytes });
  descent.enter(folder(2, null));
  descent.leave();
  descent.enter(folder(1, 2));
});

t.test('Descent: no folder that it is in, but one that it was in', async (t) => {
  const descent = new Descent(node(0));
  t.throws(() => descent.enter(folder(1, 0)), { code: 'malformed' });
  descent.enter(folder(1, 1));
  descent.enter(folder(1, 2));
  for (const above of [0, 1, 2]) t.throws(() => descent.enter(folder(1, above)), { code: 'malformed', object: /packs/ });
  descent.leave();
  descent.enter(folder(1, 2));
  descent.leave();
  descent.leave();
  descent.enter(folder(1, 1));
  descent.enter(folder(1, null));
  descent.enter(folder(1, null));
});

t.test('backup: what is too deep for readers is left out and told, and the rest can be restored', async (t) => {
  const place = await makePlace(t);
  const home = process.cwd();
  t.teardown(() => process.chdir(home));
  process.chdir(place.source);
  for (let level = 0; level < limits.pathSizeBytes / 256 + 2; level++) {
    const name = 'd'.repeat(255);
    mkdirSync(name);
    process.chdir(name);
    writeFileSync('file', `${level}`);
  }
  process.chdir(home);
  const { errors } = await backUp(place);
  t.match(errors, [{ code: 'limit-exceeded' }]);
  t.equal(errors.length, 1);
  const [snapshot] = await listSnapshots(place.repository);
  const target = mkdtempSync(`${place.folder}/target-`);
  const restored = await restore(place.repository, snapshot!, { target, workers: 1 });
  t.match(restored, { errors: [{ code: 'incomplete' }], statistics: { errors: 1 } });
  t.ok(restored.statistics.files > 250, `${restored.statistics.files} files`);
  t.ok(readdirSync(target).length > 0);
});
