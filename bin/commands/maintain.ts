/** `lagan maintain`: frees what no snapshot needs. */
import { type Command, Option } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { MaintainResult } from '../shared/engine.ts';
import { usageError } from '../shared/errors.ts';
import { lockFields, lockLines } from '../shared/locks.ts';
import { addExamples, sizeOption } from '../shared/options.ts';
import { openRepository, rememberRoot } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCount, formatCountOf, formatSize } from '../shared/sizes.ts';
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
    const { signal, onProgress, onWarning } = running.engineOptions;
    const onDamage = ({ code, message }: { code: string; message: string }) => running.warn({ code, message });
    const result = await engine.maintain(repository, {
      dryRun,
      maxUnused,
      maxRepackBytes: maxRepack,
      onProgress,
      onDamage,
      onWarning,
      signal,
    });
    if (!dryRun) await rememberRoot(context, engine, repository);
    running.end();
    await report(context, result, running.elapsedMs);
  } finally {
    running.end();
  }
}

async function report({ output }: Context, result: MaintainResult, elapsedMs: number): Promise<void> {
  const { damage, durationMs: _, locks, ...counts } = result;
  await output.json({ type: 'summary', ...counts, locks: lockFields(locks), damaged: damage.length, elapsedMs: Math.round(elapsedMs) });
  for (const line of linesOf(result, elapsedMs)) await output.summary(line);
}

function linesOf(result: MaintainResult, elapsedMs: number): string[] {
  return [
    firstLine(result, formatDuration(elapsedMs)),
    neededLine(result),
    ...changesOf(result),
    ...lockLines(result),
    ...reasonsOf(result),
  ];
}

function firstLine({ outcome, freedPacks, freedBytes }: MaintainResult, duration: string): string {
  const freed = `${formatSize(freedBytes)} in ${formatCountOf(freedPacks, 'pack')}`;
  if (outcome === 'dry-run') return freedPacks === 0 ? 'would free nothing' : `would free ${freed}`;
  if (outcome === 'idle') return `nothing to free, in ${duration}`;
  return freedPacks === 0 ? `freed nothing, in ${duration}` : `freed ${freed}, in ${duration}`;
}

function neededLine({ neededPacks, neededBytes, snapshots, unfinishedSessions }: MaintainResult): string {
  const unfinished = unfinishedSessions > 0 ? ` and ${formatCountOf(unfinishedSessions, 'unfinished backup')}` : '';
  const users = `${formatCountOf(snapshots, 'snapshot')}${unfinished}`;
  return `${formatSize(neededBytes)} in ${formatCountOf(neededPacks, 'pack')} ${neededPacks === 1 ? 'is' : 'are'} needed by ${users}`;
}

/** Beside what is unused, of which the line before tells. */
function whyRepacked({ repackReasons: { small, scattered, epoch } }: MaintainResult): string {
  const reasons = [
    ...(scattered > 0 ? [`${formatCount(scattered)} so that the newest snapshot is read in order`] : []),
    ...(epoch > 0 ? [`${formatCount(epoch)} because they are sealed with an old key`] : []),
    ...(small > 0 ? [`${formatCount(small)} because they are small`] : []),
  ];
  return reasons.length === 0 ? '' : ` (${reasons.join(', ')})`;
}

function changesOf(result: MaintainResult): string[] {
  const { outcome, droppedSnapshots, freedPacks, foldedTables, foldedSnapshots, repackedPacks, repackedBytes } = result;
  const [would, stored] = outcome === 'dry-run' ? ['would be ', 'would be stored anew'] : ['', 'were stored anew'];
  const ofThem = plural(repackedPacks, 'it', 'them');
  const shared = freedPacks === 0 ? `; what ${droppedSnapshots === 1 ? 'it' : 'they'} had is needed by others, too` : '';
  return [
    ...(droppedSnapshots > 0 ? [`${formatCountOf(droppedSnapshots, 'forgotten snapshot')} ${would}removed${shared}`] : []),
    ...(repackedPacks > 0
      ? [
          `${formatCountOf(repackedPacks, 'pack')} ${would}repacked: ${formatSize(repackedBytes)} of ${ofThem} ${stored}, the rest goes${whyRepacked(result)}`,
        ]
      : []),
    ...(foldedTables + foldedSnapshots > 0
      ? [`${formatCountOf(foldedTables, 'index table')} and ${formatCountOf(foldedSnapshots, 'snapshot')} ${would}folded together`]
      : []),
  ];
}

/** Why space is not freed, and what frees it. */
function reasonsOf({
  isUnderWay,
  heldSnapshots,
  unfinishedSessions,
  rescuedPacks,
  unusedBytes,
  damage,
  ...lost
}: MaintainResult): string[] {
  return [
    ...lostLine(lost),
    ...(isUnderWay ? ['another maintenance is at it, or ended before it was done: lagan maintain goes on from there'] : []),
    ...(unusedBytes !== null && unusedBytes > 0
      ? [
          `about ${formatSize(unusedBytes)} ${plural(unusedBytes, 'stays', 'stay')} unused in packs that are needed for the rest: lagan maintain --max-unused 0% copies the rest`,
        ]
      : []),
    ...(heldSnapshots > 0
      ? [
          `${formatCountOf(heldSnapshots, 'forgotten snapshot')} ${plural(heldSnapshots, 'stays: it is', 'stay: they are')} pinned (lagan pin lists the pins)`,
        ]
      : []),
    ...(unfinishedSessions > 0
      ? [
          `what ${formatCountOf(unfinishedSessions, 'unfinished backup')} stored is kept until the next backup of the same source has gone on from there, for 7 collections or 30 days at most`,
        ]
      : []),
    ...(rescuedPacks > 0
      ? [
          `${formatCountOf(rescuedPacks, 'pack')} ${plural(rescuedPacks, 'stays', 'stay')} for the next run: a backup came to need what is in ${plural(rescuedPacks, 'it', 'them')} meanwhile`,
        ]
      : []),
    ...(damage.length > 0
      ? ['nothing is freed as long as it is not known what damaged snapshots need: see lagan check, then forget them']
      : []),
  ];
}

function lostLine({ lostPacks, lostChunks }: Pick<MaintainResult, 'lostPacks' | 'lostChunks'>): string[] {
  if (lostChunks === 0) return [];
  const packs = `${formatCountOf(lostPacks, 'pack')} ${plural(lostPacks, 'is', 'are')} gone or damaged`;
  const chunks = `${formatCountOf(lostChunks, 'chunk')} of ${plural(lostPacks, 'it', 'them')} ${plural(lostChunks, 'is', 'are')} nowhere else`;
  return [
    `${packs}, and ${chunks}: back up sources that still have the files, and old snapshots are whole again; lagan repair saves the rest`,
  ];
}

function plural(count: number, one: string, many: string): string {
  return count === 1 ? one : many;
}
