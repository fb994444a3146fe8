/** The simulation is worth something only if it finds what is wrong: each mistake of the protocol is found by some seed. */
import path from 'node:path';
import t from 'tap';
import { scratchFolder } from '../reliability/_crash-points.ts';
import { mistakes } from './mistakes.ts';
import { runScenario } from './scenario.ts';

const seedsForMistakes = 60;

for (const mistake of mistakes) {
  t.test(`simulation: finds ${mistake.name} (${mistake.words})`, async (t) => {
    const folder = path.join(scratchFolder(t), 'seed');
    for (let seed = 1; seed <= seedsForMistakes; seed++) {
      const found = await runScenario({ seed, folder, mistake }).then(({ faults }) => faults[0], String);
      if (found !== undefined) return t.pass(`seed ${seed}: ${found}`);
    }
    t.fail(`not found by ${seedsForMistakes} seeds`);
  });
}
