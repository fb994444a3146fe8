/** `lagan backup`: turns folders, or a stream, into a snapshot. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { BackupConfiguration } from '../shared/configuration.ts';
import { type Context, contextOf } from '../shared/context.ts';
import { openOrCreateDefault } from '../shared/create.ts';
import type { BackupResult, ExcludeRules, SnapshotId, SnapshotLabels } from '../shared/engine.ts';
import { systemError, usageError } from '../shared/errors.ts';
import { problemFields } from '../shared/json.ts';
import {
  addExamples,
  type Compression,
  compressionOption,
  listOption,
  parseCompression,
  sizeOption,
  timeOption,
  workersOption,
} from '../shared/options.ts';
import { readPatterns } from '../shared/patterns.ts';
import { readProblems } from '../shared/read-problems.ts';
import { type OpenedRepository, repeatedOptions } from '../shared/repository.ts';
import { Running } from '../shared/running.ts';
import { formatCount, formatCountOf, formatSize } from '../shared/sizes.ts';
import { findSnapshot, parseSnapshotReference, type SnapshotReference, shortId } from '../shared/snapshots.ts';
import { commandStream, readAll } from '../shared/streams.ts';
import { bytesOfText, splitAtByte, splitAtNul, textOfBytes } from '../shared/text.ts';
import { dateOfTime, formatDuration, type Time } from '../shared/times.ts';
import { maintainWhenDue } from '../shared/upkeep.ts';

/** Rules in the order in which they were given: the last that fits a name counts. */
type ExcludeOption = { readonly pattern: string } | { readonly file: string };

interface BackupCommandOptions {
  readonly exclude?: ExcludeOption[];
  readonly excludeIfPresent?: string[];
  readonly excludeCaches?: boolean;
  readonly excludeLargerThan?: number;
  readonly oneFileSystem?: boolean;
  readonly filesFrom?: string[];
  readonly filesFrom0?: string[];
  readonly tag?: string[];
  readonly description?: string;
  readonly host?: string;
  readonly parent?: 'auto' | 'none' | SnapshotReference;
  readonly stdin?: boolean;
  readonly stdinCommand?: boolean;
  readonly stdinName?: string;
  readonly dryRun?: boolean;
  readonly skipIfUnchanged?: boolean;
  readonly force?: boolean;
  readonly ignoreCtime?: boolean;
  readonly ignoreInode?: boolean;
  readonly compression?: Compression;
  readonly verifyAll?: boolean;
  readonly time?: Time;
  readonly workers?: number;
  /** Only false says anything. */
  readonly maintain?: boolean;
}

export function define(command: Command): void {
  command
    .description(
      'Saves folders and files as a snapshot. If no repository is configured, the first backup makes one in your data folder, and its key.',
    )
    .argument('[paths...]', 'folders and files; after --stdin-command: the command and its arguments')
    .action(async (paths: string[], _options: object, self: Command) => run(contextOf(self), paths, optionsOf(self)));
  addSourceOptions(command);
  addExcludeOptions(command);
  addSnapshotOptions(command);
  addExamples(command, [
    ['lagan backup ~/Documents /etc', 'two folders in one snapshot'],
    ["lagan backup ~ --exclude '*.iso' --exclude-caches", 'without some files'],
    ['lagan backup / --one-file-system --tag weekly', 'a whole system'],
    ['find /srv -newer /tmp/mark -print0 | lagan backup --files-from0 -', 'what another program chose'],
    ['lagan backup --stdin-command --stdin-name db.sql -- pg_dump db', 'what a command prints, if it succeeds'],
    ['lagan backup ~/Documents --dry-run -v', 'what would be done'],
  ]);
}

function addSourceOptions(command: Command): void {
  command
    .addOption(listOption('--files-from <file>', 'read paths from a file, one a line (- is standard input)'))
    .addOption(listOption('--files-from0 <file>', 'the same, with a NUL byte after each path'))
    .option('--one-file-system', 'do not enter other file systems')
    .option('--stdin', 'save standard input as a file')
    .option('--stdin-command', 'save what a command prints, given after --; if it fails there is no snapshot')
    .option('--stdin-name <name>', 'name of that file in the snapshot (default: stdin)');
}

function addExcludeOptions(command: Command): void {
  const excludes: ExcludeOption[] = [];
  const add = (rule: ExcludeOption) => {
    excludes.push(rule);
    command.setOptionValue('exclude', excludes);
    return excludes;
  };
  const exclude = command.createOption('--exclude <pattern>', 'leave out what fits, as in .gitignore; !pattern takes it in again');
  const excludeFile = command.createOption('--exclude-file <file>', 'read such patterns from a file');
  command
    .addOption(exclude.argParser((pattern: string) => add({ pattern })))
    .addOption(excludeFile.argParser((file: string) => add({ file })))
    .addOption(listOption('--exclude-if-present <name>', 'leave out folders that hold a file of this name'))
    .option('--exclude-caches', 'leave out folders marked by CACHEDIR.TAG')
    .addOption(sizeOption('--exclude-larger-than <size>', 'leave out larger files'));
}

