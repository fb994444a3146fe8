/** `lagan rewrite`: makes snapshots anew without some paths, and removes the old ones. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { RemovedEntry, RewriteResult, SnapshotInfo } from '../shared/engine.ts';
import { isLaganError, usageError } from '../shared/errors.ts';
import { pathFields } from '../shared/json.ts';
import { addExamples, addFilterOptions, listOption } from '../shared/options.ts';
import { readPatterns } from '../shared/patterns.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { formatCountOf, formatSize } from '../shared/sizes.ts';
import { describeSnapshot, type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, shortId } from '../shared/snapshots.ts';
import { textOfBytes } from '../shared/text.ts';

interface RewriteOptions extends FilterOptions {
  readonly exclude?: string[];
  readonly excludeFile?: string[];
  readonly keepOriginal?: boolean;
  readonly dryRun?: boolean;
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description(
      'Makes snapshots anew without some paths and removes the old ones. The new ones have the same times, host, paths, tags and description. Once lagan maintain has collected the old ones, what was taken out is gone, unless another snapshot has it or it shares a pack with what is needed.',
    )
    .argument('[snapshots...]', 'latest, latest~2, ids (default: all that fit --host, --path and --tag)')
    .addOption(listOption('--exclude <pattern>', 'take out what fits, as in .gitignore; paths are those in the snapshot'))
    .addOption(listOption('--exclude-file <file>', 'read such patterns from a file'))
    .option('--keep-original', 'leave the old snapshots')
    .option('-n, --dry-run', 'only say what would be taken out')
    .action(async (snapshots: string[], _options: object, self: Command) => run(contextOf(self), snapshots, self.opts()));
  addExamples(command, [
    ['lagan rewrite --exclude /home/ann/secret.txt --dry-run', 'where it is, in all snapshots'],
    ['lagan rewrite --exclude /home/ann/secret.txt', 'take it out of all'],
    ["lagan rewrite latest --exclude '*.iso' --keep-original", 'a smaller one beside the latest'],
  ]);
}

async function run(context: Context, texts: string[], options: RewriteOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const references = texts.map(parseSnapshotReference);
  const patterns = [...(options.exclude ?? [])];
  for (const file of options.excludeFile ?? []) patterns.push(...(await readPatterns(context.resolve(file))));
  if (patterns.length === 0) throw usageError('there is nothing to take out', 'say --exclude PATTERN or --exclude-file FILE');
  const opened = await openRepository(context, options.dryRun ? 'read' : 'write');
  const filter = filterOf(options, context);
  const onDamage = (error: Error) => void context.output.warning(error.message).catch(() => {});
  const all = await opened.engine.listSnapshots(opened.repository, { filter, onDamage, signal: context.signal });
  const chosen: SnapshotInfo[] = [];
  for (const reference of references) chosen.push(await findSnapshot(opened, reference, { filter, signal: context.signal }));
  const snapshots: object[] = [];
  for (const info of texts.length > 0 ? chosen : all) {
    const result = await rewrite(context, opened, info, { options, patterns, others: all, isNamed: texts.length > 0 });
    snapshots.push({ id: info.id, ...result });
  }
  await context.output.json({ type: 'rewritten', outcome: options.dryRun ? 'dry-run' : 'rewritten', snapshots });
}

interface Task {
  readonly options: RewriteOptions;
  readonly patterns: readonly string[];
  readonly others: readonly SnapshotInfo[];
  readonly isNamed: boolean;
}

async function rewrite(
  context: Context,
  { engine, repository }: OpenedRepository,
  info: SnapshotInfo,
  { options, patterns, others, isNamed }: Task,
): Promise<object> {
  const { dryRun, keepOriginal } = options;
  const onRemoved = dryRun ? (removed: RemovedEntry) => printRemoved(context, info, removed) : undefined;
  const settings = { patterns, dryRun, keepOriginal, others, onRemoved, signal: context.signal };
  try {
    const result = await engine.rewriteSnapshot(repository, info, settings);
    await report(context, info, result);
    return { outcome: result.outcome, snapshot: result.snapshotId, removed: result.removed };
  } catch (error) {
    // Of all snapshots, those that are pinned are passed over; one that was named is not.
    if (isNamed || !isLaganError(error, 'held')) throw error;
    await context.output.warning(`${error.message}; it is left as it is`, { code: error.code });
    return { outcome: 'held', snapshot: null, removed: { files: 0, bytes: 0, entries: 0 } };
  }
}

async function printRemoved(context: Context, info: SnapshotInfo, { path, entry }: RemovedEntry): Promise<void> {
  await context.output.json({ type: 'removed', snapshot: info.id, ...pathFields(path), kind: entry.type });
  await context.output.line(`${shortId(info.id)}  ${context.output.name(textOfBytes(path))}`);
}

async function report(context: Context, info: SnapshotInfo, { outcome, snapshotId, removed }: RewriteResult): Promise<void> {
  const { output } = context;
  if (outcome === 'unchanged') return output.detail(`${shortId(info.id)}: nothing to take out`);
  const what = `${formatCountOf(removed.files, 'file')} (${formatSize(removed.bytes)})`;
  const name = output.name(describeSnapshot(info));
  await output.summary(
    outcome === 'dry-run' ? `dry run: ${name}: without ${what}` : `${name}: now ${shortId(snapshotId!)}, without ${what}`,
  );
}
