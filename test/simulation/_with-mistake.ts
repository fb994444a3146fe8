/**
 * A process whose engine has a mistake: `node _with-mistake.ts <mistake> <folder>` prints the first thing that the schedule, the incident or the seeds find which it names;
 * nothing if that is nothing.
 */
import { NotThere, putIntoCode, sourceMistakes } from './source-mistakes.ts';

// A mistake may show at one moment only; what reads it is loaded later.
process.env.LAGAN_EVERY_MOMENT = '1';
const [name, folder] = process.argv.slice(2) as [string, string];
const mistake = sourceMistakes.find((candidate) => candidate.name === name)!;
putIntoCode(mistake);
const { foundBy } = mistake;
const found = await firstFault().catch((error: unknown) => {
  // The mistake itself is wrong.
  if ([NotThere, TypeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind)) throw error;
  return `it fails: ${error instanceof Error ? error.stack : error}`;
});
if (found !== undefined) console.log(found);

async function firstFault(): Promise<string | undefined> {
  if ('schedule' in foundBy) return (await (await import('./schedules.ts')).schedules[foundBy.schedule]!(folder))[0];
  if ('incident' in foundBy) return (await (await import('../reliability/_incidents.ts')).incidents[foundBy.incident]!.faults(folder))[0];
  const { runScenario } = await import('./scenario.ts');
  for (let seed = 1; seed <= foundBy.seeds; seed++) {
    const { faults } = await runScenario({ seed });
    if (faults.length > 0) return `seed ${seed}: ${faults[0]}`;
  }
  return undefined;
}
