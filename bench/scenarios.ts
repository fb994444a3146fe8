/** Takes one tool through the scenarios of one data set: a fresh place, the steps in order, everything deleted afterwards. */
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findDifference } from './compare.ts';
import type { DataSet, Scenario } from './data-sets/mod.ts';
import type { Meter, Outcome } from './measure.ts';
import type { Measurement } from './results.ts';
import type { CommandLine, Tool, ToolCommands } from './tools/mod.ts';

export interface Subject {
  readonly tool: Tool;
  /** The file of its program. */
  readonly program: string;
  readonly dataSet: DataSet;
  /** Where the data set is. */
  readonly source: string;
  /** What was restored is compared with the source. */
  readonly isCompared: boolean;
}

export interface RunContext {
  readonly meter: Meter;
  /** A folder for the place of the tool. */
  readonly work: string;
  report(scenario: Scenario, result: ScenarioResult): void;
}

export type ScenarioResult = { readonly measurement: Measurement } | { readonly problem: string };

class StepFailed extends Error {}

/** How often `--version` is asked for in each run: it is short, and the first time reads from disk. */
const startRepetitions = 5;

/** Reports one result for each scenario of the data set. After a failed backup nothing that needs it is tried. */
export async function runScenarios(subject: Subject, context: RunContext): Promise<void> {
  const run = new Run(subject, context);
  let failed: Scenario | undefined;
  try {
    for (const scenario of subject.dataSet.scenarios) {
      const result = failed === undefined ? await run.attempt(scenario) : { problem: `not tried, because of: ${failed}` };
      if ('problem' in result && (scenario === 'first' || scenario === 'edit')) failed ??= scenario;
      context.report(scenario, result);
    }
  } finally {
    run.clear();
  }
}

class Run {
  readonly #subject: Subject;
  readonly #meter: Meter;
  readonly #folder: string;
  readonly #commands: ToolCommands;
  #backups: 1 | 2 = 1;

  constructor(subject: Subject, { meter, work }: RunContext) {
    this.#subject = subject;
    this.#meter = meter;
    this.#folder = join(work, subject.tool.name);
    this.#commands = subject.tool.commandsIn({ folder: this.#folder, source: subject.source });
    this.clear();
    for (const name of ['', 'home', 'temporary']) mkdirSync(join(this.#folder, name));
    for (const [path, text] of Object.entries(this.#commands.files ?? {})) writeFileSync(path, text);
  }

  clear(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async attempt(scenario: Scenario): Promise<ScenarioResult> {
    try {
      return { measurement: await this.#steps[scenario]() };
    } catch (error) {
      if (error instanceof StepFailed) return { problem: error.message };
      throw error;
    }
  }

  readonly #steps: Record<Scenario, () => Promise<Measurement>> = {
    first: async () => {
      for (const line of this.#commands.init) await this.#execute(line);
      return this.#backUp(1);
    },
    unchanged: () => this.#backUp(2),
    verify: async () => {
      await this.#beforeReading();
      return this.#measure(this.#commands.verify);
    },
    restore: () => this.#restore(),
    edit: () => this.#backUpEdited(),
    start: async () => {
      const line = { arguments: this.#subject.tool.versionArguments };
      await this.#execute(line);
      const runs: Measurement[] = [];
      for (let count = 0; count < startRepetitions; count++) runs.push(await this.#measure(line));
      return runs.sort((a, b) => a.wallSeconds - b.wallSeconds)[startRepetitions >> 1]!;
    },
  };

  async #backUp(number: 1 | 2): Promise<Measurement> {
    const before = storedBytes(this.#commands.repository);
    const measurement = await this.#measure(this.#commands.backup(number));
    this.#backups = number;
    return { ...measurement, storedBytes: storedBytes(this.#commands.repository) - before };
  }

  /** A tool that stores little after an edit must still have all of it: that is looked at, though not measured. */
  async #backUpEdited(): Promise<Measurement> {
    const { dataSet, source } = this.#subject;
    dataSet.edit!(source);
    try {
      const measurement = await this.#backUp(2);
      if (this.#subject.isCompared) await this.#restore();
      return measurement;
    } finally {
      dataSet.revert!(source);
    }
  }

  async #restore(): Promise<Measurement> {
    await this.#beforeReading();
    const target = join(this.#folder, 'restored');
    mkdirSync(target);
    const measurement = await this.#measure(this.#commands.restore(this.#backups, target));
    const difference = this.#subject.isCompared ? findDifference(this.#subject.source, target) : undefined;
    rmSync(target, { recursive: true });
    if (difference !== undefined) throw new StepFailed(`what was restored differs from the source: ${difference}`);
    return measurement;
  }

  async #beforeReading(): Promise<void> {
    for (const line of this.#commands.beforeReading ?? []) await this.#execute(line);
  }

  async #measure(line: CommandLine): Promise<Measurement> {
    const { wallSeconds, cpuSeconds, peakMemoryBytes } = await this.#execute(line);
    return { wallSeconds, cpuSeconds, peakMemoryBytes };
  }

  async #execute(line: CommandLine): Promise<Outcome> {
    // What was written before is not to be written to disk while something is measured. In memory this takes no time.
    spawnSync('sync', ['-f', this.#folder]);
    const outcome = await this.#meter({
      program: this.#subject.program,
      arguments: line.arguments,
      environment: { ...baseEnvironment(this.#folder), ...this.#commands.environment },
      folder: line.folder ?? this.#folder,
    });
    if (outcome.exitCode !== 0)
      throw new StepFailed(
        `exit code ${outcome.exitCode} of ${this.#subject.tool.program} ${line.arguments.join(' ')}: ${outcome.lastWords}`,
      );
    return outcome;
  }
}

/** Nothing of the person's own configuration and caches. */
export function baseEnvironment(folder: string): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: join(folder, 'home'), TMPDIR: join(folder, 'temporary'), LANG: 'C.UTF-8' };
}

/** The sizes of all regular files below `folder`; a file with several names counts once. */
export function storedBytes(folder: string): number {
  const seen = new Set<number>();
  let total = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const { size, ino, nlink } = lstatSync(join(entry.parentPath, entry.name));
    if (nlink > 1 && seen.has(ino)) continue;
    seen.add(ino);
    total += size;
  }
  return total;
}
