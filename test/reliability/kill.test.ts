import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { findVersitygw, noServer } from '../engine/storage/s3-server.ts';
import { scratchFolder } from './_crash-points.ts';
import { localPlace, s3Place } from './_kill-places.ts';
import { runKills } from './_kill-run.ts';

const claim = 'two writers and a collector, killed at random moments, lose nothing that was acknowledged and leave no litter';

// On a busy machine.
t.setTimeout(1_200_000);

t.test(`SIGKILL: ${claim}`, async (t) => {
  const folder = scratchFolder(t);
  const { faults, kills, acknowledged, restored } = await runKills({
    kills: 20,
    folder,
    place: localPlace(path.join(folder, 'repository')),
  });
  t.same(faults, []);
  t.ok(kills >= 20);
  t.ok(restored > 0, `${restored} of ${acknowledged} acknowledged snapshots are there and whole`);
});

t.test(`SIGKILL, on an S3 server: ${claim}`, { skip: findVersitygw() === undefined ? noServer : false }, async (t) => {
  const serverFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'lagan-kills-'));
  const place = await s3Place(serverFolder);
  t.teardown(async () => {
    await place.end();
    fs.rmSync(serverFolder, { recursive: true, force: true });
  });
  const { faults, acknowledged, restored } = await runKills({ kills: 12, folder: scratchFolder(t), place, seed: 2 });
  t.same(faults, []);
  t.ok(restored > 0, `${restored} of ${acknowledged} acknowledged snapshots are there and whole`);
});
