/** Seeds of the simulation (see scenario.ts); `npm run reliability -- --seeds 10000` runs many. */
import path from 'node:path';
import t from 'tap';
import { scratchFolder } from '../reliability/_crash-points.ts';
import { runScenario } from './scenario.ts';
import { addResult, emptySummary, figuresOf } from './summary.ts';

const seeds = 60;
t.test(
  'simulation: everything that was acknowledged is there, bit for bit, whatever the network, the clocks and the machines did',
  async (t) => {
    const folder = path.join(scratchFolder(t), 'seed');
    const summary = emptySummary();
    for (let seed = 1; seed <= seeds; seed++) {
      const result = await runScenario({ seed, folder });
      addResult(summary, result);
      t.same(result.faults, [], `seed ${seed}`);
    }
    t.comment(figuresOf(summary, { seconds: 0 }));
    t.ok(summary.sums.unacknowledged > 0 && summary.sums.deletedPacks > 0 && summary.sums.deaths > 0);
  },
);

t.test('simulation: a seed does the same every time', async (t) => {
  const folder = path.join(scratchFolder(t), 'seed');
  const first = await runScenario({ seed: 7, folder });
  t.same(await runScenario({ seed: 7, folder }), first);
});
