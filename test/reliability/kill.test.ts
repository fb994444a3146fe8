import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { findVersitygw, noServer } from '../engine/storage/s3-server.ts';
import { scratchFolder } from './_crash-points.ts';
import { type KillPlace, localPlace, s3Place } from './_kill-places.ts';
import { type KillOptions, runKills } from './_kill-run.ts';
import { servedPlace } from './_kill-served.ts';

const claim = 'killed at random moments, lose nothing that was acknowledged and leave no litter';

// On a busy machine.
t.setTimeout(1_200_000);

async function expectNothingLost(t: Test, options: KillOptions): Promise<void> {
  const { faults, kills, acknowledged, restored } = await runKills(options);
  t.same(faults, []);
  t.ok(kills >= options.kills);
  t.ok(restored > 0, `${restored} snapshots restored, of ${acknowledged} that were acknowledged`);
}

t.test(`SIGKILL: two writers, a collector and a caretaker, ${claim}`, async (t) => {
  const folder = scratchFolder(t);
  await expectNothingLost(t, { kills: 10, folder, place: localPlace(folder) });
});

t.test(
  `SIGKILL, on an S3 server: two writers and a collector, ${claim}`,
  { skip: findVersitygw() === undefined ? noServer : false },
  async (t) => {
    const serverFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'lagan-kills-'));
    const place = await s3Place(serverFolder);
    endWith(t, place);
    t.teardown(() => fs.rmSync(serverFolder, { recursive: true, force: true }));
    await expectNothingLost(t, { kills: 5, folder: scratchFolder(t), place, seed: 2, roles: ['writer', 'collector'] });
  },
);

t.test(`SIGKILL: two writers, a collector and the server that they talk to, ${claim}`, async (t) => {
  const folder = scratchFolder(t);
  const place = await servedPlace(folder);
  endWith(t, place);
  await expectNothingLost(t, { kills: 5, folder, place, seed: 3, roles: ['writer', 'collector', 'server'] });
});

function endWith(t: Test, place: KillPlace): void {
  t.teardown(() => place.end());
}
