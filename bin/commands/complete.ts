/**
 * `lagan complete -- WORDS`: what the completion scripts call; not in the help. The candidates are chosen by the `@bomb.sh/tab` library from
 * the definitions of all commands. Where there are none the shell completes names of files.
 */
import { type Command as Candidates, type Complete, RootCommand } from '@bomb.sh/tab';
import type { Command } from 'commander';
import { captureLines } from '../shared/capture.ts';
import { type Context, contextOf } from '../shared/context.ts';

/** Cobra's directives, which the scripts understand: complete files, or do not. */
const [withFiles, withoutFiles] = [':0', ':4'];

export function define(command: Command): void {
  command.argument('[words...]').action(async (words: string[], _options: object, self: Command) => run(contextOf(self), words));
}

async function run(context: Context, words: string[]): Promise<void> {
  const { buildProgram } = await import('../program.ts');
  const candidates = candidatesOf(await buildProgram('all', context.io));
  const lines = captureLines(() => candidates.parse(words.length > 0 ? [...words] : ['']));
  const found = lines.filter((line) => !line.startsWith(':'));
  const directive = found.length === 0 && !words.at(-1)?.startsWith('-') ? withFiles : withoutFiles;
  for (const line of [...found, directive]) await context.output.write(`${line}\n`);
}

/** The commands and options in the form of the library; the shared options are options of each command. */
function candidatesOf(program: Command): RootCommand {
  const root = new RootCommand();
  addOptions(root, program);
  const add = (command: Command, name: string) => {
    const candidates = root.command(name, command.summary());
    addOptions(candidates, command);
    addOptions(candidates, program);
    addArguments(candidates, command);
    for (const below of visibleCommands(command)) add(below, `${name} ${below.name()}`);
  };
  for (const command of visibleCommands(program)) add(command, command.name());
  return root;
}

function addOptions(candidates: Candidates, command: Command): void {
  for (const option of command.createHelp().visibleOptions(command)) {
    const name = option.long?.slice(2);
    if (name === undefined) continue;
    const short = option.short?.slice(1);
    const takesValue = option.required || option.optional;
    const choices = option.argChoices ?? [];
    if (takesValue) candidates.option(name, option.description, offer(choices), short);
    else candidates.option(name, option.description, short ?? '');
  }
}

function addArguments(candidates: Candidates, command: Command): void {
  for (const argument of command.registeredArguments) {
    const choices = argument.argChoices ?? [];
    candidates.argument(argument.name(), offer(choices), argument.variadic);
  }
}

function offer(choices: readonly string[]): (complete: Complete) => void {
  return (complete) => {
    for (const choice of choices) complete(choice, '');
  };
}

function visibleCommands(command: Command): Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((below) => below.name() !== 'help');
}
