/** `lagan find`: looks for files in snapshots. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { FindOptions as EngineFindOptions, EntryType, FoundEntry, SnapshotInfo } from '../shared/engine.ts';
import { formatDetails, formatPath } from '../shared/entries.ts';
import { usageError } from '../shared/errors.ts';
import { entryFields, pathFields } from '../shared/json.ts';
import { addExamples, addFilterOptions, countOption, listOption, sizeOption, timeOption } from '../shared/options.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, shortId } from '../shared/snapshots.ts';
import { textOfBytes } from '../shared/text.ts';
import type { Time } from '../shared/times.ts';

interface FindOptions extends FilterOptions {
  readonly snapshot?: string[];
  readonly latest?: number;
  readonly type?: EntryType[];
  readonly ignoreCase?: boolean;
  readonly largerThan?: number;
  readonly smallerThan?: number;
  readonly newerThan?: Time;
  readonly olderThan?: Time;
  readonly long?: boolean;
  readonly print0?: boolean;
}

const typeNames: Record<string, EntryType> = {
  f: 'file',
  file: 'file',
  d: 'directory',
  directory: 'directory',
  folder: 'directory',
  l: 'symlink',
  symlink: 'symlink',
  p: 'fifo',
  fifo: 'fifo',
  s: 'socket',
  socket: 'socket',
  c: 'character-device',
  'character-device': 'character-device',
  b: 'block-device',
  'block-device': 'block-device',
};

export function define(command: Command): void {
  addFilterOptions(command)
    .description(
      'Looks for files whose name, or whose path if the pattern has a slash, fits one of the patterns: * within a name, ** over folders, ?, [abc], {a,b}.',
    )
    .argument('<patterns...>', 'patterns; quote them from the shell')
    .addOption(listOption('-s, --snapshot <snapshot>', 'only in this snapshot (may be repeated; default: all)'))
    .addOption(countOption('--latest <count>', 'only in the latest ones', { minimum: 1, maximum: 1_000_000 }))
    .option('--type <types>', 'file, directory, symlink, fifo, socket, character-device or block-device; several with commas', parseTypes)
    .option('-i, --ignore-case', 'capital and small letters are the same')
    .addOption(sizeOption('--larger-than <size>', 'only files larger than this'))
    .addOption(sizeOption('--smaller-than <size>', 'only files smaller than this'))
    .addOption(timeOption('--newer-than <time>', 'only what was modified after this (7d: in the last seven days)'))
    .addOption(timeOption('--older-than <time>', 'only what was modified before this'))
    .option('-l, --long', 'mode, owner, group, size and time too')
    .option('-0, --print0', 'only paths, with a NUL byte after each')
    .action(async (patterns: string[], _options: object, self: Command) => run(contextOf(self), patterns, self.opts()));
  addExamples(command, [
    ["lagan find '*.docx' --latest 1", 'in the latest snapshot'],
    ["lagan find '/home/**/taxes*' -i -l", 'by path, whatever the letters'],
    ["lagan find '*' --larger-than 1G --newer-than 7d", 'large files of the last week'],
  ]);
}

async function run(context: Context, patterns: string[], options: FindOptions): Promise<void> {
  const opened = await openRepository(context, 'metadata');
  const snapshots = await chooseSnapshots(context, opened, options);
  let count = 0;
  for await (const found of opened.engine.findEntries(opened.repository, snapshots, engineOptions(context, patterns, options))) {
    await print(context, found, options);
    count++;
  }
  await context.output.json({ type: 'summary', matches: count, snapshots: snapshots.length });
  if (count === 0) context.output.note('nothing found');
}

async function chooseSnapshots(context: Context, opened: OpenedRepository, options: FindOptions): Promise<SnapshotInfo[]> {
  const { engine, repository } = opened;
  const { signal } = context;
  const filter = filterOf(options, context);
  if (options.snapshot)
    return Promise.all(options.snapshot.map((text) => findSnapshot(opened, parseSnapshotReference(text), { filter, signal })));
  const onDamage = (error: Error) => void context.output.warning(error.message).catch(() => {});
  const all = (await engine.listSnapshots(repository, { filter, onDamage, signal })).filter((info) => !info.deleted);
  return options.latest === undefined ? all : all.slice(-options.latest);
}

function engineOptions({ signal }: Context, patterns: string[], options: FindOptions): EngineFindOptions {
  const { largerThan, smallerThan, newerThan, olderThan, ignoreCase, type } = options;
  return {
    patterns,
    ignoreCase,
    types: type,
    minimumSize: largerThan === undefined ? undefined : largerThan + 1,
    maximumSize: smallerThan === undefined ? undefined : smallerThan - 1,
    newerThan,
    olderThan,
    signal,
  };
}

async function print({ output }: Context, { snapshot, path, entry }: FoundEntry<SnapshotInfo>, options: FindOptions): Promise<void> {
  if (output.isJson) return output.json({ type: 'match', snapshot: snapshot.id, ...pathFields(path), ...entryFields(entry) });
  if (options.print0) return output.write(`${textOfBytes(path)}\0`);
  const details = options.long ? `${formatDetails(entry)} ` : '';
  await output.write(`${shortId(snapshot.id)}  ${details}${formatPath(output, path, entry, options.long ? 'long' : 'short')}\n`);
}

function parseTypes(text: string): EntryType[] {
  return text.split(',').map((word) => {
    const type = Object.hasOwn(typeNames, word) ? typeNames[word] : undefined;
    if (type === undefined)
      throw usageError(
        `--type: '${word}' is no type of file`,
        'valid are file, directory, symlink, fifo, socket, character-device, block-device',
      );
    return type;
  });
}
