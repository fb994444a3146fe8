/** Runs one command: from its arguments to its exit code, on streams that are given. */
import type { Command } from 'commander';
import { buildProgram } from './program.ts';
import { Context, type Io, interrupted, setContext } from './shared/context.ts';
import type { Engine } from './shared/engine.ts';
import { isLaganError, outputClosedExitCode, usageError } from './shared/errors.ts';
import { OutputClosed } from './shared/output.ts';

export type { Io } from './shared/context.ts';

const usageExitCode = 2;

/**
 * Runs `lagan ARGUMENTS`. Resolves with the exit code, after all output has left; never rejects. `engine` is for tests.
 */
export async function runCommand(argv: readonly string[], io: Io, engine?: () => Promise<Engine>): Promise<number> {
  const context = new Context(io, engine);
  context.output.configure({ format: asksForJson(argv) ? 'json' : 'text' });
  try {
    const program = await buildProgram(argv, io);
    setContext(program, context);
    shareOptions(program, context);
    await program.parseAsync(argv as string[], { from: 'user' });
    await context.output.flush();
    return context.exitCode;
  } catch (error) {
    return await endWithError(context, error);
  } finally {
    context.output.release();
  }
}

/** The shared options are known when a command starts. */
function shareOptions(program: Command, context: Context): void {
  program.hook('preAction', () => context.setOptions(program.opts()));
}

async function endWithError(context: Context, error: unknown): Promise<number> {
  if (error instanceof OutputClosed) return outputClosedExitCode;
  if (isCommanderError(error) && error.exitCode === 0) return 0;
  if (isCommanderError(error) && error.code === 'commander.help') return usageExitCode;
  await context.output.flush().catch(() => {});
  context.output.setTransient(undefined);
  return context.output.error(asShown(context, error)).exitCode;
}

/** What an error is to a person: after an interruption all errors are its consequences. */
function asShown(context: Context, error: unknown): unknown {
  if (context.signal.aborted) return isLaganError(error, 'interrupted') ? error : interrupted();
  return isCommanderError(error) ? asUsageError(error.message) : error;
}

/** Commander's `error: …\n(Did you mean …?)` as a message and a hint. */
function asUsageError(message: string): Error {
  const [first = '', ...rest] = message.replace(/^error: /, '').split('\n');
  const suggestion = /^\(Did you mean (.*)\?\)$/.exec(rest.join(' '))?.[1];
  return usageError(first, suggestion ? `did you mean ${suggestion}?` : 'lagan --help lists commands, lagan COMMAND --help their options');
}

function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
}

function isCommanderError(error: unknown): error is { code: string; exitCode: number; message: string } {
  return error instanceof Error && String((error as { code?: unknown }).code).startsWith('commander.');
}
