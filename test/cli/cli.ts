/** Runs commands in this process on streams that are kept, and the real program in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../bin/run.ts';
import type { Io } from '../../bin/shared/context.ts';
import type { Engine } from '../../bin/shared/engine.ts';

export const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

/** A stream that keeps what it gets. */
export class Capture extends Writable {
  readonly isTTY: boolean;
  readonly columns = 100;
  readonly #pieces: Buffer[] = [];

  constructor(kind: 'pipe' | 'terminal' = 'pipe') {
    super();
    this.isTTY = kind === 'terminal';
  }

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.#pieces.push(Buffer.from(piece));
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  get text(): string {
    return this.bytes.toString('utf8');
  }
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  readonly engine?: Engine;
  readonly terminal?: boolean;
  readonly stdout?: Writable;
  readonly signal?: AbortSignal;
  /** Answers to questions for a password, in order; without any there is no terminal to ask on. */
  readonly answers?: string[];
}

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
  /** Lines of standard output as JSON. */
  readonly json: Record<string, unknown>[];
  /** The error of standard error as JSON. */
  readonly error: Record<string, unknown>;
}

/** Runs a command in this process. The environment holds a HOME that does not exist unless one is given. */
export async function run(argv: string[], options: RunOptions = {}): Promise<Outcome> {
  const kind = options.terminal ? 'terminal' : 'pipe';
  const [stdout, stderr] = [new Capture(kind), new Capture(kind)];
  const { answers, engine } = options;
  const io: Io = {
    stdout: options.stdout ?? stdout,
    stderr,
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    env: { HOME: '/nonexistent/home', PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', ...options.env },
    cwd: options.cwd ?? '/',
    ...(options.signal && { signal: options.signal }),
    ...(answers && { askPassword: async () => answers.shift() }),
  };
  const exitCode = await runCommand(argv, io, engine && (async () => engine));
  return outcomeOf(exitCode, stdout.bytes, stderr.text);
}

function outcomeOf(exitCode: number, bytes: Buffer, stderr: string): Outcome {
  const stdout = bytes.toString('utf8');
  return {
    exitCode,
    stdout,
    stderr,
    bytes,
    get json() {
      return parseLines(stdout);
    },
    get error() {
      return parseLines(stderr).at(-1) ?? {};
    },
  };
}

export function parseLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A new folder that goes away at the end of the test. */
export function scratchFolder(test: { teardown(after: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'lagan-cli-'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface StartOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly uid?: number;
}

export type StartedProgram = ChildProcess & { readonly ended: Promise<Outcome> };

/** The sources as a program, in a process group of its own without a terminal. */
export function start(argv: string[], { env, cwd = '/', uid }: StartOptions = {}): StartedProgram {
  const main = join(projectFolder, 'bin/main.ts');
  // The test runner makes every Node that is started write notes into a folder of its own; another user may not.
  const command = [process.execPath, main, ...argv];
  const [program, ...words] = uid === undefined ? command : ['/bin/sh', '-c', 'unset NODE_OPTIONS; exec "$@"', 'sh', ...command];
  const child = spawn(program!, words, {
    cwd,
    env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', ...env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid !== undefined && { uid }),
  });
  child.stdin.on('error', () => {});
  return Object.assign(child, { ended: outcomeOfChild(child) });
}

/** Runs the sources as a program to its end. */
export function execute(argv: string[], options: StartOptions & { stdin?: string | Uint8Array } = {}): Promise<Outcome> {
  const child = start(argv, options);
  child.stdin?.end(options.stdin ?? '');
  return child.ended;
}

function outcomeOfChild(child: ChildProcess): Promise<Outcome> {
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (piece: Buffer) => stdout.push(piece));
  child.stderr?.on('data', (piece: Buffer) => stderr.push(piece));
  return new Promise((resolve) => {
    child.on('close', (status) => resolve(outcomeOf(status ?? -1, Buffer.concat(stdout), Buffer.concat(stderr).toString('utf8'))));
  });
}
