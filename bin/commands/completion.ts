/**
 * `lagan completion`: completion for shells. The candidates come from the `@bomb.sh/tab` library, which reads them from the definitions of the
 * commands; the scripts for zsh and fish are its own. That for bash is ours, as the library's evaluates the words of the line as a command.
 */
import { script as printScript, RootCommand } from '@bomb.sh/tab';
import { Argument, type Command, type Option } from 'commander';
import { buildProgram, type CommandModule } from '../program.ts';
import { type Context, contextOf } from '../shared/context.ts';
import { addExamples } from '../shared/options.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

export function define(command: Command): void {
  command
    .description('Prints a script that makes the shell complete commands, options and their values. To install it:\n  bash  echo \'source <(lagan completion bash)\' >> ~/.bashrc\n  zsh   echo \'source <(lagan completion zsh)\' >> ~/.zshrc\n  fish  lagan completion fish > ~/.config/fish/completions/lagan.fish')
    .addArgument(new Argument('<shell>', 'your shell').choices(shells))
    .action(async (shell: Shell, _options: object, self: Command) => print(contextOf(self), shell));
  addExamples(command, [['source <(lagan completion bash)', 'for this session']]);
}

/** `lagan complete -- WORDS`: what the scripts call; it is no part of the help. */
export const complete: CommandModule = {
  define(command) {
    command.argument('[words...]').action(async (words: string[], _options: object, self: Command) => suggest(contextOf(self), words));
  },
};
