/**
 * Repositories that are sealed with the right keys and made to hurt whoever reads them. With `LAGAN_EVERY_CASE=1` all of them, otherwise those of the shapes of trees and
 * each sixtieth of the others.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { hostileCases } from './_cases.ts';
import { HostileRun, hostileLimits } from './_run.ts';

const isWhole = process.env.LAGAN_EVERY_CASE === '1';
const scratch = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'lagan-hostile-'));
const run = await HostileRun.begin(scratch);
t.teardown(async () => {
  await run.end();
  fs.rmSync(scratch, { recursive: true });
});
t.setTimeout(60 * 60 * 1000);

t.test('there are hundreds of them, each of a name of its own', async (t) => {
  t.ok(hostileCases.length >= 200, `${hostileCases.length} hostile repositories`);
  t.equal(new Set(hostileCases.map(({ name }) => name)).size, hostileCases.length);
});

// covers: NODE-13
t.test('each gives a clear error or does no harm, in bounded memory and time, and writes nothing beside the target', async (t) => {
  const chosen = hostileCases.filter(
    ({ name }, index) => isWhole || index % 60 === 0 || /folder in itself|two folders|its own child/.test(name),
  );
  const peaks: number[] = [];
  for (const hostile of chosen) {
    const { fault, outcome } = await run.judge(hostile);
    t.equal(fault, undefined, hostile.name);
    if (outcome !== undefined) peaks.push(outcome.peakMiB);
  }
  t.ok(Math.max(...peaks) <= hostileLimits.peakMiB, `${chosen.length} repositories, at most ${Math.max(...peaks)} MiB`);
});
