/** Runs a command as a whole process and tells what it used: exactly through wait4(2), or through GNU time where that cannot be called. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MeasuredProcess, MeasureJob } from './measure-process.ts';
import { findProgram } from './programs.ts';

export interface Command {
  /** The file, with its folder. */
  readonly program: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Where it runs. */
  readonly folder: string;
}

export interface Outcome extends MeasuredProcess {
  /** The last lines of what it wrote. */
  readonly lastWords: string;
}

/** Takes the figures of a command. Rejects only if nothing could be measured; a command that fails has an exit code. */
export type Meter = (command: Command) => Promise<Outcome>;

export interface MeterOptions {
  /** Takes the logs of the commands. */
  readonly folder: string;
  /** Ends the running command with all its processes. */
  readonly signal: AbortSignal;
}

const lastWordsBytes = 2000;

/** The best meter that works here, tried on `true`. */
export async function chooseMeter(options: MeterOptions): Promise<{ name: string; meter: Meter }> {
  const trial: Command = { program: findProgram('true') ?? '/bin/true', arguments: [], environment: {}, folder: options.folder };
  const problems: string[] = [];
  for (const [name, meter] of [
    ['wait4', wait4Meter(options)],
    ['GNU time', gnuTimeMeter(options)],
  ] as const) {
    try {
      if ((await meter(trial)).exitCode === 0) return { name, meter };
      problems.push(`${name}: 'true' failed`);
    } catch (error) {
      options.signal.throwIfAborted();
      problems.push(`${name}: ${(error as Error).message}`);
    }
  }
  throw new Error(`no way to measure a process works here\n  ${problems.join('\n  ')}`);
}

export function wait4Meter({ folder, signal }: MeterOptions): Meter {
  const script = join(import.meta.dirname, 'measure-process.ts');
  return async (command) => {
    const logFile = join(folder, 'command.log');
    writeFileSync(logFile, '');
    const job: MeasureJob = { command: [command.program, ...command.arguments], environment: command.environment, logFile };
    const { exitCode, output } = await run([process.execPath, script], { input: JSON.stringify(job), folder: command.folder, signal });
    if (exitCode !== 0) throw new Error(`the measuring process ended with ${exitCode}: ${output}`);
    return { ...(JSON.parse(output) as MeasuredProcess), lastWords: lastWordsOf(logFile) };
  };
}

/** Coarser: CPU in hundredths of a second. */
export function gnuTimeMeter({ folder, signal }: MeterOptions): Meter {
  return async (command) => {
    const time = findProgram('time');
    if (time === undefined) throw new Error('no GNU time on PATH');
    const [logFile, figuresFile] = [join(folder, 'command.log'), join(folder, 'time.txt')];
    writeFileSync(logFile, '');
    const line = [time, '-q', '-f', '%U %S %M', '-o', figuresFile, command.program, ...command.arguments];
    const start = process.hrtime.bigint();
    const { exitCode } = await run(line, { folder: command.folder, environment: command.environment, logFile, signal });
    const wallSeconds = Number(process.hrtime.bigint() - start) / 1e9;
    const [user, system, peakKib] = readFileSync(figuresFile, 'utf8').trim().split(' ').map(Number);
    if (peakKib === undefined || Number.isNaN(peakKib)) throw new Error(`${time} is not GNU time`);
    return { wallSeconds, cpuSeconds: user! + system!, peakMemoryBytes: peakKib * 1024, exitCode, lastWords: lastWordsOf(logFile) };
  };
}

interface RunOptions {
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Takes what it writes; else the result has it. */
  readonly logFile?: string;
}

/** In a process group of its own, so that all of it can be ended. */
function run(line: readonly string[], options: RunOptions): Promise<{ exitCode: number; output: string }> {
  options.signal.throwIfAborted();
  const log = options.logFile === undefined ? undefined : openSync(options.logFile, 'a');
  const child = spawn(line[0]!, line.slice(1), {
    cwd: options.folder,
    ...(options.environment && { env: { ...options.environment } }),
    detached: true,
    stdio: ['pipe', log ?? 'pipe', log ?? 'pipe'],
  });
  if (log !== undefined) closeSync(log);
  const end = () => killGroup(child.pid);
  options.signal.addEventListener('abort', end);
  child.stdin!.on('error', () => {});
  child.stdin!.end(options.input ?? '');
  const pieces: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece: Buffer) => pieces.push(piece));
  return new Promise<{ exitCode: number; output: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode: exitCode ?? 255, output: Buffer.concat(pieces).toString('utf8') }));
  }).finally(() => {
    options.signal.removeEventListener('abort', end);
    options.signal.throwIfAborted();
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function lastWordsOf(logFile: string): string {
  const text = readFileSync(logFile).subarray(-lastWordsBytes).toString('utf8');
  return text.trim().split('\n').slice(-5).join('\n');
}
