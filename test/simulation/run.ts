/**
 * Runs many seeds, in several processes: `node test/simulation/run.ts --seeds 10000 [--from 1] [--processes 2] [--mistake name]`. Prints what the seeds did
 * and every seed that found something; `--seeds 1 --from N` replays one. Exit code 1 if anything was found. With LAGAN_LOSSES=1 the
 * store loses packs in three of ten seeds.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { ScenarioResult } from './scenario.ts';
import { putIntoCode, sourceMistakes } from './source-mistakes.ts';
import { addResult, emptySummary, figuresOf } from './summary.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    processes: { type: 'string', default: String(availableParallelism()) },
    mistake: { type: 'string' },
    /** Prints a line of JSON for each seed: for the processes that do the work. */
    lines: { type: 'boolean', default: false },
  },
});
const [seeds, from, processes] = [Number(values.seeds), Number(values.from), Number(values.processes)];

if (values.lines) await runHere();
else process.exitCode = await runInProcesses();

async function runHere(): Promise<void> {
  // Before anything of the engine is loaded.
  const inCode = sourceMistakes.find(({ name }) => name === values.mistake);
  if (inCode !== undefined) putIntoCode(inCode);
  const { runScenario } = await import('./scenario.ts');
  const { mistakeNamed } = await import('./mistakes.ts');
  const mistake = values.mistake === undefined || inCode !== undefined ? undefined : mistakeNamed(values.mistake);
  for (let seed = from; seed < from + seeds; seed++) console.log(JSON.stringify(await resultOf(seed)));

  async function resultOf(seed: number): Promise<Partial<ScenarioResult>> {
    try {
      return await runScenario({ seed, mistake, losses: process.env.LAGAN_LOSSES === '1' });
    } catch (error) {
      return { seed, faults: [error instanceof Error ? error.stack! : String(error)] };
    }
  }
}

async function runInProcesses(): Promise<number> {
  const summary = emptySummary();
  const share = Math.ceil(seeds / processes);
  const starts = Array.from({ length: Math.ceil(seeds / share) }, (_, index) => from + index * share);
  const startedAt = performance.now();
  await Promise.all(starts.map((start) => runProcess(start, Math.min(share, from + seeds - start))));
  console.log(figuresOf(summary, { seconds: (performance.now() - startedAt) / 1000 }));
  return summary.found.length === 0 ? 0 : 1;

  async function runProcess(start: number, count: number): Promise<void> {
    const mistake = values.mistake === undefined ? [] : ['--mistake', values.mistake];
    const words = [import.meta.filename, '--lines', '--from', `${start}`, '--seeds', `${count}`, ...mistake];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout })) {
      const result = JSON.parse(line) as ScenarioResult;
      addResult(summary, result);
      for (const fault of result.faults) console.log(`seed ${result.seed}: ${fault}`);
    }
  }
}
