/** The commands and the options that they share. A command's own file is loaded only if its name is among the arguments. */
import { Command, Option } from 'commander';
import { program as nameAndVersion } from '../engine/program/mod.ts';
import type { Io } from './shared/context.ts';
import { exitCodeMeanings } from './shared/errors.ts';
import { rateOption, timeOption } from './shared/options.ts';

/** A file of `commands/`. */
export interface CommandModule {
  /** Adds arguments, options, examples and the action. */
  define(command: Command): void;
}

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly group: string;
  readonly isHidden?: true;
  readonly load: () => Promise<CommandModule>;
}

const groups = { work: 'Back up and restore:', look: 'Look at snapshots:', care: 'Take care of the repository:', other: 'Other:' };

export const commandList: readonly CommandEntry[] = [
  { name: 'init', summary: 'make a repository', group: groups.work, load: () => import('./commands/init.ts') },
  { name: 'backup', summary: 'turn folders into a snapshot', group: groups.work, load: () => import('./commands/backup.ts') },
  { name: 'restore', summary: 'bring back what a snapshot holds', group: groups.work, load: () => import('./commands/restore.ts') },
  { name: 'snapshots', summary: 'list the snapshots', group: groups.look, load: () => import('./commands/snapshots.ts') },
  { name: 'ls', summary: 'list a folder of a snapshot', group: groups.look, load: () => import('./commands/ls.ts') },
  { name: 'find', summary: 'look for files in snapshots', group: groups.look, load: () => import('./commands/find.ts') },
  { name: 'diff', summary: 'show what differs between two snapshots', group: groups.look, load: () => import('./commands/diff.ts') },
  { name: 'cat', summary: 'print a file of a snapshot', group: groups.look, load: () => import('./commands/cat.ts') },
  { name: 'dump', summary: 'print a snapshot as a tar archive', group: groups.look, load: () => import('./commands/dump.ts') },
  {
    name: 'export',
    summary: 'write a snapshot as a tar archive that can be imported',
    group: groups.work,
    load: () => import('./commands/export.ts'),
  },
  {
    name: 'import',
    summary: 'take over snapshots of kopia, restic or borg, or a tar archive',
    group: groups.work,
    load: () => import('./commands/import.ts'),
  },
  { name: 'tag', summary: 'change tags and description of snapshots', group: groups.care, load: () => import('./commands/tag.ts') },
  { name: 'forget', summary: 'remove snapshots by rules, or by hand', group: groups.care, load: () => import('./commands/forget.ts') },
  { name: 'pin', summary: 'protect snapshots from being removed', group: groups.care, load: () => import('./commands/pin.ts') },
  { name: 'undelete', summary: 'bring back snapshots that were removed', group: groups.care, load: () => import('./commands/undelete.ts') },
  { name: 'rewrite', summary: 'take paths out of snapshots', group: groups.care, load: () => import('./commands/rewrite.ts') },
  { name: 'copy', summary: 'copy snapshots into another repository', group: groups.care, load: () => import('./commands/copy.ts') },
  {
    name: 'mirror',
    summary: 'copy the repository as it is to another place',
    group: groups.care,
    load: () => import('./commands/mirror.ts'),
  },
  { name: 'maintain', summary: 'free what no snapshot needs', group: groups.care, load: () => import('./commands/maintain.ts') },
  { name: 'check', summary: 'look for damage', group: groups.care, load: () => import('./commands/check.ts') },
  { name: 'repair', summary: 'mend what is damaged', group: groups.care, load: () => import('./commands/repair.ts') },
  { name: 'stats', summary: 'show what the repository holds', group: groups.care, load: () => import('./commands/stats.ts') },
  { name: 'key', summary: 'list, add, remove and change keys', group: groups.care, load: () => import('./commands/key.ts') },
  {
    name: 'repository',
    summary: 'look at the store of the repository',
    group: groups.care,
    load: () => import('./commands/repository.ts'),
  },
  { name: 'serve', summary: 'let other machines add to repositories here', group: groups.care, load: () => import('./commands/serve.ts') },
  { name: 'k8s', summary: 'volumes of pods in a Kubernetes cluster', group: groups.work, load: () => import('./commands/k8s.ts') },
  { name: 'cache', summary: 'show and clear the local cache', group: groups.care, load: () => import('./commands/cache.ts') },
  {
    name: 'completion',
    summary: 'print a completion script for the shell',
    group: groups.other,
    load: () => import('./commands/completion.ts'),
  },
  { name: 'version', summary: 'print versions', group: groups.other, load: () => import('./commands/version.ts') },
  { name: 'complete', summary: '', group: groups.other, isHidden: true, load: () => import('./commands/complete.ts') },
];

