import t from 'tap';
import { scratchFolder } from './_crash-points.ts';
import { runKills } from './_kill-run.ts';

t.test(
  'SIGKILL: two writers and a collector, killed at random moments, lose nothing that was acknowledged and leave no litter',
  async (t) => {
    const { faults, kills, acknowledged, restored } = await runKills({ kills: 20, folder: scratchFolder(t) });
    t.same(faults, []);
    t.ok(kills >= 20);
    t.ok(restored > 0, `${restored} of ${acknowledged} acknowledged snapshots are there and whole`);
  },
);
