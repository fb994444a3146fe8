/**
 * `npm run bench`: measures lagan beside the other backup tools that are on PATH. docs/performance.md tells what is measured and how.
 *
 * Data sets one after the other; for each, as often as --runs says, every tool in turn, so that what changes on the machine meets them all.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type DataSet, dataSets, treeLeastFiles } from './data-sets/mod.ts';
import * as format from './format.ts';
import { makeLaganPackage } from './lagan-package.ts';
import { describeMachine } from './machine.ts';
import { chooseMeter, type Meter } from './measure.ts';
import { helpText, type Options, parseOptions } from './options.ts';
import { askVersion, findProgram } from './programs.ts';
import { markdownReport } from './report-markdown.ts';
import { svgReport } from './report-svg.ts';
import { textReport } from './report-text.ts';
import { type Results, type Row, RowCollector, titleOf } from './results.ts';
import { baseEnvironment, runScenarios, type ScenarioResult } from './scenarios.ts';
import { BenchError, openScratch, type Scratch } from './scratch.ts';
import { type Tool, tools } from './tools/mod.ts';

const reports: Record<Options['print'], (results: Results) => string> = {
  text: textReport,
  json: (results) => `${JSON.stringify(results, null, 2)}\n`,
  markdown: markdownReport,
  svg: svgReport,
};

/** A tool may trust a file only if it did not change just before: so much time passes after the data is made. */
const settlingMs = 3000;

interface FoundTool {
  readonly tool: Tool;
  readonly program: string;
  readonly version: string;
}

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const [name, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.once(name, () => stop.abort(exitCode));
  try {
    const options = parseOptions(argv, join(import.meta.dirname, 'results'));
    if (options === undefined) return print(helpText);
    if (options.from !== undefined) return print(reports[options.print](readResults(options.from)));
    const results = await measureAll(options, stop.signal);
    writeResults(results, options.out);
    print(reports[options.print](results));
    return results.rows.some((row) => row.invalid !== undefined) ? 1 : 0;
  } catch (error) {
    if (stop.signal.aborted) return stop.signal.reason as number;
    if (!(error instanceof BenchError)) throw error;
    say(`error: ${error.message}`);
    return 2;
  }
}

async function measureAll(options: Options, signal: AbortSignal): Promise<Results> {
  const chosen = dataSets(options.size).filter(({ name }) => options.only.includes(name));
  mkdirSync(options.out, { recursive: true });
  using scratch = openScratch(chosen, { base: options.folder, keep: options.keep });
  const { name: meterName, meter } = await chooseMeter({ folder: scratch.work, signal });
  const machine = describeMachine({ folder: scratch.folder, fileSystem: scratch.fileSystem, meter: meterName });
  if (machine.loadAtStart > 0.5) say(`other work is running (load ${machine.loadAtStart.toFixed(1)}): the figures will be disturbed`);
  const { found, skipped } = findTools(options, scratch);
  assertWorthwhile(found, skipped);

  const collected = new RowCollector();
  const contents: Results['dataSets'][number][] = [];
  for (const dataSet of chosen) {
    contents.push(await measureSet(dataSet, { options, scratch, found, meter, signal, collected }));
    if (!options.keep) scratch.drop(dataSet);
  }
  return {
    format: 'lagan-bench-1',
    takenAt: new Date().toISOString(),
    size: options.size,
    runs: options.runs,
    machine,
    dataSets: contents,
    tools: found.map(({ tool: { name, label }, version }) => ({ name, label, version })),
    skipped,
    rows: collected.rows,
  };
}

interface SetContext {
  readonly options: Options;
  readonly scratch: Scratch;
  readonly found: readonly FoundTool[];
  readonly meter: Meter;
  readonly signal: AbortSignal;
  readonly collected: RowCollector;
}

