/**
 * What a command says: data to standard output, words to standard error. Streams are given, so that commands can be tested.
 *
 * Invariants: with `--json` standard output holds JSON only, one value a line, and standard error holds nothing but the error
 * that ended the command. Names pass `escapeText` before they reach a terminal; where standard output is no terminal, they
 * are written byte for byte. A standard output that its reader has closed ends the commands that only show something
 * ({@link OutputClosed}); those that do something go on without it.
 */
import type { Readable, Writable } from 'node:stream';
import { styleText } from 'node:util';
import { type ErrorReport, errnoOf, reportOf, systemError } from './errors.ts';
import { bytesOfText, escapeMessage, escapeText } from './text.ts';

export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };
export type InputStream = Readable & { readonly isTTY?: boolean };

export interface OutputSettings {
  readonly format: 'text' | 'json';
  /** -1 quiet, 0 normal, 1 and above: more words. */
  readonly verbosity: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'blue' | 'magenta';

/** The reader of standard output went away; thrown by the writes of commands that only show something. */
export class OutputClosed extends Error {
  constructor() {
    super('standard output was closed by its reader');
    this.name = 'OutputClosed';
  }
}

/** A line of the terminal that is redrawn, such as a progress bar; it is taken away while other lines are written. */
export interface TransientLine {
  clear(): void;
  draw(): void;
}

const flushThresholdBytes = 65_536;

export class Output {
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  #settings: OutputSettings;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #closed = false;
  #failure: unknown;
  #whenClosed: 'stop' | 'go-on' = 'stop';
  #transient: TransientLine | undefined;
  #isReserved = false;
  readonly #stdoutError = (error: unknown) => this.#failed(error);
  readonly #ignoreError = () => {};

  constructor(streams: { stdout: OutputStream; stderr: OutputStream }, settings: OutputSettings) {
    this.#stdout = streams.stdout;
    this.#stderr = streams.stderr;
    this.#settings = settings;
    this.#stdout.on('error', this.#stdoutError);
    this.#stderr.on('error', this.#ignoreError);
  }

  /** What the options say is known only after they have been read. */
  configure(settings: Partial<OutputSettings>): void {
    this.#settings = { ...this.#settings, ...settings };
  }

  get isJson(): boolean {
    return this.#settings.format === 'json';
  }

  get isQuiet(): boolean {
    return this.#settings.verbosity < 0;
  }

  get verbosity(): number {
    return this.#settings.verbosity;
  }

  /** Is standard output a terminal, so that names must be escaped? */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** May a line be redrawn on standard error? */
  get canRedraw(): boolean {
    return this.#stderr.isTTY === true && this.#settings.env.TERM !== 'dumb';
  }

  /** Columns of the terminal that standard error is. */
  get columns(): number {
    return this.#stderr.columns || 80;
  }

  /** The command does something: it goes on when the reader of its output has gone. */
  goOnWhenClosed(): void {
    this.#whenClosed = 'go-on';
  }

  /** Standard output gets the bytes of a file: JSON goes to standard error instead. */
  reserveForBytes(): void {
    this.#isReserved = true;
  }

  /** Data in any amount; waits while the reader is behind. */
  async write(data: Uint8Array | string): Promise<void> {
    if (this.#refuses()) return;
    const bytes = typeof data === 'string' ? bytesOfText(data) : data;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= flushThresholdBytes || this.isTerminal) await this.flush();
  }

  /** One line of text on standard output; nothing with `--json`, whose data are written by {@link json}. */
  async line(text = ''): Promise<void> {
    if (this.isJson) return;
    this.#withoutTransient(this.isTerminal);
    await this.write(`${text}\n`);
    this.#transient?.draw();
  }

  /** A line that belongs to the summary of a command that does something: left out with `-q`. */
  async summary(text = ''): Promise<void> {
    if (!this.isQuiet) await this.line(text);
  }

