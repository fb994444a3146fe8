/** `lagan repair`: mends what is damaged. */
import { type Command, Option } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { Loss, RepairedSnapshot, RepairResult, SalvagedPack } from '../shared/engine.ts';
import { isMadeAnew, LaganError, recoveryHint } from '../shared/errors.ts';
import { tellFinding } from '../shared/findings.ts';
import { pathFields } from '../shared/json.ts';
import { addExamples, workersOption } from '../shared/options.ts';
import { openRepository } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCountOf, formatSize } from '../shared/sizes.ts';
import { describeSnapshot, shortId } from '../shared/snapshots.ts';
import { escapeMessage, textOfBytes } from '../shared/text.ts';
import { formatDuration } from '../shared/times.ts';

interface RepairCommandOptions {
  readonly dryRun?: boolean;
  readonly readData?: boolean;
  readonly markOriginals?: 'whole' | 'all';
  readonly workers?: number;
}

const listedLosses = 10;

export function define(command: Command): void {
  command
    .description(
      'Looks for damage and mends what can be mended: packs that no index lists any more are listed again, what can still be opened of damaged packs is copied to new ones, and of each snapshot that lost something a copy is made, with all that is left; it says what is lost. Nothing is deleted or changed, only added, and backups may run meanwhile. It may be interrupted and run again at any time.',
    )
    .option('-n, --dry-run', 'only say what would be done')
    .option('--read-data', 'read and verify all data first, not only what is known to be damaged')
    .addOption(
      new Option(
        '--mark-originals <which>',
        'remove damaged snapshots of which there is a repaired copy, as lagan forget does: whole, if it lost nothing, or all',
      ).choices(['whole', 'all']),
    )
    .action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  command.addOption(workersOption('threads that read'));
  addExamples(command, [
    ['lagan repair --dry-run', 'what would be done, and what is lost'],
    ['lagan repair', 'what a check found is mended'],
    ['lagan repair --read-data', 'all that is stored is verified first'],
  ]);
}

async function run(context: Context, { dryRun = false, ...options }: RepairCommandOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const { engine, repository } = await openRepository(context, dryRun ? 'read' : 'write');
  const running = new Running(context, dryRun ? 'looking' : 'repairing');
  try {
    const { signal, onProgress } = running.engineOptions;
    const result = await engine.repair(repository, { ...options, dryRun, onProgress, signal });
    running.end();
    await report(context, result, running.elapsedMs);
  } finally {
    running.end();
  }
}

async function report(context: Context, result: RepairResult, elapsedMs: number): Promise<void> {
  const { output } = context;
  const { check, salvaged, snapshots, left, outcome, listedPacks, missingPacks } = result;
  for (const finding of check.errors) await tellFinding(context, finding);
  const would = outcome === 'dry-run' ? 'would be' : 'are';
  for (const pack of salvaged) await tellSalvaged(context, pack, would);
  for (const snapshot of snapshots) await tellSnapshot(context, snapshot, outcome === 'dry-run');
  const lost = snapshots.filter(({ lossCount }) => lossCount > 0).length;
  const lostBytes = snapshots.reduce((sum, snapshot) => sum + snapshot.lostBytes, 0);
  await output.json({
    type: 'summary',
    outcome,
    findings: check.errors.length,
    listedPacks,
    salvagedPacks: salvaged.filter(({ savedBlocks }) => savedBlocks > 0).length,
    missingPacks,
    snapshots: snapshots.length,
    snapshotsWithLosses: lost,
    left: left.length,
    complete: check.complete,
    elapsedMs: Math.round(elapsedMs),
  });
  for (const line of linesOf(result, { would, lost, lostBytes })) await output.summary(line);
  await output.summary(`${outcome === 'sound' && check.errors.length === 0 ? 'nothing to mend' : 'done'}, in ${formatDuration(elapsedMs)}`);
  if (snapshots.some(({ isMarked, outcome }) => !isMarked && (outcome === 'copied' || outcome === 'known')))
    output.note('lagan repair --mark-originals whole removes the damaged snapshots whose copies lost nothing');
  if (lost + left.length > 0) throw notAllMended({ lost, left });
}

