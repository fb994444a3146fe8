/** A queue between two asynchronous loops: `push` asks its caller to wait when `limit` items are waiting, `take` waits for the next. */
export class TokenQueue<Token> {
  #items: Token[] = [];
  #head = 0;
  readonly #limit: number;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #waitingTaker: (() => void) | undefined;
  #waitingPusher: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds an item. A promise is returned only when the queue is full: await it before the next. */
  push(item: Token): Promise<void> | undefined {
    this.#items.push(item);
    this.#wakeTaker();
    if (this.#items.length - this.#head < this.#limit) return undefined;
    return new Promise((resolve) => {
      this.#waitingPusher = resolve;
    });
  }

  /** No more items will come; with an error, `take` throws it once it gets there. */
  end(failure?: { readonly error: unknown }): void {
    this.#ended = true;
    this.#failure = failure;
    this.#wakeTaker();
  }

  /** The next item, or undefined after the last; a promise only if there is none yet. */
  take(): Token | undefined | Promise<Token | undefined> {
    if (this.#head < this.#items.length) return this.#next();
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#ended) return undefined;
    return new Promise<void>((resolve) => {
      this.#waitingTaker = resolve;
    }).then(() => this.take());
  }

  #next(): Token {
    const item = this.#items[this.#head]!;
    this.#items[this.#head++] = undefined as Token;
    if (this.#head === this.#items.length || this.#head > 4 * this.#limit) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    if (this.#waitingPusher !== undefined && this.#items.length - this.#head < this.#limit / 2) {
      this.#waitingPusher();
      this.#waitingPusher = undefined;
    }
    return item;
  }

  #wakeTaker(): void {
    this.#waitingTaker?.();
    this.#waitingTaker = undefined;
  }
}