  /** One JSON value, as a line of standard output; nothing without `--json`. */
  async json(value: object): Promise<void> {
    if (!this.isJson) return;
    const line = `${JSON.stringify(value)}\n`;
    if (this.#isReserved) this.#stderr.write(line);
    else await this.write(line);
  }

  /** A JSON value that must not wait for others, such as progress. */
  async jsonNow(value: object): Promise<void> {
    await this.json(value);
    if (this.isJson) await this.flush();
  }

  /** Words for the person who waits; not with `-q` or `--json`. */
  note(text: string): void {
    if (!this.isQuiet && !this.isJson) this.#words(escapeMessage(text));
  }

  /** Words for the curious: only with `-v` (or `-vv` for level 2). */
  detail(text: string, level = 1): void {
    if (this.verbosity >= level && !this.isJson) this.#words(this.style('dim', escapeMessage(text), 'stderr'));
  }

  /** Something that a person should know although the command goes on. */
  async warning(message: string, fields: object = {}): Promise<void> {
    if (this.isJson) await this.jsonNow({ type: 'warning', message, ...fields });
    else this.#words(`${this.style('yellow', 'warning:', 'stderr')} ${escapeMessage(message)}`);
  }

  /** The error that ends the command: `error:` and `hint:` lines, or one JSON value, on standard error. */
  error(error: unknown): ErrorReport {
    const report = reportOf(error);
    if (this.isJson) {
      this.#stderr.write(`${JSON.stringify(report)}\n`);
      return report;
    }
    this.#words(`${this.style('red', 'error:', 'stderr')} ${escapeMessage(report.message)}`);
    for (const cause of this.verbosity > 0 ? (report.causes ?? []) : []) this.#words(`cause: ${escapeMessage(cause)}`);
    if (report.hint !== undefined) this.#words(`${this.style('cyan', 'hint:', 'stderr')} ${escapeMessage(report.hint)}`);
    if (this.verbosity > 0 && report.code === 'internal' && error instanceof Error) this.#words(error.stack ?? '');
    return report;
  }

  /** A name or path for standard output: escaped on a terminal, its exact bytes elsewhere. */
  name(text: string): string {
    return this.isTerminal ? escapeText(text) : text;
  }

  /** Colours `text` if that stream is a terminal and nobody asked for none. */
  style(style: Style | Style[], text: string, stream: 'stdout' | 'stderr' = 'stdout'): string {
    const { env } = this.#settings;
    const isTerminal = (stream === 'stdout' ? this.#stdout : this.#stderr).isTTY === true;
    const isWanted = isTerminal && !env.NO_COLOR && env.TERM !== 'dumb' && !this.isJson;
    return isWanted ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Shows a line that is redrawn below all others, or takes it away. */
  setTransient(line: TransientLine | undefined): void {
    this.#transient?.clear();
    this.#transient = line;
  }

  /** Writes to the terminal as it is; for the transient line. */
  drawRaw(text: string): void {
    this.#stderr.write(text);
  }

  /** Waits until everything written has left. */
  async flush(): Promise<void> {
    if (this.#pendingBytes > 0) {
      const bytes = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
      this.#pending = [];
      this.#pendingBytes = 0;
      await this.#send(bytes);
    }
    this.#refuses();
  }

  /** Lets go of the streams. */
  release(): void {
    this.setTransient(undefined);
    this.#stdout.off('error', this.#stdoutError);
    this.#stderr.off('error', this.#ignoreError);
  }

  #words(text: string): void {
    this.#withoutTransient(true);
    this.#stderr.write(`${text}\n`);
    this.#transient?.draw();
  }

  #withoutTransient(isShared: boolean): void {
    if (isShared) this.#transient?.clear();
  }

  #send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#stdout.write(bytes, (error) => {
        if (error) this.#failed(error);
        resolve();
      });
    });
  }

  #failed(error: unknown): void {
    const errno = errnoOf(error);
    this.#closed = true;
    const isGone = errno === 'EPIPE' || (error as { code?: string }).code === 'ERR_STREAM_DESTROYED';
    if (!isGone) this.#failure ??= systemError('write to', 'standard output', error);
  }

  /** True if nothing can be written any more and the command goes on all the same. */
  #refuses(): boolean {
    if (!this.#closed) return false;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#whenClosed === 'stop') throw new OutputClosed();
    return true;
  }
}
