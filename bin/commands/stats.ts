/** `lagan stats`: what the repository holds. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { RepositoryStatistics } from '../shared/engine.ts';
import { addExamples } from '../shared/options.ts';
import { openRepository } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCount, formatCountOf, formatSize } from '../shared/sizes.ts';
import { formatFields } from '../shared/table.ts';

export function define(command: Command): void {
  command
    .description('Shows what the repository holds, and how much deduplication and compression save.')
    .action(async (_options: object, self: Command) => run(contextOf(self)));
  addExamples(command, [
    ['lagan stats', 'for people'],
    ['lagan stats --json', 'for programs'],
  ]);
}

async function run(context: Context): Promise<void> {
  const { engine, repository, storage } = await openRepository(context, 'metadata');
  const running = new Running(context, 'counting');
  try {
    const statistics = await engine.statistics(repository, running.engineOptions);
    running.end();
    await context.output.json({ type: 'statistics', repository: repository.id, location: storage.location, ...statistics });
    const lines = [`repository ${repository.id} at ${context.output.name(storage.location)}`, ...linesOf(statistics)];
    for (const line of lines) await context.output.line(line);
  } finally {
    running.end();
  }
}

function linesOf(statistics: RepositoryStatistics): string[] {
  const { bytes, rawBytes, storedBytes, indexBytes, metadataStoredBytes } = statistics;
  const estimate = statistics.rawBytesEstimated ? ', estimated' : '';
  return formatFields([
    ['snapshots', formatCount(statistics.snapshots)],
    ['in all of them', `${formatCountOf(statistics.files, 'file')}, ${formatSize(bytes)}`],
    ['without duplicates', `${formatCountOf(statistics.chunks, 'chunk')}, ${formatSize(rawBytes)}${share(bytes, rawBytes)}${estimate}`],
    ['stored', `${formatCountOf(statistics.packs, 'pack')}, ${formatSize(storedBytes)}${share(bytes, storedBytes)}`],
    ['of that metadata', `${formatCountOf(statistics.metadataPacks, 'pack')}, ${formatSize(metadataStoredBytes)}`],
    ['index', `${formatCountOf(statistics.indexTables, 'table')}, ${formatSize(indexBytes)}`],
  ]);
}

function share(whole: number, part: number): string {
  return part > 0 && whole > 0 ? ` (1 : ${(whole / part).toFixed(1)})` : '';
}
