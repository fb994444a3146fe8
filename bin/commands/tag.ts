/** `lagan tag`: changes tags and description of snapshots. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { SnapshotInfo } from '../shared/engine.ts';
import { usageError } from '../shared/errors.ts';
import { addExamples, addFilterOptions, listOption } from '../shared/options.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, shortId } from '../shared/snapshots.ts';

interface TagOptions extends FilterOptions {
  readonly add?: string[];
  readonly remove?: string[];
  readonly set?: string[];
  readonly clear?: boolean;
  readonly description?: string;
  readonly dryRun?: boolean;
}

interface Labels {
  readonly tags: readonly string[];
  readonly description: string;
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description('Changes tags and description of snapshots. The snapshots themselves stay as they are.')
    .argument('<snapshots...>', 'latest, latest~2, ids')
    .addOption(listOption('--add <tag>', 'add a tag (may be repeated)'))
    .addOption(listOption('--remove <tag>', 'remove a tag (may be repeated)'))
    .addOption(listOption('--set <tag>', 'these tags instead of those there are (may be repeated)'))
    .option('--clear', 'remove all tags')
    .option('--description <text>', "a new description; '' removes it")
    .option('-n, --dry-run', 'only say what would be done')
    .action(async (snapshots: string[], _options: object, self: Command) => run(contextOf(self), snapshots, self.opts()));
  addExamples(command, [
    ['lagan tag latest --add before-upgrade', 'add a tag'],
    ['lagan tag 3f2a91c0 --set keep --set yearly', 'replace all tags'],
    ["lagan tag latest --description 'all well'", 'describe'],
  ]);
}

async function run(context: Context, texts: string[], options: TagOptions): Promise<void> {
  context.output.goOnWhenClosed();
  assertOptionsAgree(options);
  const references = texts.map(parseSnapshotReference);
  const opened = await openRepository(context, options.dryRun ? 'read' : 'write');
  const snapshots: SnapshotInfo[] = [];
  for (const reference of references)
    snapshots.push(await findSnapshot(opened, reference, { filter: filterOf(options, context), signal: context.signal }));
  const changed: object[] = [];
  for (const info of snapshots) {
    const labels = options.dryRun ? changedLabels(info, options) : await change(context, opened, info, options);
    changed.push({ id: info.id, ...labels });
    await context.output.summary(
      `${shortId(info.id)}: ${labels.tags.join(', ') || 'no tags'}${labels.description && `, "${context.output.name(labels.description)}"`}`,
    );
  }
  await context.output.json({ type: 'tags', outcome: options.dryRun ? 'dry-run' : 'changed', snapshots: changed });
}

function change(context: Context, { engine, repository }: OpenedRepository, info: SnapshotInfo, options: TagOptions): Promise<Labels> {
  const setTags = options.clear ? [] : options.set;
  return engine.annotateSnapshot(repository, info.id, {
    addTags: options.add,
    removeTags: options.remove,
    setTags,
    description: options.description,
    signal: context.signal,
  });
}

/** What {@link change} would lead to. */
function changedLabels(info: SnapshotInfo, options: TagOptions): Labels {
  const start = options.clear ? [] : (options.set ?? info.tags);
  const kept = start.filter((tag) => !options.remove?.includes(tag));
  const tags = [...new Set([...kept, ...(options.add ?? [])])];
  return { tags, description: options.description ?? info.description };
}

function assertOptionsAgree({ add, remove, set, clear, description }: TagOptions): void {
  if (set && clear) throw usageError('--set and --clear contradict each other');
  if (!add && !remove && !set && !clear && description === undefined) {
    throw usageError('there is nothing to change', 'say --add, --remove, --set, --clear or --description');
  }
}
