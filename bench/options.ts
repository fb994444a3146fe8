/** The command line of the benchmark. */
import { parseArgs } from 'node:util';
import { type DataSetName, dataSetNames } from './data-sets/mod.ts';
import { BenchError } from './scratch.ts';
import { type ToolName, tools } from './tools/mod.ts';

export interface Options {
  readonly only: readonly DataSetName[];
  readonly tools: readonly ToolName[];
  readonly size: 'full' | 'quick';
  readonly runs: number;
  readonly folder: string | undefined;
  readonly keep: boolean;
  readonly out: string;
  /** A launcher to measure instead of a package made from this checkout. */
  readonly lagan: string | undefined;
  /** A file of results to print again, instead of measuring. */
  readonly from: string | undefined;
  readonly print: 'text' | 'json' | 'markdown' | 'svg';
}

const toolNames = tools.map((tool) => tool.name);
const maximumRuns = 100;

export const helpText = `usage: npm run bench -- [options]

Measures lagan beside the other backup tools that are on PATH, each command as a whole process. Makes its data itself.

  --only SETS        only these data sets (${dataSetNames.join(', ')})
  --tools TOOLS      only these tools (${toolNames.join(', ')})
  --runs N           how often everything is done, the tools in turn (default: 3; medians are shown)
  --quick            small data, one run: to try the benchmark, not to compare anything
  --folder FOLDER    where to work, in a folder lagan-bench that is deleted afterwards (default: /dev/shm if there is room, else the
                     folder for temporary files)
  --keep             leave the data sets there for the next time
  --out FOLDER       where the results go, as JSON, text and picture (default: bench/results)
  --lagan FILE       measure this launcher instead of a package made from this checkout
  --json, --markdown, --svg
                     print that instead of the text
  --from FILE        measure nothing, print the results in that JSON file
  --help             show this

SETS and TOOLS are lists with commas.
`;

/** Undefined if help is asked for. */
export function parseOptions(argv: readonly string[], defaultOut: string): Options | undefined {
  const { help, ...values } = parse(argv);
  if (help) return undefined;
  return {
    only: listOf('--only', values.only, dataSetNames),
    tools: listOf('--tools', values.tools, toolNames),
    size: values.quick ? 'quick' : 'full',
    runs: runsOf(values.runs ?? (values.quick ? '1' : '3')),
    folder: values.folder,
    keep: values.keep ?? false,
    out: values.out ?? defaultOut,
    lagan: values.lagan,
    from: values.from,
    print: printOf(values),
  };
}

function parse(argv: readonly string[]) {
  const [flag, text] = [{ type: 'boolean' } as const, { type: 'string' } as const];
  try {
    const options = {
      only: text,
      tools: text,
      runs: text,
      quick: flag,
      folder: text,
      keep: flag,
      out: text,
      lagan: text,
      from: text,
      json: flag,
      markdown: flag,
      svg: flag,
      help: flag,
    };
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new BenchError(`${(error as Error).message}\nnpm run bench -- --help shows all options`);
  }
}

function listOf<Name extends string>(option: string, text: string | undefined, valid: readonly Name[]): readonly Name[] {
  if (text === undefined) return valid;
  const names = text.split(',').filter((name) => name !== '');
  const unknown = names.find((name) => !valid.includes(name as Name));
  if (unknown !== undefined) throw new BenchError(`${option}: there is no '${unknown}'; valid are ${valid.join(', ')}`);
  if (names.length === 0) throw new BenchError(`${option} is empty; valid are ${valid.join(', ')}`);
  return valid.filter((name) => names.includes(name));
}

function runsOf(text: string): number {
  const runs = Number(text);
  if (Number.isInteger(runs) && runs >= 1 && runs <= maximumRuns) return runs;
  throw new BenchError(`--runs: '${text}' is not a number from 1 to ${maximumRuns}`);
}

function printOf(values: { json?: boolean; markdown?: boolean; svg?: boolean }): Options['print'] {
  const chosen = (['json', 'markdown', 'svg'] as const).filter((format) => values[format]);
  if (chosen.length > 1) throw new BenchError(`--${chosen.join(' and --')} contradict each other`);
  return chosen[0] ?? 'text';
}
