/** `lagan restore`: brings back what a snapshot holds. */
import { readdir } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { RestoreOptions, RestoreResult, SnapshotInfo } from '../shared/engine.ts';
import { errnoOf, LaganError, systemError, usageError } from '../shared/errors.ts';
import { problemFields } from '../shared/json.ts';
import { notRestoredFields, notRestoredText } from '../shared/not-restored.ts';
import { addExamples, addFilterOptions, listOption, workersOption } from '../shared/options.ts';
import { openRepository, shellQuote, warnOfRollback } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCountOf, formatSize } from '../shared/sizes.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, pathInSnapshot, shortId } from '../shared/snapshots.ts';
import { bytesOfText, escapeMessage } from '../shared/text.ts';
import { formatDuration } from '../shared/times.ts';

const overwritePolicies = ['always', 'if-newer', 'if-changed', 'never'] as const;
type Overwrite = (typeof overwritePolicies)[number];

interface RestoreCommandOptions extends FilterOptions {
  readonly target?: string;
  readonly inPlace?: boolean;
  readonly include?: string[];
  readonly exclude?: string[];
  readonly overwrite?: Overwrite;
  readonly delete?: boolean;
  /** Neither option: as the file was. */
  readonly sparse?: boolean;
  readonly verify?: boolean;
  readonly dryRun?: boolean;
  readonly numericOwner?: boolean;
  readonly workers?: number;
}

/** What is restored, and where to. */
interface Plan {
  readonly target: string;
  readonly overwrite: Overwrite;
  /** The folder of the snapshot that becomes the target. */
  readonly top: Uint8Array | undefined;
  readonly paths: readonly Uint8Array[];
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description(
      'Brings back what a snapshot holds: all of it, or the given paths with their place in the snapshot, or with SNAPSHOT:PATH what is in that folder. Without --target it goes to a new folder here. Nothing that exists is touched unless --overwrite says so.',
    )
    .argument('<snapshot>', 'latest, latest~2, an id, or one of these with :PATH')
    .argument('[paths...]', 'only these folders and files')
    .option('-t, --target <folder>', 'where to (default: ./restored-ID, which must be new or empty)')
    .option('--in-place', 'to where it came from; what is right already is left alone')
    .addOption(
      new Option(
        '--overwrite <policy>',
        'what to do with files that exist: always, if-newer (the snapshot is newer), if-changed (size or time differ), never',
      ).choices(overwritePolicies),
    )
    .addOption(listOption('--include <pattern>', 'only what fits, as in .gitignore (may be repeated)'))
    .addOption(listOption('--exclude <pattern>', 'leave out what fits (may be repeated)'))
    .option('--delete', 'delete what is in the restored folders of the target but not in the snapshot')
    .option('--sparse', 'leave holes where the file had them or has zeros (default: only where it had them)')
    .option('--no-sparse', 'write zeros into holes')
    .option('--verify', 'read everything again after it was written, and compare')
    .option('--numeric-owner', 'owners by their numbers, not by the names that this machine has')
    .addOption(workersOption('threads that decrypt and write'))
    .option('-n, --dry-run', 'only say what would be done')
    .action(async (snapshot: string, paths: string[], _options: object, self: Command) =>
      run(contextOf(self), { snapshot, paths }, self.opts()),
    );
  addExamples(command, [
    ['lagan restore latest --target /tmp/restored', 'all of the latest snapshot'],
    ['lagan restore latest~1 /etc/fstab -t /tmp/restored', 'gives /tmp/restored/etc/fstab'],
    ['lagan restore latest:/srv/data -t /srv/data2', 'what was in /srv/data'],
    ["lagan restore latest -t /tmp/r --include '*.jpg'", 'only pictures'],
    ['lagan restore latest /srv/data --in-place --dry-run', 'what would be repaired'],
    ['lagan restore latest -t /tmp/restored --overwrite if-changed', 'go on after an interruption'],
  ]);
}

async function run(context: Context, operands: { snapshot: string; paths: string[] }, options: RestoreCommandOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const reference = parseSnapshotReference(operands.snapshot);
  assertOptionsAgree(operands.paths, reference.path, options);
  const opened = await openRepository(context, 'read');
  const [info] = await Promise.all([
    findSnapshot(opened, reference, { filter: filterOf(options, context), signal: context.signal }),
    warnOfRollback(context, opened),
  ]);
  const plan = await planOf(context, info, { top: reference.path, paths: operands.paths, options });
  const running = new Running(context, 'restoring');
  try {
    const result = await opened.engine.restore(opened.repository, info, engineOptions(plan, options, running));
    running.end();
    await report(context, result, { info, plan, options, elapsedMs: running.elapsedMs });
  } finally {
    running.end();
  }
}

