/** `lagan find`: looks for files in snapshots. */
import type { Command } from 'commander';
import picomatch from 'picomatch';
import { type Context, contextOf } from '../shared/context.ts';
import type { Entry, EntryType, SnapshotInfo } from '../shared/engine.ts';
import { formatDetails, formatPath } from '../shared/entries.ts';
import { usageError } from '../shared/errors.ts';
import { entryFields, pathFields } from '../shared/json.ts';
import { addExamples, addFilterOptions, countOption, listOption, sizeOption, timeOption } from '../shared/options.ts';
import { type OpenedRepository, openRepository } from '../shared/repository.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, shortId } from '../shared/snapshots.ts';
import { textOfBytes } from '../shared/text.ts';
import { compareTimes, type Time } from '../shared/times.ts';

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

type Test = (path: Uint8Array, entry: Entry) => boolean;

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
  const test = allOf([patternTest(patterns, options), ...filters(options)]);
  const opened = await openRepository(context, 'metadata');
  const snapshots = await chooseSnapshots(context, opened, options);
  let count = 0;
  for (const info of snapshots) {
    for await (const { path, entry } of opened.engine.walkSnapshot(opened.repository, info, { recursive: true, signal: context.signal })) {
      if (!test(path, entry)) continue;
      await print(context, info, { path, entry }, options);
      count++;
    }
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

function patternTest(patterns: readonly string[], options: FindOptions): Test {
  const settings = { dot: true, nocase: options.ignoreCase === true };
  const [byPath, byName] = [patterns.filter((pattern) => pattern.includes('/')), patterns.filter((pattern) => !pattern.includes('/'))];
  const fitsPath = byPath.length > 0 ? picomatch(byPath, settings) : () => false;
  const fitsName = byName.length > 0 ? picomatch(byName, settings) : () => false;
  return (path) => {
    const text = textOfBytes(path);
    return fitsName(text.slice(text.lastIndexOf('/') + 1)) || fitsPath(text);
  };
}

function filters({ type, largerThan, smallerThan, newerThan, olderThan }: FindOptions): Test[] {
  const tests: Test[] = [];
  if (type) tests.push((_, entry) => type.includes(entry.type));
  if (largerThan !== undefined) tests.push((_, entry) => entry.type === 'file' && entry.size > largerThan);
  if (smallerThan !== undefined) tests.push((_, entry) => entry.type === 'file' && entry.size < smallerThan);
  if (newerThan) tests.push((_, entry) => compareTimes(entry.mtime, newerThan) > 0);
  if (olderThan) tests.push((_, entry) => compareTimes(entry.mtime, olderThan) < 0);
  return tests;
}

function allOf(tests: readonly Test[]): Test {
  return (path, entry) => tests.every((test) => test(path, entry));
}

async function print(
  { output }: Context,
  info: SnapshotInfo,
  found: { path: Uint8Array; entry: Entry },
  options: FindOptions,
): Promise<void> {
  const { path, entry } = found;
  if (output.isJson) return output.json({ type: 'match', snapshot: info.id, ...pathFields(path), ...entryFields(entry) });
  if (options.print0) return output.write(`${textOfBytes(path)}\0`);
  const details = options.long ? `${formatDetails(entry)} ` : '';
  await output.write(`${shortId(info.id)}  ${details}${formatPath(output, path, entry, options.long ? 'long' : 'short')}\n`);
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
