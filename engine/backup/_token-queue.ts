/**
 * A queue between two asynchronous loops: `push` asks its caller to wait when `limit` items are waiting, `take` waits for the next. When either of them has failed,
 * {@link TokenQueue.abandon} ends the other.
 */
export class TokenQueue<Token> {
  #items: Token[] = [];
  #head = 0;
  readonly #limit: number;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #abandoned = false;
  #waitingTaker: (() => void) | undefined;
  #waitingPusher: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds an item. A promise is returned only when the queue is full: await it before the next. */
  push(item: Token): Promise<void> | undefined {
    this.throwIfAbandoned();
    this.#items.push(item);
    this.#wakeTaker();
    if (this.#items.length - this.#head < this.#limit) return undefined;
    return new Promise<void>((resolve) => {
      this.#waitingPusher = resolve;
    }).then(() => this.throwIfAbandoned());
  }

  /** No more items will come; with an error, `take` throws it once it gets there. */
  end(failure?: { readonly error: unknown }): void {
    this.#ended = true;
    this.#failure = failure;
    this.#wakeTaker();
  }

  /** Nobody takes or pushes any more: whoever tries, or is waiting, gets an error. */
  abandon(): void {
    this.#abandoned = true;
    this.#items = [];
    this.#head = 0;
    this.#wakeTaker();
    this.#wakePusher();
  }

  /** The next item, or undefined after the last; a promise only if there is none yet. */
  take(): Token | undefined | Promise<Token | undefined> {
    this.throwIfAbandoned();
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
    if (this.#items.length - this.#head < this.#limit / 2) this.#wakePusher();
    return item;
  }

  #wakePusher(): void {
    this.#waitingPusher?.();
    this.#waitingPusher = undefined;
  }

  throwIfAbandoned(): void {
    if (this.#abandoned) throw new Error('the other side of the queue has ended');
  }

  #wakeTaker(): void {
    this.#waitingTaker?.();
    this.#waitingTaker = undefined;
  }
}
