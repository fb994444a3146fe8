/** `lagan ls`: lists a folder of a snapshot. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { SnapshotInfo, WalkedEntry } from '../shared/engine.ts';
import { formatDetails, formatPath } from '../shared/entries.ts';
import { isLaganError, usageError } from '../shared/errors.ts';
import { entryFields, pathFields, snapshotFields } from '../shared/json.ts';
import { addExamples, addFilterOptions } from '../shared/options.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import {
  describeSnapshot,
  type FilterOptions,
  filterOf,
  findSnapshot,
  looksLikeSnapshot,
  parseSnapshotReference,
  pathInSnapshot,
} from '../shared/snapshots.ts';
import { textOfBytes } from '../shared/text.ts';

interface LsOptions extends FilterOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly print0?: boolean;
}

export function define(command: Command): void {
  addFilterOptions(command)
    .description('Lists a folder of a snapshot: by default the folders that the latest snapshot was made of.')
    .argument('[snapshot]', 'latest, latest~2, an id, or one of these with :PATH', undefined)
    .argument('[path]', 'folder or file in it')
    .option('-l, --long', 'mode, owner, group, size and time too')
    .option('-R, --recursive', 'what is below too')
    .option('-0, --print0', 'a NUL byte instead of a line end after each path')
    .action(async (first: string | undefined, second: string | undefined, _options: object, self: Command) =>
      run(contextOf(self), [first, second], self.opts()),
    );
  addExamples(command, [
    ['lagan ls', 'what the latest snapshot holds'],
    ['lagan ls -lR latest /srv/data', 'all of a folder, with details'],
    ['lagan ls latest~1:/etc', 'of the snapshot before'],
    ['lagan ls --host web1 latest', 'the latest one of a host'],
  ]);
}

async function run(context: Context, operands: [string | undefined, string | undefined], options: LsOptions): Promise<void> {
  const { snapshot, path } = place(operands);
  const opened = await openRepository(context, 'metadata');
  const info = await findSnapshot(opened, { snapshot, path }, { filter: filterOf(options, context), signal: context.signal });
  await context.output.json({ type: 'snapshot', ...snapshotFields(info) });
  context.output.detail(describeSnapshot(info));
  let count = 0;
  for (const start of path === undefined
    ? info.snapshot.paths.map((given) => pathInSnapshot(textOfBytes(given)))
    : [pathInSnapshot(path)]) {
    for await (const walked of entriesAt(context, opened, info, {
      start,
      isRecursive: options.recursive === true,
      isNamed: path !== undefined,
    })) {
      await print(context, walked, options);
      count++;
    }
  }
  await context.output.json({ type: 'summary', entries: count });
}

/** A single operand may be a path, of the latest snapshot. */
function place([first, second]: [string | undefined, string | undefined]): { snapshot: string; path: string | undefined } {
  if (first === undefined) return { snapshot: 'latest', path: undefined };
  if (second === undefined && first.startsWith('/') && !looksLikeSnapshot(first)) return { snapshot: 'latest', path: first };
  const reference = parseSnapshotReference(first);
  if (second !== undefined && reference.path !== undefined)
    throw usageError('the path is given twice', `after ${reference.snapshot}: or as an argument of its own`);
  return { snapshot: reference.snapshot, path: second ?? reference.path };
}

interface Start {
  readonly start: Uint8Array;
  readonly isRecursive: boolean;
  readonly isNamed: boolean;
}

/** What is in a folder; anything else is listed itself. A folder that was to be backed up but was not there is no error of the listing. */
async function* entriesAt(
  context: Context,
  { engine, repository }: OpenedRepository,
  info: SnapshotInfo,
  { start, isRecursive, isNamed }: Start,
): AsyncGenerator<WalkedEntry> {
  const { signal } = context;
  try {
    if (start.length > 1) {
      const { entry } = await engine.lookup(repository, info, start, { signal });
      if (entry.type !== 'directory') return yield { path: start, entry };
    }
    yield* engine.walkSnapshot(repository, info, { path: start, recursive: isRecursive, signal });
  } catch (error) {
    if (isNamed || !isLaganError(error, 'path-not-found')) throw error;
    await context.output.warning(error.message, { code: error.code, ...pathFields(start) });
  }
}

async function print({ output }: Context, { path, entry }: WalkedEntry, options: LsOptions): Promise<void> {
  if (output.isJson) return output.json({ type: 'entry', ...pathFields(path), ...entryFields(entry) });
  const text = formatPath(output, path, entry, options.long ? 'long' : 'short');
  await output.write(`${options.long ? `${formatDetails(entry)} ` : ''}${text}${options.print0 ? '\0' : '\n'}`);
}
