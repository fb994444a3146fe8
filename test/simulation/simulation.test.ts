/** Seeds of the simulation (see scenario.ts); `npm run reliability -- --seeds 10000` runs many. */
import t from 'tap';
import { runScenario } from './scenario.ts';
import { addResult, emptySummary, figuresOf } from './summary.ts';

const seeds = 80;
// On a busy machine.
t.setTimeout(1_200_000);
t.test(
  'simulation: everything that was acknowledged is there, bit for bit, whatever the network, the clocks and the machines did',
  async (t) => {
    const summary = emptySummary();
    for (let seed = 1; seed <= seeds; seed++) {
      const result = await runScenario({ seed });
      addResult(summary, result);
      t.same(result.faults, [], `seed ${seed}`);
    }
    t.comment(figuresOf(summary, { seconds: 0 }));
    t.ok(summary.sums.unacknowledged > 0 && summary.sums.deletedPacks > 0 && summary.sums.deaths > 0);
  },
);

t.test('simulation: a seed does the same every time', async (t) => {
  const first = await runScenario({ seed: 70_007 });
  t.same(await runScenario({ seed: 70_007 }), first);
});

t.test('simulation: seed 2040, whose request arrives a second time before the first one', async (t) => {
  t.same((await runScenario({ seed: 2040 })).faults, []);
});

t.test('simulation: what a store loses is called lost, and all else can be read', async (t) => {
  for (const seed of [7, 8]) {
    const { faults, losses, hurt } = await runScenario({ seed, losses: true });
    t.same(faults, []);
    t.ok(losses > 0 && hurt > 0, `seed ${seed}: ${losses} packs lost, ${hurt} files hurt`);
  }
});
