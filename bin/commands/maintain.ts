/** `lagan maintain`: frees what no snapshot needs. */
import { type Command, Option } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { MaintainResult } from '../shared/engine.ts';
import { usageError } from '../shared/errors.ts';
import { addExamples, sizeOption } from '../shared/options.ts';
import { openRepository } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCountOf, formatSize } from '../shared/sizes.ts';
import { formatDuration } from '../shared/times.ts';

interface MaintainCommandOptions {
  readonly dryRun?: boolean;
  readonly maxUnused?: number;
  readonly maxRepack?: number;
}

export function define(command: Command): void {
  command
    .description(
      'Frees what no snapshot needs, such as what only forgotten snapshots had, and folds small objects together. Backups and restores may run meanwhile. It may be interrupted at any time: the next one goes on from there.',
    )
    .option('-n, --dry-run', 'only say what would be done')
    .addOption(
      shareOption('--max-unused <share>', 'how much of the repository may stay unused in packs that are needed for the rest (default: 5%)'),
    )
    .addOption(sizeOption('--max-repack <size>', 'how much is copied at most to get there (default: 8GiB)'))
    .action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan maintain --dry-run', 'what would be freed, and what not'],
    ['lagan maintain', 'after lagan forget, or once a week'],
    ['lagan maintain --max-unused 0%', 'nothing unused is left, whatever must be copied'],
  ]);
}

/** An option whose value is a percentage; its values are shares from 0 to 1. */
function shareOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string) => {
    const match = /^(\d{1,3}(?:\.\d+)?)\s*%?$/.exec(text.trim());
    const share = Number(match?.[1]) / 100;
    if (share >= 0 && share <= 1) return share;
    throw usageError(`--max-unused: '${text}' is not valid`, 'give a percentage from 0% to 100%, such as 5%');
  });
}

async function run(context: Context, { dryRun = false, maxUnused, maxRepack }: MaintainCommandOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const { engine, repository } = await openRepository(context, dryRun ? 'metadata' : 'write');
  const running = new Running(context, 'maintaining');
  try {
    const { signal, onProgress } = running.engineOptions;
    const onDamage = ({ code, message }: { code: string; message: string }) => running.warn({ code, message });
    const result = await engine.maintain(repository, { dryRun, maxUnused, maxRepackBytes: maxRepack, onProgress, onDamage, signal });
    running.end();
    await report(context, result, running.elapsedMs);
  } finally {
    running.end();
  }
}

async function report({ output }: Context, result: MaintainResult, elapsedMs: number): Promise<void> {
  const { damage, durationMs: _, ...counts } = result;
  await output.json({ type: 'summary', ...counts, damaged: damage.length, elapsedMs: Math.round(elapsedMs) });
  for (const line of linesOf(result, elapsedMs)) await output.summary(line);
}

function linesOf(result: MaintainResult, elapsedMs: number): string[] {
  const { freedPacks, freedBytes, neededPacks, neededBytes } = result;
  const freed = `${formatSize(freedBytes)} in ${formatCountOf(freedPacks, 'pack')}`;
  const first = {
    collected: `freed ${freed}, in ${formatDuration(elapsedMs)}`,
    idle: `nothing to free, in ${formatDuration(elapsedMs)}`,
    'dry-run': `would free ${freed}`,
  }[result.outcome];
  return [
    first,
    `${formatSize(neededBytes)} in ${formatCountOf(neededPacks, 'pack')} are needed by ${formatCountOf(result.snapshots, 'snapshot')}`,
    ...changesOf(result),
    ...reasonsOf(result),
  ];
}

function changesOf({ outcome, droppedSnapshots, foldedTables, foldedSnapshots, repackedPacks, repackedBytes }: MaintainResult): string[] {
  const would = outcome === 'dry-run' ? 'would be ' : '';
  return [
    ...(droppedSnapshots > 0 ? [`${formatCountOf(droppedSnapshots, 'forgotten snapshot')} ${would}removed`] : []),
    ...(repackedPacks > 0
      ? [
          `${formatCountOf(repackedPacks, 'pack')} ${would}repacked: ${formatSize(repackedBytes)} of them ${would === '' ? 'were' : 'would be'} copied`,
        ]
      : []),
    ...(foldedTables + foldedSnapshots > 0
      ? [`${formatCountOf(foldedTables, 'index table')} and ${formatCountOf(foldedSnapshots, 'snapshot')} ${would}folded together`]
      : []),
  ];
}

/** Why space is not freed. */
function reasonsOf({ heldSnapshots, unfinishedSessions, rescuedPacks, unusedBytes, damage }: MaintainResult): string[] {
  return [
    ...(unusedBytes !== null && unusedBytes > 0
      ? [`about ${formatSize(unusedBytes)} stay unused in packs that are needed for the rest: see --max-unused and --max-repack`]
      : []),
    ...(heldSnapshots > 0 ? [`${formatCountOf(heldSnapshots, 'forgotten snapshot')} stay: a hold keeps them`] : []),
    ...(unfinishedSessions > 0
      ? [`what ${formatCountOf(unfinishedSessions, 'unfinished backup')} stored is kept, so that the next backup can go on from there`]
      : []),
    ...(rescuedPacks > 0 ? [`${formatCountOf(rescuedPacks, 'pack')} stay: a backup came to need them meanwhile`] : []),
    ...(damage.length > 0
      ? ['nothing is freed as long as it is not known what damaged snapshots need: see lagan check, then forget them']
      : []),
  ];
}
