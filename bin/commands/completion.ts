/** `lagan completion`: prints the script that makes a shell complete commands, options and their values. */
import { script } from '@bomb.sh/tab';
import { Argument, type Command } from 'commander';
import { captureLines } from '../shared/capture.ts';
import { type Context, contextOf } from '../shared/context.ts';
import { addExamples } from '../shared/options.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/**
 * Ours, as that of the library evaluates the words of the line as a command and needs the bash-completion package. Like the other
 * scripts it asks `lagan complete`, whose answer is a candidate a line and at the end `:` with what to do without candidates.
 */
const bashScript = `# bash completion for lagan
_lagan() {
  local cur prev words cword line
  if declare -F _get_comp_words_by_ref > /dev/null; then
    _get_comp_words_by_ref -n =: cur prev words cword
  else
    words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD
  fi
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <("$1" complete -- "\${words[@]:1:cword}" 2> /dev/null)
}
complete -o default -F _lagan lagan`;

export function define(command: Command): void {
  command
    .description('Prints a script that makes the shell complete commands, options and their values.')
    .addArgument(new Argument('<shell>', 'your shell').choices(shells))
    .action(async (shell: Shell, _options: object, self: Command) => run(contextOf(self), shell));
  addExamples(command, [
    ["echo 'source <(lagan completion bash)' >> ~/.bashrc", 'install for bash'],
    ["echo 'source <(lagan completion zsh)' >> ~/.zshrc", 'for zsh, after compinit'],
    ['lagan completion fish > ~/.config/fish/completions/lagan.fish', 'for fish'],
  ]);
}

async function run({ output }: Context, shell: Shell): Promise<void> {
  const text = shell === 'bash' ? bashScript : captureLines(() => script(shell, 'lagan', 'lagan')).join('\n');
  await output.json({ type: 'completion', shell, script: text });
  await output.line(text);
}