function linesOf(
  { listedPacks, missingPacks, left }: RepairResult,
  { would, lost, lostBytes }: { would: string; lost: number; lostBytes: number },
): string[] {
  return [
    ...(listedPacks > 0 ? [`${formatCountOf(listedPacks, 'pack')} that no index listed ${would} listed again`] : []),
    ...(missingPacks > 0 ? [`${formatCountOf(missingPacks, 'pack is', 'packs are')} gone from the store`] : []),
    ...(lost > 0
      ? [`${formatCountOf(lost, 'snapshot')} lost something (${formatSize(lostBytes)} of files): back up their sources again`]
      : []),
    ...(left.length > 0
      ? [`${formatCountOf(left.length, 'damaged object')} cannot be mended by this: docs/repair.md says what to do`]
      : []),
  ];
}

async function tellSalvaged({ output }: Context, salvaged: SalvagedPack, would: string): Promise<void> {
  const { pack, isReadable, savedBlocks, savedBytes, elsewhereChunks, lostBlocks, lostChunks } = salvaged;
  await output.json({ type: 'salvaged', ...salvaged });
  const parts = [
    ...(savedBlocks > 0 ? [`${formatCountOf(savedBlocks, 'block')} (${formatSize(savedBytes)}) ${would} copied to a new pack`] : []),
    ...(elsewhereChunks > 0 ? [`${formatCountOf(elsewhereChunks, 'chunk is', 'chunks are')} in other packs, too`] : []),
    ...(lostBlocks > 0
      ? [`${formatCountOf(lostBlocks, 'block')}${lostChunks > 0 ? ` with ${formatCountOf(lostChunks, 'chunk')}` : ''} cannot be opened`]
      : []),
    ...(isReadable ? [] : ['nothing of it can be opened']),
  ];
  await output.line(`pack ${shortId(pack)}: ${parts.join('; ') || 'nothing is in it'}`);
}

async function tellSnapshot({ output }: Context, repaired: RepairedSnapshot, isDryRun: boolean): Promise<void> {
  const { original, outcome, copy, losses, lossCount, lostBytes, isMarked } = repaired;
  await output.json({
    type: 'repaired',
    snapshot: original.id,
    outcome,
    copy,
    lossCount,
    lostBytes,
    losses: losses.map(lossFields),
    isMarked,
  });
  const marked = isMarked ? `; the damaged one ${isDryRun ? 'would be' : 'is'} removed` : '';
  await output.line(`snapshot ${output.name(describeSnapshot(original))}: ${wordsOf(repaired, isDryRun)}${marked}`);
  for (const { path, message } of losses.slice(0, listedLosses))
    await output.line(`  ${output.name(textOfBytes(path))}: ${escapeMessage(message)}`);
  const others = lossCount - Math.min(losses.length, listedLosses);
  if (others > 0) await output.line(`  and ${formatCountOf(others, 'other loss', 'other losses')} (--json lists more)`);
}

function wordsOf({ outcome, copy, lossCount }: RepairedSnapshot, isDryRun: boolean): string {
  if (outcome === 'lost') return 'not even its top folder can be read';
  const all = lossCount === 0 ? 'with all that it had' : 'with what is left';
  if (outcome === 'known') return `its repaired copy is ${shortId(copy!)}, ${all}`;
  const made = isDryRun ? `a copy would be made ${all}` : `copied as ${shortId(copy!)} ${all}`;
  return outcome === 'held' ? `${made}; it is pinned and stays` : made;
}

function lossFields({ path, message, lostBytes, lostEntries }: Loss): object {
  return { ...pathFields(path), message, lostBytes, lostEntries };
}

function notAllMended({ lost, left }: { lost: number; left: RepairResult['left'] }): LaganError {
  const parts = [
    ...(lost > 0 ? [`${formatCountOf(lost, 'snapshot')} lost something`] : []),
    ...(left.length > 0 ? [`${formatCountOf(left.length, 'damaged object is', 'damaged objects are')} left`] : []),
  ];
  return new LaganError('check-failed', `not everything could be mended: ${parts.join(', ')}`, {
    found: lost + left.length,
    hint:
      lost === 0 && left.some(isMadeAnew)
        ? recoveryHint
        : 'back up the same folders again from their sources, then run lagan repair once more: what comes back is put into new copies',
  });
}
