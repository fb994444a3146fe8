/** `lagan mirror`: keeps a second store at the state of the repository. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { Engine, MirrorProblem, MirrorResult, Repository, Storage } from '../shared/engine.ts';
import { addExamples } from '../shared/options.ts';
import { absoluteLocation, openRepository, placeOfRepository, presentStorageOf, storageOf } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCountOf, formatSize } from '../shared/sizes.ts';
import { formatDuration } from '../shared/times.ts';

interface MirrorCommandOptions {
  readonly to: string;
  /** False: the repository is not opened. */
  readonly key: boolean;
  readonly verify?: boolean;
  readonly delete?: boolean;
  readonly dryRun?: boolean;
}

export function define(command: Command): void {
  command
    .description(
      'Copies the objects of the repository as they are to another place, those that are not there yet. The mirror opens with the same keys; what was mirrored once stays whole, wherever the next run is interrupted. Back up into the repository only, never into its mirror: a mirror that somebody has written to is noticed and left alone.',
    )
    .requiredOption('--to <place>', 'where the mirror is, or will be: a folder or URL')
    .option('--no-key', 'do not open the repository: only lengths, headers and ends are compared')
    .option('--verify', 'read everything that was copied back, and open all of it')
    .option('--delete', 'delete in the mirror what was deleted in the repository, as far as nothing there relies on it')
    .option('-n, --dry-run', 'only say what would be copied and deleted')
    .action(async (_options: object, self: Command) => run(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan mirror --to s3://other-region/backups', 'every day, after the backups'],
    ['lagan mirror --to /mnt/disk/mirror --verify', 'read all of it back'],
    ['lagan mirror --to /mnt/disk/mirror --delete --dry-run', 'what the mirror has too much'],
    ['lagan restore latest -r /mnt/disk/mirror', 'the mirror is a repository'],
  ]);
}

async function run(context: Context, options: MirrorCommandOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const { engine, storage, repository } = await openSource(context, options);
  const target = await presentStorageOf(context, engine, { location: absoluteLocation(options.to, context), origin: 'option' });
  const running = new Running(context, 'mirroring');
  try {
    const { signal, onProgress } = running.engineOptions;
    const onProblem = ({ error }: MirrorProblem) => running.warn({ code: error.code, message: error.message });
    const { verify, dryRun, delete: deleteSuperfluous } = options;
    const result = await engine.mirrorRepository(storage, target, {
      repository,
      verify,
      dryRun,
      deleteSuperfluous,
      onProblem,
      onProgress,
      signal,
    });
    running.end();
    await report(context, result, { options, elapsedMs: running.elapsedMs });
  } finally {
    running.end();
  }
}

async function openSource(
  context: Context,
  { key }: MirrorCommandOptions,
): Promise<{ engine: Engine; storage: Storage; repository: Repository | undefined }> {
  if (key) return openRepository(context, 'read');
  const engine = await context.engine();
  return { engine, storage: await storageOf(context, engine, await placeOfRepository(context)), repository: undefined };
}

async function report(
  context: Context,
  result: MirrorResult,
  { options, elapsedMs }: { options: MirrorCommandOptions; elapsedMs: number },
): Promise<void> {
  const { output } = context;
  const { outcome, copiedObjects, copiedBytes, presentObjects, deletedObjects, deletedBytes, problems } = result;
  await output.json({ type: 'summary', ...result, elapsedMs: Math.round(elapsedMs) });
  const would = outcome === 'dry-run' ? 'would have ' : '';
  const copied = `${would}copied ${formatCountOf(copiedObjects, 'object')} (${formatSize(copiedBytes)})`;
  await output.summary(`${copied}, ${presentObjects} were there, in ${formatDuration(elapsedMs)}`);
  if (deletedObjects > 0) await output.summary(`${would}deleted ${formatCountOf(deletedObjects, 'object')} (${formatSize(deletedBytes)})`);
  await tellOfExtra(context, result, options);
  if (problems > 0) {
    await output.summary(`${formatCountOf(problems, 'object')} with problems: see the warnings`);
    context.endWith('check-failed');
  }
}

/** What the mirror has too much matters where it opens the mirror, or hides or keeps snapshots. */
async function tellOfExtra(
  context: Context,
  { extraKeySlots, extraRecords, extraBytes }: MirrorResult,
  options: MirrorCommandOptions,
): Promise<void> {
  if (extraKeySlots > 0) {
    const keys = formatCountOf(extraKeySlots, 'key');
    const message = `${keys} that the repository does not have any more still ${extraKeySlots === 1 ? 'opens' : 'open'} the mirror; --delete removes ${extraKeySlots === 1 ? 'it' : 'them'}`;
    await context.output.warning(message, { code: 'exists' });
  }
  if (extraRecords > 0) {
    const message = `pins or deletions of snapshots that were taken back (${extraRecords}) are still in the mirror; --delete removes them`;
    await context.output.warning(message, { code: 'exists' });
  }
  if (extraBytes > 0 && !options.delete)
    context.output.detail(`the mirror has ${formatSize(extraBytes)} that the repository does not have any more`);
}