/** The program with those commands defined whose names are among `argv`; all of them with `all`. */
export async function buildProgram(argv: readonly string[] | 'all', io: Pick<Io, 'stdout' | 'stderr'>): Promise<Command> {
  const program = new Command('lagan')
    .description('Backups that are deduplicated, compressed and encrypted.')
    .usage('[options] COMMAND')
    .exitOverride()
    .configureOutput(outputOf(io))
    .configureHelp({ showGlobalOptions: true, styleTitle: (title) => title })
    .helpOption('-h, --help', 'show help')
    .addHelpCommand(helpCommand());
  addSharedOptions(program);
  program.addHelpText('after', () => `\n${exitCodeHelp()}\n${startHelp}`);
  for (const { name, summary, group, isHidden, load } of commandList) {
    const command = program
      .command(name, { hidden: isHidden ?? false })
      .summary(summary)
      .helpGroup(group);
    if (argv === 'all' || argv.includes(name)) (await load()).define(command);
  }
  return program;
}

function helpCommand(): Command {
  return new Command('help').argument('[command]').summary('show help of a command').helpGroup(groups.other).helpOption(false);
}

function addSharedOptions(program: Command): void {
  program
    .option('-r, --repository <place>', 'where the repository is: a folder or URL (LAGAN_REPOSITORY)')
    .option('--key-file <file>', 'key file that opens the repository (LAGAN_KEY_FILE)')
    .option('--password-file <file>', 'file that holds the password (LAGAN_PASSWORD_FILE)')
    .option('--password-command <command>', 'command that prints the password (LAGAN_PASSWORD_COMMAND)')
    .option('--config <file>', 'configuration file (LAGAN_CONFIG; default: ~/.config/lagan/config.yaml)')
    .addOption(timeOption('--as-of <time>', 'read the repository as it was then, as far as its store tells of the past'))
    .option('--cache-dir <folder>', 'folder of the local cache')
    .option('--no-cache', 'use no local cache')
    .addOption(rateOption('--limit-upload <size>', 'bytes in a second that are sent to a store, at most; for example 2MiB'))
    .addOption(rateOption('--limit-download <size>', 'bytes in a second that are read from a store, at most'))
    .addOption(rateOption('--limit-requests <count>', 'requests in a second to a store, at most'))
    .option('--json', 'print JSON')
    .option('-q, --quiet', 'print errors only')
    .addOption(
      new Option('-v, --verbose', 'print more; twice: even more').argParser((_, previous: number | undefined) => (previous ?? 0) + 1),
    )
    .option('--no-progress', 'show no progress')
    .version(nameAndVersion, '-V, --version', 'print the version');
}

function outputOf(io: Pick<Io, 'stdout' | 'stderr'>) {
  return {
    writeOut: (text: string) => void io.stdout.write(text),
    writeErr: (text: string) => void io.stderr.write(text),
    // Errors are shown by the caller, as `error:` and `hint:` lines.
    outputError: () => {},
    getOutHelpWidth: () => io.stdout.columns ?? 100,
    getErrHelpWidth: () => io.stderr.columns ?? 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  };
}

const startHelp = `Start here:
  lagan backup ~/Documents          the first one makes a repository and its key
  lagan snapshots
  lagan restore latest --target /tmp/restored
`;

function exitCodeHelp(): string {
  const lines = exitCodeMeanings().flatMap(([exitCode, meanings]) =>
    meanings.map((meaning, index) => `  ${(index === 0 ? String(exitCode) : '').padStart(3)}  ${meaning}`),
  );
  return `Exit codes:\n${lines.join('\n')}\n`;
}
