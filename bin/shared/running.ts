/** A command that takes a while: its progress, its warnings, and how long it took. */
import type { Context } from './context.ts';
import type { EngineProgress, EngineWarning, RunOptions } from './engine.ts';
import type { EstimateRequest } from './estimate.ts';
import { pathFields } from './json.ts';
import { Progress } from './progress.ts';
import { escapeText, textOfBytes } from './text.ts';

/** A backup that ends before this needs no estimate. */
const estimateAfterMs = 1000;

export class Running {
  readonly #context: Context;
  readonly #progress: Progress;
  #estimateTimer: NodeJS.Timeout | undefined;
  #endEstimate = () => {};

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

  /** If a bar is shown and the engine does not know the total, it is estimated. */
  estimate(request: EstimateRequest): void {
    if (!this.#progress.isBar) return;
    this.#estimateTimer = setTimeout(async () => {
      if (this.#progress.knowsTotal) return;
      const { startEstimate } = await import('./estimate.ts');
      this.#endEstimate = startEstimate(request, (estimate) => this.#progress.setEstimate(estimate));
    }, estimateAfterMs).unref();
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
    clearTimeout(this.#estimateTimer);
    this.#endEstimate();
    this.#progress.end();
  }
}

/** `path: message`, unless the message names the path already. */
export function withPath(message: string, path: Uint8Array | undefined): string {
  const text = path && textOfBytes(path);
  return text === undefined || message.includes(text) ? message : `${escapeText(text)}: ${message}`;
}
