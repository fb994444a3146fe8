/** What every command gets: streams, options that all commands share, the configuration, the engine, and how it ends. */
import type { Command } from 'commander';
import { type Configuration, readConfiguration } from './configuration.ts';
import { type Engine, loadEngine } from './engine.ts';
import { type ErrorCode, errorTable, LaganError } from './errors.ts';
import { type InputStream, Output, type OutputStream } from './output.ts';
import { type Environment, resolvePath } from './places.ts';
import type { Time } from './times.ts';

/** The world of a process, or of a test. */
export interface Io {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: InputStream;
  readonly env: Environment;
  /** Absolute. */
  readonly cwd: string;
  /** Aborted when the process is asked to end. */
  readonly signal?: AbortSignal;
  /** The process ends this long after it was asked to, instead of soon. */
  readonly extendGrace?: (milliseconds: number) => void;
  /** Asks on the terminal without echo; undefined if there is no terminal. */
  readonly askPassword?: (prompt: string, signal: AbortSignal) => Promise<string | undefined>;
}

/** Options that stand before or after any command. */
export interface SharedOptions {
  readonly repository?: string;
  readonly passwordFile?: string;
  readonly passwordCommand?: string;
  readonly keyFile?: string;
  readonly config?: string;
  /** The repository is read as it was then. */
  readonly asOf?: Time;
  readonly cache: boolean;
  readonly cacheDir?: string;
  /** Bytes, or requests, in a second. */
  readonly limitUpload?: number;
  readonly limitDownload?: number;
  readonly limitRequests?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: number;
  readonly progress: boolean;
}

export class Context {
  readonly io: Io;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly #loadEngine: () => Promise<Engine>;
  #options: SharedOptions = { cache: true, progress: true };
  #configuration: Promise<Configuration> | undefined;
  #outcome: ErrorCode | undefined;

  constructor(io: Io, engine: () => Promise<Engine> = loadEngine) {
    this.io = io;
    this.output = new Output(io, { format: 'text', verbosity: 0, env: io.env });
    this.signal = io.signal ?? new AbortController().signal;
    this.#loadEngine = engine;
  }

  get options(): SharedOptions {
    return this.#options;
  }

  /** The shared options, once they are read. */
  setOptions(options: SharedOptions): void {
    this.#options = options;
    this.output.configure({ format: options.json ? 'json' : 'text', verbosity: options.quiet ? -1 : (options.verbose ?? 0) });
  }

  /** The configuration file, read once. */
  configuration(): Promise<Configuration> {
    const named = this.#options.config ?? this.io.env.LAGAN_CONFIG;
    this.#configuration ??= readConfiguration(named && this.resolve(named), this.io.env);
    return this.#configuration;
  }

  engine(): Promise<Engine> {
    return this.#loadEngine();
  }

  /** A path of the command line as an absolute one. */
  resolve(path: string): string {
    return resolvePath(path, this.io.cwd, this.io.env);
  }

  /** The command is done, but not wholly: it ends with the exit code of `code`. */
  endWith(code: ErrorCode): void {
    this.#outcome = code;
  }

  get exitCode(): number {
    return this.#outcome === undefined ? 0 : errorTable[this.#outcome].exitCode;
  }

  /** Is the terminal, or whatever reads the output, at home in Unicode? */
  get isUnicode(): boolean {
    const { env } = this.io;
    return /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '');
  }
}

/** The error of whatever was interrupted. */
export function interrupted(): LaganError {
  return new LaganError('interrupted', 'interrupted');
}

const contexts = new WeakMap<Command, Context>();

/** Ties the context to the program, for the commands below it. */
export function setContext(program: Command, context: Context): void {
  contexts.set(program, context);
}

/** The context of the program that a command belongs to, with the shared options as they were given. */
export function contextOf(command: Command): Context {
  let root = command;
  while (root.parent) root = root.parent;
  const context = contexts.get(root);
  if (!context) throw new Error(`no context for ${command.name()}`);
  return context;
}
