/** `lagan cat`: prints a file of a snapshot. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { SnapshotInfo } from '../shared/engine.ts';
import { LaganError, usageError } from '../shared/errors.ts';
import { pathFields } from '../shared/json.ts';
import { addExamples, addFilterOptions } from '../shared/options.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { withSink } from '../shared/sink.ts';
import {
  type FilterOptions,
  filterOf,
  findSnapshot,
  parseSnapshotReference,
  pathInSnapshot,
  type SnapshotReference,
} from '../shared/snapshots.ts';

interface CatOptions extends FilterOptions {
  readonly output?: string;
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description('Prints the content of a file of a snapshot.')
    .argument('<snapshot>', 'latest, an id …, or one of these with :PATH')
    .argument('[path]', 'the file')
    .option('-o, --output <file>', 'write to this new file instead of standard output')
    .action(async (snapshot: string, path: string | undefined, _options: object, self: Command) =>
      run(contextOf(self), { snapshot, path }, self.opts()),
    );
  addExamples(command, [
    ['lagan cat latest /etc/fstab', 'print a file'],
    ['lagan cat latest~3:/srv/db.sql | psql db', 'into another program'],
  ]);
}

async function run(context: Context, operands: { snapshot: string; path: string | undefined }, options: CatOptions): Promise<void> {
  const reference = parseSnapshotReference(operands.snapshot);
  const path = operands.path ?? reference.path;
  if (path === undefined) throw usageError('there is no file named', 'lagan cat latest /path/of/the/file');
  await withSink(context, { path: options.output, content: 'text' }, async (sink) => {
    const { engine, repository, info } = await openSnapshot(context, reference, options);
    const bytes = pathInSnapshot(path);
    const { entry } = await engine.lookup(repository, info, bytes, { signal: context.signal });
    if (entry.type !== 'file') throw noFile(path, entry.type);
    const sizeBytes = await sink.copy(engine.openFile(repository, entry, { signal: context.signal }).stream());
    return { type: 'summary', snapshot: info.id, ...pathFields(bytes), sizeBytes };
  });
}

async function openSnapshot(
  context: Context,
  reference: SnapshotReference,
  options: CatOptions,
): Promise<OpenedRepository & { info: SnapshotInfo }> {
  const opened = await openRepository(context, 'read');
  return { ...opened, info: await findSnapshot(opened, reference, { filter: filterOf(options, context), signal: context.signal }) };
}

function noFile(path: string, type: string): LaganError {
  return new LaganError('path-not-found', `${path} is no file but a ${type}`, {
    object: path,
    found: type,
    hint: 'lagan ls shows folders, lagan dump prints them as tar',
  });
}
