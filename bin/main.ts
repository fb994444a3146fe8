/**
 * The process: arguments, streams, signals and the exit code. All else is in run.ts, which knows no process.
 *
 * Ctrl-C (SIGINT), SIGTERM and SIGHUP ask the command to end; a second one, or a command that does not end in time, ends the process at once.
 */
import { program } from '../engine/program/mod.ts';

/** A command has this long to end by itself after a signal, unless it asks for more. */
let graceMs = 900;
const interruptedExitCode = 130;
/** For what is said last, if its reader is slow. */
const lastWordsMs = 200;

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) printVersion();
else await start();

function printVersion(): void {
  process.stdout.on('error', () => {});
  process.stdout.write(`${program}\n`);
}

async function start(): Promise<void> {
  // For this process only: it is no business of the commands that it starts.
  delete process.env.NODE_COMPILE_CACHE;
  const { runCommand } = await import('./run.ts');
  const { exactArguments } = await import('./shared/text.ts');
  const { abandonAll, endProcess } = await import('./shared/engine.ts');
  const interruption = new AbortController();
  onSignals(interruption, async () => {
    abandonAll();
    sayInterrupted();
    await Promise.race([taken(process.stderr), new Promise((resolve) => setTimeout(resolve, lastWordsMs))]);
    await endProcess(interruptedExitCode, { isBrokenOff: true });
  });
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const exitCode = await runCommand(exactArguments(argv), {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    signal: interruption.signal,
    extendGrace: (milliseconds) => {
      graceMs = milliseconds;
    },
    askPassword: async (prompt, signal) => (await import('./shared/terminal.ts')).askPassword(prompt, signal),
  });
  await taken(process.stderr);
  await endProcess(exitCode, { isBrokenOff: interruption.signal.aborted });
}

/** Resolves when whoever reads the stream has taken all that was written. */
function taken(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

/** `leave` ends the process at once. */
function onSignals(interruption: AbortController, leave: () => Promise<void>): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (interruption.signal.aborted) void leave();
      interruption.abort(new DOMException(`ended by ${name}`, 'AbortError'));
      setTimeout(() => void leave(), graceMs);
    });
  }
}

/** What the command would have said itself. */
function sayInterrupted(): void {
  const report = { type: 'error', code: 'interrupted', message: 'interrupted', exitCode: interruptedExitCode };
  const line = argv.includes('--json') ? JSON.stringify(report) : `${process.stderr.isTTY ? '\r\u001b[K' : ''}error: interrupted`;
  process.stderr.write(`${line}\n`);
}