function assertOptionsAgree(paths: readonly string[], top: string | undefined, options: RestoreCommandOptions): void {
  if (options.target !== undefined && options.inPlace) throw usageError('--target and --in-place contradict each other');
  if (top !== undefined && paths.length > 0) throw usageError('paths are given twice', 'either after the colon or as arguments');
  if (options.delete && options.target === undefined && !options.inPlace) throw usageError('--delete goes with --target or --in-place');
  if (options.delete && options.inPlace && paths.length === 0 && top === undefined) {
    throw usageError(
      '--delete --in-place needs a path',
      'name the folder that shall become as it was: lagan restore latest /srv/data --in-place --delete',
    );
  }
}

async function planOf(
  context: Context,
  info: SnapshotInfo,
  parts: { top: string | undefined; paths: string[]; options: RestoreCommandOptions },
): Promise<Plan> {
  const { options } = parts;
  const paths = parts.paths.map(pathInSnapshot);
  const top = parts.top === undefined ? undefined : pathInSnapshot(parts.top);
  if (options.inPlace) return { target: '/', overwrite: options.overwrite ?? 'if-changed', top: undefined, paths: top ? [top] : paths };
  const target = context.resolve(options.target ?? `restored-${shortId(info.id)}`);
  if (options.overwrite === undefined) await assertFree(target);
  return { target, overwrite: options.overwrite ?? 'never', top, paths };
}

/** Without a policy nothing is put into a folder that has something in it. */
async function assertFree(target: string): Promise<void> {
  try {
    const names = await readdir(target);
    if (names.length === 0) return;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw systemError('restore to', target, error);
  }
  throw new LaganError('exists', `the folder ${target} is not empty`, {
    object: target,
    hint: 'name a new folder with --target, or say with --overwrite what happens to files that exist; --overwrite if-changed goes on after an interruption',
  });
}

function engineOptions(plan: Plan, options: RestoreCommandOptions, running: Running): RestoreOptions {
  return {
    ...running.engineOptions,
    target: bytesOfText(plan.target),
    from: plan.top,
    paths: plan.paths,
    include: options.include ?? [],
    exclude: options.exclude ?? [],
    overwrite: plan.overwrite,
    delete: options.delete ?? false,
    ...(options.sparse !== undefined && { sparse: options.sparse }),
    verify: options.verify ?? false,
    dryRun: options.dryRun ?? false,
    numericOwner: options.numericOwner ?? false,
    ...(options.workers !== undefined && { workers: options.workers }),
  };
}

async function report(
  context: Context,
  result: RestoreResult,
  about: { info: SnapshotInfo; plan: Plan; options: RestoreCommandOptions; elapsedMs: number },
): Promise<void> {
  const { output } = context;
  const { info, plan, options, elapsedMs } = about;
  await output.json({
    type: 'summary',
    outcome: options.dryRun ? 'dry-run' : 'restored',
    snapshot: info.id,
    target: plan.target,
    statistics: result.statistics,
    errors: result.errors.map(problemFields),
    notRestored: result.notRestored.map(notRestoredFields),
    elapsedMs: Math.round(elapsedMs),
  });
  for (const line of summaryLines(result, { target: plan.target, isDryRun: options.dryRun === true, elapsedMs }))
    await output.summary(line);
  if (result.statistics.errors > 0) context.endWith('partial');
}

function summaryLines(
  { statistics, notRestored }: RestoreResult,
  about: { target: string; isDryRun: boolean; elapsedMs: number },
): string[] {
  const amount = `${formatCountOf(statistics.files, 'file')}, ${formatCountOf(statistics.directories, 'folder')}, ${formatSize(statistics.bytes)}`;
  const counts = [
    ...(statistics.skipped > 0 ? [`${formatCountOf(statistics.skipped, 'file')} left as they were`] : []),
    ...(statistics.deleted > 0 ? [`${formatCountOf(statistics.deleted, 'entry', 'entries')} deleted`] : []),
    ...(statistics.verified > 0 ? [`${formatCountOf(statistics.verified, 'file')} verified`] : []),
  ];
  return [
    `${about.isDryRun ? 'would restore' : 'restored'} ${amount} to ${escapeMessage(shellQuote(about.target))} in ${formatDuration(about.elapsedMs)}`,
    ...(counts.length > 0 ? [counts.join(', ')] : []),
    ...notRestored.map(notRestoredText),
    ...(statistics.errors > 0
      ? [`${formatCountOf(statistics.errors, 'entry', 'entries')} could not be restored completely (see the warnings)`]
      : []),
  ];
}
