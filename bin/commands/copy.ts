/** `lagan copy`: copies snapshots into another repository. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { CopiedSnapshot, SnapshotInfo } from '../shared/engine.ts';
import { addExamples, addFilterOptions, type Compression, compressionOption, countOption, workersOption } from '../shared/options.ts';
import { addOtherSecretOptions, openOther } from '../shared/other-repository.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCountOf, formatSize } from '../shared/sizes.ts';
import { describeSnapshot, type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, shortId } from '../shared/snapshots.ts';
import { formatDuration } from '../shared/times.ts';

interface CopyCommandOptions extends FilterOptions {
  readonly to: string;
  readonly latest?: number;
  readonly pins: boolean;
  readonly compression?: Compression;
  readonly workers?: number;
  readonly dryRun?: boolean;
}

export function define(command: Command): void {
  command
    .description(
      'Copies snapshots into another repository, which has keys of its own: time, host, tags, paths and description stay as they are. What is there already is not copied again, so it may be interrupted, and repeated every day. Into a repository that was made with `lagan init --like`, blocks are copied as they are; into others files are cut and compressed anew.',
    )
    .argument('[snapshots...]', 'latest, latest~2, ids (default: all that fit --host, --path and --tag)')
    .requiredOption('--to <place>', 'the repository to copy into: a folder or URL');
  addOtherSecretOptions(command, 'to', 'the repository of --to');
  addFilterOptions(command)
    .addOption(countOption('--latest <count>', 'only the latest ones', { minimum: 1, maximum: 1_000_000 }))
    .option('--no-pins', 'do not pin the copies of pinned snapshots')
    .addOption(compressionOption())
    .addOption(workersOption('threads that read and compress'))
    .option('-n, --dry-run', 'only say what would be copied')
    .action(async (snapshots: string[], _options: object, self: Command) => run(contextOf(self), snapshots, self.opts()));
  addExamples(command, [
    ['lagan copy --to /mnt/second', 'all snapshots; asks for its password'],
    ['lagan copy --to s3://bucket/offsite --to-key-file ~/offsite.key --latest 7', 'the latest seven'],
    ['lagan copy latest --host web1 --to /mnt/second', 'the latest one of a host'],
    ['lagan init -r /mnt/second --like /mnt/first', 'a repository to copy to fast'],
  ]);
}

async function run(context: Context, texts: string[], options: CopyCommandOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const references = texts.map(parseSnapshotReference);
  const source = await openRepository(context, 'read');
  const filter = filterOf(options, context);
  const onDamage = (error: Error) => void context.output.warning(error.message).catch(() => {});
  const all = await source.engine.listSnapshots(source.repository, { filter, onDamage, signal: context.signal });
  const chosen: SnapshotInfo[] = [];
  for (const reference of references) chosen.push(await findSnapshot(source, reference, { filter, signal: context.signal }));
  const snapshots = texts.length > 0 ? chosen : all.slice(-(options.latest ?? all.length));
  const target = await openOther(context, 'to', { location: options.to, options, mode: 'write' });
  await copy(context, { source, target, snapshots, options });
}

interface Task {
  readonly source: OpenedRepository;
  readonly target: OpenedRepository;
  readonly snapshots: readonly SnapshotInfo[];
  readonly options: CopyCommandOptions;
}

async function copy(context: Context, { source, target, snapshots, options }: Task): Promise<void> {
  const running = new Running(context, 'copying');
  try {
    const { method, snapshots: copied } = await source.engine.copySnapshots(source.repository, target.repository, {
      snapshots,
      keepHolds: options.pins,
      dryRun: options.dryRun,
      compression: options.compression,
      workers: options.workers,
      onSnapshot: (snapshot) => tell(context, snapshot),
      signal: context.signal,
      onProgress: running.engineOptions.onProgress,
    });
    running.end();
    await report(context, copied, { method, options, elapsedMs: running.elapsedMs });
  } finally {
    running.end();
  }
}

async function tell(context: Context, { source, outcome, snapshotId, hold, error, ...counts }: CopiedSnapshot): Promise<void> {
  const { output } = context;
  const pinned = hold?.fate === 'kept';
  await output.jsonNow({ type: 'copied', id: source.id, outcome, snapshot: snapshotId, pinned, ...counts, error: error?.message ?? null });
  const name = output.name(describeSnapshot(source));
  const pin = pinned ? ', pinned' : '';
  if (outcome === 'failed') await output.warning(`${name} was not copied: ${error!.message}`, { code: error!.code });
  else if (outcome === 'present') output.detail(`${name}: there as ${shortId(snapshotId!)}${pin}`);
  else if (outcome === 'dry-run') await output.summary(`would copy ${name}`);
  else await output.summary(`${name}: now ${shortId(snapshotId!)}${pin}, ${formatSize(counts.newBytes)} new`);
  if (hold !== undefined && !pinned)
    await output.warning(`a collection came before the pin of ${shortId(snapshotId!)}: ${hold.fate}`, { code: 'superseded' });
}

async function report(
  context: Context,
  copied: readonly CopiedSnapshot[],
  { method, options, elapsedMs }: { method: 'blocks' | 'files'; options: CopyCommandOptions; elapsedMs: number },
): Promise<void> {
  const count = (wanted: CopiedSnapshot['outcome']) => copied.filter(({ outcome }) => outcome === wanted).length;
  const sum = (field: 'newBytes' | 'storedBytes') => copied.reduce((total, snapshot) => total + snapshot[field], 0);
  const [failed, present, made] = [count('failed'), count('present'), count(options.dryRun ? 'dry-run' : 'copied')];
  const [newBytes, storedBytes] = [sum('newBytes'), sum('storedBytes')];
  await context.output.json({
    type: 'summary',
    outcome: options.dryRun ? 'dry-run' : failed > 0 ? 'partial' : 'copied',
    method,
    copied: made,
    present,
    failed,
    newBytes,
    storedBytes,
    elapsedMs: Math.round(elapsedMs),
  });
  const what = `${options.dryRun ? 'would copy' : 'copied'} ${formatCountOf(made, 'snapshot')}`;
  const there = present === 0 ? '' : `, ${present} ${present === 1 ? 'was' : 'were'} there already`;
  await context.output.summary(`${what}${there}, in ${formatDuration(elapsedMs)}`);
  if (made > 0 && !options.dryRun)
    await context.output.summary(`new: ${formatSize(newBytes)}, stored as ${formatSize(storedBytes)} (${methods[method]})`);
  if (failed > 0) context.endWith('check-failed');
}

const methods = { blocks: 'blocks copied as they are', files: 'files cut and compressed anew' } as const;
