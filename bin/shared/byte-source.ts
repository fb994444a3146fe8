/** A stream of bytes, taken in the amounts that a reader asks for. */
import { LaganError } from './errors.ts';

export class ByteSource {
  /** Of the next byte. */
  offset = 0;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#pieces = bytes[Symbol.asyncIterator]();
  }

  /** Exactly so many bytes. Code: malformed, if the stream ends before. */
  async take(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let left = count; left > 0; left -= parts.at(-1)!.length) parts.push(await this.takeSome(left));
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** The same; undefined if the stream ends here. */
  async takeOrEnd(count: number): Promise<Uint8Array | undefined> {
    return (await this.#fill()) ? this.take(count) : undefined;
  }

  /** At least one byte, and at most so many: what is there. Code: malformed, if the stream has ended. */
  async takeSome(limit: number): Promise<Uint8Array> {
    if (!(await this.#fill()))
      throw new LaganError('malformed', `the archive ends early, after ${this.offset} bytes`, { offset: this.offset });
    const taken = this.#held.subarray(0, limit);
    this.#held = this.#held.subarray(taken.length);
    this.offset += taken.length;
    return taken;
  }

  /** Reads what is left, so that whoever writes it can end. */
  async drain(): Promise<void> {
    while (await this.#fill()) await this.takeSome(this.#held.length);
  }

  /** The next bytes, up to so many, which are still to come. */
  async peek(count: number): Promise<Uint8Array> {
    while (this.#held.length < count) {
      const next = await this.#pieces.next();
      if (next.done) break;
      this.#held = Buffer.concat([this.#held, next.value]);
    }
    return this.#held.subarray(0, count);
  }

  /** Nothing more will be read. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#held.length === 0) {
      const next = await this.#pieces.next();
      if (next.done) return false;
      this.#held = next.value;
    }
    return true;
  }
}
