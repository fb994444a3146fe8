/** The simulation is worth something only if it finds what is wrong: each mistake of the protocol is found by some seed or by a schedule of its own. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import t from 'tap';
import { mistakes as modelled } from '../../spec/model/configurations.mjs';
import { scratchFolder } from '../reliability/_crash-points.ts';
import { isEveryMoment } from '../reliability/_moments.ts';
import { mistakes } from './mistakes.ts';
import { runScenario } from './scenario.ts';
import { incidentMistakes, notInEngine, sourceMistakes } from './source-mistakes.ts';

const allSeeds = Array.from({ length: 60 }, (_, index) => index + 1);
// On a busy machine.
t.setTimeout(1_200_000);

for (const mistake of mistakes) {
  t.test(`simulation: finds ${mistake.name} (${mistake.words})`, async (t) => {
    for (const seed of [mistake.seed, ...allSeeds]) {
      const found = await runScenario({ seed, mistake }).then(({ faults }) => faults[0], String);
      if (found !== undefined) return t.pass(`seed ${seed}: ${found}`);
    }
    t.fail(`not found by ${allSeeds.length} seeds`);
  });
}

const ofIncidents = new Set(incidentMistakes.map(({ name }) => name));
for (const { name, words, foundBy } of sourceMistakes) {
  const finder = 'schedule' in foundBy ? foundBy.schedule : 'incident' in foundBy ? foundBy.incident : `${foundBy.seeds} seeds`;
  const skip = ofIncidents.has(name) && !isEveryMoment && 'LAGAN_EVERY_MOMENT is not set: it would take long';
  t.test(`mistake ${name} (${words}) in the engine's code is found by: ${finder}`, { skip }, async (t) => {
    const program = path.join(import.meta.dirname, '_with-mistake.ts');
    const options = { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, name, scratchFolder(t)], options);
    t.same({ status, stderr }, { status: 0, stderr: '' });
    t.ok(stdout.length > 0, stdout.split('\n')[0] ?? '');
  });
}

t.test('mistakes: each one of the model is put into the engine, or it is said why it cannot be', async (t) => {
  const known = new Set([...mistakes, ...sourceMistakes].map(({ name }) => name));
  const missing = Object.keys(modelled).filter((name) => !known.has(name) && !(name in notInEngine));
  t.same(missing, []);
});
