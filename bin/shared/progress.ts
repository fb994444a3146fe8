/**
 * Shows how far a long command is: on a terminal a bar with rate and time left, elsewhere a plain line every 30 s, with
 * `--json` a message every second. Events may come as often as they like; only the newest is shown.
 */

import type { EngineProgress } from './engine.ts';
import { pathFields } from './json.ts';
import type { Output } from './output.ts';
import { formatCountOf, formatPart, formatShare, formatSize } from './sizes.ts';
import { escapeText, textOfBytes } from './text.ts';
import { formatClock } from './times.ts';

export interface ProgressOptions {
  /** What is being done, such as `backing up`. */
  readonly verb: string;
  readonly display: 'shown' | 'hidden';
  readonly isUnicode: boolean;
  readonly now?: () => number;
}

const redrawIntervalMs = 150;
const plainIntervalMs = 30_000;
const jsonIntervalMs = 1000;
const rateWindowMs = 10_000;
const barWidth = 20;
const narrowBarWidth = 10;
const narrowColumns = 110;

export class Progress {
  readonly #output: Output;
  readonly #options: ProgressOptions;
  readonly #now: () => number;
  readonly #startedMs: number;
  #event: EngineProgress | undefined;
  #samples: { atMs: number; bytes: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isDrawn = false;
  #estimatedBytes: number | undefined;

  constructor(output: Output, options: ProgressOptions) {
    this.#output = output;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#startedMs = this.#now();
    if (options.display === 'shown') this.#start();
  }

  get elapsedMs(): number {
    return this.#now() - this.#startedMs;
  }

  /** Is a line of a terminal redrawn? */
  get isBar(): boolean {
    return this.#options.display === 'shown' && !this.#output.isJson && this.#output.canRedraw;
  }

  get knowsTotal(): boolean {
    return this.#event?.bytesTotal !== undefined;
  }

  update(event: EngineProgress): void {
    this.#event = event;
  }

  /** What is probably the total; more may be done in the end. */
  setEstimate({ bytes }: { bytes: number }): void {
    this.#estimatedBytes = bytes;
  }

  /** Takes an event into the rate; done by itself while progress is shown. */
  sample(event: EngineProgress): void {
    const atMs = this.#now();
    this.#samples.push({ atMs, bytes: event.bytesDone });
    while (this.#samples.length > 2 && this.#samples[0]!.atMs < atMs - rateWindowMs) this.#samples.shift();
  }

  /** Takes the bar away; nothing is shown after this. */
  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#output.setTransient(undefined);
  }

  /** One line of text about the newest event; what does not fit into `columns` is left out, the least important first. */
  render(columns: number): string {
    const event = this.#estimated();
    const { verb } = this.#options;
    if (!event) return `${verb} ${formatClock(this.elapsedMs)}`;
    const errors = event.errors ? [formatCountOf(event.errors, 'error')] : [];
    const parts = [verb, ...this.#amounts(event, columns), ...this.#speed(event), ...errors, formatCountOf(event.filesDone, 'file')];
    while (parts.length > 1 && parts.join('  ').length >= columns) parts.pop();
    const line = parts.join('  ');
    const room = columns - line.length - 3;
    return room > 12 && event.currentPath
      ? `${line}  ${shorten(escapeText(textOfBytes(event.currentPath)), room)}`
      : line.slice(0, columns - 1);
  }

  /** The newest event with rate and time left, as `--json` prints it. */
  message(): object | undefined {
    const event = this.#event;
    if (!event) return undefined;
    const { currentPath, ...numbers } = event;
    const left = this.#leftMs(event);
    return {
      type: 'progress',
      ...numbers,
      ...(currentPath && pathFields(currentPath, 'currentPath')),
      elapsedMs: Math.round(this.elapsedMs),
      bytesPerSecond: Math.round(this.#bytesPerSecond()),
      ...(left !== undefined && { leftMs: Math.round(left) }),
    };
  }

  /** The newest event, with the estimate for a total that is not known. */
  #estimated(): EngineProgress | undefined {
    const [event, bytesTotal] = [this.#event, this.#estimatedBytes];
    if (!event || event.bytesTotal !== undefined || bytesTotal === undefined) return event;
    return { ...event, bytesTotal: Math.max(bytesTotal, event.bytesDone) };
  }

  #start(): void {
    const output = this.#output;
    if (output.isJson) {
      this.#every(jsonIntervalMs, () => this.#printJson());
    } else if (this.isBar) {
      output.setTransient({ clear: () => this.#clear(), draw: () => this.#draw() });
      this.#every(redrawIntervalMs, () => this.#draw());
    } else {
      this.#every(plainIntervalMs, () => output.note(this.render(200)));
    }
  }

  #every(intervalMs: number, show: () => void): void {
    this.#timer = setInterval(() => {
      if (this.#event) this.sample(this.#event);
      show();
    }, intervalMs);
    this.#timer.unref();
  }

  #printJson(): void {
    const message = this.message();
    if (message) this.#output.jsonNow(message).catch(() => {});
  }

  #draw(): void {
    this.#output.drawRaw(`\r${this.render(this.#output.columns)}\u001b[K`);
    this.#isDrawn = true;
  }

  #clear(): void {
    if (this.#isDrawn) this.#output.drawRaw('\r\u001b[K');
    this.#isDrawn = false;
  }

  #amounts(event: EngineProgress, columns: number): string[] {
    if (!event.bytesTotal) return [formatSize(event.bytesDone), formatClock(this.elapsedMs)];
    const share = Math.min(1, event.bytesDone / event.bytesTotal);
    const width = columns < narrowColumns ? narrowBarWidth : barWidth;
    return [
      `${this.#bar(share, width)} ${formatShare(event.bytesDone, event.bytesTotal).padStart(5)}`,
      formatPart(event.bytesDone, event.bytesTotal),
    ];
  }

  #speed(event: EngineProgress): string[] {
    const rate = this.#bytesPerSecond();
    const left = this.#leftMs(event);
    return [...(rate > 0 ? [`${formatSize(rate)}/s`] : []), ...(left === undefined ? [] : [`${formatClock(left)} left`])];
  }

  #bar(share: number, width: number): string {
    const [full, empty] = this.#options.isUnicode ? ['█', '░'] : ['#', '.'];
    const count = Math.round(share * width);
    return full!.repeat(count) + empty!.repeat(width - count);
  }

  /** Over the last 10 s. */
  #bytesPerSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.atMs <= first.atMs) return 0;
    return Math.max(0, ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000);
  }

  #leftMs(event: EngineProgress): number | undefined {
    const rate = this.#bytesPerSecond();
    if (!event.bytesTotal || rate <= 0) return undefined;
    return (Math.max(0, event.bytesTotal - event.bytesDone) / rate) * 1000;
  }
}

/** The end of a path matters more than its beginning. */
function shorten(text: string, width: number): string {
  return text.length <= width ? text : `…${text.slice(text.length - width + 1)}`;
}
