/** `lagan check`: looks for damage. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { CheckResult, Finding } from '../shared/engine.ts';
import { LaganError, usageError } from '../shared/errors.ts';
import { pathFields } from '../shared/json.ts';
import { addExamples } from '../shared/options.ts';
import { openRepository } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCountOf, formatSize } from '../shared/sizes.ts';
import { shortId } from '../shared/snapshots.ts';
import { textOfBytes } from '../shared/text.ts';
import { formatDuration } from '../shared/times.ts';

type Subset = { readonly percent: number } | { readonly part: readonly [number, number] };

interface CheckOptions {
  readonly readData?: boolean;
  readonly readDataSubset?: Subset;
}

const listedPaths = 10;
const maximumParts = 65_536;

export function define(command: Command): void {
  command
    .description(
      'Looks for damage: that every snapshot has all its folders, every file all its chunks, and every chunk its pack. With --read-data everything stored is read, opened and compared with its name. Damage names the files that it hurts.',
    )
    .option('--read-data', 'read and verify all data')
    .option('--read-data-subset <subset>', 'only a part of it: 10% by chance, or 2/7, the second of seven parts', parseSubset)
    .action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan check', 'structure, every day'],
    ['lagan check --read-data-subset 3/30', 'all data in a month, a part each day'],
    ['lagan check --read-data', 'everything'],
  ]);
}

async function run(context: Context, options: CheckOptions): Promise<void> {
  context.output.goOnWhenClosed();
  if (options.readData && options.readDataSubset) throw usageError('--read-data and --read-data-subset contradict each other');
  const readData = options.readDataSubset ?? options.readData ?? false;
  const { engine, repository } = await openRepository(context, readData === false ? 'metadata' : 'read');
  const running = new Running(context, 'checking');
  try {
    const result = await engine.check(repository, { ...running.engineOptions, readData });
    running.end();
    await report(context, result, running.elapsedMs);
  } finally {
    running.end();
  }
}

async function report(context: Context, result: CheckResult, elapsedMs: number): Promise<void> {
  const { errors, ...counts } = result;
  for (const finding of errors) await tell(context, finding);
  await context.output.json({
    type: 'summary',
    outcome: errors.length > 0 ? 'damaged' : 'sound',
    findings: errors.length,
    ...counts,
    elapsedMs: Math.round(elapsedMs),
  });
  const amount = `${formatCountOf(result.snapshots, 'snapshot')}, ${formatCountOf(result.chunks, 'chunk')} in ${formatCountOf(result.packs, 'pack')}, ${formatSize(result.bytesRead)} read`;
  await context.output.summary(
    `checked ${amount}, in ${formatDuration(elapsedMs)}: ${errors.length === 0 ? 'no damage found' : 'damage found'}`,
  );
  if (errors.length === 0) return;
  throw new LaganError('check-failed', `the check found ${formatCountOf(errors.length, 'damage')}`, {
    found: errors.length,
    hint: 'back up the same folders again from their source: what is missing is stored anew; files that are named above cannot be restored whole from these snapshots',
  });
}

async function tell({ output }: Context, finding: Finding): Promise<void> {
  const paths = finding.paths ?? [];
  await output.json({
    type: 'finding',
    code: finding.code,
    message: finding.message,
    object: finding.object ?? null,
    snapshots: finding.snapshots ?? [],
    paths: paths.map((path) => pathFields(path)),
  });
  await output.line(`${output.style('red', 'damage:')} ${output.name(finding.message)}`);
  if (finding.snapshots?.length) await output.line(`  hurts the snapshots ${finding.snapshots.map(shortId).join(' ')}`);
  for (const path of paths.slice(0, listedPaths)) await output.line(`  ${output.name(textOfBytes(path))}`);
  if (paths.length > listedPaths) await output.line(`  and ${formatCountOf(paths.length - listedPaths, 'other path')}: --json lists all`);
}

function parseSubset(text: string): Subset {
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text);
  if (percent && Number(percent[1]) > 0 && Number(percent[1]) <= 100) return { percent: Number(percent[1]) };
  const part = /^(\d{1,5})\/(\d{1,5})$/.exec(text);
  const [number, count] = [Number(part?.[1]), Number(part?.[2])];
  if (part && number >= 1 && number <= count && count <= maximumParts) return { part: [number, count] };
  throw usageError(`--read-data-subset: '${text}' is no part of the data`, 'valid are for example 10% and 2/7');
}