async function measureSet(
  dataSet: DataSet,
  { options, scratch, found, meter, signal, collected }: SetContext,
): Promise<Results['dataSets'][number]> {
  // Only of lagan is there a demand on the start.
  const subjects = found.filter(({ tool }) => dataSet.name !== 'start' || tool.name === 'lagan');
  if (dataSet.spaceBytes > 0) say(`${dataSet.name}: making the data`);
  const { folder, content } = await scratch.provide(dataSet);
  if (content.files > 0)
    say(`${dataSet.name}: ${content.description}; ${format.count(content.files)} files, ${format.megabytes(content.bytes)} MB`);
  if (dataSet.name === 'tree' && options.size === 'full' && content.files < treeLeastFiles) {
    say(`tree: this system has fewer than ${format.count(treeLeastFiles)} files to take: its figures are not those of the targets`);
  }
  if (dataSet.spaceBytes > 0) await new Promise((done) => setTimeout(done, settlingMs));
  for (let run = 0; run < options.runs; run++) {
    for (const { tool, program } of subjects) {
      signal.throwIfAborted();
      if (collected.hasFailed({ dataSet: dataSet.name, tool: tool.name })) continue;
      const report = (scenario: Row['scenario'], result: ScenarioResult) => {
        const key = { dataSet: dataSet.name, scenario, tool: tool.name };
        collected.add(key, result);
        say(`  run ${run + 1} of ${options.runs}, ${tool.label}, ${titleOf(key)}: ${resultText(result)}`);
      };
      await runScenarios({ tool, program, dataSet, source: folder, isCompared: run === 0 }, { meter, work: scratch.work, report });
    }
  }
  return { name: dataSet.name, ...content };
}

function findTools(options: Options, scratch: Scratch): { found: FoundTool[]; skipped: Results['skipped'] } {
  const found: FoundTool[] = [];
  const skipped: Results['skipped'][number][] = [];
  for (const tool of tools.filter(({ name }) => options.tools.includes(name))) {
    const result = findTool(tool, { options, scratch });
    if ('problem' in result) skipped.push({ name: tool.name, label: tool.label, reason: result.problem });
    else found.push({ tool, ...result });
    say('problem' in result ? `${tool.label}: left out: ${result.problem}` : `${tool.label}: ${result.version}`);
  }
  return { found, skipped };
}

/** Half an hour of peers without lagan is not what was asked for, unless it was. */
function assertWorthwhile(found: readonly FoundTool[], skipped: Results['skipped']): void {
  const lagan = skipped.find(({ name }) => name === 'lagan');
  if (lagan !== undefined)
    throw new BenchError(`lagan cannot be measured: ${lagan.reason}\n--lagan names another launcher, --tools measures others alone`);
  if (found.length === 0) throw new BenchError('none of the tools is on PATH');
}

function findTool(
  tool: Tool,
  { options, scratch }: { options: Options; scratch: Scratch },
): { program: string; version: string } | { problem: string } {
  const located = tool.name === 'lagan' ? locateLagan(options, scratch) : locate(tool.program);
  if ('problem' in located) return located;
  const answer = askVersion(located.program, { arguments: tool.versionArguments, environment: baseEnvironment(scratch.work) });
  return 'problem' in answer ? answer : { ...located, ...answer };
}

function locate(name: string): { program: string } | { problem: string } {
  const program = findProgram(name);
  return program === undefined ? { problem: `no ${name} on PATH` } : { program };
}

function locateLagan(options: Options, scratch: Scratch): { program: string } | { problem: string } {
  return options.lagan === undefined ? makeLaganPackage(join(scratch.work, 'lagan-package')) : { program: resolve(options.lagan) };
}

function readResults(file: string): Results {
  let results: Results;
  try {
    results = JSON.parse(readFileSync(file, 'utf8')) as Results;
  } catch (error) {
    throw new BenchError(`cannot read the results in ${file}: ${(error as Error).message}`);
  }
  if (results.format !== 'lagan-bench-1')
    throw new BenchError(`${file} holds no results of this benchmark: its format is ${String(results.format)}, not lagan-bench-1`);
  return results;
}

function writeResults(results: Results, folder: string): void {
  const name = join(folder, results.takenAt.slice(0, 19).replaceAll(':', '-'));
  writeFileSync(`${name}.json`, reports.json(results));
  writeFileSync(`${name}.txt`, reports.text(results));
  writeFileSync(`${name}.svg`, reports.svg(results));
  say(`results: ${name}.json, .txt, .svg`);
}

function resultText(result: ScenarioResult): string {
  if ('problem' in result) return `invalid: ${result.problem}`;
  const { wallSeconds, cpuSeconds, peakMemoryBytes, storedBytes } = result.measurement;
  const stored = storedBytes === undefined ? '' : `, stored ${format.megabytes(storedBytes)} MB`;
  return `${format.seconds(wallSeconds)} s, CPU ${format.seconds(cpuSeconds)} s, ${format.mebibytes(peakMemoryBytes)} MiB${stored}`;
}

function print(text: string): 0 {
  process.stdout.write(text);
  return 0;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