function addSnapshotOptions(command: Command): void {
  command
    .addOption(listOption('--tag <tag>', 'tag of the snapshot (may be repeated)'))
    .option('--description <text>', 'description of the snapshot')
    .option('--host <name>', 'name of the host (default: that of this machine)')
    .option('--parent <snapshot>', 'compare with this snapshot, or none (default: the latest of this host and these paths)', parseParent)
    .addOption(timeOption('--time <time>', 'time of the snapshot (default: now)'))
    .option('--skip-if-unchanged', 'make no snapshot if nothing has changed')
    .option('--force', 'read all files, changed or not')
    .option('--ignore-ctime', 'a changed ctime alone does not make a file changed')
    .option('--ignore-inode', 'a changed inode alone does not make a file changed')
    .addOption(compressionOption())
    .option('--verify-all', 'open and compare every block again before it is stored, not one in eight')
    .addOption(workersOption('threads that read and compress'))
    .option('--no-maintain', 'do not maintain the repository afterwards when that is due')
    .option('-n, --dry-run', 'only say what would be done');
}

function optionsOf(command: Command): BackupCommandOptions {
  return command.opts();
}

async function run(context: Context, operands: string[], options: BackupCommandOptions): Promise<void> {
  context.output.goOnWhenClosed();
  const configuration = (await context.configuration()).backup ?? {};
  const plan =
    options.stdin || options.stdinCommand
      ? streamPlan(context, operands, options)
      : await pathsPlan(context, operands, options, configuration);
  const opened = await openOrCreateDefault(context, options.dryRun ? 'must exist' : 'may be made');
  const labels = await labelsOf(context, opened, options, configuration);
  const running = new Running(context, 'backing up');
  try {
    const result = await plan(opened, labels, running);
    running.end();
    await report(context, opened, result, { options, elapsedMs: running.elapsedMs });
  } finally {
    running.end();
  }
  const maintains = options.maintain === false ? false : (configuration.maintain ?? true);
  if (maintains && !options.dryRun) await maintainWhenDue(context, opened);
}

type Plan = (opened: OpenedRepository, labels: SnapshotLabels, running: Running) => Promise<BackupResult>;

async function pathsPlan(
  context: Context,
  operands: string[],
  options: BackupCommandOptions,
  configuration: BackupConfiguration,
): Promise<Plan> {
  const texts = [...operands, ...(await listedPaths(context, options)).map(textOfBytes)];
  // No more than that: a slash at the end means something to the engine.
  const paths = texts.map((path) => bytesOfText(path.startsWith('/') ? path : `${context.io.cwd}/${path}`));
  if (paths.length === 0) throw usageError('there is nothing to back up', 'name a folder: lagan backup FOLDER');
  if (options.stdinName !== undefined) throw usageError('--stdin-name goes with --stdin or --stdin-command only');
  const excludes = await excludeRules(context, options, configuration);
  const oneFileSystem = options.oneFileSystem ?? configuration.oneFileSystem ?? false;
  return ({ engine, repository }, labels, running) => {
    running.estimate({ paths, oneFileSystem });
    return engine.backup(repository, {
      ...labels,
      ...running.engineOptions,
      paths,
      excludes,
      oneFileSystem,
      ignoreCtime: options.ignoreCtime ?? false,
      ignoreInode: options.ignoreInode ?? false,
      force: options.force ?? false,
      dryRun: options.dryRun ?? false,
      skipIfUnchanged: options.skipIfUnchanged ?? configuration.skipIfUnchanged ?? false,
      ...(options.workers !== undefined && { workers: options.workers }),
    });
  };
}

function streamPlan(context: Context, operands: string[], options: BackupCommandOptions): Plan {
  if (options.stdin && options.stdinCommand) throw usageError('--stdin and --stdin-command contradict each other');
  if (options.stdinCommand && operands.length === 0)
    throw usageError('there is no command to run', 'lagan backup --stdin-command -- COMMAND ARGUMENTS');
  if (options.stdin && operands.length > 0) throw usageError('with --stdin there are no folders to back up', 'make two snapshots');
  if (options.filesFrom || options.filesFrom0) throw usageError('--files-from goes without --stdin and --stdin-command');
  const name = parseStreamName(options.stdinName ?? 'stdin');
  return ({ engine, repository }, labels, running) => {
    const stream = options.stdinCommand ? commandStream(operands, context) : context.io.stdin;
    return engine.backupStream(repository, {
      ...labels,
      ...running.engineOptions,
      name,
      stream,
      dryRun: options.dryRun ?? false,
    });
  };
}

