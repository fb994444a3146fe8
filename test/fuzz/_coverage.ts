/** Which characters of the source were run: V8's own block coverage, read through the inspector. */
import { type Profiler, Session } from 'node:inspector';

/** Decoders of the format and of codecs, and what the fuzzer is tested with. */
const watched = /\/(repo-format|engine\/packs)\/[^/]+$|_trap/;

export class Coverage {
  readonly #session = new Session();
  /** Per scope and script, one byte for each character of the source. */
  readonly #covered = new Map<string, Uint8Array>();
  /** Characters that were ever run, counted in each scope. */
  size = 0;
  readonly #functions = new Map<string, Map<string, { startOffset: number; endOffset: number }>>();
  /** What was covered before the last call of {@link foundNew} that found something. */
  #past = new Map<string, Uint8Array | undefined>();

  /** Must begin before the code that matters is loaded. */
  start(): void {
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Whether anything ran since the last call that had never run in that scope before. */
  foundNew(scope: string): boolean {
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType;
    const before = this.size;
    const relevant = result.filter(({ url }) => watched.test(url));
    const keyOf = (url: string) => `${scope} ${url}`;
    const past = new Map(relevant.map(({ url }) => [keyOf(url), this.#covered.get(keyOf(url))?.slice()]));
    for (const { url, functions } of relevant) this.#add(keyOf(url), functions);
    if (this.size === before) return false;
    this.#past = past;
    return true;
  }

  /** After {@link foundNew} has found something in what these calls ran: which of them, one after another, run something new. By halves, as reading takes its time. */
  newAmong(scope: string, calls: readonly (() => void)[]): number[] {
    const search = (from: number, to: number): number[] => {
      for (const [key, bytes] of this.#past) this.#restore(key, bytes);
      if (to - from === 1) {
        calls[from]!();
        return this.foundNew(scope) ? [from] : [];
      }
      const middle = (from + to) >>> 1;
      return [...within(from, middle), ...within(middle, to)];
    };
    const within = (from: number, to: number): number[] => {
      for (const call of calls.slice(from, to)) call();
      return this.foundNew(scope) ? search(from, to) : [];
    };
    return search(0, calls.length);
  }

  #restore(key: string, bytes: Uint8Array | undefined): void {
    const count = (list: Uint8Array | undefined) => list?.reduce((ones, one) => ones + one, 0) ?? 0;
    this.size += count(bytes) - count(this.#covered.get(key));
    if (bytes === undefined) this.#covered.delete(key);
    else this.#covered.set(key, bytes);
  }

  #add(key: string, functions: readonly Profiler.FunctionCoverage[]): void {
    for (const { ranges } of functions) this.#places(key).set(`${ranges[0]!.startOffset}-${ranges[0]!.endOffset}`, ranges[0]!);
    for (const { functionName, ranges } of functions) {
      const whole = ranges[0]!;
      // The module itself runs once, when it is loaded.
      if (whole.count === 0 || (functionName === '' && whole.startOffset === 0)) continue;
      const covered = this.#bytesOf(key, whole.endOffset);
      const run = new Uint8Array(whole.endOffset - whole.startOffset);
      // A range stands after those that it is in, and counts instead of them.
      for (const { startOffset, endOffset, count } of ranges)
        run.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
      // What is in functions within this one is told of by themselves, if they ran.
      for (const { startOffset, endOffset } of this.#places(key).values()) {
        const isWithin = startOffset >= whole.startOffset && endOffset <= whole.endOffset && endOffset - startOffset < run.length;
        if (isWithin) run.fill(0, startOffset - whole.startOffset, endOffset - whole.startOffset);
      }
      for (let at = 0; at < run.length; at++) {
        if (run[at] === 0 || covered[whole.startOffset + at] === 1) continue;
        covered[whole.startOffset + at] = 1;
        this.size++;
      }
    }
  }

  /** All functions of a script that were ever told of. */
  #places(key: string): Map<string, { startOffset: number; endOffset: number }> {
    const url = key.slice(key.indexOf(' ') + 1);
    let places = this.#functions.get(url);
    if (places === undefined) {
      places = new Map();
      this.#functions.set(url, places);
    }
    return places;
  }

  #bytesOf(key: string, sizeBytes: number): Uint8Array {
    let bytes = this.#covered.get(key);
    if (bytes === undefined || bytes.length < sizeBytes) {
      const grown = new Uint8Array(sizeBytes * 2);
      if (bytes !== undefined) grown.set(bytes);
      bytes = grown;
      this.#covered.set(key, bytes);
    }
    return bytes;
  }

  /** The inspector answers within the call. */
  #post(method: string, parameters?: object): unknown {
    let answer: unknown;
    this.#session.post(method, parameters, (error: Error | null, result: unknown) => {
      if (error !== null) throw error;
      answer = result;
    });
    return answer;
  }
}
