/** `lagan check`: looks for damage. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { CheckResult } from '../shared/engine.ts';
import { isMadeAnew, LaganError, recoveryHint, usageError } from '../shared/errors.ts';
import { tellFinding } from '../shared/findings.ts';
import { addExamples, durationOption, workersOption } from '../shared/options.ts';
import { openRepository } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCountOf, formatSize, parseSize } from '../shared/sizes.ts';
import { formatDuration } from '../shared/times.ts';

type Subset = { readonly percent: number } | { readonly bytes: number } | { readonly part: readonly [number, number] };

interface CheckOptions {
  readonly workers?: number;
  readonly readData?: boolean;
  readonly readDataSubset?: Subset;
  readonly maxDuration?: number;
  readonly record: boolean;
}

/** Of credentials and disks that do not let a check write: that is no fault. */
const quietCodes: ReadonlySet<string> = new Set(['forbidden', 'read-only']);
const maximumParts = 65_536;

export function define(command: Command): void {
  command
    .description(
      'Looks for damage: that every snapshot has all its folders, every file all its chunks, and every chunk its pack. With --read-data everything stored is read, opened and compared with its name, the newest data first. Damage names the files that it hurts. What was verified is remembered in the repository, so that parts add up to the whole.',
    )
    .option('--read-data', 'read and verify all data')
    .option(
      '--read-data-subset <subset>',
      'only a part of it: 10% or 50GiB, what was verified longest ago first; or 2/7, the second of seven parts',
      parseSubset,
    )
    .addOption(durationOption('--max-duration <time>', 'read no more data after so long (30m, 2h); what was verified longest ago first'))
    .option('--no-record', 'write nothing to the repository: neither what was verified, nor what is damaged')
    .action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  command.addOption(workersOption('threads that read'));
  addExamples(command, [
    ['lagan check', 'structure, every day'],
    ['lagan check --read-data-subset 5%', 'run each day: all data in twenty days'],
    ['lagan check --read-data --max-duration 2h', 'as much as two hours suffice for, the rest the next time'],
    ['lagan check --read-data', 'everything'],
  ]);
}

async function run(context: Context, options: CheckOptions): Promise<void> {
  context.output.goOnWhenClosed();
  if (options.readData && options.readDataSubset) throw usageError('--read-data and --read-data-subset contradict each other');
  const readData = options.readDataSubset ?? options.readData ?? false;
  if (options.maxDuration !== undefined && readData === false)
    throw usageError('--max-duration is about reading data', 'say --read-data or --read-data-subset, too');
  const { engine, repository } = await openRepository(context, readData === false ? 'metadata' : 'read');
  const running = new Running(context, 'checking');
  try {
    const { signal, onProgress } = running.engineOptions;
    const result = await engine.check(repository, {
      signal,
      onProgress,
      readData,
      maxDurationMs: options.maxDuration,
      record: options.record,
      ...(options.workers !== undefined && { workers: options.workers }),
    });
    running.end();
    await report(context, result, running.elapsedMs);
  } finally {
    running.end();
  }
}

async function report(context: Context, result: CheckResult, elapsedMs: number): Promise<void> {
  const { output } = context;
  const { errors, notes, durationMs: _, notRecorded, ...counts } = result;
  for (const finding of [...errors, ...notes]) await tellFinding(context, finding);
  const outcome = errors.length > 0 ? 'damaged' : 'sound';
  await output.json({ type: 'summary', outcome, findings: errors.length, ...counts, elapsedMs: Math.round(elapsedMs) });
  await output.summary(
    `checked ${amountOf(result)}, in ${formatDuration(elapsedMs)}: ${errors.length === 0 ? 'no damage found' : 'damage found'}`,
  );
  if (result.packsLeft > 0)
    await output.summary(`${formatCountOf(result.packsLeft, 'pack')} (${formatSize(result.bytesLeft)}) were left: the time was over`);
  if (notRecorded !== null && !quietCodes.has(notRecorded.code))
    await output.warning(`what was found could not be recorded: ${notRecorded.message}`, { code: notRecorded.code });
  if (!result.complete) await output.summary('the damage hid a part of the repository from the check: there may be more');
  if (errors.length > 0) throw checkFailed(errors);
}

function amountOf({ snapshots, files, chunks, packs, packsRead, bytesRead }: CheckResult): string {
  const read = packsRead > 0 ? `, ${formatCountOf(packsRead, 'pack')} (${formatSize(bytesRead)}) read` : '';
  return `${formatCountOf(snapshots, 'snapshot')}, ${formatCountOf(files, 'file')}, ${formatCountOf(chunks, 'chunk')} in ${formatCountOf(packs, 'pack')}${read}`;
}

function checkFailed(errors: CheckResult['errors']): LaganError {
  const found = errors.length;
  const hint = errors.some(isMadeAnew)
    ? recoveryHint
    : 'back up the same folders again from their source: what is missing is stored anew; lagan repair --dry-run says what else can be mended';
  return new LaganError('check-failed', `the check found ${formatCountOf(found, 'damaged object')}`, { found, hint });
}

function parseSubset(text: string): Subset {
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text);
  if (/^\d+(?:\.\d+)? ?[kmgtp]?i?b$/i.test(text)) return bytesOf(text);
  if (percent && Number(percent[1]) > 0 && Number(percent[1]) <= 100) return { percent: Number(percent[1]) };
  const part = /^(\d{1,5})\/(\d{1,5})$/.exec(text);
  const [number, count] = [Number(part?.[1]), Number(part?.[2])];
  if (part && number >= 1 && number <= count && count <= maximumParts) return { part: [number, count] };
  throw usageError(`--read-data-subset: '${text}' is no part of the data`, 'valid are for example 10%, 50GiB and 2/7');
}

function bytesOf(text: string): Subset {
  const bytes = parseSize(text, '--read-data-subset');
  if (bytes < 1) throw usageError(`--read-data-subset: '${text}' is nothing`, 'valid are for example 10%, 50GiB and 2/7');
  return { bytes };
}