/** A name in the snapshot; with slashes, in folders. */
function parseStreamName(name: string): string {
  const isName = (part: string) => part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= 255;
  if (name.isWellFormed() && !name.includes('\0') && name.replace(/^\//, '').split('/').every(isName)) return name;
  throw usageError(`--stdin-name: '${name}' is not the name of a file`, 'for example db.sql, or dumps/db.sql');
}

async function listedPaths(context: Context, options: BackupCommandOptions): Promise<Uint8Array[]> {
  const paths: Uint8Array[] = [];
  for (const file of options.filesFrom ?? []) paths.push(...splitAtByte(await readListing(context, file, '--files-from'), 0x0a));
  for (const file of options.filesFrom0 ?? []) paths.push(...splitAtNul(await readListing(context, file, '--files-from0')));
  return paths.filter((path) => path.length > 0);
}

async function readListing(context: Context, file: string, option: string): Promise<Uint8Array> {
  if (file === '-') return readAll(context.io.stdin);
  const path = context.resolve(file);
  try {
    return await readFile(path);
  } catch (error) {
    throw systemError(`read the paths of ${option} from`, path, error);
  }
}

async function excludeRules(context: Context, options: BackupCommandOptions, configuration: BackupConfiguration): Promise<ExcludeRules> {
  const rules: ExcludeOption[] = [
    ...(configuration.excludeFile ?? []).map((file) => ({ file })),
    ...(configuration.exclude ?? []).map((pattern) => ({ pattern })),
    ...(options.exclude ?? []),
  ];
  const patterns: string[] = [];
  for (const rule of rules) patterns.push(...('pattern' in rule ? [rule.pattern] : await readPatterns(context.resolve(rule.file))));
  return {
    patterns,
    excludeIfPresent: [...(configuration.excludeIfPresent ?? []), ...(options.excludeIfPresent ?? [])],
    excludeCaches: options.excludeCaches ?? configuration.excludeCaches ?? false,
    excludeLargerThanBytes: options.excludeLargerThan ?? configuration.excludeLargerThan,
  };
}

async function labelsOf(
  context: Context,
  opened: OpenedRepository,
  options: BackupCommandOptions,
  configuration: BackupConfiguration,
): Promise<SnapshotLabels> {
  const compression = options.compression ?? parseCompression(configuration.compression ?? 'auto');
  return {
    tags: [...new Set([...(configuration.tag ?? []), ...(options.tag ?? [])])],
    description: options.description ?? configuration.description ?? '',
    ...hostOf(options.host ?? configuration.host),
    parent: await parentOf(context, opened, options.parent),
    compression,
    ...(options.verifyAll && { verifyAll: true }),
    ...(options.time && { time: dateOfTime(options.time) }),
  };
}

function hostOf(host: string | undefined): { host?: string } {
  return host === undefined ? {} : { host };
}

async function parentOf(
  context: Context,
  opened: OpenedRepository,
  parent: BackupCommandOptions['parent'] = 'auto',
): Promise<'auto' | 'none' | SnapshotId> {
  return typeof parent === 'string' ? parent : (await findSnapshot(opened, parent, { signal: context.signal })).id;
}

function parseParent(text: string): 'auto' | 'none' | SnapshotReference {
  return text === 'auto' || text === 'none' ? text : parseSnapshotReference(text);
}

interface ReportOptions {
  readonly options: BackupCommandOptions;
  readonly elapsedMs: number;
}

async function report(
  context: Context,
  opened: OpenedRepository,
  result: BackupResult,
  { options, elapsedMs }: ReportOptions,
): Promise<void> {
  const { output } = context;
  const outcome = options.dryRun ? 'dry-run' : result.snapshotId === null ? 'unchanged' : 'saved';
  const restore =
    result.snapshotId === null
      ? null
      : `lagan restore ${shortId(result.snapshotId)} --target ./restored${repeatedOptions(context, opened.place)}`;
  await output.json({
    type: 'summary',
    outcome,
    snapshot: result.snapshotId,
    parent: result.parent,
    unchangedFromParent: result.unchangedFromParent,
    statistics: result.statistics,
    errors: result.errors.map(problemFields),
    elapsedMs: Math.round(elapsedMs),
    restoreCommand: restore,
  });
  for (const line of summaryLines(result, { outcome, elapsedMs })) await output.summary(line);
  if (restore !== null) await output.summary(`restore with: ${output.style('bold', restore)}`);
  if (result.errors.length > 0 || result.statistics.errors > 0) context.endWith('partial');
}

function summaryLines(result: BackupResult, { outcome, elapsedMs }: { outcome: string; elapsedMs: number }): string[] {
  const { statistics } = result;
  const amount = `${formatCountOf(statistics.files, 'file')}, ${formatCountOf(statistics.directories, 'folder')}, ${formatSize(statistics.bytes)}`;
  const firsts: Record<string, string> = {
    'dry-run': `would save ${amount}`,
    unchanged: `nothing has changed since ${shortId(result.parent ?? '')}, no snapshot made: ${amount}`,
    saved: `snapshot ${shortId(result.snapshotId ?? '')} saved: ${amount}`,
  };
  return [
    `${firsts[outcome]}, in ${formatDuration(elapsedMs)}`,
    `new: ${formatSize(statistics.newBytes)} in ${formatCount(statistics.newChunks)} of ${formatCountOf(statistics.chunks, 'chunk')}, stored as ${formatSize(statistics.storedBytes)}`,
    ...readProblems(result.errors, statistics.errors).map((problem) => `${problem} (see the warnings)`),
  ];
}
