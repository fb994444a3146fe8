/** A command that takes a while: its progress, its warnings, and how long it took. */
import type { Context } from './context.ts';
import type { EngineProgress, EngineWarning, RunOptions } from './engine.ts';
import { pathFields } from './json.ts';
import { Progress } from './progress.ts';
import { escapeText, textOfBytes } from './text.ts';

export class Running {
  readonly #context: Context;
  readonly #progress: Progress;

  /** Starts to show progress; `verb` is what is being done, such as `backing up`. */
  constructor(context: Context, verb: string) {
    this.#context = context;
    const isShown = context.options.progress && !context.output.isQuiet;
    this.#progress = new Progress(context.output, { verb, display: isShown ? 'shown' : 'hidden', isUnicode: context.isUnicode });
  }

  /** What the engine's long calls take. */
  get engineOptions(): Required<RunOptions> {
    return {
      signal: this.#context.signal,
      onProgress: (event: EngineProgress) => this.#progress.update(event),
      onWarning: (warning: EngineWarning) => this.warn(warning),
    };
  }

  get elapsedMs(): number {
    return this.#progress.elapsedMs;
  }

  warn({ code, message, path }: EngineWarning): void {
    const fields = { code, ...(path && pathFields(path)) };
    this.#context.output.warning(this.#context.output.isJson ? message : withPath(message, path), fields).catch(() => {});
  }

  /** Takes the progress away. */
  end(): void {
    this.#progress.end();
  }
}

/** `path: message`, unless the message names the path already. */
export function withPath(message: string, path: Uint8Array | undefined): string {
  const text = path && textOfBytes(path);
  return text === undefined || message.includes(text) ? message : `${escapeText(text)}: ${message}`;
}
