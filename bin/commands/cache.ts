/** `lagan cache`: what is kept on this machine to be faster. */
import type { Command } from 'commander';
import { cacheOptionsOf } from '../shared/cache.ts';
import { type Context, contextOf } from '../shared/context.ts';
import type { CacheOptions } from '../shared/engine.ts';
import { usageError } from '../shared/errors.ts';
import { addExamples } from '../shared/options.ts';
import { formatCountOf, formatSize, parseSize } from '../shared/sizes.ts';
import { formatTable } from '../shared/table.ts';
import { formatExactTime, formatTime } from '../shared/times.ts';

interface ClearOptions {
  readonly id?: string;
  readonly dryRun?: boolean;
}

export function define(command: Command): void {
  command.description(
    'The cache keeps what is read again and again of repositories that are far away. It can be deleted at any time; a repository in a folder of this machine needs none.',
  );
  defineList(command);
  defineClear(command);
  defineLimit(command);
}

function defineList(cache: Command): void {
  const command = cache.command('list').summary('show what is cached').description('Shows what is cached for each repository.');
  command.action(async (_options: object, self: Command) => list(contextOf(self)));
  addExamples(command, [['lagan cache list', 'how much there is']]);
}

function defineClear(cache: Command): void {
  const command = cache.command('clear').summary('delete the cache').description('Deletes the cache of all repositories, or of one.');
  command
    .option('--id <repository>', 'only that of the repository with this id')
    .option('-n, --dry-run', 'only say what would be deleted')
    .action(async (_options: object, self: Command) => clear(contextOf(self), self.opts()));
  addExamples(command, [
    ['lagan cache clear --dry-run', 'what would be deleted'],
    ['lagan cache clear', 'delete all of it'],
  ]);
}

function defineLimit(cache: Command): void {
  const command = cache
    .command('limit')
    .summary('limit its size')
    .description(
      'Deletes what was not used for longest until the cache is no larger than the limit. To have that always, set cache-limit in the configuration file.',
    );
  command
    .argument('<size>', 'for example 2GiB')
    .action(async (size: string, _options: object, self: Command) => limit(contextOf(self), size));
  addExamples(command, [['lagan cache limit 500MiB', 'delete what is beyond']]);
}

async function list(context: Context): Promise<void> {
  const engine = await context.engine();
  const status = await engine.cacheStatus(await cacheOf(context));
  const { output } = context;
  await output.json({
    type: 'cache',
    folder: status.folder,
    limitBytes: status.limitBytes,
    repositories: status.repositories.map(({ repository, sizeBytes, lastUsed }) => ({
      repository,
      sizeBytes,
      lastUsed: formatExactTime(lastUsed),
    })),
  });
  const rows = status.repositories.map(({ repository, sizeBytes, lastUsed }) => [repository, formatSize(sizeBytes), formatTime(lastUsed)]);
  for (const line of formatTable([{ heading: 'Repository' }, { heading: 'Size', align: 'right' }, { heading: 'Last used' }], rows))
    await output.line(line);
  output.note(
    `${formatSize(status.repositories.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))} of at most ${formatSize(status.limitBytes)} in ${status.folder}`,
  );
}

async function clear(context: Context, options: ClearOptions): Promise<void> {
  const engine = await context.engine();
  const result = await engine.cacheClear({
    folder: (await cacheOf(context)).folder,
    ...(options.id !== undefined && { repository: options.id }),
    dryRun: options.dryRun ?? false,
  });
  await context.output.json({ type: 'cache-cleared', outcome: options.dryRun ? 'dry-run' : 'cleared', ...result });
  await context.output.summary(
    `${options.dryRun ? 'would delete' : 'deleted'} ${formatSize(result.removedBytes)} of ${formatCountOf(result.repositories.length, 'repository', 'repositories')}`,
  );
}

async function limit(context: Context, size: string): Promise<void> {
  const limitBytes = parseSize(size, 'the limit');
  const engine = await context.engine();
  const { removedBytes } = await engine.cacheLimit({ folder: (await cacheOf(context)).folder, limitBytes });
  await context.output.json({ type: 'cache-limited', limitBytes, removedBytes });
  await context.output.summary(`deleted ${formatSize(removedBytes)}`);
}

async function cacheOf(context: Context): Promise<CacheOptions> {
  const options = await cacheOptionsOf(context);
  if (options) return options;
  throw usageError('there is no cache to look at', 'leave out --no-cache, or name the folder with --cache-dir');
}
